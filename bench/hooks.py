"""Webhooks: how many a second the edge verifies, spools and answers, and what reading their events costs."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

import httpx

from bench.edge import cpu_seconds, empty
from bench.rows import Row
from bench.running import free_ports
from throughline.collector.hook_events import convert, describe
from throughline.probes.platforms import hubspot
from throughline.probes.platforms.adapter import Connection, HookRequest

SECONDS = 5.0
CLIENTS = 8
BATCH = 100  # the most that HubSpot sends at once
SECRET = "bench-secret"
URL = "https://probe.example.com/hooks/hubspot/eu"
CONNECTIONS = """
connections: [{id: eu, platform: hubspot, secret: {env: BENCH_SECRET}, public_url: "https://probe.example.com"}]
"""
CONNECTION = Connection("eu", "hubspot", (SECRET.encode(),), "https://probe.example.com")


def run() -> list[Row]:
    """Measure single events, full batches, and the conversion alone."""
    single, batch = _pushed(1), _pushed(BATCH)
    return [
        _row("of one event, answered from the spool", single[0], "webhooks/s"),
        _row("of one event, of the edge's CPU", single[0] / single[1], "webhooks/core-s"),
        _row("in batches of 100", batch[0] * BATCH, "events/s"),
        _row("parse and convert, per event", _conversion(), "us"),
    ]


def _row(what: str, value: float, unit: str) -> Row:
    return Row(f"webhooks (HubSpot): {what}", value, unit, None, None)


def body(numbers: count[int], events: int) -> bytes:
    """A batch of unique stage changes."""
    return json.dumps(
        [
            {
                "eventId": number, "subscriptionId": 25, "portalId": 33, "appId": 1160452,
                "occurredAt": 1_760_000_000_000 + number, "subscriptionType": "deal.propertyChange",
                "attemptNumber": 0, "objectId": number, "propertyName": "dealstage",
                "propertyValue": "closedwon", "changeSource": "CRM_UI",
            }
            for number in (next(numbers) for _ in range(events))
        ]
    ).encode()  # fmt: skip


def _signed(content: bytes) -> dict[str, str]:
    now = datetime.now(UTC)
    headers = {hubspot.TIMESTAMP: str(int(now.timestamp() * 1000))}
    request = HookRequest("POST", URL, headers, content, now)
    return {**headers, hubspot.SIGNATURE_3: hubspot._version_3(request, SECRET.encode())}


def _conversion() -> float:
    """Microseconds for one event of a full batch, verified already."""
    content = body(count(), BATCH)
    request = HookRequest("POST", URL, {}, content, datetime.now(UTC))
    rounds, best = 20, float("inf")
    for _ in range(rounds):
        began = time.perf_counter()
        convert(describe(request, CONNECTION, payload_bytes=2**18), content, time.time_ns())
        best = min(best, time.perf_counter() - began)
    return best / BATCH * 1e6


def _pushed(events: int) -> tuple[float, float]:
    """Webhooks a second, and cores that the edge used, the client on the same machine."""
    http, grpc = free_ports(2)
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "connections.yaml").write_text(CONNECTIONS)
        environment = {
            **os.environ,
            "BENCH_SECRET": SECRET,
            "THROUGHLINE_DATA": str(Path(folder, "data")),
            "THROUGHLINE_CONFIG": folder,
            "THROUGHLINE_OTLP_HTTP": str(http),
            "THROUGHLINE_OTLP_GRPC": str(grpc),
        }
        command = [sys.executable, "-m", "throughline.collector.edge"]
        edge = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)
        stop = threading.Event()
        emptying = threading.Thread(target=empty, args=(Path(folder, "data", "spool"), stop))
        emptying.start()
        try:
            _await(f"http://127.0.0.1:{http}/readyz")
            before, began = cpu_seconds(edge.pid), time.perf_counter()
            answered = asyncio.run(_push(f"http://127.0.0.1:{http}/hooks/hubspot/eu", events))
            took = time.perf_counter() - began
            return answered / took, (cpu_seconds(edge.pid) - before) / took
        finally:
            stop.set()
            edge.send_signal(signal.SIGTERM)
            edge.wait()
            emptying.join()


def _await(url: str) -> None:
    while True:
        try:
            httpx.get(url).raise_for_status()
        except httpx.TransportError:
            time.sleep(0.1)
        else:
            return


async def _push(url: str, events: int) -> int:
    """Push for a while from several senders; returns how many were answered with 200."""
    numbers, answered = count(), 0
    until = time.perf_counter() + SECONDS

    async def sender(client: httpx.AsyncClient) -> None:
        nonlocal answered
        while time.perf_counter() < until:
            content = body(numbers, events)
            (await client.post(url, content=content, headers=_signed(content))).raise_for_status()
            answered += 1

    async with httpx.AsyncClient(timeout=30) as client:
        await asyncio.gather(*(sender(client) for _ in range(CLIENTS)))
    return answered
