"""What people do about alerts, over the API and on the pages: from writing a rule to judging what it said."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from tests.correlator.notify.pager import Pager, serving
from tests.dashboards.conftest import Client, World, token
from tests.dashboards.test_alert_api import Engine, sink
from tests.dashboards.test_pages import body, visit
from throughline.collector.alert_store import AlertStore, StoredAlert
from throughline.collector.auth import ROLES, Access
from throughline.collector.store import Role
from throughline.correlator.alerts.rule_files import calendars_of
from throughline.correlator.notify.channels import parse_channels
from throughline.correlator.notify.notifier import Notifier
from throughline.dashboards.deps import Deps

__all__ = ["sink"]
SECRET = "operators-secret-token-0004"
TEXT = """groups:
  - name: mine
    rules:
      - alert: Mine
        expr: |
          SELECT region, count() AS value FROM journeys
          WHERE status IN ('late', 'stuck') GROUP BY region HAVING value > 0
        labels: {severity: page}
        annotations: {summary: "{{ $value }} stuck in {{ $labels.region }}"}
"""
CHANNELS = """
channels: [{{id: on-call, kind: pagerduty, routing_key: {{env: PATH}}, url: "{url}", networks: 127.0.0.0/8}}]
routes: [{{channels: on-call, matchers: alertname="Mine"}}]
"""


@pytest.fixture
def pager() -> Iterator[Pager]:
    """A PagerDuty."""
    with serving(Pager()) as served:
        yield served


@pytest.fixture
def engine(shared: World, tmp_path: Path, sink: str) -> Iterator[Engine]:
    """An engine over the shared world."""
    made = Engine(shared, tmp_path, sink)
    yield made
    made.alerting.release()
    made.control.close()


@pytest.fixture
def deps(engine: Engine, pager: Pager) -> Deps:
    """What the engine wires, with a channel, and a token that may operate."""
    channels = parse_channels(CHANNELS.format(url=pager.address), calendars=calendars_of(None))
    access = Access((token(SECRET, "default", ROLES["operator"]),))
    return replace(
        engine.deps, access=lambda: access, rules_of=engine.rules.of, channels=lambda: channels,
        public_url="https://tl.example.com",
    )  # fmt: skip


def notifier(engine: Engine, deps: Deps) -> Notifier:
    """What delivers."""
    return Notifier(
        deps.store, engine.control, deps.channels, engine.rules.of, "me", lambda: engine.now,
        public_url=deps.public_url,
    )  # fmt: skip


async def test_a_rule_is_written_tried_and_followed(
    engine: Engine, deps: Deps, pager: Pager, client: Client
) -> None:
    """Preview, backtest, enable; it fires on trial, is let speak, is told, acknowledged, judged, silenced."""
    engine.rules.reload()
    rule = {"name": "mine", "text": TEXT}
    async with client(deps, SECRET) as http:
        (shown,) = (await http.post("/v1/rules/preview", json=rule)).json()["items"]
        assert shown["error"] == ""
        assert shown["alerts"][0]["labels"]["severity"] == "page"
        refused = await http.post(
            "/v1/rules/preview", json={**rule, "text": TEXT.replace("region,", "nothing +,")}
        )
        assert refused.status_code == 422
        assert "written/mine:5" in refused.json()["detail"]
        taken = await http.post(
            "/v1/rules/written", json={**rule, "text": TEXT.replace("mine", "sla"), "enabled": True}
        )
        assert "already" in taken.json()["detail"]
        since = (engine.now - timedelta(days=2)).isoformat()
        past = await http.post("/v1/rules/backtest", json={**rule, "since": since, "steps": 4})
        (tested,) = past.json()["items"]
        assert (tested["error"], tested["evaluations"]) == ("", 4)
        assert tested["fired"]
        assert tested["journeys"]
        saved = (await http.post("/v1/rules/written", json={**rule, "enabled": True, "note": "try"})).json()
        assert (saved["version"], saved["author"]) == (1, "default-token")
        await _followed(http, engine, deps, pager)


async def _followed(http: httpx.AsyncClient, engine: Engine, deps: Deps, pager: Pager) -> None:
    rule = {"name": "mine", "text": TEXT}
    delivering = notifier(engine, deps)
    delivering.turn()
    engine.alerting.turn()
    delivering.turn()
    assert pager.events == []
    found = (await http.get("/v1/alerts", params={"alert": "Mine"})).json()["items"]
    assert {(one["state"], one["silent"]) for one in found} == {("firing", True)}
    standing = {one["rule"]: one for one in (await http.get("/v1/rules/standing")).json()["items"]}
    assert standing["mine/Mine"]["on_trial"]
    assert standing["mine/Mine"]["fired"] == len(found)
    assert (await http.post("/v1/rules/speak", json={"rule": "mine/Mine"})).json() == {"was_silent": True}
    disabled = (await http.post("/v1/rules/written", json={**rule, "enabled": False})).json()
    assert disabled["version"] == 2
    engine.now += timedelta(minutes=2)
    engine.alerting.turn()
    await http.post("/v1/rules/written", json={**rule, "enabled": True})
    engine.now += timedelta(minutes=2)
    engine.alerting.turn()
    delivering.turn()
    assert {event["event_action"] for _, event in pager.events} == {"trigger"}
    details = pager.events[0][1]["payload"]["custom_details"]
    assert details["journeys"] == details["value"]
    assert details["money"]
    one = {"rule": "mine/Mine", "fingerprint": found[0]["fingerprint"]}
    behind = (await http.get("/v1/alerts/journeys", params=one)).json()
    assert (behind["known"], len(behind["items"])) == (True, found[0]["value"])
    said = (await http.post("/v1/alerts/acknowledge", json={**one, "note": "mine"})).json()
    assert (said["acknowledged_by"], said["note"]) == ("default-token", "mine")
    assert (await http.post("/v1/alerts/feedback", json={**one, "useful": True})).json()["useful"]
    delivering.turn()
    assert pager.events[-1][1]["event_action"] == "acknowledge"
    standing = {each["rule"]: each for each in (await http.get("/v1/rules/standing")).json()["items"]}
    assert standing["mine/Mine"]["precision"] == 1.0
    lost = await http.post("/v1/alerts/acknowledge", json={**one, "fingerprint": "0"})
    assert lost.status_code == 404
    history = (await http.get("/v1/rules/written/mine")).json()["items"]
    assert [each["enabled"] for each in history] == [True, False, True]
    assert (await http.get("/v1/rules/written/other")).status_code == 404
    await _silences_and_channels(http, engine, pager)


async def _silences_and_channels(http: httpx.AsyncClient, engine: Engine, pager: Pager) -> None:
    ends = (engine.now + timedelta(hours=1)).isoformat()
    made = await http.post("/v1/silences", json={"matchers": ['alertname="Mine"'], "ends_at": ends})
    assert made.status_code == 201
    assert {
        one["muted"] for one in (await http.get("/v1/alerts", params={"alert": "Mine"})).json()["items"]
    } >= {"silenced by default-token"}
    for bad in (
        {"matchers": ["x"], "ends_at": ends},
        {"matchers": ["x=y"], "ends_at": "2020-01-01T00:00:00Z"},
    ):
        assert (await http.post("/v1/silences", json=bad)).status_code == 422
    (silence,) = (await http.get("/v1/silences")).json()["items"]
    assert (await http.delete(f"/v1/silences/{silence['id']}")).status_code == 204
    assert (await http.delete(f"/v1/silences/{silence['id']}")).status_code == 404
    (channel,) = (await http.get("/v1/channels")).json()["items"]
    assert (channel["id"], channel["state"]) == ("on-call", "working")
    before = len(pager.events)
    assert (await http.post("/v1/channels/on-call/test")).json()["accepted"]
    assert [event["event_action"] for _, event in pager.events[before:]] == ["trigger", "resolve"]
    assert (await http.get("/v1/channels/on-call/log")).json()["items"][0]["act"] == "acknowledge"
    assert (await http.post("/v1/channels/other/test")).status_code == 404


def test_alerts_and_rules_are_pages(engine: Engine, deps: Deps) -> None:
    """The list, one alert with its journeys and what may be done, the rules, and the desk to write one."""
    open_deps = replace(deps, access=Access)
    engine.write("mine.yaml", TEXT)
    engine.alerting.turn()
    notifier(engine, deps).turn()
    alerts = [one for one in _alerts(engine) if one.alert == "Mine"]
    _, shown = visit(open_deps, "alerts.py")
    assert f"stuck in {alerts[0].labels['region']}" in shown
    assert "its rule is on trial" in shown
    app, shown = visit(open_deps, "alerts.py", rule="mine/Mine", fingerprint=alerts[0].fingerprint)
    assert shown.count("/journey?id=") == alerts[0].value
    app.button[0].click().run(timeout=60)
    assert "Acknowledged" in body(app)
    app, shown = visit(open_deps, "rules.py")
    assert "mine/Mine" in shown
    assert "CorrelationLag" in shown
    app.button(key="rule_preview").click().run(timeout=60)
    assert "alerts now" in body(app)
    app.button(key="rule_enable").click().run(timeout=60)
    assert "written/StuckJourneys/StuckJourneys" in {
        rule.key for group in engine.rules.of("default").groups for rule in group.rules
    }
    assert engine.deps.store.query("SHOW TABLES LIKE 'backtest_%'", role=Role.PAGES).result_rows == []


def _alerts(engine: Engine) -> list[StoredAlert]:
    return list(AlertStore(engine.control).alerts("default"))
