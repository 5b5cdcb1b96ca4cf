"""Business time as tables: the working intervals of a calendar, and what of them the engine needs.

A calendar is laid on an axis of working time: the microseconds worked since its first interval. The engine
goes from an instant to its position, and from a position to an instant (`business_clock.py`).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from zoneinfo import ZoneInfo

    from throughline.correlator.durations import Deadline

FIRST_YEAR, LAST_YEAR = 2000, 2059
"""Calendars reach over these years; an instant outside has no business time."""

MICROSECOND = timedelta(microseconds=1)
DAY = timedelta(days=1)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

WallClock = tuple[int, int]
"""From and to, in minutes since a local midnight; the end may lie on the next day."""


@dataclass(frozen=True, slots=True)
class Interval:
    """Working time from `start` up to `end` (microseconds since 1970); `day` is the business day it is of."""

    start: int
    end: int
    day: date


@dataclass(frozen=True, slots=True)
class Axis:
    """The working time of one calendar, sorted: arrays of equal length per interval, and per business day.

    `works[i]` is the time worked before interval `i`; `day_works[d]` that before business day `d`, `days[d]`
    its date and `day_lengths[d]` what is worked on it.
    """

    starts: tuple[int, ...]
    lengths: tuple[int, ...]
    works: tuple[int, ...]
    days: tuple[date, ...]
    day_works: tuple[int, ...]
    day_lengths: tuple[int, ...]


def axis(intervals: Sequence[Interval]) -> Axis:
    """Lay intervals, sorted and apart from each other, on an axis."""
    works: list[int] = []
    days: dict[date, list[int]] = {}
    worked = 0
    for one in intervals:
        works.append(worked)
        day = days.setdefault(one.day, [worked, 0])
        day[1] += one.end - one.start
        worked += one.end - one.start
    return Axis(
        tuple(one.start for one in intervals),
        tuple(one.end - one.start for one in intervals),
        tuple(works),
        tuple(days),
        tuple(work for work, _ in days.values()),
        tuple(length for _, length in days.values()),
    )


def deadlines(deadline: Deadline, laid: Axis, zone: ZoneInfo) -> list[tuple[int, int]]:
    """When what starts is due: steps (from this instant on, due then), sorted, each with another due time.

    0 stands for no due time: beyond the last business day of the calendar.
    """
    steps: list[tuple[int, int]] = []
    months: dict[tuple[int, int], list[date]] = {}
    for day in laid.days:
        months.setdefault((day.year, day.month), []).append(day)
    closes = dict(_closes(laid))
    following = 0
    for ordinal in range(date(FIRST_YEAR, 1, 1).toordinal(), date(LAST_YEAR, 12, 31).toordinal() + 1):
        day = date.fromordinal(ordinal)
        while following < len(laid.days) and laid.days[following] <= day:
            following += 1
        if deadline.month is None:
            chosen, at = laid.days, following + deadline.nth - 1
        else:
            year, month = divmod(day.year * 12 + day.month - 1 + deadline.month, 12)
            chosen = tuple(months.get((year, month + 1), ()))
            at = deadline.nth - 1 if deadline.nth > 0 else len(chosen) + deadline.nth
        due = _on(chosen[at], deadline, closes, zone) if 0 <= at < len(chosen) else 0
        if not steps or steps[-1][1] != due:
            steps.append((local_instant(day, 0, zone), due))
    return steps


def _on(day: date, deadline: Deadline, closes: Mapping[date, int], zone: ZoneInfo) -> int:
    return closes[day] if deadline.minutes is None else local_instant(day, deadline.minutes, zone)


def _closes(laid: Axis) -> Iterator[tuple[date, int]]:
    """Each business day with the end of its last interval."""
    bounds = [*laid.day_works[1:], laid.works[-1] + laid.lengths[-1]]
    at = 0
    for day, bound in zip(laid.days, bounds, strict=True):
        while at + 1 < len(laid.works) and laid.works[at + 1] < bound:
            at += 1
        yield day, laid.starts[at] + laid.lengths[at]


def working_intervals(
    days: Iterable[date], hours: Callable[[date], Sequence[WallClock]], zone: ZoneInfo
) -> list[Interval]:
    """All instants whose local time lies in the hours of one of the days, as sorted intervals.

    Local times that a change of the clocks repeats count twice, those that it skips not at all.
    """
    found = sorted(
        (Interval(begin, end, day) for day in days for begin, end in _on_day(day, hours(day), zone)),
        key=lambda one: one.start,
    )
    apart: list[Interval] = []
    for one in found:
        start = max(one.start, apart[-1].end) if apart else one.start  # neighbouring shifts, repeated hours
        if start < one.end:
            apart.append(Interval(start, one.end, one.day))
    return apart


def local_instant(day: date, minutes: int, zone: ZoneInfo) -> int:
    """Microseconds since 1970 at which the clocks first show this time; one that they skip counts as if they
    had not been changed yet.
    """
    return micros(datetime.combine(day, time(), tzinfo=zone) + timedelta(minutes=minutes))


def micros(instant: datetime) -> int:
    """Microseconds since 1970."""
    return (instant - EPOCH) // MICROSECOND


def _on_day(day: date, hours: Sequence[WallClock], zone: ZoneInfo) -> Iterator[tuple[int, int]]:
    midnight = micros(datetime.combine(day, time(), tzinfo=UTC))
    before, after = (
        _offset(datetime.combine(day, time(), tzinfo=UTC) + days * DAY, zone) for days in (-1, 3)
    )
    for first, last in hours:
        begin, end = midnight + first * 60_000_000, midnight + last * 60_000_000
        if before == after:
            yield begin - before, end - before
            continue
        change = _change(midnight - 86_400_000_000, midnight + 3 * 86_400_000_000, zone)
        yield from _cut(begin - before, min(end - before, change))
        yield from _cut(max(begin - after, change), end - after)


def _cut(begin: int, end: int) -> Iterator[tuple[int, int]]:
    if begin < end:
        yield begin, end


def _change(low: int, high: int, zone: ZoneInfo) -> int:
    """The instant in between at which the zone's offset changes."""
    before = _offset(_instant(low), zone)
    while high - low > 1:
        middle = (low + high) // 2
        if _offset(_instant(middle), zone) == before:
            low = middle
        else:
            high = middle
    return high


def _offset(instant: datetime, zone: ZoneInfo) -> int:
    offset = instant.astimezone(zone).utcoffset()
    return offset // MICROSECOND if offset is not None else 0


def _instant(microseconds: int) -> datetime:
    return EPOCH + microseconds * MICROSECOND
