"""Fixtures every room shares: an empty, migrated store on both engines."""

from __future__ import annotations

import itertools
import shutil
from typing import TYPE_CHECKING

import pytest

from tests.clickhouse_server import serve
from throughline.collector.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_DATABASES = itertools.count(1)


@pytest.fixture(scope="session")
def clickhouse_port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """Run one ClickHouse for the whole session: the real engine behind HTTP, in its own process."""
    with serve(tmp_path_factory.mktemp("clickhouse")) as (port, _):
        yield port


@pytest.fixture(scope="session")
def migrated_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Migrate one directory for the session: copying it is much cheaper than migrating again."""
    directory = tmp_path_factory.mktemp("migrated") / "store"
    template = Store.open(directory)
    template.migrate()
    template.close()
    return directory


@pytest.fixture(params=["embedded", "http"])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Say where an empty store is, on each engine: a directory, or a database behind HTTP, of its own."""
    if request.param == "embedded":
        shutil.copytree(request.getfixturevalue("migrated_directory"), tmp_path / "store", symlinks=True)
        return str(tmp_path / "store")
    port = request.getfixturevalue("clickhouse_port")
    return f"http://default:@127.0.0.1:{port}/test_{next(_DATABASES)}"


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    """Yield a migrated, empty store; closed afterwards, so that the next one may open."""
    opened = Store.open(store_url)
    try:
        opened.migrate()
        yield opened
    finally:
        opened.close()
