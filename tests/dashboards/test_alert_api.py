"""Alerts, rules, objectives and metrics of a running engine's parts, over a seeded store."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import ClassVar

import httpx
import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from prometheus_client.openmetrics.parser import text_string_to_metric_families
from starlette.applications import Starlette
from starlette.routing import Route

from tests.dashboards.conftest import OURS, Client, World
from tests.dashboards.seed_firm import NOW
from tests.listening import Quiet, listening
from throughline.collector.control import ControlStore
from throughline.collector.store import Role
from throughline.dashboards.alert_settings import AlertSettings
from throughline.dashboards.alerting import Alerting
from throughline.dashboards.app import metrics_route
from throughline.dashboards.counting import Counting
from throughline.dashboards.deps import Deps
from throughline.dashboards.engine_metrics import EngineMetrics
from throughline.dashboards.heartbeat import HeartbeatRefused, refusal, send
from throughline.dashboards.live_rules import LiveRules

ROOT = Path(__file__).parents[2]
RULE = (
    "groups:\n  - name: own\n    rules:\n"
    '      - {{alert: Stuck, expr: "SELECT count() AS value FROM {view}"}}\n'
)
SLO = (
    "slos:\n  - slo: InTime\n    objective: 50\n    calendar: de\n    window: 20 business days\n"
    "    expr: SELECT process, due_at AS time, state = 'met' AS good FROM milestones WHERE state != 'due'\n"
)


class Sink(Quiet):
    """Takes whatever is sent and remembers it."""

    taken: ClassVar[list[tuple[str, str, bytes]]] = []

    def answer(self) -> None:
        """Take it."""
        self.taken.append((self.command, self.path, self.body()))
        self.send_response(302 if self.path == "/moved" else 200)
        self.send_header("location", "/elsewhere")
        self.end_headers()


@pytest.fixture
def sink() -> Iterator[str]:
    """The address of a server that takes everything."""
    Sink.taken.clear()
    with listening(Sink) as address:
        yield address


class Engine:
    """What the engine wires, turned by hand."""

    def __init__(self, world: World, folder: Path, sink: str) -> None:
        self.config = folder / "config"
        (self.config / "rules").mkdir(parents=True)
        self.control = ControlStore.open(folder / "control.db")
        self.control.migrate()
        self.now = NOW
        self.rules = LiveRules(self.config, self.control)
        self.metrics = EngineMetrics()
        store = world.deps.store
        settings = AlertSettings(
            heartbeat_url=f"{sink}/beat", heartbeat_internal=True, metrics_otlp=f"{sink}/v1/metrics"
        )
        self.alerting = Alerting(
            store,
            self.control,
            self.rules,
            settings,
            self.metrics,
            processes=world.deps.processes,
            spool=folder / "spool",
            holder="me",
            clock=lambda: self.now,
        )
        self.counting = Counting(store, self.metrics, settings, lambda: self.now, world.deps.processes)
        self.deps = Deps(
            store=store,
            access=world.deps.access,
            spool=folder / "spool",
            processes=world.deps.processes,
            clock=lambda: self.now,
            control=self.control,
            rules=lambda: self.rules.current,
            metrics=self.metrics,
        )

    def write(self, name: str, text: str) -> None:
        """Write a file of rules."""
        (self.config / "rules" / name).write_text(text)


@pytest.fixture
def engine(shared: World, tmp_path: Path, sink: str) -> Iterator[Engine]:
    """An engine over the shared world."""
    made = Engine(shared, tmp_path, sink)
    made.deps.store.insert_rows(
        "correlation_progress",
        [("default", NOW)],
        ("Tenant", "Watermark"),
        role=Role.CORRELATOR,
    )
    yield made
    made.alerting.release()
    made.control.close()


async def test_what_fires_is_told(engine: Engine, client: Client) -> None:
    """Alerts, rules and budgets are told to their tenant; a broken file keeps its last valid version, over a
    restart too; the heartbeat goes out once all was evaluated; metrics go to Prometheus and OTLP.
    """
    engine.write("own.yaml", RULE.format(view="journeys"))
    engine.write("slo.yaml", SLO)
    engine.alerting.turn()
    engine.alerting.beat()
    assert [(method, path) for method, path, _ in Sink.taken] == [("GET", "/beat")]
    ages = "SELECT Process, length(Groups) FROM late_ages FINAL WHERE Tenant = 'default'"
    known = engine.deps.store.query(ages, role=Role.PAGES).result_rows
    assert known == [("opportunity-to-invoice", 1)]
    async with client(engine.deps) as http:
        alerts = (await http.get("/v1/alerts", params={"state": "firing"})).json()["items"]
        stuck = next(one for one in alerts if one["alert"] == "Stuck")
        assert (stuck["value"], stuck["rule"], stuck["ends_at"]) == (60.0, "own/Stuck", None)
        assert "Watchdog" in {one["alert"] for one in alerts}
        assert (await http.get("/v1/alerts", params={"alert": "Stuck", "state": "pending"})).json()[
            "items"
        ] == []
        rules = {one["key"]: one for one in (await http.get("/v1/rules")).json()["items"]}
        assert (rules["own/Stuck"]["state"], rules["own/Stuck"]["line"]) == ("firing", 4)
        assert rules["platform/CorrelationLag"]["shipped"]
        slos = {one["slo"]: one for one in (await http.get("/v1/slos")).json()["items"]}
        (budget,) = slos["InTime"]["budgets"]
        assert 0 < budget["good"] < budget["valid"]
        left = 1 - (budget["valid"] - budget["good"]) / (budget["valid"] / 2)
        assert budget["budget_left"] == pytest.approx(left, abs=1e-3)
        assert set(budget["burn_rates"]) == {"5m", "30m", "1h", "6h", "3d"}
        assert slos["MilestonesOnTime"]["error"] == ""
    engine.write("own.yaml", RULE.format(view="nothing"))
    again = LiveRules(engine.config, engine.control)
    for live in (engine.rules, again):
        assert live.reload()
        assert "own.yaml:5" in str(live.current.errors[0]) or "own.yaml:4" in str(live.current.errors[0])
        assert "own" in {group.name for group in live.current.groups}
    assert not again.reload()
    engine.now = NOW + timedelta(minutes=1)
    engine.alerting.turn()
    engine.counting.turn()
    await _metrics_need_admin(engine.deps)
    _metrics_are_right(engine)


async def _metrics_need_admin(deps: Deps) -> None:
    """Metrics name every tenant."""
    app = Starlette(routes=[Route("/metrics", metrics_route(deps))])
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as http:
        assert (await http.get("/metrics")).status_code == 401
        assert (await http.get("/metrics", headers={"Authorization": f"Bearer {OURS}"})).status_code == 403


def _metrics_are_right(engine: Engine) -> None:
    """Prometheus' tool accepts them, OpenMetrics has exemplars, OTLP says the same."""
    plain, _ = engine.metrics.text("")
    promtool = shutil.which("promtool")
    if promtool:
        checked = subprocess.run(
            [promtool, "check", "metrics"], input=plain, capture_output=True, check=False, timeout=60
        )
        assert (checked.returncode, checked.stdout, checked.stderr) == (0, b"", b"")
    text, content_type = engine.metrics.text("application/openmetrics-text; version=1.0.0")
    assert content_type.startswith("application/openmetrics-text")
    parsed = text_string_to_metric_families(text.decode())  # type: ignore[no-untyped-call]
    families = {family.name: family for family in parsed}
    journeys = families["throughline_journeys"].samples
    assert sum(one.value for one in journeys if one.labels["tenant"] == "default") == 60
    linked = {one.labels["level"]: one.value for one in families["throughline_link_ratio"].samples}
    assert linked
    assert all(0.0 <= ratio <= 1.0 for ratio in linked.values())
    assert any(one.exemplar for one in families["throughline_milestone_duration_seconds"].samples)
    sent = [body for _, path, body in Sink.taken if path == "/v1/metrics"]
    made = ExportMetricsServiceRequest.FromString(sent[-1])
    metrics = {one.name: one for one in made.resource_metrics[0].scope_metrics[0].metrics}
    points = metrics["throughline_journeys"].gauge.data_points
    assert sum(point.as_double for point in points) == sum(one.value for one in journeys)
    for point in metrics["throughline_milestone_duration_seconds"].histogram.data_points:
        assert sum(point.bucket_counts) == point.count
        assert len(point.bucket_counts) == len(point.explicit_bounds) + 1
    assert metrics["throughline_rule_evaluations"].sum.is_monotonic


