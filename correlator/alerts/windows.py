"""Windows that end at an instant: plain time, or business time by a calendar."""

from __future__ import annotations

import bisect
from datetime import timedelta
from typing import TYPE_CHECKING

from throughline.correlator.business_time import EPOCH, MICROSECOND, micros

if TYPE_CHECKING:
    from datetime import datetime

    from throughline.correlator.business_calendar import BusinessCalendar
    from throughline.correlator.business_time import Axis
    from throughline.correlator.durations import Duration


def begins(span: Duration, until: datetime, calendar: BusinessCalendar | None) -> datetime:
    """When a window of this length that ends at `until` begins. With a calendar hours count working hours
    and days business days; without one it is plain time.
    """
    if calendar is None:
        return until - timedelta(seconds=span.seconds)
    laid = calendar.axis
    position = _position(laid, micros(until))
    if span.unit in {"d", "day"}:
        day = bisect.bisect_right(laid.day_works, position) - 1
        # At the end of a day it is still that day.
        passed = position - laid.day_works[day]
        earlier = max(day - span.count, 0)
        wanted = laid.day_works[earlier] + min(passed, laid.day_lengths[earlier])
    else:
        wanted = position - span.seconds * 1_000_000
    return EPOCH + _instant(laid, max(wanted, 0)) * MICROSECOND


def _position(laid: Axis, instant: int) -> int:
    """The microseconds worked before an instant."""
    place = bisect.bisect_right(laid.starts, instant) - 1
    if place < 0:
        return 0
    return laid.works[place] + min(instant - laid.starts[place], laid.lengths[place])


def _instant(laid: Axis, position: int) -> int:
    """The latest instant by which no more has been worked: a window takes all of what it counts, and the
    nights before it are not in it.
    """
    place = max(bisect.bisect_right(laid.works, position) - 1, 0)
    return laid.starts[place] + min(position - laid.works[place], laid.lengths[place])
