"""A process as an OCEL 2.0 log and back: real edge, real loader, real correlator, nothing in between."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.collector import edge_process
from tests.dashboards.ocel_oddities import BEGAN, SECOND, odd_process, send_oddities
from tests.dashboards.ocel_rules import require_json, require_sqlite
from tests.stores import Stores
from throughline.collector.loader import Loader
from throughline.collector.store import Role, Store
from throughline.correlator.process import Process, load_processes
from throughline.correlator.worker import Correlator
from throughline.dashboards.demo import scenario
from throughline.dashboards.demo.estate import Estate
from throughline.dashboards.demo.firm import send_history
from throughline.dashboards.engine_settings import EngineSettings
from throughline.dashboards.ocel.exchange import READERS, export_log, import_log
from throughline.dashboards.ocel.facts import Fact, Facts
from throughline.dashboards.ocel.model import iso
from throughline.dashboards.ocel.sending import Intake
from throughline.dashboards.ocel.staging import staging

NOW = datetime.now(UTC)
TENANT = "default"


def latest(columns: str, table: str, key: str) -> str:
    """The current rows of one of the correlator's tables."""
    rows = f"SELECT * FROM {table} ORDER BY Version DESC LIMIT 1 BY Process, {key}"
    return f"SELECT Process, {columns} FROM ({rows}) WHERE NOT Deleted"


DERIVED = {
    **{
        view: f"SELECT * FROM {view}_at(tenant = 'default', now = {{now:DateTime64(6)}})"
        for view in ("journeys", "milestones", "exceptions")
    },
    "members": latest(
        "* EXCEPT (Process, Version, Generation, Attributes), mapSort(Attributes)",
        "journey_events",
        "Root, EventId",
    ),
    "linked": latest(
        "EventId, Keys, Paired, Claims, Objects, Extra, Subjects, Edges, AmbiguousLinks, Roots",
        "event_state",
        "EventId",
    ),
    "objects": latest("Object, Level, Roots, State, Children", "objects", "Object"),
    "edges": latest("Child, Parent, EventId, Rule, Time", "edges", "Child, Parent, EventId, Rule"),
    "keys": latest("Key, Namespace, Value, Object, Alias", "keys", "Key"),
    "facts": """
        SELECT * EXCEPT (
                ContentHash, ReceivedAt, IngestedAt, Segment, Request, Parents, ContextKeys, Attributes),
            mapSort(mapFilter((name, _) -> NOT match(name, 'business.((context.)?key|event$)'), Attributes))
        FROM business_events ORDER BY Time DESC, ContentHash DESC LIMIT 1 BY EventId""",
}
"""What must come back. Of facts, not when they came, nor what links to them by spans; keys stand apart."""


@dataclass(frozen=True)
class World:
    """A store in `folder`, everything that was made of its facts, and its processes as files."""

    folder: Path
    journeys: dict[str, list[str]]
    demo: dict[str, Path]
    odd: dict[str, Path]


@pytest.fixture(scope="module")
def processes() -> tuple[Process, ...]:
    """The process that the demo shows, and the one of oddities."""
    shipped = {process.id: process for process in load_processes(None).processes}
    return shipped["opportunity-to-invoice"], odd_process()


@pytest.fixture(scope="module")
def world(stores: Stores, tmp_path_factory: pytest.TempPathFactory, processes: tuple[Process, ...]) -> World:
    """Each story of the demo told once, and the oddities; exported."""
    folder = tmp_path_factory.mktemp("world")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(scenario, "CAST", tuple(replace(one, count=1) for one in scenario.CAST))
        patched.setattr(scenario, "SHARED_INVOICES", (3,))
        patched.setattr(scenario, "BATCHES", (4,))
        history = scenario.plan(1, NOW)
    stores.directory(folder / "store")
    config = folder / "config"
    with closing(Estate(config)) as estate, edge_process.running(folder / "edge", config=config) as edge:
        send_history(edge.url, history, estate)
        send_oddities(edge)
        journeys = taken(folder, edge, processes)
    assert all(len(rows) > 5 for rows in journeys.values())
    files = []
    for process in processes:
        files.append({suffix: folder / f"{process.id}.{suffix}" for suffix in ("json", "sqlite")})
        for path in files[-1].values():
            export_log(EngineSettings(data=folder), TENANT, process.id, path, lambda _: None)
    return World(folder, journeys, *files)


