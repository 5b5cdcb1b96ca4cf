"""What people do about exceptions: append-only acts, each with the state that it led to.

The last act tells the state; nothing is ever changed but the mark that it was copied. An act is made on the
state that its author saw: its `revision`, which grows with every act but comments. Of two at once the
database takes one, and the other is told.

ClickHouse gets a copy of every act, for lists and history: at once from whoever acted, and should that fail,
later from the engine.
"""

from __future__ import annotations

import dataclasses
import uuid
from typing import TYPE_CHECKING, Any, Literal

import sqlalchemy as sa

from throughline.collector.acting_schema import exception_acts as acts
from throughline.collector.copying import copy_waiting
from throughline.collector.store import Role

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from throughline.collector.control import ControlStore
    from throughline.collector.store import Store

ActKind = Literal["owner_changed", "commented", "snoozed", "unsnoozed", "closed", "reopened"]

_MOST_COPIED = 1000
_TRANSITIONS = (
    "Tenant", "Process", "Subject", "ExceptionId", "Kind", "Origin", "At", "Act", "NoticedAt", "Actor",
    "Owner", "Assignee", "Reason", "Note", "Until", "Version",
)  # fmt: skip
_HANDLING = (
    "Tenant", "ExceptionId", "Owner", "Assignee", "SnoozedUntil", "ClosedAt", "ClosedBy", "Reason", "Note",
    "SeenUntil", "Act", "Version",
)  # fmt: skip


@dataclasses.dataclass(frozen=True, slots=True)
class Case:
    """What people have decided about one exception. `seen_until` is the latest failure that whoever closed it
    knew of; `owner` and `reason` are empty where nobody said so.
    """

    revision: int = 0
    owner: str = ""
    assignee: str = ""
    snoozed_until: datetime | None = None
    closed_at: datetime | None = None
    closed_by: str = ""
    reason: str = ""
    reason_note: str = ""
    seen_until: datetime | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class About:
    """The exception that an act is about: its id in hexadecimal, the object that failed, and whose it is,
    whoever says so.
    """

    tenant: str
    exception: str
    process: str
    subject: int
    owned_by: str


class ExceptionActs:
    """The acts of all tenants, in a control store."""

    def __init__(self, control: ControlStore) -> None:
        self._control = control

    def case(self, tenant: str, exception: str) -> Case:
        """The state that people left an exception in."""
        with self._control.transaction() as connection:
            return _last(connection, tenant, exception)[1]

    def act(
        self, about: About, kind: ActKind, case: Case, *, actor: str, note: str, now: datetime
    ) -> Case | None:
        """Add an act that leads to `case`, whose revision is the one that it was made on.

        Returns the new state, or None if somebody else has changed the exception since.
        """
        following = dataclasses.replace(case, revision=case.revision + 1)
        while True:
            with self._control.transaction() as connection:
                number, present = _last(connection, about.tenant, about.exception)
                if present.revision != case.revision:
                    return None
                if self._add(connection, about, kind, following, number + 1, actor=actor, note=note, now=now):
                    return following

    def comment(self, about: About, *, actor: str, note: str, now: datetime) -> Case:
        """Add a comment, whatever else happens."""
        while True:
            with self._control.transaction() as connection:
                number, case = _last(connection, about.tenant, about.exception)
                if self._add(
                    connection, about, "commented", case, number + 1, actor=actor, note=note, now=now
                ):
                    return case

    def copy(self, store: Store) -> int:
        """Bring acts to ClickHouse that are not there yet; returns how many. Copied twice counts once.

        Raises: StoreError, ControlError; the next call tries again.
        """
        waiting = sa.select(acts).where(acts.c.copied == sa.false()).order_by(acts.c.at, acts.c.number)

        def insert(rows: Sequence[sa.RowMapping]) -> None:
            made = [_transition(row) for row in rows]
            store.insert_rows("exception_transitions", made, _TRANSITIONS, role=Role.PAGES)
            deciding = [_handling(row) for row in rows if row["kind"] != "commented"]
            store.insert_rows("exception_handling", deciding, _HANDLING, role=Role.PAGES)

        return copy_waiting(self._control, waiting.limit(_MOST_COPIED), acts, insert)

    def _add(
        self,
        connection: sa.Connection,
        about: About,
        kind: ActKind,
        case: Case,
        number: int,
        *,
        actor: str,
        note: str,
        now: datetime,
    ) -> bool:
        """Add the act of this number; False if there is one already."""
        row = {
            **dataclasses.asdict(case),
            "tenant": about.tenant,
            "exception": about.exception,
            "process": about.process,
            "subject": str(about.subject),
            "owned_by": about.owned_by,
            "number": number,
            "id": uuid.uuid4().hex,
            "kind": kind,
            "at": now,
            "actor": actor,
            "note": note,
            "copied": False,
        }
        statement = self._control.insert(acts).values(**row).on_conflict_do_nothing()
        return connection.execute(statement.returning(acts.c.id)).scalar_one_or_none() is not None


def _last(connection: sa.Connection, tenant: str, exception: str) -> tuple[int, Case]:
    """The number of the last act, and the state that it led to."""
    names = [field.name for field in dataclasses.fields(Case)]
    mine = sa.select(acts.c.number, *(acts.c[name] for name in names)).where(
        acts.c.tenant == tenant, acts.c.exception == exception
    )
    row = connection.execute(mine.order_by(acts.c.number.desc()).limit(1)).first()
    return (0, Case()) if row is None else (row[0], Case(*row[1:]))


def _transition(row: Any) -> Sequence[Any]:
    """Of a closing: whose it was, and the latest failure that was known."""
    closed = row["kind"] == "closed"
    reason, owner = (row["reason"], row["owned_by"]) if closed else ("", row["owner"])
    until = row["seen_until"] if closed else row["snoozed_until"] if row["kind"] == "snoozed" else None
    return (
        row["tenant"], row["process"], int(row["subject"]), int(row["exception"], 16), row["kind"], "person",
        row["at"], int(row["id"], 16), row["at"], row["actor"], owner, row["assignee"], reason,
        row["note"], until, row["number"],
    )  # fmt: skip


def _handling(row: Any) -> Sequence[Any]:
    return (
        row["tenant"], int(row["exception"], 16), row["owner"], row["assignee"], row["snoozed_until"],
        row["closed_at"], row["closed_by"], row["reason"], row["reason_note"],
        row["seen_until"] or row["at"], int(row["id"], 16), row["revision"],
    )  # fmt: skip
