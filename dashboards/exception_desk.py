"""Acting on exceptions: assign, comment, snooze, close, reopen. Who asks says which state was seen."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Literal, get_args

from throughline.collector.exception_acts import About, ActKind, Case, ExceptionActs
from throughline.dashboards.exception_reader import ExceptionReader
from throughline.dashboards.reader import Reader, Row
from throughline.probes.errors import ThroughlineError

if TYPE_CHECKING:
    from collections.abc import Callable

    from throughline.collector.auth import Principal
    from throughline.collector.control import ControlStore
    from throughline.collector.store import Store

Resolution = Literal[
    "fixed_at_source", "resubmitted", "configuration_changed", "duplicate", "not_an_error", "other"
]
"""How an exception was dealt with, by whoever closes it."""

RESOLUTIONS: tuple[str, ...] = get_args(Resolution)
LONGEST_SNOOZE = timedelta(days=366)


class UnknownException(ThroughlineError):
    """There is no such exception."""


class NotAsSeen(ThroughlineError):
    """The exception is not what it was when somebody decided about it; look at it and decide again."""

    def __init__(self, message: str, present: Row) -> None:
        """Hold the exception as it is now."""
        super().__init__(message)
        self.present = present


class Desk:
    """The exceptions of one tenant, for one person at one clock reading."""

    def __init__(self, store: Store, control: ControlStore, who: Principal, now: datetime) -> None:
        self._store = store
        self._acts = ExceptionActs(control)
        self._who = who
        self._now = now
        self._reader = ExceptionReader(Reader(store, who.tenant, now))

    def assign(
        self, identity: str, revision: int, *, owner: str | None, assignee: str | None, note: str
    ) -> Row:
        """Give it to a team, a person or both; None leaves one as it is, an empty text takes it away.

        This and the others return the exception as it is then. Raises: UnknownException, NotAsSeen.
        """

        def assigned(case: Case, _: Row) -> tuple[ActKind, Case]:
            return "owner_changed", replace(
                case,
                owner=case.owner if owner is None else owner,
                assignee=case.assignee if assignee is None else assignee,
            )

        return self._act(identity, revision, assigned, note)

    def snooze(self, identity: str, revision: int, *, until: datetime, note: str) -> Row:
        """Hide it from the open ones until a time. It goes on blocking its journey."""

        def snoozed(case: Case, row: Row) -> tuple[ActKind, Case]:
            if row["status"] == "resolved":
                raise NotAsSeen("It is resolved; there is nothing to snooze.", row)
            return "snoozed", replace(_open(case), snoozed_until=until)

        return self._act(identity, revision, snoozed, note)

    def close(self, identity: str, revision: int, *, reason: str, note: str) -> Row:
        """Say how it was dealt with, also of one that a success has resolved. A later failure reopens it."""

        def closed(case: Case, row: Row) -> tuple[ActKind, Case]:
            if row["resolution"]:
                raise NotAsSeen(f"{row['resolved_by']} has closed it already: {row['resolution']}.", row)
            return "closed", replace(
                _open(case),
                closed_at=self._now,
                closed_by=self._who.name,
                reason=reason,
                reason_note=note,
                seen_until=row["last_seen"],
            )

        return self._act(identity, revision, closed, note)

    def reopen(self, identity: str, revision: int, *, note: str) -> Row:
        """End a snooze, or take a closing back."""

        def reopened(case: Case, row: Row) -> tuple[ActKind, Case]:
            if row["status"] == "snoozed":
                return "unsnoozed", replace(case, snoozed_until=None)
            if not row["resolution"]:
                resolved = "It is resolved by a success, and opens by itself when it fails again."
                raise NotAsSeen(resolved if row["status"] == "resolved" else "It is open.", row)
            return "reopened", _open(case)

        return self._act(identity, revision, reopened, note)

    def comment(self, identity: str, note: str) -> Row:
        """Say something about it."""
        row = self._present(identity)
        self._acts.comment(self._about(row), actor=self._who.name, note=note, now=self._now)
        return self._present(identity)

    def _act(
        self,
        identity: str,
        revision: int,
        decide: Callable[[Case, Row], tuple[ActKind, Case]],
        note: str,
    ) -> Row:
        row = self._present(identity)
        case = self._acts.case(self._who.tenant, identity)
        done = None
        if case.revision == revision:
            kind, following = decide(case, row)
            done = self._acts.act(
                self._about(row), kind, following, actor=self._who.name, note=note, now=self._now
            )
        present = self._present(identity)
        if done is None:
            seen = f"You saw revision {revision}, it is at {present['revision']}: look again, then decide."
            raise NotAsSeen(f"Somebody else has changed it. {seen}", present)
        return present

    def _present(self, identity: str) -> Row:
        """The exception as it is now, with every act in it."""
        self._acts.copy(self._store)
        row = self._reader.one(identity)
        if row is None:
            raise UnknownException(f"There is no exception {identity}.")
        return row

    def _about(self, row: Row) -> About:
        subject = self._reader.subject(row["id"])
        return About(self._who.tenant, row["id"], row["process"], subject, row["owner"])


def _open(case: Case) -> Case:
    """The same, neither snoozed nor closed."""
    return replace(
        case,
        snoozed_until=None,
        closed_at=None,
        closed_by="",
        reason="",
        reason_note="",
        seen_until=None,
    )
