"""OTLP/gRPC on a real edge, and the stock Python SDK over every protocol."""

import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import grpc
import pytest
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.logs.v1.logs_service_pb2_grpc import LogsServiceStub
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2_grpc import MetricsServiceStub
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2_grpc import TraceServiceStub

from tests.collector.edge_process import SHARED, Edge, running
from throughline.collector.otlp_messages import LOGS, METRICS, TRACES

LIMIT = 4 * 1024 * 1024
PROGRAM = """
import sys
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.exporter.otlp.proto.{package}.trace_exporter import OTLPSpanExporter

provider = TracerProvider()
provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(), max_queue_size=10_000))
tracer = provider.get_tracer("stock-python")
for number in range(2_000):
    with tracer.start_as_current_span(f"span {{number}}", attributes={{"list": ["a", "b"]}}):
        pass
provider.shutdown()
"""


@pytest.fixture(scope="module")
def edge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Edge]:
    """One edge for the module."""
    with running(tmp_path_factory.mktemp("edge"), max_body_bytes=LIMIT) as one:
        yield one


@pytest.fixture
def channel(edge: Edge) -> Iterator[grpc.Channel]:
    """A channel to it."""
    with grpc.insecure_channel(f"127.0.0.1:{edge.grpc_port}") as one:
        yield one


def raw(channel: grpc.Channel, service: str = "trace.v1.TraceService") -> Any:
    """Return a call that sends and returns bytes."""
    return channel.unary_unary(f"/opentelemetry.proto.collector.{service}/Export")


@pytest.mark.parametrize("compression", list(grpc.Compression))
def test_requests_are_spooled_untouched(edge: Edge, channel: grpc.Channel, compression: Any) -> None:
    """Captured requests arrive byte for byte, however they were compressed on the wire."""
    body = (SHARED / "otlp" / "captured-python" / "0001.pb").read_bytes()
    assert raw(channel)(body, compression=compression, timeout=20) == b""
    [record] = edge.take()
    assert (record.signal, record.tenant, record.request) == ("traces", "default", body)


def test_three_services(edge: Edge, channel: grpc.Channel) -> None:
    """Stock stubs of every signal are answered."""
    stubs: list[Any] = [TraceServiceStub, LogsServiceStub, MetricsServiceStub]
    for stub, signal in zip(stubs, (TRACES, LOGS, METRICS), strict=True):
        response = stub(channel).Export(signal.request(), timeout=20)
        assert not response.HasField("partial_success")
    assert sorted(record.signal for record in edge.take()) == ["logs", "metrics", "traces"]


def test_malformed_message_is_invalid_argument(edge: Edge, channel: grpc.Channel) -> None:
    """Not retryable, with the Status as details."""
    with pytest.raises(grpc.RpcError) as caught:
        raw(channel)(b"\xff", timeout=20)
    error: Any = caught.value
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert "no valid ExportTraceServiceRequest" in error.details()
    assert retry_of(error) is None
    assert edge.take() == []


def retry_of(error: Any) -> RetryInfo | None:
    """Return the RetryInfo of an error, if it has one."""
    details = dict(error.trailing_metadata())["grpc-status-details-bin"]
    for detail in Status.FromString(details).details:
        retry = RetryInfo()
        if detail.Unpack(retry):
            return retry
    return None


@pytest.mark.parametrize("compression", [grpc.Compression.NoCompression, grpc.Compression.Gzip])
def test_too_large_is_resource_exhausted(edge: Edge, channel: grpc.Channel, compression: Any) -> None:
    """A message past the limit, also one that only decompresses to that, is refused for good."""
    with pytest.raises(grpc.RpcError) as caught:
        raw(channel)(bytes(LIMIT + 1_000), compression=compression, timeout=20)
    error: Any = caught.value
    assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert "grpc-status-details-bin" not in dict(error.trailing_metadata() or ())
    assert edge.take() == []


def test_unknown_method_is_unimplemented(edge: Edge, channel: grpc.Channel) -> None:
    """Services that we don't have are unimplemented."""
    with pytest.raises(grpc.RpcError) as caught:
        raw(channel, "profiles.v1development.ProfilesService")(b"", timeout=20)
    error: Any = caught.value
    assert error.code() is grpc.StatusCode.UNIMPLEMENTED
    assert edge.take() == []


def test_full_spool_is_unavailable_with_retry_info(tmp_path: Any) -> None:
    """What helps later says when: UNAVAILABLE with RetryInfo, 503 with Retry-After."""
    with running(tmp_path, spool_limit_bytes=1024 * 1024, segment_age_seconds=60) as full:
        body = ExportTraceServiceRequest()
        body.resource_spans.add().scope_spans.add().spans.add(name="x" * 600_000)
        wire = body.SerializeToString()
        with grpc.insecure_channel(f"127.0.0.1:{full.grpc_port}") as channel:
            raw(channel)(wire, timeout=20)
            with pytest.raises(grpc.RpcError) as caught:
                raw(channel)(wire, timeout=20)
        error: Any = caught.value
        assert error.code() is grpc.StatusCode.UNAVAILABLE
        retry = retry_of(error)
        assert retry is not None
        assert retry.retry_delay.seconds > 0
        response = full.post("/v1/traces", wire, "application/x-protobuf")
        assert response.status_code == 503
        assert int(response.headers["retry-after"]) > 0
        small = full.post("/v1/traces", b"", "application/x-protobuf")
        assert small.status_code == 200


@pytest.mark.parametrize("protocol", ["http", "grpc"])
@pytest.mark.parametrize("compression", ["gzip", ""])
def test_stock_python_sdk_loses_no_span(edge: Edge, protocol: str, compression: str) -> None:
    """The stock exporters, given nothing but an endpoint, deliver every span once."""
    port = edge.grpc_port if protocol == "grpc" else edge.http_port
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("OTEL_")},
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{port}",
    }
    if compression:
        environment["OTEL_EXPORTER_OTLP_COMPRESSION"] = compression
    program = PROGRAM.format(package=protocol)
    subprocess.run([sys.executable, "-c", program], env=environment, check=True, timeout=120)
    names = [
        span.name
        for record in edge.take()
        for resource in ExportTraceServiceRequest.FromString(record.request).resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    ]
    assert sorted(names) == sorted(f"span {number}" for number in range(2_000))
