"""Business time, minute by minute: slow, and plain enough to be believed."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from throughline.correlator.durations import Deadline, Duration

if TYPE_CHECKING:
    from throughline.correlator.business_calendar import BusinessCalendar

MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)


class MinuteByMinute:
    """One calendar, asked about single minutes."""

    def __init__(self, calendar: BusinessCalendar) -> None:
        """Look things up as they are asked."""
        self.week = calendar.week
        self.zone = ZoneInfo(calendar.time_zone)
        self.free = calendar.holidays.days()
        self.business_day = lru_cache(maxsize=None)(self._business_day)
        self.minutes_of = lru_cache(maxsize=None)(self._minutes_of)

    def due(self, start: datetime, allowed: Duration | Deadline) -> datetime:
        """When something is due that starts at a full minute."""
        if isinstance(allowed, Deadline):
            return self._deadline(start, allowed)
        if allowed.unit == "hour":
            return self._worked(start, allowed.seconds // 60)
        minute = start
        while self.business_day(minute) is None:
            minute += MINUTE
        day = self.business_day(minute)
        assert day
        passed = sum(one < minute for one in self.minutes_of(day))
        for _ in range(allowed.count):
            day = self._next(day)
        keep = min(passed, len(self.minutes_of(day)))
        if keep:
            return self.minutes_of(day)[keep - 1] + MINUTE
        return self.minutes_of(self._previous(day))[-1] + MINUTE

    def _worked(self, start: datetime, minutes: int) -> datetime:
        minute = start
        while minutes:
            minutes -= self.business_day(minute) is not None
            minute += MINUTE
        return minute

    def _deadline(self, start: datetime, allowed: Deadline) -> datetime:
        today = start.astimezone(self.zone).date()
        if allowed.month is None:
            day = today
            for _ in range(allowed.nth):
                day = self._next(day)
        else:
            number = today.year * 12 + today.month - 1 + allowed.month
            first = date(number // 12, number % 12 + 1, 1)
            month = [first + count * DAY for count in range(31) if (first + count * DAY).month == first.month]
            worked = [one for one in month if self.minutes_of(one)]
            day = worked[allowed.nth - 1 if allowed.nth > 0 else -1]
        if allowed.minutes is None:
            return self.minutes_of(day)[-1] + MINUTE
        local = datetime.combine(day, time(), tzinfo=self.zone) + timedelta(minutes=allowed.minutes)
        return local.astimezone(UTC)

    def _business_day(self, minute: datetime) -> date | None:
        """The business day that a minute is worked on."""
        local = minute.astimezone(self.zone)
        of_day = local.hour * 60 + local.minute
        today, yesterday = local.date(), local.date() - DAY
        for day, at in ((yesterday, of_day + 1440), (today, of_day)):
            hours = () if day in self.free else self.week[day.weekday()]
            if any(first <= at < last for first, last in hours):
                return day
        return None

    def _minutes_of(self, day: date) -> list[datetime]:
        """All minutes worked on a business day, in order."""
        around = datetime.combine(day, time(), tzinfo=UTC) - DAY
        every = (around + count * MINUTE for count in range(4 * 1440))
        return [one for one in every if self.business_day(one) == day]

    def _next(self, day: date) -> date:
        day += DAY
        while not self.minutes_of(day):
            day += DAY
        return day

    def _previous(self, day: date) -> date:
        day -= DAY
        while not self.minutes_of(day):
            day -= DAY
        return day
