"""The store does the same on a directory and behind HTTP, within limits, and says what to do when it cannot."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from throughline.collector.store import Role

if TYPE_CHECKING:
    from throughline.collector.store import Store


def test_values_reach_sql_as_parameters(store: Store) -> None:
    """Strings, wide integers, arrays and times come back as they were given."""
    given = {
        "text": "it's \\ \n tab\t ü",
        "wide": 2**127 + 1,
        "many": list(range(50_000)),
        "at": datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC),
    }
    sql = "SELECT {text:String}, {wide:UInt128}, {many:Array(UInt64)}, {at:DateTime64(6, 'UTC')}"
    assert store.query(sql, given, role=Role.PAGES).result_rows == [tuple(given.values())]
