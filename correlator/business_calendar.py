"""Business calendars: what a file says of them, and the working time they describe."""

from __future__ import annotations

import hashlib
import json
import re
from datetime import date, timedelta
from functools import cache, cached_property
from importlib.metadata import version
from typing import TYPE_CHECKING, Annotated, Any, Self
from zoneinfo import ZoneInfo

import holidays
from pydantic import AfterValidator, BeforeValidator, Field, StrictStr, model_validator

from throughline.correlator.business_time import (
    FIRST_YEAR,
    LAST_YEAR,
    Axis,
    WallClock,
    axis,
    working_intervals,
)
from throughline.correlator.parts import Id, InconsistentError, Part, iana_zone, unknown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
ALWAYS = "always"
"""The calendar that never rests; it needs no file."""

_HOURS_SHAPE = re.compile(r"(\d{1,2}):(\d\d) ?- ?(\d{1,2}):(\d\d)")
_SPAN_SHAPE = re.compile(r"(\d{4}-\d\d-\d\d)(?: to (\d{4}-\d\d-\d\d))?")
_YEARLY_SHAPE = re.compile(r"every (\d\d)-(\d\d)")
_DAY_MINUTES, _HOUR_MINUTES = 1440, 60


def _several(value: Any) -> Any:
    """Dates may be written without quotes, one may stand without a list."""
    listed = value if isinstance(value, list) else [value]
    return [one.isoformat() if isinstance(one, date) else one for one in listed]


def _span(value: str) -> str:
    if not _days_of(value):
        message = f"'{value}' ends before it begins"
        raise ValueError(message)
    return value


def _days_of(value: str) -> list[date]:
    """The days that an entry names.

    Raises: ValueError.
    """
    if yearly := _YEARLY_SHAPE.fullmatch(value.strip()):
        return [date(year, int(yearly[1]), int(yearly[2])) for year in range(FIRST_YEAR, LAST_YEAR + 1)]
    found = _SPAN_SHAPE.fullmatch(value.strip())
    if not found:
        message = f"'{value}' is no day; write 2026-12-24, '2026-12-24 to 2027-01-02' or 'every 12-24'"
        raise ValueError(message)
    return list(_between(date.fromisoformat(found[1]), date.fromisoformat(found[2] or found[1])))


Spans = Annotated[tuple[Annotated[StrictStr, AfterValidator(_span)], ...], BeforeValidator(_several)]


def _weekdays(name: str) -> range:
    first, _, last = (part.strip() for part in name.lower().partition("-"))
    if first not in WEEKDAYS or (last or first) not in WEEKDAYS:
        message = f"'{name}' is no weekday; write mon, or mon-fri"
        raise ValueError(message)
    begin, end = WEEKDAYS.index(first), WEEKDAYS.index(last or first)
    if end < begin:
        message = f"'{name}' runs backwards; write it as two entries"
        raise ValueError(message)
    return range(begin, end + 1)


def _wall_clock(text: str) -> WallClock:
    found = _HOURS_SHAPE.fullmatch(text.strip())
    hours = [int(part) for part in found.groups()] if found else [99, 0, 99, 0]
    first, last = hours[0] * 60 + hours[1], hours[2] * 60 + hours[3]
    readable = max(hours[1], hours[3]) < _HOUR_MINUTES and first < _DAY_MINUTES >= last
    if not readable or first == last:
        message = f"'{text}' are no hours; write 09:00-17:30, or 22:00-06:00 for a night"
        raise ValueError(message)
    return first, last if last > first else last + _DAY_MINUTES


def _checked(read: Callable[[str], object]) -> Callable[[str], str]:
    def check(value: str) -> str:
        read(value)
        return value

    return check


Weekdays = Annotated[StrictStr, AfterValidator(_checked(_weekdays))]
Hours = Annotated[StrictStr, AfterValidator(_checked(_wall_clock))]


