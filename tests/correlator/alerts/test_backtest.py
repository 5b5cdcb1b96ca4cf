"""A backtest does over stored facts what the live evaluation did while they came in."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.correlator.facts import EPOCH, Said, World
from throughline.collector.alert_store import AlertStore
from throughline.collector.control import ControlStore
from throughline.collector.store import Role, Store
from throughline.correlator.alerts.asking import Limits
from throughline.correlator.alerts.backtest import backtest, moments
from throughline.correlator.alerts.evaluator import Evaluator
from throughline.correlator.alerts.rule_files import parse_rules
from throughline.correlator.process import load_process
from throughline.dashboards.definitions import publish_definitions

HOURS = 9
PROCESS = """
process: orders
keys: [shop.order]
milestones:
  - {name: placed, event: order.placed}
  - {name: packed, event: order.packed, within: 2h, owner: packers}
  - {name: shipped, event: order.shipped, within: {time: 2h, of: packed}, on_late: stuck}
completed_by: shipped
"""
RULES = """
groups:
  - name: orders
    interval: 1h
    rules:
      - alert: Late
        expr: |
          SELECT process, name AS milestone, any(owner) AS owner, count() AS value FROM milestones
          WHERE state = 'late' GROUP BY process, milestone HAVING value >= 1
        for: 1h
        keep_firing_for: 1h
      - alert: Open
        expr: SELECT id, status, 1 AS value FROM journeys WHERE status != 'completed'
      - alert: Failing
        expr: SELECT code, count() AS value FROM exceptions WHERE status = 'open' GROUP BY code
"""


def story(number: int) -> list[tuple[int, Said]]:
    """One order and the hours of its events: some are packed late, some ship late, some fail first."""
    key = (f"shop.order:{number}",)
    placed = number
    packed = placed + (1 if number % 3 else 5)
    shipped = packed + (1 if number % 4 else 9)
    said = [
        (placed, Said(f"placed-{number}", "order.placed", placed * 3600 + 60, keys=key, amount=100 + number)),
        (packed, Said(f"packed-{number}", "order.packed", packed * 3600 + 60, keys=key)),
        (shipped, Said(f"shipped-{number}", "order.shipped", shipped * 3600 + 60, keys=key)),
    ]
    if number % 5 == 0:
        failed = Said(f"failed-{number}", "order.packed", placed * 3600 + 120, keys=key, failed=True)
        said.append((placed, failed))
    return said


def test_backtest_and_live_evaluation_agree(embedded_store: Store, control: ControlStore) -> None:
    """Nine hours of orders, correlated and evaluated hour by hour; the same period told afterwards: the
    same transitions with the same values at the same times. Then what it says of them.
    """
    store, tenant = embedded_store, "replayed"
    process = load_process(PROCESS)
    world = World(store, tenant, (), process)
    publish_definitions(store, [process], EPOCH)
    groups = parse_rules(RULES).groups
    evaluator = Evaluator(store, AlertStore(control), "me")
    events = [one for number in range(1, 6) for one in story(number)]
    for hour in range(HOURS):
        said = [event for at, event in events if at == hour]
        if said:
            world.say(*said)
        world.tick()
        evaluator.evaluate(tenant, groups, EPOCH + timedelta(hours=hour + 1))
    live = [
        (one.rule, one.fingerprint, one.old, one.new, one.at, one.value)
        for one in AlertStore(control).transitions(tenant)
        if one.group_name == "orders"
    ]
    since, until = EPOCH, EPOCH + timedelta(hours=HOURS)
    reports = backtest(store, tenant, groups, since=since, until=until, owner="test", pages_per_week=40)
    then = [
        (turn.rule, turn.fingerprint, turn.old, turn.new, turn.at, turn.value)
        for one in reports
        for turn in one.turns
    ]
    assert sorted(then, key=str) == sorted(live, key=str)
    by_alert = {one.alert: one for one in reports}
    assert {one.alert: one.error for one in reports if one.error} == {}
    assert {one.alert for one in reports if one.fired} == {"Late", "Open", "Failing"}
    assert {turn.labels.get("status") for one in reports for turn in one.turns} >= {
        "late",
        "stuck",
        "in_flight",
    }
    late = by_alert["Late"]
    assert (late.evaluations, late.step) == (HOURS, timedelta(hours=1))
    assert late.quality is not None
    assert late.quality.precision == 1.0
    assert late.quality.bad > late.quality.both > 0
    assert late.quality.lead_seconds is not None
    assert late.quality.lead_seconds < 0  # it fires on what is late already
    opened = by_alert["Open"].quality
    assert opened is not None
    assert opened.recall == 1.0
    assert opened.lead_seconds is not None
    assert opened.lead_seconds > 0
    assert late.suggestion is not None
    assert late.suggestion.fires_per_week <= 40
    assert late.suggestion.suggested >= late.suggestion.now
    left = store.query("SHOW TABLES LIKE 'backtest_%'", role=Role.PAGES).result_rows
    assert left == []


def test_a_long_period_is_looked_at_more_seldom() -> None:
    """At most so many evaluations, at multiples of the interval; a given step counts."""
    hour = timedelta(hours=1)
    assert moments(EPOCH, EPOCH + 3 * hour, hour, None, 10) == [EPOCH + n * hour for n in (1, 2, 3)]
    assert len(moments(EPOCH, EPOCH + timedelta(days=90), timedelta(minutes=1), None, 2_000)) <= 2_000
    assert moments(EPOCH, EPOCH + 3 * hour, hour, 3 * hour, 10)[0] <= EPOCH + 3 * hour
    assert moments(EPOCH, EPOCH, hour, None, 10) == []


@pytest.mark.parametrize(
    "sql", ["SELECT nothing AS value FROM journeys", "SELECT 1 AS value FROM milestones"]
)
def test_a_rule_that_fails_says_so(embedded_store: Store, sql: str) -> None:
    """The others go on."""
    text = (
        f'groups: [{{name: x, rules: [{{alert: A, expr: "{sql}"}}, {{alert: B, expr: SELECT 1 AS value}}]}}]'
    )
    first, second = backtest(
        embedded_store, "nobody", parse_rules(text).groups, since=EPOCH, until=EPOCH + timedelta(minutes=5),
        owner="failing", limits=Limits(),
    )  # fmt: skip
    assert bool(first.error) == ("nothing" in sql)
    assert (second.fired, second.error) == (1, "")
