"""What is to be told, in the control store: put there once, sent until it is taken or given up.

An attempt is noted after it was made. A death in between repeats it, with the same id and the same content.
"""

from __future__ import annotations

import dataclasses
import random
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from throughline.collector.acting_schema import deliveries, subscription_states
from throughline.correlator.outbound.messages import Message
from throughline.correlator.outbound.sending import Answer

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from throughline.collector.control import ControlStore
    from throughline.correlator.outbound.subscriptions import Subscription

WAITING, DELIVERED, DEAD = "waiting", "delivered", "dead"
SCHEDULE = tuple(
    timedelta(seconds=seconds)
    for seconds in (5, 30, 120, 600, 1_800, 3_600, 3 * 3_600, 6 * 3_600, 12 * 3_600, 24 * 3_600)
)
"""What is waited after the first, second, ... failed attempt, but for a tenth more or less."""
PAUSE_AFTER = 5
"""Failures in a row after which a subscription is paused, from a minute to an hour, the longer the more."""
SHORTEST_PAUSE, LONGEST_PAUSE = timedelta(minutes=1), timedelta(hours=1)
KEPT = timedelta(days=30)
"""How long the log holds what was delivered, and how long anything may wait."""


@dataclasses.dataclass(frozen=True, slots=True)
class Delivery:
    """One message to one subscription, and how far it is."""

    id: str
    type: str
    subject: str
    event: str
    state: str
    attempts: int
    created_at: datetime
    next_at: datetime
    last_at: datetime | None
    answer: str

    @property
    def message(self) -> Message:
        """What is sent."""
        return Message(self.id, self.type, self.subject, self.event)


@dataclasses.dataclass(frozen=True, slots=True)
class Standing:
    """How a subscription fares. `since` is when it was first seen; nothing older is told. `skipped` counts
    what was too old when it was noticed, `failures` those in a row.
    """

    since: datetime
    skipped: int = 0
    failures: int = 0
    failing_since: datetime | None = None
    paused_until: datetime | None = None
    delivered_at: datetime | None = None
    waiting: int = 0
    oldest_waiting: datetime | None = None
    delivered: int = 0
    dead: int = 0


