"""10,000 items done again in a platform that takes spans too, and what journeys and pages wait meanwhile.

The target creates each project for real: it says so through the SDK, as a service would. Environment:
`REPLAY_ITEMS` and `REPLAY_SECONDS` give other numbers, for a quick look.
"""

from __future__ import annotations

import contextlib
import os
import statistics
import tempfile
import threading
import time
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
from opentelemetry import context, propagate

from bench import failed_deals
from bench.failed_deals import Quiet
from bench.load import Load, write_config
from bench.rows import Row
from bench.running import Platform
from bench.system import PACED_SPANS, SPANS_PER_REQUEST, Paced, catch_up, paced, taken_in
from throughline.probes import Probe, configure

if TYPE_CHECKING:
    from collections.abc import Iterator

ITEMS = int(os.environ.get("REPLAY_ITEMS", "10000"))
SECONDS = float(os.environ.get("REPLAY_SECONDS", "40"))
"""Measured before the replay, and from its beginning."""
PACE = 1_000
"""Spans a second."""
FLOOD = 1_000_000
"""Spans that are sent as fast as they are taken."""
PAGE_BUDGET_MS = 300.0
FRESH_BUDGET = 2.0
_BUFFERED = 500
"""Events that the SDK holds at a time."""
_LIMITS = """idempotent: true
per_second: 1000
batches: {canary: 100000}
"""


def run() -> list[Row]:
    """Fail, look at a calm platform, ask for a replay of all, look again while it goes on."""
    with (
        tempfile.TemporaryDirectory(prefix="throughline-bench-") as text,
        failed_deals.serving(_Creating) as port,
    ):
        config = write_config(Path(text) / "config")
        (config / "processes" / "deals.yaml").write_text(failed_deals.PROCESS)
        (config / "targets.yaml").write_text(failed_deals.target(port, _LIMITS))
        (config / "approvals.yaml").write_text("approvals: [{need: none}]\n")
        platform = Platform(Path(text) / "data", config)
        platform.start()
        probe = configure("middleware", endpoint=platform.intake, set_global=False)
        _Creating.probe = probe
        try:
            _fail(platform, probe)
            return _measure(platform)
        finally:
            probe.shutdown()
            platform.stop()


class _Creating(Quiet, BaseHTTPRequestHandler):
    """Creates the project of a deal: `POST /<namespace>:D<number>`."""

    protocol_version = "HTTP/1.1"
    probe: Probe

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("content-length", 0)))
        token = context.attach(
            propagate.extract({name.lower(): value for name, value in self.headers.items()})
        )
        try:
            deal = self.path.rpartition("/")[2]
            self.probe.emit("project.created", keys={"crm.deal": deal}, idempotency_key=deal)
        finally:
            context.detach(token)
        self.answer(200)


def _fail(platform: Platform, probe: Probe) -> None:
    """Deals that were won and whose projects can't be created, until every one is known as an exception."""
    for number, event in enumerate(failed_deals.failed(range(ITEMS), failed_deals.now())):
        probe.emit(event)
        if number % _BUFFERED == 0:
            probe.flush()
    probe.flush()
    while platform.query("SELECT count() FROM exceptions WHERE status = 'open'") != [[ITEMS]]:
        time.sleep(0.5)


def _measure(platform: Platform) -> list[Row]:
    calm = _seen(platform, 1)
    (fingerprint,) = platform.query("SELECT DISTINCT fingerprint FROM exceptions")[0]
    asked = {"kind": "resubmit", "reason": "bench", "fingerprint": fingerprint, "target": "middleware"}
    began = time.monotonic()
    answer = httpx.post(f"{platform.api}/replays", json=asked, timeout=600).raise_for_status()
    planned = time.monotonic() - began
    busy = _seen(platform, 3)
    counts = _counts(platform, answer.json()["id"])
    sent, seconds = ITEMS - counts.get("planned", 0), time.monotonic() - began - planned
    many = f"replays: {ITEMS:,} items"
    share = counts.get("verified", 0) / sent
    return [
        Row(f"{many}, planned with pre-flight", planned, "s", None, None),
        Row(f"{many}, sent beside the spans", sent / seconds, "items/s", None, None),
        Row(f"{many}, of what was sent, verified at the end", share, "x", None, None),
        *_rows(f"{many}, before", calm),
        *_rows(f"{many}, meanwhile", busy),
        Row(f"{many}: freshness meanwhile / before", busy.paced.p50 / calm.paced.p50, "x", None, None),
        Row(f"{many}: pages meanwhile / before", busy.pages / calm.pages, "x", None, None),
        Row(f"{many}: spans to queryable row meanwhile / before", busy.rate / calm.rate, "x", None, None),
    ]


def _rows(when: str, seen: _Seen) -> list[Row]:
    fresh, pages, at = seen.paced.p50, seen.pages, f"{when}, {PACE:,} spans/s"
    return [
        Row(f"{at}: freshness p50", fresh, "s", "<= 2", fresh <= FRESH_BUDGET),
        Row(f"{at}: pages p95", pages, "ms", "<= 300", pages <= PAGE_BUDGET_MS),
        Row(f"{at}: sender late at the end", seen.paced.behind, "s", None, None),
        Row(f"{when}, at full speed: to queryable row", seen.rate, "spans/s", None, None),
    ]


def _counts(platform: Platform, replay: str) -> dict[str, Any]:
    listed = platform.get("/replays")["items"]
    return next(dict(one["counts"]) for one in listed if one["id"] == replay)


@dataclass(frozen=True)
class _Seen:
    """What a platform did for others; `pages`: p95 in milliseconds; `rate`: spans a second at full speed."""

    paced: Paced
    pages: float
    rate: float


def _seen(platform: Platform, seed: int) -> _Seen:
    with _asking(platform) as taken:
        sent = paced(platform, Load(seed, spans=PACED_SPANS), SECONDS, PACE, follow=2)
    load = Load(seed + 1, spans=SPANS_PER_REQUEST)
    flood = taken_in(platform, (load.request() for _ in range(FLOOD // SPANS_PER_REQUEST)))
    catch_up(platform, load)
    return _Seen(sent, statistics.quantiles(taken, n=20)[18], FLOOD / flood.wall)


@contextlib.contextmanager
def _asking(platform: Platform) -> Iterator[list[float]]:
    """Ask what Triage and the list of journeys ask, again and again; milliseconds of each."""
    stop, taken = threading.Event(), list[float]()

    def ask() -> None:
        with httpx.Client(base_url=platform.api, timeout=60) as client:
            while not stop.wait(0.2):
                for path in ("/exceptions/causes", "/journeys?process=deals&limit=50"):
                    begin = time.perf_counter()
                    client.get(path).raise_for_status()
                    taken.append((time.perf_counter() - begin) * 1000)

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield taken
    finally:
        stop.set()
        thread.join()
