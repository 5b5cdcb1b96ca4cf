"""10,000 items at once: how fast they are planned, sent and verified, and what pages take meanwhile.

Environment: `REPLAY_ITEMS` gives another number, for a quick look.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
import threading
import time
from datetime import UTC, datetime, timedelta
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING

from bench.rows import Row
from throughline.collector.auth import ROLES, Principal
from throughline.collector.control import ControlStore
from throughline.collector.saying import say
from throughline.collector.store import Role, Store
from throughline.correlator.process import load_process
from throughline.correlator.replay import second
from throughline.correlator.replay.ledger import Ledger
from throughline.correlator.replay.planning import Asked, Planner, Rules
from throughline.correlator.replay.policy import parse_policy
from throughline.correlator.replay.targets import parse_targets
from throughline.correlator.replay.worker import Replaying
from throughline.correlator.worker import Correlator
from throughline.dashboards.reader import JourneyFilter, Reader
from throughline.dashboards.triage import Triage, TriageFilter
from throughline.probes.vocabulary import BusinessEvent

if TYPE_CHECKING:
    from collections.abc import Iterator

    from throughline.correlator.replay.records import Replay

ITEMS = int(os.environ.get("REPLAY_ITEMS", "10000"))
TENANT = "default"
PAGE_BUDGET_MS = 300.0
TURN_SECONDS = 0.5
_SAID = 5_000
_PROCESS = """
process: bench
keys: [crm.deal]
milestones:
  - {name: won, event: deal.won}
  - {name: created, event: project.created}
"""
_TARGET = """
targets:
  - id: middleware
    hosts: ["127.0.0.1:PORT", 127.0.0.0/8]
    url: "http://127.0.0.1:PORT/{{ subject.id }}"
    body: "{{ payload }}"
    idempotent: true
    per_second: 1000
    batches: {canary: 100000}
"""


def run() -> list[Row]:
    """Plan, send and verify; ask pages all the while."""
    with tempfile.TemporaryDirectory(prefix="throughline-bench-") as text, _target() as port:
        folder = Path(text)
        with (
            contextlib.closing(Store.open(folder / "store")) as store,
            contextlib.closing(ControlStore.open(folder / "control.db")) as control,
        ):
            store.migrate()
            control.migrate()
            correlator = Correlator(store, [load_process(_PROCESS)])
            _fail(store)
            correlator.tick(TENANT, datetime.now(UTC))
            return _measure(store, control, correlator, port)


def _measure(store: Store, control: ControlStore, correlator: Correlator, port: int) -> list[Row]:
    targets = parse_targets(_TARGET.replace("PORT", str(port)))
    ids = [str(row[0]) for row in store.query(_OPEN, {"tenant": TENANT}, role=Role.PAGES).result_rows]
    who = Principal(TENANT, ROLES["admin"], "bench")
    rules = Rules(targets, parse_policy("approvals: [{need: none}]"))
    begin = time.perf_counter()
    asked = Asked("resubmit", "bench", tuple(ids), target="middleware")
    plan = Planner(store, control, rules, who=who, now=_now()).plan(asked, dry_run=False)
    planned = time.perf_counter() - begin
    replaying = Replaying(store, control, lambda: targets, _now, report=partial(second.report, store))
    turns: list[float] = []
    with _asking(store) as page_ms:
        begin = time.perf_counter()
        _turn_until(replaying, control, plan.replay, {"planned", "sent"}, turns)
        sent = time.perf_counter() - begin
        items = Ledger(control).items(plan.replay)
        named = store.query(_DEALS, {"tenant": TENANT}, role=Role.PAGES).result_rows
        deals = {str(exception): str(deal) for exception, deal in named}
        for first in range(0, len(items), _SAID):
            some = items[first : first + _SAID]
            say(store, TENANT, [_created(deals[one.exception], one.name) for one in some], _now())
        correlator.tick(TENANT, _now() + timedelta(seconds=1))
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
_DEALS = (
    "SELECT leftPad(lower(hex(e.ExceptionId)), 16, '0'), k.Value FROM exception_state AS e"
    " INNER JOIN keys AS k ON k.Key = e.Subject WHERE e.Tenant = {tenant:String}"
)


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
            reader = Reader(store, TENANT, _now())
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


def _fail(store: Store) -> None:
    """Deals that were won and whose projects can't be created."""
    now = _now()
    for first in range(0, ITEMS, _SAID):
        events = []
        for number in range(first, min(first + _SAID, ITEMS)):
            keys = {"crm.deal": f"D{number}"}
            events += [
                BusinessEvent(event="deal.won", keys=keys, time=now, id=f"won-{number}"),
                BusinessEvent(
                    event="project.created", keys=keys, time=now, id=f"failed-{number}", failed=True,
                    exception_class="technical", exception_code="DOWN", attributes={"business.payload": "{}"},
                ),
            ]  # fmt: skip
        say(store, TENANT, events, now)


def _created(deal: str, replay: str) -> BusinessEvent:
    return BusinessEvent(
        event="project.created",
        keys={"crm.deal": deal},
        time=_now(),
        id=f"created-{deal}",
        replay_id=replay,
    )


@contextlib.contextmanager
def _target() -> Iterator[int]:
    """A target that says yes; its port."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("content-length", 0)))
            self.send_response(200)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()


def _now() -> datetime:
    return datetime.now(UTC)
