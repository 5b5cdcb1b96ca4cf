"""10,000 items at once: how fast they are planned, sent and verified, and what pages take meanwhile.

Environment: `REPLAY_ITEMS` gives another number, for a quick look.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
import threading
import time
from datetime import timedelta
from functools import partial
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import TYPE_CHECKING

from bench import failed_deals
from bench.failed_deals import TENANT, Quiet, now
from bench.rows import Row
from throughline.collector.control import ControlStore
from throughline.collector.saying import say
from throughline.collector.store import Role, Store
from throughline.correlator.replay.ledger import Ledger
from throughline.correlator.replay.targets import parse_targets
from throughline.dashboards.reader import JourneyFilter, Reader
from throughline.dashboards.triage import Triage, TriageFilter

if TYPE_CHECKING:
    from collections.abc import Iterator

    from throughline.correlator.replay.records import Replay
    from throughline.correlator.replay.worker import Replaying
    from throughline.correlator.worker import Correlator

ITEMS = int(os.environ.get("REPLAY_ITEMS", "10000"))
PAGE_BUDGET_MS = 300.0
TURN_SECONDS = 0.5
_SAID = 5_000
_LIMITS = """idempotent: true
per_second: 1000
batches: {canary: 100000}
"""


class _Willing(Quiet, BaseHTTPRequestHandler):
    """A target that says yes."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("content-length", 0)))
        self.answer(200)


def run() -> list[Row]:
    """Plan, send and verify; ask pages all the while."""
    with (
        tempfile.TemporaryDirectory(prefix="throughline-bench-") as text,
        failed_deals.serving(_Willing) as port,
    ):
        folder = Path(text)
        with (
            contextlib.closing(Store.open(folder / "store")) as store,
            contextlib.closing(ControlStore.open(folder / "control.db")) as control,
        ):
            store.migrate()
            control.migrate()
            correlator = failed_deals.correlator(store)
            at = now()
            for first in range(0, ITEMS, _SAID):
                say(store, TENANT, failed_deals.failed(range(first, min(first + _SAID, ITEMS)), at), at)
            correlator.tick(TENANT, now())
            return _measure(store, control, correlator, port)


def _measure(store: Store, control: ControlStore, correlator: Correlator, port: int) -> list[Row]:
    targets = parse_targets(failed_deals.target(port, _LIMITS))
    ids = [str(row[0]) for row in store.query(_OPEN, {"tenant": TENANT}, role=Role.PAGES).result_rows]
    begin = time.perf_counter()
    plan = failed_deals.planned(store, control, targets, ids)
    planned = time.perf_counter() - begin
    replaying = failed_deals.replaying(store, control, targets)
    turns: list[float] = []
    with _asking(store) as page_ms:
        begin = time.perf_counter()
        _turn_until(replaying, control, plan.replay, {"planned", "sent"}, turns)
        sent = time.perf_counter() - begin
        items = Ledger(control).items(plan.replay)
        numbers = failed_deals.deals(store)
        for first in range(0, len(items), _SAID):
            some = items[first : first + _SAID]
            done = [failed_deals.created(numbers[one.exception], one.name) for one in some]
            say(store, TENANT, done, now())
        correlator.tick(TENANT, now() + timedelta(seconds=1))
        begin = time.perf_counter()
        _turn_until(replaying, control, plan.replay, {"accepted"}, turns)
        verified = time.perf_counter() - begin
    replaying.close()
    slow = sorted(page_ms)[int(len(page_ms) * 0.95)]
    longest, many = max(turns), f"replays: {len(ids):,} items"
    return [
        Row(f"{many}, planned with pre-flight", round(planned, 1), "s", None, None),
        Row(f"{many}, sent", round(len(ids) / sent, 1), "items/s", None, None),
        Row(f"{many}, verified once they were correlated", round(verified, 1), "s", None, None),
        Row(f"{many}, longest turn of the worker", round(longest, 2), "s", None, None),
        Row(
            f"{many}, pages meanwhile, p95",
            round(slow),
            "ms",
            f"<= {PAGE_BUDGET_MS:g}",
            slow <= PAGE_BUDGET_MS,
        ),
    ]


_OPEN = "SELECT id FROM exceptions_at(tenant = {tenant:String}, now = now64(6))"


def _turn_until(
    replaying: Replaying, control: ControlStore, replay: Replay, gone: set[str], turns: list[float]
) -> None:
    """Turn as the engine does until no item is in these states."""
    while gone & set(Ledger(control).counts(replay)):
        begin = time.perf_counter()
        replaying.turn()
        turns.append(time.perf_counter() - begin)
        time.sleep(TURN_SECONDS)


@contextlib.contextmanager
def _asking(store: Store) -> Iterator[list[float]]:
    """Ask what Triage and the list of journeys ask, again and again; milliseconds of each."""
    stop, taken = threading.Event(), [0.0]

    def ask() -> None:
        while not stop.is_set():
            reader = Reader(store, TENANT, now())
            for page in (
                partial(Triage(reader).causes, TriageFilter()),
                partial(reader.journeys, JourneyFilter(), limit=50),
            ):
                begin = time.perf_counter()
                page()
                taken.append((time.perf_counter() - begin) * 1000)
            time.sleep(0.1)

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield taken
    finally:
        stop.set()
        thread.join()
