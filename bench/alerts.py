"""How long the rules of one interval take over many journeys, and what that costs who waits for journeys.

Environment: `ALERT_JOURNEYS`, `ALERT_RULES`, `ALERT_SECONDS` and `ALERT_FLOOD`, for a quick look.
"""

from __future__ import annotations

import contextlib
import os
import re
import tempfile
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx

from bench.load import Load, write_config
from bench.rows import Row
from bench.running import Platform
from bench.system import PACED_SPANS, SPANS_PER_REQUEST, catch_up, paced, taken_in
from throughline.collector.alert_store import AlertStore
from throughline.collector.control import ControlStore
from throughline.collector.store import Role, Store, load_queries
from throughline.correlator.alerts.evaluator import Evaluator
from throughline.correlator.alerts.rule_files import load_rules, parse_rules

JOURNEYS = int(os.environ.get("ALERT_JOURNEYS", "1000000"))
EVENTS = JOURNEYS * 20
RULES = int(os.environ.get("ALERT_RULES", "300"))
SECONDS = float(os.environ.get("ALERT_SECONDS", "150"))
"""Of spans sent to the platform: two intervals and some more."""
BUDGET = 60.0
FLOOD = int(os.environ.get("ALERT_FLOOD", "3000000"))
"""Spans that are sent as fast as they are taken: about an interval of rules."""
MOST_WAITS, LEAST_RATE = 2.0, 0.8
PACE = 1_000
"""Spans a second while the rules run: what a firm of this size sends, and a load that the engine follows."""
_BLOCK = 100_000
_STUCK = """SELECT process, region, count() AS value FROM journeys
    WHERE status = 'late' AND entity = 'entity-{n}' GROUP BY process, region HAVING value > {threshold}"""
_LATE = """SELECT process, name AS milestone, count() AS value FROM milestones
    WHERE state = 'late' AND due_at > now() - INTERVAL {n} DAY
    GROUP BY process, milestone HAVING value > {threshold}"""
_MONEY = """SELECT entity, sum(amount) AS value FROM journeys
    WHERE status IN ('late', 'stuck') AND customer = 'customer-{n}'
    GROUP BY entity HAVING value > {threshold}"""
_FAILING = """SELECT system, event, countIf(status = 'error') / count() AS value FROM events
    WHERE time > now() - INTERVAL {n} HOUR GROUP BY system, event HAVING value > 0.0{threshold}"""
_EXPRESSIONS = tuple(" ".join(text.split()) for text in (_STUCK, _LATE, _MONEY, _FAILING))


def run() -> list[Row]:
    """The seconds of one interval's evaluation: the first, and the one after it, when alerts are known; then
    the platform itself over the same store, without these rules and with them.
    """
    with tempfile.TemporaryDirectory(prefix="throughline-bench-") as text:
        folder = Path(text)
        now = datetime.now(UTC).replace(microsecond=0)
        with (
            contextlib.closing(Store.open(folder / "store")) as store,
            contextlib.closing(ControlStore.open(folder / "bench.db")) as control,
        ):
            store.migrate()
            control.migrate()
            _fill(store, now)
            found = _evaluated(store, control, now)
        config = write_config(folder / "config")
        without = _running(folder, config, 1)
        (config / "rules").mkdir()
        (config / "rules" / "bench.yaml").write_text(_rules())
        beside = _running(folder, config, 3)
    return [*found, *_compared(without, beside)]


@dataclass(frozen=True)
class _Seen:
    """A platform that runs: seconds that a journey waits (median), spans it takes a second, its metrics."""

    fresh: float
    rate: float
    metrics: str


