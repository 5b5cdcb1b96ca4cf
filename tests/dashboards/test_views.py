"""The documented views: states from stored facts and the clock, over the rows that count."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from tests.dashboards.seed import seed
from tests.dashboards.seed_firm import NOW
from throughline.collector.store import Role, Store
from throughline.dashboards.explore import explore
from throughline.dashboards.settings import DashboardSettings

COMMON = {"Tenant": "default", "Process": "p", "Generation": 1, "Version": 1, "Deleted": 0}
HOUR = timedelta(hours=1)


def insert(store: Store, table: str, **values: Any) -> None:
    """Write one row."""
    row = {**COMMON, **values}
    store.insert_rows(table, [list(row.values())], list(row), role=Role.CORRELATOR)


def activate(store: Store, generation: int, version: int = 1, tenant: str = "default") -> None:
    """Make a generation the one that readers see."""
    row = {"Tenant": tenant, "Process": "p", "Generation": generation, "ActivatedAt": NOW, "Version": version}
    store.insert_rows("generations", [list(row.values())], list(row), role=Role.CORRELATOR)


def view(
    store: Store, name: str, now: datetime = NOW, columns: str = "*", tenant: str = "default"
) -> list[Any]:
    """Read some columns of a view."""
    sql = f"SELECT {columns} FROM {name}_at(tenant = {{t:String}}, now = {{n:DateTime64(6, 'UTC')}})"
    parameters = {"t": tenant, "n": now.strftime("%Y-%m-%d %H:%M:%S.%f")}
    return list(store.query(sql, parameters, role=Role.PAGES).result_rows)


@pytest.mark.parametrize(
    ("facts", "status"),
    [
        ({}, "in_flight"),
        ({"LateAt": NOW + HOUR}, "in_flight"),
        ({"LateAt": NOW}, "in_flight"),
        ({"LateAt": NOW - HOUR}, "late"),
        ({"LateAt": NOW - HOUR, "StuckAt": NOW - HOUR}, "stuck"),
        ({"StuckAt": NOW + HOUR, "LateAt": NOW - HOUR}, "late"),
        ({"BlockedAt": NOW - HOUR}, "stuck"),
        ({"BlockedAt": NOW - HOUR, "CompletedAt": NOW - HOUR}, "completed"),
        ({"DroppedAt": NOW - HOUR, "CompletedAt": NOW - HOUR, "StuckAt": NOW - HOUR}, "dropped"),
    ],
)
def test_status_follows_from_stored_times_and_the_clock_in_order_of_precedence(
    store: Store, facts: dict[str, datetime], status: str
) -> None:
    """dropped, completed, stuck, late, in flight; a due time that is now is not yet missed."""
    activate(store, 1)
    insert(store, "journey_state", Root=1, OpenedAt=NOW, LastEventAt=NOW, **facts)
    assert view(store, "journeys", columns="status") == [(status,)]


def test_a_journey_becomes_late_without_any_write(store: Store) -> None:
    """The same row read with a later clock is late."""
    activate(store, 1)
    insert(store, "journey_state", Root=1, OpenedAt=NOW, LastEventAt=NOW, LateAt=NOW + HOUR)
    assert view(store, "journeys", NOW + HOUR, "status") == [("in_flight",)]
    assert view(store, "journeys", NOW + 2 * HOUR, "status") == [("late",)]


def test_milestone_states_are_derived_and_a_closed_journeys_clock_stands_still(store: Store) -> None:
    """Stored states stay; pending ones become due or late; after closing nothing becomes late any more."""
    activate(store, 1)
    names = ["a", "b", "c", "d"]
    dues = [None, NOW - HOUR, NOW + HOUR, None]
    arrays: dict[str, Any] = {
        "Milestones.Name": names,
        "Milestones.State": ["met", "pending", "pending", "pending"],
        "Milestones.MetAt": [NOW, None, None, None],
        "Milestones.LastAt": [NOW, None, None, None],
        "Milestones.DueAt": dues,
        "Milestones.Count": [1, 0, 0, 0],
        "Milestones.Amount": [None] * 4,
        "Milestones.Currency": [""] * 4,
    }
    insert(store, "journey_state", Root=1, OpenedAt=NOW, LastEventAt=NOW, **arrays)
    insert(store, "journey_state", Root=2, OpenedAt=NOW, LastEventAt=NOW, DroppedAt=NOW - 2 * HOUR, **arrays)
    rows = sorted(view(store, "milestones", columns="journey, name, state"))
    assert [row[1:] for row in rows[:4]] == [("a", "met"), ("b", "late"), ("c", "due"), ("d", "pending")]
    assert [row[1:] for row in rows[4:]] == [
        ("a", "met"),
        ("b", "pending"),
        ("c", "pending"),
        ("d", "pending"),
    ]


def test_only_the_active_generation_is_seen_while_another_is_rebuilt_beside_it(store: Store) -> None:
    """Two generations share roots; rows of the inactive one, though newer, hide nothing and show nothing."""
    activate(store, 1)
    insert(store, "journey_state", Root=1, OpenedAt=NOW, LastEventAt=NOW, Customer="old")
    insert(
        store, "journey_state", Root=1, OpenedAt=NOW, LastEventAt=NOW, Customer="new", Generation=2, Version=9
    )
    assert view(store, "journeys", columns="customer") == [("old",)]
    activate(store, 2, version=2)
    assert view(store, "journeys", columns="customer") == [("new",)]


def test_of_one_journey_the_latest_row_counts_and_a_withdrawn_one_is_gone(store: Store) -> None:
    """A greater version replaces; Deleted removes, whether parts were merged or not."""
    activate(store, 1)
    insert(store, "journey_state", Root=1, OpenedAt=NOW, LastEventAt=NOW, Customer="first")
    insert(store, "journey_state", Root=1, OpenedAt=NOW, LastEventAt=NOW, Customer="second", Version=2)
    insert(store, "journey_state", Root=2, OpenedAt=NOW, LastEventAt=NOW)
    insert(store, "journey_state", Root=2, OpenedAt=NOW, LastEventAt=NOW, Version=2, Deleted=1)
    assert view(store, "journeys", columns="id, customer") == [("0000000000000001", "second")]
    store.command("OPTIMIZE TABLE journey_state FINAL", role=Role.CORRELATOR)
    assert view(store, "journeys", columns="id, customer") == [("0000000000000001", "second")]


def test_an_exception_of_a_shared_object_is_one_row_with_all_its_journeys(store: Store) -> None:
    """One exception under two roots counts once, with its amount once."""
    activate(store, 1)
    for root in (1, 2):
        insert(store, "exception_state", Root=root, ExceptionId=7, Kind="event", Amount=100, OpenedAt=NOW)
    rows = view(store, "exceptions", columns="id, journeys, status, amount")
    assert [(row[0], row[1], row[2], int(row[3])) for row in rows] == [
        ("0000000000000007", ["0000000000000001", "0000000000000002"], "open", 100)
    ]


def test_every_view_has_the_documented_columns_and_shows_only_its_tenant(store: Store) -> None:
    """Design section 7 names the columns; another tenant's rows never show."""
    seed(store, count=8)
    seed(store, tenant="rival", count=3)
    documented = {
        "journeys": "process, id, status, root, opened_at, last_event_at, completed_at, amount, currency, "
        "customer, entity, region, service_line",
        "milestones": "process, journey, name, state, met_at, due_at, count, owner",
        "exceptions": "id, journeys, process, class, code, message, fingerprint, milestone, owner, severity, "
        "amount, currency, opened_at, resolved_at, occurrences",
        "events": "process, journey, id, time, event, system, platform, connection, status, amount, "
        "currency, keys, attributes, trace_id, span_id",
        "sources": "system, platform, connection, service, last_event_at, events_24h",
    }
    for name, columns in documented.items():
        view(store, name, columns=columns)
    assert len(view(store, "journeys")) == 8
    assert len(view(store, "journeys", tenant="rival")) == 3
    assert view(store, "journeys", tenant="nobody") == []
    ours = {row[0] for row in view(store, "events", columns="journey")}
    assert ours == {row[0] for row in view(store, "journeys", columns="id")}
    roots = [row[0] for row in view(store, "journeys", columns="root")]
    assert all(root.startswith("salesforce.opportunity:") for root in roots)


