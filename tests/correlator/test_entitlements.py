"""Entitlements: a table calculated by hand, any journeys against plain Python, and bad definitions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import count
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.correlator.fold_reference import Event
from tests.correlator.fold_world import Folding
from throughline.collector.store import Store
from throughline.correlator.entitlements import Entitlement
from throughline.correlator.process import InvalidProcess, load_process

TEXT = """
process: service
keys: [contract, [card, sheet]]
milestones: [{name: granted, event: granted, repeats: true}]
entitlements:
  - name: lapsing
    granted: {event: granted, quantity: hours, rate: rate}
    used: {event: approved, quantity: hours, on: day, undone_by: [unapproved]}
  - name: kept
    granted: {event: granted, quantity: hours, rate: rate}
    used: {event: approved, quantity: hours, on: day, of: sheet, undone_by: [unapproved]}
    carry_over: true
checks:
  - {name: within-entitlement, after: granted, expect: "overdrawn('kept') = 0"}
  - {name: used-at-all, expect: "used('kept') > 0 and granted('kept') > 0 and overdrawn_value('kept') < 1e6"}
"""
PROCESS = load_process(TEXT)
TENANTS = count(1)
JOURNEYS = 150
Row = tuple[str, date, date, Decimal, Decimal, Decimal, Decimal, Decimal, Decimal | None, str]


def grant(number: int, first: str, last: str, hours: str, rate: str) -> Event:
    """So many hours for the days from first to last, and the price of one more in EUR."""
    told = {"first_day": first, "last_day": last, "hours": hours, "rate": rate}
    return Event(number, "granted", datetime(2026, 1, 1, tzinfo=UTC), currency="EUR", attributes=told)


def card(number: int, day: str, hours: str, *, event: str = "approved", late: int = 0) -> Event:
    """Hours worked on a day, approved a week later."""
    worked = datetime.fromisoformat(f"{day}T09:00+00:00")
    told = {"day": day, "hours": hours}
    return Event(number + late, event, worked + timedelta(days=7 + late), subjects=(number,), attributes=told)


def number(text: str) -> Decimal | None:
    """A number as attributes hold it."""
    return Decimal(text) if text.strip("-0123456789.") == "" and text.strip("-.") else None


def day(text: str) -> date | None:
    """A day as attributes hold it."""
    try:
        return date.fromisoformat(text[:10])
    except ValueError:
        return None


Period = tuple[date, date]
"""(last day, first day)."""


def granted(events: Sequence[Event]) -> tuple[dict[Period, Decimal], dict[Period, tuple[Decimal, str]]]:
    """How much each period is granted, and what one unit more costs."""
    periods: dict[Period, Decimal] = {}
    rates: dict[Period, tuple[Decimal, str]] = {}
    for one in sorted(events, key=lambda one: one.moment):
        if one.failed or one.event != "granted":
            continue
        first, end = day(one.attributes["first_day"]), day(one.attributes["last_day"])
        hours, rate = number(one.attributes["hours"]), number(one.attributes["rate"])
        if first is None or end is None or hours is None or first > end:
            continue
        periods[end, first] = periods.get((end, first), Decimal(0)) + hours
        if rate is not None:
            rates[end, first] = rate, one.currency
    return periods, rates


def rows_of(entitlement: Entitlement, events: Sequence[Event]) -> list[Row]:
    """The rules of entitlements.py, one after the other."""
    periods, rates = granted(events)
    last: dict[int, Event] = {}
    for one in sorted(events, key=lambda one: one.moment):
        if not one.failed and one.event in {"approved", "unapproved"}:
            named = [number for namespace, number in one.objects if namespace in ("card", "sheet")]
            last[min(named if entitlement.used.of and named else one.subjects)] = one
    used = dict.fromkeys(periods, Decimal(0))
    outside: list[tuple[date, Decimal]] = []
    for one in last.values():
        if one.event == "unapproved":
            continue
        when = day(one.attributes["day"]) or one.time.date()
        hours = number(one.attributes["hours"]) or Decimal(0)
        covering = [period for period in sorted(periods) if period[1] <= when <= period[0]]
        if covering:
            used[covering[0]] += hours
        elif hours:
            outside.append((when, hours))
    rows: list[Row] = []
    carried = Decimal(0)
    for period in sorted(periods):
        had = periods[period] + carried
        left, over = max(had - used[period], Decimal(0)), max(used[period] - had, Decimal(0))
        rate, currency = rates.get(period, (None, ""))
        value = None if rate is None else over * rate
        end, first = period
        numbers = (periods[period], carried, used[period], left, over, value)
        rows.append((entitlement.name, first, end, *numbers, currency))
        carried = left if entitlement.carry_over else Decimal(0)
    if outside:
        days, total = [one[0] for one in outside], sum((one[1] for one in outside), Decimal(0))
        zero = Decimal(0)
        rows.append((entitlement.name, min(days), max(days), zero, zero, total, zero, total, None, ""))
    return rows


def expected(events: Sequence[Event]) -> list[Row]:
    """What is stored of a journey."""
    return [row for one in PROCESS.entitlements for row in rows_of(one, events)]


def stored(folding: Folding, generation: int = 1) -> dict[int, list[Any]]:
    """The column of each journey."""
    found = folding.journeys(generation)
    return {
        root: [tuple(one.values()) if isinstance(one, dict) else one for one in row["Entitlements"]]
        for root, row in found.items()
    }


QUARTERS = [("2026-01-01", "2026-03-31"), ("2026-04-01", "2026-06-30"), ("2026-07-01", "2026-09-30")]
CONTRACT = [
    *(grant(number, first, last, "120", "150") for number, (first, last) in enumerate(QUARTERS, 1)),
    card(100, "2026-01-15", "80"),
    card(200, "2026-03-31", "30"),
    card(300, "2026-02-01", "50"),
    card(300, "2026-02-01", "50", event="unapproved", late=1),
    card(400, "2026-04-01", "100"),
    card(500, "2026-06-30", "45.5"),
    card(600, "2026-10-02", "8"),
    grant(7, "2026-04-01", "2026-06-30", "10", ""),
]
"""120 hours a quarter at 150 EUR for each one more; in the second 10 more are granted at the same price."""

TABLE = """
lapsing 2026-01-01 2026-03-31 granted 120 carried 0 used 110 left 10 overdrawn 0 = 0 EUR
lapsing 2026-04-01 2026-06-30 granted 130 carried 0 used 145.5 left 0 overdrawn 15.5 = 2325 EUR
lapsing 2026-07-01 2026-09-30 granted 120 carried 0 used 0 left 120 overdrawn 0 = 0 EUR
lapsing 2026-10-02 2026-10-02 granted 0 carried 0 used 8 left 0 overdrawn 8 = None
kept 2026-01-01 2026-03-31 granted 120 carried 0 used 110 left 10 overdrawn 0 = 0 EUR
kept 2026-04-01 2026-06-30 granted 130 carried 10 used 145.5 left 0 overdrawn 5.5 = 825 EUR
kept 2026-07-01 2026-09-30 granted 120 carried 0 used 0 left 120 overdrawn 0 = 0 EUR
kept 2026-10-02 2026-10-02 granted 0 carried 0 used 8 left 0 overdrawn 8 = None
"""


def in_words(row: Sequence[Any]) -> str:
    """A row as the table says it."""
    name, first, last, *numbers, currency = row
    said = [None if one is None else f"{one.normalize():f}" for one in numbers]
    words = "{} {} {} granted {} carried {} used {} left {} overdrawn {} = {} {}"
    return words.format(name, first, last, *said, currency).strip()


def test_a_contract_by_hand(embedded_store: Store) -> None:
    """Used, left, carried over and overdrawn with its price; the check says which period."""
    folding = Folding(embedded_store, PROCESS, "by-hand")
    folding.put({1: CONTRACT})
    folding.fold([1])
    assert [in_words(row) for row in stored(folding)[1]] == TABLE.strip().splitlines()
    failed = {one["Code"]: one["Message"] for one in folding.exceptions()}
    assert list(failed) == ["within-entitlement"]
    assert (
        "kept: 2026-04-01 to 2026-06-30 145.5 used of 140, 5.5 overdrawn = 825 EUR, "
        "2026-10-02 to 2026-10-02 8 used of 0, 8 overdrawn" in failed["within-entitlement"]
    )


def some_event(draw: Random) -> Event:
    """One that grants, uses, undoes or says nothing that counts; some can't be read."""
    days = ["2026-01-01", "2026-01-10", "2026-02-28", "2026-03-31", "", "soon", "2026-03-05T10:00:00Z"]
    told = {
        "first_day": draw.choice(days[:4]),
        "last_day": draw.choice(days),
        "day": draw.choice(days),
        "hours": draw.choice(["8", "7.5", "-3", "100", "many", ""]),
        "rate": draw.choice(["", "150", "99.99", "x"]),
    }
    return Event(
        id=draw.choice([draw.randrange(1, 2**128), draw.randrange(1, 100)]),
        event=draw.choice(["granted", "granted", "approved", "approved", "approved", "unapproved", "other"]),
        time=datetime(2026, draw.randrange(1, 5), draw.randrange(1, 28), tzinfo=UTC),
        failed=draw.random() < 0.1,
        subjects=tuple(draw.sample([1, 2, 3, 4], draw.choice([1, 1, 1, 2]))),
        objects=draw.choice([(), (("card", 7),), (("sheet", 8), ("card", 9)), (("contract", 1),)]),
        currency=draw.choice(["EUR", "USD"]),
        attributes=told,
    )


