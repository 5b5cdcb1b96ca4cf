"""Due times in business time, as SQL.

The working time of all calendars of a process lies on one axis, `_APART` microseconds from each other, in
sorted arrays that are constants of the query: `intervals` (start, length, worked before) and `business_days`
(worked before, length).  `roundDown` finds the interval that an instant or a position lies in by binary
search, so a due time costs two look-ups, whatever the calendar.

1. Where the clock starts, and on which calendar.
2. The interval it lies in, so the time worked until then.
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

_APART = 2**52
_MICROS = 1_000_000
_COLUMNS = {
    "business.customer": "latest_Customer",
    "business.entity": "latest_Entity",
    "business.region": "latest_Region",
    "business.service_line": "latest_ServiceLine",
}


def calendars_of(process: Process) -> list[BusinessCalendar]:
    """The calendars that a process counts business time by, each content once."""
    found = {one.content_hash: one for one in (_named(process, name) for name in _names(process))}
    return list(found.values())


def times(process: Process) -> dict[int, Duration | Deadline]:
    """What is allowed, of the milestones that count business time, by their places."""
    return {
        place: one.within.due
        for place, one in enumerate(process.milestones)
        if one.within and one.within.due.business and not one.optional
    }


def constants(process: Process) -> str:
    """The WITH clause that the steps need; empty without business time."""
    wanted = times(process)
    if not wanted:
        return ""
    hashes = f"[{', '.join(quoted(one.content_hash) for one in calendars_of(process))}]"
    far = f"(indexOf({hashes}, Calendar) - 1) * {_APART}"
    arrays = [
        _array(
            "intervals", "calendar_intervals", f"{far} + Start AS a, Length AS b, {far} + Work AS c", hashes
        ),
        _array("business_days", "calendar_days", f"{far} + Work AS a, Length AS b, 0 AS c", hashes),
        *(
            _array(
                f"deadline{place}", "calendar_deadlines", f"{far} + Since AS a, Due AS b, 0 AS c", hashes,
                f" AND Deadline = {quoted(due.text)}",
            )
            for place, due in wanted.items()
            if isinstance(due, Deadline)
        ),
    ]  # fmt: skip
    return "WITH\n" + ",\n".join(arrays) + "\n"


def steps(process: Process, clocks: dict[int, str]) -> Iterator[list[str]]:
    """Columns, step by step; at the end `due<place>` of each milestone that counts business time.

    `clocks` gives the SQL of the instant (microseconds since 1970) at which each clock starts, NULL before.
    """
    wanted = times(process)
    if not wanted:
        return
    spans = {place: due for place, due in wanted.items() if isinstance(due, Duration)}
    days = {place: due for place, due in spans.items() if due.unit == "day"}
    known = {place: f"ifNull({clocks[place]} >= {FIRST_INSTANT}, 0)" for place in wanted}
    yield [
        f"toInt64({_number(process)}) * {_APART} AS calendar",
        *(
            f"calendar + if({known[place]}, assumeNotNull({clocks[place]}), {FIRST_INSTANT}) AS at{place}"
            for place in wanted
        ),
    ]
    yield [f"{_place_in('intervals.1', f'at{place}')} AS in{place}" for place in spans]
    yield [
        f"intervals.3[in{place}] + least(at{place} - intervals.1[in{place}], intervals.2[in{place}])"
        f" AS worked{place}"
        for place in spans
    ]
    yield [f"{_place_in('business_days.1', f'worked{place}')} AS day{place}" for place in days]
    yield [
        f"business_days.1[day{place} + {due.count}] + least(worked{place} - business_days.1[day{place}], "
        f"business_days.2[day{place} + {due.count}]) AS ends{place}"
        if place in days
        else f"worked{place} + {due.seconds * _MICROS} AS ends{place}"
        for place, due in spans.items()
    ]
    yield [f"{_place_in('intervals.3', f'ends{place} - 1')} AS last{place}" for place in spans]
    yield [_due(place, due, known[place]) for place, due in wanted.items()]


def _due(place: int, due: Duration | Deadline, known: str) -> str:
    if isinstance(due, Deadline):
        found = _place_in(f"deadline{place}.1", f"at{place}")
        reached = (
            f"deadline{place}.1[{found}] BETWEEN calendar AND at{place} AND deadline{place}.2[{found}] > 0"
        )
        return f"if({known} AND {reached}, deadline{place}.2[{found}], NULL) AS due{place}"
    left = f"ends{place} - intervals.3[last{place}]"
    reached = (
        f"ends{place} BETWEEN calendar AND calendar + {_APART - 1} AND {left} <= intervals.2[last{place}]"
    )
    return f"if({known} AND {reached}, intervals.1[last{place}] + {left} - calendar, NULL) AS due{place}"


def _place_in(array: str, value: str) -> str:
    """Where in a sorted array the greatest element up to a value stands."""
    return f"indexOfAssumeSorted({array}, roundDown({value}, {array}))"


def _array(name: str, table: str, columns: str, hashes: str, more: str = "") -> str:
    rows = f"SELECT DISTINCT {columns} FROM {table} WHERE has({hashes}, Calendar){more} ORDER BY a"
    return f"(SELECT (groupArray(a), groupArray(b), groupArray(c)) FROM ({rows})) AS {name}"


def _names(process: Process) -> list[str]:
    return [process.calendar.default, *process.calendar.map.values()]


def _named(process: Process, name: str) -> BusinessCalendar:
    return around_the_clock() if name == ALWAYS else process.calendars[name]


def _number(process: Process) -> str:
    """Which calendar counts for a journey."""
    place = {one.content_hash: number for number, one in enumerate(calendars_of(process))}
    numbers = [place[_named(process, name).content_hash] for name in _names(process)]
    if process.calendar.by is None or not process.calendar.map:
        return str(numbers[0])
    values = ", ".join(quoted(value) for value in process.calendar.map)
    listed = ", ".join(str(number) for number in numbers[1:])
    return f"transform(toString({_COLUMNS[process.calendar.by]}), [{values}], [{listed}], {numbers[0]})"
