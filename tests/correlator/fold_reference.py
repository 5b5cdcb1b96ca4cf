"""Folding in plain Python, event by event: what the generated SQL must agree with."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from tests.correlator import clock_reference as clocks
from throughline.correlator.definition import Process
from throughline.correlator.definition_parts import Milestone

MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True)
class Event:
    """One event of one journey."""

    id: int
    event: str
    time: datetime
    failed: bool = False
    subjects: tuple[int, ...] = (1,)
    objects: tuple[tuple[str, int], ...] = ()
    amount: Decimal | None = None
    currency: str = ""
    customer: str = ""
    entity: str = ""
    region: str = ""
    service_line: str = ""
    precision: str = "exact"
    klass: str = ""
    code: str = ""
    message: str = ""
    attributes: Mapping[str, str] = field(default_factory=dict)
    system: str = ""

    @property
    def moment(self) -> tuple[datetime, int]:
        """The order of events."""
        return self.time, self.id

    @property
    def unknown(self) -> bool:
        """Whether the time says nothing."""
        return self.precision == "unknown"


@dataclass
class Met:
    """What one milestone came to."""

    state: str = "pending"
    met_at: datetime | None = None
    last_at: datetime | None = None
    due_at: datetime | None = None
    count: int = 0
    amount: Decimal | None = None
    currency: str = ""
    latest: Mapping[int, tuple[Decimal, str]] = field(default_factory=dict)
    live: Sequence[Event] = ()
    reached: bool = False
    known: bool = False
    stopped: bool = False
    untold: bool = False


@dataclass
class Journey:
    """What one journey came to."""

    opened_at: datetime
    last_event_at: datetime
    completed_at: datetime | None
    dropped_at: datetime | None
    stuck_at: datetime | None
    late_at: datetime | None
    blocked_at: datetime | None
    amount: Decimal | None
    currency: str
    amount_objects: dict[int, tuple[Decimal, str]]
    customer: str
    entity: str
    region: str
    service_line: str
    events: int
    open_exceptions: int
    milestones: dict[str, Met]
    exceptions: list[dict[str, Any]]


def time_of(
    process: Process,
    milestone: Milestone,
    met: Met,
    milestones: Mapping[str, Met],
    events: Sequence[Event],
) -> None:
    """Note when a milestone is due, or why that is not known."""
    within, clock = milestone.within, _clock(process, milestone)
    if within is None or milestone.optional:
        return
    since = None
    if clock:
        start = milestones[clock[0]]
        since = (start.last_at if clock[1] else start.met_at) if start.known else None
    met.due_at, met.stopped, met.untold = clocks.due(process, within, since, events)


Where = Mapping[str, Callable[[Event], bool]]
Expect = Mapping[str, Callable[[Sequence[Event], Decimal | None], bool]]


def fold(process: Process, events: Sequence[Event], where: Where, expect: Expect) -> Journey | None:
    """Fold one journey; `where` and `expect` say in Python what each expression says. None: nothing, or out
    of scope.
    """
    if not events:
        return None
    events = sorted(events, key=lambda one: one.moment)
    milestones = {one.name: _reach(one, events, where) for one in process.milestones}
    for one in process.milestones:
        if one.responds:
            milestones[one.name] = _reach(one, events, where, milestones[(_clock(process, one) or ("",))[0]])
    for one in process.milestones:
        time_of(process, one, milestones[one.name], milestones, events)
    ends = [milestones[name] for name in process.completed_by]
    completed = (
        max(one.met_at for one in ends if one.met_at) if ends and all(one.reached for one in ends) else None
    )
    for index, one in enumerate(process.milestones):
        later = any(milestones[other.name].reached for other in process.milestones[index + 1 :])
        milestones[one.name].state = _state(process, one, milestones, completed is not None, later)
    money = milestones[process.amount_of] if process.amount_of else Met()
    if process.scope and not expect[process.scope](events, money.amount):
        return None
    exceptions = _event_exceptions(process, events) + _check_exceptions(
        process, events, milestones, money, expect
    )
    still_open = [one for one in exceptions if one["resolved_at"] is None]
    drops = [one.time for one in events if not one.failed and one.event in process.dropped_by]
    return Journey(
        opened_at=events[0].time,
        last_event_at=events[-1].time,
        completed_at=completed,
        dropped_at=min(drops, default=None),
        stuck_at=_waiting(process, milestones, "stuck"),
        late_at=_waiting(process, milestones, "late"),
        blocked_at=min((one["opened_at"] for one in still_open if one["blocking"]), default=None),
        amount=money.amount,
        currency=money.currency,
        amount_objects=dict(money.latest),
        customer=_latest(events, "customer"),
        entity=_latest(events, "entity"),
        region=_latest(events, "region"),
        service_line=_latest(events, "service_line"),
        events=len(events),
        open_exceptions=len(still_open),
        milestones=milestones,
        exceptions=exceptions,
    )


def _latest(events: Sequence[Event], name: str) -> str:
    return next((value for one in reversed(events) if (value := getattr(one, name))), "")


def _reach(
    milestone: Milestone, events: Sequence[Event], where: Where, responds_to: Met | None = None
) -> Met:
    good = [one for one in events if not one.failed]
    hits = [one for one in good if one.event in milestone.events]
    if milestone.where:
        hits = [one for one in hits if where[milestone.where](one)]
    undoing = [one for one in good if one.event in milestone.undone_by]

    def stands(hit: Event) -> bool:
        """Some subject object of it has no later undoing event."""
        return any(
            not any(subject in one.subjects and one.moment > hit.moment for one in undoing)
            for subject in hit.subjects
        )

    live = [one for one in hits if stands(one)]
    if responds_to:
        start = responds_to
        last = bool(milestone.within and milestone.within.last)
        since = start.last_at if last else start.met_at
        # the last one may be known where the first of several is not
        told = any(not one.unknown for one in start.live) if last else start.known
        if not start.reached:
            live = []
        elif told and since:
            live = [one for one in live if one.unknown or one.time >= since]
    met = Met(count=len(live), live=live, reached=len(live) >= milestone.at_least)
    if met.reached:
        usable = [one for one in live if not one.unknown]
        met.known = len(usable) >= milestone.at_least
        in_order = [*usable, *(one for one in live if one.unknown)]
        met.met_at = in_order[milestone.at_least - 1].time
        met.last_at = (usable or live)[-1].time
    latest = {min(one.subjects): (one.amount, one.currency) for one in live if one.amount is not None}
    met.latest = latest
    currencies = {currency for _, currency in latest.values()}
    if len(currencies) == 1:
        met.amount = sum((amount for amount, _ in latest.values()), Decimal(0))
    met.currency = "" if not currencies else currencies.pop() if len(currencies) == 1 else "mixed"
    return met


def _clock(process: Process, milestone: Milestone) -> tuple[str, bool] | None:
    if milestone.within is None or milestone.optional:
        return None
    of = milestone.within.of
    if milestone.within.until:
        return None
    if of is None:
        names = [one.name for one in process.milestones]
        return names[names.index(milestone.name) - 1], False
    return of.removesuffix(".last"), of.endswith(".last")


def _state(
    process: Process, milestone: Milestone, milestones: dict[str, Met], completed: bool, later: bool
) -> str:
    met, clock = milestones[milestone.name], _clock(process, milestone)
    if met.reached:
        if met.due_at is None or not met.known:
            return "met"
        in_time = sum(_in_time(process, one, met.due_at) for one in met.live if not one.unknown)
        return "met" if in_time >= milestone.at_least else "met_late"
    if completed or (later and met.due_at is None and not met.stopped):
        return "skipped"
    start = milestones[clock[0]] if clock else None
    if met.untold or (start and start.reached and not start.known):
        return "unknown_start"
    return "pending"


def _in_time(process: Process, event: Event, due: datetime) -> bool:
    """Of a fact known by its day: on the day it is due, where it happened."""
    if event.precision != "day":
        return event.time <= due
    value = getattr(event, (process.calendar.by or ".customer").split(".")[1])
    calendar = process.calendars.get(process.calendar.map.get(value, process.calendar.default))
    zone = ZoneInfo(calendar.time_zone) if calendar else UTC
    return event.time.astimezone(UTC).date() <= due.astimezone(zone).date()


def _waiting(process: Process, milestones: dict[str, Met], on_late: str) -> datetime | None:
    found = [
        met.due_at
        for one in process.milestones
        if one.on_late == on_late and (met := milestones[one.name]).state == "pending" and met.due_at
    ]
    return min(found, default=None)


def _event_exceptions(process: Process, events: Sequence[Event]) -> list[dict[str, Any]]:
    found = []
    for event, subject in sorted({(one.event, subject) for one in events for subject in one.subjects}):
        history = [one for one in events if one.event == event and subject in one.subjects]
        episode: list[Event] = []
        resolved: datetime | None = None
        for one in history:
            if one.failed and resolved is not None:
                episode, resolved = [], None
            if one.failed:
                episode.append(one)
            elif episode and resolved is None:
                resolved = one.time
        if not episode:
            continue
        milestone = next((one for one in process.milestones if event in one.events), None)
        latest = episode[-1]
        found.append({
            "kind": "event", "event": event, "subject": subject,
            "milestone": milestone.name if milestone else "",
            "class": latest.klass or "technical", "code": latest.code, "message": latest.message,
            "owner": (milestone.owner if milestone else None) or process.owner or "",
            "severity": "high" if milestone else "medium", "blocking": milestone is not None,
            "amount": latest.amount, "currency": latest.currency, "opened_at": episode[0].time,
            "resolved_at": resolved, "occurrences": len(episode), "first": episode[0].id, "last": latest.id,
        })  # fmt: skip
    return found


def _check_exceptions(
    process: Process,
    events: Sequence[Event],
    milestones: dict[str, Met],
    money: Met,
    expect: Expect,
) -> list[dict[str, Any]]:
    found = []
    for check in process.checks:
        after = milestones[check.after] if check.after else None
        if (after and not after.reached) or expect[check.expect or ""](events, money.amount):
            continue
        found.append({
            "kind": "check", "event": "", "subject": None, "milestone": check.after or "",
            "class": check.class_,
            "code": check.name, "message": f"{check.name} does not hold: {check.expect}",
            "owner": check.owner or process.owner or "", "severity": check.severity,
            "blocking": check.blocking,
            "amount": money.amount, "currency": money.currency,
            "opened_at": after.met_at if after else events[0].time,
            "resolved_at": None, "occurrences": 1, "first": 0, "last": 0,
        })  # fmt: skip
    return found
