"""Deals that were won and whose projects could not be created, and a target where a replay creates them."""

from __future__ import annotations

import contextlib
import textwrap
import threading
from datetime import UTC, datetime
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

from throughline.collector.auth import ROLES, Principal
from throughline.collector.store import Role, Store
from throughline.correlator.process import load_process
from throughline.correlator.replay import second
from throughline.correlator.replay.planning import Asked, Planner, Rules
from throughline.correlator.replay.policy import parse_policy
from throughline.correlator.replay.worker import Replaying
from throughline.correlator.worker import Correlator
from throughline.probes.vocabulary import BusinessEvent

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from throughline.collector.control import ControlStore
    from throughline.correlator.replay.planning import Plan
    from throughline.correlator.replay.targets import Targets

TENANT = "default"
PROCESS = """
process: deals
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
"""
_DEALS = (
    "SELECT leftPad(lower(hex(e.ExceptionId)), 16, '0'), toInt64(substring(k.Value, 2))"
    " FROM exception_state AS e INNER JOIN keys AS k ON k.Key = e.Subject"
    " WHERE e.Tenant = {tenant:String}"
)


class Quiet(BaseHTTPRequestHandler):
    """Answers, and says nothing on the screen."""

    def answer(self, status: int, body: bytes = b"{}") -> None:
        """Answer, unless nobody waits any more."""
        with contextlib.suppress(ConnectionError):
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextlib.contextmanager
def serving(handler: type[Quiet]) -> Iterator[int]:
    """Listen; the port."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()


def target(port: int, more: str) -> str:
    """`targets.yaml` with the target at a port; `more` are further lines of it."""
    return _TARGET.replace("PORT", str(port)) + textwrap.indent(more, "    ")


def now() -> datetime:
    """The time."""
    return datetime.now(UTC)


def correlator(store: Store) -> Correlator:
    """What correlates the deals."""
    return Correlator(store, [load_process(PROCESS)])


def failed(numbers: Iterable[int], at: datetime) -> list[BusinessEvent]:
    """Deals that were won and whose projects can't be created."""
    events = []
    for number in numbers:
        keys = {"crm.deal": f"D{number}"}
        events += [
            BusinessEvent(event="deal.won", keys=keys, time=at, id=f"won-{number}"),
            BusinessEvent(
                event="project.created", keys=keys, time=at, id=f"failed-{number}", failed=True,
                exception_class="technical", exception_code="DOWN", attributes={"business.payload": "{}"},
            ),
        ]  # fmt: skip
    return events


def created(number: int, replay: str) -> BusinessEvent:
    """A project that a replay created: said again, it counts once."""
    return BusinessEvent(
        event="project.created", keys={"crm.deal": f"D{number}"}, time=now(),
        id=f"created-{number}-{replay}", replay_id=replay,
    )  # fmt: skip


def deals(store: Store) -> dict[str, int]:
    """The number of the deal of each exception."""
    rows = store.query(_DEALS, {"tenant": TENANT}, role=Role.PAGES).result_rows
    return {str(exception): int(deal) for exception, deal in rows}


def planned(store: Store, control: ControlStore, targets: Targets, exceptions: Iterable[str]) -> Plan:
    """A replay of these exceptions that nobody must approve."""
    rules = Rules(targets, parse_policy("approvals: [{need: none}]"))
    who = Principal(TENANT, ROLES["admin"], "bench")
    asked = Asked("resubmit", "bench", tuple(exceptions), target="middleware")
    return Planner(store, control, rules, who=who, now=now()).plan(asked, dry_run=False)


def replaying(store: Store, control: ControlStore, targets: Targets) -> Replaying:
    """The worker, as the engine wires it."""
    return Replaying(store, control, lambda: targets, now, report=partial(second.report, store))
