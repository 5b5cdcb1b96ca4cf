"""The shipped processes: a small story of each, with every state and figure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.correlator.library_stories import NOW
from tests.correlator.library_stories import STORIES as OTHERS
from tests.correlator.library_table import EXPECTED
from tests.correlator.managed_service_story import MANAGED
from throughline.collector.store import Role, Store
from throughline.correlator.process import SHIPPED, load_process
from throughline.correlator.worker import Correlator
from throughline.dashboards.reader import JourneyFilter, Reader, Row

STORIES = {**OTHERS, "managed-service": MANAGED}


def insert(store: Store, tenant: str, facts: Sequence[dict[str, Any]]) -> None:
    """Store events of a tenant."""
    stored = {"Tenant": tenant, "ReceivedAt": NOW, "IngestedAt": datetime.now(UTC), "Source": "log"}
    rows = [
        {**fact, **stored, "EventId": number, "ContentHash": number} for number, fact in enumerate(facts, 1)
    ]
    columns = list(rows[0])
    store.insert_rows("business_events", [list(row.values()) for row in rows], columns, role=Role.LOADER)


def line(name: str, one: Row) -> str:
    """A milestone: its state, how often it was met, when first, and by when it should be."""
    often = f" x{one['count']}" if one["count"] > 1 else ""
    met = f" {one['met_at']:%d.%m. %H:%M}" if one["met_at"] else ""
    due = f" by {one['due_at']:%d.%m. %H:%M}" if one["due_at"] else ""
    return f"{name}: {one['state']}{often}{met}{due}"


def entitled(store: Store, tenant: str) -> dict[str, list[str]]:
    """What each journey is entitled to, in words."""
    clock = "tenant = {t:String}, now = {n:DateTime64(6, 'UTC')}"
    sql = f"SELECT * FROM entitlements_at({clock}) ORDER BY first_day"
    parameters = {"t": tenant, "n": NOW.strftime("%Y-%m-%d %H:%M:%S")}
    found: dict[str, list[str]] = {}
    for one in store.query(sql, parameters, role=Role.PAGES).named_results():
        value = "" if one["overdrawn_value"] is None else f" = {one['overdrawn_value']:.0f} {one['currency']}"
        found.setdefault(one["journey"], []).append(
            f"{one['name']} {one['first_day']} to {one['last_day']}, {one['status']}: {one['used']:.0f} of "
            f"{one['granted']:.0f}, {one['left']:.0f} left, {one['overdrawn']:.0f} overdrawn{value}"
        )
    return found


def table(reader: Reader, row: Row) -> str:
    """A journey in words: status and amount, what fails and what is open, milestones."""
    amount = "" if row["Amount"] is None else f" {row['Amount'].normalize():f} {row['Currency']}"
    found = reader.exceptions_of(row["Root"])
    codes = ", ".join(sorted(one["code"] for one in found if one["status"] == "open"))
    lines = [row["Status"] + amount + (f"; {codes}" if codes else "")]
    return "\n".join([*lines, *(line(name, one) for name, one in row["milestones"].items())])


@pytest.mark.parametrize("process", STORIES)
def test_story(embedded_store: Store, process: str) -> None:
    """What goes well, is stuck, is amended or undone is as the table says; the rest is out of scope."""
    insert(embedded_store, process, [fact.row for fact in STORIES[process]])
    Correlator(embedded_store, [load_process(SHIPPED / f"{process}.yaml")]).tick(process, NOW)
    reader = Reader(embedded_store, process, NOW)
    rows = reader.journeys(JourneyFilter(), limit=50)
    keys = reader.keys([row["Root"] for row in rows])
    hours = entitled(embedded_store, process)
    found = {keys[row["Root"]][0]: "\n".join([table(reader, row), *hours.get(row["Id"], [])]) for row in rows}
    assert found == EXPECTED[process]


def test_every_shipped_process_has_a_story() -> None:
    """None is shipped that nobody has seen at work."""
    assert {path.stem for path in SHIPPED.glob("*.yaml")} == set(STORIES) == set(EXPECTED)
