"""Clocks that stop, that attributes tell, whose time was another once: against minutes walked one by one."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from itertools import count
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.correlator.calendars import load_calendar
from tests.correlator.clock_reference import TABLES
from tests.correlator.fold_reference import Event
from tests.correlator.fold_world import Folding, at, expected
from throughline.collector.store import Store
from throughline.correlator.calendar_tables import CalendarTables
from throughline.correlator.process import InvalidProcess, load_process
from throughline.correlator.reference_files import read_table
from throughline.correlator.reference_store import ReferenceStore

EXAMPLES = int(os.environ.get("THROUGHLINE_FOLD_EXAMPLES", "1"))
JOURNEYS = 50
TENANTS = count(1)
OFFICE = load_calendar("""
calendar: office
time_zone: Europe/Berlin
hours: {mon-thu: ["09:00-12:00", "13:00-18:00"], fri: "09:00-15:00"}
holidays: {also: [2026-03-04]}
""")
NIGHTS = load_calendar("{calendar: nights, time_zone: Asia/Kolkata, hours: {mon-sat: '22:00-06:00'}}")
LEVELS = read_table(
    "levels",
    """region*,tier*,activation,valid_from,valid_to
EU,gold,3 business hours,,2026-03-04
EU,gold,by 12:00 next business day,2026-03-05,2026-03-06
EU,gold,2 business days,2026-03-08,
EU,silver,20h,,
IN,gold,2 business hours,2026-03-04,
IN,silver,,,
""",
    "levels.csv",
)
TABLES[LEVELS.content_hash] = LEVELS
PROCESS = load_process(
    """
process: clocks
keys: [deal]
calendar: {by: business.region, map: {IN: nights}, default: office}
milestones:
  - {name: won, event: won, undone_by: lost}
  - name: plain
    event: plain
    within: {time: 10h, of: won, paused: {by: [held, asked], until: resumed}}
    on_late: stuck
  - name: worked
    event: worked
    within: {time: 6 business hours, of: won, paused: {by: asked, until: answered}}
  - {name: posted, event: posted, within: {attribute: terms, unit: business hours, of: won.last}}
  - {name: paid, event: paid, within: {attribute: terms, of: posted}}
  - {name: closed, event: closed, within: {until: due_date}}
  - name: noted
    event: noted
    within:
      time: 2 business days
      of: won
      was: [{before: 2026-03-03, time: 3h}, {before: 2026-03-05, time: by next business day}]
  - name: activated
    event: activated
    within: {table: levels, column: activation, by: [business.region, tier], of: won.last}
