"""A store that the tests of one module share: each takes a tenant of its own, and no migration twice."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

import pytest

from throughline.collector.store import Store

DATABASES = count(1)


@pytest.fixture(scope="module", params=["embedded", "http"])
def module_store(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """A migrated store, on each engine."""
    if request.param == "embedded":
        url = str(tmp_path_factory.mktemp("store"))
    else:
        port = request.getfixturevalue("clickhouse_port")
        url = f"http://default:@127.0.0.1:{port}/module_{next(DATABASES)}"
    store = Store.open(url)
    try:
        store.migrate()
        yield store
    finally:
        store.close()
