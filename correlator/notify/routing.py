"""Where an alert goes, and whether it may be told now. Pure, with the time as an argument."""

from __future__ import annotations

import bisect
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Literal

from throughline.correlator.business_time import micros
from throughline.correlator.notify.matching import Matcher, all_match

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from throughline.correlator.business_calendar import BusinessCalendar
    from throughline.correlator.notify.channels import Channels, Maintenance, Route

Act = Literal["trigger", "acknowledge", "resolve", "summary"]
"""What a channel is told of an alert; a summary is of several that came and went while it did not answer."""
UNTOLD = frozenset({"Watchdog"})
"""Always fires, for an Alertmanager's dead man's switch; others have the heartbeat."""


@dataclass(frozen=True, slots=True)
class Silence:
    """Alerts that are not told from one time until another, because somebody said so."""

    id: str
    matchers: tuple[Matcher, ...]
    starts_at: datetime
    ends_at: datetime
    author: str
    comment: str


@dataclass(frozen=True, slots=True)
class Stand:
    """How an alert and one channel stand to each other: what decides the next act. Of an alert that ended
    `muted` says that it was muted, and nothing else kept it from being told.
    """

    told: str
    told_at: datetime | None
    resend: timedelta
    ended: bool
    acknowledged: bool
    muted: bool


def working(calendar: BusinessCalendar, now: datetime) -> bool:
    """Whether a calendar works at a time."""
    laid, instant = calendar.axis, micros(now)
    place = bisect.bisect_right(laid.starts, instant) - 1
    return place >= 0 and instant < laid.starts[place] + laid.lengths[place]


def channels_of(
    labels: Mapping[str, str], file: Channels, tenant: str, now: datetime
) -> dict[str, timedelta]:
    """The channels of a tenant that an alert goes to at a time, and how often each is told again."""
    found: dict[str, timedelta] = {}
    mine = {one.id for one in file.of(tenant)}
    if labels.get("alertname") in UNTOLD:
        return found
    for route in file.routes:
        wanted = [one for one in route.channels if one in mine]
        if not wanted or not _applies(route, labels, file.calendars, now):
            continue
        for name in wanted:
            found.setdefault(name, route.resend)
        if not route.continue_:
            break
    return found


def _applies(
    route: Route, labels: Mapping[str, str], calendars: Mapping[str, BusinessCalendar], now: datetime
) -> bool:
    if not all_match(route.matchers, labels):
        return False
    if route.owner and labels.get("owner", "") not in route.owner:
        return False
    if route.during:
        return working(calendars[route.during], now)
    return not (route.outside and working(calendars[route.outside], now))


def muted_by(labels: Mapping[str, str], silences: Iterable[Silence], file: Channels, now: datetime) -> str:
    """Why an alert is not told at a time; empty if it may be."""
    for one in silences:
        if one.starts_at <= now < one.ends_at and all_match(one.matchers, labels):
            return f"silenced by {one.author}: {one.comment}" if one.comment else f"silenced by {one.author}"
    for window in file.maintenance:
        if _lasts(window, file.calendars, now) and all_match(window.matchers, labels):
            return f"maintenance: {window.name}"
    return ""


def _lasts(window: Maintenance, calendars: Mapping[str, BusinessCalendar], now: datetime) -> bool:
    if window.during is not None:
        return working(calendars[window.during], now)
    return window.begins is not None and window.ends is not None and window.begins <= now < window.ends


def next_act(stand: Stand, now: datetime) -> Act | None:
    """What a channel is to be told now.

    An end is told whatever is silenced: who was called out is called off. What ended before it was ever told
    is summarised if the channel failed meanwhile, or nobody was there to tell it; if it was muted all the
    time nobody wants to know.
    """
    if stand.ended:
        if stand.told in {"trigger", "acknowledge"}:
            return "resolve"
        return None if stand.told or stand.muted else "summary"
    if stand.muted or stand.told == "resolve":
        return None
    if not stand.told:
        return "trigger"
    if stand.acknowledged:
        return "acknowledge" if stand.told == "trigger" else None
    again = stand.resend and stand.told_at is not None and now - stand.told_at >= stand.resend
    return "trigger" if again else None
