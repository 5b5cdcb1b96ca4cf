"""Mappings and suggested keys from file to journey: reload, API, command line, what is shown."""

from __future__ import annotations

import threading
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from ruamel.yaml import YAML
from typer.testing import CliRunner

from bench.load import PROCESS, write_config
from tests.dashboards.answers import problem
from tests.dashboards.conftest import OURS, Client
from tests.dashboards.test_backtests import ACCESS, OPERATOR
from tests.dashboards.test_correlating import Clock, Setting
from throughline.collector.control import ControlStore
from throughline.collector.store import Role
from throughline.correlator.mapping_files import load_mapping
from throughline.correlator.process import load_process
from throughline.dashboards.commands import app
from throughline.dashboards.correlating import Correlating
from throughline.dashboards.deps import Deps
from throughline.dashboards.exclusive import locked
from throughline.dashboards.live_definitions import LiveDefinitions
from throughline.dashboards.live_mappings import LiveMappings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.stores import Stores

RULE = """
mapping: shop
rules:
  - name: placed
    match: {{service: shop, name: {name}}}
    set: {{event: order.placed, keys: {{bench.order: "{{order}}"}}}}
  - name: shipped
    match: {{service: stock}}
    set: {{event: item.shipped, keys: {{bench.item: "{{item}}", bench.order: "{{for_order}}"}}}}
"""
BAD = """
mapping: zzz
rules: [{name: bad, match: {name: {regex: "((x{100}){100}){100}"}}, set: {event: never}}]
"""
ORDERS = load_process(PROCESS)
COLUMNS = (
    "Timestamp",
    "TraceId",
    "SpanId",
    "ServiceName",
    "SpanName",
    "SpanAttributes",
    "StatusCode",
    "IngestedAt",
)


class World(Setting):
    """An engine's parts around a store, with mappings."""

    data: Path

    def engine(self) -> Correlating:
        """The engine's correlating part, from its files."""
        definitions = LiveDefinitions(self.config, self.control)
        mappings = LiveMappings(self.config, self.store)
        return Correlating(
            self.store, self.control, definitions, holder="engine", clock=self.clock, mappings=mappings
        )

    def write(self, text: str, name: str = "shop") -> None:
        """Write a mapping file."""
        folder = self.config / "mappings"
        folder.mkdir(exist_ok=True)
        (folder / f"{name}.yaml").write_text(text)

    def spans(self, first: int, count: int, at: datetime, came: datetime | None = None) -> None:
        """What a shop and its stock say, each by names of its own: orders, and an item of every second."""
        came = came or datetime.now(UTC)
        rows: list[tuple[Any, ...]] = []
        for number in range(first, first + count):
            time, order = at + timedelta(minutes=number), f"R-{number:06d}"
            identity = (f"{number:032x}", f"{number:016x}")
            rows.append((time, *identity, "shop", "POST /orders", {"order": order}, "Ok", came))
            if number % 2:
                item = {"item": f"{order}-1", "for_order": order}
                identity = (f"{number:032x}", f"{number + 2**40:016x}")
                rows.append((time + timedelta(minutes=7), *identity, "stock", "ship", item, "Ok", came))
        self.store.insert_rows("otel_traces", rows, COLUMNS, role=Role.LOADER)


