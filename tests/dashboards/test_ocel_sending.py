"""A log on its way to the intake: tokens, sizes, patience; and a public log through a real edge."""

from __future__ import annotations

import gzip
from contextlib import closing
from itertools import islice
from pathlib import Path

import pytest

from tests.collector import edge_process
from tests.dashboards.ocel_logs import LOG, NOW, SHIPPED, changed, written
from tests.dashboards.otlp_sink import otlp_sink
from tests.stores import Stores
from throughline.collector.loader import Loader
from throughline.collector.store import Role
from throughline.correlator.process import load_process
from throughline.correlator.worker import Correlator
from throughline.dashboards.ocel.exchange import import_log
from throughline.dashboards.ocel.read_lines import read_lines
from throughline.dashboards.ocel.sending import Intake
from throughline.dashboards.ocel.staging import staging
from throughline.probes.errors import IntakeError, InvalidRequest, ThroughlineError, Unauthorized

ORDERS = edge_process.SHARED / "ocel/orders.jsonl.gz"


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("log.xml", "must end with one of .json,"),
        ("none.json", "is no file"),
        ("log.json", "Nothing answers on"),
    ],
)
def test_nothing_is_sent_in_vain(tmp_path: Path, name: str, sentence: str) -> None:
    """A format that is not read, a file or an intake that is not there."""
    written(tmp_path / "log.json", LOG)
    with (
        closing(Intake("http://127.0.0.1:1", None)) as intake,
        pytest.raises(ThroughlineError, match=sentence),
    ):
        import_log(tmp_path / name, intake, NOW, lambda _: None)


def test_an_intake_with_tokens_and_small_bodies(tmp_path: Path) -> None:
    """A token says whose events they are; what is too large goes in parts; one large event is refused."""
    events = [{**SHIPPED, "id": str(number)} for number in range(20)]
    path = written(tmp_path / "log.json", changed(events=events, objects=[]))
    secret = "0123456789abcdef"
    tokens = f"tool:acme:ingest:{secret}"
    with edge_process.running(tmp_path / "edge", tokens=tokens, max_body_bytes=1024) as edge:
        with closing(Intake(edge.url, None)) as intake, pytest.raises(Unauthorized, match="--token"):
            import_log(path, intake, NOW, lambda _: None)
        with closing(Intake(edge.url, secret)) as intake:
            done = import_log(path, intake, NOW, lambda _: None)
            arrived = edge.take()
            large = {**SHIPPED, "attributes": [{"name": "text", "value": "x" * 1024}]}
            written(path, changed(events=[large]))
            with pytest.raises(InvalidRequest, match="with status 413"):
                import_log(path, intake, NOW, lambda _: None)
    assert (done.sent.events, done.sent.evidence) == (20, 0)
    assert {record.tenant for record in arrived} == {"acme"}
    assert len(arrived) > 1
    assert sum(record.items for record in arrived) == 20


def test_a_busy_intake_is_asked_again(tmp_path: Path) -> None:
    """Until there is no more patience: importing again later is harmless."""
    path = written(tmp_path / "log.json", LOG)
    with otlp_sink() as sink:
        sink.status = 503
        with (
            closing(Intake(sink.endpoint, None, patience_seconds=0.5)) as intake,
            pytest.raises(IntakeError, match=r"is busy \(status 503\): import again later"),
        ):
            import_log(path, intake, NOW, lambda _: None)


needs_orders = pytest.mark.skipif(not ORDERS.exists(), reason="the public log is not in the distribution")


@needs_orders
def test_a_public_log_is_read_whole() -> None:
    """22,367 events, as lines of JSON; relations that a line says twice are counted."""
    with staging() as log:
        read_lines(ORDERS, log)
        assert (log.events_taken, log.repeated) == (22_367, 6_759)


@needs_orders
def test_its_orders_are_journeys(stores: Stores, tmp_path: Path) -> None:
    """Through a real edge: every event arrives, and every order that was placed is a journey."""
    process = load_process(
        "process: orders\nkeys: [orders, packages]\nmilestones: [{name: placed, event: place order}]\n"
    )
    with gzip.open(ORDERS, "rt", encoding="utf-8") as lines:
        first = list(islice(lines, 2_000))
    path = tmp_path / "first.jsonl"
    path.write_text("".join(first), encoding="utf-8")
    with edge_process.running(tmp_path / "edge") as edge, closing(Intake(edge.url, None)) as intake:
        done = import_log(path, intake, NOW, lambda _: None)
        edge.stop()
    assert (done.sent.events, done.sent.evidence) == (2_000, 0)
    with stores.store("embedded") as store:
        Loader(store, tmp_path / "edge/spool").drain()
        Correlator(store, (process,)).rebuild("default", process.id, NOW)
        events = "SELECT uniqExact(EventId), sum(length(Keys)) > 15000 FROM business_events"
        assert store.query(events, role=Role.PAGES).result_rows == [(2_000, True)]
        placed = "SELECT state, count() FROM milestones_at(tenant = 'default', now = now64(6)) GROUP BY state"
        orders = sum('"place order"' in line for line in first)
        assert store.query(placed, role=Role.PAGES).result_rows == [("met", orders)]
