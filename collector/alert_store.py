"""Where alerts stand, and every change of it: the control store decides, ClickHouse gets a copy.

A group of rules is evaluated at one time and stored in one transaction: the changes of its alerts, each
conditional on the revision that the evaluation began from; the transitions; how the rules fared; and that the
group was evaluated. Of two evaluators the second finds other revisions, and stores nothing. A process that
dies before the commit has done nothing, one that dies after it has done everything. A transition's id follows
from what it is, so that it exists once.

Delivery reads `transitions` after a number of its own, and nothing else.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from throughline.collector.alert_schema import (
    alert_groups,
    alert_rules,
    alert_states,
    alert_transitions,
)
from throughline.collector.control import fence
from throughline.collector.store import Role
from throughline.probes.errors import ControlError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from throughline.collector.control import ControlStore, Lease
    from throughline.collector.store import Store

KEPT = timedelta(hours=24)
"""How long an alert that has ended is listed; its transitions stay."""
_MOST_COPIED = 1_000
_COPY = (
    "Tenant", "Id", "Number", "Rule", "GroupName", "Fingerprint", "Alert", "Labels", "Annotations", "Value",
    "Old", "New", "At", "StartsAt", "EndsAt", "Reason",
)  # fmt: skip


class StaleEvaluation(ControlError):
    """Another evaluator has stored this evaluation or a later one: nothing was stored, the next follows."""

    permanent = False


@dataclasses.dataclass(frozen=True, slots=True)
class StoredAlert:
    """One alert as it stands; `revision` grows with every change. The key is tenant, rule and fingerprint."""

    rule: str
    fingerprint: str
    group_name: str
    alert: str
    labels: dict[str, str]
    annotations: dict[str, str]
    value: float | None
    state: str
    active_at: datetime
    fired_at: datetime | None
    gone_at: datetime | None
    resolved_at: datetime | None
    held: str
    revision: int
    evaluated_at: datetime


@dataclasses.dataclass(frozen=True, slots=True)
class Transition:
    """One change of one alert, as delivery reads it. `number` grows; numbers may be missing."""

    number: int
    id: str
    tenant: str
    rule: str
    fingerprint: str
    group_name: str
    alert: str
    labels: dict[str, str]
    annotations: dict[str, str]
    value: float | None
    old: str
    new: str
    at: datetime
    starts_at: datetime
    ends_at: datetime | None
    reason: str


@dataclasses.dataclass(frozen=True, slots=True)
class Change:
    """An alert as it is to stand, made on `revision` (0: there was none). With a `reason` it is a transition
    from `old`.
    """

    alert: StoredAlert
    revision: int
    old: str
    reason: str


@dataclasses.dataclass(frozen=True, slots=True)
class RuleRecord:
    """How a rule fared at its last evaluation. `failures` and `slow` count those in a row."""

    rule: str
    group_name: str
    definition: str
    evaluated_at: datetime
    seconds: float
    series: int
    error: str = ""
    failures: int = 0
    slow: int = 0
    held: str = ""
    quarantined_at: datetime | None = None
    quarantine: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class GroupRecord:
    """When a group was evaluated last, and how many of its times were missed in all."""

    name: str
    evaluated_at: datetime
    missed: int


class AlertStore:
    """The alerts of all tenants, in a control store."""

    def __init__(self, control: ControlStore) -> None:
        self._control = control

    def alerts(self, tenant: str, group: str | None = None) -> list[StoredAlert]:
        """Where the alerts of a tenant, or of one of its groups, stand."""
        names = [field.name for field in dataclasses.fields(StoredAlert)]
        wanted = sa.select(*(alert_states.c[name] for name in names)).where(alert_states.c.tenant == tenant)
        if group is not None:
            wanted = wanted.where(alert_states.c.group_name == group)
        rows = self._rows(wanted.order_by(alert_states.c.rule, alert_states.c.fingerprint))
        return [StoredAlert(**_read(row)) for row in rows]

    def transitions(self, tenant: str, after: int = 0, limit: int = 1_000) -> list[Transition]:
        """The changes behind a number, in the order in which they were stored."""
        names = [field.name for field in dataclasses.fields(Transition)]
        wanted = sa.select(*(alert_transitions.c[name] for name in names)).where(
            alert_transitions.c.tenant == tenant, alert_transitions.c.number > after
        )
        rows = self._rows(wanted.order_by(alert_transitions.c.number).limit(limit))
        return [Transition(**_read(row)) for row in rows]

    def rules(self, tenant: str) -> dict[str, RuleRecord]:
        """How each rule fared, by its key."""
        names = [field.name for field in dataclasses.fields(RuleRecord)]
        wanted = sa.select(*(alert_rules.c[name] for name in names)).where(alert_rules.c.tenant == tenant)
        return {row["rule"]: RuleRecord(**row) for row in self._rows(wanted)}

    def groups(self, tenant: str) -> dict[str, GroupRecord]:
        """When each group was evaluated."""
        names = [field.name for field in dataclasses.fields(GroupRecord)]
        wanted = sa.select(*(alert_groups.c[name] for name in names)).where(alert_groups.c.tenant == tenant)
        return {row["name"]: GroupRecord(**row) for row in self._rows(wanted)}

    def commit(
        self,
        tenant: str,
        group: GroupRecord,
        changes: Sequence[Change],
        rules: Sequence[RuleRecord],
        *,
        lease: Lease | None,
    ) -> int:
        """Store one evaluation of a group, all or nothing; returns how many transitions it made.

        Raises:
            LeaseLost: the lease has changed hands.
            StaleEvaluation: an alert or the group is not as this evaluation found it.
        """
        made = 0
        with self._control.transaction() as connection:
            if lease is not None:
                fence(connection, lease)
            self._evaluated(connection, tenant, group)
            for change in changes:
                self._change(connection, tenant, change)
                made += self._note(connection, tenant, change)
            for rule in rules:
                values = {"tenant": tenant, **dataclasses.asdict(rule)}
                statement = self._control.insert(alert_rules).values(**values)
                keys = ["tenant", "rule"]
                connection.execute(statement.on_conflict_do_update(index_elements=keys, set_=values))
        return made

    def forget(self, tenant: str, rules: Sequence[str], now: datetime) -> None:
        """Leave out alerts that ended long ago, and what is recorded of rules that are no longer there."""
        old = alert_states.c.state.in_(["resolved", "inactive"])
        ended = sa.delete(alert_states).where(
            alert_states.c.tenant == tenant, old, alert_states.c.resolved_at < now - KEPT
        )
        gone = sa.delete(alert_rules).where(
            alert_rules.c.tenant == tenant, alert_rules.c.rule.not_in(list(rules))
        )
        with self._control.transaction() as connection:
            connection.execute(ended)
            connection.execute(gone)

    def waiting(self) -> list[dict[str, Any]]:
        """Transitions that ClickHouse has not got yet, oldest first."""
        wanted = sa.select(alert_transitions).where(alert_transitions.c.copied == sa.false())
        return self._rows(wanted.order_by(alert_transitions.c.number).limit(_MOST_COPIED))

    def copy(self, store: Store, checkpoint: Callable[[str], None] = lambda _: None) -> int:
        """Bring transitions to ClickHouse that are not there yet; returns how many. Copied twice counts once.

        Raises: StoreError, ControlError; the next call tries again.
        """
        rows = self.waiting()
        if rows:
            store.insert_rows("alert_history", [_copied(row) for row in rows], _COPY, role=Role.ALERTS)
            checkpoint("copied")
            self.mark_copied(rows)
            checkpoint("marked")
        return len(rows)

    def mark_copied(self, rows: Sequence[dict[str, Any]]) -> None:
        """Note that ClickHouse has them."""
        numbers = [row["number"] for row in rows]
        copied = sa.update(alert_transitions).where(alert_transitions.c.number.in_(numbers))
        with self._control.transaction() as connection:
            connection.execute(copied.values(copied=True))

    def _rows(self, statement: sa.Select[Any]) -> list[dict[str, Any]]:
        with self._control.transaction() as connection:
            return [dict(row) for row in connection.execute(statement).mappings()]

    def _evaluated(self, connection: sa.Connection, tenant: str, group: GroupRecord) -> None:
        """Note the time of the evaluation, unless the group has been evaluated then or later."""
        values = {"tenant": tenant, **dataclasses.asdict(group)}
        statement = (
            self._control.insert(alert_groups)
            .values(**values)
            .on_conflict_do_update(
                index_elements=["tenant", "name"],
                set_=values,
                where=alert_groups.c.evaluated_at < group.evaluated_at,
            )
            .returning(alert_groups.c.name)
        )
        if connection.execute(statement).scalar_one_or_none() is None:
            raise StaleEvaluation

    def _change(self, connection: sa.Connection, tenant: str, change: Change) -> None:
        values = {"tenant": tenant, **_written(change.alert)}
        if change.revision:
            mine = sa.and_(
                alert_states.c.tenant == tenant,
                alert_states.c.rule == change.alert.rule,
                alert_states.c.fingerprint == change.alert.fingerprint,
                alert_states.c.revision == change.revision,
            )
            done = connection.execute(sa.update(alert_states).where(mine).values(**values)).rowcount == 1
        else:
            fresh = self._control.insert(alert_states).values(**values).on_conflict_do_nothing()
            made = connection.execute(fresh.returning(alert_states.c.rule)).scalar_one_or_none()
            done = made is not None
        if not done:
            raise StaleEvaluation

    def _note(self, connection: sa.Connection, tenant: str, change: Change) -> int:
        """Add the transition, if it is one."""
        one = change.alert
        if not change.reason or change.old == one.state:
            return 0
        at = one.evaluated_at
        told = json.dumps([tenant, one.rule, one.fingerprint, change.old, one.state, at.isoformat()])
        values = {
            "id": hashlib.sha256(told.encode()).hexdigest()[:32],
            "tenant": tenant,
            "rule": one.rule,
            "fingerprint": one.fingerprint,
            "group_name": one.group_name,
            "alert": one.alert,
            "labels": _text(one.labels),
            "annotations": _text(one.annotations),
            "value": one.value,
            "old": change.old,
            "new": one.state,
            "at": at,
            "starts_at": one.fired_at or one.active_at,
            "ends_at": one.resolved_at,
            "reason": change.reason,
            "copied": False,
        }
        connection.execute(self._control.insert(alert_transitions).values(**values))
        return 1


def _text(texts: dict[str, str]) -> str:
    return json.dumps(texts, sort_keys=True, ensure_ascii=False)


def _written(alert: StoredAlert) -> dict[str, Any]:
    values = dataclasses.asdict(alert)
    return {**values, "labels": _text(alert.labels), "annotations": _text(alert.annotations)}


def _read(row: dict[str, Any]) -> dict[str, Any]:
    return {**row, "labels": json.loads(row["labels"]), "annotations": json.loads(row["annotations"])}


def _copied(row: dict[str, Any]) -> Sequence[Any]:
    labels, annotations = json.loads(row["labels"]), json.loads(row["annotations"])
    return (
        row["tenant"], int(row["id"], 16), row["number"], row["rule"], row["group_name"], row["fingerprint"],
        row["alert"], labels, annotations, row["value"], row["old"], row["new"], row["at"], row["starts_at"],
        row["ends_at"], row["reason"],
    )  # fmt: skip
