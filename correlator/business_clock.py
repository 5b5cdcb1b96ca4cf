"""Due times in business time, as SQL: a step adds columns, or looks one row of a calendar up by ASOF JOIN.

1. Where each clock starts, and which calendar counts.
2. The interval that lies in, so the time worked until then.
3. That time and what is allowed: the position where it is due. Business days go from a day's position to
   another's, and keep what of the day had passed.
4. The earliest instant by which so much has been worked.

A deadline (`by 17:00 next business day`) is one look-up in its own steps.
"""

# ruff: noqa: S608 - this module is the one place where SQL is generated, from validated parts

from __future__ import annotations

from typing import TYPE_CHECKING

from throughline.correlator.business_calendar import ALWAYS, BusinessCalendar, around_the_clock
from throughline.correlator.business_time import FIRST_INSTANT
from throughline.correlator.durations import Deadline, Duration
from throughline.correlator.expression_parts import quoted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from throughline.correlator.definition import Process

_MICROS = 1_000_000
_COLUMNS = {
    "business.customer": "latest_Customer",
    "business.entity": "latest_Entity",
    "business.region": "latest_Region",
    "business.service_line": "latest_ServiceLine",
}

Step = tuple[list[str], str]
"""Columns to select from what the steps before gave, and what stands behind that: nothing, or a join."""


def calendars_of(process: Process) -> list[BusinessCalendar]:
    """The calendars that a process counts business time by, each content once."""
    found = {one.content_hash: one for one in (_named(process, name) for name in _names(process))}
    return list(found.values())


def times(process: Process) -> dict[int, Duration | Deadline]:
    """What is allowed, of the milestones that count business time, by their places.

    Where no calendar ever rests, a span of business time is plain time.
    """
    rests = set(_names(process)) != {ALWAYS}
    return {
        place: one.allowed
        for place, one in enumerate(process.milestones)
        if isinstance(one.allowed, Deadline) or (one.allowed and one.allowed.business and rests)
    }


def steps(process: Process, clocks: dict[int, str]) -> Iterator[Step]:
    """Steps that end with `due<place>` (microseconds since 1970 or NULL) of each milestone in `times`.

    `clocks` gives the SQL of the instant at which each clock starts, NULL before.
    """
    wanted = times(process)
    if not wanted:
        return
    spans = {place: due for place, due in wanted.items() if isinstance(due, Duration)}
    days = {place: due for place, due in spans.items() if due.unit == "day"}
    known = {place: f"ifNull({clocks[place]} >= {FIRST_INSTANT}, 0)" for place in wanted}
    intervals = _rows(process, "calendar_intervals", "Start, Length, Work")
    numbered = "Work, Length, row_number() OVER (PARTITION BY Calendar ORDER BY Work) AS Number"
    business_days = _rows(process, "calendar_days", numbered)
    starts = (
        f"if({known[place]}, assumeNotNull({clocks[place]}), toInt64({FIRST_INSTANT})) AS at{place}"
        for place in wanted
    )
    yield ["*", f"toUInt8({_number(process)}) AS calendar", *starts], ""
    for place, due in spans.items():
        worked = f"i.Work + least(s.at{place} - i.Start, i.Length)"
        until = f"AS worked{place}" if place in days else f"+ {due.seconds * _MICROS} AS ends{place}"
        yield ["s.*", f"{worked} {until}"], _asof(intervals, f"s.at{place} >= i.Start")
    for place, due in days.items():
        found = [f"i.Number + {due.count} AS day{place}", f"s.worked{place} - i.Work AS passed{place}"]
        yield ["s.*", *found], _asof(business_days, f"s.worked{place} >= i.Work")
        ends = f"if(i.Number > 0, i.Work + least(s.passed{place}, i.Length), -1) AS ends{place}"
        that_day = f"s.calendar = i.Counts AND s.day{place} = i.Number"
        yield ["s.*", ends], f" AS s LEFT ANY JOIN ({business_days}) AS i ON {that_day}"
    for place in spans:
        reached = f"{known[place]} AND s.ends{place} > 0 AND s.ends{place} - i.Work <= i.Length"
        instant = f"if({reached}, i.Start + s.ends{place} - i.Work, NULL) AS due{place}"
        yield ["s.*", instant], _asof(intervals, f"s.ends{place} > i.Work")
    for place, text in ((place, due.text) for place, due in wanted.items() if isinstance(due, Deadline)):
        rows = _rows(process, "calendar_deadlines", "Since, Due", f" AND Deadline = {quoted(text)}")
        instant = f"if({known[place]} AND i.Due > 0, i.Due, NULL) AS due{place}"
        yield ["s.*", instant], _asof(rows, f"s.at{place} >= i.Since")


def _asof(rows: str, nearest: str) -> str:
    """What makes a step look up the nearest row of a journey's calendar."""
    return f" AS s ASOF LEFT JOIN ({rows}) AS i ON s.calendar = i.Counts AND {nearest}"


def _rows(process: Process, table: str, columns: str, more: str = "") -> str:
    """Rows of the calendars of a process, `Counts` says of which; a row may have been written twice.

    Grouped, because DISTINCT over a sorted table takes a second for these rows.
    """
    hashes = f"[{', '.join(quoted(one.content_hash) for one in calendars_of(process))}]"
    distinct = f"SELECT * FROM {table} WHERE has({hashes}, Calendar){more} GROUP BY ALL"
    return f"SELECT toUInt8(indexOf({hashes}, Calendar)) AS Counts, {columns} FROM ({distinct})"


def _names(process: Process) -> list[str]:
    return [process.calendar.default, *process.calendar.map.values()]


def _named(process: Process, name: str) -> BusinessCalendar:
    return around_the_clock() if name == ALWAYS else process.calendars[name]


def _number(process: Process) -> str:
    """Which calendar counts for a journey."""
    place = {one.content_hash: number for number, one in enumerate(calendars_of(process), start=1)}
    numbers = [place[_named(process, name).content_hash] for name in _names(process)]
    if process.calendar.by is None or not process.calendar.map:
        return str(numbers[0])
    values = ", ".join(quoted(value) for value in process.calendar.map)
    listed = ", ".join(str(number) for number in numbers[1:])
    return f"transform(toString({_COLUMNS[process.calendar.by]}), [{values}], [{listed}], {numbers[0]})"
