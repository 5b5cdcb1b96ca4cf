"""Intake without an engine behind it, with a full spool, and with a full disk."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from bench.load import Load
from bench.running import free_ports
from tests.stores import Stores
from throughline.collector.loader import Loader
from throughline.collector.spool import pending
from throughline.collector.store import Role

MIBIBYTE = 1024**2
SPANS = 1000
RETRYABLE = {429, 503}


@dataclass
class Edge:
    """`throughline edge` alone."""

    folder: Path
    client: httpx.Client

    def send(self, load: Load) -> httpx.Response:
        """Send one request of a thousand spans."""
        body = load.request().body
        return self.client.post(
            "/v1/traces", content=body, headers={"Content-Type": "application/x-protobuf"}
        )

    def pending(self) -> int:
        """Spans that wait in the spool."""
        return sum(pending(self.folder / "spool").values())


@contextlib.contextmanager
def edge(folder: Path, settings: Mapping[str, str] | None = None) -> Iterator[Edge]:
    """Run an edge until the block ends; it must stop in order."""
    http_port, grpc_port = free_ports(2)
    command = [sys.executable, "-m", "throughline.dashboards.cli", "edge", "--data", str(folder)]
    command += ["--otlp-http", str(http_port), "--otlp-grpc", str(grpc_port)]
    process = subprocess.Popen(command, env={**os.environ, **(settings or {})})
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{http_port}", timeout=30) as client:
            while not _ready(client):
                assert process.poll() is None
                time.sleep(0.05)
            yield Edge(folder, client)
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait() == 0


def _ready(client: httpx.Client) -> bool:
    try:
        return client.get("/readyz").is_success
    except httpx.TransportError:
        return False


def stored_after_loading(stores: Stores, folder: Path) -> int:
    """Load the spool into a store and count the spans there."""
    with stores.store("embedded") as store:
        Loader(store, folder / "spool").drain()
        return int(store.query("SELECT count() FROM otel_traces", role=Role.ADHOC).result_rows[0][0])


def fill(source: Edge, load: Load) -> tuple[int, httpx.Response]:
    """Send until intake refuses; returns the spans acknowledged, and the refusal."""
    accepted = 0
    while (response := source.send(load)).is_success:
        accepted += SPANS
    return accepted, response


def test_intake_does_not_notice_a_missing_engine(stores: Stores, tmp_path: Path) -> None:
    """With no engine for five seconds every request is acknowledged, and all of it arrives afterwards."""
    load, sent = Load(1, spans=SPANS, templates=1), 0
    with edge(tmp_path) as source:
        end = time.monotonic() + 5
        while time.monotonic() < end:
            assert source.send(load).status_code == httpx.codes.OK
            sent += SPANS
            time.sleep(0.05)
        assert source.pending() == sent
    assert stored_after_loading(stores, tmp_path) == sent


def test_spool_at_its_limit_refuses_and_keeps_its_word(stores: Stores, tmp_path: Path) -> None:
    """At the limit senders are told to come back later; what was acknowledged arrives; then there is room."""
    load = Load(1, spans=SPANS, templates=1)
    with edge(tmp_path, {"THROUGHLINE_SPOOL_LIMIT_BYTES": str(4 * MIBIBYTE)}) as source:
        accepted, refusal = fill(source, load)
        assert refusal.status_code in RETRYABLE
        assert int(refusal.headers["Retry-After"]) > 0
    assert accepted > 0
    assert stored_after_loading(stores, tmp_path) == accepted
    with edge(tmp_path) as source:
        assert source.send(load).status_code == httpx.codes.OK


def test_full_disk_refuses_and_keeps_its_word(stores: Stores, tmp_path: Path) -> None:
    """The same for a disk that is really full; with room again intake goes on without a restart."""
    load = Load(1, spans=SPANS, templates=1)
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", disk], check=False)
    if mount.returncode:
        pytest.skip("a small file system cannot be mounted here")
    try:
        with edge(disk) as source:
            accepted, refusal = fill(source, load)
            assert refusal.status_code in RETRYABLE
            assert int(refusal.headers["Retry-After"]) > 0
            subprocess.run(["mount", "-o", "remount,size=64m", disk], check=True)
            while not source.send(load).is_success:
                time.sleep(0.2)
            accepted += SPANS
            assert source.pending() == accepted
        (tmp_path / "spool").symlink_to(disk / "spool")
        assert stored_after_loading(stores, tmp_path) == accepted
    finally:
        subprocess.run(["umount", disk], check=True)
