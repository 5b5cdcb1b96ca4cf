"""The middleware's services: each with OpenTelemetry providers of its own, sending OTLP over HTTP.

What a platform can say itself goes to its webhooks (`webhooks.py`) when `flush` is called.

The exporters are the stock ones; they are only watched, so that a demo whose platform is not there says so.
"""

from __future__ import annotations

import socket
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from opentelemetry import trace
from opentelemetry.context import Context, attach, detach
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.propagate import extract
from opentelemetry.sdk._logs import LoggerProvider, ReadableLogRecord
from opentelemetry.sdk._logs.export import (
    BatchLogRecordProcessor,
    LogRecordExporter,
    LogRecordExportResult,
)
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace import NonRecordingSpan, Span, SpanContext, SpanKind, Status, StatusCode

from throughline.dashboards.demo.catalog import SERVICES, Service
from throughline.dashboards.demo.deal import INVOICE_REQUESTED, PROJECT_REQUESTED, PlannedEvent
from throughline.dashboards.demo.webhooks import Webhooks
from throughline.probes import BaggageKeys, Payloads, Probe, encode, with_keys
from throughline.probes import vocabulary as v
from throughline.probes.errors import DemoError

if TYPE_CHECKING:
    from throughline.dashboards.demo.estate import Estate

TIMEOUT_SECONDS = 5.0
_QUEUE = 20_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

STEPS: Mapping[tuple[str, str], str] = {
    ("crm", PROJECT_REQUESTED): "Opportunity trigger: closed won",
    ("crm", v.OPPORTUNITY_CLOSED_WON): "Opportunity trigger: closed won",
    ("crm", v.PROJECT_CREATED): "Opportunity trigger: closed won",
    ("middleware", PROJECT_REQUESTED): "flow opportunity-to-project",
    ("middleware", v.OPPORTUNITY_CLOSED_WON): "flow opportunity-to-project: read the deal",
    ("middleware", INVOICE_REQUESTED): "flow billing-to-invoice",
    ("middleware", v.PROJECT_CREATED): "flow opportunity-to-project",
    ("middleware", v.INVOICE_POSTED): "flow billing-to-invoice",
    ("middleware", v.INVOICE_CREDITED): "flow credit-note",
    ("middleware", ""): "job collect-billable-time",
    ("psa", v.PROJECT_CREATED): "POST /projects",
    ("erp", v.INVOICE_POSTED): "POST /invoices",
    ("erp", v.INVOICE_CREDITED): "POST /credit-notes",
}
"""Span names by system and event; any other step is named like its event."""
CALLS = {"psa": "POST /projects", "erp": "POST /invoices"}
"""What the calls to platforms are named."""


class _Spans(SpanExporter):
    """The stock exporter, watched; may send each request twice."""

    def __init__(self, endpoint: str) -> None:
        self.inner = OTLPSpanExporter(endpoint=f"{endpoint}/v1/traces", timeout=TIMEOUT_SECONDS)
        self.failed = 0
        self.twice = False

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        result = self.inner.export(spans)
        if result is SpanExportResult.SUCCESS and self.twice:
            result = self.inner.export(spans)
        self.failed += result is not SpanExportResult.SUCCESS
        return result

    def shutdown(self) -> None:
        self.inner.shutdown()  # type: ignore[no-untyped-call]  # OpenTelemetry's own


class _Logs(LogRecordExporter):
    """The stock exporter, watched; may send each request twice."""

    def __init__(self, endpoint: str) -> None:
        self.inner = OTLPLogExporter(endpoint=f"{endpoint}/v1/logs", timeout=TIMEOUT_SECONDS)
        self.failed = 0
        self.twice = False

    def export(self, batch: Sequence[ReadableLogRecord]) -> LogRecordExportResult:
        result = self.inner.export(batch)
        if result is LogRecordExportResult.SUCCESS and self.twice:
            result = self.inner.export(batch)
        self.failed += result is not LogRecordExportResult.SUCCESS
        return result

    def shutdown(self) -> None:
        self.inner.shutdown()  # type: ignore[no-untyped-call]  # OpenTelemetry's own

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return self.inner.force_flush(timeout_millis)


class _Station:
    """One simulated service."""

    def __init__(self, service: Service, endpoint: str) -> None:
        resource = Resource.create({"service.name": service.name, "service.namespace": "throughline-demo"})
        self.exporters = (_Spans(endpoint), _Logs(endpoint))
        self._tracers = TracerProvider(sampler=ALWAYS_ON, resource=resource, shutdown_on_exit=False)
        self._tracers.add_span_processor(BaggageKeys())
        self._tracers.add_span_processor(BatchSpanProcessor(self.exporters[0], max_queue_size=_QUEUE))
        self._loggers = LoggerProvider(resource=resource, shutdown_on_exit=False)
        logs = BatchLogRecordProcessor(self.exporters[1], max_queue_size=_QUEUE)
        self._loggers.add_log_record_processor(logs)
        self.tracer = self._tracers.get_tracer(service.name)
        self.probe = Probe(
            self._tracers,
            self._loggers,
            owned=True,
            payloads=Payloads(),
            system=service.system,
            platform=service.platform,
        )

    def failed(self) -> int:
        """How many requests were not accepted."""
        return sum(exporter.failed for exporter in self.exporters)

    def close(self) -> None:
        """Send the rest and stop; at once if the platform does not answer anyway."""
        for exporter in self.exporters:
            if exporter.failed:
                exporter.shutdown()  # ends a retry that the processor would wait for
        self.probe.shutdown()


