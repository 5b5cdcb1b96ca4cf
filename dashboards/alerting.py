"""What one engine does about alerts: for each tenant, under a lease, measure and evaluate the rules."""

from __future__ import annotations

import logging
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from throughline.collector.alert_store import AlertStore
from throughline.collector.auth import DEFAULT_TENANT
from throughline.collector.held_lease import HeldLease
from throughline.collector.spool_records import SEALED_SUFFIX
from throughline.collector.store import Role, Store, load_queries
from throughline.correlator.alerts.asking import Limits
from throughline.correlator.alerts.evaluator import Evaluator
from throughline.correlator.alerts.own import GROUP
from throughline.correlator.alerts.states import due
from throughline.dashboards.completeness import completeness
from throughline.dashboards.foreseeing import foresee
from throughline.dashboards.heartbeat import Heartbeat
from throughline.probes.errors import LeaseLost, StoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from throughline.collector.control import ControlStore
    from throughline.correlator.definition import Process
    from throughline.dashboards.alert_settings import AlertSettings
    from throughline.dashboards.engine_metrics import EngineMetrics
    from throughline.dashboards.live_rules import LiveRules

LEASE_TIME = timedelta(seconds=30)
FRESH = timedelta(minutes=3)
"""The heartbeat goes out while every tenant's alerts were evaluated so lately."""
HANGS_SECONDS = 600.0
"""An evaluation of one tenant that takes longer lets another engine take over."""
MEASURE_EVERY = timedelta(minutes=1)
FORESEE_EVERY = timedelta(minutes=10)
"""So often what is comparable is counted anew, one query for each process."""
HEALTH = ("spool_bytes", "lag_seconds", "dead_letters", "hub_keys", "ambiguous_links", "detached")
"""Figures of `/status` that the view `health` holds a history of."""

_SQL = load_queries("throughline.correlator", "alerts")
log = logging.getLogger(__name__)


def tenants(store: Store) -> list[str]:
    """Everybody who has journeys, and the default tenant. Raises: StoreError."""
    rows = store.query(_SQL["tenants"], role=Role.ALERTS).result_rows
    return sorted({DEFAULT_TENANT, *(str(row[0]) for row in rows)})


class Alerting:
    """`turn` and `beat` are called again and again, each by a thread of its own."""

    def __init__(
        self,
        store: Store,
        control: ControlStore,
        rules: LiveRules,
        settings: AlertSettings,
        metrics: EngineMetrics,
        *,
        processes: Callable[[], Sequence[Process]],
        spool: Path,
        holder: str,
        clock: Callable[[], datetime],
    ) -> None:
        self._store = store
        self._control = control
        self._rules = rules
        self._metrics = metrics
        self._processes = processes
        self._spool = spool
        self._holder = holder
        self._clock = clock
        limits = Limits(seconds=settings.rule_seconds, memory_bytes=settings.rule_memory_bytes)
        self._alerts = AlertStore(control)
        self._evaluator = Evaluator(store, self._alerts, holder, limits)
        self._progress = time.monotonic()
        self._heartbeat = Heartbeat(settings)
        self._leases: dict[str, HeldLease] = {}
        self._measured: dict[str, datetime] = {}
        self._foreseen: dict[str, tuple[datetime, tuple[str, ...]]] = {}

    def turn(self) -> None:
        """Once: read changed rules, then evaluate what is due, tenant by tenant; one that fails stops no
        other. The heartbeat goes out while all were evaluated lately.

        Raises: StoreError, ControlError.
        """
        if self._rules.reload():
            log.info("%d groups of alert rules are in force", len(self._rules.current.groups))
        wanted = tenants(self._store)
        for tenant in wanted:
            self._progress = time.monotonic()
            try:
                self._evaluate(tenant)
            except Exception:
                log.exception("the alerts of %s could not be evaluated; trying again", tenant)
                self._metrics.evaluation_failed(tenant)
        self._progress = time.monotonic()
        if all(self._fresh(tenant) for tenant in wanted):
            self._heartbeat.beat(time.monotonic())

    def beat(self) -> None:
        """Once: keep the leases, unless this engine hangs. Called every few seconds."""
        if time.monotonic() - self._progress > HANGS_SECONDS:
            return
        for lease in list(self._leases.values()):
            lease.renew(self._clock())

    def release(self) -> None:
        """Let the next engine begin at once."""
        for lease in self._leases.values():
            lease.release()

    def _fresh(self, tenant: str) -> bool:
        """Whether the alerts of a tenant were evaluated lately, here or by whoever holds the lease."""
        last = self._alerts.groups(tenant).get(GROUP)
        return last is not None and self._clock() - last.evaluated_at <= FRESH

    def _evaluate(self, tenant: str) -> None:
        """Evaluate what is due, if the lease can be had."""
        now = self._clock()
        if tenant not in self._leases:
            self._leases[tenant] = HeldLease(self._control, f"alerts:{tenant}", self._holder, LEASE_TIME)
        held = self._leases[tenant]
        lease = held.take(now)
        if lease is None:
            return
        self._measure(tenant, now)
        self._foresee(tenant, now)
        try:
            reports = self._evaluator.evaluate(
                tenant, self._rules.of(tenant).groups, now, lease=lease, spooled_since=self._spooled_since()
            )
        except LeaseLost:
            held.lose()
            return
        self._metrics.evaluated(tenant, reports, self._clock())

    def _measure(self, tenant: str, now: datetime) -> None:
        """Write what the platform is like, once a minute."""
        at = due(now, MEASURE_EVERY)
        if self._measured.get(tenant) == at:
            return
        figures = completeness(self._store, self._spool, tenant, now)
        rows = [(tenant, name, at, float(figures[name])) for name in HEALTH]
        self._store.insert_rows("health_samples", rows, ("Tenant", "Name", "At", "Value"), role=Role.ALERTS)
        self._metrics.measured(tenant, {name: value for _, name, _, value in rows})
        self._measured[tenant] = at

    def _foresee(self, tenant: str, now: datetime) -> None:
        """Write at which ages milestones are likely late, every ten minutes and when a definition changed.
        Without that rules go on: they read what was written last.
        """
        processes = self._processes()
        at = (due(now, FORESEE_EVERY), tuple(one.definition_hash for one in processes))
        if self._foreseen.get(tenant) == at:
            return
        self._foreseen[tenant] = at
        try:
            foresee(self._store, tenant, processes, now)
        except StoreError:
            log.exception("what is likely late for %s cannot be told anew; trying again in a while", tenant)

    def _spooled_since(self) -> datetime | None:
        """Since when the oldest sealed segment waits for the loader."""
        oldest: float | None = None
        for path in self._spool.glob(f"*{SEALED_SUFFIX}"):
            try:
                written = path.stat().st_mtime
            except FileNotFoundError:  # loaded meanwhile
                continue
            oldest = written if oldest is None else min(oldest, written)
        return None if oldest is None else datetime.fromtimestamp(oldest, UTC)
