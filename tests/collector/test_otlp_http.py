"""OTLP/HTTP on a real edge: what is accepted, how refusals look, and that accepted bytes are in the spool."""

import gzip
import json
import zlib
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from google.protobuf import json_format
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.collector.edge_process import CLIENT, SHARED, Edge, running
from throughline.collector.otlp_messages import LOGS, METRICS, OTLP, TRACES

PROTOBUF = "application/x-protobuf"
JSON = "application/json"
CAPTURED = SHARED / "otlp" / "captured-python"
TWINS = SHARED / "otlp" / "otlp2parquet"
LIMIT = 4 * 1024 * 1024


@pytest.fixture(scope="module")
def edge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Edge]:
    """One edge for the module, with a small body limit."""
    with running(tmp_path_factory.mktemp("edge"), max_body_bytes=LIMIT) as one:
        yield one


def a_request(name: str = "a span") -> bytes:
    """Return a traces request with one span."""
    request = ExportTraceServiceRequest()
    request.resource_spans.add().scope_spans.add().spans.add(name=name, trace_id=b"t" * 16, span_id=b"s" * 8)
    return bytes(request.SerializeToString())


def status_of(response: httpx.Response) -> Status:
    """Return the Status in the type the response says."""
    if response.headers["content-type"] == PROTOBUF:
        return Status.FromString(response.content)
    return json_format.Parse(response.text, Status())


def raw_deflate(body: bytes) -> bytes:
    """Compress without the zlib wrapper, as some clients do under the name deflate."""
    compressor = zlib.compressobj(wbits=-15)
    return compressor.compress(body) + compressor.flush()


@pytest.mark.parametrize(
    "entry", (CAPTURED / "index.jsonl").read_text().splitlines(), ids=lambda e: json.loads(e)["file"]
)
def test_captured_sdk_requests_are_spooled_untouched(edge: Edge, entry: str) -> None:
    """Bodies as the Python SDK put them on the wire, with its headers, arrive byte for byte."""
    sent = json.loads(entry)
    body = (CAPTURED / sent["file"]).read_bytes()
    encoding = sent["headers"].get("Content-Encoding", "identity")
    response = edge.post("/v1/traces", body, PROTOBUF, content_encoding=encoding)
    assert (response.status_code, response.content) == (200, b"")
    undo: Any = {"gzip": gzip.decompress, "deflate": zlib.decompress, "identity": bytes}[encoding]
    [record] = edge.take()
    assert (record.signal, record.tenant, record.request) == ("traces", "default", undo(body))
    assert record.items > 0


@pytest.mark.parametrize(
    ("name", "signal"),
    [
        ("traces", "traces"), ("trace", "traces"), ("logs", "logs"), ("metrics_gauge", "metrics"),
        ("metrics_sum", "metrics"), ("metrics_histogram", "metrics"), ("metrics_summary", "metrics"),
        ("metrics_exponential_histogram", "metrics"), ("metrics_mixed", "metrics"),
    ],
)  # fmt: skip
def test_twins_spool_equal_messages(edge: Edge, name: str, signal: str) -> None:
    """The .pb, .json and .jsonl of one telemetry end in the spool as equal messages."""
    kind = OTLP[signal]
    twin = kind.request.FromString((TWINS / f"{name}.pb").read_bytes())
    for suffix in ("pb", "json", "jsonl"):
        path = TWINS / f"{name}.{suffix}"
        if not path.exists():
            continue
        bodies = path.read_bytes().splitlines() if suffix == "jsonl" else [path.read_bytes()]
        content_type = PROTOBUF if suffix == "pb" else f"{JSON}; charset=utf-8"
        for body in bodies:
            response = edge.post(f"/v1/{signal}", body, content_type)
            assert response.status_code == 200
            assert response.content == (b"" if suffix == "pb" else b"{}")
        merged: Any = kind.request()
        records = edge.take()
        for record in records:
            merged.MergeFromString(record.request)
        assert merged == twin
        assert sum(record.items for record in records) == kind.count(twin)


