"""The only loop of the correlator: read what is new, link, fold, write; or all of it anew, beside the old result."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import TYPE_CHECKING

from throughline.collector.store import Role, Store, load_queries
from throughline.correlator import passes
from throughline.correlator.fold import fold_sql
from throughline.correlator.link import ancestry_statements, link_parameters, link_statements, shares_levels
from throughline.correlator.workspace import Run, Workspace

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from throughline.correlator.definition import Process

OVERLAP = timedelta(seconds=120)
"""Inbox rows are read again for this long: an insert may take up to 60 s from its time stamp to its commit."""

BATCH = 100_000
"""Events per pass at most."""

IN_MEMORY = 500_000
"""Events up to which a rebuild keeps its working tables in memory."""

FOLD_CHUNK = 2_000_000
"""Events per fold statement of a rebuild: bounds memory."""

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

PROCESS_TABLES = (
    "keys", "objects", "edges", "edges_down", "claims", "event_state", "object_events", "journey_events", "dirty_journeys",
    "journey_state", "exception_state",
)
"""Tables partitioned by process and generation."""

TENANT_TABLES = frozenset({"new_events", "seen", "affected", "facts", "climbs", "spans", "lineage", "lineage_before"})
"""Working tables that all processes of a pass share."""


@dataclass(frozen=True)
class TickReport:
    """What one pass did: events taken, journeys folded, whether more is waiting, and up to when all is correlated."""

    events: int
    journeys: int
    more: bool
    correlated_until: datetime


@dataclass(frozen=True)
class RebuildReport:
    """What a rebuild did: events read, and the generation that readers see now."""

    events: int
    generation: int


@dataclass(frozen=True)
class _Linker:
    """A process with its statements."""

    process: Process
    statements: dict[str, str]
    parameters: dict[str, object]
    shared: bool

    @classmethod
    def of(cls, process: Process) -> _Linker:
        attributes = process.attributes_used
        statements = link_statements(process, attributes) | load_queries("throughline.correlator", "worker")
        return cls(process, statements, link_parameters(process, attributes), shares_levels(process))


class Correlator:
    """Turns facts into journeys, tenant by tenant.

    ``checkpoint`` is called with a statement's name before it changes a stored table: a test raises there to die.
    Not more than one Correlator may work on a tenant at a time (the engine holds a lease); within one, calls are serialised.
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
        self._linkers = {process.id: _Linker.of(process) for process in processes}
        self._checkpoint = checkpoint
        self._batch = batch
        self._queries = load_queries("throughline.correlator", "worker")
        self._ancestry = ancestry_statements() | self._queries
        tag = _schema_tag()
        self._live = Workspace(store, f"live_{tag}_", on_disk=False)
        self._in_memory = Workspace(store, f"rebuild_{tag}_", on_disk=False)
        self._on_disk = Workspace(store, f"rebuild_disk_{tag}_", on_disk=True)
        self._rebuilding = threading.Lock()
        self._lock = threading.RLock()
        self._ready = False

    # -- live ------------------------------------------------------------------------------------------------

    def tick(self, tenant: str, now: datetime, *, rebuild: bool = True) -> TickReport:
        """Correlate what is new.

        Processes without a result of their present definition are rebuilt first, unless ``rebuild`` is False: then they
        are left out until someone calls `rebuild`. Raises: StoreError; calling again resumes without loss or double.
        """
        with self._lock:
            for process_id in self.outdated(tenant):
                if rebuild or not self._ask("has_events", tenant=tenant)[0][0]:
                    self.rebuild(tenant, process_id, now)
            return self._pass(tenant, stragglers=False)

    def sweep(self, tenant: str) -> TickReport:
        """Look for events that every pass missed, whatever their time: slow; they are counted in ``Stragglers``."""
        with self._lock:
            return self._pass(tenant, stragglers=True)

    def outdated(self, tenant: str) -> list[str]:
        """Processes without a result of their present definition."""
        active = self._active(tenant)
        return [
            process_id
            for process_id, linker in self._linkers.items()
            if process_id not in active or active[process_id][1] != linker.process.definition_hash
        ]

    def tenants(self) -> list[str]:
        """Tenants that have sent business events."""
        return [str(row[0]) for row in self._ask("tenants")]

    def _pass(self, tenant: str, *, stragglers: bool) -> TickReport:
        self._prepare()
        version, watermark, counted = self._progress(tenant)
        started = self._clock()
        since = watermark - OVERLAP if watermark > EPOCH else EPOCH
        run = self._run(tenant, version + 1)
        run.do("new_events", since=since, batch=self._batch)
        if stragglers:
            run.do("stragglers", since=since, batch=self._batch)
        run.do("seen", "affected_new")
        run.do("affected_watching", since=EPOCH if stragglers else since)
        events = run.count("new_events")
        more = events >= self._batch
        if more:
            started = min(started, self._latest_read())
        found = run.count("new_events", "IngestedAt <= {since:DateTime64(6, 'UTC')}", since=since) if stragglers else 0
        folded = self._correlate(run, tenant, version + 1) if run.count("affected") else self._fold_all(tenant, version + 1)
        self._checkpoint("progress")
        self._insert_progress(tenant, version + 2, max(started, watermark), counted + found)
        return TickReport(events, folded, more, max(started, watermark))

    def _correlate(self, run: Run, tenant: str, version: int) -> int:
        self._store_progress_version(tenant, version)
        passes.find_lineage(run, fresh=False)
        for process_id, (generation, _, _) in self._active(tenant).items():
            if process_id in self._linkers:
                self._link(tenant, process_id, generation, version)
        passes.write_lineage(run)
        run.write("write_processed")
        return self._fold_all(tenant, version)

    def _link(self, tenant: str, process_id: str, generation: int, version: int) -> None:
        linker = self._linkers[process_id]
        self._live.clear(keep=TENANT_TABLES)
        run = self._run(tenant, version, linker=linker, generation=generation)
        if passes.link(run, linker.process, fresh=False, shared=linker.shared):
            passes.write(run, linker.process, fresh=False, shared=linker.shared)

    def _fold_all(self, tenant: str, version: int) -> int:
        return sum(
            self._fold(tenant, process_id, generation, version)
            for process_id, (generation, _, _) in self._active(tenant).items()
            if process_id in self._linkers
        )

    def _fold(self, tenant: str, process_id: str, generation: int, version: int) -> int:
        """Fold the journeys that linking marked, then say so: a death in between folds them again."""
        linker = self._linkers[process_id]
        scope = {"tenant": tenant, "process": process_id, "generation": generation}
        folded = int(self._ask("folded", **scope)[0][0])
        self._live.clear(keep=TENANT_TABLES)
        run = self._run(tenant, version, linker=linker, generation=generation)
        run.do("to_fold", folded=folded)
        count = run.count("to_fold")
        if count:
            source, rows = self._live.resolve("@to_fold"), self._live.resolve("@folding")
            self._checkpoint("fold")
            for text in fold_sql(linker.process, source=source, rows=rows, fresh=False).statements:
                run.execute(text)
            self._checkpoint("fold_progress")
            row = (tenant, process_id, generation, version)
            self._store.insert_rows(
                "fold_progress", [row], ["Tenant", "Process", "Generation", "Version"], role=Role.CORRELATOR
            )
        return count

    # -- rebuild ---------------------------------------------------------------------------------------------

    def rebuild(self, tenant: str, process_id: str, now: datetime) -> RebuildReport:
        """Derive everything of one process anew from the stored facts, beside the present result, then swap.

        1. Link and fold all facts into a new generation; the live path goes on with the old one.
        2. Under the lock, correlate what came meanwhile.
        3. Make the generation the active one; drop those before the last.
        """
        with self._rebuilding:
            return self._rebuild(tenant, self._linkers[process_id], now)

    def _rebuild(self, tenant: str, linker: _Linker, now: datetime) -> RebuildReport:
        process_id = linker.process.id
        self._prepare()
        started = self._clock()
        generation = int(self._ask("last_generation", process=process_id)[0][0]) + 1
        self._drop_generations(process_id, lambda number: number >= generation)
        events = int(str(self._ask("count_events", tenant=tenant)[0][0]))
        workspace = self._on_disk if events > IN_MEMORY else self._in_memory
        workspace.create()
        try:
            scope = linker.parameters | {"tenant": tenant, "generation": generation, "version": 0}
            run = Run(self._store, workspace, linker.statements, scope, checkpoint=self._checkpoint)
            run.do("affected_all")
            if events:
                passes.find_lineage(run, fresh=True)
                passes.link(run, linker.process, fresh=True, shared=linker.shared)
                passes.write(run, linker.process, fresh=True, shared=linker.shared)
                self._fold_fresh(linker, scope, events)
        finally:
            workspace.clear()
        with self._lock:
            self._catch_up(tenant, process_id, generation, started - OVERLAP)
            previous = self._active(tenant).get(process_id)
            self._activate(tenant, linker, generation, now)
            kept = {generation, previous[0] if previous else generation}
            mine = self._generations_of(tenant, process_id)
            self._drop_generations(process_id, lambda number: number in mine and number not in kept)
        return RebuildReport(events, generation)

    def _fold_fresh(self, linker: _Linker, scope: dict[str, object], events: int) -> None:
        sql = fold_sql(linker.process, source="unused", rows="unused", fresh=True)
        chunks = max(1, -(-events // FOLD_CHUNK))
        bounds = [round(2**64 * number / chunks) for number in range(chunks + 1)]
        for low, high in zip(bounds, bounds[1:], strict=False):
            for text in sql.statements:
                self._store.command(text, scope | {"lo": low, "hi": high - 1}, role=Role.CORRELATOR)

    def _catch_up(self, tenant: str, process_id: str, generation: int, since: datetime) -> None:
        version = self._progress(tenant)[0] + 1
        self._store_progress_version(tenant, version)
        self._live.clear()
        run = self._run(tenant, version)
        run.do("recent", since=since)
        run.do("affected_new")
        run.do("affected_watching", since=since)
        if run.count("affected"):
            passes.find_lineage(run, fresh=False)
            self._link(tenant, process_id, generation, version)
            self._fold(tenant, process_id, generation, version)

    def _activate(self, tenant: str, linker: _Linker, generation: int, now: datetime) -> None:
        self._checkpoint("activate")
        process = linker.process
        version = self._active(tenant).get(process.id, (0, "", 0))[2] + 1
        row = (tenant, process.id, generation, process.definition_hash, process.version, now, version)
        columns = ["Tenant", "Process", "Generation", "DefinitionHash", "DefinitionVersion", "ActivatedAt", "Version"]
        self._store.insert_rows("generations", [row], columns, role=Role.CORRELATOR)

    def _generations_of(self, tenant: str, process_id: str) -> set[int]:
        rows = self._store.query(
            "SELECT DISTINCT Generation FROM journey_state WHERE Tenant = {tenant:String} AND Process = {process:String}",
            {"tenant": tenant, "process": process_id},
            role=Role.CORRELATOR,
        ).result_rows
        return {int(row[0]) for row in rows}

    def _drop_generations(self, process_id: str, unwanted: Callable[[int], bool]) -> None:
        for table in PROCESS_TABLES:
            rows = self._store.query(
                "SELECT DISTINCT partition FROM system.parts WHERE active AND database = currentDatabase() AND table = {table:String}",
                {"table": table},
                role=Role.CORRELATOR,
            ).result_rows
            for (partition,) in rows:
                name, number = str(partition).strip("()").rsplit(",", 1)
                if name.strip("'") == process_id and unwanted(int(number)):
                    self._store.command(f"ALTER TABLE {table} DROP PARTITION {partition}", role=Role.CORRELATOR)

    # -- state -----------------------------------------------------------------------------------------------

    def _prepare(self) -> None:
        with self._lock:
            if not self._ready:
                self._live.create()
                self._ready = True

    def _run(self, tenant: str, version: int, *, linker: _Linker | None = None, generation: int = 0) -> Run:
        if linker is None:
            self._live.clear()
        statements = linker.statements if linker else self._ancestry
        parameters = (linker.parameters if linker else {}) | {"tenant": tenant, "version": version, "generation": generation}
        return Run(self._store, self._live, statements, parameters, checkpoint=self._checkpoint)

    def _ask(self, name: str, **parameters: object) -> Sequence[Sequence[object]]:
        rows: Sequence[Sequence[object]] = self._store.query(self._queries[name], parameters, role=Role.CORRELATOR).result_rows
        return rows

    def _clock(self) -> datetime:
        return _utc(self._ask("clock")[0][0])

    def _latest_read(self) -> datetime:
        sql = self._live.resolve("SELECT max(IngestedAt) FROM @new_events")
        return _utc(self._store.query(sql, role=Role.CORRELATOR).result_rows[0][0])

    def _active(self, tenant: str) -> dict[str, tuple[int, str, int]]:
        rows = self._ask("active", tenant=tenant)
        return {str(row[0]): (int(str(row[1])), str(row[2]), int(str(row[3]))) for row in rows}

    def _progress(self, tenant: str) -> tuple[int, datetime, int]:
        version, watermark, stragglers = self._ask("progress", tenant=tenant)[0]
        return int(str(version)), _utc(watermark), int(str(stragglers))

    def _store_progress_version(self, tenant: str, version: int) -> None:
        """Take a version before anything is written under it: an attempt that dies never shares its version."""
        _, watermark, stragglers = self._progress(tenant)
        self._insert_progress(tenant, version, watermark, stragglers)

    def _insert_progress(self, tenant: str, version: int, watermark: datetime, stragglers: int) -> None:
        columns = ["Tenant", "Version", "Watermark", "Stragglers"]
        self._store.insert_rows(
            "correlation_progress", [(tenant, version, watermark, stragglers)], columns, role=Role.CORRELATOR
        )


def _utc(value: object) -> datetime:
    if not isinstance(value, datetime):
        message = f"not a time: {value!r}"
        raise TypeError(message)
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def _schema_tag() -> str:
    """Working tables of another version have other names."""
    return sha256(repr(sorted(load_queries("throughline.correlator", "scratch").items())).encode()).hexdigest()[:8]
