"""What one engine correlates, under a lease: new rows, rebuilds, comparisons; definitions as they change."""

from __future__ import annotations

import json
import logging
import socket
import threading
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from throughline.collector.auth import DEFAULT_TENANT
from throughline.collector.held_lease import HeldLease
from throughline.collector.store import Role, Store, load_queries
from throughline.correlator.mapper import Mapper
from throughline.correlator.reference_store import ReferenceStore
from throughline.correlator.worker import Correlator
from throughline.dashboards import looking_back, mapping_jobs, rule_backtests
from throughline.dashboards.live_mappings import LiveMappings
from throughline.dashboards.questions import COMPARE, Question
from throughline.dashboards.surveying import SURVEY, answer
from throughline.probes.errors import LeaseLost, StoreError, ThroughlineError

if TYPE_CHECKING:
    from collections.abc import Callable

    from throughline.collector.control import ControlStore, Job, JobState
    from throughline.correlator.definition import Process
    from throughline.dashboards.engine_settings import EngineSettings
    from throughline.dashboards.live_definitions import LiveDefinitions

LEASE = "correlator"
REBUILD = "rebuild"
LEASE_TIME = timedelta(seconds=15)
LATE_COMMIT = timedelta(seconds=120)
SWEEP_EVERY = timedelta(minutes=10)
ASK_AGAIN = timedelta(seconds=30)
LOOK_EVERY = timedelta(seconds=1)
"""So often the store is asked for news while this engine has loaded nothing: another one may have."""

log = logging.getLogger(__name__)


