"""Due times, as SQL: the clocks of all milestones as rows, each looked up in its journey's calendar once.

1. `asked` gives what is asked of a journey: a row for each clock that has started.
2. Where an instant stands on its calendar's axis of working time: an ASOF JOIN. Plain time is its own axis.
3. That position and what is allowed: where it is due. Business days go from a day's position to another's,
   and keep what of the day had passed.
4. What was worked while the clock stood still comes on top.
5. The earliest instant by which so much has been worked: an ASOF JOIN back.

A deadline (`by 17:00 next business day`) is one look-up in its own table.
"""

# ruff: noqa: S608 - this module is the one place where SQL is generated, from validated parts

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from throughline.correlator.business_calendar import ALWAYS, BusinessCalendar, around_the_clock
from throughline.correlator.business_time import local_instant
from throughline.correlator.definition_tables import times_of
from throughline.correlator.durations import Deadline, Duration
from throughline.correlator.expression_parts import quoted
from throughline.correlator.sql_text import midnight, told_instant

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from throughline.correlator.definition import Process
    from throughline.correlator.definition_parts import Within

PLAIN, HOURS, DAYS, DEADLINE, UNTOLD = range(5)
"""What is counted; UNTOLD: the journey does not say."""
DUE, STOPPED, NOT_TOLD = range(3)
"""Why a clock has its due time: it has one; it stands still; nobody can tell."""
_MICROS = 1_000_000
_NEVER = 2**62
_COLUMNS = {
    "business.customer": "latest_Customer",
    "business.entity": "latest_Entity",
    "business.region": "latest_Region",
    "business.service_line": "latest_ServiceLine",
}
_UNITS = {
    "hours": (PLAIN, 3600 * _MICROS),
    "days": (PLAIN, 86_400 * _MICROS),
    "business hours": (HOURS, 3600 * _MICROS),
    "business days": (DAYS, 1),
}


NOTHING_TOLD = "''"
NO_STOPS = "CAST([], 'Array(Int64)')"


@dataclass(frozen=True, slots=True)
class Clock:
    """One milestone's clock in SQL: since when it runs (NULL before), what the journey tells of its length
    ('' if nothing), and the instants at which it stopped and went on, in turn.
    """

    since: str
    told: str = NOTHING_TOLD
    stops: str = NO_STOPS


def calendars_of(process: Process) -> list[BusinessCalendar]:
    """The calendars that a process counts business time by, each content once."""
    found = {one.content_hash: one for one in (_named(process, name) for name in _names(process))}
    return list(found.values())


def times(process: Process) -> list[Duration | Deadline]:
    """The times of a process that its calendars have to know."""
    every = (due for one in _promises(process).values() for due in times_of(process, one))
    return [one for one in every if one.business]


def counted(process: Process) -> dict[int, Within]:
    """What is allowed, of the milestones and of the grace of checks whose due times need these rows, by their
    places (`Process.clock_at`).

    Plain time that never stops is a sum. Where no calendar ever rests, so is a span of business time.
    """
    rests = set(_names(process)) != {ALWAYS}
    return {place: one for place, one in _promises(process).items() if not _is_sum(one, rests=rests)}


def _promises(process: Process) -> dict[int, Within]:
    found = {place: one.judged for place, one in enumerate(process.milestones)}
    found |= {place: one.waits for place, one in enumerate(process.checks, len(process.milestones))}
    return {place: within for place, within in found.items() if within}


def asked(process: Process, clocks: Mapping[int, Clock]) -> str:
    """The expression of an array of (place, since, kind, number, stops): what is asked of one journey.

    The columns `calendar` and, of the dimensions, what `calendar` needs must be at hand.
    """
    rows = []
    for place, within in counted(process).items():
        clock = clocks[place]
        since = f"ifNull({clock.since}, 0)"
        kind, number = _told(process, within, clock.told) or _allowed(process, within, since)
        started = f"isNotNull({clock.since})"
        columns = (f"toUInt16({place})", f"toInt64({since})", f"toUInt8({kind})", f"toInt64({number})")
        rows.append(f"if({started}, [tuple({', '.join(columns)}, {clock.stops})], [])")
    return f"arrayConcat({', '.join(rows)})"


