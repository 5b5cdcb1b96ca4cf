"""What the edge acknowledged survives its death; trouble with the disk stops intake, not the process."""

import itertools
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import httpx
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.collector.edge_process import Edge, free_port, start

PROTOBUF = "application/x-protobuf"
FAILING = """
import errno, logging, os, sys
from pathlib import Path
from throughline.collector.edge import run
from throughline.collector.settings import load_settings

def fsync(file):
    if Path(sys.argv[1]).exists():
        raise OSError(errno.EIO, "Input/output error")
    os.fsync(file)

run(load_settings(), fsync=fsync)
"""


def named(name: str) -> bytes:
    """Return a request with one span of this name and some weight."""
    request = ExportTraceServiceRequest()
    span = request.resource_spans.add().scope_spans.add().spans.add(name=name)
    span.attributes.add(key="weight").value.string_value = name * 50
    return bytes(request.SerializeToString())


def names_of(edge: Edge) -> list[str]:
    """Return the span names in the spool."""
    return [
        ExportTraceServiceRequest.FromString(record.request).resource_spans[0].scope_spans[0].spans[0].name
        for record in edge.take()
    ]


def send(edge: Edge, sender: int, numbers: "itertools.count[int]", acknowledged: list[str]) -> None:
    """Post until the edge dies; note what was acknowledged."""
    with httpx.Client() as client:
        while True:
            name = f"{sender}-{next(numbers)}"
            try:
                response = client.post(
                    edge.url + "/v1/traces", content=named(name), headers={"content-type": PROTOBUF}
                )
            except httpx.TransportError:
                return
            if response.status_code == 200:
                acknowledged.append(name)


def test_kill_loses_nothing_acknowledged(tmp_path: Path) -> None:
    """After kill -9 under load, five times, each acknowledged request is in the spool exactly once."""
    numbers: itertools.count[int] = itertools.count()
    acknowledged: list[str] = []
    for turn in range(5):
        edge = start(tmp_path, segment_bytes=64 * 1024, segment_age_seconds=0.1)
        senders = [
            threading.Thread(target=send, args=(edge, sender, numbers, acknowledged)) for sender in range(4)
        ]
        for sender in senders:
            sender.start()
        threading.Event().wait(0.3 + 0.13 * turn)
        edge.process.kill()
        edge.process.wait()
        for sender in senders:
            sender.join()
    edge = start(tmp_path)
    try:
        found = names_of(edge)
    finally:
        edge.stop()
    assert len(acknowledged) > 50
    assert len(found) == len(set(found))
    assert set(acknowledged) <= set(found)


def test_failing_sync_stops_intake_until_restart(tmp_path: Path) -> None:
    """503 with Retry-After and not ready; the process lives; after a restart intake goes on."""
    flag = tmp_path / "flag"
    http_port = free_port()
    environment = {
        **os.environ,
        "THROUGHLINE_DATA": str(tmp_path / "data"),
        "THROUGHLINE_OTLP_HTTP": str(http_port),
        "THROUGHLINE_OTLP_GRPC": str(free_port()),
        "THROUGHLINE_SEGMENT_AGE_SECONDS": "0.02",
    }
    process = subprocess.Popen([sys.executable, "-c", FAILING, str(flag)], env=environment)
    edge = Edge(process, tmp_path / "data", http_port, 0)
    try:
        for _ in range(600):
            try:
                httpx.get(edge.url + "/healthz")
                break
            except httpx.TransportError:
                threading.Event().wait(0.05)
        assert edge.post("/v1/traces", named("before"), PROTOBUF).status_code == 200
        flag.touch()
        for name in ("during", "after"):
            response = edge.post("/v1/traces", named(name), PROTOBUF)
            assert response.status_code == 503
            assert int(response.headers["retry-after"]) > 0
        flag.unlink()
        assert edge.post("/v1/traces", named("still"), PROTOBUF).status_code == 503
        assert httpx.get(edge.url + "/healthz").status_code == 200
        ready = httpx.get(edge.url + "/readyz")
        assert ready.status_code == 503
        assert "restart the edge" in ready.json()["reason"]
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
    again = start(tmp_path / "data")
    try:
        assert again.post("/v1/traces", named("again"), PROTOBUF).status_code == 200
        found = names_of(again)
    finally:
        again.stop()
    assert "before" in found
    assert "again" in found
    assert "still" not in found


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small file system needs root")
def test_full_disk_is_503_until_there_is_room(tmp_path: Path) -> None:
    """ENOSPC from the real file system is retryable; what was acknowledged before and after is there."""
    mounted = tmp_path / "small"
    mounted.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=600k", "tmpfs", str(mounted)]
    if subprocess.run(mount, check=False, capture_output=True).returncode != 0:
        pytest.skip("this machine lets nobody mount a tmpfs")
    edge = start(mounted)
    try:
        body = named("x" * 1_500)
        codes = []
        for _ in range(20):
            response = edge.post("/v1/traces", body, PROTOBUF)
            codes.append(response.status_code)
            if response.status_code != 200:
                break
        assert codes[-1] == 503
        assert int(response.headers["retry-after"]) > 0
        assert len(edge.take()) == codes.count(200)
        for _ in range(200):
            if edge.post("/v1/traces", body, PROTOBUF).status_code == 200:
                break
            threading.Event().wait(0.05)
        assert len(edge.take()) == 1
        assert edge.stop() == 0
    finally:
        edge.process.kill()
        edge.process.wait()
        subprocess.run(["umount", str(mounted)], check=False)
