"""Business time: due times computed by the engine, against minutes counted one by one."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.correlator.calendar_reference import MinuteByMinute
from tests.correlator.calendars import load_calendar
from throughline.collector.store import Role, Store
from throughline.correlator import business_clock
from throughline.correlator.business_calendar import BusinessCalendar
from throughline.correlator.calendar_files import InvalidCalendar, load_calendars
from throughline.correlator.calendar_tables import CalendarTables
from throughline.correlator.durations import parse_time
from throughline.correlator.process import load_process

if TYPE_CHECKING:
    from collections.abc import Sequence

    from throughline.correlator.definition import Process

ZONES = (
    "UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "America/Sao_Paulo",
    "Asia/Beirut", "Pacific/Apia", "Africa/Casablanca",
)  # fmt: skip
TIMES = (
    "1 business hour", "7 business hours", "30 business hours", "1 business day", "2 business days",
    "11 business days", "by next business day", "by 17:00 next business day", "by 09:30 in 3 business days",
    "by the 3rd business day of next month",
)  # fmt: skip
EXAMPLES = int(os.environ.get("THROUGHLINE_CALENDAR_EXAMPLES", "2"))
FIRST = datetime(2005, 1, 1, tzinfo=UTC)
MINUTES = 25 * 365 * 1440


@st.composite
def calendars(draw: st.DrawFn) -> BusinessCalendar:
    """Weeks of one to three shifts a day, some over midnight; single days off."""
    hours: dict[str, list[str]] = {}
    for day in draw(
        st.lists(st.sampled_from(["mon", "tue", "wed", "thu", "fri", "sat", "sun"]), min_size=2, unique=True)
    ):
        cuts = sorted(draw(st.lists(st.integers(0, 95), min_size=2, max_size=6, unique=True)))
        pairs = list(zip(cuts[::2], cuts[1::2], strict=False))
        hours[day] = [f"{a // 4:02}:{a % 4 * 15:02}-{b // 4:02}:{b % 4 * 15:02}" for a, b in pairs]
    night = draw(st.sampled_from([None, *hours]))
    if night:
        hours[night] = ["22:00-03:00"]
    off = draw(st.lists(st.dates(FIRST.date(), FIRST.date() + timedelta(days=9000)), max_size=30))
    text = {
        "calendar": "drawn", "time_zone": draw(st.sampled_from(ZONES)), "hours": hours,
        "holidays": {"also": [day.isoformat() for day in off]},
    }  # fmt: skip
    try:
        return load_calendar(json.dumps(text))
    except InvalidCalendar:  # a night into the shift of the morning after
        hours[str(night)] = ["22:00-24:00"]
        return load_calendar(json.dumps(text))


def process_with(calendar: BusinessCalendar, times: Sequence[str]) -> Process:
    """A definition that asks for all these times of one event."""
    milestones = [{"name": "start", "event": "start"}] + [
        {"name": f"m{place}", "event": f"e{place}", "within": {"time": time, "of": "start"}}
        for place, time in enumerate(times)
    ]
    text = {"process": "asked", "keys": ["a"], "calendar": calendar.id, "milestones": milestones}
    return load_process(json.dumps(text), calendars={calendar.id: calendar})


def due_times(
    store: Store, process: Process, starts: Sequence[datetime]
) -> list[tuple[datetime | None, ...]]:
    """What the engine says, for each start the due time of each milestone."""
    CalendarTables(store).provide(process)
    places = list(business_clock.counted(process))
    asked = business_clock.asked(process, {place: business_clock.Clock("started") for place in places})
    started = (
        "SELECT toUInt64(number) AS Root, {starts:Array(Int64)}[number + 1] AS started "
        "FROM numbers(length({starts:Array(Int64)}))"
    )
    calendar = business_clock.calendar_number(process)
    journeys = f"SELECT Root, {calendar} AS calendar, {asked} AS asked FROM ({started})"
    sql = f"SELECT Root, Place, Due FROM ({business_clock.due_rows(process, journeys)})"
    given = {"starts": [int(one.timestamp()) * 1_000_000 for one in starts]}
    rows = store.query(sql, given, role=Role.CORRELATOR).result_rows
    found = {(root, place): due for root, place, due in rows}
    return [
        tuple(
            datetime.fromtimestamp(found[number, place] / 1e6, UTC) if found[number, place] else None
            for place in places
        )
        for number in range(len(starts))
    ]


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(calendar=calendars(), minutes=st.lists(st.integers(0, MINUTES), min_size=1, max_size=2, unique=True))
def test_due_times_equal_counted_minutes(
    store: Store, calendar: BusinessCalendar, minutes: list[int]
) -> None:
    """For any calendar, zone and instant: changes of the clocks, nights, years, a day that never was."""
    starts = [FIRST + timedelta(minutes=minute) for minute in sorted(minutes)]
    reference = MinuteByMinute(calendar)
    expected = [tuple(reference.due(start, parse_time(time)) for time in TIMES) for start in starts]
    for found, wanted in zip(due_times(store, process_with(calendar, TIMES), starts), expected, strict=True):
        assert dict(zip(TIMES, found, strict=True)) == dict(zip(TIMES, wanted, strict=True))


OFFICE = """
calendar: office
time_zone: Europe/Berlin
hours: {mon-thu: ["09:00-12:00", "13:00-18:00"], fri: "09:00-15:00"}
holidays: {country: DE, subdivision: BY, also: [2026-12-24, "2026-12-28 to 2026-12-30"], but: 2026-01-06}
"""
BY_HAND = [
    # Friday 14:00: an hour is left, three more on Monday
    ("2026-03-06 13:00", "4 business hours", "2026-03-09 11:00"),
    # the Sunday between has 23 hours, the office none of them
    ("2026-03-27 13:30", "1 business hour", "2026-03-30 07:30"),
    # from the lunch break: the clock runs from 13:00
    ("2026-03-02 11:30", "2 business hours", "2026-03-02 14:00"),
    # Wednesday 10:00, two days on
    ("2026-03-04 09:00", "2 business days", "2026-03-06 09:00"),
    # seven hours had passed on Thursday, Friday has six: its close
    ("2026-03-05 16:00", "1 business day", "2026-03-06 14:00"),
    # Christmas and what the firm added, to the first working day after it
    ("2026-12-23 15:00", "1 business day", "2026-12-31 15:00"),
    # Epiphany is worked here
    ("2026-01-05 15:00", "1 business day", "2026-01-06 15:00"),
    ("2026-03-06 13:00", "by 17:00 next business day", "2026-03-09 16:00"),
    ("2026-03-06 13:00", "by next business day", "2026-03-09 17:00"),
    ("2026-03-31 21:59", "by the 3rd business day of next month", "2026-04-07 16:00"),
    ("2026-03-31 22:00", "by the 3rd business day of next month", "2026-05-06 16:00"),
    ("2026-03-02 09:00", "by 12:00 on the last business day of this month", "2026-03-31 10:00"),
]  # fmt: skip


def test_due_times_by_hand(store: Store) -> None:
    """A German office with a lunch break, short Fridays and holidays; instants in UTC."""
    for time in {time for _, time, _ in BY_HAND}:
        asked = sorted((start, due) for start, named, due in BY_HAND if named == time)
        starts = [datetime.fromisoformat(start + "+00:00") for start, _ in asked]
        expected = [datetime.fromisoformat(due + "+00:00") for _, due in asked]
        found = due_times(store, process_with(load_calendar(OFFICE), [time]), starts)
        assert found == [(due,) for due in expected], time


def test_a_frozen_month_end_is_not_worked(store: Store) -> None:
    """Two days around the month's end, on which nobody can post: 31 March and 1 April 2026."""
    frozen = load_calendar(OFFICE + "month_end_freeze: {last: 1, first: 1}\n")
    [[found]] = due_times(
        store, process_with(frozen, ["1 business day"]), [datetime(2026, 3, 30, 8, tzinfo=UTC)]
    )
    assert found == datetime(2026, 4, 2, 8, tzinfo=UTC)


