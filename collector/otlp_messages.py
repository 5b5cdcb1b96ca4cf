"""The OTLP request and response messages per signal, counting their items, and telling deep values apart.

The landing tables decode attribute values two levels deep. A request with deeper ones is found at C speed:
it is parsed with classes whose third level is a proto2 message with a required field that nobody sets, so
`IsInitialized()` is false exactly when something reaches that level.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError, Message
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2
from opentelemetry.proto.common.v1 import common_pb2
from opentelemetry.proto.logs.v1 import logs_pb2
from opentelemetry.proto.metrics.v1 import metrics_pb2
from opentelemetry.proto.resource.v1 import resource_pb2
from opentelemetry.proto.trace.v1 import trace_pb2

from throughline.collector.deep import may_be_deep
from throughline.probes.errors import InvalidRequest

COMMON = "opentelemetry.proto.common.v1"
DEEP_FILE = "throughline/deep.proto"
SMALL = 16 * 1024  # bytes; below, walking the messages is quicker than looking first
NESTED = ("array_value", "kvlist_value")


def _shallow_pool() -> descriptor_pool.DescriptorPool:
    """Return a pool with the OTLP files in which values below the second level are of type Deep."""
    deep = descriptor_pb2.FileDescriptorProto(name=DEEP_FILE, package="throughline", syntax="proto2")
    deep.message_type.add(name="Deep").field.add(
        name="never", number=536_870_911, label=2, type=descriptor_pb2.FieldDescriptorProto.TYPE_BOOL
    )
    common = descriptor_pb2.FileDescriptorProto.FromString(common_pb2.DESCRIPTOR.serialized_pb)
    common.dependency.append(DEEP_FILE)
    messages = {message.name: message for message in common.message_type}
    member_value = common.message_type.add()
    member_value.CopyFrom(messages["AnyValue"])
    member_value.name = "MemberValue"
    for field in member_value.field:
        if field.name in NESTED:
            field.type_name = ".throughline.Deep"
    member_entry = common.message_type.add()
    member_entry.CopyFrom(messages["KeyValue"])
    member_entry.name = "MemberEntry"
    _retype(member_entry, "value", f".{COMMON}.MemberValue")
    _retype(messages["ArrayValue"], "values", f".{COMMON}.MemberValue")
    _retype(messages["KeyValueList"], "values", f".{COMMON}.MemberEntry")
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(deep.SerializeToString())
    pool.AddSerializedFile(common.SerializeToString())
    for module in (
        resource_pb2, trace_pb2, logs_pb2, metrics_pb2,
        trace_service_pb2, logs_service_pb2, metrics_service_pb2,
    ):  # fmt: skip
        pool.AddSerializedFile(module.DESCRIPTOR.serialized_pb)
    return pool


def _retype(message: descriptor_pb2.DescriptorProto, name: str, type_name: str) -> None:
    for field in message.field:
        if field.name == name:
            field.type_name = type_name


def _count_spans(request: Any) -> int:
    return sum(len(scope.spans) for resource in request.resource_spans for scope in resource.scope_spans)


def _count_logs(request: Any) -> int:
    return sum(len(scope.log_records) for resource in request.resource_logs for scope in resource.scope_logs)


def _count_points(request: Any) -> int:
    total = 0
    for resource in request.resource_metrics:
        for scope in resource.scope_metrics:
            for metric in scope.metrics:
                kind = metric.WhichOneof("data")
                if kind is not None:
                    total += len(getattr(metric, kind).data_points)
    return total


@dataclass(frozen=True, slots=True)
class Signal:
    """What is particular to one OTLP signal."""

    name: str
    request: type[Message]
    shallow: type[Message]
    response: type[Message]
    count: Callable[[Any], int]
    service: str


_POOL = _shallow_pool()


def _signal(
    name: str, request: type[Message], response: type[Message], count: Callable[[Any], int], service: str
) -> Signal:
    shallow = message_factory.GetMessageClass(_POOL.FindMessageTypeByName(request.DESCRIPTOR.full_name))
    return Signal(name, request, shallow, response, count, service)


TRACES = _signal(
    "traces",
    trace_service_pb2.ExportTraceServiceRequest,
    trace_service_pb2.ExportTraceServiceResponse,
    _count_spans,
    "opentelemetry.proto.collector.trace.v1.TraceService",
)
LOGS = _signal(
    "logs",
    logs_service_pb2.ExportLogsServiceRequest,
    logs_service_pb2.ExportLogsServiceResponse,
    _count_logs,
    "opentelemetry.proto.collector.logs.v1.LogsService",
)
METRICS = _signal(
    "metrics",
    metrics_service_pb2.ExportMetricsServiceRequest,
    metrics_service_pb2.ExportMetricsServiceResponse,
    _count_points,
    "opentelemetry.proto.collector.metrics.v1.MetricsService",
)
OTLP: dict[str, Signal] = {signal.name: signal for signal in (TRACES, LOGS, METRICS)}


def parse_shallow(signal: Signal, body: bytes) -> tuple[int, bool]:
    """Validate a protobuf request; return how many items it holds and whether any value is deep.

    Raises: InvalidRequest; MemoryError, where memory is limited and too little.
    """
    message = signal.shallow()
    try:
        message.ParseFromString(body)
    except DecodeError as error:
        if "alloc failed" in str(error):
            raise MemoryError from error
        raise InvalidRequest(f"The body is no valid {signal.request.DESCRIPTOR.name}: {error}.") from error
    deep = (len(body) <= SMALL or may_be_deep(body)) and not message.IsInitialized()
    return signal.count(message), deep
