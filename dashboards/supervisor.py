"""Run the edge and the engine as two child processes, and restart each alone.

A child is told two file descriptors: it writes a line to the *ready* pipe once it serves, and it reads the
*lifeline*, which nobody ever writes to: its end means that the supervisor is gone, even by kill -9, and that
the child must stop.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import subprocess
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

LIFELINE = "THROUGHLINE_LIFELINE_FD"
READY = "THROUGHLINE_READY_FD"
DRAIN_SECONDS = 10.0

_POLL_SECONDS = 0.05
_FIRST_DELAY_SECONDS = 0.2
_LONGEST_DELAY_SECONDS = 10.0

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Child:
    """One process to keep running."""

    name: str
    command: tuple[str, ...]
    environ: Mapping[str, str]


@dataclass
class _Run:
    """A child and its current life."""

    child: Child
    process: subprocess.Popen[bytes] | None = None
    ready_fd: int = -1
    ready: bool = False
    was_ready: bool = False
    delay: float = _FIRST_DELAY_SECONDS
    start_at: float = 0.0


class Supervisor:
    """Keeps children running until told to stop. Use from the main thread: it sets signal handlers."""

    def __init__(self, children: Sequence[Child], *, on_ready: Callable[[], None]) -> None:
        self._runs = [_Run(child) for child in children]
        self._on_ready = on_ready
        self._stopping = threading.Event()
        self._lifeline, self._lifeline_held = os.pipe()

    def stop(self) -> None:
        """Ask for an orderly end; `run` returns within `DRAIN_SECONDS`."""
        self._stopping.set()

    def run(self) -> int:
        """Start everything and return the exit code.

        1. A child that ends on its own before it was ever ready ends everything: it has said why.
        2. A child that ends later, or by a signal, starts again after a growing delay; no other notices.
        3. SIGINT, SIGTERM or `stop` pass SIGTERM on, wait, and kill what still runs after `DRAIN_SECONDS`.
        """
        announced = False
        code = 0
        with self._signals():
            try:
                while not self._stopping.is_set() and not code:
                    code = max(self._care(run) for run in self._runs)
                    if not announced and all(run.ready for run in self._runs):
                        announced = True
                        self._on_ready()
                    self._stopping.wait(_POLL_SECONDS)
            finally:
                self._end()
        return code

    def _care(self, run: _Run) -> int:
        """Look after one child; a positive number is the exit code of a start that failed."""
        if run.process is None:
            if time.monotonic() >= run.start_at:
                self._start(run)
            return 0
        if not run.ready and _readable(run.ready_fd):
            run.ready = run.was_ready = True
            run.delay = _FIRST_DELAY_SECONDS
        ended = run.process.poll()
        if ended is None:
            return 0
        self._forget(run)
        if ended > 0 and not run.was_ready:
            return ended
        run.start_at = time.monotonic() + run.delay
        log.warning("%s ended (%s); it starts again in %.1f s", run.child.name, _how(ended), run.delay)
        run.delay = min(run.delay * 2, _LONGEST_DELAY_SECONDS)
        return 0

    def _start(self, run: _Run) -> None:
        run.ready_fd, write_fd = os.pipe()
        os.set_blocking(run.ready_fd, False)
        environ = {**run.child.environ, LIFELINE: str(self._lifeline), READY: str(write_fd)}
        try:
            # Its own process group: Ctrl-C reaches the supervisor alone, which ends the children in order.
            run.process = subprocess.Popen(  # noqa: S603 - our own command
                run.child.command, env=environ, pass_fds=(self._lifeline, write_fd), process_group=0
            )
        finally:
            os.close(write_fd)

    def _forget(self, run: _Run) -> None:
        os.close(run.ready_fd)
        run.process, run.ready_fd, run.ready = None, -1, False

    def _end(self) -> None:
        deadline = time.monotonic() + DRAIN_SECONDS
        running = [(run, run.process) for run in self._runs if run.process is not None]
        for _run, process in running:
            process.terminate()
        for run, process in running:
            try:
                process.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                log.warning("%s did not stop within %.0f s and is killed", run.child.name, DRAIN_SECONDS)
                process.kill()
                process.wait()
            self._forget(run)
        os.close(self._lifeline_held)
        os.close(self._lifeline)

    @contextlib.contextmanager
    def _signals(self) -> Iterator[None]:
        before = {
            number: signal.signal(number, lambda *_: self.stop())
            for number in (signal.SIGINT, signal.SIGTERM)
        }
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def follow_supervisor(environ: Mapping[str, str]) -> Callable[[], None]:
    """In a child: stop when the supervisor is gone. Returns what to call once ready; idle without supervisor.

    The end of the lifeline is a SIGTERM to ourselves, and `DRAIN_SECONDS` later the end.
    """
    if LIFELINE not in environ:
        return lambda: None
    lifeline, ready = int(environ[LIFELINE]), int(environ[READY])

    def follow() -> None:
        os.read(lifeline, 1)
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(DRAIN_SECONDS)
        os._exit(1)

    def announce() -> None:
        with contextlib.suppress(OSError):
            os.write(ready, b"ready\n")

    threading.Thread(target=follow, name="lifeline", daemon=True).start()
    return announce


def _readable(descriptor: int) -> bool:
    """Whether the child has written to its ready pipe."""
    try:
        return bool(os.read(descriptor, 64))
    except BlockingIOError:
        return False


def _how(ended: int) -> str:
    return f"signal {signal.Signals(-ended).name}" if ended < 0 else f"exit code {ended}"
