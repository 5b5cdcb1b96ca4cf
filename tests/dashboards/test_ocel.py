"""A process as an OCEL 2.0 log and back: real edge, real loader, real correlator, nothing in between."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.collector import edge_process
from tests.dashboards.ocel_rules import require_json, require_sqlite
from tests.stores import Stores
from throughline.collector.loader import Loader
from throughline.collector.store import Role, Store
from throughline.correlator.process import Process, load_process
from throughline.correlator.worker import Correlator
from throughline.dashboards.demo import scenario
from throughline.dashboards.demo.firm import send_history
from throughline.dashboards.engine_settings import EngineSettings
from throughline.dashboards.ocel.exchange import Imported, export_log, import_log
from throughline.dashboards.ocel.sending import Intake

NOW = datetime.now(UTC)
TENANT = "default"
Rows = Sequence[Sequence[Any]]

LATEST = "SELECT {columns} FROM (SELECT * FROM {table} ORDER BY Version DESC LIMIT 1 BY {key}) WHERE NOT Deleted"
JOURNEYS = {
    "journeys": "SELECT * FROM journeys_at(tenant = 'default', now = {now:DateTime64(6)})",
    "milestones": "SELECT * FROM milestones_at(tenant = 'default', now = {now:DateTime64(6)})",
    "exceptions": "SELECT * FROM exceptions_at(tenant = 'default', now = {now:DateTime64(6)})",
    "members": LATEST.format(
        columns="* EXCEPT (Version, Generation, Attributes), mapSort(Attributes)",
        table="journey_events",
        key="Root, EventId",
    ),
    "linked": LATEST.format(
        columns="EventId, Keys, Paired, Claims, Objects, Extra, Subjects, Edges, AmbiguousLinks, Roots",
        table="event_state",
        key="EventId",
    ),
    "objects": LATEST.format(columns="Object, Level, Roots, State, Children", table="objects", key="Object"),
    "edges": LATEST.format(
        columns="Child, Parent, EventId, Rule, Time", table="edges", key="Child, Parent, EventId, Rule"
    ),
    "keys": LATEST.format(columns="Key, Namespace, Value, Object, Alias", table="keys", key="Key"),
}
FACTS = (
    "SELECT EventId, Time, Source, TraceId, SpanId, ServiceName, Event, Keys, Subject, Links, Cuts, Failed,"
    " System, Platform, Connection, Amount, Currency, Customer, Entity, Region, ServiceLine, TimePrecision,"
    " AccountingDate, ExceptionClass, ExceptionCode, ExceptionMessage, RunId, RunUrl, IdempotencyKey,"
    " PayloadRef, ReplayId, mapSort(mapFilter((name, _) -> NOT startsWith(name, 'business.context.key.'), Attributes))"
    " FROM business_events ORDER BY Time DESC, ContentHash DESC LIMIT 1 BY EventId"
)


def taken(stores: Stores, folder: Path, edge: edge_process.Edge, process: Process) -> dict[str, list[str]]:
    """Load and correlate what an edge has spooled into an empty store in `folder`; return its journeys."""
    settle(edge)
    stores.directory(folder / "store")
    with closing(Store.open(folder / "store")) as store:
        Loader(store, edge.data / "spool").drain()
        correlator = Correlator(store, (process,))
        while correlator.tick(TENANT, NOW).more:
            pass
        return told(store)


def settle(edge: edge_process.Edge) -> None:
    """End an edge: every segment is sealed then."""
    edge.stop()


def told(store: Store) -> dict[str, list[str]]:
    """Everything that linking and folding made of the facts, and the facts themselves."""
    now = {"now": NOW.strftime("%Y-%m-%d %H:%M:%S")}
    asked = {**JOURNEYS, "facts": FACTS}
    return {
        name: sorted(map(repr, store.query(sql, now, role=Role.ADHOC).result_rows))
        for name, sql in asked.items()
    }


def imported(path: Path, edge: edge_process.Edge) -> Imported:
    """Send a file to an edge."""
    with closing(Intake(edge.url, None)) as intake:
        return import_log(path, intake, NOW, lambda _: None)


@pytest.fixture(scope="module")
def opportunity() -> Process:
    """The shipped process that the demo shows."""
    return load_process(Path(scenario.__file__).parents[2] / "correlator/processes/opportunity-to-invoice.yaml")


@pytest.fixture(scope="module")
def firm(
    stores: Stores, tmp_path_factory: pytest.TempPathFactory, opportunity: Process
) -> Iterator[tuple[Path, dict[str, list[str]]]]:
    """A store with each story of the demo told once, and its journeys."""
    folder = tmp_path_factory.mktemp("firm")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(scenario, "CAST", tuple(replace(one, count=1) for one in scenario.CAST))
        patched.setattr(scenario, "SHARED_INVOICES", (3,))
        patched.setattr(scenario, "BATCHES", (4,))
        history = scenario.plan(1, NOW)
    with edge_process.running(folder / "edge") as edge:
        send_history(edge.url, history)
        journeys = taken(stores, folder, edge, opportunity)
    assert len(journeys["journeys"]) > len(scenario.CAST)
    yield folder, journeys


@pytest.mark.parametrize("suffix", ["json", "sqlite"])
def test_the_demo_comes_back_as_it_was(
    stores: Stores, tmp_path: Path, firm: tuple[Path, dict[str, list[str]]], opportunity: Process, suffix: str
) -> None:
    """An export is valid; imported into an empty store it gives the same facts, links, journeys, milestones,
    exceptions and memberships, to the last identity.
    """
    folder, before = firm
    path = tmp_path / f"demo.{suffix}"
    done = export_log(EngineSettings(data=folder), TENANT, opportunity.id, path, lambda _: None)
    assert done.events == len(before["linked"])
    assert done.objects == len(before["keys"])
    if suffix == "json":
        require_json(path)
    else:
        require_sqlite(path)
    with edge_process.running(tmp_path / "edge") as edge:
        report = imported(path, edge)
        assert report.sent.events + report.sent.evidence == done.events
        assert not report.tally.missing
        after = taken(stores, tmp_path, edge, opportunity)
    for part, rows in before.items():
        assert after[part] == rows, part
