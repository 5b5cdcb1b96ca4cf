"""Replays and their items in the control store.

Nothing changes but by a transition, and a transition is made on the state that its author saw: of two at once
the database takes one, and the other is told.
"""

from __future__ import annotations

import dataclasses
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from throughline.collector.acting_schema import replay_items as items
from throughline.collector.acting_schema import replay_transitions as transitions
from throughline.collector.acting_schema import replays
from throughline.collector.copying import copy_waiting
from throughline.collector.store import Role
from throughline.correlator.replay.records import (
    ENDED,
    FOLLOWING,
    Item,
    ItemState,
    Replay,
    ReplayState,
    Transition,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from throughline.collector.control import ControlStore
    from throughline.collector.store import Store

LATE = timedelta(days=7)
"""So long after its deadline an effect still counts."""
MOST_READ = 1_000
"""Items whose effect is looked for at once; the next look goes on where this one ended."""
_MOST_COPIED = 2_000
_COPY = (
    "Tenant", "Replay", "Item", "Number", "State", "Before", "Outcome", "At", "Actor", "Reason", "Attempt",
    "Kind", "Target", "Process", "ExceptionId", "Fingerprint",
)  # fmt: skip


class Ledger:
    """The replays of all tenants."""

    def __init__(self, control: ControlStore) -> None:
        self._control = control

    def add(self, replay: Replay, planned: Sequence[Item], *, actor: str) -> list[Item]:
        """Store a new replay; an exception that another one has in hand becomes a refused item."""
        with self._control.transaction() as connection:
            connection.execute(sa.insert(replays).values(**dataclasses.asdict(replay)))
            kept = [self._add_item(connection, item) for item in planned]
            notes = [
                _transition(
                    replay, 0, "", replay.state, at=replay.requested_at, actor=actor, reason=replay.reason
                )
            ]
            notes += [
                _transition(
                    one, one.item, "", one.state, at=replay.requested_at, actor=actor, reason=one.note
                )
                for one in kept
            ]
            connection.execute(sa.insert(transitions), notes)
        return kept

    def replay(self, tenant: str, identity: str) -> Replay | None:
        """One replay."""
        with self._control.transaction() as connection:
            row = (
                connection.execute(
                    sa.select(replays).where(replays.c.tenant == tenant, replays.c.id == identity)
                )
                .mappings()
                .first()
            )
        return Replay(**row) if row else None

    def replays(
        self, tenant: str, *, state: str = "", limit: int = 100, before: datetime | None = None
    ) -> list[Replay]:
        """The latest replays of a tenant, newest first."""
        wanted = sa.select(replays).where(replays.c.tenant == tenant)
        if state:
            wanted = wanted.where(replays.c.state == state)
        if before:
            wanted = wanted.where(replays.c.requested_at < before)
        with self._control.transaction() as connection:
            latest = wanted.order_by(replays.c.requested_at.desc()).limit(limit)
            rows = connection.execute(latest).mappings().all()
        return [Replay(**row) for row in rows]

    def running(self) -> list[Replay]:
        """Every replay that sends, oldest first."""
        wanted = sa.select(replays).where(replays.c.state == "running").order_by(replays.c.requested_at)
        with self._control.transaction() as connection:
            return [Replay(**row) for row in connection.execute(wanted).mappings()]

    def items(self, replay: Replay, *, first: int = 1, last: int = 10**9) -> list[Item]:
        """The items of a replay from one to another, in order."""
        return self._items(
            items.c.tenant == replay.tenant, items.c.replay == replay.id, items.c.item.between(first, last)
        )

    def in_hand(self, tenant: str, exceptions: Sequence[str]) -> dict[str, str]:
        """Which replay has which of these exceptions in hand."""
        found = self._items(
            items.c.tenant == tenant,
            items.c.active,
            items.c.exception.in_(sa.bindparam("several", expanding=True)),
            several=list(exceptions),
        )
        return {item.exception: item.replay for item in found}

    def sent_before(self, tenant: str, keys: Sequence[str]) -> dict[str, datetime]:
        """When calls under these idempotency keys were taken, and not found to do nothing."""
        found = self._items(
            items.c.tenant == tenant,
            items.c.state.in_(["accepted", "verified"]),
            items.c.idempotency_key.in_(sa.bindparam("several", expanding=True)),
            several=list(keys),
        )
        return {item.idempotency_key: item.sent_at for item in found if item.sent_at}

    def unsettled(self, after: Item | None = None, limit: int = MOST_READ) -> list[Item]:
        """Items whose effect is looked for: their call was taken, or nobody knows what became of it, or it is
        to be made again. The first ones after another.
        """
        waiting = items.c.state.in_(["sent", "accepted", "planned"])
        return self._items(waiting, items.c.sent_at.is_not(None), _after(after), limit=limit)

    def settled_lately(self, now: datetime, after: Item | None = None, limit: int = MOST_READ) -> list[Item]:
        """Items that may still show an effect, one too late or a second one. The first ones after another."""
        ended = items.c.state.in_(["unverified", "failed", "verified"])
        wanted = (ended, items.c.sent_at > now - LATE, items.c.duplicated == sa.false())
        return self._items(*wanted, _after(after), limit=limit)

    def counts(self, replay: Replay, *, last: int = 10**9) -> dict[str, int]:
        """How many items of a replay are in each state, up to an item."""
        wanted = (
            sa.select(items.c.state, sa.func.count())
            .where(items.c.tenant == replay.tenant, items.c.replay == replay.id, items.c.item <= last)
            .group_by(items.c.state)
        )
        with self._control.transaction() as connection:
            return {str(state): int(count) for state, count in connection.execute(wanted)}

    def due(self, replay: Replay, now: datetime, limit: int) -> list[Item]:
        """Items of the present batch whose call is to be made now."""
        return self._items(
            items.c.tenant == replay.tenant,
            items.c.replay == replay.id,
            items.c.state == "planned",
            items.c.item <= replay.batch_until,
            sa.or_(items.c.next_at.is_(None), items.c.next_at <= now),
            limit=limit,
        )

    def planned(self, replay: Replay, limit: int) -> list[Item]:
        """The first items of a replay that nothing was done about."""
        mine = (items.c.tenant == replay.tenant, items.c.replay == replay.id, items.c.state == "planned")
        return self._items(*mine, limit=limit)

    def abandoned(self, now: datetime) -> list[Item]:
        """Items whose call began and whose worker has not said how it ended within its time."""
        return self._items(
            items.c.state == "sent", items.c.claimed_until <= now, items.c.uncertain == sa.false()
        )

    def move(
        self, item: Item, state: ItemState, now: datetime, *, actor: str, reason: str, **values: Any
    ) -> Item | None:
        """Lead an item to a state; None if it is no longer as the author saw it.

        Raises: ValueError, for a step that FOLLOWING does not know.
        """
        if state not in FOLLOWING.get(item.state, frozenset()):
            message = f"an item that is {item.state} can't become {state}"
            raise ValueError(message)
        following = dataclasses.replace(
            item, state=state, number=item.number + 1, active=state not in ENDED, note=reason, **values
        )
        changed = {
            name: value
            for name, value in dataclasses.asdict(following).items()
            if name not in {"tenant", "replay", "item"} and value != getattr(item, name)
        }
        mine = (
            items.c.tenant == item.tenant, items.c.replay == item.replay, items.c.item == item.item,
            items.c.number == item.number, items.c.state == item.state,
        )  # fmt: skip
        with self._control.transaction() as connection:
            if connection.execute(sa.update(items).where(*mine).values(**changed)).rowcount != 1:
                return None
            note = _transition(following, item.item, item.state, state, at=now, actor=actor, reason=reason)
            connection.execute(sa.insert(transitions).values(note))
        return following

    def lead(
        self, replay: Replay, state: ReplayState, now: datetime, *, actor: str, reason: str, **values: Any
    ) -> Replay | None:
        """Lead a replay to a state, or change something else of it; None if somebody else has changed it."""
        following = dataclasses.replace(replay, state=state, number=replay.number + 1, note=reason, **values)
        mine = (
            replays.c.tenant == replay.tenant, replays.c.id == replay.id,
            replays.c.number == replay.number, replays.c.state == replay.state,
        )  # fmt: skip
        changed = dataclasses.asdict(following)
        with self._control.transaction() as connection:
            if connection.execute(sa.update(replays).where(*mine).values(**changed)).rowcount != 1:
                return None
            note = _transition(following, 0, replay.state, state, at=now, actor=actor, reason=reason)
            connection.execute(sa.insert(transitions).values(note))
        return following

    def move_all(
        self, replay: Replay, before: ItemState, state: ItemState, now: datetime, *, actor: str, reason: str
    ) -> int:
        """Lead every item of a replay that is in one state to another; returns how many.

        Raises: ValueError, for a step that FOLLOWING does not know.
        """
        if state not in FOLLOWING.get(before, frozenset()):
            message = f"an item that is {before} can't become {state}"
            raise ValueError(message)
        mine = (items.c.tenant == replay.tenant, items.c.replay == replay.id, items.c.state == before)
        changed = sa.update(items).where(*mine)
        changed = changed.values(
            state=state, number=items.c.number + 1, active=state not in ENDED, note=reason
        )
        told = changed.returning(items.c.item, items.c.number, items.c.outcome, items.c.attempts)
        with self._control.transaction() as connection:
            moved = connection.execute(told).all()
            notes = [
                {
                    "tenant": replay.tenant, "replay": replay.id, "item": item, "number": number,
                    "before": before, "state": state, "outcome": outcome, "at": now, "actor": actor,
                    "reason": reason, "attempt": attempts, "copied": False,
                }
                for item, number, outcome, attempts in moved
            ]  # fmt: skip
            if notes:
                connection.execute(sa.insert(transitions), notes)
        return len(moved)

    def history(self, tenant: str, replay: str) -> list[Transition]:
        """What became of a replay and its items, in order."""
        names = [field.name for field in dataclasses.fields(Transition)]
        wanted = sa.select(*(transitions.c[name] for name in names)).where(
            transitions.c.tenant == tenant, transitions.c.replay == replay
        )
        with self._control.transaction() as connection:
            return [Transition(*row) for row in connection.execute(wanted.order_by(transitions.c.id))]

    def copy(self, store: Store) -> int:
        """Bring transitions to ClickHouse that are not there yet; copied twice counts once.

        Raises: StoreError.
        """
        waiting = (
            sa.select(
                transitions,
                replays.c.kind,
                replays.c.target,
                items.c.process,
                items.c.exception,
                items.c.fingerprint,
            )
            .join(
                replays,
                sa.and_(replays.c.tenant == transitions.c.tenant, replays.c.id == transitions.c.replay),
            )
            .outerjoin(
                items,
                sa.and_(
                    items.c.tenant == transitions.c.tenant,
                    items.c.replay == transitions.c.replay,
                    items.c.item == transitions.c.item,
                ),
            )
            .where(transitions.c.copied == sa.false())
            .order_by(transitions.c.id)
            .limit(_MOST_COPIED)
        )

        def insert(rows: Sequence[sa.RowMapping]) -> None:
            store.insert_rows("replay_transitions", [_copied(row) for row in rows], _COPY, role=Role.PAGES)

        return copy_waiting(self._control, waiting, transitions, insert)

    def _add_item(self, connection: sa.Connection, item: Item) -> Item:
        insert = self._control.insert(items).values(**dataclasses.asdict(item))
        if not item.active:
            connection.execute(insert)
            return item
        done = insert.on_conflict_do_nothing(
            index_elements=["tenant", "exception"], index_where=sa.text("active")
        ).returning(items.c.item)
        if connection.execute(done).scalar_one_or_none() is not None:
            return item
        refused = dataclasses.replace(
            item, state="refused", active=False, note="Another replay has it in hand."
        )
        connection.execute(sa.insert(items).values(**dataclasses.asdict(refused)))
        return refused

    def _items(
        self, *conditions: sa.ColumnElement[bool], limit: int | None = None, **parameters: Any
    ) -> list[Item]:
        wanted = sa.select(items).where(*conditions).order_by(items.c.tenant, items.c.replay, items.c.item)
        wanted = wanted.limit(limit) if limit is not None else wanted
        with self._control.transaction() as connection:
            return [Item(**row) for row in connection.execute(wanted, parameters).mappings()]


def _after(item: Item | None) -> sa.ColumnElement[bool]:
    """Whether an item comes after another, in the order in which items are read."""
    if item is None:
        return sa.true()
    place = sa.tuple_(items.c.tenant, items.c.replay, items.c.item)
    return place > sa.tuple_(sa.literal(item.tenant), sa.literal(item.replay), sa.literal(item.item))


def _transition(
    of: Replay | Item, item: int, before: str, state: str, *, at: datetime, actor: str, reason: str
) -> dict[str, Any]:
    return {
        "tenant": of.tenant,
        "replay": of.id if isinstance(of, Replay) else of.replay,
        "item": item,
        "number": of.number,
        "before": before,
        "state": state,
        "outcome": of.outcome if isinstance(of, Item) else "",
        "at": at,
        "actor": actor,
        "reason": reason,
        "attempt": of.attempts if isinstance(of, Item) else 0,
        "copied": False,
    }


def _copied(row: sa.RowMapping) -> tuple[Any, ...]:
    item = f"{row['replay']}.{row['item']}" if row["item"] else ""
    return (
        row["tenant"], row["replay"], item, row["number"], row["state"], row["before"], row["outcome"],
        row["at"], row["actor"], row["reason"], row["attempt"], row["kind"], row["target"],
        row["process"] or "", int(row["exception"] or "0", 16), int(row["fingerprint"] or "0", 16),
    )  # fmt: skip