def test_heartbeats_go_where_they_may(sink: str) -> None:
    """Internal addresses need a setting, metadata never; redirects are not followed; a name is used as it
    was looked up.
    """
    port = int(sink.rpartition(":")[2])
    assert refusal("127.0.0.1", internal=False)
    assert refusal("169.254.169.254", internal=True)
    assert refusal("::ffff:169.254.169.254", internal=True)
    assert refusal("64:ff9b::a9fe:a9fe", internal=True)
    assert refusal("2002:a9fe:a9fe::1", internal=True)
    assert refusal("10.0.0.7", internal=True) == refusal("8.8.8.8", internal=False) == ""
    send(f"http://beats.example.com:{port}/a?b=c", "POST", lambda *_: ["127.0.0.1"], internal=True)
    assert Sink.taken == [("POST", "/a?b=c", b"")]
    with pytest.raises(HeartbeatRefused, match="302"):
        send(f"{sink}/moved", "GET", lambda *_: ["127.0.0.1"], internal=True)
    assert len(Sink.taken) == 2
    for address in ("127.0.0.1", "169.254.169.254", "fe80::1"):
        with pytest.raises(HeartbeatRefused):
            send("https://example.com/", "GET", lambda *_, one=address: ["8.8.8.8", one], internal=False)


def test_ready_rules_and_dashboards_use_metrics_that_exist() -> None:
    """Prometheus' tool accepts the rules; every metric and view that rules and dashboards name is there."""
    path = ROOT / "deploy" / "prometheus" / "throughline.rules.yaml"
    promtool = shutil.which("promtool")
    if promtool:
        subprocess.run([promtool, "check", "rules", str(path)], check=True, capture_output=True, timeout=60)
    board = (ROOT / "deploy" / "grafana" / "throughline-metrics.json").read_text()
    named = set(re.findall(r"\bthroughline_[a-z_]+", path.read_text() + board))
    known = {family.name for family in EngineMetrics().registry.collect()}
    plain = {re.sub(r"_(total|bucket)$", "", name) for name in named}
    edge = {"throughline_edge_spool_bytes", "throughline_edge_spool_limit_bytes"}
    assert plain - known - edge == set()
    assert json.loads(board)["panels"]


def test_sql_dashboard_runs(shared: World) -> None:
    """Every panel's SQL runs on the store."""
    board = json.loads((ROOT / "deploy" / "grafana" / "throughline-sql.json").read_text())
    for panel in board["panels"]:
        sql = panel["targets"][0]["rawSql"].replace("${tenant}", "default")
        sql = re.sub(r"\$__timeFilter\((\w+)\)", r"\1 > now() - INTERVAL 9000 DAY", sql)
        shared.deps.store.query(sql, role=Role.ALERTS)
