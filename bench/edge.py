"""CPU of the edge at a steady load: 5,000-span protobuf requests, 100,000 spans a second.

Run: python -m bench.edge [seconds]
"""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import httpx
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

PORT, GRPC_PORT = 27_318, 27_317
SPANS, RATE, CLIENTS = 5_000, 100_000, 4
TICKS = os.sysconf("SC_CLK_TCK")


def make_request() -> bytes:
    """Return one request of unique spans with nine attributes each."""
    request = ExportTraceServiceRequest()
    resource = request.resource_spans.add()
    resource.resource.attributes.add(key="service.name").value.string_value = "bench"
    scope = resource.scope_spans.add()
    for number in range(SPANS):
        now = time.time_ns()
        span = scope.spans.add(
            name="GET /orders/{id}",
            trace_id=secrets.token_bytes(16),
            span_id=secrets.token_bytes(8),
            parent_span_id=secrets.token_bytes(8),
            kind=2,
            start_time_unix_nano=now - 1_000_000,
            end_time_unix_nano=now,
        )
        for key in range(8):
            span.attributes.add(key=f"http.attribute.{key}").value.string_value = f"some value {number}"
        span.attributes.add(key="http.status_code").value.int_value = 200
    return bytes(request.SerializeToString())


def cpu_seconds(process: int) -> float:
    """Return user and system seconds that a process used."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def empty(spool: Path, stop: threading.Event) -> None:
    """Stand in for the loader: delete what is sealed."""
    while not stop.wait(0.2):
        for path in spool.glob("*.seg"):
            path.unlink()


def send(bodies: list[bytes], rate: float, stop: threading.Event, sent: list[int]) -> None:
    """Post at a steady rate until told to stop."""
    client = httpx.Client(timeout=30)
    due = time.perf_counter()
    while not stop.is_set():
        body = bodies[len(sent) % len(bodies)]
        headers = {"content-type": "application/x-protobuf"}
        client.post(f"http://127.0.0.1:{PORT}/v1/traces", content=body, headers=headers).raise_for_status()
        sent.append(SPANS)
        due += 1 / rate
        time.sleep(max(0.0, due - time.perf_counter()))


def measure(seconds: float) -> tuple[float, float]:
    """Return (spans per second, cores used by the edge)."""
    bodies = [make_request() for _ in range(4)]
    with tempfile.TemporaryDirectory() as data:
        environment = {
            **os.environ,
            "THROUGHLINE_DATA": data,
            "THROUGHLINE_OTLP_HTTP": str(PORT),
            "THROUGHLINE_OTLP_GRPC": str(GRPC_PORT),
        }
        edge = subprocess.Popen([sys.executable, "-m", "throughline.collector.edge"], env=environment)
        stop = threading.Event()
        try:
            while True:
                try:
                    httpx.get(f"http://127.0.0.1:{PORT}/readyz").raise_for_status()
                    break
                except httpx.TransportError:
                    time.sleep(0.1)
            sent: list[int] = []
            rate = RATE / SPANS / CLIENTS
            threads = [threading.Thread(target=empty, args=(Path(data, "spool"), stop))]
            threads += [
                threading.Thread(target=send, args=(bodies, rate, stop, sent)) for _ in range(CLIENTS)
            ]
            began, before = time.perf_counter(), cpu_seconds(edge.pid)
            for thread in threads:
                thread.start()
            time.sleep(seconds)
            used, took, spans = cpu_seconds(edge.pid) - before, time.perf_counter() - began, sum(sent)
        finally:
            stop.set()
            for thread in threads:
                thread.join()
            edge.send_signal(signal.SIGTERM)
            edge.wait()
    return spans / took, used / took


if __name__ == "__main__":
    rate, cores = measure(float(sys.argv[1]) if len(sys.argv) > 1 else 10)
    print(f"{rate:,.0f} spans/s in {SPANS:,}-span requests: edge used {cores:.2f} cores")
