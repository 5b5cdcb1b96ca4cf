"""What delivery knows, in the control store: episodes (an alert from firing to its end), what each channel
was told of each, how channels fare.

Transitions are taken in one transaction with the cursor. An attempt is noted after it was made, and only
under the lease; a death in between repeats it, under the same key.
"""

from __future__ import annotations

import dataclasses
import json
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from throughline.collector.alert_schema import (
    alert_channels,
    alert_episodes,
    alert_groups,
    alert_notice_log,
    alert_notices,
    alert_transitions,
)
from throughline.collector.control import fence
from throughline.collector.control_schema import cursors

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from throughline.collector.alert_store import Transition
    from throughline.collector.control import ControlStore, Lease

CURSOR = "alerts delivered"
KEPT = timedelta(days=30)
"""How long the log, and what ended, is kept."""
TRANSITIONS_KEPT = timedelta(days=7)
"""The view `alerts` keeps a copy of each for good."""
WAITS = tuple(timedelta(seconds=seconds) for seconds in (5, 15, 30, 60, 120, 300, 600))
"""What a channel that fails is given after the first, second, ... failure in a row."""
GIVE_UP = timedelta(days=7)


@dataclasses.dataclass(frozen=True, slots=True)
class Episode:
    """One alert, from when it fired until it ended. Its id is that of the transition, and the key in every
    channel.

    `about` is what stood behind it when it fired, as JSON; `silent`: its rule was on trial.
    """

    tenant: str
    id: str
    rule: str
    fingerprint: str
    alert: str
    labels: dict[str, str]
    annotations: dict[str, str]
    value: float | None
    starts_at: datetime
    ends_at: datetime | None
    silent: bool
    about: str
    routed_at: datetime | None
    acknowledged_at: datetime | None
    acknowledged_by: str
    note: str
    useful: bool | None
    judged_by: str


@dataclasses.dataclass(frozen=True, slots=True)
class Notice:
    """What one channel was told of one episode; `done`: nothing more will be. `why` says why not."""

    tenant: str
    channel: str
    episode: str
    told: str
    told_at: datetime | None
    resend_seconds: int
    attempts: int
    done: bool
    batch: str
    why: str
    created_at: datetime


@dataclasses.dataclass(frozen=True, slots=True)
class ChannelState:
    """How a channel fares; `failures` are those in a row, `next_at` when it is tried again."""

    failures: int = 0
    failing_since: datetime | None = None
    next_at: datetime | None = None
    delivered_at: datetime | None = None
    error: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class Outcome:
    """What came of an attempt. `permanent`: this message will never be taken, others may be."""

    accepted: bool
    text: str
    permanent: bool = False
    retry_after: float | None = None


