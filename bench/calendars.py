"""How fast due times in business time are found: a million clocks, as a fold looks them up."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from bench.rows import Row
from throughline.collector.store import Role, Store
from throughline.correlator import business_clock
from throughline.correlator.business_clock import Clock
from throughline.correlator.calendar_tables import CalendarTables
from throughline.correlator.process import load_process

CLOCKS = 1_000_000
BUDGET = 1.0
ALLOWED = ("4 business hours", "2 business days", "by 17:00 next business day")
_DEFINITION = """
process: calendars
keys: [deal]
calendar: de
milestones:
  - {{name: won, event: won}}
  - {{name: created, event: created, within: {{time: {allowed}, of: won}}}}
"""
_SPREAD = 3 * 365 * 86_400
"""Seconds over which the clocks start: three years."""


def run() -> list[Row]:
    """The seconds of a million due times of each kind, best of three."""
    with tempfile.TemporaryDirectory(prefix="throughline-bench-") as folder:
        store = Store.open(Path(folder) / "store")
        store.migrate()
        rows = [_measured(store, allowed) for allowed in ALLOWED]
        store.close()
    return rows


def _measured(store: Store, allowed: str) -> Row:
    process = load_process(_DEFINITION.format(allowed=allowed))
    CalendarTables(store).provide(process)
    start = "1704067200000000 + (sipHash64(number) % {spread:UInt64}) * 1000000"
    asked = business_clock.asked(process, {1: Clock(f"toNullable(toInt64({start}))")})
    journeys = f"SELECT number AS Root, 1 AS calendar, {asked} AS asked FROM numbers({{clocks:UInt64}})"
    sql = f"SELECT count(), countIf(Due > 0) FROM ({business_clock.due_rows(process, journeys)})"
    seconds = []
    for _ in range(3):
        begin = time.perf_counter()
        given = {"spread": _SPREAD, "clocks": CLOCKS}
        (found,) = store.query(sql, given, role=Role.CORRELATOR).result_rows
        seconds.append(time.perf_counter() - begin)
        if found != (CLOCKS, CLOCKS):
            message = f"{allowed}: {found[1]:,} of {CLOCKS:,} clocks have a due time"
            raise AssertionError(message)
    best = min(seconds)
    return Row(f"calendars: 1 M due times, {allowed}", round(best, 2), "s", f"<= {BUDGET:g}", best <= BUDGET)
