"""Whose hands journeys are in: calculated by hand, from events over the API."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.correlator.calendars import load_calendar
from tests.dashboards.answers import problem
from tests.dashboards.conftest import Client
from throughline.collector.auth import Access
from throughline.collector.saying import say
from throughline.collector.store import Store
from throughline.correlator.process import load_process
from throughline.correlator.worker import Correlator
from throughline.dashboards.deps import Deps
from throughline.probes.vocabulary import BusinessEvent

OFFICE = load_calendar("{calendar: office, time_zone: UTC, hours: {mon-fri: '09:00-17:00'}}")
PROCESS = load_process(
    """
process: probe
owner: everyone
calendar: {by: business.region, map: {EMEA: office}, default: always}
keys: [crm.deal]
milestones:
  - {name: won, event: deal.won, owner: sales}
  - {name: created, event: project.created, owner: delivery}
  - {name: noted, event: deal.noted, optional: true, owner: nobody-waits-for}
  - {name: posted, event: invoice.posted, owner: finance}
  - name: paid
    event: payment.applied
    within: {time: 30d, of: posted, paused: {by: invoice.disputed, until: dispute.settled}}
    owner: treasury
completed_by: paid
""",
    calendars={"office": OFFICE},
)
NOW = datetime(2026, 3, 11, 10, tzinfo=UTC)


def at(day: int, hour: int) -> datetime:
    """A time of March 2026; the 2nd is a Monday."""
    return datetime(2026, 3, day, hour, tzinfo=UTC)


def event(deal: str, name: str, time: datetime, region: str = "EMEA", **more: Any) -> BusinessEvent:
    """Something happens to a deal of a customer."""
    given = {"customer": "Acme", "system": "psa", "region": region} | more
    return BusinessEvent(event=name, keys={"crm.deal": deal}, time=time, id=f"{deal}{name}{time}", **given)


@pytest.fixture
def deps(store: Store, tmp_path: Path) -> Deps:
    """One journey that had it all, two that wait for their project."""
    events = [
        event("D1", "deal.won", at(2, 10)),
        event("D1", "project.created", at(2, 14), failed=True, exception_class="technical"),
        event("D1", "project.created", at(3, 11)),
        event("D1", "invoice.posted", at(5, 12)),
        event("D1", "invoice.disputed", at(6, 9)),
        event("D1", "invoice.disputed", at(6, 11)),
        event("D1", "dispute.settled", at(9, 12)),
        event("D1", "payment.applied", at(10, 10)),
        event("D2", "deal.won", at(2, 10), region="AMER"),
        event("D3", "deal.won", at(6, 16)),
    ]
    say(store, "default", events, NOW)
    Correlator(store, [PROCESS]).tick("default", datetime.now(UTC))
    return Deps(store=store, access=Access, spool=tmp_path, processes=lambda: (PROCESS,), clock=lambda: NOW)


async def test_each_moment_is_in_one_pair_of_hands(deps: Deps, client: Client) -> None:
    """Teams by what came next, systems while they failed, the customer while the clock stood."""
    async with client(deps, None) as http:
        (journey,) = (await http.get("/v1/journeys", params={"key": "crm.deal:D1"})).json()["items"]
        turns = (await http.get(f"/v1/journeys/{journey['id']}/waiting")).json()["items"]
        assert [(one["kind"], one["holder"], one["milestone"], one["business_hours"]) for one in turns] == [
            ("team", "delivery", "created", 4),  # Monday 10 to 14
            ("system", "psa", "created", 5),  # to Tuesday 11: 3 and 2
            ("team", "finance", "posted", 17),  # to Thursday 12: 6, 8 and 3
            ("team", "treasury", "paid", 5),  # to Friday 9
            ("customer", "Acme", "paid", 11),  # to Monday 12: 8 and 3
            ("team", "treasury", "paid", 6),  # to Tuesday 10: 5 and 1
        ]
        assert turns[0]["since"].startswith("2026-03-02T10:00")
        assert all(one["until"] == two["since"] for one, two in pairwise(turns))
        assert not any(one["now"] for one in turns)
        found = (await http.get("/v1/waiting")).json()
        (held,) = found["items"]
        assert held == {
            "process": "probe",
            "kind": "team",
            "holder": "delivery",
            "journeys": 2,
            "business_hours": 216 + 18,  # nine whole days; Friday 1, Monday and Tuesday 8, Wednesday 1
            "elapsed_hours": 216 + 114,
            "holding": 2,
            "held_now_hours": 216 + 18,
            "oldest_since": "2026-03-02T10:00:00.000000Z",
        }
        assert found["as_of"] == "2026-03-11T10:00:00.000000Z"
        assert "customer while a clock is paused" in found["basis"]
        assert problem(await http.get("/v1/waiting", params={"process": "other"}), 404)
