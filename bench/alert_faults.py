"""`make alertfaults`: kill -9 the evaluator and deliverer at any of their steps; each alert is told once.

Alerts that come and go by the minute are evaluated and delivered to a fake PagerDuty, which counts incidents
by dedup key. Each round is a process of its own, killed at one step; the next picks up what it left, and must
not tell anything twice. In the end every alert was one incident that is resolved, or was named once in a
summary, because it had ended before anybody could be told.
"""

from __future__ import annotations

import argparse
import functools
import json
import os
import random
import signal
import sys
import tempfile
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.correlator.alerts.dying import died
from tests.correlator.notify.pager import Pager, serving
from throughline.collector.alert_store import AlertStore
from throughline.collector.control import ControlStore
from throughline.collector.store import Store
from throughline.correlator.alerts.evaluator import Evaluator
from throughline.correlator.alerts.rule_files import LoadedRules, parse_rules
from throughline.correlator.notify.channels import parse_channels
from throughline.correlator.notify.ledger import Ledger
from throughline.correlator.notify.notifier import Notifier

if TYPE_CHECKING:
    from collections.abc import Callable

START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
RULES = """
groups:
  - name: blinking
    rules:
      - {alert: Blinks, expr: "SELECT 'a' AS x, 1 AS value WHERE toMinute(now()) % 2 = 0", silent_for: 0s}
      - {alert: Winks, expr: "SELECT 'b' AS x, 1 AS value WHERE toMinute(now()) % 2 = 1", silent_for: 0s}
      - {alert: Lasts, expr: "SELECT 'c' AS x, 1 AS value", silent_for: 0s}
"""
CHANNELS = (
    "channels: [{{id: pd, kind: pagerduty, routing_key: {{env: PD}}, url: '{url}', networks: 127.0.0.0/8}}]\n"
    "routes: [{{channels: pd, resend: 0s}}]"
)
MOST_STEPS = 20
"""Steps of one turn with one alert that ends and one that begins, and some more: then nobody is killed."""


def turn(
    folder: Path, minute: int, url: str, checkpoint: Callable[[str], None], *, quiet: bool = False
) -> None:
    """One minute of an engine after its start; `quiet`: only what is left is delivered."""
    store, control = Store.open(folder / "store"), ControlStore.open(folder / "control.db")
    file = parse_rules(RULES)
    now = START + timedelta(minutes=minute)
    if not quiet:
        lease = control.acquire_lease("alerts:default", "me", timedelta(minutes=10), now)
        evaluator = Evaluator(store, AlertStore(control), "me", checkpoint=checkpoint)
        evaluator.evaluate("default", file.groups, now, lease=lease)
    channels, rules = parse_channels(CHANNELS.format(url=url), calendars={}), LoadedRules({"a": file})
    Notifier(
        store, control, lambda: channels, lambda _: rules, "me", lambda: now, environ={"PD": "key"},
        checkpoint=checkpoint,
    ).turn()  # fmt: skip
    control.close()
    store.close()


def run(folder: Path, kills: int, seed: int) -> dict[str, Any]:
    """Kill so many times, then let it finish; what the pager has got, and what was to be told."""
    control = ControlStore.open(folder / "control.db")
    control.migrate()
    control.close()
    draw, killed, minute = random.Random(seed), 0, 0
    pager = Pager()
    with serving(pager) as served:
        while killed < kills:
            steps, last = count(1), draw.randint(1, MOST_STEPS)

            def kill(_: str, *, last: int = last, steps: count[int] = steps) -> None:
                if next(steps) == last:
                    os.kill(os.getpid(), signal.SIGKILL)

            killed += died(functools.partial(turn, folder, minute, served.address, kill))
            minute += 1
        for _ in range(2):
            died(functools.partial(turn, folder, minute, served.address, lambda _: None, quiet=True))
            minute += 3
    control = ControlStore.open(folder / "control.db")
    made = [one for one in AlertStore(control).transitions("default", limit=100_000) if one.new == "firing"]
    wanted = {one.id for one in made if one.alert != "Watchdog"}
    ended = {one.id for one in Ledger(control).of_rule("default", START) if one.ends_at is not None}
    control.close()
    return verdict(pager, wanted, ended) | {"kills": killed, "minutes": minute}


def verdict(pager: Pager, wanted: set[str], ended: set[str]) -> dict[str, Any]:
    """Compare what the pager has got with the alerts that fired; all but the first three must be 0."""
    told = [
        event["payload"]["custom_details"] for path, event in pager.events if path == "/v2/change/enqueue"
    ]
    summaries: dict[str, list[str]] = {}
    for one in told:  # a summary that is repeated has the same members
        keys = [each["key"] for each in one["alerts"]]
        summaries[json.dumps(sorted(keys))] = keys
    named = [key for keys in summaries.values() for key in keys]
    return {
        "alerts": len(wanted),
        "incidents": len(pager.opened),
        "summarised": len(named),
        "missing": len(wanted - set(pager.opened) - set(named)),
        "unknown": len((set(pager.opened) | set(named)) - wanted),
        "opened_twice": sum(times - 1 for times in pager.opened.values()),
        "told_and_summarised": len(set(named) & set(pager.opened)),
        "summarised_twice": len(named) - len(set(named)),
        "left_open": sum(state != "resolve" for key, state in pager.state.items() if key in ended),
    }


def main() -> int:
    """Fifty kills; print what was found."""
    parser = argparse.ArgumentParser(prog="make alertfaults", description=__doc__)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--store", type=Path, help="an empty, migrated store to work in; default: made here")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="throughline-alert-faults-") as name:
        folder = arguments.store.parent if arguments.store else Path(name)
        if arguments.store is None:
            died(functools.partial(_migrated, folder / "store"))  # a process of its own: none is open here
        found = run(folder, arguments.kills, arguments.seed)
    print(json.dumps(found, indent=2))
    right = {"alerts", "incidents", "summarised", "kills", "minutes"}
    return int(any(value for name, value in found.items() if name not in right))


def _migrated(place: Path) -> None:
    store = Store.open(place)
    store.migrate()
    store.close()


if __name__ == "__main__":
    sys.exit(main())
