"""Noticing what changed, once: the table `told_transitions`, which `sql/outbound.sql` fills.

Journeys that were folded since the last look are compared with what was told of them. Two looks take all
journeys: the first ever, of which nobody is told, and the one after a rebuild has put another generation in
place. What a rebuild has found is told only if an event did it that arrived since the last look.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from throughline.collector.store import Role, Store, load_queries
from throughline.correlator.passes import ranges
from throughline.correlator.state import utc

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from throughline.collector.control import ControlStore, Lease

SQL = load_queries("throughline.correlator", "outbound")
OVERLAP = timedelta(seconds=120)
"""An insert commits so long after its time stamp at most."""
ACTS_EVERY = timedelta(seconds=5)
ACTS_OVERLAP = timedelta(hours=1)
"""What people did is copied to the store later if it could not be at once."""
LATE_EVERY = timedelta(seconds=15)
LATE_OVERLAP = timedelta(hours=1)
"""A milestone that a silent source kept blind for longer is not told to be late any more."""
CHUNK = 200_000
"""Journeys that one statement looks at."""


@dataclass(frozen=True)
class Look:
    """How far the last look at a process went; `at` is the store's clock then."""

    generation: int
    version: int
    at: datetime

    def written(self) -> str:
        """As a cursor."""
        return json.dumps({**asdict(self), "at": self.at.isoformat()})

    @classmethod
    def read(cls, cursor: str) -> Look:
        """From a cursor."""
        known = json.loads(cursor)
        return cls(known["generation"], known["version"], datetime.fromisoformat(known["at"]))


@dataclass(frozen=True)
class Transition:
    """One row that may be told."""

    message: str
    noticed_at: datetime
    process: str
    subject: str
    id: int
    name: str
    number: int
    kind: str
    at: datetime
    root: int
    actor: str


class Noticing:
    """Looks for one tenant; only the holder of a lease may."""

    def __init__(self, store: Store, control: ControlStore, tenant: str) -> None:
        self._store = store
        self._control = control
        self._tenant = tenant
        self._late_at: datetime | None = None
        self._acts_at: datetime | None = None

    def look(self, lease: Lease) -> None:
        """Notice what changed since the last time. Raises: StoreError, LeaseLost."""
        now = None
        processes = []
        for process, generation, version, clock in self._ask("positions"):
            now = utc(clock)
            processes.append(str(process))
            seen = Look(int(generation), int(version), now)
            before = self._control.cursor(self._tenant, f"told/{process}")
            if self._changed(str(process), None if before is None else Look.read(before), seen):
                self._control.set_cursor(self._tenant, f"told/{process}", seen.written(), lease=lease)
        if now is not None:
            self._acts(now, lease)
            self._late(processes, now, lease)

    def transitions(self, after: tuple[datetime, str], limit: int) -> list[Transition]:
        """What is to be told after a place: when it was noticed, and the message."""
        rows = self._ask("to_tell", noticed=after[0], message=after[1], limit=limit)
        return [
            Transition(str(row[0]), utc(row[1]), str(row[2]), str(row[3]), int(row[4]), str(row[5]),
                       int(row[6]), str(row[7]), utc(row[8]), int(row[9]), str(row[10]))
            for row in rows
        ]  # fmt: skip

    def _changed(self, process: str, before: Look | None, seen: Look) -> bool:
        """Compare what may have changed; whether there was anything to look at."""
        where: dict[str, Any] = {"process": process, "generation": seen.generation}
        if before is not None and before.generation == seen.generation:
            where |= {"after": before.version, "until": seen.version}
            if before.version >= seen.version:
                return False
            if self._ask("anything_changed", **where):
                self._notice("changed", where, before, rebuilt=False, baseline=False)
            return True
        journeys = int(self._ask("count_journeys", **where)[0][0])
        for low, high in ranges(2**64, max(1, -(-journeys // CHUNK))):
            part = {**where, "lo": low, "hi": high}
            self._notice("within", part, before, rebuilt=before is not None, baseline=before is None)
        return True

    def _notice(
        self, journeys: str, where: Mapping[str, Any], before: Look | None, *, rebuilt: bool, baseline: bool
    ) -> None:
        since = before.at - OVERLAP if before else datetime.fromisoformat("1970-01-01T00:00:00+00:00")
        given = {**where, "rebuilt": int(rebuilt), "baseline": int(baseline), "since": since}
        for name in ("notice_milestones", "notice_exceptions"):
            text = SQL[name].replace("@journeys", SQL[journeys])
            self._do(text.replace("@recent", SQL["recent"].replace("{moment}", "At")), **given)

    def _acts(self, now: datetime, lease: Lease) -> None:
        if self._acts_at is not None and now - self._acts_at < ACTS_EVERY:
            return
        before = self._control.cursor(self._tenant, "told-acts")
        since = now if before is None else datetime.fromisoformat(before)
        self._do(SQL["notice_acts"], since=since - ACTS_OVERLAP, baseline=int(before is None))
        self._control.set_cursor(self._tenant, "told-acts", now.isoformat(), lease=lease)
        self._acts_at = now

    def _late(self, processes: Sequence[str], now: datetime, lease: Lease) -> None:
        """Milestones become late by the clock alone; all open ones are looked at, now and then."""
        if self._late_at is not None and now - self._late_at < LATE_EVERY:
            return
        before = self._control.cursor(self._tenant, "told-late")
        if before is not None:
            began, last = (datetime.fromisoformat(one) for one in before.split(" "))
            since = max(last - LATE_OVERLAP, began)
            self._do(SQL["notice_late"], since=since, now=now, processes=processes)
        else:
            began = now
        self._control.set_cursor(
            self._tenant, "told-late", f"{began.isoformat()} {now.isoformat()}", lease=lease
        )
        self._late_at = now

    def _ask(self, name: str, **parameters: object) -> Sequence[Sequence[Any]]:
        given = {"tenant": self._tenant, **parameters}
        rows: Sequence[Sequence[Any]] = self._store.query(SQL[name], given, role=Role.CORRELATOR).result_rows
        return rows

    def _do(self, text: str, **parameters: object) -> None:
        self._store.command(text, {"tenant": self._tenant, **parameters}, role=Role.CORRELATOR)


class Described:
    """What messages say besides the transition: the journey, the milestone, the exception as they stand."""

    def __init__(self, store: Store, tenant: str, now: datetime, some: Sequence[Transition]) -> None:
        self._store = store
        self._base = {"tenant": tenant, "now": now}
        roots, processes = sorted({one.root for one in some}), sorted({one.process for one in some})
        moments = sorted({one.at for one in some})
        ids = sorted({f"{one.id:016x}" for one in some if one.subject == "exception"})
        where = {"roots": roots, "processes": processes}
        self.journeys = {(row["process"], row["root"]): row for row in self._rows("told_journeys", **where)}
        self.roots = {(row["process"], row["root"]): row for row in self._rows("told_roots", roots=roots)}
        named = self._rows("told_milestones", processes=processes)
        self.milestones = {(row["process"], row["name"]): row for row in named}
        self.exceptions = {row["id"]: row for row in self._rows("told_exceptions", ids=ids)} if ids else {}
        traces = self._rows("told_traces", roots=roots, moments=moments)
        self.traces = {(row["root"], utc(row["at"])): row["trace"] for row in traces}

    def _rows(self, name: str, **parameters: object) -> Iterator[dict[str, Any]]:
        found = self._store.query(SQL[name], {**self._base, **parameters}, role=Role.CORRELATOR)
        return (dict(zip(found.column_names, row, strict=True)) for row in found.result_rows)
