"""What is buffered is sent before the process ends, however it ends, as far as a process can.

OpenTelemetry's providers flush when the interpreter exits: at the end of the program, on `sys.exit` and on an
exception.  That leaves SIGTERM, whose default action ends a process without asking, and the workers of
`multiprocessing`, which leave by `os._exit`.  `kill -9` and `os._exit` of the host itself lose what is
buffered.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable
from types import FrameType
from typing import Final

from throughline.probes.guard import swallow

SECONDS: Final = 3.0
"""What an ending process waits for its last events."""

Flush = Callable[[float], object]


def flush_on_sigterm(flush: Flush) -> None:
    """Flush on SIGTERM, then end as if nobody had listened: the exit status says killed by SIGTERM.

    Only where nobody handles SIGTERM and where we may: a handler of the host is its own, and only the main
    thread may set one.  A host that sets its handler later replaces ours.
    """
    if threading.current_thread() is not threading.main_thread():
        return
    if signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        return

    def leave(number: int, _frame: FrameType | None) -> None:
        try:  # in a thread: this one may hold the very lock that flushing needs
            flushing = threading.Thread(target=flush, args=(SECONDS,), daemon=True)
            flushing.start()
            flushing.join(SECONDS)
        except Exception as error:  # noqa: BLE001 never into the host
            swallow(error, "flushing on SIGTERM")
        finally:
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)

    signal.signal(signal.SIGTERM, leave)


def flush_in_workers(flush: Flush) -> None:
    """Flush when a worker of `multiprocessing` ends, be it this process or a fork of it."""
    _finish_worker(flush)
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=lambda: _after_fork(flush))


def _after_fork(flush: Flush) -> None:
    """In a fork: `multiprocessing` forgets all finishers first, then calls who asked to be called."""
    try:
        util = sys.modules.get("multiprocessing.util")
        if util is not None:
            util.register_after_fork(flush, _finish_worker)
    except Exception as error:  # noqa: BLE001 never into the host
        swallow(error, "preparing a fork")


def _finish_worker(flush: Flush) -> None:
    process = sys.modules.get("multiprocessing.process")
    if process is None or process.parent_process() is None:
        return
    from multiprocessing.util import Finalize

    Finalize(None, flush, args=(SECONDS,), exitpriority=0)
