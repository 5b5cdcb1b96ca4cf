"""From transitions to messages: what is said, and to whom."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from throughline.correlator.outbound.messages import Message, message
from throughline.correlator.state import utc

if TYPE_CHECKING:
    from throughline.correlator.outbound.noticing import Described, Transition
    from throughline.correlator.outbound.subscriptions import Subscription

_SHARED = ("amount", "currency", "customer", "entity", "region", "service_line")
_EXCEPTION = (
    "id", "status", "class", "code", "message", "fingerprint", "event", "milestone", "owner", "assignee",
    "severity", "runbook", "blocking", *_SHARED, "opened_at", "resolved_at", "occurrences", "resolution",
    "journeys",
)  # fmt: skip


def told(one: Transition, known: Described, tenant: str) -> Message:
    """The message of a transition; how things stand is as of now, what changed as of then."""
    data: dict[str, Any] = {"tenant": tenant, "process": one.process, "number": one.number}
    if one.actor:
        data["actor"] = one.actor
    data["noticed_at"] = _plain(one.noticed_at)
    data["journey"] = _journey(one, known)
    identity = f"{one.root:016x}"
    if one.subject == "milestone":
        data["milestone"] = _milestone(one, known)
    else:
        identity = f"{one.id:016x}"
        found = known.exceptions.get(identity, {"id": identity})
        data["exception"] = {name: _plain(found.get(name)) for name in _EXCEPTION if name in found}
    return message(
        one.message,
        f"{one.subject}.{one.kind}",
        identity,
        tenant=tenant,
        process=one.process,
        at=str(_plain(one.at)),
        trace=known.traces.get((one.root, one.at), ""),
        data=data,
    )


def wanted(subscription: Subscription, one: Transition, known: Described) -> bool:
    """Whether a subscription asks for a transition."""
    found = known.exceptions.get(f"{one.id:016x}", {}) if one.subject == "exception" else {}
    milestone = one.name if one.subject == "milestone" else found.get("milestone", "")
    only_exceptions = bool(subscription.class_ or subscription.severity)
    return (
        f"{one.subject}.{one.kind}" in subscription.events
        and (not subscription.process or one.process in subscription.process)
        and (not subscription.milestone or milestone in subscription.milestone)
        and (not only_exceptions or one.subject == "exception")
        and (not subscription.class_ or found.get("class") in subscription.class_)
        and (not subscription.severity or found.get("severity") in subscription.severity)
    )


def too_old(subscription: Subscription, one: Transition) -> bool:
    """Whether it happened too long before it was noticed."""
    return one.at < one.noticed_at - subscription.max_age


def _journey(one: Transition, known: Described) -> dict[str, Any]:
    journey = known.journeys.get((one.process, one.root), {})
    root = known.roots.get((one.process, one.root))
    named = {"root": f"{root['namespace']}:{root['value']}"} if root else {}
    fields = ("status", "opened_at", "completed_at", *_SHARED)
    stands = {name: _plain(journey[name]) for name in fields if name in journey}
    return {"id": f"{one.root:016x}", **named, **stands}


def _milestone(one: Transition, known: Described) -> dict[str, Any]:
    journey, milestone = (
        known.journeys.get((one.process, one.root), {}),
        known.milestones.get((one.process, one.name)),
    )
    found: dict[str, Any] = {"name": one.name}
    if one.name in journey.get("names", ()):
        place = list(journey["names"]).index(one.name)
        met, due = journey["met"][place], journey["due"][place]
        found |= {"state": "late" if one.kind == "late" else journey["states"][place]}
        found |= {"met_at": _plain(met), "due_at": _plain(due)}
    if milestone:
        found |= {"owner": str(milestone["owner"]), "runbook": milestone["runbook"]}
    return found


def _plain(value: Any) -> Any:
    """As JSON has it: times in UTC, amounts as texts with every digit."""
    if isinstance(value, datetime):
        return utc(value).isoformat(timespec="microseconds").replace("+00:00", "Z")
    if isinstance(value, Decimal):
        return f"{value.normalize():f}"
    if isinstance(value, list | tuple):
        return [_plain(member) for member in value]
    return value