@given(seed=st.integers(0, 2**32))
@settings(
    max_examples=2,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.generate],
)
def test_any_journey_as_in_the_reference(embedded_store: Store, seed: int) -> None:
    """Live, after some events left, and rebuilt."""
    draw = Random(seed)
    folding = Folding(embedded_store, PROCESS, f"any-{next(TENANTS)}")
    journeys = {
        root: list({one.id: one for one in (some_event(draw) for _ in range(draw.randrange(1, 16)))}.values())
        for root in range(1, JOURNEYS)
    }
    folding.put(journeys)
    folding.fold(list(journeys))
    assert stored(folding) == {root: expected(events) for root, events in journeys.items()}
    after = {root: events[: len(events) // 2 + 1] for root, events in journeys.items()}
    folding.put({root: events[len(events) // 2 + 1 :] for root, events in journeys.items()}, deleted=True)
    folding.fold(list(journeys))
    found = stored(folding)
    assert found == {root: expected(events) for root, events in after.items()}
    folding.put({root: [replace(one) for one in events] for root, events in after.items()}, generation=2)
    folding.rebuild(generation=2)
    assert stored(folding, 2) == found


@pytest.mark.parametrize(
    ("line", "wrong", "sentence"),
    [
        ("expect: \"overdrawn('kept') = 0\"", "expect: \"overdrawn('kep') = 0\"", "did you mean 'kept'"),
        ("- name: kept", "- name: lapsing", "given twice in `entitlements`"),
        ("carry_over: true", "carry: true", "carry"),
        ("of: sheet", "of: shet", "did you mean 'sheet'"),
        ("{event: granted, quantity: hours, rate: rate}", "{event: granted, rate: rate}", "quantity"),
    ],
)
def test_a_bad_definition_is_refused(line: str, wrong: str, sentence: str) -> None:
    """With what is wrong."""
    with pytest.raises(InvalidProcess, match=sentence):
        load_process(TEXT.replace(line, wrong))
