"""The correlating loop of the engine: definitions, rebuild jobs and new rows, under a lease."""

from __future__ import annotations

import logging
import socket
import threading
from datetime import timedelta
from typing import TYPE_CHECKING

from throughline.collector.store import Role, Store, load_queries
from throughline.correlator.worker import Correlator
from throughline.probes.errors import LeaseLost, ThroughlineError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from throughline.collector.control import ControlStore, Job, Lease
    from throughline.correlator.process import Process
    from throughline.dashboards.engine_settings import EngineSettings
    from throughline.dashboards.live_definitions import LiveDefinitions

LEASE = "correlator"
REBUILD = "rebuild"
LEASE_TIME = timedelta(seconds=15)

log = logging.getLogger(__name__)


class Correlating:
    """Everything that one engine correlates. `turn` and `beat` run on threads of their own."""

    def __init__(
        self,
        store: Store,
        control: ControlStore,
        definitions: LiveDefinitions,
        *,
        holder: str,
        clock: Callable[[], datetime],
    ) -> None:
        self._store = store
        self._control = control
        self._definitions = definitions
        self._holder = holder
        self._clock = clock
        self._queries = load_queries("throughline.dashboards", "engine")
        self._correlator: Correlator | None = None
        self.processes: tuple[Process, ...] = ()
        self._looked_at: datetime | None = None
        self._lease: Lease | None = None
        self._job: Job | None = None
        self._step = ""
        self._lock = threading.Lock()

    def turn(self) -> None:
        """Do what there is to do once: read changed definitions, then one job, then every tenant's new rows.

        Raises:
            LeaseLost: another engine has taken over.
        """
        if self.work() and self._correlator is not None:
            now = self._clock()
            for tenant in self._tenants_with_news(now):
                self._correlator.tick(tenant, now)

    def work(self) -> bool:
        """Read changed definitions and do one waiting job; False while another engine holds the lease."""
        now = self._clock()
        if not self._hold(now):
            return False
        self.reload()
        job = self._control.claim_job(self._holder, LEASE_TIME, now)
        if job is not None:
            self._run(job)
        return True

    def beat(self) -> None:
        """Keep the lease and the running job ours; called every few seconds."""
        now = self._clock()
        with self._lock:
            lease, job = self._lease, self._job
            if lease is not None:
                self._lease = self._control.renew_lease(lease, LEASE_TIME, now)
        if job is not None:
            self._control.report_job(job, self._holder, LEASE_TIME, now, progress=0.0, message=self._step)

    def rebuild_everything(self) -> int:
        """Ask for a rebuild of every process of every tenant; returns how many."""
        now = self._clock()
        self.reload()
        wanted = [(tenant, process.id) for tenant in self._tenants() for process in self.processes]
        for tenant, process in wanted:
            self._control.enqueue_job(REBUILD, tenant, process, now)
        return len(wanted)

    def release(self) -> None:
        """Let the next engine begin at once."""
        with self._lock:
            if self._lease is not None:
                self._control.release_lease(self._lease)
                self._lease = None

    def _hold(self, now: datetime) -> bool:
        """Whether the lease is ours, taking it if it is free."""
        with self._lock:
            if self._lease is None:
                self._lease = self._control.acquire_lease(LEASE, self._holder, LEASE_TIME, now)
            return self._lease is not None

    def reload(self) -> None:
        """Read the definitions, if they have changed."""
        now = self._clock()
        loaded = self._definitions.reload(now)
        if loaded is None:
            return
        for problem in loaded.problems:
            log.error("%s", problem)
        self._correlator = Correlator(self._store, loaded.processes, checkpoint=self._check)
        self.processes = loaded.processes
        if loaded.changed:
            for tenant in self._tenants():
                for process in loaded.changed:
                    self._control.enqueue_job(REBUILD, tenant, process, now)

    def _check(self, step: str) -> None:
        """Called by the correlator before every write: without the lease nothing is written."""
        self._step = step
        if self._lease is None:
            raise LeaseLost("Another engine correlates now; this one has stopped.")

    def _run(self, job: Job) -> None:
        """Run one job; its failure is the job's, and logged, and stops nothing else."""
        self._job = job
        try:
            state, message = "done", self._rebuild(job)
        except LeaseLost:
            raise
        except ThroughlineError as error:
            log.exception("rebuild of %s for %s failed", job.process, job.tenant)
            state, message = "failed", str(error)
        finally:
            self._job = None
        self._control.finish_job(
            job, self._holder, self._clock(), state="done" if state == "done" else "failed", message=message
        )

    def _rebuild(self, job: Job) -> str:
        if self._correlator is None or job.process not in {process.id for process in self.processes}:
            raise ThroughlineError(f"No process is called {job.process}; throughline check DIR lists them.")
        log.info("rebuild of %s for %s begins", job.process, job.tenant)
        report = self._correlator.rebuild(job.tenant, job.process, self._clock())
        return str(report)

    def _tenants_with_news(self, now: datetime) -> list[str]:
        """Tenants with rows since the last look; the window overlaps, for inserts that commit late."""
        since, self._looked_at = self._looked_at, now
        if since is None:
            return list(self._tenants())
        parameters = {"since": since - timedelta(seconds=120)}
        rows = self._store.query(
            self._queries["tenants_with_news"], parameters, role=Role.CORRELATOR
        ).result_rows
        return [str(row[0]) for row in rows]

    def _tenants(self) -> Iterator[str]:
        rows = self._store.query(self._queries["tenants"], role=Role.CORRELATOR).result_rows
        return (str(row[0]) for row in rows)


def holder(settings: EngineSettings) -> str:
    """The name under which an engine holds leases: the same after a restart, so that it need not wait."""
    return f"{socket.gethostname()}:{settings.data.resolve()}"
