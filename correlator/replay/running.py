"""Calls under way: each by the lane of its target, in a thread of its own."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from concurrent import futures
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING

from throughline.correlator.replay.calls import Caller, Outcome, Ready
from throughline.correlator.replay.lanes import Lane
from throughline.probes.errors import ConfigurationError, ThroughlineError

if TYPE_CHECKING:
    from datetime import datetime

    from throughline.correlator.replay.records import Item
    from throughline.correlator.replay.targets import Target

AT_ONCE = 32
"""Calls at the same time, over all targets."""

log = logging.getLogger(__name__)


class Running:
    """The calls of one worker that have begun and of which it has not noted yet what they said."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="replay")
        self._calls: dict[Future[Outcome], tuple[Item, Target]] = {}
        self._lanes: dict[str, Lane] = {}

    @property
    def free(self) -> int:
        """How many more may begin."""
        return max(0, AT_ONCE - len(self._calls))

    def items(self) -> set[str]:
        """The names of the items that they are made for."""
        return {item.name for item, _ in self._calls.values()}

    def lane(self, target: Target) -> Lane:
        """The lane to a target, a new one when the target has changed. Raises: ConfigurationError."""
        lane = self._lanes.get(target.id)
        if lane is None or lane.caller.target != target:
            lane = self._lanes[target.id] = Lane(Caller(target))
        return lane

    def begin(self, lane: Lane, ready: Ready) -> None:
        """Begin a call."""
        self._calls[self._pool.submit(_make, lane.caller, ready)] = (ready.item, lane.caller.target)

    @contextmanager
    def ended(self) -> Iterator[list[tuple[Item, Target, Outcome]]]:
        """What calls said; they are forgotten when the block has noted it without an error.

        One that went wrong unexpectedly is left out: its item is recovered like that of a dead worker.
        """
        done = [one for one in self._calls if one.done()]
        for future in [one for one in done if one.exception()]:
            done.remove(future)
            item, _ = self._calls.pop(future)
            log.error("the call for %s went wrong unexpectedly", item.name, exc_info=future.exception())
        yield [(*self._calls[future], future.result()) for future in done]
        for future in done:
            del self._calls[future]

    def heard(self, target: Target, outcome: Outcome, now: datetime) -> None:
        """Tell the circuit breaker of a target what a call said."""
        lane = self._lanes.get(target.id)
        if lane is not None:
            lane.breaker.heard(now, worked=outcome.judgement in {"accepted", "failed"})

    def broken(self, target: str, now: datetime) -> str:
        """Why a target is not called at the moment, or ''."""
        lane = self._lanes.get(target)
        return lane.breaker.broken(now) if lane else ""

    def wait(self, seconds: float) -> None:
        """Wait until one has ended, so long at most."""
        futures.wait(self._calls, timeout=seconds, return_when=futures.FIRST_COMPLETED)

    def wait_for_all(self) -> None:
        """Wait until all have ended."""
        futures.wait(self._calls)

    def close(self) -> None:
        """Close the connections of calls that have ended."""
        self._pool.shutdown(wait=True)
        for lane in self._lanes.values():
            lane.caller.close()


def _make(caller: Caller, ready: Ready) -> Outcome:
    """Ask whether it is there already, then call."""
    try:
        there = caller.exists(ready)
    except ConfigurationError as error:
        return Outcome("failed", str(error))
    except ThroughlineError as error:
        return Outcome("again", str(error))
    return Outcome("failed", there) if there else caller.call(ready)