class Correlating:
    """`turn`, `work` and `beat` are called again and again, each by a thread of its own."""

    def __init__(
        self,
        store: Store,
        control: ControlStore,
        definitions: LiveDefinitions,
        *,
        holder: str,
        clock: Callable[[], datetime],
        mappings: LiveMappings | None = None,
        loaded: Callable[[], object] | None = None,
    ) -> None:
        """`loaded` tells by another value that this engine has loaded something; without, all turns look."""
        self.processes: tuple[Process, ...] = ()
        self._store = store
        self._control = control
        self._definitions = definitions
        self._holder = holder
        self._clock = clock
        self._reference = ReferenceStore(store)
        self._queries = load_queries("throughline.dashboards", "engine")
        self._correlator: Correlator | None = None
        self._mappings = mappings
        self._mapper = Mapper(store, checkpoint=self._require_lease)
        self._loaded = loaded
        self._seen: object = None
        self._looked_at: datetime | None = None
        self._swept: dict[str, datetime] = {}
        self._asked: dict[tuple[str, str], datetime] = {}
        self._lease = HeldLease(control, LEASE, holder, LEASE_TIME)
        self._job: Job | None = None
        self._step = ""
        self._told = ""
        self._swap_lock = threading.Lock()
        self._mapping_lock = threading.RLock()

    def turn(self) -> None:
        """Once: read changed definitions, then correlate every tenant's new rows.

        Raises:
            LeaseLost: another engine has taken over.
        """
        if self._lease.take(self._clock()) is None:
            return
        self.reload()
        self._map()
        correlator, now = self._correlator, self._clock()
        if correlator is None:
            return
        for tenant in self._tenants_with_news(correlator, now):
            self._ask_for_outdated(correlator, tenant, now)
            while correlator.tick(tenant, now, rebuild=False).more:
                pass
            if now - self._swept.setdefault(tenant, now) >= SWEEP_EVERY:
                correlator.sweep(tenant)
                self._swept[tenant] = now

    def work(self) -> None:
        """Once: do the jobs that were asked for, beside the live path; a failed one stops nothing."""
        while self._lease.take(self._clock()) is not None:
            with self._swap_lock:
                self._job = job = self._control.claim_job(self._holder, LEASE_TIME, self._clock())
            if job is None:
                return
            state: JobState = "failed"
            message, result = "it met an error that is in the engine's log", ""
            try:
                message, result = self._do(job)
                state = "done"
            except ThroughlineError as error:
                log.exception("%s of %s for %s failed", job.kind, job.process, job.tenant)
                message = str(error)
            finally:
                self._job = None
                self._told = ""
                self._control.finish_job(
                    job, self._holder, self._clock(), state=state, message=message, result=result
                )

    def beat(self) -> None:
        """Once: keep the lease and the running job ours. Called every few seconds."""
        now = self._clock()
        self._lease.renew(now)
        job = self._job
        if job is not None:
            said = self._told or self._step
            self._control.report_job(job, self._holder, LEASE_TIME, now, progress=0.0, message=said)

    def reload(self) -> None:
        """Read the definitions if they have changed; a running rebuild ends with those it began with."""
        with self._swap_lock:
            now = self._clock()
            loaded = None if self._job else self._definitions.reload(now)
            if loaded is None:
                return
            for problem in loaded.problems:
                log.error("%s", problem)
            try:
                for table in loaded.tables:
                    self._reference.keep(table)
            except StoreError:
                self._definitions.read_again()
                raise
            self._correlator = Correlator(self._store, loaded.processes, checkpoint=self._check)
            self.processes = loaded.processes
            self._looked_at = None
            self._asked.clear()

    def _map(self) -> None:
        """Make events of telemetry of others. What keeps that from happening keeps nothing else."""
        try:
            with self._mapping_lock:
                self._reload_mappings()
                self._mapper.turn()
        except StoreError:
            log.exception("mapping goes on with the next look")

    def rebuild_everything(self) -> int:
        """Ask for a rebuild of every process of every tenant; returns how many."""
        self.reload()
        tenants = self._correlator.tenants() if self._correlator else []
        for tenant in tenants:
            if self._correlator:
                self._correlator.distrust(tenant)
        wanted = [(tenant, process.id) for tenant in tenants for process in self.processes]
        for tenant, process in wanted:
            self._control.enqueue_job(REBUILD, tenant, process, self._clock())
        return len(wanted)

    def release(self) -> None:
        """Let the next engine begin at once."""
        self._lease.release()

    def _check(self, step: str) -> None:
        """Called by the correlator before every write: without the lease nothing is written."""
        self._step = step.replace("_", " ")
        self._require_lease(step)

    def _require_lease(self, _step: str) -> None:
        if self._lease.present is None:
            raise LeaseLost("Another engine correlates now; this one has stopped.")

    def _reload_mappings(self) -> None:
        """Read the mappings if they have changed."""
        with self._mapping_lock:
            rules = self._mappings.reload(self._clock()) if self._mappings else None
            if rules is not None:
                self._mapper.use(rules)

    def _tell(self, step: str) -> None:
        """What the running job says of itself; the live path's steps do not cover it."""
        self._told = step

    def _ask_for_outdated(self, correlator: Correlator, tenant: str, now: datetime) -> None:
        """A new or changed definition needs a result from all stored events; a failed one is asked again."""
        for process in correlator.begin(tenant, now):
            asked = self._asked.get((tenant, process))
            if asked is None or (self._job is None and now - asked > ASK_AGAIN):
                self._control.enqueue_job(REBUILD, tenant, process, now)
                self._asked[tenant, process] = now

    def _do(self, job: Job) -> tuple[str, str]:
        """Do a job; returns what to say of it, and its result."""
        if self._correlator is None:
            raise ThroughlineError("No definitions are read yet; ask again.")
        if job.kind in mapping_jobs.KINDS:
            self._reload_mappings()
            return mapping_jobs.do(self._mapper, self._store, job, self._clock(), self._tell)
        if job.kind == SURVEY:
            return "", answer(self._store, job.tenant, job.payload)
        if job.kind == rule_backtests.KIND:
            return "", rule_backtests.answer(self._store, job.tenant, job.payload)
        if job.kind == COMPARE:
            asked = Question.model_validate_json(job.payload)
            found = self._correlator.compare(job.tenant, asked.before, asked.after, asked.period)
            return f"{found['changes']['journeys']} journeys differ", json.dumps(found)
        if job.process not in {process.id for process in self.processes}:
            raise ThroughlineError(f"No process is called {job.process}; throughline check DIR lists them.")
        if job.kind in looking_back.KINDS:
            return looking_back.do(self._correlator, self._store, job, self._clock())
        report = self._correlator.rebuild(job.tenant, job.process, self._clock())
        if report.kept:
            log.info("%s for %s is back: %d events since", job.process, job.tenant, report.events)
            return f"swapped back to the former result, which caught up with {report.events} events", ""
        log.info("rebuilt %s for %s: %d events", job.process, job.tenant, report.events)
        return "; ".join(one for one in (f"{report.events} events", report.why) if one), ""

    def _tenants_with_news(self, correlator: Correlator, now: datetime) -> list[str]:
        """Tenants with rows since the last look, which overlaps: an insert may commit late.

        The first look takes everybody; in an empty store the default tenant, to have it ready. Asking the
        store costs more than all else of an idle engine: what the loader says is asked first.
        """
        since, loaded = self._looked_at, self._loaded() if self._loaded else None
        if since is not None and self._loaded and loaded == self._seen and now - since < LOOK_EVERY:
            return []
        self._looked_at, self._seen = now, loaded
        if since is None:
            return correlator.tenants() or [DEFAULT_TENANT]
        rows = self._store.query(
            self._queries["tenants_with_news"], {"since": since - LATE_COMMIT}, role=Role.CORRELATOR
        ).result_rows
        return [str(row[0]) for row in rows]


def holder(settings: EngineSettings) -> str:
    """The name under which an engine holds leases: the same after a restart, so that it need not wait."""
    return f"{socket.gethostname()}:{settings.data.resolve()}"
