"""Fixtures every room shares: an empty, migrated store on both engines."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.clickhouse_server import serve
from tests.stores import Stores
from throughline.collector.control import ControlStore

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from throughline.collector.store import Store


@pytest.fixture(scope="session")
def clickhouse_port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """Run one ClickHouse for the whole session: the real engine behind HTTP, in its own process."""
    with serve(tmp_path_factory.mktemp("clickhouse")) as (port, _):
        yield port


@pytest.fixture(scope="session")
def stores(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stores]:
    """Give empty stores to whoever needs one for longer or more than one."""
    given = Stores(tmp_path_factory.mktemp("stores"), lambda: request.getfixturevalue("clickhouse_port"))
    yield given
    given.make_way()


@pytest.fixture
def no_engine(stores: Stores) -> None:
    """For a test that opens an embedded store where it likes: one process has one directory."""
    stores.make_way()


@pytest.fixture(params=["embedded", "http"])
def store_url(request: pytest.FixtureRequest, stores: Stores) -> Iterator[str]:
    """Say where a migrated, empty store is, on each engine."""
    with stores.url(request.param) as url:
        yield url


@pytest.fixture(params=["embedded", "http"])
def store(request: pytest.FixtureRequest, stores: Stores) -> Iterator[Store]:
    """Yield a migrated, empty store; closed afterwards, so that the next one may open."""
    with stores.store(request.param) as opened:
        yield opened


@pytest.fixture(scope="module", params=["embedded", "http"])
def each_store(request: pytest.FixtureRequest, stores: Stores) -> Iterator[Store]:
    """Yield a store that the tests of one module share, of each engine."""
    with stores.store(request.param) as opened:
        yield opened


@pytest.fixture(scope="module")
def module_store(each_store: Store) -> Store:
    """The same; folders and modules that need one engine only say so."""
    return each_store


@pytest.fixture(scope="module")
def embedded_store(stores: Stores) -> Iterator[Store]:
    """Yield the same on the embedded engine alone."""
    with stores.store("embedded") as opened:
        yield opened


@pytest.fixture
def control(tmp_path: Path) -> Iterator[ControlStore]:
    """Yield a migrated, empty control store."""
    opened = ControlStore.open(tmp_path / "control.db")
    opened.migrate()
    yield opened
    opened.close()
