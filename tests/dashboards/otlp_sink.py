"""A tiny receiver of OTLP/HTTP and webhooks for tests: keeps what it gets, OTLP decoded."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

from tests.listening import Quiet, listening
from throughline.probes.platforms.adapter import HookRequest


class Sink:
    """What arrived: decoded log records and spans, and the bodies."""

    def __init__(self) -> None:
        self.endpoint = ""
        self.status = 200
        self.records: list[dict[str, Any]] = []
        self.spans: list[dict[str, Any]] = []
        self.bodies: list[bytes] = []
        self.hooks: list[HookRequest] = []
        self._lock = threading.Lock()

    def take(self, path: str, headers: Mapping[str, str], body: bytes) -> None:
        """Decode one request; keep a webhook."""
        with self._lock:
            if path.startswith("/hooks/"):
                url = self.endpoint + path
                self.hooks.append(HookRequest("POST", url, headers, body, datetime.now(UTC)))
                return
            self.bodies.append(body)
            if path == "/v1/logs":
                logs = ExportLogsServiceRequest.FromString(body)
                for resource in logs.resource_logs:
                    service = _plain(resource.resource.attributes).get("service.name")
                    for scope in resource.scope_logs:
                        self.records += [_record(service, record) for record in scope.log_records]
            elif path == "/v1/traces":
                traces = ExportTraceServiceRequest.FromString(body)
                for resource in traces.resource_spans:
                    service = _plain(resource.resource.attributes).get("service.name")
                    for scope in resource.scope_spans:
                        self.spans += [_span(service, span) for span in scope.spans]


def _record(service: object, record: Any) -> dict[str, Any]:
    return {
        "service": service,
        "event": record.event_name,
        "time": record.time_unix_nano,
        "severity": record.severity_number,
        "trace": record.trace_id.hex(),
        "span": record.span_id.hex(),
        "attributes": _plain(record.attributes),
    }


def _span(service: object, span: Any) -> dict[str, Any]:
    return {
        "service": service,
        "name": span.name,
        "trace": span.trace_id.hex(),
        "span": span.span_id.hex(),
        "parent": span.parent_span_id.hex(),
        "start": span.start_time_unix_nano,
        "end": span.end_time_unix_nano,
        "failed": span.status.code == 2,
        "attributes": _plain(span.attributes),
    }


def _plain(attributes: Any) -> dict[str, Any]:
    return {pair.key: _value(pair.value) for pair in _pairs(attributes)}


def _pairs(attributes: Any) -> list[KeyValue]:
    return list(attributes)


def _value(value: AnyValue) -> Any:
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return tuple(_value(member) for member in value.array_value.values)
    if kind == "kvlist_value":
        return _plain(value.kvlist_value.values)
    return getattr(value, kind) if kind else None


@contextmanager
def otlp_sink() -> Iterator[Sink]:
    """A sink that listens on a free port of the loopback interface."""
    sink = Sink()

    class Handler(Quiet):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            body = self.body()
            if sink.status == 200:
                sink.take(self.path, self.said(), body)
            self.send_response(sink.status)
            self.send_header("content-length", "0")
            self.end_headers()

    with listening(Handler) as sink.endpoint:
        yield sink
