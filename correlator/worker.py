"""The only loop of the correlator: read what is new, link, fold, write; or all of it anew, beside the old."""

from __future__ import annotations

import threading
from datetime import timedelta
from functools import partial
from hashlib import sha256
from itertools import islice
from operator import le
from typing import TYPE_CHECKING, Any

from throughline.collector.store import Role, Store
from throughline.correlator import passes
from throughline.correlator.as_of import Hindsight
from throughline.correlator.calendar_tables import CalendarTables
from throughline.correlator.closing import Closing, Closings, ToClose
from throughline.correlator.compare import Comparer, Period
from throughline.correlator.fold import fold_sql
from throughline.correlator.fold_input import Tables
from throughline.correlator.fold_transitions import all_transitions_sql
from throughline.correlator.folder import Folder
from throughline.correlator.kept_generations import KeptGenerations
from throughline.correlator.link import AT_ONCE, ancestry_statements
from throughline.correlator.linker import Linker
from throughline.correlator.reports import RebuildReport, TickReport
from throughline.correlator.state import EPOCH, Progress, State, utc
from throughline.correlator.workspace import Run, Workspace, scratch_columns

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
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


class Correlator:
    """Turns facts into journeys, tenant by tenant; a pass links all processes at once, a rebuild one.

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
        self._processes = {process.id: process for process in processes}
        self._linkers: dict[tuple[str, ...], Linker] = {}
        self._ancestry = ancestry_statements()
        self._calendars = CalendarTables(store)
        self._kept = KeptGenerations(store, self._state)
        self._checkpoint = checkpoint
        self._batch = batch
        tag = _schema_tag()
        self._live = Workspace(store, f"live_{tag}_", on_disk=False)
        self._in_memory = Workspace(store, f"rebuild_{tag}_", on_disk=False)
        self._on_disk = Workspace(store, f"rebuild_disk_{tag}_", on_disk=True)
        self._folder = Folder(self._processes, self._live, self._calendars)
        self._passing = threading.RLock()
        self._rebuilding = threading.Lock()
        self._ready = False

    def tick(self, tenant: str, now: datetime, *, rebuild: bool = True) -> TickReport:
        """Correlate what is new.

        Processes without a result of their present definition are rebuilt first; with ``rebuild`` False they
        are left to whoever calls `rebuild`. Of a tenant of whom nothing was correlated yet, all is new.
        Raises: StoreError; calling again resumes without loss or double.
        """
        outdated = self.begin(tenant, now)
        for process_id in outdated:
            if rebuild or not self._state.ask("has_events", tenant=tenant)[0][0]:
                self.rebuild(tenant, process_id, now)
        with self._passing:
            for process_id in outdated:
                self._kept.leave(tenant, self._processes[process_id])
            return self._pass(tenant, stragglers=False)

    def sweep(self, tenant: str) -> TickReport:
        """Look for events that every pass missed, whatever their time. Slow; what it finds is counted. Former
        results that are too old to go back to are dropped.
        """
        if self._rebuilding.acquire(blocking=False):
            try:
                self._kept.drop_stale(tenant)
            finally:
                self._rebuilding.release()
        with self._passing:
            return self._pass(tenant, stragglers=True)

    def rebuild(self, tenant: str, process_id: str, now: datetime) -> RebuildReport:
        """Derive everything of one process anew from the stored facts, beside the present result, then swap.

        0. If a former result of a definition that counts again is kept, let that catch up, and swap it back.
        1. Link and fold all facts into a new generation; the live path goes on with the old one.
        2. Keeping the live path out, correlate what came meanwhile.
        3. Note what became of exceptions, then make the generation the active one.
        """
        process = self._processes[process_id]
        with self._rebuilding:
            self._prepare()
            back, why = self._swap_back(tenant, process, now)
            if back:
                return back
            started = self._state.clock()
            generation = self._state.next_generation(process_id)
            self._state.drop_generations(process_id, lambda number: number >= generation)
            events = self._derive_all(tenant, process, generation)
            with self._passing:
                version = self._catch_up(tenant, process_id, generation, started - OVERLAP)
                self._swap(tenant, process, generation, version, now)
        return RebuildReport(events, generation, why=why)

    def compare(self, tenant: str, before: Process, after: Process, period: Period) -> dict[str, Any]:
        """How the stored journeys differ under two definitions of one process (`compare.py`)."""
        with self._rebuilding:
            process, active = self._processes.get(after.id), self._state.active(tenant).get(after.id)
            current = process and active and active.definition_hash == process.definition_hash
            present = (process, active.generation) if process and active and current else None
            comparer = Comparer(self._store, self._state, self._calendars, self._space, self._checkpoint)
            return comparer.compare(tenant, before, after, period, present)

    def as_of(self, tenant: str, process_id: str, at: datetime, known_at: datetime) -> dict[str, Any]:
        """What was known at a time, and what is known of that time now (`as_of.py`)."""
        with self._rebuilding:
            return self._hindsight().look(tenant, self._processes[process_id], at, known_at)

    def close(self, process_id: str, asked: ToClose) -> Closing:
        """Close a period as its journeys stand (`closing.py`). No pass goes on meanwhile: it is short."""
        with self._rebuilding, self._passing:
            workspace = self._space(0)
            workspace.create()
            try:
                until = self._state.progress(asked.tenant).watermark
                closings = Closings(self._store, asked.tenant, Role.CORRELATOR)
                return closings.make(asked, self._processes[process_id], until, workspace)
            finally:
                workspace.clear()

    def restate(self, tenant: str, closing: Closing, known_at: datetime) -> dict[str, Any]:
        """What is known now of a closed period; it is stored beside the closing."""
        with self._rebuilding:
            present = self._processes[closing.process]
            found = self._hindsight().restate(tenant, present, closing, known_at)
            Closings(self._store, tenant, Role.CORRELATOR).keep(closing, found, known_at)
            return found

    def _hindsight(self) -> Hindsight:
        return Hindsight(self._store, self._state, self._calendars, self._space, self._checkpoint)

    def begin(self, tenant: str, now: datetime) -> list[str]:
        """Processes that need a rebuild. Those of a tenant of whom nothing was correlated yet need none: they
        get empty results, and the first passes take all facts.
        """
        outdated = self.outdated(tenant)
        return [] if outdated and self._begins(tenant, outdated, now) else outdated

    def outdated(self, tenant: str) -> list[str]:
        """Processes without a result of their present definition alone."""
        active = self._state.active(tenant)
        mixed = self._kept.mixed(tenant, active)
        return [
            process_id
            for process_id, process in self._processes.items()
            if process_id not in active
            or active[process_id].definition_hash != process.definition_hash
            or process_id in mixed
        ]

    def distrust(self, tenant: str) -> None:
        """Go back to no former result: rows of it may be lost."""
        with self._rebuilding:
            self._kept.forget_all(tenant)

    def tenants(self) -> list[str]:
        """Tenants that have sent business events."""
        return [str(row[0]) for row in self._state.ask("tenants")]

    def _begins(self, tenant: str, processes: Sequence[str], now: datetime) -> bool:
        """Give processes empty results where the first passes will take all facts: that costs less than to
        rebuild each.
        """
        if not self._rebuilding.acquire(blocking=False):
            return False
        try:
            few = int(self._state.ask("count_events", tenant=tenant)[0][0]) <= self._batch
            if not few or not self._state.ask("all_waits", tenant=tenant)[0][0]:
                return False
            with self._passing:
                for name in processes:
                    self._checkpoint("activate")
                    generation = self._state.next_generation(name)
                    self._state.drop_generations(name, partial(le, generation))
                    self._state.activate(tenant, self._processes[name], generation, now)
            return True
        finally:
            self._rebuilding.release()

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
        run.do("seen")
        run.do("affected_new", since=EPOCH if stragglers else since)
        events, affected = run.counts("new_events", "affected")
        until = min(started, self._newest_taken()) if events >= self._batch else started
        version, journeys = self._correlate(tenant, run, last, affected=affected > 0)
        watermark = max(until, last.watermark)
        if events or journeys or watermark - last.watermark >= IDLE_STEP:
            self._checkpoint("progress")
            self._state.store_progress(tenant, Progress(version + 1, watermark, last.stragglers + found))
        return TickReport(events, journeys, events >= self._batch, watermark)

    def _correlate(self, tenant: str, run: Run, last: Progress, *, affected: bool) -> tuple[int, int]:
        """Link and write what is affected; fold that, and what a dead pass may have left.

        Returns the version used last, and how many journeys were folded.
        """
        stored = self._state.active(tenant)
        active = {name: stored[name].generation for name in self._processes if name in stored}
        if not affected and not self._unfolded(tenant, active):
            return last.version, 0
        version = self._state.reserve(tenant, last)
        if affected:
            passes.find_lineage(run, fresh=False)
            for some in _groups(active):
                self._link(tenant, some, version)
            passes.write_lineage(run, version)
            run.write("write_processed")
        return version, sum(self._fold(tenant, some, version) for some in _groups(active))

    def _link(self, tenant: str, generations: Mapping[str, int], version: int) -> None:
        run, linker = self._go_on(tenant, generations, version)
        if passes.link(run, linker, fresh=False):
            passes.write(run, linker, fresh=False)

    def _fold(self, tenant: str, generations: Mapping[str, int], version: int) -> int:
        """Fold the journeys that linking marked, then say so: a death in between folds them again."""
        run, _linker = self._go_on(tenant, generations, version)
        run.do("to_fold", **self._state.folded(tenant, generations))
        count = run.count("to_fold")
        if count:
            self._checkpoint("fold")
            changed = self._folder.fold(run, generations)
            self._checkpoint("transitions")
            if changed:
                self._folder.notice(run, generations)
            self._checkpoint("fold_progress")
        self._state.store_folded(tenant, generations, version)
        return count

    def _unfolded(self, tenant: str, generations: Mapping[str, int]) -> bool:
        folded = self._state.folded(tenant, generations)
        return bool(self._state.ask("unfolded", tenant=tenant, **folded)[0][0])

    def _swap_back(self, tenant: str, process: Process, now: datetime) -> tuple[RebuildReport | None, str]:
        """Go back to a former result, where that is quicker; else say why not."""
        with self._passing:
            if process.id not in self.outdated(tenant):
                return None, ""
            self._kept.leave(tenant, process)
            kept, why = self._kept.usable(tenant, process, self._batch)
            if kept is None:
                return None, why
            since, generation = kept.watermark - OVERLAP, kept.generation
            events = int(self._state.ask("count_recent", tenant=tenant, since=since)[0][0])
            version = self._catch_up(tenant, process.id, generation, since, left=kept.left_at)
            self._swap(tenant, process, generation, version, now)
        return RebuildReport(events, generation, kept=True), ""

    def _swap(self, tenant: str, process: Process, generation: int, version: int, now: datetime) -> None:
        """Note what became of exceptions, then let readers see a generation. No pass goes on meanwhile."""
        self._notice_all(tenant, process.id, generation, version)
        self._checkpoint("activate")
        former = self._state.active(tenant).get(process.id)
        self._state.activate(tenant, process, generation, now)
        self._kept.settle(tenant, process.id, former, generation)

    def _derive_all(self, tenant: str, process: Process, generation: int) -> int:
        """Link and fold all facts into an empty generation; return the number of facts."""
        events = int(self._state.ask("count_events", tenant=tenant)[0][0])
        if not events:
            return 0
        workspace, linker = self._space(events), self._linker([process.id])
        workspace.create()
        scope = linker.parameters | linker.targets([generation]) | {"tenant": tenant, "version": 0}
        run = Run(self._store, workspace, linker.fresh, scope, checkpoint=self._checkpoint)
        self._calendars.provide(process)
        statements = fold_sql(process, Tables.of(workspace.resolve), fresh=True).statements
        try:
            with run.lanes():
                run.do("affected_all")
                passes.find_lineage(run, fresh=True)
                passes.link(run, linker, fresh=True)
                passes.write(run, linker, fresh=True)
                for low, high in passes.ranges(2**64, -(-events // passes.CHUNK)):
                    for text in statements:
                        run.execute(text, process=process.id, generation=generation, lo=low, hi=high)
        finally:
            workspace.clear()
        return events

    def _space(self, events: int) -> Workspace:
        return self._on_disk if events > IN_MEMORY else self._in_memory

    def _catch_up(
        self, tenant: str, process_id: str, generation: int, since: datetime, *, left: int | None = None
    ) -> int:
        """Take what came since into a generation that readers do not see; fold what other definitions have
        folded after version `left`. Returns the version used.
        """
        version = self._state.reserve(tenant, self._state.progress(tenant))
        run = self._begin(tenant)
        run.do("recent", since=since)
        run.do("affected_recent", since=since)
        if run.count("affected"):
            passes.find_lineage(run, fresh=False)
            self._link(tenant, {process_id: generation}, version)
        if left is not None:
            self._checkpoint("dirty_journeys")
            run.do("mark_mixed", process=process_id, generation=generation, version=version, left=left)
        self._fold(tenant, {process_id: generation}, version)
        return version

    def _notice_all(self, tenant: str, process_id: str, generation: int, version: int) -> None:
        """Make the stored transitions those of a whole generation; what was noticed before stays."""
        run, _linker = self._go_on(tenant, {process_id: generation}, version)
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

    def _go_on(self, tenant: str, generations: Mapping[str, int], version: int) -> tuple[Run, Linker]:
        """Continue a pass for some processes."""
        self._live.clear(keep=passes.PASS_TABLES)
        linker = self._linker(generations)
        scope = linker.parameters | linker.targets([*generations.values()])
        scope |= {"tenant": tenant, "version": version}
        return Run(self._store, self._live, linker.live, scope, checkpoint=self._checkpoint), linker

    def _linker(self, names: Iterable[str]) -> Linker:
        """Of some processes at once; made once for each choice."""
        some = tuple(names)
        if some not in self._linkers:
            self._linkers[some] = Linker.of([self._processes[name] for name in some])
        return self._linkers[some]

    def _newest_taken(self) -> datetime:
        sql = self._live.resolve("SELECT max(IngestedAt) FROM @new_events")
        return utc(self._store.query(sql, role=Role.CORRELATOR).result_rows[0][0])


def _groups(generations: Mapping[str, int]) -> Iterator[dict[str, int]]:
    """As many processes as can be linked at once."""
    for start in range(0, len(generations), AT_ONCE):
        yield dict(islice(generations.items(), start, start + AT_ONCE))


def _schema_tag() -> str:
    """Working tables of another version have other names."""
    return sha256(repr(sorted(scratch_columns().items())).encode()).hexdigest()[:8]
