"""Fixtures every room shares: an empty, migrated store on both engines."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import pytest

from throughline.collector.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_DATABASES = itertools.count(1)


@pytest.fixture(params=["embedded"])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where an empty store of each engine is: a directory of its own, a database of its own behind HTTP."""
    return str(tmp_path / "store")


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    """Yield a migrated, empty store; closed afterwards, so that the next one may open."""
    opened = Store.open(store_url)
    try:
        opened.migrate()
        yield opened
    finally:
        opened.close()
