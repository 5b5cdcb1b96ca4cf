"""Counts journeys for `/metrics` again and again, and sends the metrics on where that is configured."""

from __future__ import annotations

from typing import TYPE_CHECKING

from throughline.dashboards.alerting import tenants
from throughline.dashboards.journey_metrics import count
from throughline.dashboards.metrics_export import export

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import datetime

    from throughline.collector.store import Store
    from throughline.correlator.definition import Process
    from throughline.dashboards.alert_settings import AlertSettings
    from throughline.dashboards.engine_metrics import EngineMetrics


class Counting:
    """`turn` is called by a thread of its own, `every` so many seconds."""

    def __init__(
        self,
        store: Store,
        metrics: EngineMetrics,
        settings: AlertSettings,
        clock: Callable[[], datetime],
        processes: Callable[[], Iterable[Process]],
    ) -> None:
        self.every = settings.metrics_seconds
        self._store = store
        self._metrics = metrics
        self._otlp = settings.metrics_otlp
        self._clock = clock
        self._processes = processes
        self._started = clock()

    def turn(self) -> None:
        """Once. Raises: StoreError."""
        for tenant in tenants(self._store):
            found = count(self._store, tenant, self._clock(), self._processes())
            self._metrics.counted(tenant, found)
        if self._otlp is not None:
            export(self._metrics.registry, self._otlp, self._started, self._clock())
