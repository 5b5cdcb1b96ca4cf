"""How long the rules of one interval take over many journeys: the budget is the interval itself.

Environment: `ALERT_JOURNEYS` and `ALERT_RULES` give other numbers, for a quick look.
"""

from __future__ import annotations

import os
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bench.rows import Row
from throughline.collector.alert_store import AlertStore
from throughline.collector.control import ControlStore
from throughline.collector.store import Role, Store
from throughline.correlator.alerts.evaluator import Evaluator
from throughline.correlator.alerts.rule_files import load_rules, parse_rules

JOURNEYS = int(os.environ.get("ALERT_JOURNEYS", "1000000"))
RULES = int(os.environ.get("ALERT_RULES", "300"))
BUDGET = 60.0
NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
_BLOCK = 100_000
_INSERT = Path(__file__).with_suffix(".sql").read_text(encoding="utf-8")
_STUCK = """SELECT process, region, count() AS value FROM journeys
    WHERE status = 'late' AND entity = 'entity-{n}' GROUP BY process, region HAVING value > {threshold}"""
_LATE = """SELECT process, name AS milestone, count() AS value FROM milestones
    WHERE state = 'late' AND due_at > now() - INTERVAL {n} DAY
    GROUP BY process, milestone HAVING value > {threshold}"""
_MONEY = """SELECT entity, sum(amount) AS value FROM journeys
    WHERE status IN ('late', 'stuck') AND customer = 'customer-{n}'
    GROUP BY entity HAVING value > {threshold}"""
_EXPRESSIONS = tuple(" ".join(text.split()) for text in (_STUCK, _LATE, _MONEY))


def run() -> list[Row]:
    """The seconds of one interval's evaluation: the first, and the one after it, when alerts are known."""
    with tempfile.TemporaryDirectory(prefix="throughline-bench-") as folder:
        store = Store.open(Path(folder) / "store")
        store.migrate()
        _fill(store)
        control = ControlStore.open(Path(folder) / "control.db")
        control.migrate()
        evaluator = Evaluator(store, AlertStore(control), "bench")
        groups = [*parse_rules(_rules()).groups, *load_rules(None).groups]
        rules = sum(len(group.rules) for group in groups)
        found = []
        for turn, name in enumerate(("first", "next")):
            begin = time.perf_counter()
            reports = evaluator.evaluate("default", groups, NOW + timedelta(minutes=60 * turn))
            seconds = time.perf_counter() - begin
            failures = sum(one.failures for one in reports)
            if failures:
                broken = [one for one in AlertStore(control).rules("default").values() if one.error]
                message = f"{failures} rules failed, such as {broken[0].rule}: {broken[0].error}"
                raise AssertionError(message)
            what = f"alerts: {rules} rules over {JOURNEYS / 1e6:g} M journeys, {name} evaluation"
            found.append(Row(what, round(seconds, 1), "s", f"<= {BUDGET:g}", seconds <= BUDGET))
        control.close()
        store.close()
    return found


def _fill(store: Store) -> None:
    now = f"{NOW:%Y-%m-%d %H:%M:%S.%f}"
    for first in range(0, JOURNEYS, _BLOCK):
        given = {"now": now, "first": first, "rows": min(_BLOCK, JOURNEYS - first)}
        store.command(_INSERT, given, role=Role.CORRELATOR)
    rows = [("default", f"process-{n}", 1, 1, "bench", NOW) for n in range(8)]
    columns = ("Tenant", "Process", "Generation", "DefinitionVersion", "DefinitionHash", "ActivatedAt")
    store.insert_rows("generations", rows, columns, role=Role.CORRELATOR)


def _rules() -> str:
    lines = ["groups:", "  - name: bench", "    limit: 1000", "    rules:"]
    for number in range(RULES):
        expression = _EXPRESSIONS[number % len(_EXPRESSIONS)].format(n=number % 12 + 1, threshold=number)
        lines += [f"      - alert: Rule{number}", f'        expr: "{expression}"']
    return "\n".join(lines) + "\n"
