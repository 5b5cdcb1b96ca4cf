"""Threads that go on after an error."""

import logging
import os
import sys
import threading
import time

import pytest

from throughline.dashboards.kept import KeptThread, running


def test_failing_work_is_logged_and_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    """An error is logged with its traceback, and the next turn comes."""
    stop, turns = threading.Event(), []

    def work() -> None:
        turns.append(1)
        if len(turns) == 1:
            raise ValueError("no such luck")
        stop.set()

    thread = KeptThread("worker", work, every=0.0, stop=stop)
    with caplog.at_level(logging.ERROR):
        thread.start()
        assert thread.join(time.monotonic() + 60)
    assert len(turns) == 2
    assert thread.failures == 1
    assert "worker failed" in caplog.text
    assert "ValueError: no such luck" in caplog.text


def test_join_tells_a_thread_that_still_works() -> None:
    """A thread past its deadline is told, not waited for."""
    stop, release = threading.Event(), threading.Event()

    def work() -> None:
        release.wait()

    thread = KeptThread("slow", work, every=0.0, stop=stop)
    thread.start()
    stop.set()
    assert not thread.join(time.monotonic())
    release.set()
    assert thread.join(time.monotonic() + 60)


def test_threads_run_during_the_block_and_late_ones_are_named() -> None:
    """All are told to stop together; whoever does not is told by name."""
    stop, release, worked = threading.Event(), threading.Event(), threading.Event()
    quick = KeptThread("quick", worked.set, every=0.0, stop=stop)

    def wait() -> None:
        release.wait()

    slow = KeptThread("slow", wait, every=0.0, stop=stop)
    late: list[str] = []
    with running([quick, slow], stop, seconds=0.5, late=late.extend):
        assert worked.wait(60)
    assert stop.is_set()
    assert late == ["slow"]
    release.set()
    assert slow.join(time.monotonic() + 60)


@pytest.mark.skipif(sys.platform != "linux", reason="threads have a niceness of their own on Linux")
def test_patient_work_is_nice() -> None:
    """Only the thread itself gives way."""
    stop, found = threading.Event(), []

    def work() -> None:
        found.append(os.getpriority(os.PRIO_PROCESS, threading.get_native_id()))
        stop.set()

    thread = KeptThread("patient", work, every=0.0, stop=stop, niceness=3)
    before = os.getpriority(os.PRIO_PROCESS, 0)
    thread.start()
    assert thread.join(time.monotonic() + 60)
    assert found == [before + 3]
    assert os.getpriority(os.PRIO_PROCESS, threading.get_native_id()) == before