def due_rows(process: Process, journeys: str) -> str:
    """Rows (Root, Place, Due, Why), Due in microseconds since 1970: 0 for none.

    `journeys` gives Root, calendar and `asked`.
    """
    wanted = counted(process).values()
    stops = any(one.paused for one in wanted)
    kinds = {kind for one in wanted for kind in _kinds(process, one)}
    rows = (
        "SELECT Root, ask.1 AS place, ask.2 AS since, ask.3 AS kind, ask.4 AS number, ask.5 AS stops,\n"
        f"    if(kind IN ({HOURS}, {DAYS}), calendar, 0) AS axis, if(kind = {DEADLINE}, calendar, 0) AS ended"
        f"\nFROM ({journeys})\nARRAY JOIN asked AS ask"
    )
    if stops:
        edges = "arrayJoin(arrayEnumerate(arrayPushFront(stops, since))) AS turn"
        rows = f"SELECT *, {edges}, if(turn = 1, since, stops[turn - 1]) AS at FROM ({rows})"
    at = "s.at" if stops else "s.since"
    if kinds & {HOURS, DAYS}:
        intervals = _rows(process, "calendar_intervals", "Start, Length, Work")
        worked = f"if(i.Counts > 0, i.Work + least({at} - i.Start, i.Length), -1)"
        position = f"if(s.axis > 0, {worked}, {at}) AS {'worked' if stops else 'position'}"
        rows = _looked_up(rows, intervals, f"s.axis = i.Counts AND {at} >= i.Start", f"s.*, {position}")
    else:
        rows = f"SELECT *, {'at AS worked' if stops else 'since AS position'} FROM ({rows})"
    if stops:
        rows = (
            "SELECT Root, place, any(since) AS since, any(kind) AS kind, any(number) AS number,"
            "\n    any(axis) AS axis, any(ended) AS ended,"
            "\n    arrayMap(x -> x.2, arraySort(groupArray((turn, worked)))) AS positions,"
            "\n    positions[1] AS position"
            f"\nFROM ({rows})\nGROUP BY Root, place"
        )
    rows = _ends(process, rows, days=DAYS in kinds)
    if stops:
        rows = f"SELECT * EXCEPT (ends), {_stopped('positions', 'ends')} AS ends FROM ({rows})"
    return _instants(process, rows, kinds)


def _ends(process: Process, rows: str, *, days: bool) -> str:
    """Where on its axis each clock is due; -1: outside of it."""
    if not days:
        return f"SELECT *, if(axis > 0 AND position < 0, -1, position + number) AS ends FROM ({rows})"
    numbered = "Work, Length, row_number() OVER (PARTITION BY Calendar ORDER BY Work) AS Number"
    business_days = _rows(process, "calendar_days", numbered)
    found = f"s.*, if(s.kind = {DAYS}, i.Number + s.number, 0) AS day, s.position - i.Work AS passed"
    rows = _looked_up(rows, business_days, "s.axis = i.Counts AND s.position >= i.Work", found)
    ends = (
        f"multiIf(s.axis > 0 AND s.position < 0, -1, s.kind != {DAYS}, s.position + s.number, "
        "i.Number > 0, i.Work + least(s.passed, i.Length), -1) AS ends"
    )
    that_day = "s.axis = i.Counts AND s.day = i.Number"
    return f"SELECT s.*, {ends}\nFROM ({rows}) AS s\nLEFT ANY JOIN ({business_days}) AS i ON {that_day}"


