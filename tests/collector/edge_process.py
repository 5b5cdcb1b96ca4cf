"""A real edge process for tests, and what it spooled."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from throughline.collector import spool

CLIENT = httpx.Client(timeout=60)
SHARED = Path(__file__).parents[2].parent / "shared" / "data"


def free_port() -> int:
    """Return a port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def read_varint(data: bytes, at: int) -> tuple[int, int]:
    """Decode one protobuf varint; return it and the next position."""
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, at


def fields(envelope: bytes) -> dict[int, bytes | int]:
    """Decode an envelope's fields by hand, independent of the code that wrote it."""
    found: dict[int, bytes | int] = {}
    at = 0
    while at < len(envelope):
        tag, at = read_varint(envelope, at)
        if tag & 7 == 2:
            length, at = read_varint(envelope, at)
            found[tag >> 3] = envelope[at : at + length]
            at += length
        elif tag & 7 == 1:
            found[tag >> 3] = int.from_bytes(envelope[at : at + 8], "little")
            at += 8
        else:
            found[tag >> 3], at = read_varint(envelope, at)
    return found


@dataclass(frozen=True)
class Spooled:
    """One record as a test looks at it."""

    signal: str
    tenant: str
    items: int
    request: bytes


@dataclass
class Edge:
    """A running edge."""

    process: subprocess.Popen[bytes]
    data: Path
    http_port: int
    grpc_port: int

    @property
    def url(self) -> str:
        """Base of the HTTP endpoints."""
        return f"http://127.0.0.1:{self.http_port}"

    def post(self, path: str, body: bytes | str, content_type: str, **headers: str) -> httpx.Response:
        """Post one body."""
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        return CLIENT.post(self.url + path, content=body, headers={"content-type": content_type, **names})

    def take(self) -> list[Spooled]:
        """Return what was spooled since the last call; delete it, as the loader does."""
        directory = self.data / "spool"
        deadline = time.monotonic() + 20
        while list(directory.glob("*.open")) and time.monotonic() < deadline:
            threading.Event().wait(0.01)
        found: list[Spooled] = []
        for segment in spool.sealed(directory):
            for record in spool.read(segment):
                request = fields(record.envelope).get(1, b"")
                assert isinstance(request, bytes)
                found.append(Spooled(segment.signal, record.tenant, record.items, request))
            segment.path.unlink()
        return found

    def rss(self) -> int:
        """Resident bytes of the process at its peak."""
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmHWM"):
                return int(line.split()[1]) * 1024
        raise AssertionError(line)

    def stop(self) -> int:
        """End it as a supervisor does; return the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(20)


def start(data: Path, **options: object) -> Edge:
    """Start an edge and wait until it is ready; options are settings."""
    http_port, grpc_port = free_port(), free_port()
    environment: Mapping[str, str] = {
        **{name: value for name, value in os.environ.items() if not name.startswith("THROUGHLINE_")},
        "THROUGHLINE_DATA": str(data),
        "THROUGHLINE_OTLP_HTTP": str(http_port),
        "THROUGHLINE_OTLP_GRPC": str(grpc_port),
        "THROUGHLINE_SEGMENT_AGE_SECONDS": "0.02",
        **{f"THROUGHLINE_{name.upper()}": str(value) for name, value in options.items()},
    }
    process = subprocess.Popen([sys.executable, "-m", "throughline.collector.edge"], env=environment)
    edge = Edge(process, data, http_port, grpc_port)
    for _ in range(1_000):
        try:
            CLIENT.get(edge.url + "/healthz").raise_for_status()
        except httpx.TransportError:
            assert process.poll() is None, "the edge died at start"
            threading.Event().wait(0.05)
        else:
            return edge
    process.kill()
    raise AssertionError("the edge did not start")


@contextmanager
def running(data: Path, **options: object) -> Iterator[Edge]:
    """Run an edge for the duration of a block."""
    edge = start(data, **options)
    try:
        yield edge
    finally:
        if edge.process.poll() is None:
            edge.process.kill()
        edge.process.wait()
