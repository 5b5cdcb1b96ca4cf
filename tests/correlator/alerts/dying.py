"""An evaluator that dies by SIGKILL at each of its steps in turn and is started again; from the first step
that decides something.

python -m tests.correlator.alerts.dying FOLDER

FOLDER holds an empty, migrated store. One process per death is forked, before any store is open; what was
imported need not be again. Prints how many deaths there were and every transition, as JSON.
"""

from __future__ import annotations

import functools
import json
import os
import signal
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

from throughline.collector.alert_store import AlertStore
from throughline.collector.control import ControlStore
from throughline.collector.store import Role, Store
from throughline.correlator.alerts.evaluator import Evaluator
from throughline.correlator.alerts.rule_files import parse_rules

START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
RULES = """
groups:
  - name: blinking
    rules:
      - {alert: Blinks, expr: "SELECT 'a' AS x, 1 AS value WHERE toMinute(now()) % 2 = 0"}
      - {alert: Winks, expr: "SELECT 'b' AS x, 1 AS value WHERE toMinute(now()) % 2 = 1"}
"""
HARMLESS = 2
"""Steps before anything is decided: what dies there has done nothing."""
HOLDER, TTL = "the-same-after-a-restart", timedelta(minutes=10)


def evaluate(folder: Path, minute: int, checkpoint: Callable[[str], None]) -> None:
    """As an engine after its start: what the one before left undone, then the next minute."""
    store, control = Store.open(folder / "store"), ControlStore.open(folder / "control.db")
    groups = parse_rules(RULES).groups
    for at, then in ((minute - 1, lambda _: None), (minute, checkpoint)):
        if at < 0:
            continue
        now = START + timedelta(minutes=at)
        lease = control.acquire_lease("alerts:default", HOLDER, TTL, now)
        Evaluator(store, AlertStore(control), HOLDER, checkpoint=then).evaluate(
            "default", groups, now, lease=lease
        )
    control.close()
    store.close()


def died(work: Callable[[], None]) -> bool:
    """Run in a process of its own; whether it was killed."""
    child = os.fork()
    if not child:
        work()
        os._exit(0)
    _, status = os.waitpid(child, 0)
    killed = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
    assert killed or status == 0, f"the evaluator ended with status {status}"
    return killed


def main(folder: Path) -> None:
    """Die at one step after the other, until there is none left."""
    control = ControlStore.open(folder / "control.db")
    control.migrate()
    control.close()
    for deaths in count():
        steps = count()

        def kill(_step: str, *, last: int = deaths, steps: count[int] = steps) -> None:
            if next(steps) == last + HARMLESS:
                os.kill(os.getpid(), signal.SIGKILL)

        if not died(functools.partial(evaluate, folder, deaths, kill)):
            break
    store, control = Store.open(folder / "store"), ControlStore.open(folder / "control.db")
    stored = AlertStore(control)
    rows = store.query(
        "SELECT alert, old_state, new_state, at FROM alerts_at(tenant = 'default', now = now64(6))"
        " ORDER BY at, alert",
        role=Role.ALERTS,
    ).result_rows
    copied = [(alert, old, new, at.replace(tzinfo=UTC).isoformat()) for alert, old, new, at in rows]
    made = [(one.alert, one.old, one.new, one.at.isoformat()) for one in stored.transitions("default")]
    print(json.dumps({"deaths": deaths, "transitions": sorted(made), "copied": sorted(copied)}))  # noqa: T201
    store.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
