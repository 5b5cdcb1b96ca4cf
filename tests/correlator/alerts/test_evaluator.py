"""Rules over a seeded store: what fires, what waits, what is put in quarantine; one evaluator at a time."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import count
from pathlib import Path

import pytest

from tests.dashboards.seed import seed
from tests.dashboards.seed_firm import NOW
from throughline.collector.alert_store import AlertStore, StoredAlert
from throughline.collector.control import ControlStore
from throughline.collector.store import Role, Store
from throughline.correlator.alerts.blind import look
from throughline.correlator.alerts.evaluator import Evaluator
from throughline.correlator.alerts.rule_files import SHIPPED, ReadyGroup, parse_rules
from throughline.correlator.alerts.rule_tests import run_tests
from throughline.probes.errors import LeaseLost

TENANTS = count(1)
MINUTE = timedelta(minutes=1)
COUNTED = "SELECT status, count() AS value FROM journeys WHERE status = 'stuck' GROUP BY status"


@pytest.fixture(scope="module")
def module_store(embedded_store: Store) -> Store:
    """One engine is enough: the SQL of views runs on both elsewhere."""
    return embedded_store


class Desk:
    """A tenant of its own with sixty journeys, and what evaluates its rules."""

    def __init__(self, store: Store, control: ControlStore) -> None:
        self.store, self.alerts = store, AlertStore(control)
        self.tenant = f"firm-{next(TENANTS)}"
        journeys = seed(store, tenant=self.tenant, count=60).journeys
        self.stuck = sum(one["status"] == "stuck" for one in journeys)
        self.evaluator = Evaluator(store, self.alerts, "me")

    def at(self, minutes: int, groups: tuple[ReadyGroup, ...], spooled_since: datetime | None = None) -> int:
        """Evaluate so many minutes later; the transitions that were made."""
        reports = self.evaluator.evaluate(
            self.tenant, groups, NOW + minutes * MINUTE, spooled_since=spooled_since
        )
        return sum(one.transitions for one in reports)

    def state(self, alert: str) -> list[str]:
        """The states of the alerts of a name."""
        return sorted(one.state for one in self.named(alert))

    def named(self, alert: str) -> list[StoredAlert]:
        """The alerts of a name."""
        return [one for one in self.alerts.alerts(self.tenant) if one.alert == alert]


@pytest.fixture
def desk(module_store: Store, control: ControlStore) -> Desk:
    """A tenant of its own."""
    return Desk(module_store, control)


def group(*rules: str) -> tuple[ReadyGroup, ...]:
    """Groups of one file with these rules."""
    lines = "".join(f"      - {rule}\n" for rule in rules)
    return parse_rules(f"groups:\n  - name: own\n    limit: 20\n    rules:\n{lines}").groups


def test_an_alert_comes_goes_and_is_copied_once(desk: Desk) -> None:
    """Pending, firing and resolved are transitions in order, in the control store and in ClickHouse; a time
    is evaluated once, missed times are counted and not made up for, and a rule taken away ends its alerts.
    """
    rules = group(
        f'{{alert: Stuck, expr: "{COUNTED}", for: 1m, labels: {{severity: page}}, '
        'annotations: {summary: "{{ $value }} are {{ $labels.status }}"}}'
    )
    assert desk.at(0, rules) == 2  # and the watchdog
    assert desk.state("Stuck") == ["pending"]
    assert desk.at(0, rules) == 0
    assert desk.at(5, rules) == 2  # four missed: two of the evaluator's own groups wait to say so
    (alert,) = desk.named("Stuck")
    assert (alert.state, alert.value) == ("firing", desk.stuck)
    assert alert.annotations == {"summary": f"{desk.stuck} are stuck"}
    assert alert.labels == {"alertname": "Stuck", "status": "stuck", "severity": "page"}
    assert desk.alerts.groups(desk.tenant)["own"].missed == 4
    desk.at(6, group('{alert: Other, expr: "SELECT 1 AS value"}'))
    assert desk.state("Stuck") == ["resolved"]
    made = [(one.old, one.new) for one in desk.alerts.transitions(desk.tenant) if one.alert == "Stuck"]
    assert made == [("inactive", "pending"), ("pending", "firing"), ("firing", "resolved")]
    sql = "SELECT count() FROM alert_history FINAL WHERE Tenant = {tenant:String}"
    rows = desk.store.query(sql, {"tenant": desk.tenant}, role=Role.ALERTS).result_rows
    assert rows[0][0] == len(desk.alerts.transitions(desk.tenant))
    assert not desk.alerts.waiting()
    leftover = desk.store.query("SHOW TABLES LIKE 'alert_copy%'", role=Role.ALERTS).result_rows
    assert leftover == []


def test_bad_rules_are_told_and_others_go_on(desk: Desk) -> None:
    """Duplicate labels and too many of them put a rule in quarantine, an error keeps what was; rules that
    share a copy of a view see what the view shows; what a missing answer means is the rule's to say.
    """
    rules = group(
        f'{{alert: Good, expr: "{COUNTED}"}}',
        '{alert: Twice, expr: "SELECT 1 AS value FROM journeys LIMIT 2"}',
        '{alert: Many, expr: "SELECT id, 1 AS value FROM journeys"}',
        '{alert: Wrong, expr: "SELECT nothing AS value FROM journeys", on_error: alerting}',
        "{alert: Nobody, expr: \"SELECT 1 AS value FROM cycles WHERE id = 'x'\", no_data: alerting}",
        '{alert: Text, expr: "SELECT status AS value FROM journeys LIMIT 1"}',
    )
    desk.at(0, rules)
    told = {one.rule.removeprefix("own/"): one for one in desk.alerts.rules(desk.tenant).values()}
    assert desk.state("Good") == desk.state("Wrong") == desk.state("Nobody") == ["firing"]
    assert desk.named("Good")[0].value == desk.stuck
    assert "same labels" in told["Twice"].quarantine
    assert "more than 20" in told["Many"].quarantine
    assert "nothing" in told["Wrong"].error
    assert "no number" in told["Text"].error
    assert {one.labels["rule"] for one in desk.named("RuleQuarantined")} == {"own/Twice", "own/Many"}
    assert desk.state("RuleFailing") == ["pending", "pending"]
    desk.at(1, rules)
    later = desk.alerts.rules(desk.tenant)
    assert later["own/Twice"].quarantined_at == told["Twice"].quarantined_at
    assert later["own/Wrong"].failures == 2
    mended = group(f'{{alert: Twice, expr: "{COUNTED}"}}')
    desk.at(2, mended)
    assert desk.state("Twice") == ["firing"]
    assert set(desk.state("RuleQuarantined")) == {"resolved"}


def test_blind_and_backfilled_data_do_not_fire(desk: Desk) -> None:
    """While something is not loaded, not correlated or cannot be heard, alerts over journeys neither fire nor
    end, and say why; rules over the platform itself do.
    """
    rules = group(
        f'{{alert: Stuck, expr: "{COUNTED}"}}',
        '{alert: Bare, expr: "SELECT 1 AS value"}',
        '{alert: Bold, expr: "SELECT count() AS value FROM journeys", hold: false}',
        "{alert: Named, expr: \"SELECT count() AS value FROM events WHERE event != 'silent.event'\"}",
    )
    gap = (desk.tenant, "silent.event", NOW - timedelta(hours=1), "its poller is down", 1, 0)
    columns = ("Tenant", "Event", "Since", "Reason", "Version", "Deleted")
    desk.store.insert_rows("source_gaps", [gap], columns, role=Role.CORRELATOR)
    desk.at(0, rules, spooled_since=NOW - timedelta(minutes=10))
    assert desk.state("Stuck") == ["pending"]
    assert desk.state("Bare") == desk.state("Bold") == ["firing"]
    assert "not loaded" in desk.named("Stuck")[0].held
    desk.at(1, rules)
    assert desk.state("Stuck") == ["firing"]
    (held,) = desk.named("Named")
    assert (held.state, "silent.event cannot be heard" in held.held) == ("pending", True)
    reasons = [one.reason for one in desk.alerts.transitions(desk.tenant) if one.alert == "Stuck"]
    assert reasons[0].startswith("held back: what came since")
    assert "having been held back" in reasons[1]
    inbox = [(desk.tenant, NOW + MINUTE, 7, 7)]
    desk.store.insert_rows(
        "event_inbox", inbox, ("Tenant", "IngestedAt", "EventId", "ContentHash"), role=Role.CORRELATOR
    )
    desk.at(10, rules)
    assert "not correlated" in desk.named("Stuck")[0].held
    assert desk.state("Stuck") == ["firing"]
    old = f"toDateTime64('{NOW:%Y-%m-%d %H:%M:%S}', 6, 'UTC')"
    desk.store.command(
        "INSERT INTO business_events (Tenant, EventId, Event, Time, IngestedAt) "
        f"SELECT '{desk.tenant}', number, 'deal.won', {old} - INTERVAL 90 DAY, {old} FROM numbers(1200)",
        role=Role.CORRELATOR,
    )
    blind = look(desk.store, desk.tenant, NOW + MINUTE / 2)
    assert blind.everywhere == "a backfill is coming in: 1200 of 1200 events are older than a day"
    assert look(desk.store, desk.tenant, NOW - MINUTE).everywhere == ""


def test_one_evaluator_at_a_time(desk: Desk, control: ControlStore) -> None:
    """Who has lost the lease stores nothing; of two with the same right the second stores nothing again."""
    rules = group(f'{{alert: Stuck, expr: "{COUNTED}"}}')
    lost = control.acquire_lease("alerts", "one", MINUTE, NOW)
    held = control.acquire_lease("alerts", "two", MINUTE, NOW + 2 * MINUTE)
    assert lost is not None
    with pytest.raises(LeaseLost):
        desk.evaluator.evaluate(desk.tenant, rules, NOW, lease=lost)
    assert desk.alerts.transitions(desk.tenant) == []
    second = Evaluator(desk.store, desk.alerts, "two")

    def overtake(step: str) -> None:
        if step == "judged":
            desk.evaluator.checkpoint = lambda _: None
            second.evaluate(desk.tenant, rules, NOW, lease=held)

    desk.evaluator.checkpoint = overtake
    assert desk.at(0, rules) == 0
    assert len(desk.alerts.transitions(desk.tenant)) == 2


@pytest.mark.parametrize("path", sorted((SHIPPED / "tests").glob("*.yaml")), ids=lambda path: path.stem)
def test_shipped_rules(path: Path, module_store: Store) -> None:
    """The unit tests of the shipped rules pass, and name every shipped alert."""
    outcome = run_tests(path, module_store)
    assert outcome.failures == ()
    alerts = {rule.rule.alert for group in parse_rules(SHIPPED / path.name).groups for rule in group.rules}
    assert {alert for alert in alerts if alert not in path.read_text()} == set()


def test_rule_tests_say_what_is_wrong(tmp_path: Path, module_store: Store) -> None:
    """A test that fails names its line, what was expected and what fires; rows name columns that exist."""
    path = tmp_path / "tests.yaml"
    path.write_text(
        "rule_files: [sla.yaml]\nstart: 2026-03-02T09:00:00Z\ntests:\n"
        "  - name: wrong\n    rows: {journeys: [{times: 6, id: 'a{n}', status: stuck, region: EMEA}]}\n"
        "    alert_rule_test:\n      - {eval_time: 10m, alertname: JourneysStuck, exp_alerts: []}\n"
        "  - name: misspelled\n    rows: {journeys: [{statsu: stuck}]}\n    alert_rule_test: []\n"
    )
    outcome = run_tests(path, module_store)
    assert outcome.passed == 0
    told = f"{path}:7: wrong: JourneysStuck at 10m: expected nothing; there fires {{owner="
    assert told in outcome.failures[0]
    assert "did you mean 'status'" in outcome.failures[1]
