"""The loader: order, retries, poison and corrupt segments, and deaths between any two steps."""

from __future__ import annotations

import base64
import threading
from typing import TYPE_CHECKING

import pytest

from tests.collector.otlp_samples import logs, spool, traces
from throughline.collector.loader import Loader
from throughline.collector.store import Role, Store
from throughline.probes.errors import StoreError

if TYPE_CHECKING:
    from pathlib import Path

    from tests.stores import Stores

POISON = b"\xff\xff\xff\xff"
EVENT = {"attributes": {"business.event": "a.b", "business.key.k": "v"}}


class Death(BaseException):
    """The process is gone."""


def column(store: Store, sql: str) -> list[object]:
    """Return the first column of a query."""
    return [row[0] for row in store.query(sql, role=Role.PAGES).result_rows]


def test_loaded_segments_are_deleted_and_counted(store: Store, tmp_path: Path) -> None:
    """After loading the spool is empty and each tenant's items are counted by signal."""
    spool(tmp_path / "s", "traces", traces(), traces({}, {}), tenant="a")
    spool(tmp_path / "s", "logs", logs({}), tenant="b")
    spool(tmp_path / "s", "events", logs({}, scope="throughline.cloudevents"), tenant="b")
    loader = Loader(store, tmp_path / "s")
    assert loader.drain().segments == 3
    assert list((tmp_path / "s").iterdir()) == []
    assert loader.received("a") == {"traces": 3}
    assert loader.received("b") == {"logs": 1, "events": 1}


def test_a_segment_inserted_again_adds_nothing(store: Store, tmp_path: Path) -> None:
    """The same segment, loaded after a death before its deletion, changes no table."""
    spool(tmp_path / "s", "traces", traces(EVENT, EVENT))
    segment = next((tmp_path / "s").glob("*.seg"))
    kept = segment.read_bytes()
    for _ in range(3):
        segment.write_bytes(kept)
        Loader(store, tmp_path / "s").drain()
    for table in ("otel_traces", "business_events", "event_inbox", "span_edges", "trace_inbox"):
        assert column(store, f"SELECT count() FROM {table}") == [2]
    assert column(store, "SELECT sum(Items) FROM received_requests") == [2]


def test_poison_requests_go_to_dead_letters_alone(store: Store, tmp_path: Path) -> None:
    """Of a segment with unreadable requests every other request is stored once; the bodies are kept."""
    requests = [traces({"name": f"r{at}"} | EVENT) for at in range(7)]
    spool(tmp_path / "s", "traces", *requests[:3], POISON, *requests[3:], POISON)
    report = Loader(store, tmp_path / "s").drain()
    assert report.dead_letters == 2
    assert column(store, "SELECT SpanName FROM otel_traces ORDER BY SpanName") == [
        f"r{at}" for at in range(7)
    ]
    assert column(store, "SELECT count() FROM business_events") == [7]
    letters = store.query(
        "SELECT Request, Reason, Body FROM dead_letters ORDER BY Request", role=Role.PAGES
    ).result_rows
    assert [(request, reason) for request, reason, _ in letters] == [(4, "poison"), (9, "poison")]
    assert POISON in base64.b64decode(letters[0][2])
    assert list((tmp_path / "s").iterdir()) == []


@pytest.mark.parametrize("fatal", range(14))
def test_a_death_at_any_step_of_splitting_repeats_nothing(stores: Stores, tmp_path: Path, fatal: int) -> None:
    """Dying before any step and starting again ends with each request stored once and one dead letter."""
    spool(tmp_path / "s", "traces", traces(EVENT), POISON, traces(EVENT), traces(EVENT))
    with stores.store("embedded") as store:
        steps = 0

        def checkpoint(_: str) -> None:
            nonlocal steps
            steps += 1
            if steps == fatal + 1:
                raise Death

        try:
            Loader(store, tmp_path / "s", checkpoint=checkpoint).drain()
        except Death:
            Loader(store, tmp_path / "s").drain()
        assert column(store, "SELECT count() FROM otel_traces") == [3]
        assert column(store, "SELECT count() FROM business_events") == [3]
        assert column(store, "SELECT Reason FROM dead_letters") == ["poison"]
        assert list((tmp_path / "s").iterdir()) == []


