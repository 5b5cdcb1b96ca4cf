"""The plan of the simulated firm: which journeys there were, what was sent, and what each should show.

Pure: the same seed and moment give the same plan, to the last identity.
"""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal

from throughline.dashboards.demo import stories
from throughline.dashboards.demo.catalog import ENTITIES, Entity
from throughline.dashboards.demo.deal import Deal, PlannedEvent, working
from throughline.dashboards.demo.stories import Story
from throughline.probes import vocabulary as v

WEEKS: int = 8
"""How far the history goes back."""

Status = Literal["in_flight", "completed", "dropped", "stuck", "late", "absent"]
"""A journey's status; absent: the process leaves it out."""


@dataclass(frozen=True, slots=True)
class Expected:
    """What a journey should show at the present of the plan."""

    kind: str
    """The story, such as `stuck` or `credited`."""
    status: Status
    events: int
    """Distinct business events that belong to it."""
    open_codes: tuple[str, ...]
    """Exception codes of failed events that nothing has resolved."""
    shared: bool
    """Whether an event of it belongs to other journeys too."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A history, and what comes next."""

    seed: int
    now: datetime
    events: tuple[PlannedEvent, ...]
    """Until now, in order of sending."""
    upcoming: tuple[PlannedEvent, ...]
    """After now, in order of time."""
    journeys: Mapping[str, Expected]
    """By root, as `namespace:value`."""


@dataclass(frozen=True, slots=True)
class Casting:
    """How often a story is told, and when its deals are won, in days before the present."""

    kind: str
    story: Story
    count: int
    oldest: float
    youngest: float
    status: Status | None = None
    """None: follows from the events."""
    entity: str | None = None
    until_failure: bool = False
    """The days count from its last failure, not from the deal."""


CAST = (
    Casting("healthy", stories.healthy, 170, 7 * WEEKS, 0),
    Casting("hubspot", stories.healthy, 18, 7 * WEEKS, 0, entity="UK01"),
    Casting("migrated", stories.migrated, 6, 7 * WEEKS, 10, entity="DE01"),
    Casting("stuck", stories.stuck, 13, 12, 3, "stuck"),
    Casting("rejected", stories.rejected, 4, 9, 3, "stuck", "UK01"),
    Casting("split", stories.split, 5, 30, 2),
    Casting("late-invoice", stories.late_invoice, 9, 45, 28, "late"),
    Casting("late-payment", stories.late_payment, 8, 66, 60, "late"),
    Casting("failing", stories.untaxed, 6, 1.2, 0.05, "stuck", "DE01", until_failure=True),
    Casting("blocked", stories.untaxed, 5, 9, 3.5, "stuck", "DE01", until_failure=True),
    Casting("nameless", stories.nameless, 3, 6, 1, "stuck", "US01"),
    Casting("expired", stories.expired, 8, 2, 0.3, "stuck", "US01", until_failure=True),
    Casting("unknown-outcome", stories.unknown_outcome, 2, 3, 0.3, "stuck", "SG01", until_failure=True),
    Casting("taken", stories.taken, 2, 4, 1, "stuck", "US02", until_failure=True),
    Casting("recovered", stories.recovered, 16, 50, 25),
    Casting("duplicated", stories.duplicated, 12, 50, 3),
    Casting("resent", stories.resent, 6, 50, 20),
    Casting("out-of-order", stories.out_of_order, 14, 54, 46),
    Casting("credited", stories.credited, 8, 54, 25),
    Casting("lost", stories.lost, 14, 50, 1, "dropped"),
    Casting("cancelled", stories.cancelled, 5, 50, 25, "dropped"),
    Casting("internal", stories.internal, 4, 40, 5, "absent"),
    Casting("orphan", stories.orphan, 5, 12, 1, "in_flight"),
    Casting("adopted", stories.adopted, 5, 50, 30),
    Casting("placeholder", stories.placeholder, 6, 50, 5, entity="DE01"),
)
SHARED_INVOICES = (3, 4, 5, 6)
"""Projects on each consolidated invoice."""
BATCHES = (4, 4, 5)
"""Deals in each ambiguous nightly batch."""


