"""Threads whose work starts again when it fails: logged, after a growing delay, never silently."""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

_FIRST_DELAY_SECONDS = 0.5
_LONGEST_DELAY_SECONDS = 30.0

log = logging.getLogger(__name__)


class KeptThread:
    """Calls `work` again and again, `every` seconds apart, until `stop` is set.

    An error is logged with its traceback; the next call comes after a delay that doubles with each error in
    a row.
    """

    def __init__(
        self,
        name: str,
        work: Callable[[], None],
        *,
        every: float,
        stop: threading.Event,
        niceness: int = 0,
    ) -> None:
        """`niceness` is Linux's: where other threads need the processor, this one comes behind them, and what
        it asks of the engine does.
        """
        self.name = name
        self._niceness = niceness
        self.failures = 0
        self._work = work
        self._every = every
        self._stop = stop
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def join(self, deadline: float) -> bool:
        """Wait until `deadline` (of time.monotonic); whether the thread has ended."""
        self._thread.join(max(0.0, deadline - time.monotonic()))
        return not self._thread.is_alive()

    def _run(self) -> None:
        if self._niceness and sys.platform == "linux":
            thread = threading.get_native_id()
            os.setpriority(os.PRIO_PROCESS, thread, os.getpriority(os.PRIO_PROCESS, thread) + self._niceness)
        delay = _FIRST_DELAY_SECONDS
        while not self._stop.is_set():
            try:
                self._work()
            except Exception:
                self.failures += 1
                log.exception("%s failed and is tried again in %.1f s", self.name, delay)
                self._stop.wait(delay)
                delay = min(delay * 2, _LONGEST_DELAY_SECONDS)
            else:
                delay = _FIRST_DELAY_SECONDS
                self._stop.wait(self._every)


def _no_matter(_: list[str]) -> None:
    """Do nothing about threads that are late."""


@contextlib.contextmanager
def running(
    threads: Sequence[KeptThread],
    stop: threading.Event,
    *,
    seconds: float,
    late: Callable[[list[str]], None] = _no_matter,
) -> Iterator[None]:
    """Run threads during the block; in the end they have `seconds` to stop, and `late` hears who has not."""
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        deadline = time.monotonic() + seconds
        names = [thread.name for thread in threads if not thread.join(deadline)]
        if names:
            late(names)