@pytest.mark.parametrize("path", sorted((TWINS / "invalid").iterdir()), ids=lambda path: path.name)
def test_invalid_files_are_refused_and_nothing_is_stored(edge: Edge, path: Any) -> None:
    """400, a JSON Status that names the problem, and an empty spool."""
    body = path.read_bytes()
    signal = "traces" if b"resourceSpans" in body else "logs" if b"resourceLogs" in body else "metrics"
    response = edge.post(f"/v1/{signal}", body, JSON)
    assert response.status_code == 400
    assert response.headers["content-type"] == JSON
    status = status_of(response)
    assert status.code == 3
    assert "JSON" in status.message or "resource" in status.message
    assert edge.take() == []


@pytest.mark.parametrize(
    ("encoding", "compress"),
    [
        ("gzip", gzip.compress),
        ("GZIP", gzip.compress),
        ("x-gzip", gzip.compress),
        ("deflate", zlib.compress),
        ("deflate", raw_deflate),
        ("identity", bytes),
        ("", bytes),
        ("gzip", lambda body: gzip.compress(body[:7]) + gzip.compress(body[7:])),
    ],
)
@pytest.mark.parametrize("size", [10, 3_000_000])
def test_content_encodings(edge: Edge, encoding: str, compress: Any, size: int) -> None:
    """Every encoding of OTLP, small and large, both deflates and gzip of several members."""
    body = a_request("x" * size)
    assert edge.post("/v1/traces", compress(body), PROTOBUF, content_encoding=encoding).status_code == 200
    assert [record.request for record in edge.take()] == [body]


@pytest.mark.parametrize(
    ("body", "encoding"),
    [
        (gzip.compress(a_request())[:-6], "gzip"),
        (gzip.compress(a_request()) + b"garbage", "gzip"),
        (zlib.compress(a_request()) + b"garbage", "deflate"),
        (a_request(), "gzip"),
        (a_request(), "deflate"),
        (b"\xff\xff\xff\xff", "identity"),
        (zlib.compress(a_request("x" * 100_000))[:50], "deflate"),
    ],
    ids=["torn", "garbage behind", "garbage behind zlib", "no gzip", "no zlib", "no message", "torn zlib"],
)
def test_malformed_bodies_are_400(edge: Edge, body: bytes, encoding: str) -> None:
    """Broken compression and broken protobuf are told apart from our own trouble: 400, not retryable."""
    response = edge.post("/v1/traces", body, PROTOBUF, content_encoding=encoding)
    assert response.status_code == 400
    assert response.headers["content-type"] == PROTOBUF
    assert "retry-after" not in response.headers
    assert "no valid" in status_of(response).message or "goes on" in status_of(response).message
    assert edge.take() == []


def test_empty_body_is_an_empty_message(edge: Edge) -> None:
    """No bytes are a valid protobuf request; they are no JSON."""
    for headers in ({}, {"content_encoding": "gzip"}):
        assert edge.post("/v1/logs", b"", PROTOBUF, **headers).status_code == 200
    assert edge.post("/v1/logs", b"", JSON).status_code == 400
    assert [(record.items, record.request) for record in edge.take()] == [(0, b"")] * 2


@pytest.mark.parametrize(
    "content_type", ["text/plain", "application/x-ndjson", "application/grpc", "", "json"]
)
def test_wrong_type_is_415(edge: Edge, content_type: str) -> None:
    """A type that OTLP does not have, or none, is 415 and says which are taken."""
    response = edge.post("/v1/traces", a_request(), content_type)
    assert response.status_code == 415
    assert "application/x-protobuf or application/json" in status_of(response).message


def test_unknown_encoding_is_415(edge: Edge) -> None:
    """An encoding that we don't read is 415 and says which are."""
    response = edge.post("/v1/traces", a_request(), PROTOBUF, content_encoding="zstd")
    assert (response.status_code, response.headers["accept-encoding"]) == (415, "gzip, deflate")


def test_too_large_is_413(edge: Edge) -> None:
    """Past the limit as sent, chunked, decompressed, or announced: 413, and the edge lives on."""
    large = a_request("x" * (LIMIT + 1))
    assert edge.post("/v1/traces", large, PROTOBUF).status_code == 413
    assert edge.post("/v1/traces", gzip.compress(large), PROTOBUF, content_encoding="gzip").status_code == 413
    assert (
        edge.post("/v1/traces", zlib.compress(large), PROTOBUF, content_encoding="deflate").status_code == 413
    )
    chunks = (large[start : start + 65_536] for start in range(0, len(large), 65_536))
    response = CLIENT.post(edge.url + "/v1/traces", content=chunks, headers={"content-type": PROTOBUF})
    assert response.status_code == 413
    assert status_of(response).code == 8
    assert edge.take() == []
    nearly = a_request("x" * (LIMIT - 100))
    assert edge.post("/v1/traces", nearly, PROTOBUF).status_code == 200
    assert [record.request for record in edge.take()] == [nearly]