def test_a_rebuild_in_progress_hides_nothing_from_queries(store: Store) -> None:
    """Read-only queries ignore settings inside views; theirs is repeated outside."""
    seed(store, count=6)
    seed(store, count=6, generation=2, active=False)
    answer = explore(
        store, "SELECT count() FROM journeys", tenant="default", now=NOW, settings=DashboardSettings()
    )
    assert answer.rows == [(6,)]


def test_sources_counts_senders_from_the_kept_hours(store: Store) -> None:
    """Events of the last 24 hours and in all, the failed among them, without reading every event."""
    columns = [
        "Tenant",
        "EventId",
        "Time",
        "ReceivedAt",
        "ServiceName",
        "Event",
        "System",
        "Failed",
        "Source",
    ]
    times = [NOW - 50 * HOUR, NOW - 3 * HOUR, NOW - 2 * HOUR, NOW - HOUR]
    rows = [
        [
            "default",
            number,
            at,
            at,
            "poster",
            "" if number == 3 else "invoice.posted",
            "erp",
            number == 2,
            "log",
        ]
        for number, at in enumerate(times)
    ]
    rows.append(["rival", 9, NOW, NOW, "poster", "invoice.posted", "erp", False, "log"])
    store.insert_rows("business_events", rows, columns, role=Role.LOADER)
    found = view(store, "sources", columns="system, service, events, events_24h, failed_24h, last_event_at")
    assert found == [("erp", "poster", 3, 2, 1, NOW - 2 * HOUR)]
    sql = "EXPLAIN SELECT * FROM sources_at(tenant = 'default', now = now64(6))"
    plan = store.query(sql, role=Role.PAGES).result_rows
    assert any("ReadFromMergeTree (activity)" in row[0] for row in plan)