class Outbox:
    """The deliveries of all tenants."""

    def __init__(self, control: ControlStore) -> None:
        self._control = control

    def begin(self, subscription: Subscription, now: datetime) -> datetime:
        """Since when a subscription is told things; the first call says since now."""
        row = {"tenant": subscription.tenant, "subscription": subscription.id, "since": now}
        made = self._control.insert(subscription_states).values(**row, skipped=0, failures=0)
        found = sa.select(subscription_states.c.since).where(_of(subscription_states, subscription))
        with self._control.transaction() as connection:
            connection.execute(made.on_conflict_do_nothing())
            since: datetime = connection.execute(found).scalar_one()
        return since

    def add(self, subscription: Subscription, messages: Sequence[Message], now: datetime) -> None:
        """Put messages in; those that are in already stay as they are."""
        if not messages:
            return
        common = {"tenant": subscription.tenant, "subscription": subscription.id, "state": WAITING}
        rows = [
            {
                **common,
                **dataclasses.asdict(one),
                "attempts": 0,
                "created_at": now,
                "next_at": now,
                "answer": "",
            }
            for one in messages
        ]
        with self._control.transaction() as connection:
            connection.execute(self._control.insert(deliveries).on_conflict_do_nothing(), rows)

    def skip(self, subscription: Subscription, count: int) -> None:
        """Count what was too old to be told."""
        if count:
            values = {"skipped": subscription_states.c.skipped + count}
            self._change(subscription_states, _of(subscription_states, subscription), **values)

    def due(self, subscription: Subscription, now: datetime, limit: int) -> list[Delivery]:
        """What is to be sent now, oldest first; nothing while the subscription is paused."""
        standing = sa.select(subscription_states).where(_of(subscription_states, subscription))
        wanted = (
            sa.select(*_DELIVERY)
            .where(_of(deliveries, subscription), deliveries.c.state == WAITING, deliveries.c.next_at <= now)
            .order_by(deliveries.c.next_at, deliveries.c.created_at, deliveries.c.id)
        )
        with self._control.transaction() as connection:
            state = connection.execute(standing).mappings().first()
            if state is None or (state["paused_until"] is not None and state["paused_until"] > now):
                return []
            # One that fails tells whether the others would: after a pause it goes alone.
            most = 1 if state["failures"] >= PAUSE_AFTER else limit
            return [Delivery(*row) for row in connection.execute(wanted.limit(most))]

    def note(self, subscription: Subscription, sent: Delivery, answer: Answer, now: datetime) -> bool:
        """Note an attempt; returns whether the subscription may be sent more now."""
        mine = sa.and_(_of(deliveries, subscription), deliveries.c.id == sent.id)
        attempts = sent.attempts + 1
        said = f"{answer.status} {answer.text}".strip() if answer.status else answer.text
        values: dict[str, Any] = {"attempts": attempts, "last_at": now, "answer": said}
        with self._control.transaction() as connection:
            if answer.accepted:
                connection.execute(sa.update(deliveries).where(mine).values(state=DELIVERED, **values))
                fine = {"failures": 0, "failing_since": None, "paused_until": None, "delivered_at": now}
                state = sa.update(subscription_states).where(_of(subscription_states, subscription))
                connection.execute(state.values(**fine))
                return True
            given_up = attempts >= subscription.attempts
            values |= {"state": DEAD} if given_up else {"next_at": now + _wait(attempts, answer)}
            connection.execute(sa.update(deliveries).where(mine).values(**values))
            return self._failed(connection, subscription, now)

    def _failed(self, connection: sa.Connection, subscription: Subscription, now: datetime) -> bool:
        which = _of(subscription_states, subscription)
        failures, since = connection.execute(
            sa.select(subscription_states.c.failures, subscription_states.c.failing_since).where(which)
        ).one()
        failures += 1
        paused = None
        if failures >= PAUSE_AFTER:
            longer = SHORTEST_PAUSE * 2 ** min(failures - PAUSE_AFTER, 10)
            paused = now + min(longer, LONGEST_PAUSE)
        values = {"failures": failures, "failing_since": since or now, "paused_until": paused}
        connection.execute(sa.update(subscription_states).where(which).values(**values))
        return paused is None

    def resume(self, subscription: Subscription, now: datetime) -> int:
        """End a pause and try again at once what failed, given up or not; returns how many wait now."""
        again = {"state": WAITING, "next_at": now, "attempts": 0}
        failed = sa.or_(deliveries.c.state == DEAD, deliveries.c.attempts > 0)
        mine = sa.and_(_of(deliveries, subscription), deliveries.c.state != DELIVERED, failed)
        self._change(deliveries, mine, **again)
        fine = {"failures": 0, "failing_since": None, "paused_until": None}
        self._change(subscription_states, _of(subscription_states, subscription), **fine)
        return self.standing(subscription).waiting

    def standing(self, subscription: Subscription) -> Standing:
        """How a subscription fares; one that nobody has begun stands at the beginning of time."""
        state = sa.select(subscription_states).where(_of(subscription_states, subscription))
        counts = (
            sa.select(deliveries.c.state, sa.func.count(), sa.func.min(deliveries.c.created_at))
            .where(_of(deliveries, subscription))
            .group_by(deliveries.c.state)
        )
        with self._control.transaction() as connection:
            found = connection.execute(state).mappings().first()
            counted = {row[0]: (int(row[1]), row[2]) for row in connection.execute(counts)}
        names = ("since", "skipped", "failures", "failing_since", "paused_until", "delivered_at")
        known = {name: found[name] for name in names} if found else {"since": _BEGINNING}
        return Standing(
            **known,
            waiting=counted.get(WAITING, (0, None))[0],
            oldest_waiting=counted.get(WAITING, (0, None))[1],
            delivered=counted.get(DELIVERED, (0, None))[0],
            dead=counted.get(DEAD, (0, None))[0],
        )

    def log(self, subscription: Subscription, *, state: str = "", limit: int = 50) -> list[Delivery]:
        """The latest deliveries, newest first."""
        wanted = sa.select(*_DELIVERY).where(_of(deliveries, subscription))
        if state:
            wanted = wanted.where(deliveries.c.state == state)
        newest = wanted.order_by(deliveries.c.created_at.desc(), deliveries.c.id).limit(limit)
        with self._control.transaction() as connection:
            return [Delivery(*row) for row in connection.execute(newest)]

    def forget(self, now: datetime) -> None:
        """Drop what is long delivered, and give up what has waited as long; what was given up stays."""
        old = sa.and_(deliveries.c.state == DELIVERED, deliveries.c.last_at < now - KEPT)
        stale = sa.and_(deliveries.c.state == WAITING, deliveries.c.created_at < now - KEPT)
        said = {"state": DEAD, "answer": f"not taken within {KEPT.days} days"}
        with self._control.transaction() as connection:
            connection.execute(sa.delete(deliveries).where(old))
            connection.execute(sa.update(deliveries).where(stale).values(**said))

    def _change(self, table: sa.Table, which: sa.ColumnElement[bool], **values: Any) -> None:
        with self._control.transaction() as connection:
            connection.execute(sa.update(table).where(which).values(**values))


_BEGINNING = datetime.fromisoformat("1970-01-01T00:00:00+00:00")
_DELIVERY: Iterable[sa.Column[Any]] = tuple(
    deliveries.c[field.name] for field in dataclasses.fields(Delivery)
)


def _of(table: sa.Table, subscription: Subscription) -> sa.ColumnElement[bool]:
    return sa.and_(table.c.tenant == subscription.tenant, table.c.subscription == subscription.id)


def _wait(attempts: int, answer: Answer) -> timedelta:
    """Until the next attempt; a subscriber that names a longer time is given it."""
    usual = SCHEDULE[min(attempts, len(SCHEDULE)) - 1] * random.uniform(0.9, 1.1)  # noqa: S311 spreads load
    asked = timedelta(seconds=answer.retry_after or 0)
    return max(usual, asked)