def taken(folder: Path, edge: edge_process.Edge, processes: tuple[Process, ...]) -> dict[str, list[str]]:
    """Load and correlate what an edge has spooled into the store in `folder`; return what is in there."""
    edge.stop()
    with closing(Store.open(folder / "store")) as store:
        Loader(store, edge.data / "spool").drain()
        correlator = Correlator(store, processes)
        for process in processes:
            correlator.rebuild(TENANT, process.id, NOW)
        now = {"now": NOW.strftime("%Y-%m-%d %H:%M:%S")}
        return {
            name: sorted(map(repr, store.query(sql, now, role=Role.ADHOC).result_rows))
            for name, sql in DERIVED.items()
        }


def facts_of(path: Path) -> list[Fact]:
    """What a file would send; order does not count."""
    with staging() as log:
        READERS[path.suffix](path, log)
        facts = [
            replace(fact, attributes=dict(sorted(fact.attributes.items())))
            for fact in Facts(log, "log", NOW).all()
        ]
    return sorted(facts, key=repr)


def test_everything_comes_back_as_it_was(
    stores: Stores, tmp_path: Path, world: World, processes: tuple[Process, ...]
) -> None:
    """Exports imported into an empty store, one of them twice, give the same facts, links, journeys,
    milestones, exceptions and memberships, to the last identity.
    """
    stores.directory(tmp_path / "store")
    with edge_process.running(tmp_path / "edge") as edge, closing(Intake(edge.url, None)) as intake:
        for path in (world.demo["json"], world.odd["sqlite"], world.odd["json"]):
            done = import_log(path, intake, NOW, lambda _: None)
            assert not done.tally.missing
        after = taken(tmp_path, edge, processes)
    for part, rows in world.journeys.items():
        assert after[part] == rows, part


def test_where_it_came_from_an_export_adds_nothing(
    tmp_path: Path, world: World, processes: tuple[Process, ...]
) -> None:
    """Spans, log records and CloudEvents come back under the identities that they had."""
    with edge_process.running(tmp_path / "edge") as edge, closing(Intake(edge.url, None)) as intake:
        import_log(world.odd["sqlite"], intake, NOW, lambda _: None)
        after = taken(world.folder, edge, processes[1:])
    for part, rows in world.journeys.items():
        assert after[part] == rows, part


def test_both_formats_carry_the_same(world: World) -> None:
    """What JSON sends, SQLite sends."""
    for files in (world.demo, world.odd):
        assert facts_of(files["json"]) == facts_of(files["sqlite"])


def test_exports_are_valid(world: World) -> None:
    """JSON and SQLite are as the specification wants them."""
    for files in (world.demo, world.odd):
        require_json(files["json"])
        require_sqlite(files["sqlite"])


def test_qualifiers_say_how_events_and_objects_relate(world: World) -> None:
    """Every kind of relation that linking knows occurs, and is called what it is."""
    log = require_json(world.odd["json"])
    said = {
        (event["type"], relation["objectId"], relation["qualifier"])
        for event in log["events"]
        for relation in event["relationships"]
    }
    assert said >= {
        ("object", "odd.order:o1", "key"),
        ("map_type", "odd.order:o1", "inherited key"),
        ("passed on", "odd.item:i1", "context key"),
        ("throughline.evidence", "odd.parcel:p1", "link"),
    }
    links = {
        (one["id"], r["objectId"], r["qualifier"]) for one in log["objects"] for r in one["relationships"]
    }
    assert links >= {
        ("odd.item:i1", "odd.order:o1", "parent odd.order by inherited"),
        ("odd.item:i2", "odd.order:o2", "parent odd.order by own"),
        ("odd.parcel:p1", "odd.item:i2", "parent odd.item by explicit"),
        ("legacy.order:L1", "odd.order:o2", "alias"),
    }
    assert ("odd.parcel:p2", "odd.item:i3") not in {link[:2] for link in links}, "a person cut it"


def test_objects_have_a_history(world: World) -> None:
    """What the events about an object say of it, since when."""
    log = require_json(world.odd["json"])
    (order,) = (one for one in log["objects"] if one["id"] == "odd.order:o1")
    since = iso(BEGAN + SECOND)
    assert order["attributes"] == [
        {"name": "business.amount", "time": since, "value": "12.5"},
        {"name": "business.currency", "time": since, "value": "EUR"},
    ]
