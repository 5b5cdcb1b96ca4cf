"""Billing periods: the weeks, half-months or months that a firm bills by, and when each is cut off."""

from __future__ import annotations

import calendar
import hashlib
import json
from datetime import date, timedelta
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, Field, StrictInt, StrictStr, model_validator

from throughline.correlator.business_time import FIRST_YEAR, LAST_YEAR, local_instant
from throughline.correlator.parts import Id, Part, Text, iana_zone

if TYPE_CHECKING:
    from collections.abc import Iterator

Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
_WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_DAY = timedelta(days=1)
_WEEK = 7
_MIDDLE_OF_MONTH, LAST_OF_MONTH = 15, 31
FIXED = 0
"""The variant of periods whose last day does not depend on the journey."""

DayOfMonth = Annotated[StrictInt, Field(ge=1, le=LAST_OF_MONTH)]


class Told(Part):
    """The last day of a month as a journey's attribute tells it."""

    attribute: Text
    default: DayOfMonth = LAST_OF_MONTH


_LAST_DAYS = {"week": (str,), "month": (int, Told)}


class Periods(Part):
    """How the time is cut: `every` so long, or at the days of `ends`."""

    every: Literal["week", "half-month", "month"] | None = None
    last_day: DayOfMonth | Weekday | Told | None = None
    ends: tuple[date, ...] = ()

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if (self.every is None) == (not self.ends):
            raise ValueError("say either `every` or the days of `ends`")
        if self.last_day is not None and type(self.last_day) not in _LAST_DAYS.get(self.every or "", ()):
            raise ValueError("`last_day` is a weekday of a week, or a day (1 to 31) of a month")
        if list(self.ends) != sorted(set(self.ends)):
            raise ValueError("`ends` goes from the earliest day to the latest")
        return self

    @property
    def told_by(self) -> str | None:
        """The attribute that tells the last day."""
        return self.last_day.attribute if isinstance(self.last_day, Told) else None

    def last_days(self, variant: int) -> list[date]:
        """The last days of all periods, in order."""
        if self.ends:
            return list(self.ends)
        if self.every == "week":
            wanted = _WEEKDAYS.index(self.last_day if isinstance(self.last_day, str) else "sun")
            first = date(FIRST_YEAR, 1, 1)
            first += ((wanted - first.weekday()) % _WEEK) * _DAY
            weeks = (date(LAST_YEAR, 12, 31) - first).days // _WEEK + 1
            return [first + number * _WEEK * _DAY for number in range(weeks)]
        if self.every == "half-month":
            halves = (_MIDDLE_OF_MONTH, LAST_OF_MONTH)
            return [_last(year, month, day) for year, month in _months() for day in halves]
        fixed = self.last_day if isinstance(self.last_day, int) else LAST_OF_MONTH
        return [_last(year, month, variant or fixed) for year, month in _months()]


class PeriodCalendar(Part):
    """A whole calendar of billing periods, in one time zone."""

    id: Annotated[Id, Field(alias="calendar")]
    time_zone: Annotated[StrictStr, AfterValidator(iana_zone)]
    periods: Periods

    @cached_property
    def content_hash(self) -> str:
        """Changes when any period may."""
        content: Any = self.model_dump(mode="json", by_alias=True, exclude={"id"})
        text = json.dumps([content, FIRST_YEAR, LAST_YEAR], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:32]

    @property
    def default_variant(self) -> int:
        """The variant of journeys that tell nothing."""
        told = self.periods.last_day
        return told.default if isinstance(told, Told) else FIXED

    def rows(self) -> Iterator[tuple[int, int, date, date, int]]:
        """All periods: variant (the last day where journeys tell it), start in microseconds since 1970, first
        and last day, and the instant of the cut-off: the end of the last day.
        """
        zone = ZoneInfo(self.time_zone)
        variants = range(1, LAST_OF_MONTH + 1) if self.periods.told_by else (FIXED,)
        for variant in variants:
            days = self.periods.last_days(variant)
            for before, last in pairwise(days):
                first = before + _DAY
                end = local_instant(last + _DAY, 0, zone) - 1
                yield variant, local_instant(first, 0, zone), first, last, end


def _months() -> Iterator[tuple[int, int]]:
    return ((year, month) for year in range(FIRST_YEAR, LAST_YEAR + 1) for month in range(1, 13))


def _last(year: int, month: int, day: int) -> date:
    return date(year, month, min(day, calendar.monthrange(year, month)[1]))
