"""The state machine of one alert: pure, with the time of the evaluation as an argument.

    inactive ── condition holds ──> pending ── for `for` ──> firing ── gone for `keep_firing_for` ──> resolved
                                       └── gone ──> inactive

What is not known changes nothing: while a query fails, or what it reads is not correlated yet (`held`), no
alert begins to fire and none ends. An alert that was held begins its `for` anew when the hold ends, because
what it rests on is new too.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from throughline.correlator.alerts.spans import spelled

if TYPE_CHECKING:
    from datetime import datetime, timedelta

State = Literal["inactive", "pending", "firing", "resolved"]


@dataclass(frozen=True, slots=True)
class Timing:
    """How long the condition must hold, and must be gone."""

    wait: timedelta
    keep: timedelta


@dataclass(frozen=True, slots=True)
class Standing:
    """Where an alert stands: `active_at` since when the condition holds, `fired_at` since when it fires,
    `gone_at` since when the condition is gone while it fires on. `held` says why it was kept from firing.
    """

    state: State
    active_at: datetime
    fired_at: datetime | None = None
    gone_at: datetime | None = None
    resolved_at: datetime | None = None
    held: str = ""


@dataclass(frozen=True, slots=True)
class Step:
    """What an evaluation made of an alert; `reason` is for people, and empty if its state is as before."""

    after: Standing
    reason: str = ""


def step(
    timing: Timing, before: Standing | None, *, present: bool | None, held: str, now: datetime
) -> Step | None:
    """Evaluate once at `now`; None: nothing has changed.

    `present`: the condition holds; None: nobody knows. `held`: why what is seen must not be acted on.
    """
    if present is None:
        return None
    if before is None or before.state not in {"pending", "firing"}:
        return _begin(timing, held, now) if present else None
    if before.state == "pending":
        return _pending(timing, before, present=present, held=held, now=now)
    return _firing(timing, before, present=present, held=held, now=now)


def _begin(timing: Timing, held: str, now: datetime) -> Step:
    if held:
        return Step(Standing("pending", now, held=held), f"held back: {held}")
    if timing.wait:
        return Step(Standing("pending", now), "the condition holds")
    return Step(Standing("firing", now, fired_at=now), "the condition holds")


def _pending(timing: Timing, before: Standing, *, present: bool, held: str, now: datetime) -> Step | None:
    if held:
        return Step(replace(before, held=held)) if held != before.held else None
    if not present:
        return Step(replace(before, state="inactive", resolved_at=now, held=""), "the condition is gone")
    since = now if before.held else before.active_at
    after_hold = f", having been held back: {before.held}" if before.held else ""
    if now - since >= timing.wait:
        reason = f"the condition holds for {spelled(timing.wait)}" if timing.wait else "the condition holds"
        fired = replace(before, state="firing", active_at=since, fired_at=now, held="")
        return Step(fired, f"{reason}{after_hold}")
    return Step(replace(before, active_at=since, held="")) if before.held else None


def _firing(timing: Timing, before: Standing, *, present: bool, held: str, now: datetime) -> Step | None:
    if held:
        return Step(replace(before, held=held)) if held != before.held else None
    known = replace(before, held="")
    if present:
        fresh = replace(known, gone_at=None)
        return Step(fresh) if fresh != before else None
    gone = before.gone_at or now
    if now - gone >= timing.keep:
        reason = "the condition is gone"
        if timing.keep:
            reason += f" for {spelled(timing.keep)}"
        return Step(replace(known, state="resolved", gone_at=None, resolved_at=now), reason)
    waiting = replace(known, gone_at=gone)
    return Step(waiting) if waiting != before else None


def due(now: datetime, interval: timedelta) -> datetime:
    """The latest time of evaluation up to `now`: a multiple of the interval since 1970."""
    seconds = interval.total_seconds()
    return now - (now - now.fromtimestamp(0, now.tzinfo)) % interval if seconds else now
