"""What speaks against a replay: asked before it is planned, and again before each call.

Green: nothing. Amber: somebody should know. Red: it is refused, unless somebody who may says otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from throughline.correlator.replay.facts import Facts
    from throughline.correlator.replay.targets import Target

Result = Literal["green", "amber", "red"]
TWO_DAYS = 48
"""Hours; more are told in days."""
BY_CALL = frozenset({"resubmit", "repair", "redrive", "rerun", "compensate"})


@dataclass(frozen=True, slots=True)
class Check:
    """One answer, as one sentence."""

    check: str
    result: Result
    reason: str


@dataclass(frozen=True, slots=True)
class Situation:
    """What a check may look at besides the facts. `in_hand` is the replay that has the exception already."""

    kind: str
    target: Target | None
    payload: str
    now: datetime
    in_hand: str = ""
    sent_before: str = ""
    """When the same payload was accepted before, or empty."""
    seconds: float = 0.0
    """How long sending everything takes at the target's rate."""
    broken: str = ""
    """Why the target is not called at the moment, or empty."""


def preflight(facts: Facts, situation: Situation) -> list[Check]:
    """All checks that apply, in order."""
    found = (check(facts, situation) for check in CHECKS)
    return [one for one in found if one is not None]


def worst(checks: list[Check]) -> Result:
    """The gravest result."""
    results = {one.result for one in checks}
    return "red" if "red" in results else "amber" if "amber" in results else "green"


def _still_open(facts: Facts, situation: Situation) -> Check:
    if facts.status == "resolved":
        return Check("still_open", "red", "It is resolved; there is nothing to do again.")
    if situation.in_hand:
        return Check("still_open", "red", f"The replay {situation.in_hand} has it in hand.")
    if facts.status == "snoozed":
        return Check("still_open", "amber", "Somebody has snoozed it.")
    return Check("still_open", "green", "It is open.")


def _suits(facts: Facts, situation: Situation) -> Check | None:
    target = situation.target
    if situation.kind not in BY_CALL:
        return None
    if target is None:
        return Check("target", "red", "There is no such target; targets.yaml lists them.")
    if situation.kind not in target.kinds:
        return Check(
            "target", "red", f"{target.id} does not {situation.kind}; it can {', '.join(target.kinds)}."
        )
    match = target.match
    wanted = [
        (match.process, facts.process, "process"),
        (match.milestone, facts.milestone, "milestone"),
        (match.event, facts.event, "event"),
        (match.system, facts.failure.system, "system"),
        (match.class_, facts.class_, "class"),
        (match.code, facts.code, "code"),
    ]
    for values, value, name in wanted:
        if values and value not in values:
            return Check("target", "red", f"{target.id} is not for the {name} '{value}'.")
    return Check("target", "green", f"{target.id} does this.")


def _has_payload(facts: Facts, situation: Situation) -> Check | None:
    if situation.kind == "rerun":
        known = bool(facts.failure.run_id)
        return (
            Check("payload", "green", f"The run {facts.failure.run_id} is known.")
            if known
            else Check("payload", "red", "No run id is known; the event carries business.run.id for that.")
        )
    if situation.kind == "resubmit" and not situation.payload:
        return Check(
            "payload", "red", "No payload is stored, which is the default: repair, rerun or fix at source."
        )
    if situation.kind == "repair" and not situation.payload:
        return Check("payload", "red", "A repair needs the payload to send.")
    return None


def _not_done_yet(facts: Facts, situation: Situation) -> Check | None:
    if situation.kind not in BY_CALL:
        return None
    if situation.sent_before:
        reason = f"The same was accepted by the target at {situation.sent_before}."
        return Check("already_created", "red", reason)
    if facts.event in facts.changed:
        return Check("already_created", "red", f"{facts.event} has succeeded on it since.")
    return None


def _period_open(facts: Facts, situation: Situation) -> Check | None:
    if not facts.closed_period or situation.kind not in BY_CALL:
        return None
    result: Result = "red" if situation.target is None or situation.target.finance else "amber"
    return Check(
        "accounting_period", result, f"The period {facts.closed_period} of {facts.entity} is closed."
    )


def _unchanged(facts: Facts, situation: Situation) -> Check | None:
    others = [event for event in facts.changed if event != facts.event]
    if not others or situation.kind not in {"resubmit", "rerun", "redrive"}:
        return None
    return Check(
        "source_changed",
        "amber",
        f"Since it failed there was {', '.join(others)}: look whether it still fits.",
    )


def _in_order(facts: Facts, situation: Situation) -> Check | None:
    if not facts.unmet or situation.kind not in BY_CALL - {"compensate"}:
        return None
    return Check("earlier_milestones", "amber", f"Not met yet: {', '.join(facts.unmet)}.")


def _in_window(facts: Facts, situation: Situation) -> Check | None:
    window = situation.target.window if situation.target else None
    failed = facts.failure.at or facts.last_seen
    if window is None or situation.kind not in BY_CALL:
        return None
    left = failed + window - situation.now
    if left <= timedelta(0):
        return Check(
            "window", "red", f"The platform keeps it for {_days(window)}; it failed on {failed:%Y-%m-%d}."
        )
    result: Result = "amber" if left < window / 5 else "green"
    return Check("window", result, f"{_days(left)} more.")


def _in_rate(_facts: Facts, situation: Situation) -> Check | None:
    if situation.broken:
        return Check("rate", "amber", f"{situation.broken} It waits until the target answers again.")
    if situation.seconds > timedelta(hours=1).total_seconds():
        hours = situation.seconds / 3600
        return Check("rate", "amber", f"At the rate of the target it takes {hours:.1f} hours.")
    return None


CHECKS: tuple[Callable[[Facts, Situation], Check | None], ...] = (
    _still_open, _suits, _has_payload, _not_done_yet, _period_open, _unchanged, _in_order, _in_window,
    _in_rate,
)  # fmt: skip


def _days(span: timedelta) -> str:
    hours = span.total_seconds() / 3600
    if hours < 1:
        return "less than an hour"
    return f"{hours:.0f} hours" if hours <= TWO_DAYS else f"{hours / 24:.0f} days"
