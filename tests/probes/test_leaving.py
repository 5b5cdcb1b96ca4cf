"""Short-lived processes: however a process ends, as far as one can, its events are sent."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap

import pytest

from tests.dashboards.otlp_sink import otlp_sink

BEGIN = """
import os, signal, sys, threading, asyncio, multiprocessing
from throughline.probes import business_event, configure, emit
def say(name): emit("deal.won", keys={"crm.deal": name})
"""
CASES = {
    "exit": ("configure(); say('a'); sys.exit(3)", 3, "a"),
    "exception": ("configure(); say('a'); raise RuntimeError('host')", 1, "a"),
    "sigterm": ("configure(); say('a'); os.kill(os.getpid(), signal.SIGTERM); say('never')", -15, "a"),
    "own handler": (
        """
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))
        configure(); say('a')
        os.kill(os.getpid(), signal.SIGTERM)
        """,
        7,
        "a",
    ),
    "switched off": (
        """
        configure(flush_on_sigterm=False); say('a')
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
        """,
        0,
        "a",
    ),
    "fork and workers": (
        """
        probe = configure(); say('a')
        if (pid := os.fork()) == 0:
            say('b'); probe.flush(5); os._exit(0)
        assert os.waitpid(pid, 0)[1] == 0
        worker = multiprocessing.get_context('fork').Process(target=say, args=('c',))
        worker.start(); worker.join(); say('d')
        """,
        0,
        "abcd",
    ),
    "threads and tasks": (
        """
        async def run():
            await asyncio.gather(*(asyncio.to_thread(say, name) for name in 'ab'), task('c'))
        async def task(name): say(name)
        thread = threading.Thread(target=lambda: (configure(), say('d')))
        thread.start(); thread.join(); asyncio.run(run())
        """,
        0,
        "abcd",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_events_are_sent_before_the_process_ends(case: str) -> None:
    """The exit status is the one the host would have had, and each event arrives exactly once."""
    code, status, expected = CASES[case]
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "THROUGHLINE_"))
    }
    with otlp_sink() as sink:
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", BEGIN + textwrap.dedent(code)],
            env={**kept, "OTEL_EXPORTER_OTLP_ENDPOINT": sink.endpoint},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        found = sorted(record["attributes"]["business.key.crm.deal"] for record in sink.records)
    assert (done.returncode, found) == (status, list(expected)), done.stderr
