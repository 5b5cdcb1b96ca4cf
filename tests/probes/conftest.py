"""A probe whose telemetry stays in memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from opentelemetry.sdk._logs import LoggerProvider, ReadableLogRecord
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from throughline.probes import BaggageKeys, Probe, guard


@dataclass
class Observed:
    """A probe, and what it emitted."""

    probe: Probe
    tracers: TracerProvider
    _spans: InMemorySpanExporter
    _records: InMemoryLogRecordExporter
    last: int = field(default=0)

    @property
    def records(self) -> list[ReadableLogRecord]:
        """The log records, oldest first."""
        return list(self._records.get_finished_logs())

    @property
    def spans(self) -> list[ReadableSpan]:
        """The ended spans, in order of ending."""
        return list(self._spans.get_finished_spans())

    def attributes(self, number: int = -1) -> Mapping[str, Any]:
        """The attributes of a log record; default: the last."""
        return dict(self.records[number].log_record.attributes or {})

    def span_attributes(self, name: str) -> Mapping[str, Any]:
        """The attributes of the only span with the name."""
        (found,) = [span for span in self.spans if span.name == name]
        return dict(found.attributes or {})

    def clear(self) -> None:
        """Forget."""
        self._spans.clear()
        self._records.clear()


def observe(**defaults: Any) -> Observed:
    """A probe that keeps what it emits."""
    spans, records = InMemorySpanExporter(), InMemoryLogRecordExporter()  # type: ignore[no-untyped-call]
    tracers = TracerProvider(shutdown_on_exit=False)
    tracers.add_span_processor(BaggageKeys())
    tracers.add_span_processor(SimpleSpanProcessor(spans))
    loggers = LoggerProvider(shutdown_on_exit=False)
    loggers.add_log_record_processor(SimpleLogRecordProcessor(records))
    return Observed(Probe(tracers, loggers, **defaults), tracers, spans, records)


@pytest.fixture
def seen() -> Observed:
    """A probe that keeps what it emits."""
    return observe()


@pytest.fixture(autouse=True)
def _fresh_complaints(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Each test hears each complaint anew, and runs as in production: nothing is raised."""
    monkeypatch.delenv(guard.RAISE_VARIABLE, raising=False)
    guard._said.clear()
    yield
    guard._said.clear()
