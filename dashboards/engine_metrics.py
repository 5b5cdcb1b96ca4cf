"""Prometheus metrics of the engine: journeys as last counted, the platform's health, how rules fare."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector
from prometheus_client.samples import Exemplar

from throughline.dashboards.journey_metrics import BUCKETS, Counted

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from prometheus_client import Metric

    from throughline.correlator.alerts.evaluator import GroupReport

EVALUATION_BUCKETS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
HEALTH = {
    "spool_bytes": ("throughline_spool_bytes", "Bytes acknowledged and not yet loaded, of all tenants."),
    "lag_seconds": ("throughline_correlation_lag_seconds", "Age of the oldest row that is not correlated."),
    "dead_letters": ("throughline_dead_letters", "Facts that could not be stored."),
    "hub_keys": ("throughline_hub_keys", "Keys that belong to too many journeys to mean anything."),
    "ambiguous_links": ("throughline_ambiguous_links", "Pairs that events name without saying which."),
    "detached": ("throughline_detached_objects", "Objects whose parents are all hubs."),
}


class EngineMetrics:
    """Counters since the start of this process, gauges as last counted; `text` is what Prometheus reads."""

    def __init__(self) -> None:
        """Make a registry of our own: several engines may live in one test process."""
        self.registry = CollectorRegistry(auto_describe=False)
        self._journeys = _Journeys()
        self.registry.register(self._journeys)
        by_group = ["tenant", "rule_group"]
        self._evaluations = Counter(
            "throughline_rule_evaluations", "Rules evaluated.", by_group, registry=self.registry
        )
        self._failures = Counter(
            "throughline_rule_evaluation_failures",
            "Rules whose SELECT failed, or that are in quarantine.",
            by_group,
            registry=self.registry,
        )
        self._held = Counter(
            "throughline_rule_evaluations_held",
            "Rules that waited, because what they read was not known yet.",
            by_group,
            registry=self.registry,
        )
        self._missed = Counter(
            "throughline_rule_group_iterations_missed",
            "Times at which a group should have been evaluated and was not.",
            by_group,
            registry=self.registry,
        )
        self._transitions = Counter(
            "throughline_alert_transitions", "Changes of alerts' states.", by_group, registry=self.registry
        )
        self._seconds = Histogram(
            "throughline_rule_group_duration_seconds",
            "Time that the SELECTs of a group took.",
            ["tenant"],
            buckets=EVALUATION_BUCKETS,
            registry=self.registry,
        )
        self._lag = Gauge(
            "throughline_rule_evaluation_lag_seconds",
            "From the time of the latest evaluation to when it was stored.",
            ["tenant"],
            registry=self.registry,
        )
        self._last = Gauge(
            "throughline_rule_evaluation_timestamp_seconds",
            "Time of the latest evaluation.",
            ["tenant"],
            registry=self.registry,
        )
        self._failed = Counter(
            "throughline_evaluator_failures",
            "Evaluations of a tenant that ended with an error; see the log.",
            ["tenant"],
            registry=self.registry,
        )
        self._health = {
            name: Gauge(metric, text, ["tenant"], registry=self.registry)
            for name, (metric, text) in HEALTH.items()
        }

    def evaluated(self, tenant: str, reports: Sequence[GroupReport], now: datetime) -> None:
        """Count what an evaluation came to."""
        for one in reports:
            self._evaluations.labels(tenant, one.group).inc(one.rules)
            self._failures.labels(tenant, one.group).inc(one.failures)
            self._held.labels(tenant, one.group).inc(one.held)
            self._missed.labels(tenant, one.group).inc(one.missed)
            self._transitions.labels(tenant, one.group).inc(one.transitions)
            self._seconds.labels(tenant).observe(one.seconds)
        if reports:
            latest = max(one.at for one in reports)
            self._lag.labels(tenant).set((now - latest).total_seconds())
            self._last.labels(tenant).set(latest.timestamp())

    def evaluation_failed(self, tenant: str) -> None:
        """Count an evaluation that ended with an error."""
        self._failed.labels(tenant).inc()

    def measured(self, tenant: str, figures: Mapping[str, float]) -> None:
        """Show what the platform is like."""
        for name, value in figures.items():
            self._health[name].labels(tenant).set(value)

    def counted(self, tenant: str, found: Counted) -> None:
        """Show a tenant's journeys."""
        self._journeys.show(tenant, found)

    def text(self, accept: str) -> tuple[bytes, str]:
        """The exposition in the format that is asked for, and its content type; OpenMetrics has exemplars."""
        encode, content_type = choose_encoder(accept)
        return encode(self.registry), content_type


class _Journeys(Collector):
    """Journeys as last counted, by tenant."""

    def __init__(self) -> None:
        self._found: dict[str, Counted] = {}
        self._lock = threading.Lock()

    def show(self, tenant: str, found: Counted) -> None:
        """Take new figures."""
        with self._lock:
            self._found[tenant] = found

    def collect(self) -> Iterable[Metric]:
        """Give all families."""
        with self._lock:
            found = dict(self._found)
        families = (
            ("throughline_journeys", "Journeys by status.", ("process", "status"), "journeys"),
            (
                "throughline_milestones",
                "Milestones that somebody waits for.",
                ("process", "milestone", "state"),
                "milestones",
            ),
            (
                "throughline_exceptions",
                "Exceptions that are open.",
                ("process", "class", "severity"),
                "exceptions",
            ),
            (
                "throughline_link_ratio",
                "Share of a level's objects that have a parent; of a sample where there are many.",
                ("process", "level"),
                "link_rates",
            ),
        )
        for metric, text, labels, figure in families:
            family = GaugeMetricFamily(metric, text, labels=("tenant", *labels))
            for tenant, counted in found.items():
                for values, number in getattr(counted, figure).items():
                    family.add_metric([tenant, *values], number)
            yield family
        yield self._durations(found)
        at = GaugeMetricFamily(
            "throughline_counted_timestamp_seconds", "When journeys were counted.", labels=("tenant",)
        )
        for tenant, counted in found.items():
            at.add_metric([tenant], counted.at.timestamp())
        yield at

    def _durations(self, found: Mapping[str, Counted]) -> Metric:
        family = HistogramMetricFamily(
            "throughline_milestone_duration_seconds",
            "From the opening of a journey to the milestone.",
            labels=("tenant", "process", "milestone"),
        )
        for tenant, counted in found.items():
            for one in counted.durations:
                example = {"trace_id": one.trace} if one.trace else {"journey": one.journey}
                exemplar = Exemplar(example, one.took, one.at.timestamp())
                bounds = [*(float(bound) for bound in BUCKETS), float("inf")]
                place = next(n for n, bound in enumerate(bounds) if one.took <= bound)
                texts = [*(f"{float(bound)}" for bound in BUCKETS), "+Inf"]
                rows = zip(texts, [*one.counts, one.reached], strict=True)
                buckets = [
                    (text, number, exemplar) if n == place else (text, number)
                    for n, (text, number) in enumerate(rows)
                ]
                family.add_metric([tenant, one.process, one.milestone], buckets, one.total)
        return family
