"""Whoever dies, and whenever: every acknowledged request is in the store exactly once."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.collector.otlp_samples import logs, spool, traces
from tests.stores import Stores
from throughline.collector.loader import Loader
from throughline.collector.store import Role, Store

KILLS = int(os.environ.get("THROUGHLINE_TEST_KILLS", "3"))
SEGMENTS, REQUESTS, SPANS = 8, 12, 60


def fill(directory: Path) -> None:
    """Put unique spans, a fifth of them business events, and log events in the spool."""
    for _ in range(SEGMENTS):
        requests = [
            traces(
                *[
                    {"attributes": {"business.event": "a.b", "business.key.k": "v"} if at % 5 == 0 else {}}
                    for at in range(SPANS)
                ]
            )
            for _ in range(REQUESTS)
        ]
        spool(directory, "traces", *requests, items=SPANS)
    spool(
        directory,
        "logs",
        *[logs({"event_name": "a.b", "attributes": {"business.key.k": str(at)}}) for at in range(REQUESTS)],
    )


def rows(store: Store, sql: str) -> list[tuple[object, ...]]:
    """Return the rows of a query."""
    return [tuple(row) for row in store.query(sql, role=Role.PAGES).result_rows]


def expect_exactly_once(store: Store) -> None:
    """Check every table the spool of ``fill`` feeds."""
    traces_of = SEGMENTS * REQUESTS
    spans = traces_of * SPANS
    events = traces_of * len(range(0, SPANS, 5)) + REQUESTS
    assert rows(
        store, "SELECT count(), uniqExact(Segment, Request), uniqExact(TraceId, SpanId) FROM otel_traces"
    ) == [(spans, traces_of, spans)]
    assert rows(store, "SELECT count(), uniqExact(Segment, Request) FROM otel_logs") == [(REQUESTS, REQUESTS)]
    assert rows(store, "SELECT count(), uniqExact(EventId) FROM business_events") == [(events, events)]
    assert rows(store, "SELECT count(), uniqExact(EventId) FROM event_inbox") == [(events, events)]
    assert rows(store, "SELECT count(), uniqExact(Span) FROM span_edges") == [(spans, spans)]
    assert rows(store, "SELECT sum(Items) FROM received_requests") == [(spans + REQUESTS,)]
    assert rows(store, "SELECT count() FROM dead_letters") == [(0,)]


@pytest.mark.timeout(300)
def test_loader_killed_at_random_moments(stores: Stores, tmp_path: Path) -> None:
    """Kill -9 of the loader, again and again, loses nothing and doubles nothing, in any table."""
    directory, url = tmp_path / "spool", str(stores.directory(tmp_path / "store"))
    fill(directory)
    for _ in range(KILLS):
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.collector.loader_process", url, str(directory)],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        time.sleep(random.uniform(0.01, 0.35))
        process.kill()
        process.wait()
        process.stdout.close()
        if not list(directory.glob("*.seg")):
            break
    store = Store.open(url)
    try:
        Loader(store, directory).drain()
        expect_exactly_once(store)
    finally:
        store.close()