@pytest.fixture(scope="module")
def world(stores: Stores, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """An engine that has mapped live, with orders stored before it knew the mapping."""
    data = tmp_path_factory.mktemp("mappings")
    with (
        stores.at(data / "store") as store,
        closing(ControlStore.open(data / "control.db")) as control,
    ):
        control.migrate()
        made = World(store, control, write_config(data / "config"), Clock())
        made.data = data
        made.clock.now = datetime.now(UTC)
        long_ago = made.clock.now - timedelta(days=5)
        made.spans(0, 40, long_ago, long_ago)
        yield made


@contextmanager
def at_work(world: World) -> Iterator[Correlating]:
    """An engine that holds the data folder and does jobs meanwhile."""
    engine = world.engine()
    engine.reload()
    stop = threading.Event()

    def work() -> None:
        while not stop.wait(0.05):
            engine.work()

    with locked(world.data):
        running = threading.Thread(target=work)
        running.start()
        try:
            yield engine
        finally:
            stop.set()
            running.join()
            engine.release()


@pytest.fixture(scope="module")
def deps(world: World) -> Deps:
    """The API beside that engine."""
    return Deps(
        store=world.store,
        access=lambda: ACCESS,
        spool=world.data / "spool",
        processes=lambda: (ORDERS,),
        clock=world.clock,
        control=world.control,
    )


async def answer(client: Client, deps: Deps, world: World, path: str, **asked: Any) -> dict[str, Any]:
    """Ask, let an engine work, fetch the answer."""
    async with client(deps, OPERATOR) as http:
        started = await http.post(f"/v1/{path}", json=asked)
        assert started.status_code == 202, started.text
        engine = world.engine()
        engine.reload()
        engine.work()
        engine.release()
        found: dict[str, Any] = (await http.get(f"/v1/{path}/{started.json()['id']}")).json()
    assert found["state"] == "done", found
    return found


def mapped(world: World) -> int:
    """How many events mappings made."""
    sql = "SELECT uniqExact(EventId) FROM business_events WHERE Attributes['business.mapping'] != ''"
    return int(world.store.query(sql, role=Role.ADHOC).result_rows[0][0])


async def test_from_file_to_journeys(world: World, deps: Deps, client: Client) -> None:
    """A changed file counts live, a broken one leaves what was; stored spans follow on demand, by the API,
    once; rates, counts and quarantine are shown.
    """
    engine = world.engine()
    world.write(RULE.format(name="POST /nothing"))
    engine.turn()
    world.spans(40, 2, world.clock.now - timedelta(hours=2))
    engine.turn()
    assert mapped(world) == 1  # the shipped item of order 41
    world.write(RULE.format(name="POST /orders"))
    engine.turn()
    assert mapped(world) == 3  # what came within the last two minutes, too
    world.write(RULE.replace("mapping: shop", "mapping: [shop"))
    world.spans(42, 3, world.clock.now - timedelta(hours=2))
    engine.turn()
    assert mapped(world) == 7
    engine.release()
    world.write(RULE.format(name="POST /orders"))
    world.write(BAD, "z")
    text = (world.config / "mappings" / "shop.yaml").read_text()
    asked = {"definition": text, "since": "30d"}
    preview = await answer(client, deps, world, "mappings/tests", **asked)
    placed = preview["result"]["rules"][0]
    assert (placed["rule"], placed["matched"], placed["events"]) == ("shop/placed", 45, 45)
    assert placed["samples"][0]["after"]["business.event"] == "order.placed"
    first = await answer(client, deps, world, "mappings/applications", **asked)
    assert first["result"]["events"] == {"shop/placed": 40, "shop/shipped": 20}
    engine = world.engine()
    engine.turn()
    engine.work()
    engine.turn()
    engine.release()
    assert world.journeys() == 45
    async with client(deps, OURS) as http:
        rules = (await http.get("/v1/mappings")).json()["items"]
        status = (await http.get("/v1/status")).json()
        refused = await http.post("/v1/mappings/tests", json=asked)
    assert [(one["rule"], one["state"], one["events"]) for one in rules] == [
        ("shop/placed", "active", 45), ("shop/shipped", "active", 22), ("zzz/bad", "quarantined", 0),
    ]  # fmt: skip
    assert "invalid repetition" in rules[2]["error"]
    assert status["mappings"]["quarantined"] == 1
    (rate,) = status["link_rates"]
    assert (rate["level"], rate["objects"], rate["linked"], rate["rate"]) == (["bench.item"], 22, 22, 1.0)
    assert refused.status_code == 403


async def test_what_is_wrong_is_told(world: World, deps: Deps, client: Client) -> None:
    """A mistake in a mapping is told with its line; one in force with other content is not applied."""
    async with client(deps, OPERATOR) as http:
        wrong = await http.post("/v1/mappings/tests", json={"definition": "mapping: x", "since": "7d"})
        assert "there is no rule" in problem(wrong, 422)["detail"]
        lost = await http.get("/v1/mappings/tests/nothing")
        assert problem(lost, 404)
    other = world.data / "other.yaml"
    other.write_text(RULE.format(name="GET /orders"))
    with at_work(world):
        result = CliRunner().invoke(app, ["mapping", "apply", str(other), "--since", "9d", *where(world)])
    assert result.exit_code != 0
    assert "in force with other content" in str(result.exception)


def where(world: World) -> list[str]:
    """Options that name the platform."""
    return ["--data", str(world.data), "--config", str(world.config)]


def test_command_line_asks_the_engine(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Test and apply print counts per rule, samples and likely names; suggest-keys writes a mapping that
    loads and joins what is joined.
    """
    for name in ("DATA", "CONFIG"):
        monkeypatch.delenv(f"THROUGHLINE_{name}", raising=False)
    misspelt, written = world.data / "misspelt.yaml", world.data / "found.yaml"
    misspelt.write_text(RULE.format(name="POST /order").replace("mapping: shop", "mapping: other"))
    fine = world.config / "mappings" / "shop.yaml"
    with at_work(world):
        tested = CliRunner().invoke(app, ["mapping", "test", str(misspelt), "--since", "30d", *where(world)])
        applied = CliRunner().invoke(app, ["mapping", "apply", str(fine), "--since", "30d", *where(world)])
        found = CliRunner().invoke(app, ["suggest-keys", "--write", str(written), *where(world)])
    assert "perhaps meant: shop POST /orders (45)" in tested.output, tested.output
    assert "0 new events since" in applied.output, applied.output
    assert "shop order (spans)" in found.output, found.output
    mapping = load_mapping(written)
    keys = {rule.match.service.is_[0]: rule.set.keys for rule in mapping.rules if rule.match.service}
    assert set(keys["stock"]) & set(keys["shop"])
    assert YAML(typ="safe").load(written)["mapping"] == "suggested-keys"