def test_outside_the_calendar_nothing_is_due(store: Store) -> None:
    """A start before 2000, and a due time after 2059."""
    process = process_with(load_calendar(OFFICE), ["4 business hours", "by next business day"])
    starts = [datetime(1999, 5, 3, 10, tzinfo=UTC), datetime(2059, 12, 31, 23, tzinfo=UTC)]
    assert due_times(store, process, starts) == [(None, None), (None, None)]


def test_around_the_clock(store: Store) -> None:
    """A calendar without rest counts plain time in UTC, so the calendar `always` needs no table."""
    office = load_calendar("{calendar: all, time_zone: UTC, hours: {mon-sun: '00:00-24:00'}}")
    start = datetime(2026, 3, 28, 23, 30, tzinfo=UTC)
    [found] = due_times(store, process_with(office, ["4 business hours", "2 business days"]), [start])
    assert found == (start + timedelta(hours=4), start + timedelta(days=2))
    always = {"process": "p", "keys": ["a"], "milestones": [
        {"name": "start", "event": "s"},
        {"name": "next", "event": "n", "within": "4 business hours"},
    ]}  # fmt: skip
    assert business_clock.counted(load_process(json.dumps(always))) == {}


WRONG = [
    ("Europe/Berlin", "Europe/Berlim", "<text>:3: `time_zone`: there is no time zone 'Europe/Berlim'"),
    ("mon-thu", "mon-thr", "'mon-thr' is no weekday"),
    ("13:00-18:00", "13:00-25:00", "<text>:4: `hours.mon-thu[2]`: '13:00-25:00' are no hours"),
    ("13:00-18:00", "11:00-18:00", "<text>:4: `hours`: hours overlap on mon at 11:00"),
    ("country: DE", "country: XX", "there is no country 'XX'"),
    ("subdivision: BY", "subdivision: BX", "there is no subdivision 'BX'"),
    ("2026-12-24,", "24.12.2026,", "'24.12.2026' is no day; write 2026-12-24"),
    ("hours: {", "ours: {", "unknown field 'ours' in the definition; did you mean 'hours'?"),
]  # fmt: skip


@pytest.mark.parametrize(("good", "bad", "sentence"), WRONG)
def test_what_is_wrong_is_said(good: str, bad: str, sentence: str) -> None:
    """File, line, and what to write instead."""
    with pytest.raises(InvalidCalendar) as error:
        load_calendar(OFFICE.replace(good, bad))
    assert sentence in str(error.value)


def test_shipped_calendars() -> None:
    """All of them load, and have the holidays of their countries."""
    loaded = load_calendars(None)
    assert not loaded.errors
    christmas = datetime(2026, 12, 25, tzinfo=UTC).date()
    working = [one for one in loaded.calendars.values() if isinstance(one, BusinessCalendar)]
    assert working
    assert all(christmas not in one.business_days() for one in working)