def _instants(process: Process, rows: str, kinds: set[int]) -> str:
    """From positions to instants."""
    due = f"if(s.ends = {_NEVER}, 0, s.ends)"
    if kinds & {HOURS, DAYS}:
        intervals = _rows(process, "calendar_intervals", "Start, Length, Work")
        reached = f"s.ends > 0 AND s.ends < {_NEVER} AND i.Counts > 0 AND s.ends - i.Work <= i.Length"
        # Nothing allowed is due at once, not when work last ended before.
        reaches = "greatest(i.Start + s.ends - i.Work, s.since)"
        instant = f"if(s.axis > 0, if({reached}, {reaches}, 0), {due}) AS due"
        rows = _looked_up(rows, intervals, "s.axis = i.Counts AND s.ends > i.Work", f"s.*, {instant}")
    else:
        rows = f"SELECT *, {due.replace('s.', '')} AS due FROM ({rows})"
    texts = _deadlines(process)
    if texts:
        listed = ", ".join(quoted(text) for text in texts)
        found = _rows(
            process,
            "calendar_deadlines",
            f"toInt64(indexOf([{listed}], Deadline)) AS Number, Since, Due",
            f" AND Deadline IN ({listed})",
        )
        nearest = "s.ended = i.Counts AND s.number = i.Number AND s.since >= i.Since"
        rows = _looked_up(rows, found, nearest, "s.* EXCEPT (due), if(s.ended > 0, i.Due, s.due) AS due")
    why = f"multiIf(kind = {UNTOLD}, {NOT_TOLD}, ends = {_NEVER}, {STOPPED}, {DUE})"
    return f"SELECT Root, place AS Place, if(kind = {UNTOLD}, 0, due) AS Due, {why} AS Why FROM ({rows})"


def _stopped(positions: str, ends: str) -> str:
    """Where a clock is due that stood still: each pause that begins before then moves it by what it took
    after the clock's start; one that has not ended, for ever.
    """
    pairs = (
        f"arrayMap(n -> ({positions}[2 * n], "
        f"if(2 * n < length({positions}), {positions}[2 * n + 1], {_NEVER})), "
        f"range(1, intDiv(length({positions}), 2) + 1))"
    )
    moved = (
        f"multiIf(acc < 0 OR acc = {_NEVER} OR x.1 >= acc OR x.2 <= position, acc, x.2 = {_NEVER}, {_NEVER}, "
        "acc + x.2 - greatest(x.1, position))"
    )
    return f"arrayFold((acc, x) -> toInt64({moved}), {pairs}, toInt64({ends}))"


def _is_sum(within: Within, *, rests: bool) -> bool:
    return bool(
        within.time
        and not within.paused
        and not within.was
        and isinstance(within.due, Duration)
        and not (within.due.business and rests)
    )


def _kinds(process: Process, within: Within) -> set[int]:
    if within.table:
        return {UNTOLD, *(_kind(due) for due in times_of(process, within))}
    if within.time is None:
        return {_UNITS[within.unit][0] if within.attribute else PLAIN, UNTOLD}
    return {_kind(due) for due, _ in within.rules}


def _kind(due: Duration | Deadline) -> int:
    if isinstance(due, Deadline):
        return DEADLINE
    if not due.business:
        return PLAIN
    return DAYS if due.unit == "day" else HOURS


def _number(process: Process, due: Duration | Deadline) -> int:
    if isinstance(due, Deadline):
        return _deadlines(process).index(due.text) + 1
    return due.count if _kind(due) == DAYS else due.seconds * _MICROS


def _allowed(process: Process, within: Within, since: str) -> tuple[str, str]:
    """Kind and number of what counts for a clock that starts then."""
    *earlier, (now, _) = within.rules
    kinds, numbers = [], []
    for due, before in earlier:
        midnights = (local_instant(before, 0, ZoneInfo(one.time_zone)) for one in calendars_of(process))
        condition = f"{since} < [{', '.join(map(str, midnights))}][calendar]"
        kinds.append(f"{condition}, {_kind(due)}, ")
        numbers.append(f"{condition}, {_number(process, due)}, ")
    if not earlier:
        return str(_kind(now)), str(_number(process, now))
    return f"multiIf({''.join(kinds)}{_kind(now)})", f"multiIf({''.join(numbers)}{_number(process, now)})"