class Holidays(Part):
    """Public holidays of a country or subdivision, as the library of that name knows them; single days."""

    country: StrictStr | None = None
    subdivision: StrictStr | None = None
    also: Spans = ()
    but: Spans = ()

    @model_validator(mode="after")
    def _known(self) -> Self:
        if self.country is None:
            if self.subdivision is not None:
                raise ValueError("a subdivision needs its country")
            return self
        supported = holidays.list_supported_countries()
        if self.country not in supported:
            raise ValueError(unknown(self.country, supported, "country"))
        if self.subdivision is not None and self.subdivision not in supported[self.country]:
            raise ValueError(unknown(self.subdivision, supported[self.country], "subdivision"))
        return self

    def days(self) -> frozenset[date]:
        """All of them, over the years a calendar reaches."""
        found: set[date] = set()
        if self.country is not None:
            years = range(FIRST_YEAR, LAST_YEAR + 1)
            found |= set(holidays.country_holidays(self.country, subdiv=self.subdivision, years=years))
        return frozenset((found | set(_all_days(self.also))) - set(_all_days(self.but)))


class Freeze(Part):
    """Business days around the end of each month on which no clock runs: books are being closed."""

    last: Annotated[int, Field(ge=0, le=20)] = 0
    first: Annotated[int, Field(ge=0, le=20)] = 0


class BusinessCalendar(Part):
    """One calendar file: when people work, in their own time zone."""

    id: Annotated[Id, Field(alias="calendar")]
    time_zone: Annotated[StrictStr, AfterValidator(iana_zone)]
    hours: dict[Weekdays, Annotated[tuple[Hours, ...], BeforeValidator(_several)]]
    holidays: Holidays = Holidays()
    month_end_freeze: Freeze = Freeze()

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        week = self.week
        if not any(week):
            raise InconsistentError([(("hours",), "no working time is named")])
        shifts = sorted(
            (day * _DAY_MINUTES + first, day * _DAY_MINUTES + last)
            for day, one in enumerate(week)
            for first, last in one
        )
        around = [*shifts, (shifts[0][0] + 7 * _DAY_MINUTES, 0)]
        for (_, end), (begin, _) in zip(shifts, around[1:], strict=True):
            if begin < end:
                day = WEEKDAYS[begin // _DAY_MINUTES % 7]
                clock = f"{begin % _DAY_MINUTES // 60:02}:{begin % 60:02}"
                raise InconsistentError([(("hours",), f"hours overlap on {day} at {clock}")])
        return self

    @cached_property
    def week(self) -> tuple[tuple[WallClock, ...], ...]:
        """The hours of each weekday, Monday first."""
        days: list[list[WallClock]] = [[] for _ in WEEKDAYS]
        for name, intervals in self.hours.items():
            for day in _weekdays(name):
                days[day].extend(_wall_clock(one) for one in intervals)
        return tuple(tuple(sorted(one)) for one in days)

    @cached_property
    def content_hash(self) -> str:
        """Changes when any working instant may."""
        content = self.model_dump(mode="json", by_alias=True, exclude={"id"})
        known = [version("holidays") if self.holidays.country else "", FIRST_YEAR, LAST_YEAR]
        return hashlib.sha256(json.dumps([content, known], sort_keys=True).encode()).hexdigest()[:32]

    def business_days(self) -> list[date]:
        """The days on which clocks run: with working hours, no holidays, not frozen."""
        free = self.holidays.days()
        worked = [day for day in _every_day() if self.week[day.weekday()] and day not in free]
        frozen: set[date] = set()
        if self.month_end_freeze.first or self.month_end_freeze.last:
            months: dict[tuple[int, int], list[date]] = {}
            for day in worked:
                months.setdefault((day.year, day.month), []).append(day)
            for days in months.values():
                frozen |= set(days[: self.month_end_freeze.first])
                frozen |= set(days[len(days) - self.month_end_freeze.last :])
        return [day for day in worked if day not in frozen]

    @cached_property
    def axis(self) -> Axis:
        """The working time of sixty years."""
        return axis(
            working_intervals(
                self.business_days(), lambda day: self.week[day.weekday()], ZoneInfo(self.time_zone)
            )
        )


def _all_days(spans: Sequence[str]) -> Iterator[date]:
    return (day for span in spans for day in _days_of(span))


def _every_day() -> Iterator[date]:
    return _between(date(FIRST_YEAR, 1, 1), date(LAST_YEAR, 12, 31))


def _between(first: date, last: date) -> Iterator[date]:
    return (first + timedelta(days=days) for days in range((last - first).days + 1))


@cache
def around_the_clock() -> BusinessCalendar:
    """The calendar `always`, in UTC."""
    return BusinessCalendar.model_validate(
        {"calendar": ALWAYS, "time_zone": "UTC", "hours": {"mon-sun": "00:00-24:00"}}
    )
