"""The shipped processes: a small story of each, with every state and figure."""

from __future__ import annotations

from datetime import datetime

import pytest

from tests.correlator.library_stories import NOW, STORIES
from tests.correlator.library_table import EXPECTED
from throughline.collector.store import Role, Store
from throughline.correlator.process import SHIPPED, load_process
from throughline.correlator.worker import Correlator
from throughline.dashboards.reader import JourneyFilter, Reader, Row


def told(store: Store, process: str) -> None:
    """Store a process's story, in a tenant of its own."""
    rows = [
        {
            **fact.row,
            "Tenant": process,
            "EventId": number,
            "ContentHash": number,
            "ReceivedAt": NOW,
            "IngestedAt": datetime.now(NOW.tzinfo),
            "Source": "log",
        }
        for number, fact in enumerate(STORIES[process], 1)
    ]
    columns = list(rows[0])
    values = [[row[name] for name in columns] for row in rows]
    store.insert_rows("business_events", values, columns, role=Role.LOADER)


def line(name: str, one: Row) -> str:
    """A milestone: its state, how often it was met, when first, and by when it should be."""
    often = f" x{one['count']}" if one["count"] > 1 else ""
    met = f" {one['met_at']:%d.%m. %H:%M}" if one["met_at"] else ""
    due = f" by {one['due_at']:%d.%m. %H:%M}" if one["due_at"] else ""
    return f"{name}: {one['state']}{often}{met}{due}"


def table(reader: Reader, row: Row) -> str:
    """A journey in words: status and amount, the checks that fail and the errors that are open, milestones."""
    amount = "" if row["Amount"] is None else f" {row['Amount'].normalize():f} {row['Currency']}"
    found = reader.exceptions_of(row["Root"])
    codes = ", ".join(sorted(one["code"] for one in found if one["status"] == "open"))
    lines = [row["Status"] + amount + (f"; {codes}" if codes else "")]
    return "\n".join([*lines, *(line(name, one) for name, one in row["milestones"].items())])


@pytest.mark.parametrize("process", STORIES)
def test_story(embedded_store: Store, process: str) -> None:
    """What goes well, is stuck, is amended or undone is as the table says; the rest is out of scope."""
    told(embedded_store, process)
    Correlator(embedded_store, [load_process(SHIPPED / f"{process}.yaml")]).tick(process, NOW)
    reader = Reader(embedded_store, process, NOW)
    rows = reader.journeys(JourneyFilter(), limit=50)
    keys = reader.keys([row["Root"] for row in rows])
    assert {keys[row["Root"]][0]: table(reader, row) for row in rows} == EXPECTED[process]


def test_every_shipped_process_has_a_story() -> None:
    """None is shipped that nobody has seen at work."""
    assert {path.stem for path in SHIPPED.glob("*.yaml")} == set(STORIES) == set(EXPECTED)