def _told(process: Process, within: Within, told: str) -> tuple[str, str] | None:
    """Kind and number of what a journey's attribute says; None where the definition says it."""
    if within.attribute:
        kind, unit = _UNITS[within.unit]
        count = f"toInt64OrNull(extract({told}, '^\\\\D*(\\\\d{{1,4}})\\\\D*$'))"
        return f"if(isNull({count}), {UNTOLD}, {kind})", f"ifNull({count}, 0) * {unit}"
    if within.table:
        due = times_of(process, within)
        texts = ", ".join(quoted(one) for one in process.tables[within.table].times[within.column or ""])
        kinds = ", ".join(str(_kind(one)) for one in due)
        numbers = ", ".join(str(_number(process, one)) for one in due)
        if not due:
            return str(UNTOLD), "0"
        return (
            f"transform({told}, [{texts}], [{kinds}], {UNTOLD})",
            f"transform({told}, [{texts}], CAST([{numbers}], 'Array(Int64)'), toInt64(0))",
        )
    if not within.until:
        return None
    zones = [one.time_zone for one in calendars_of(process)]
    found = told_instant(told, lambda day: f"[{', '.join(_day_end(day, zone) for zone in zones)}][calendar]")
    return f"if(isNull({found}), {UNTOLD}, {PLAIN})", f"ifNull({found}, 0)"


def _day_end(day: str, zone: str) -> str:
    return f"{midnight(f'addDays({day}, 1)', zone)} - 1"


def _deadlines(process: Process) -> list[str]:
    return sorted({one.text for one in times(process) if isinstance(one, Deadline)})


def _looked_up(rows: str, table: str, nearest: str, columns: str) -> str:
    """Each row with the nearest row of its calendar."""
    return f"SELECT {columns}\nFROM ({rows}) AS s\nASOF LEFT JOIN ({table}) AS i ON {nearest}"


def _rows(process: Process, table: str, columns: str, more: str = "") -> str:
    """Rows of the calendars of a process, `Counts` says of which; a row may have been written twice.

    Grouped, because DISTINCT over a sorted table takes a second for these rows.
    """
    hashes = f"[{', '.join(quoted(one.content_hash) for one in calendars_of(process))}]"
    distinct = f"SELECT * FROM {table} WHERE has({hashes}, Calendar){more} GROUP BY ALL"
    return f"SELECT toUInt8(indexOf({hashes}, Calendar)) AS Counts, {columns} FROM ({distinct})"


def _names(process: Process) -> Iterable[str]:
    return [process.calendar.default, *process.calendar.map.values()]


def _named(process: Process, name: str) -> BusinessCalendar:
    found = process.calendars.get(name)
    return found if isinstance(found, BusinessCalendar) else around_the_clock()


def calendar_number(process: Process) -> str:
    """Which of `calendars_of`, counted from 1, counts for a journey."""
    return _number_by(process, _COLUMNS.get(process.calendar.by or "", ""))


def local_day(process: Process, instant: str) -> str:
    """The day of an instant in the zone of the calendar that counts for the journey (column `calendar`)."""
    zones = [one.time_zone for one in calendars_of(process)]
    days = [f"toDate32(fromUnixTimestamp64Micro({instant}, {quoted(zone)}))" for zone in zones]
    return days[0] if len(set(zones)) == 1 else f"[{', '.join(days)}][calendar]"


def told_by(attribute: str) -> str | None:
    """The column with a dimension's latest value; None for what is no dimension."""
    return _COLUMNS.get(attribute)


def day_begins(process: Process) -> str:
    """When the day of an event begins, in microseconds since 1970, in the zone of the calendar that the
    event's own dimension chooses.
    """
    zones = [one.time_zone for one in calendars_of(process)]
    if set(zones) == {"UTC"}:  # cheaper
        return f"Micros - positiveModulo(Micros, {86_400 * _MICROS})"
    begins = [midnight("toDate32(Time)", zone) for zone in zones]
    if len(set(zones)) == 1:
        return begins[0]
    column = _COLUMNS.get(process.calendar.by or "", "").removeprefix("latest_")
    return f"[{', '.join(begins)}][{_number_by(process, column)}]"


def _number_by(process: Process, column: str) -> str:
    place = {one.content_hash: number for number, one in enumerate(calendars_of(process), start=1)}
    numbers = [place[_named(process, name).content_hash] for name in _names(process)]
    if process.calendar.by is None or not process.calendar.map:
        return f"toUInt8({numbers[0]})"
    values = ", ".join(quoted(value) for value in process.calendar.map)
    listed = ", ".join(str(number) for number in numbers[1:])
    return f"toUInt8(transform(toString({column}), [{values}], [{listed}], {numbers[0]}))"
