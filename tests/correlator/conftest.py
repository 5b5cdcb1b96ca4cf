"""Stores of the correlator's tests: the embedded engine alone, unless a module says otherwise.

The statements are the same on a server; that they get there and back is what tests of the collector, of
people's queries and `test_concurrent_writers.py` show on both.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.stores import Stores
from throughline.collector.store import Store


@pytest.fixture
def store(stores: Stores) -> Iterator[Store]:
    """Yield a migrated, empty store."""
    with stores.store("embedded") as opened:
        yield opened


@pytest.fixture(scope="module")
def module_store(embedded_store: Store) -> Store:
    """The store that the tests of one module share."""
    return embedded_store