completed_by: closed
""",
    calendars={"office": OFFICE, "nights": NIGHTS},
    tables={"levels": LEVELS},
)
REACHING = [event for one in PROCESS.milestones for event in one.events]
NAMES = [*REACHING, "lost", "held", "asked", "resumed", "answered", "won"]
TOLD = {
    "tier": ["gold", "silver", "silver", "go|ld"],
    "terms": ["", "0", "3", "Net 2", "2 of 10", "soon", "31"],
    "due_date": ["", "2026-03-04", "2026-13-44", "2026-03-03T10:30:00+01:00", "2026-03-05T08:00:00", "soon"],
}


def _event(draw: Random) -> Event:
    names = draw.sample(list(TOLD), draw.choice([0, 0, 1]))
    return Event(
        id=draw.randrange(1, 2**64),
        event=draw.choice(NAMES),
        time=at(hours=draw.randrange(160) / 2),
        failed=draw.random() < 0.1,
        region=draw.choice(["", "EU", "EU", "IN"]),
        precision=draw.choice(["exact"] * 6 + ["unknown"]),
        attributes={name: draw.choice(TOLD[name]) for name in names},
    )


@given(seed=st.integers(0, 2**32))
@settings(
    max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck), phases=[Phase.generate]
)
def test_clocks_equal_the_reference(embedded_store: Store, seed: int) -> None:
    """Live and fresh, for any events."""
    draw = Random(seed)
    ReferenceStore(embedded_store).keep(LEVELS)
    CalendarTables(embedded_store).provide(PROCESS)
    folding = Folding(embedded_store, PROCESS, f"clocks-{next(TENANTS)}")
    journeys = {
        root: list({one.id: one for one in (_event(draw) for _ in range(draw.randrange(1, 12)))}.values())
        for root in range(1000, 1000 + JOURNEYS)
    }
    folding.put(journeys)
    folding.fold(list(journeys))
    wanted, found = expected(PROCESS, journeys, {}, {}), folding.facts()
    wrong = [root for root in journeys if found[root] != wanted[root]]
    shortest = min(wrong, key=lambda root: len(journeys[root]), default=None)
    assert shortest is None or _shown(journeys, found, wanted, shortest) == []
    folding.put(journeys, generation=2)
    folding.rebuild(generation=2)
    assert folding.facts(generation=2) == found


def _shown(journeys: Any, found: Any, wanted: Any, root: int) -> list[Any]:
    events = sorted(journeys[root], key=lambda one: one.moment)
    pairs = {
        name: (value, wanted[root]["milestones"][name])
        for name, value in found[root]["milestones"].items()
        if value != wanted[root]["milestones"][name]
    }
    return [pairs, *events]


WON = Event(1, "won", datetime(2026, 3, 5, 8, 0, tzinfo=UTC))  # Thursday 9:00 in Berlin
DAYS = load_process(
    """
process: days
keys: [deal]
calendar: office
milestones:
  - {name: won, event: won}
  - {name: done, event: done, within: {time: 2 business days, paused: {by: asked, until: answered}}}
