"""The only loop of the correlator: read what is new, link, fold, write; or all of it anew, beside the old."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from throughline.collector.store import Role, Store, load_queries
from throughline.correlator import passes
from throughline.correlator.as_of import Hindsight
from throughline.correlator.calendar_tables import CalendarTables
from throughline.correlator.closing import Closing, Closings, ToClose
from throughline.correlator.compare import Comparer, Period
from throughline.correlator.fold import fold_sql
from throughline.correlator.fold_input import Tables
from throughline.correlator.fold_transitions import all_transitions_sql
from throughline.correlator.link import ancestry_statements
from throughline.correlator.linker import Linker
from throughline.correlator.state import EPOCH, Progress, State, utc
from throughline.correlator.workspace import Run, Workspace, scratch_columns

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from throughline.correlator.definition import Process

OVERLAP = timedelta(seconds=120)
"""Inbox rows are read again for so long: an insert may take 60 s from its time stamp to its commit."""

BATCH = 100_000
"""Events per pass at most."""

IDLE_STEP = timedelta(seconds=1)
"""The watermark is stored so often while nothing comes."""

IN_MEMORY = 500_000
"""Events up to which a rebuild keeps its working tables in memory."""


@dataclass(frozen=True)
class TickReport:
    """What one pass did: events taken, journeys folded, whether more wait, until when all is correlated."""

    events: int
    journeys: int
    more: bool
    correlated_until: datetime


@dataclass(frozen=True)
class RebuildReport:
    """What a rebuild did: events read, and the generation that readers see now."""

    events: int
    generation: int


class Correlator:
    """Turns facts into journeys, tenant by tenant.

    ``checkpoint`` is called with a statement's name before it changes a stored table: a test raises there to
    die. Only one Correlator may work on a tenant at a time (the engine holds a lease); within one, passes are
    serialised, and a rebuild runs beside them: it takes its own lock first, then theirs, never the other way.
    """

    def __init__(
        self,
        store: Store,
        processes: Sequence[Process],
        *,
        checkpoint: Callable[[str], None] = lambda _: None,
        batch: int = BATCH,
    ) -> None:
        self._store = store
        self._state = State(store)
        self._linkers = {process.id: Linker.of(process) for process in processes}
        self._ancestry = ancestry_statements() | load_queries("throughline.correlator", "worker")
        self._calendars = CalendarTables(store)
        self._checkpoint = checkpoint
        self._batch = batch
        tag = _schema_tag()
        self._live = Workspace(store, f"live_{tag}_", on_disk=False)
        self._in_memory = Workspace(store, f"rebuild_{tag}_", on_disk=False)
        self._on_disk = Workspace(store, f"rebuild_disk_{tag}_", on_disk=True)
        self._folds = {
            name: fold_sql(linker.process, Tables.of(self._live.resolve), fresh=False)
            for name, linker in self._linkers.items()
        }
        self._passing = threading.RLock()
        self._rebuilding = threading.Lock()
        self._ready = False

    def tick(self, tenant: str, now: datetime, *, rebuild: bool = True) -> TickReport:
        """Correlate what is new.

        Processes without a result of their present definition are rebuilt first; with ``rebuild`` False they
        are left to whoever calls `rebuild`. Raises: StoreError; calling again resumes without loss or double.
        """
        for process_id in self.outdated(tenant):
            if rebuild or not self._state.ask("has_events", tenant=tenant)[0][0]:
                self.rebuild(tenant, process_id, now)
        with self._passing:
            return self._pass(tenant, stragglers=False)

    def sweep(self, tenant: str) -> TickReport:
        """Look for events that every pass missed, whatever their time. Slow; what it finds is counted."""
        with self._passing:
            return self._pass(tenant, stragglers=True)

    def rebuild(self, tenant: str, process_id: str, now: datetime) -> RebuildReport:
        """Derive everything of one process anew from the stored facts, beside the present result, then swap.

        1. Link and fold all facts into a new generation; the live path goes on with the old one.
        2. Keeping the live path out, correlate what came meanwhile.
        3. Note what became of exceptions, then make the generation the active one.
        """
        linker = self._linkers[process_id]
        with self._rebuilding:
            self._prepare()
            started = self._state.clock()
            generation = self._state.next_generation(process_id)
            self._state.drop_generations(process_id, lambda number: number >= generation)
            events = self._derive_all(tenant, linker, generation)
            with self._passing:
                version = self._catch_up(tenant, process_id, generation, started - OVERLAP)
                self._notice_all(tenant, process_id, generation, version)
                self._checkpoint("activate")
                self._state.activate(tenant, linker.process, generation, now)
        return RebuildReport(events, generation)

    def compare(self, tenant: str, before: Process, after: Process, period: Period) -> dict[str, Any]:
        """How the stored journeys differ under two definitions of one process (`compare.py`)."""
        with self._rebuilding:
            linker, active = self._linkers.get(after.id), self._state.active(tenant).get(after.id)
            current = linker and active and active.definition_hash == linker.process.definition_hash
            present = (linker, active.generation) if linker and active and current else None
            comparer = Comparer(self._store, self._state, self._calendars, self._space, self._checkpoint)
            return comparer.compare(tenant, before, after, period, present)

    def as_of(self, tenant: str, process_id: str, at: datetime, known_at: datetime) -> dict[str, Any]:
        """What was known at a time, and what is known of that time now (`as_of.py`)."""
        with self._rebuilding:
            return self._hindsight().look(tenant, self._linkers[process_id].process, at, known_at)

    def close(self, process_id: str, asked: ToClose) -> Closing:
        """Close a period as its journeys stand (`closing.py`). No pass goes on meanwhile: it is short."""
        with self._rebuilding, self._passing:
            workspace = self._space(0)
            workspace.create()
            try:
                until = self._state.progress(asked.tenant).watermark
                closings = Closings(self._store, asked.tenant, Role.CORRELATOR)
                return closings.make(asked, self._linkers[process_id].process, until, workspace)
            finally:
                workspace.clear()

    def restate(self, tenant: str, closing: Closing, known_at: datetime) -> dict[str, Any]:
        """What is known now of a closed period; it is stored beside the closing."""
        with self._rebuilding:
            present = self._linkers[closing.process].process
            found = self._hindsight().restate(tenant, present, closing, known_at)
            Closings(self._store, tenant, Role.CORRELATOR).keep(closing, found, known_at)
            return found

    def _hindsight(self) -> Hindsight:
        return Hindsight(self._store, self._state, self._calendars, self._space, self._checkpoint)

    def outdated(self, tenant: str) -> list[str]:
        """Processes without a result of their present definition."""
        active = self._state.active(tenant)
        return [
            process_id
            for process_id, linker in self._linkers.items()
            if process_id not in active
            or active[process_id].definition_hash != linker.process.definition_hash
        ]

    def tenants(self) -> list[str]:
        """Tenants that have sent business events."""
        return [str(row[0]) for row in self._state.ask("tenants")]

    def _pass(self, tenant: str, *, stragglers: bool) -> TickReport:
        self._prepare()
        last, started = self._state.progress(tenant), self._state.clock()
        since = last.watermark - OVERLAP if last.watermark > EPOCH else EPOCH
        run = self._begin(tenant)
        run.do("new_events", since=since, batch=self._batch)
        found = 0
        if stragglers:
            overdue = run.count("new_events")
            run.do("stragglers", since=since, batch=self._batch)
            found = run.count("new_events") - overdue
        run.do("seen", "affected_new")
        run.do("affected_watching", since=EPOCH if stragglers else since)
        events = run.count("new_events")
        until = min(started, self._newest_taken()) if events >= self._batch else started
        journeys = self._correlate(tenant, run)
        watermark = max(until, last.watermark)
        if events or journeys or watermark - last.watermark >= IDLE_STEP:
            version = self._state.progress(tenant).version + 1
            self._checkpoint("progress")
            self._state.store_progress(tenant, Progress(version, watermark, last.stragglers + found))
        return TickReport(events, journeys, events >= self._batch, watermark)

    def _correlate(self, tenant: str, run: Run) -> int:
        """Link and write what is affected; fold that, and what a dead pass may have left."""
        stored = self._state.active(tenant)
        active = {name: one.generation for name, one in stored.items() if name in self._linkers}
        affected = run.count("affected")
        if not affected and not self._state.ask("unfolded", tenant=tenant)[0][0]:
            return 0
        version = self._state.reserve(tenant)
        if affected:
            passes.find_lineage(run, fresh=False)
            for process_id, generation in active.items():
                self._link(tenant, process_id, generation, version)
            passes.write_lineage(run, version)
            run.write("write_processed")
        return sum(self._fold(tenant, name, generation, version) for name, generation in active.items())

    def _link(self, tenant: str, process_id: str, generation: int, version: int) -> None:
        linker = self._linkers[process_id]
        run = self._go_on(tenant, linker, generation, version)
        if passes.link(run, linker.process, fresh=False, shared=linker.shared):
            passes.write(run, linker.process, fresh=False, shared=linker.shared)

    def _fold(self, tenant: str, process_id: str, generation: int, version: int) -> int:
        """Fold the journeys that linking marked, then say so: a death in between folds them again."""
        linker = self._linkers[process_id]
        run = self._go_on(tenant, linker, generation, version)
        folded = self._state.ask("folded", tenant=tenant, process=process_id, generation=generation)[0][0]
        run.do("to_fold", folded=folded)
        count = run.count("to_fold")
        if count:
            self._calendars.provide(linker.process)
            self._checkpoint("fold")
            fold = self._folds[process_id]
            for text in fold.facts:
                run.execute(text)
            for text in fold.transitions if run.number(fold.touched) else ():
                self._checkpoint("transitions")
                run.execute(text)
            self._checkpoint("fold_progress")
            self._state.store_folded(tenant, process_id, generation, version)
        return count

    def _derive_all(self, tenant: str, linker: Linker, generation: int) -> int:
        """Link and fold all facts into an empty generation; return the number of facts."""
        events = int(self._state.ask("count_events", tenant=tenant)[0][0])
        if not events:
            return 0
        workspace = self._space(events)
        workspace.create()
        scope = linker.parameters | {"tenant": tenant, "generation": generation, "version": 0}
        run = Run(self._store, workspace, linker.fresh, scope, checkpoint=self._checkpoint)
        try:
            run.do("affected_all")
            passes.find_lineage(run, fresh=True)
            passes.link(run, linker.process, fresh=True, shared=linker.shared)
            passes.write(run, linker.process, fresh=True, shared=linker.shared)
        finally:
            workspace.clear()
        self._calendars.provide(linker.process)
        statements = fold_sql(linker.process, Tables.of(workspace.resolve), fresh=True).statements
        for low, high in passes.ranges(2**64, -(-events // passes.CHUNK)):
            for text in statements:
                run.execute(text, lo=low, hi=high)
        return events

    def _space(self, events: int) -> Workspace:
        return self._on_disk if events > IN_MEMORY else self._in_memory

    def _catch_up(self, tenant: str, process_id: str, generation: int, since: datetime) -> int:
        version = self._state.reserve(tenant)
        run = self._begin(tenant)
        run.do("recent", since=since)
        run.do("affected_new")
        run.do("affected_watching", since=since)
        if run.count("affected"):
            passes.find_lineage(run, fresh=False)
            self._link(tenant, process_id, generation, version)
            self._fold(tenant, process_id, generation, version)
        return version

    def _notice_all(self, tenant: str, process_id: str, generation: int, version: int) -> None:
        """Make the stored transitions those of a whole generation; what was noticed before stays."""
        run = self._go_on(tenant, self._linkers[process_id], generation, version)
        for text in all_transitions_sql():
            self._checkpoint("transitions")
            run.execute(text)

    def _prepare(self) -> None:
        with self._passing:
            if not self._ready:
                self._live.create()
                self._ready = True

    def _begin(self, tenant: str) -> Run:
        """Start a pass, with empty working tables."""
        self._live.clear()
        return Run(self._store, self._live, self._ancestry, {"tenant": tenant}, checkpoint=self._checkpoint)

    def _go_on(self, tenant: str, linker: Linker, generation: int, version: int) -> Run:
        """Continue a pass for one process."""
        self._live.clear(keep=passes.PASS_TABLES)
        scope = linker.parameters | {"tenant": tenant, "generation": generation, "version": version}
        return Run(self._store, self._live, linker.live, scope, checkpoint=self._checkpoint)

    def _newest_taken(self) -> datetime:
        sql = self._live.resolve("SELECT max(IngestedAt) FROM @new_events")
        return utc(self._store.query(sql, role=Role.CORRELATOR).result_rows[0][0])


def _schema_tag() -> str:
    """Working tables of another version have other names."""
    return sha256(repr(sorted(scratch_columns().items())).encode()).hexdigest()[:8]
