"""OTLP requests for tests, and a spool to put them in."""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING, Any

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue, KeyValueList

from throughline.collector.spool import SpoolWriter

if TYPE_CHECKING:
    from pathlib import Path

NOW = time.time_ns()


def any_value(value: Any) -> AnyValue:
    """Return the AnyValue of a Python value; None is the empty value."""
    match value:
        case None:
            return AnyValue()
        case bool():
            return AnyValue(bool_value=value)
        case int():
            return AnyValue(int_value=value)
        case float():
            return AnyValue(double_value=value)
        case bytes():
            return AnyValue(bytes_value=value)
        case str():
            return AnyValue(string_value=value)
        case list():
            return AnyValue(array_value=ArrayValue(values=[any_value(member) for member in value]))
        case dict():
            return AnyValue(kvlist_value=KeyValueList(values=attributes(value)))
    raise TypeError(value)


def attributes(values: dict[str, Any]) -> list[KeyValue]:
    """Return OTLP attributes."""
    return [KeyValue(key=key, value=any_value(value)) for key, value in values.items()]


def traces(*spans: dict[str, Any], service: str = "mw", **span: Any) -> bytes:
    """Return a trace request; each span is the fields of its message, ``attributes`` as a dict."""
    request = ExportTraceServiceRequest()
    resource = request.resource_spans.add()
    resource.resource.attributes.extend(attributes({"service.name": service}))
    scope = resource.scope_spans.add()
    scope.scope.name = "tests"
    for fields in spans or (span,):
        given: dict[str, Any] = {
            "trace_id": random.randbytes(16),
            "span_id": random.randbytes(8),
            "name": "step",
            "start_time_unix_nano": NOW,
            "end_time_unix_nano": NOW + 1000,
        } | fields
        given["attributes"] = attributes(given.get("attributes", {}))
        scope.spans.add(**given)
    return bytes(request.SerializeToString())


def logs(*records: dict[str, Any], scope: str = "tests", service: str = "mw") -> bytes:
    """Return a log request; ``body`` and ``attributes`` as Python values."""
    request = ExportLogsServiceRequest()
    resource = request.resource_logs.add()
    resource.resource.attributes.extend(attributes({"service.name": service}))
    scope_logs = resource.scope_logs.add()
    scope_logs.scope.name = scope
    for fields in records:
        given: dict[str, Any] = {"time_unix_nano": NOW} | fields
        given["attributes"] = attributes(given.get("attributes", {}))
        if "body" in given:
            given["body"] = any_value(given["body"])
        scope_logs.log_records.add(**given)
    return bytes(request.SerializeToString())


def spool(directory: Path, signal: str, *requests: bytes, tenant: str = "default", items: int = 1) -> None:
    """Put requests of one signal into one sealed segment."""
    directory.mkdir(exist_ok=True)
    writer = SpoolWriter(directory, segment_bytes=1 << 30, segment_age_seconds=3600, limit_bytes=1 << 40)
    acknowledged = [writer.append(signal, tenant, items, request, NOW) for request in requests]
    for future in acknowledged:
        future.result(timeout=30)
    writer.close()