def plan(seed: int, now: datetime) -> Plan:
    """The history of the firm until `now` (aware), and what would come next."""
    rng = random.Random(seed)
    told: list[tuple[str, Status | None, list[Deal]]] = []
    numbers = iter(range(100, 100_000))
    for casting in CAST:
        for _ in range(casting.count):
            deal = _tell(casting, rng, now, f"{seed}x{next(numbers)}")
            told.append((casting.kind, casting.status, [deal]))
    for size in SHARED_INVOICES:
        deals, won = _group(rng, now, size, numbers, seed)
        stories.consolidated(deals, won)
        told.append(("shared", None, deals))
    for size in BATCHES:
        deals, won = _group(rng, now, size, numbers, seed)
        stories.batched(deals, won)
        told.append(("ambiguous", None, deals))
    everything = [event for _, _, deals in told for deal in deals for event in deal.events]
    past = [replace(event, sent=min(event.sent, now)) for event in everything if event.time <= now]
    future = [event for event in everything if event.time > now]
    told_of: dict[str, list[PlannedEvent]] = defaultdict(list)
    for event in past:
        for root in dict.fromkeys(event.journeys):
            told_of[root].append(event)
    journeys = {
        deal.root: _expect(kind, status, deal.root, told_of[deal.root])
        for kind, status, deals in told
        for deal in deals
    }
    return Plan(
        seed,
        now,
        tuple(sorted(past, key=lambda event: (event.sent, event.event.id or ""))),
        tuple(sorted(future, key=lambda event: (event.time, event.event.id or ""))),
        journeys,
    )


def live_stories(seed: int, label: str) -> Iterator[tuple[str, list[PlannedEvent]]]:
    """Endless new deals: kind and events, in order of sending, on a time line that the caller compresses.

    Args:
        seed: of every choice.
        label: distinguishes the keys from those of the history and of other runs.
    """
    rng = random.Random(f"{seed}/live")
    usual = [casting for casting in CAST if casting.kind in _LIVE]
    weights = [_LIVE[casting.kind] for casting in usual]
    number = 0
    while True:
        number += 1
        casting = rng.choices(usual, weights)[0]
        deal = Deal(f"{label}{number}", rng, entity=_entity(casting.entity))
        casting.story(deal, datetime.fromisoformat("2026-01-05T15:00:00+00:00"))
        yield casting.kind, sorted(deal.events, key=lambda event: event.sent)


_LIVE = {
    "healthy": 50, "hubspot": 8, "stuck": 12, "failing": 8, "recovered": 12, "duplicated": 5, "credited": 5,
    "lost": 4, "split": 4, "out-of-order": 3, "nameless": 3, "expired": 3,
}  # fmt: skip
"""Weight of each story while live."""


def _tell(casting: Casting, rng: random.Random, now: datetime, label: str) -> Deal:
    entity = _entity(casting.entity) or rng.choice(ENTITIES)
    if casting.until_failure:
        return _recent_failure(casting, rng, entity, now, label)
    deal = Deal(label, rng, entity=entity)
    won = now - timedelta(days=rng.uniform(casting.youngest, casting.oldest))
    won = working(won, entity, rng)
    while won > now - timedelta(days=casting.youngest):  # moved past the bound by a weekend
        won = working(won - timedelta(days=3), entity, rng)
    casting.story(deal, won)
    return deal


def _recent_failure(casting: Casting, rng: random.Random, entity: Entity, now: datetime, label: str) -> Deal:
    """A deal whose invoice was last refused so many days ago: tell the story, then move it as a whole."""
    deal = Deal(label, rng, entity=entity)
    casting.story(deal, working(now - timedelta(days=20), entity, rng))
    last = now - timedelta(days=rng.uniform(casting.youngest, casting.oldest))
    shift = last - max(event.time for event in deal.events)
    deal.events = [moved(event, event.time + shift) for event in deal.events]
    return deal


def moved(event: PlannedEvent, time: datetime) -> PlannedEvent:
    """The same event at another time, sent as it happens."""
    accounting_date = time.date() if event.event.accounting_date else None
    return replace(event, event=replace(event.event, time=time, accounting_date=accounting_date), sent=time)


def _group(
    rng: random.Random, now: datetime, size: int, numbers: Iterator[int], seed: int
) -> tuple[list[Deal], datetime]:
    entity = rng.choice(ENTITIES)
    deals = [Deal(f"{seed}x{next(numbers)}", rng, entity=entity) for _ in range(size)]
    return deals, working(now - timedelta(days=rng.uniform(22, 48)), entity, rng)


def _entity(code: str | None) -> Entity | None:
    return next((entity for entity in ENTITIES if entity.code == code), None)


def _expect(kind: str, status: Status | None, root: str, events: list[PlannedEvent]) -> Expected:
    names = Counter(event.event.event for event in events if not event.event.failed)
    if status is None:
        status = "completed" if names[v.PAYMENT_APPLIED] else "in_flight"
    codes = {
        event.event.exception_code or ""
        for event in events
        if event.event.failed and not names[event.event.event]
    }
    shared = any(other != root for event in events for other in event.journeys)
    absent = status == "absent"
    return Expected(kind, status, 0 if absent else len(events), tuple(sorted(codes)), shared)
