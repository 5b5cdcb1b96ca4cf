"""What the probe costs on top of OpenTelemetry, in one process, call against call.

The same telemetry is produced twice: natively (a span with the keys, and in it a log record with all
attributes, a new identity each) and by the probe.  Batch processors run with exporters that drop.  Rounds
alternate; of each the ratio is taken, and the median of the ratios is reported.
"""

from __future__ import annotations

import gc
import statistics
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Sequence
from typing import Any

from opentelemetry._logs import SeverityNumber
from opentelemetry.sdk._logs import LoggerProvider, ReadableLogRecord
from opentelemetry.sdk._logs.export import (
    BatchLogRecordProcessor,
    LogRecordExporter,
    LogRecordExportResult,
)
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

from bench.rows import Row
from throughline.probes import BaggageKeys, Facts, Probe

ROUNDS = 150
CALLS = 100
BUDGET = 1.15
IMPORT = 60

EVENT = "invoice.posted"
KEYS = {"netsuite.invoice": "TSTDRV1234/INV-2026-0042", "certinia.billing_event": "00D5e000000demo/a3B000001"}
FACTS: Facts = {
    "keys": KEYS,
    "subject": "netsuite.invoice",
    "system": "erp",
    "platform": "netsuite",
    "amount": "1234.50",
    "currency": "EUR",
    "customer": "Contoso",
    "entity": "DE01",
    "region": "EMEA",
    "service_line": "consulting",
    "run_id": "run-0001",
    "idempotency_key": "idem-0001",
}
KEY_ATTRIBUTES = {f"business.key.{namespace}": value for namespace, value in KEYS.items()}
ATTRIBUTES: dict[str, Any] = {
    **KEY_ATTRIBUTES,
    "business.event": EVENT,
    "business.subject": "netsuite.invoice",
    "business.system": "erp",
    "business.platform": "netsuite",
    "business.amount": "1234.50",
    "business.currency": "EUR",
    "business.customer": "Contoso",
    "business.entity": "DE01",
    "business.region": "EMEA",
    "business.service_line": "consulting",
    "business.run.id": "run-0001",
    "business.idempotency_key": "idem-0001",
}


class _DropSpans(SpanExporter):
    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:  # noqa: ARG002 drops them
        return SpanExportResult.SUCCESS


class _DropLogs(LogRecordExporter):
    def export(self, batch: Sequence[ReadableLogRecord]) -> LogRecordExportResult:  # noqa: ARG002 drops
        return LogRecordExportResult.SUCCESS

    def shutdown(self) -> None:
        """Nothing is held."""

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return timeout_millis > 0


def _variants(tracers: TracerProvider, loggers: LoggerProvider) -> dict[str, Callable[[], None]]:
    tracer = tracers.get_tracer("bench")
    logger = loggers.get_logger("bench")
    probe = Probe(tracers, loggers)

    def span() -> None:
        with tracer.start_as_current_span(EVENT, attributes=ATTRIBUTES):
            pass

    def native() -> None:
        with tracer.start_as_current_span(EVENT, attributes=KEY_ATTRIBUTES):
            logger.emit(
                timestamp=time.time_ns(),
                severity_number=SeverityNumber.INFO,
                severity_text="INFO",
                attributes={**ATTRIBUTES, "business.event.id": str(uuid.uuid4())},
                event_name=EVENT,
            )

    def native_late() -> None:
        with tracer.start_as_current_span(EVENT) as current:
            current.set_attributes(KEY_ATTRIBUTES)
            logger.emit(
                timestamp=time.time_ns(),
                severity_number=SeverityNumber.INFO,
                severity_text="INFO",
                attributes={**ATTRIBUTES, "business.event.id": str(uuid.uuid4())},
                event_name=EVENT,
            )

    def block() -> None:
        with probe.business_event(EVENT, **FACTS):
            pass

    @probe.business_event(EVENT, **FACTS)
    def decorated() -> None:
        pass

    def emitted() -> None:
        with tracer.start_as_current_span(EVENT):
            probe.emit(EVENT, **FACTS)

    return {
        "span": span,
        "native": native,
        "native_late": native_late,
        "block": block,
        "decorated": decorated,
        "emit": emitted,
    }


def _measure() -> dict[str, list[float]]:
    """CPU seconds per call of each variant, one value per round, after one round to warm up."""
    tracers, loggers = TracerProvider(shutdown_on_exit=False), LoggerProvider(shutdown_on_exit=False)
    tracers.add_span_processor(BaggageKeys())
    tracers.add_span_processor(BatchSpanProcessor(_DropSpans(), max_queue_size=10 * CALLS))
    loggers.add_log_record_processor(BatchLogRecordProcessor(_DropLogs(), max_queue_size=10 * CALLS))
    variants = _variants(tracers, loggers)
    seconds: dict[str, list[float]] = {name: [] for name in variants}
    for number in range(ROUNDS + 1):
        for name, call in variants.items():
            gc.collect()
            gc.disable()
            began = time.thread_time()
            for _ in range(CALLS):
                call()
            took = time.thread_time() - began
            gc.enable()
            tracers.force_flush()
            loggers.force_flush()
            if number:
                seconds[name].append(took / CALLS)
    tracers.shutdown()
    loggers.shutdown()
    return seconds


def _ratio(seconds: dict[str, list[float]], above: str, below: str) -> float:
    return statistics.median(a / b for a, b in zip(seconds[above], seconds[below], strict=True))


def _import_milliseconds() -> float:
    """Time to import everything of the probe, with the OpenTelemetry SDK and exporter imported before."""
    code = (
        "import opentelemetry.sdk.trace.export, opentelemetry.sdk._logs.export, opentelemetry.baggage\n"
        "import opentelemetry.exporter.otlp.proto.http.trace_exporter\n"
        "import opentelemetry.exporter.otlp.proto.http._log_exporter\n"
        "import time; began = time.perf_counter()\n"
        "from throughline.probes import configure, emit, business_event, carry_keys\n"
        "print(1000 * (time.perf_counter() - began))"
    )
    runs = [
        float(subprocess.run([sys.executable, "-c", code], check=True, capture_output=True).stdout)
        for _ in range(5)
    ]
    return statistics.median(runs)


def run() -> list[Row]:
    """Measure; a few seconds."""
    seconds = _measure()
    rows = []
    for name, below, what in (
        ("block", "native", "with business_event()"),
        ("decorated", "native", "@business_event"),
        ("emit", "native_late", "emit() in a span"),
    ):
        ratio = _ratio(seconds, name, below)
        title = f"probe: {what} / the same natively"
        rows.append(Row(title, ratio, "x", f"<= {BUDGET}", ratio <= BUDGET))
    imported = _import_milliseconds()
    rows += [
        Row("probe: with business_event() / span alone", _ratio(seconds, "block", "span"), "x", None, None),
        Row("probe: native span + log / span alone", _ratio(seconds, "native", "span"), "x", None, None),
        Row("probe: with business_event()", statistics.median(seconds["block"]) * 1e6, "us", None, None),
        Row("probe: native span + log record", statistics.median(seconds["native"]) * 1e6, "us", None, None),
        Row("probe: import beyond OpenTelemetry", imported, "ms", f"< {IMPORT}", imported < IMPORT),
    ]
    return rows


if __name__ == "__main__":
    for row in run():
        print(f"{row.name:60} {row.value:10.2f} {row.unit:4} {row.budget or ''} {row.ok}")