def _compared(without: _Seen, beside: _Seen) -> list[Row]:
    missed = _sum(beside.metrics, "throughline_rule_group_iterations_missed_total")
    lag = _sum(beside.metrics, "throughline_rule_evaluation_lag_seconds")
    what = f"alerts: {RULES} rules over {JOURNEYS / 1e6:g} M journeys"
    paced_at, full = f"{what}, platform at {PACE:,} spans/s", f"{what}, platform at its full speed"
    waits, rate = beside.fresh / without.fresh, beside.rate / without.rate
    return [
        Row(f"{what}: evaluations missed", missed, "times", "<= 0", missed == 0),
        Row(f"{what}: lag of the last", lag, "s", None, None),
        Row(f"{paced_at}: freshness p50 without the rules", without.fresh, "s", None, None),
        Row(f"{paced_at}: freshness p50 with them", beside.fresh, "s", None, None),
        Row(f"{paced_at}: freshness p50 with / without", waits, "x", "<= 2", waits <= MOST_WAITS),
        Row(f"{full}: to queryable row without the rules", without.rate, "spans/s", None, None),
        Row(f"{full}: to queryable row with them", beside.rate, "spans/s", None, None),
        Row(f"{full}: to queryable row with / without", rate, "x", ">= 0.8", rate >= LEAST_RATE),
    ]


def _evaluated(store: Store, control: ControlStore, now: datetime) -> list[Row]:
    evaluator = Evaluator(store, AlertStore(control), "bench")
    groups = [*parse_rules(_rules()).groups, *load_rules(None).groups]
    rules = sum(len(group.rules) for group in groups)
    found = []
    for turn, name in enumerate(("first", "next")):
        begin = time.perf_counter()
        reports = evaluator.evaluate("default", groups, now + timedelta(minutes=60 * turn))
        seconds = time.perf_counter() - begin
        failures = sum(one.failures for one in reports)
        if failures:
            broken = [one for one in AlertStore(control).rules("default").values() if one.error]
            message = f"{failures} rules failed, such as {broken[0].rule}: {broken[0].error}"
            raise AssertionError(message)
        over = f"{JOURNEYS / 1e6:g} M journeys, {EVENTS / 1e6:g} M events"
        what = f"alerts: {rules} rules over {over}, {name} evaluation"
        found.append(Row(what, round(seconds, 1), "s", f"<= {BUDGET:g}", seconds <= BUDGET))
    return found


def _running(folder: Path, config: Path, seed: int) -> _Seen:
    """The platform over the store: first at a pace, then as fast as it takes spans, for an interval."""
    platform = Platform(folder, config)
    platform.start()
    try:
        fresh = paced(platform, Load(seed, spans=PACED_SPANS), SECONDS, PACE, follow=2).p50
        load = Load(seed + 1, spans=SPANS_PER_REQUEST)
        taken = taken_in(platform, (load.request() for _ in range(FLOOD // SPANS_PER_REQUEST)))
        catch_up(platform, load)
        metrics = (
            httpx.get(f"{platform.api.removesuffix('/api/v1')}/metrics", timeout=60).raise_for_status().text
        )
    finally:
        platform.stop()
    return _Seen(fresh, FLOOD / taken.wall, metrics)


def _sum(metrics: str, name: str) -> float:
    return sum(float(one) for one in re.findall(rf"^{name}(?:{{[^}}]*}})? (\S+)$", metrics, re.MULTILINE))


def _fill(store: Store, now: datetime) -> None:
    statements = load_queries("bench", "alerts")
    given = {"now": f"{now:%Y-%m-%d %H:%M:%S.%f}"}
    for table, rows in (("journeys", JOURNEYS), ("events", EVENTS)):
        for first in range(0, rows, _BLOCK * 10):
            block = {"first": first, "rows": min(_BLOCK * 10, rows - first)}
            store.command(statements[table], given | block, role=Role.CORRELATOR)
    while store.query("SELECT count() FROM system.merges", role=Role.CORRELATOR).result_rows != [(0,)]:
        time.sleep(1)  # they are of the filling, not of what is measured
    kept = [("default", f"process-{n}", 1, 1, "bench", now) for n in range(8)]
    columns = ("Tenant", "Process", "Generation", "DefinitionVersion", "DefinitionHash", "ActivatedAt")
    store.insert_rows("generations", kept, columns, role=Role.CORRELATOR)


def _rules() -> str:
    """One rule in ten asks events, the others ask journeys and milestones."""
    lines = ["groups:", "  - name: bench", "    limit: 1000", "    rules:"]
    for number in range(RULES):
        kind = 3 if number % 10 == 9 else number % 3
        expression = _EXPRESSIONS[kind].format(n=number % 12 + 1, threshold=number)
        lines += [f"      - alert: Rule{number}", f'        expr: "{expression}"']
    return "\n".join(lines) + "\n"