class Ledger:
    """The delivery state of all tenants."""

    def __init__(self, control: ControlStore) -> None:
        self._control = control

    def tenants(self) -> list[str]:
        """Whose alerts are evaluated."""
        wanted = sa.select(alert_groups.c.tenant).distinct().order_by(alert_groups.c.tenant)
        with self._control.transaction() as connection:
            return [str(row[0]) for row in connection.execute(wanted)]

    def cursor(self, tenant: str) -> int:
        """The last transition that was taken."""
        return int(self._control.cursor(tenant, CURSOR) or 0)

    def take(
        self, tenant: str, transitions: Sequence[Transition], silent: frozenset[str], lease: Lease
    ) -> None:
        """Begin and end episodes, and move on, all or nothing. `silent` are rules on trial.

        Raises: LeaseLost.
        """
        with self._control.transaction() as connection:
            fence(connection, lease)
            for one in transitions:
                if one.new == "firing":
                    made = self._control.insert(alert_episodes).values(_begun(one, one.rule in silent))
                    connection.execute(made.on_conflict_do_nothing())
                elif one.old == "firing":
                    ended = sa.update(alert_episodes).where(
                        alert_episodes.c.tenant == tenant,
                        alert_episodes.c.rule == one.rule,
                        alert_episodes.c.fingerprint == one.fingerprint,
                        alert_episodes.c.ends_at.is_(None),
                    )
                    connection.execute(ended.values(ends_at=one.at))
            place = {"value": str(transitions[-1].number)}
            moved = self._control.insert(cursors).values(tenant=tenant, name=CURSOR, **place)
            connection.execute(moved.on_conflict_do_update(index_elements=["tenant", "name"], set_=place))

    def episodes(self, tenant: str, *, now: datetime, lately: timedelta = timedelta()) -> list[Episode]:
        """Those that are open, and those that ended lately, oldest first."""
        still = sa.or_(alert_episodes.c.ends_at.is_(None), alert_episodes.c.ends_at > now - lately)
        return self._episodes(alert_episodes.c.tenant == tenant, still)

    def to_do(self, tenant: str) -> list[Episode]:
        """Those that any channel still has to be told of."""
        unfinished = sa.select(alert_notices.c.episode).where(
            alert_notices.c.tenant == tenant, alert_notices.c.done == sa.false()
        )
        return self._episodes(alert_episodes.c.tenant == tenant, alert_episodes.c.id.in_(unfinished))

    def episode(self, tenant: str, rule: str, fingerprint: str) -> Episode | None:
        """The latest of an alert."""
        found = self._episodes(
            alert_episodes.c.tenant == tenant,
            alert_episodes.c.rule == rule,
            alert_episodes.c.fingerprint == fingerprint,
        )
        return found[-1] if found else None

    def of_rule(self, tenant: str, since: datetime) -> list[Episode]:
        """Everything that fired since a time, for counting by rule."""
        return self._episodes(alert_episodes.c.tenant == tenant, alert_episodes.c.starts_at >= since)

    def change(self, tenant: str, episode: str, **values: Any) -> None:
        """Note what people or routing said of an episode."""
        mine = sa.and_(alert_episodes.c.tenant == tenant, alert_episodes.c.id == episode)
        with self._control.transaction() as connection:
            connection.execute(sa.update(alert_episodes).where(mine).values(**values))

    def route(self, episode: Episode, channels: Mapping[str, timedelta], now: datetime, lease: Lease) -> None:
        """Note that these channels are to be told. Raises: LeaseLost."""
        common = {"tenant": episode.tenant, "episode": episode.id, "told": "", "attempts": 0, "done": False}
        rows = [
            {**common, "channel": name, "resend_seconds": int(resend.total_seconds()), "batch": "",
             "why": "", "created_at": now}
            for name, resend in channels.items()
        ]  # fmt: skip
        mine = sa.and_(alert_episodes.c.tenant == episode.tenant, alert_episodes.c.id == episode.id)
        with self._control.transaction() as connection:
            fence(connection, lease)
            if rows:
                connection.execute(self._control.insert(alert_notices).on_conflict_do_nothing(), rows)
            connection.execute(sa.update(alert_episodes).where(mine).values(routed_at=now))

    def notices(self, tenant: str, *, open_only: bool = True) -> list[Notice]:
        """What channels were told, or are to be."""
        wanted = sa.select(*_columns(alert_notices, Notice)).where(alert_notices.c.tenant == tenant)
        if open_only:
            wanted = wanted.where(alert_notices.c.done == sa.false())
        with self._control.transaction() as connection:
            rows = connection.execute(wanted.order_by(alert_notices.c.created_at, alert_notices.c.episode))
            return [Notice(*row) for row in rows]

    def mark(self, notices: Sequence[Notice], **values: Any) -> None:
        """Change notices alike."""
        with self._control.transaction() as connection:
            for one in notices:
                connection.execute(sa.update(alert_notices).where(_is(one)).values(**values))

    def note(
        self, notices: Sequence[Notice], act: str, outcome: Outcome, now: datetime, lease: Lease
    ) -> None:
        """Note an attempt for the notices that it told of, and how the channel fares. Raises: LeaseLost."""
        tenant, channel = notices[0].tenant, notices[0].channel
        said = "delivered" if outcome.accepted else "dead" if outcome.permanent else "failed"
        with self._control.transaction() as connection:
            fence(connection, lease)
            failing = _state(connection, tenant, channel).failing_since
            for one in notices:
                long = failing is not None and now - max(failing, one.created_at) > GIVE_UP
                dead = outcome.permanent or (not outcome.accepted and long)
                values: dict[str, Any] = {"attempts": one.attempts + 1}
                if outcome.accepted:
                    values |= {"told": act, "told_at": now, "attempts": 0, "why": ""}
                    values["done"] = act in {"resolve", "summary"}
                elif dead:
                    values |= {"done": True, "why": f"given up: {outcome.text}"[:500]}
                connection.execute(sa.update(alert_notices).where(_is(one)).values(**values))
                row = {"tenant": tenant, "channel": channel, "episode": one.episode, "act": act, "at": now}
                answer = {"outcome": "dead" if dead else said, "answer": outcome.text[:500]}
                connection.execute(sa.insert(alert_notice_log).values(**row, **answer))
            self._fared(connection, (tenant, channel), outcome, now)

    def _fared(
        self, connection: sa.Connection, which: tuple[str, str], outcome: Outcome, now: datetime
    ) -> None:
        before = _state(connection, *which)
        if outcome.accepted or outcome.permanent:
            after = ChannelState(delivered_at=now if outcome.accepted else before.delivered_at)
        else:
            usual = WAITS[min(before.failures, len(WAITS) - 1)]
            wait = max(usual, timedelta(seconds=min(outcome.retry_after or 0, 3_600)))
            since = before.failing_since or now
            after = ChannelState(
                before.failures + 1, since, now + wait, before.delivered_at, outcome.text[:500]
            )
        values = dataclasses.asdict(after)
        row = self._control.insert(alert_channels).values(tenant=which[0], channel=which[1], **values)
        connection.execute(row.on_conflict_do_update(index_elements=["tenant", "channel"], set_=values))

    def channel(self, tenant: str, channel: str) -> ChannelState:
        """How a channel fares."""
        with self._control.transaction() as connection:
            return _state(connection, tenant, channel)

    def log(self, tenant: str, channel: str, limit: int) -> list[dict[str, Any]]:
        """The latest attempts of a channel, newest first."""
        table = alert_notice_log.c
        wanted = (
            sa.select(table.episode, table.act, table.at, table.outcome, table.answer)
            .where(table.tenant == tenant, table.channel == channel)
            .order_by(table.number.desc())
            .limit(limit)
        )
        with self._control.transaction() as connection:
            return [dict(row) for row in connection.execute(wanted).mappings()]

    def forget(self, tenant: str, now: datetime) -> None:
        """Drop what is old: the log, what ended long ago, transitions that are taken and copied."""
        old = now - KEPT
        ended = sa.select(alert_episodes.c.id).where(
            alert_episodes.c.tenant == tenant, alert_episodes.c.ends_at < old
        )
        taken = sa.and_(
            alert_transitions.c.tenant == tenant,
            alert_transitions.c.number <= self.cursor(tenant),
            alert_transitions.c.copied == sa.true(),
            alert_transitions.c.at < now - TRANSITIONS_KEPT,
        )
        log = sa.and_(alert_notice_log.c.tenant == tenant, alert_notice_log.c.at < old)
        told = sa.and_(alert_notices.c.tenant == tenant, alert_notices.c.episode.in_(ended))
        gone = sa.and_(alert_episodes.c.tenant == tenant, alert_episodes.c.ends_at < old)
        with self._control.transaction() as connection:
            for table, which in (
                (alert_notice_log, log),
                (alert_notices, told),
                (alert_episodes, gone),
                (alert_transitions, taken),
            ):
                connection.execute(sa.delete(table).where(which))

    def _episodes(self, *conditions: sa.ColumnElement[bool]) -> list[Episode]:
        wanted = sa.select(*_columns(alert_episodes, Episode)).where(*conditions)
        with self._control.transaction() as connection:
            rows = connection.execute(wanted.order_by(alert_episodes.c.starts_at, alert_episodes.c.id))
            return [Episode(**_read(dict(row))) for row in rows.mappings()]


