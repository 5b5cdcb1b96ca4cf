"""What cannot be heard is blind, not late: by gaps that somebody else has written."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.correlator.fold_reference import Event
from tests.correlator.fold_world import Folding, at
from throughline.collector.store import Role, Store
from throughline.correlator.process import load_process
from throughline.dashboards.completeness import completeness
from throughline.dashboards.definitions import publish_definitions
from throughline.dashboards.reader import JourneyFilter, Reader
from throughline.dashboards.verdict import verdict

PROCESS = load_process("""
process: heard
keys: [deal]
milestones:
  - {name: won, event: won}
  - {name: created, event: [created, imported], within: {time: 4h, of: won}, on_late: stuck}
  - {name: posted, event: posted, within: {time: 1d, of: won}}
  - {name: paid, event: paid, within: {time: 2d, of: posted}}
completed_by: paid
""")
WON = Event(1, "won", at())
CREATED = Event(2, "created", at(hours=1))
JOURNEYS = {
    1: [WON],  # waits for the project and the invoice
    2: [WON, CREATED],  # waits for the invoice
    3: [WON, CREATED, Event(3, "posted", at(hours=2))],  # waits for the payment
    4: [WON, Event(4, "paid", at(hours=9))],  # complete
}
NOW = at(days=3, hours=1)


@pytest.fixture
def folding(store: Store) -> Folding:
    """Four journeys of the tenant."""
    found = Folding(store, PROCESS, "acme")
    found.put(JOURNEYS)
    found.fold(list(JOURNEYS))
    found.activate()
    publish_definitions(store, [PROCESS], NOW)
    return found


def gap(
    store: Store, event: str, since: datetime, until: datetime | None = None, *, tenant: str = "acme"
) -> None:
    """Say that an event could not be heard."""
    names = ["Tenant", "Event", "Since", "Until", "Reason", "Version"]
    row = [tenant, event, since, until, "the poller is stopped", int((until or since).timestamp())]
    store.insert_rows("source_gaps", [row], names, role=Role.LOADER)


def seen(store: Store, now: datetime = NOW) -> dict[int, tuple[str, str]]:
    """Status and milestone states of each journey, as the pages and as the views have them."""
    rows = Reader(store, "acme", now).journeys(JourneyFilter(), limit=9)
    pages = {row["Root"]: (row["Status"], _states(row["milestones"])) for row in rows}
    clock = now.strftime("%Y-%m-%d %H:%M:%S.%f")
    sql = (
        "SELECT reinterpretAsUInt64(reverse(unhex(j.id))), any(j.status), groupArray((m.name, m.state)) "
        f"FROM journeys_unnamed_at(tenant = 'acme', now = '{clock}') AS j "
        f"JOIN milestones_at(tenant = 'acme', now = '{clock}') AS m ON m.journey = j.id GROUP BY j.id"
    )
    views = {
        root: (status, " ".join(dict(states)[one.name] for one in PROCESS.milestones))
        for root, status, states in store.query(sql, role=Role.ADHOC).result_rows
    }
    assert views == pages
    return pages


def _states(milestones: dict[str, Any]) -> str:
    return " ".join(one["state"] for one in milestones.values())


def test_what_cannot_be_heard_is_blind_and_not_late(store: Store, folding: Folding) -> None:
    """Only the milestones of that event; another one that is late still counts."""
    assert seen(folding.store) == {
        1: ("stuck", "met late late pending"),
        2: ("late", "met met late pending"),
        3: ("late", "met met met late"),
        4: ("completed", "met skipped skipped met"),
    }
    gap(store, "imported", at(days=2))
    assert seen(store)[1] == ("late", "met blind late pending")
    assert seen(store)[2] == ("late", "met met late pending")
    gap(store, "posted", at(days=2))
    assert seen(store)[1] == ("in_flight", "met blind blind pending")
    assert seen(store)[2] == ("in_flight", "met met blind pending")
    assert seen(store)[3] == ("late", "met met met late")
    assert seen(store)[4][0] == "completed"


def test_a_gap_counts_while_it_lasts(store: Store, folding: Folding) -> None:
    """Not before, not after, and not for another tenant."""
    before = seen(folding.store)
    gap(store, "posted", NOW + timedelta(hours=1))
    gap(store, "created", at(days=1), until=at(days=2))
    gap(store, "posted", at(), tenant="other")
    assert seen(store) == before
    assert seen(store, NOW + timedelta(hours=2))[2] == ("in_flight", "met met blind pending")
    gap(store, "posted", NOW + timedelta(hours=1), until=NOW + timedelta(hours=3))
    assert seen(store, NOW + timedelta(hours=4))[2] == ("late", "met met late pending")


def test_the_reader_is_told(store: Store, folding: Folding, tmp_path: Path) -> None:
    """`/status` names what is not heard and why; the journey says that it may have happened."""
    gap(folding.store, "posted", at(days=2))
    [unheard] = completeness(store, tmp_path, "acme", NOW)["unheard"]
    assert unheard == {"event": "posted", "since": at(days=2), "reason": "the poller is stopped"}
    journey = Reader(store, "acme", NOW).journey(2)
    assert journey
    found = verdict({**journey, "exceptions": []}, PROCESS)
    assert found
    assert (found.milestone, found.blind, found.since) == ("posted", True, None)