def test_what_a_failed_insert_has_stored_is_removed_before_its_halves(store: Store, tmp_path: Path) -> None:
    """A view that throws half way leaves rows behind; splitting still stores each request once."""
    store.command(
        "CREATE MATERIALIZED VIEW thrower TO trace_inbox AS SELECT Tenant, IngestedAt,"
        " toUInt64(throwIf(SpanName = 'bad')) AS Trace FROM otel_traces",
        role=Role.LOADER,
    )
    spool(
        tmp_path / "s",
        "traces",
        traces({"name": "one"} | EVENT),
        traces({"name": "bad"}),
        traces({"name": "two"}),
    )
    assert Loader(store, tmp_path / "s").drain().dead_letters == 1
    assert column(store, "SELECT SpanName FROM otel_traces ORDER BY SpanName") == ["one", "two"]
    assert column(store, "SELECT count() FROM business_events") == [1]
    assert column(store, "SELECT Request FROM dead_letters") == [2]


def test_broken_stretches_of_a_segment_are_reported(store: Store, tmp_path: Path) -> None:
    """A record whose checksum fails goes to dead letters; the others are stored."""
    spool(
        tmp_path / "s", "traces", traces({"name": "one"}), traces({"name": "two"}), traces({"name": "three"})
    )
    segment = next((tmp_path / "s").glob("*.seg"))
    data = bytearray(segment.read_bytes())
    data[data.find(b"two")] ^= 0xFF
    segment.write_bytes(data)
    assert Loader(store, tmp_path / "s").drain().dead_letters == 1
    assert column(store, "SELECT SpanName FROM otel_traces ORDER BY SpanName") == ["one", "three"]
    assert column(store, "SELECT Reason FROM dead_letters") == ["corrupt"]


def test_a_store_that_refuses_writes_keeps_the_segment(
    store: Store, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """While the store refuses, nothing is given up; once it accepts, everything arrives once."""
    store.command("INSERT INTO otel_traces (TraceId) VALUES ('seed')", role=Role.LOADER)
    store.command("ALTER TABLE otel_traces MODIFY SETTING parts_to_throw_insert = 1", role=Role.LOADER)
    spool(tmp_path / "s", "traces", traces(EVENT), traces(EVENT))
    loader = Loader(store, tmp_path / "s")
    stop = threading.Event()
    thread = threading.Thread(target=loader.run, args=(stop,))
    thread.start()
    try:
        while "stays in the spool" not in caplog.text:
            assert thread.is_alive()
        assert len(list((tmp_path / "s").glob("*.seg"))) == 1
        store.command("ALTER TABLE otel_traces RESET SETTING parts_to_throw_insert", role=Role.LOADER)
        while loader.total.segments == 0:
            assert thread.is_alive()
    finally:
        stop.set()
        thread.join()
    assert column(store, "SELECT count() FROM otel_traces WHERE Segment != ''") == [2]
    assert column(store, "SELECT count() FROM dead_letters") == [0]


def test_a_schema_that_is_missing_blames_no_request(store: Store, tmp_path: Path) -> None:
    """Without its landing table nothing loads, and nothing goes to dead letters."""
    store.command("DROP TABLE landing_logs_to_decoded_logs", role=Role.LOADER)
    store.command("DROP TABLE landing_logs_to_received", role=Role.LOADER)
    store.command("DROP TABLE landing_logs", role=Role.LOADER)
    spool(tmp_path / "s", "logs", logs({}))
    with pytest.raises(StoreError):
        Loader(store, tmp_path / "s").drain()
    assert len(list((tmp_path / "s").glob("*.seg"))) == 1
    assert column(store, "SELECT count() FROM dead_letters") == [0]


def test_parallel_workers_load_everything(store: Store, tmp_path: Path) -> None:
    """Two workers over many segments store each request once."""
    for _ in range(12):
        spool(tmp_path / "s", "traces", *[traces(EVENT) for _ in range(5)])
    loader = Loader(store, tmp_path / "s", workers=2)
    stop = threading.Event()
    thread = threading.Thread(target=loader.run, args=(stop,))
    thread.start()
    try:
        while loader.total.segments < 12:
            assert thread.is_alive()
    finally:
        stop.set()
        thread.join()
    assert column(store, "SELECT count() FROM otel_traces") == [60]
    assert column(store, "SELECT uniqExact(EventId) FROM business_events") == [60]