def _begun(one: Transition, silent: bool) -> dict[str, Any]:
    return {
        "tenant": one.tenant, "id": one.id, "rule": one.rule, "fingerprint": one.fingerprint,
        "alert": one.alert, "labels": json.dumps(one.labels), "annotations": json.dumps(one.annotations),
        "value": one.value, "starts_at": one.starts_at, "silent": silent, "about": "",
        "acknowledged_by": "", "note": "", "judged_by": "",
    }  # fmt: skip


def _read(row: dict[str, Any]) -> dict[str, Any]:
    return {**row, "labels": json.loads(row["labels"]), "annotations": json.loads(row["annotations"])}


def _columns(table: sa.Table, shape: type[Any]) -> Iterator[sa.Column[Any]]:
    return (table.c[field.name] for field in dataclasses.fields(shape))


def _is(one: Notice) -> sa.ColumnElement[bool]:
    return sa.and_(
        alert_notices.c.tenant == one.tenant,
        alert_notices.c.channel == one.channel,
        alert_notices.c.episode == one.episode,
    )


def _state(connection: sa.Connection, tenant: str, channel: str) -> ChannelState:
    wanted = sa.select(*_columns(alert_channels, ChannelState)).where(
        alert_channels.c.tenant == tenant, alert_channels.c.channel == channel
    )
    found = connection.execute(wanted).first()
    return ChannelState(*found) if found else ChannelState()
