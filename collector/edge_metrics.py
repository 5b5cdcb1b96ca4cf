"""Prometheus metrics of the edge."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

ACKNOWLEDGE_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)


class EdgeMetrics:
    """Counters since the start of this process."""

    def __init__(self) -> None:
        """Make a registry of our own: several edges may live in one test process."""
        self._registry = CollectorRegistry(auto_describe=True)
        self.requests = Counter(
            "throughline_edge_requests",
            "Requests acknowledged: their bytes are in the spool and synced.",
            ["tenant", "signal"],
            registry=self._registry,
        )
        self.items = Counter(
            "throughline_edge_items",
            "Spans, log records, data points and events in acknowledged requests.",
            ["tenant", "signal"],
            registry=self._registry,
        )
        self.refused = Counter(
            "throughline_edge_refused",
            "Requests refused, by reason.",
            ["signal", "reason"],
            registry=self._registry,
        )
        self.hooks = Counter(
            "throughline_edge_hooks",
            "Webhooks by connection and what became of them; unknown connections have no name here.",
            ["platform", "connection", "outcome"],
            registry=self._registry,
        )
        self.slow_path = Counter(
            "throughline_edge_slow_path",
            "Requests that needed conversion: JSON, deeply nested values, or examination outside the loop.",
            ["signal", "why"],
            registry=self._registry,
        )
        self.seconds = Histogram(
            "throughline_edge_acknowledge_seconds",
            "From the first byte of a body handled to its acknowledgement.",
            ["signal"],
            buckets=ACKNOWLEDGE_BUCKETS,
            registry=self._registry,
        )
        self.spool_bytes = Gauge(
            "throughline_edge_spool_bytes", "Bytes waiting in the spool.", registry=self._registry
        )
        self.spool_limit = Gauge(
            "throughline_edge_spool_limit_bytes", "Bytes the spool may hold.", registry=self._registry
        )
        self.in_flight = Gauge(
            "throughline_edge_in_flight_bytes", "Memory held by requests in flight.", registry=self._registry
        )
        self.corrupt = Gauge(
            "throughline_edge_recovered_corrupt_records",
            "Bad stretches found in the spool at start; see the log.",
            registry=self._registry,
        )

    def text(self) -> bytes:
        """Return the exposition."""
        return generate_latest(self._registry)