completed_by: done
""",
    calendars={"office": OFFICE},
)
BY_HAND = [
    # no pause: nothing of Thursday had passed
    ([], "2026-03-06 14:00"),
    # Thursday 10:00 to 12:00: two hours on top of Friday's close
    ([("asked", "2026-03-05 09:00"), ("answered", "2026-03-05 11:00")], "2026-03-09 10:00"),
    # the question lay over the weekend: one hour of Friday, one of Monday
    ([("asked", "2026-03-06 13:00"), ("answered", "2026-03-09 09:00")], "2026-03-09 10:00"),
    # asked after it was due: no matter
    ([("asked", "2026-03-06 15:00"), ("answered", "2026-03-10 15:00")], "2026-03-06 14:00"),
    # not answered: the clock stands still
    ([("asked", "2026-03-05 09:00")], None),
    # answered twice, asked twice: the first of each counts
    (
        [
            ("asked", "2026-03-05 09:00"),
            ("asked", "2026-03-05 10:00"),
            ("answered", "2026-03-05 11:00"),
            ("answered", "2026-03-05 13:00"),
        ],
        "2026-03-09 10:00",
    ),
    # answered before anybody asked
    ([("answered", "2026-03-05 09:00")], "2026-03-06 14:00"),
    # asked before the clock started: from its start on
    ([("asked", "2026-03-04 09:00"), ("answered", "2026-03-05 09:00")], "2026-03-09 09:00"),
]


def test_days_are_those_of_the_place(embedded_store: Store) -> None:
    """Due at 0:30 on 6 March in Auckland, which is the 5th in UTC; due at 21:00 on the 5th in New York, which
    is the 6th in UTC.
    """
    zones = {"nz": "Pacific/Auckland", "us": "America/New_York"}
    process = load_process(
        """
        process: days
        keys: [deal]
        calendar: {by: business.region, map: {NZ: nz}, default: us}
        milestones:
          - {name: won, event: won}
          - {name: paid, event: paid, within: {time: 24h, of: won}}
        """,
        calendars={
            name: load_calendar(f"{{calendar: {name}, time_zone: {zone}, hours: {{mon-fri: '09:00-17:00'}}}}")
            for name, zone in zones.items()
        },
    )
    started = {"NZ": datetime(2026, 3, 4, 11, 30, tzinfo=UTC), "": datetime(2026, 3, 5, 2, tzinfo=UTC)}
    journeys = {
        root: [
            Event(1, "won", started[region], region=region),
            Event(2, "paid", datetime(2026, 3, day, tzinfo=UTC), region=region, precision="day"),
        ]
        for root, (region, day) in enumerate([("NZ", 6), ("NZ", 7), ("", 5), ("", 6)])
    }
    folding = Folding(embedded_store, process, "days")
    folding.put(journeys)
    folding.fold(list(journeys))
    states = [row["milestones"]["paid"]["State"] for _, row in sorted(folding.journeys().items())]
    assert states == ["met", "met_late", "met", "met_late"]


def test_paused_business_days_by_hand(embedded_store: Store) -> None:
    """What was worked while the clock stood still comes on top of the business days."""
    CalendarTables(embedded_store).provide(DAYS)
    folding = Folding(embedded_store, DAYS)
    journeys = {
        root: [
            WON,
            *(
                Event(2 + number, event, datetime.fromisoformat(time + "+00:00"))
                for number, (event, time) in enumerate(events)
            ),
        ]
        for root, (events, _) in enumerate(BY_HAND, start=1)
    }
    folding.put(journeys)
    folding.fold(list(journeys))
    found = folding.journeys()
    assert [found[root]["milestones"]["done"]["DueAt"] for root in sorted(journeys)] == [
        datetime.fromisoformat(due + "+00:00") if due else None for _, due in BY_HAND
    ]
    assert {one["milestones"]["done"]["State"] for one in found.values()} == {"pending"}


@pytest.mark.parametrize(
    ("within", "sentence"),
    [
        ("{time: 2d, attribute: terms}", "exactly one of `time`, `attribute`, `until` and `table`"),
        ("{of: won}", "exactly one of `time`, `attribute`, `until` and `table`"),
        ("{until: due_date, of: won}", "`until` is the due time itself"),
        ("{attribute: terms, was: [{before: 2026-01-01, time: 2d}]}", "`was` goes with a `time`"),
        (
            "{time: 2d, was: [{before: 2026-02-01, time: 3d}, {before: 2026-01-01, time: 4d}]}",
            "`was` goes from the earliest day to the latest",
        ),
        (
            "{time: by next business day, paused: {by: asked, until: answered}}",
            "'by next business day' is a deadline: no clock runs that `paused` could stop",
        ),
        (
            "{time: 2d, paused: {by: asked, until: asked}}",
            "'asked' can't both stop and start the clock of 'done'",
        ),
        ("{time: 2d, paused: {by: asked, untill: x}}", "unknown field 'untill'"),
        ("{time: 2d, was: [{before: soon, time: 3d}]}", "within.was[1].before"),
        ("{table: levels, of: won}", "`table` goes with its `column` and"),
        ("{table: level, column: activation, by: tier}", "did you mean 'levels'?"),
        ("{table: levels, column: activations, by: [a, b]}", "did you mean 'activation'?"),
        ("{table: levels, column: activation, by: tier}", "'levels' has 2 column(s), `by` names 1"),
        ("{table: levels, column: tier, by: [a, b]}", "the table 'levels': 'gold' is no time span"),
        (
            "{table: levels, column: activation, by: [a, b], paused: {by: asked, until: answered}}",
            "'by 12:00 next business day' is a deadline",
        ),
    ],
)
def test_what_is_wrong_is_said(within: str, sentence: str) -> None:
    """With what to write instead."""
    text = (
        "process: p\nkeys: [deal]\nmilestones:\n  - {name: won, event: won}\n"
        f"  - {{name: done, event: done, within: {within}}}\n"
    )
    with pytest.raises(InvalidProcess) as error:
        load_process(text, tables={"levels": LEVELS})
    assert sentence in str(error.value)
