"""What the demo runs: the history as fast as it goes, then the present, a few seconds per step."""

from __future__ import annotations

import contextlib
import heapq
import logging
import random
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from rich.progress import Progress

from throughline.dashboards.demo.deal import PlannedEvent
from throughline.dashboards.demo.estate import Estate
from throughline.dashboards.demo.scenario import Plan, live_stories, moved
from throughline.dashboards.demo.services import Firm
from throughline.probes.errors import DemoError

BATCH = 400
"""Events between two flushes; no queue of a service overflows."""
NEW_DEAL_SECONDS = (3.0, 7.0)
"""Between two new deals while live."""
STEP_SECONDS = (2.0, 6.0)
"""Between two events of a deal while live."""
NEXT_SECONDS = (1.5, 4.0)
"""Between two events that the history left to come."""
ALMOST_STUCK = timedelta(hours=4) - timedelta(seconds=45)
"""How long ago a live deal that will be stuck was won, so that a person sees it happen."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Sent:
    """What was sent."""

    events: int
    """Planned events (a duplicate or a resent request counts once)."""
    seconds: float


def send_history(endpoint: str, plan: Plan, estate: Estate, progress: Progress | None = None) -> Sent:
    """Send the past of the plan, in its order of sending; blocks until all of it is acknowledged.

    Args:
        endpoint: base URL of OTLP/HTTP, as `http://127.0.0.1:4318`.
        plan: from `scenario.plan`.
        estate: the platforms' secrets and the middleware, which hears of each failure.
        progress: gets a task of its own.

    Raises:
        DemoError: nothing listens, or a request was refused.
    """
    began = time.monotonic()
    firm = Firm(endpoint, estate, f"history {plan.seed} {plan.now}")
    task = progress.add_task("Sending history", total=len(plan.events)) if progress else None
    try:
        for number, planned in enumerate(plan.events, 1):
            firm.deliver(planned)
            if number % BATCH == 0:
                _require_accepted(firm)
            if progress is not None and task is not None:
                progress.advance(task)
        _require_accepted(firm)
    finally:
        firm.close()
    return Sent(len(plan.events), time.monotonic() - began)


def run_live(endpoint: str, plan: Plan, estate: Estate, stop: threading.Event) -> int:
    """Let new deals happen, and those of the plan go on, until `stop` is set; returns the events sent.

    Time is compressed: steps that take days follow each other in seconds, each happening when it is sent.

    Args:
        endpoint: base URL of OTLP/HTTP.
        plan: the history that was sent; its upcoming events are told, one by one, and its seed goes on.
        estate: as for the history.
        stop: ends it within a second (longer while a request is on its way).

    Raises:
        DemoError: nothing listens at the start.  Later, refused requests are logged.
    """
    label = _base36(int(time.time()))[-5:] + "x"
    firm = Firm(endpoint, estate, f"live {label}")
    present = _Present(plan, time.monotonic(), label=label)
    complained = 0
    try:
        while not stop.wait(present.wait_seconds(time.monotonic())):
            for planned in present.due(time.monotonic(), datetime.now(UTC)):
                firm.deliver(planned)
            failed = firm.flush()
            if failed > complained:
                _log.warning("%d requests of the demo were not accepted so far", failed)
                complained = failed
    finally:
        firm.close()
    return present.told


@contextlib.contextmanager
def doing_again(endpoint: str, estate: Estate) -> Iterator[None]:
    """Inside the block what the middleware is asked to do again has its effects.

    Raises:
        DemoError: nothing listens at the start.
    """
    firm = Firm(endpoint, estate, f"again {time.time()}")

    def play(planned: PlannedEvent, headers: Mapping[str, str]) -> None:
        firm.deliver(planned, headers)
        firm.flush()

    estate.middleware.start(play)
    try:
        yield
    finally:
        estate.middleware.stop()
        firm.close()


class _Present:
    """What happens next, on a clock that is handed in."""

    def __init__(self, plan: Plan, clock: float, *, label: str) -> None:
        self.told = 0
        self._rng = random.Random(f"{plan.seed}/pace")
        self._stories = live_stories(plan.seed, label)
        self._upcoming = iter(plan.upcoming)
        self._queue: list[tuple[float, int, timedelta, PlannedEvent]] = []
        self._order = 0
        self._next_deal = clock
        self._next_step = clock

    def wait_seconds(self, clock: float) -> float:
        """Seconds until something is due; 0: at once."""
        due = min(self._next_deal, self._next_step, *(item[0] for item in self._queue[:1]))
        return max(0.0, due - clock)

    def due(self, clock: float, now: datetime) -> list[PlannedEvent]:
        """The events that are due, happening now."""
        if clock >= self._next_deal:
            self._begin_deal(clock)
            self._next_deal = clock + self._rng.uniform(*NEW_DEAL_SECONDS)
        if clock >= self._next_step:
            planned = next(self._upcoming, None)
            if planned is not None:
                self._push(clock, timedelta(0), planned)
            self._next_step = clock + self._rng.uniform(*NEXT_SECONDS)
        found = []
        while self._queue and self._queue[0][0] <= clock:
            _, _, ago, planned = heapq.heappop(self._queue)
            found.append(moved(planned, now - ago))
        self.told += len(found)
        return found

    def _begin_deal(self, clock: float) -> None:
        kind, events = next(self._stories)
        ago = ALMOST_STUCK if kind == "stuck" else timedelta(0)
        at = clock
        for planned in events:
            self._push(at, ago, planned)
            at += self._rng.uniform(*STEP_SECONDS)

    def _push(self, at: float, ago: timedelta, planned: PlannedEvent) -> None:
        self._order += 1
        heapq.heappush(self._queue, (at, self._order, ago, planned))


def _require_accepted(firm: Firm) -> None:
    failed = firm.flush()
    if failed:
        raise DemoError(f"{firm.endpoint} did not accept {failed} requests: see the log of the platform.")


def _base36(number: int) -> str:
    digits = ""
    while number:
        number, rest = divmod(number, 36)
        digits = "0123456789abcdefghijklmnopqrstuvwxyz"[rest] + digits
    return digits
