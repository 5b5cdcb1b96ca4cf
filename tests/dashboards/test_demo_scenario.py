"""The plan of the simulated firm: deterministic, and every kind of trouble is in it."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta
from itertools import islice

import pytest

from throughline.dashboards.demo.catalog import TAX_CODE
from throughline.dashboards.demo.scenario import CAST, WEEKS, Plan, live_stories, plan
from throughline.probes import vocabulary as v

MOMENTS = [
    datetime(2026, 11, 22, 14, 0, tzinfo=UTC),  # a Sunday
    datetime(2026, 3, 4, 9, 30, tzinfo=UTC),  # a Wednesday
    datetime(2027, 1, 1, 0, 0, tzinfo=UTC),  # a Friday, midnight
]


@pytest.fixture(params=MOMENTS, ids=str)
def planned(request: pytest.FixtureRequest) -> Plan:
    """A plan, at several moments of the week."""
    return plan(1, request.param)


def test_the_same_seed_and_moment_give_the_same_plan(planned: Plan) -> None:
    """To the last identity; another seed gives another plan with other keys."""
    assert plan(1, planned.now) == planned
    other = plan(2, planned.now)
    assert not set(other.journeys) & set(planned.journeys)
    ids = {event.event.id for event in planned.events}
    assert not ids & {event.event.id for event in other.events}


def test_every_kind_is_there(planned: Plan) -> None:
    """Each story of the cast, the shared invoices and the ambiguous batches; a few hundred journeys."""
    kinds = Counter(expected.kind for expected in planned.journeys.values())
    assert {casting.kind for casting in CAST} | {"shared", "ambiguous"} == set(kinds)
    assert 300 <= len(planned.journeys) <= 500
    statuses = Counter(expected.status for expected in planned.journeys.values())
    assert set(statuses) == {"in_flight", "completed", "dropped", "stuck", "late", "absent"}


def test_history_lies_in_the_past_and_the_rest_ahead(planned: Plan) -> None:
    """Nothing happens or arrives after now; the history reaches weeks back; identities are distinct."""
    assert all(event.time <= planned.now and event.sent <= planned.now for event in planned.events)
    assert all(event.time > planned.now for event in planned.upcoming)
    assert min(event.time for event in planned.events) < planned.now - timedelta(weeks=WEEKS - 2)
    assert [event.sent for event in planned.events] == sorted(event.sent for event in planned.events)
    ids = [event.event.id for event in (*planned.events, *planned.upcoming)]
    assert len(set(ids)) == len(ids)


def test_expected_counts_are_those_of_the_events(planned: Plan) -> None:
    """A journey's count is the number of planned events that name it; shared events count in each."""
    counted = Counter(root for event in planned.events for root in event.journeys)
    for root, expected in planned.journeys.items():
        if expected.status != "absent":
            assert counted[root] == expected.events > 0, root


def test_stuck_and_late_have_missed_their_clocks(planned: Plan) -> None:
    """Stuck: won days ago, no project.  Late: time approved or an invoice posted long ago, nothing after."""
    when = _latest(planned)
    for root, expected in planned.journeys.items():
        seen = when[root]
        if expected.kind == "stuck":
            assert v.PROJECT_CREATED not in seen
            assert seen[v.OPPORTUNITY_CLOSED_WON] < planned.now - timedelta(days=3)
        elif expected.kind == "late-invoice":
            assert seen[v.TIME_APPROVED] < planned.now - timedelta(days=5)
            assert v.BILLING_RELEASED not in seen
        elif expected.kind == "late-payment":
            assert seen[v.INVOICE_POSTED] < planned.now - timedelta(days=35)
            assert v.PAYMENT_APPLIED not in seen


def test_the_others_keep_their_clocks(planned: Plan) -> None:
    """What is not meant to be late is not, even by a calendar without weekends."""
    times: dict[str, dict[str, list[datetime]]] = defaultdict(lambda: defaultdict(list))
    for event in planned.events:
        for root in event.journeys:
            if not event.event.failed:
                times[root][event.event.event].append(event.time)
    for root, expected in planned.journeys.items():
        if expected.status not in {"in_flight", "completed"}:
            continue
        seen = times[root]
        won, created = seen[v.OPPORTUNITY_CLOSED_WON], seen[v.PROJECT_CREATED]
        if won and created:
            assert min(created) - min(won) < timedelta(hours=4), (root, expected)
        approved, released, posted = (
            seen[name] for name in (v.TIME_APPROVED, v.BILLING_RELEASED, v.INVOICE_POSTED)
        )
        if approved:
            assert min(released or [planned.now]) - max(approved) < timedelta(days=3), (root, expected)
        if released:
            assert min(posted or [planned.now]) - max(released) < timedelta(days=2), (root, expected)
        if posted:
            until = max(seen[v.PAYMENT_APPLIED] or [planned.now])
            assert until - min(posted) < timedelta(days=35), (root, expected)


def test_failures_share_causes_and_some_recover(planned: Plan) -> None:
    """Several journeys fail for one cause and stay open; others fail, then succeed on the same subject."""
    open_codes = Counter(code for expected in planned.journeys.values() for code in expected.open_codes)
    assert open_codes[TAX_CODE.code] == 11
    assert open_codes["TEMPLATE_NOT_FOUND"] == 4
    recovered = [root for root, expected in planned.journeys.items() if expected.kind == "recovered"]
    assert all(not planned.journeys[root].open_codes for root in recovered)
    assert all(any(e.event.failed for e in planned.events if root in e.journeys) for root in recovered)


def test_transport_troubles_are_planned(planned: Plan) -> None:
    """Duplicates, resent requests, late arrivals, shared events, explicit links, ambiguity, placeholders."""
    assert sum(event.copies > 1 for event in planned.events) > 20
    assert sum(event.resent for event in planned.events) >= 4
    assert sum(event.sent > event.time + timedelta(days=1) for event in planned.events) > 20
    assert sum(len(event.journeys) > 2 for event in planned.events) >= 4
    assert any(len(tuple(event.event.links)) > 1 for event in planned.events)
    assert sum(event.event.event == "" for event in planned.events) == 3
    values = {str(value) for event in planned.events for value in event.event.keys.values()}
    assert {"N/A", "0", "unknown"} <= values


def test_dimensions_vary(planned: Plan) -> None:
    """Several entities, regions, currencies, service lines and customers."""
    events = [event.event for event in planned.events]
    assert {event.currency for event in events} == {"EUR", "GBP", "USD", "SGD"}
    assert {event.region for event in events} == {"EMEA", "AMER", "APAC"}
    assert len({event.entity for event in events}) == 5
    assert len({event.service_line for event in events}) == 4
    assert len({event.customer for event in events}) > 20


def test_live_stories_are_deterministic_and_varied() -> None:
    """The same seed and label give the same deals; soon most kinds of trouble have come up."""
    first = list(islice(live_stories(1, "La"), 60))
    assert first == list(islice(live_stories(1, "La"), 60))
    assert {"healthy", "stuck", "failing", "recovered"} <= {kind for kind, _ in first}
    roots = [events[0].journeys for _, events in first]
    assert len(set(roots)) == len(roots)


def _latest(planned: Plan) -> dict[str, dict[str, datetime]]:
    found: dict[str, dict[str, datetime]] = defaultdict(dict)
    for event in sorted(planned.events, key=lambda event: event.time):
        for root in event.journeys:
            found[root][event.event.event] = event.time
    return found