class Firm:
    """All simulated services, and the traces between them."""

    def __init__(self, endpoint: str, estate: Estate, label: str) -> None:
        """Make the services.

        Args:
            endpoint: base URL of OTLP/HTTP, as `http://127.0.0.1:4318`.
            estate: the secrets of the platforms, and where runs of the middleware are shown.
            label: of this run, for the platforms.

        Raises:
            DemoError: nothing listens there.
        """
        self.endpoint = endpoint.rstrip("/")
        _require_listener(self.endpoint)
        self._estate = estate
        self._webhooks = Webhooks(self.endpoint, estate.secrets, label)
        self._untold: list[PlannedEvent] = []
        self._stations = {name: _Station(service, self.endpoint) for name, service in SERVICES.items()}
        self._traces: dict[str, SpanContext] = {}
        self._lost = 0
        if not all(station.probe.logger.enabled() for station in self._stations.values()):
            raise DemoError("OTEL_SDK_DISABLED is set: unset it, the demo sends telemetry.", permanent=True)

    def deliver(self, planned: PlannedEvent, headers: Mapping[str, str] | None = None) -> None:
        """Let the event happen: a platform's webhook, or spans of the systems it passes and in the innermost
        the business event. `headers`: of the call that caused it, which both carry on.
        """
        if planned.mended:
            self._estate.failed(planned)
        if planned.connection and headers is None:
            self._untold.append(planned)
        elif planned.connection:
            self._lost += self._webhooks.tell([planned], headers)
        elif planned.resent:
            self._deliver_twice(planned)
        else:
            self._call(self._shown(planned), extract(headers) if headers else None)

    def _call(self, planned: PlannedEvent, cause: Context | None) -> None:
        path = (*planned.via, planned.service)
        passed = with_keys(planned.baggage, self._parent(planned.trace) if cause is None else cause)
        spans: list[Span] = []
        for depth, system in enumerate(path):
            begun = planned.time - timedelta(seconds=planned.seconds * (1 - depth / (len(path) + 1)))
            name = STEPS.get((system, planned.event.event), planned.event.event or "step")
            kind = SpanKind.SERVER if depth else SpanKind.CONSUMER
            span = self._stations[system].tracer.start_span(
                name, context=passed, kind=kind, start_time=nanoseconds(begun)
            )
            passed = trace.set_span_in_context(span, passed)
            spans.append(span)
        self._speak(planned, spans[-1], passed)
        self._go_on(planned, passed)
        for depth, span in enumerate(reversed(spans)):
            if planned.event.failed:
                span.set_status(Status(StatusCode.ERROR, planned.event.exception_message))
            span.end(end_time=nanoseconds(planned.time + timedelta(seconds=0.03 * (depth + 1))))
        self._traces[planned.trace] = spans[-1].get_span_context()

    def flush(self) -> int:
        """Send what is buffered; returns how many requests were not accepted so far."""
        for station in self._stations.values():
            station.probe.flush()
        failed = sum(station.failed() for station in self._stations.values())
        if not failed:
            told, self._untold = self._untold, []
            self._lost += self._webhooks.tell(told)
        return failed + self._lost

    def close(self) -> None:
        """Send the rest and stop."""
        for station in self._stations.values():
            station.close()
        self._webhooks.close()

    def _shown(self, planned: PlannedEvent) -> PlannedEvent:
        """With the address at which this middleware shows the run."""
        if not planned.event.run_id:
            return planned
        url = f"{self._estate.address}/runs/{planned.event.run_id}"
        return replace(planned, event=replace(planned.event, run_url=url))

    def _go_on(self, planned: PlannedEvent, passed: Context) -> None:
        """The calls to platforms, which tell no spans themselves."""
        for system in planned.onward:
            name = CALLS[system]
            begun = planned.time - timedelta(seconds=planned.seconds / 4)
            span = self._stations[f"{system}"].tracer.start_span(
                name, context=passed, kind=SpanKind.CLIENT, start_time=nanoseconds(begun)
            )
            span.end(end_time=nanoseconds(planned.time))

    def _parent(self, label: str) -> Context:
        known = self._traces.get(label)
        return trace.set_span_in_context(NonRecordingSpan(known), Context()) if known else Context()

    def _speak(self, planned: PlannedEvent, span: Span, context: Context) -> None:
        if not planned.event.event:
            span.set_attributes(encode.keys(planned.event.keys))
            return
        token = attach(context)
        try:
            for _ in range(planned.copies):
                self._stations[planned.service].probe.emit(planned.event, payload=planned.payload or None)
        finally:
            detach(token)

    def _deliver_twice(self, planned: PlannedEvent) -> None:
        exporters = [exporter for station in self._stations.values() for exporter in station.exporters]
        self.flush()
        for exporter in exporters:
            exporter.twice = True
        self._call(self._shown(planned), None)
        self.flush()
        for exporter in exporters:
            exporter.twice = False


def nanoseconds(moment: datetime) -> int:
    """Nanoseconds since 1970."""
    return (moment - _EPOCH) // timedelta(microseconds=1) * 1_000


def _require_listener(endpoint: str) -> None:
    parts = urlsplit(endpoint)
    address = (parts.hostname or "127.0.0.1", parts.port or (443 if parts.scheme == "https" else 80))
    try:
        socket.create_connection(address, timeout=3).close()
    except OSError as error:
        raise DemoError(f"Nothing listens on {endpoint}: start the platform first ({error}).") from error
