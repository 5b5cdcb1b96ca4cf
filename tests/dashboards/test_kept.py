"""Threads that go on after an error."""

import logging
import threading
import time

import pytest

from throughline.dashboards.kept import KeptThread


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
