"""When a milestone is due, by walking: minute by minute, and only while the clock runs."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from tests.correlator.calendar_reference import MINUTE, MinuteByMinute
from throughline.correlator.business_calendar import BusinessCalendar
from throughline.correlator.durations import Deadline, Duration, parse_duration, parse_time
from throughline.correlator.reference_files import ReferenceTable

if TYPE_CHECKING:
    from tests.correlator.fold_reference import Event
    from throughline.correlator.definition import Process
    from throughline.correlator.definition_parts import Within

FOREVER = datetime(2100, 1, 1, tzinfo=UTC)
LONGEST = timedelta(days=60)
TABLES: dict[str, ReferenceTable] = {}
"""Reference tables by the hash of what they say."""
Due = tuple[datetime | None, bool, bool]
"""When it is due, whether the clock stands still, whether nobody can tell."""


def due(process: Process, within: Within, since: datetime | None, events: Sequence[Event]) -> Due:
    """When something is due whose clock started then, in a journey of these events."""
    calendar = _calendar(process, events)
    told = next((text for one in reversed(events) if (text := one.attributes.get(within.told_by or ""))), "")
    if within.until:
        found = _instant(told, ZoneInfo(calendar.zone.key if calendar else "UTC"))
        return found, False, bool(told) and found is None
    if since is None:
        return None, False, False
    if within.table:
        allowed = _tabled(process, within, since, calendar, events)
    else:
        allowed = _allowed(within, told, since, calendar)
    if allowed is None:
        return None, False, True
    if isinstance(allowed, Deadline) or not within.paused:
        return _plain_due(allowed, since, calendar), False, False
    pauses = _pauses(within, events)
    found = _walked(allowed, since, calendar, lambda minute: any(a <= minute < b for a, b in pauses))
    return found, found is None, False


def _tabled(
    process: Process,
    within: Within,
    since: datetime,
    calendar: MinuteByMinute | None,
    events: Sequence[Event],
) -> Duration | Deadline | None:
    """What the row says that is valid on the local day of the start, for what the journey says last."""
    table = TABLES[process.tables[within.table or ""].content]
    key = [next((text for one in reversed(events) if (text := _said(one, name))), "") for name in within.by]
    names = table.columns[: table.keys]
    day = since.astimezone(calendar.zone if calendar else UTC).date()
    rows = [one for one in table.entries if [one.values[name] for name in names] == key]
    begun = [one for one in rows if one.valid_from <= day]
    row = max(begun, key=lambda one: one.valid_from, default=None)
    if row is None or row.valid_to < day or not (cell := row.values[within.column or ""]):
        return None
    return parse_time(cell)


def _said(event: Event, name: str) -> str:
    of = name.removeprefix("business.")
    return str(getattr(event, of)) if of != name else event.attributes.get(name, "")


def _allowed(
    within: Within, told: str, since: datetime, calendar: MinuteByMinute | None
) -> Duration | Deadline | None:
    if within.attribute:
        numbers = re.findall(r"\d+", told)
        return _spelled(int(numbers[0]), within.unit) if len(numbers) == 1 and len(numbers[0]) < 5 else None
    zone = calendar.zone if calendar else UTC
    for allowed, before in within.rules:
        if before == date.max or since < datetime.combine(before, time(), tzinfo=zone):
            return allowed
    raise AssertionError


def _spelled(count: int, unit: str) -> Duration:
    plain = {"hours": "h", "days": "d"}
    if count:
        return parse_duration(f"{count}{plain[unit]}" if unit in plain else f"{count} {unit}")
    return Duration(text="0", count=0, unit="hour", business=unit not in plain, seconds=0)


def _plain_due(
    allowed: Duration | Deadline, since: datetime, calendar: MinuteByMinute | None
) -> datetime | None:
    if isinstance(allowed, Duration) and not (allowed.business and calendar):
        return since + timedelta(seconds=allowed.seconds)
    assert calendar
    return calendar.due(since, allowed)


def _walked(
    allowed: Duration, since: datetime, calendar: MinuteByMinute | None, paused: Callable[[datetime], bool]
) -> datetime | None:
    """The end of the last minute that counts; None where the clock stands still before."""
    assert allowed.unit != "day" or not (allowed.business and calendar)  # those have a table of their own
    left, minute = allowed.seconds // 60, since
    while left:
        works = calendar.business_day(minute) is not None if allowed.business and calendar else True
        left -= works and not paused(minute)
        minute += MINUTE
        if minute - since > LONGEST:
            return None
    return minute


def _pauses(within: Within, events: Sequence[Event]) -> list[tuple[datetime, datetime]]:
    assert within.paused
    found: list[tuple[datetime, datetime]] = []
    began: datetime | None = None
    for one in events:
        if one.failed or one.unknown:
            continue
        if one.event in within.paused.by and began is None:
            began = one.time
        elif one.event in within.paused.until and began is not None:
            found.append((began, one.time))
            began = None
    return [*found, (began, FOREVER)] if began else found


def _instant(told: str, zone: ZoneInfo) -> datetime | None:
    if re.fullmatch(r"\d{4}-\d\d-\d\d", told):
        try:
            day = date.fromisoformat(told)
        except ValueError:
            return None
        return datetime.combine(day + timedelta(days=1), time(), tzinfo=zone) - timedelta(microseconds=1)
    try:
        found = datetime.fromisoformat(told)
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _calendar(process: Process, events: Sequence[Event]) -> MinuteByMinute | None:
    name = process.calendar.default
    if process.calendar.by:
        of = process.calendar.by.removeprefix("business.")
        value = next((text for one in reversed(events) if (text := getattr(one, of))), "")
        name = process.calendar.map.get(value, name)
    if name == "always":
        return None
    calendar = process.calendars[name]
    assert isinstance(calendar, BusinessCalendar)
    return _MINUTES.setdefault(calendar.content_hash, MinuteByMinute(calendar))


_MINUTES: dict[str, MinuteByMinute] = {}