def test_other_methods_and_paths(edge: Edge) -> None:
    """405 says what is allowed; 404 says where OTLP goes."""
    for path in ("/v1/traces", "/v1/logs", "/v1/metrics", "/v1/events"):
        response = CLIENT.get(edge.url + path)
        assert (response.status_code, response.headers["allow"]) == (405, "POST")
    assert CLIENT.post(edge.url + "/healthz").status_code == 405
    response = edge.post("/v2/traces", b"", PROTOBUF)
    assert (response.status_code, response.json()["code"]) == (404, 5)


def test_large_json_is_converted_beside_the_event_loop(edge: Edge) -> None:
    """JSON beyond the inline size gives the same message, deep values flattened."""
    spans = [
        {"name": f"span {n}", "attributes": [{"key": "k", "value": {"intValue": n}}]} for n in range(5_000)
    ]
    deep = {"arrayValue": {"values": [{"arrayValue": {"values": [{"boolValue": True}]}}]}}
    spans[7]["attributes"] = [{"key": "deep", "value": deep}]
    body = json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": spans}]}]})
    assert edge.post("/v1/traces", body, JSON).status_code == 200
    [record] = edge.take()
    assert record.items == 5_000
    found = ExportTraceServiceRequest.FromString(record.request).resource_spans[0].scope_spans[0].spans
    assert [span.name for span in found] == [span["name"] for span in spans]
    assert found[7].attributes[0].value.string_value == "[[true]]"
    response = edge.post("/v1/traces", body[:-3], JSON)
    assert (response.status_code, status_of(response).code) == (400, 3)


def test_large_json_without_items_is_empty(edge: Edge) -> None:
    """Unknown fields alone, however many, are an empty request and not their own bytes."""
    body = json.dumps({"padding": "x" * 100_000})
    assert edge.post("/v1/traces", body, JSON).status_code == 200
    assert [(record.items, record.request) for record in edge.take()] == [(0, b"")]


def test_metrics_page_counts(edge: Edge) -> None:
    """Accepted requests and items by tenant and signal, refusals by reason, slow paths, bytes."""

    def value(name: str) -> float:
        for line in CLIENT.get(edge.url + "/metrics").text.splitlines():
            if line.startswith(name + " "):
                return float(line.split()[-1])
        return 0.0

    names = {
        'throughline_edge_requests_total{signal="logs",tenant="default"}': 2,
        'throughline_edge_items_total{signal="logs",tenant="default"}': 6,
        'throughline_edge_refused_total{reason="invalid",signal="logs"}': 1,
        'throughline_edge_slow_path_total{signal="logs",why="json"}': 1,
    }
    before = {name: value(name) for name in names}
    request: Any = LOGS.request()
    records = request.resource_logs.add().scope_logs.add().log_records
    for _ in range(3):
        records.add()
    edge.post("/v1/logs", request.SerializeToString(), PROTOBUF)
    edge.post("/v1/logs", json_format.MessageToJson(request), JSON)
    edge.post("/v1/logs", b"?", JSON)
    assert {name: value(name) - before[name] for name in names} == names
    assert value("throughline_edge_spool_limit_bytes") > 0
    edge.take()


def test_health_and_readiness(edge: Edge) -> None:
    """Both are fine on a fresh edge."""
    assert CLIENT.get(edge.url + "/healthz").json() == {"status": "ok"}
    assert CLIENT.get(edge.url + "/readyz").json() == {"status": "ready"}


def test_signals_are_kept_apart(edge: Edge) -> None:
    """Each path takes its own message."""
    for path, signal in {"/v1/traces": TRACES, "/v1/logs": LOGS, "/v1/metrics": METRICS}.items():
        assert edge.post(path, signal.request().SerializeToString(), PROTOBUF).status_code == 200
    assert sorted(record.signal for record in edge.take()) == ["logs", "metrics", "traces"]
