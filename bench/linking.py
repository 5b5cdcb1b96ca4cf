"""How fast business events become journeys: rebuilds of everything, and live batches on top of a history.

The history is written by SQL: six-event journeys (opportunity to payment), an invoice for every four
opportunities, a second name for every tenth project, every fifth event named only by the evidence span above
it, one event in a hundred failed, one project in a hundred an orphan.  A live batch of 20,000 events opens
journeys, continues old ones, gives orphans their parents and withdraws links (a newer version of an event
without a key).  All shipped processes read along.  It runs in a process of its own, so that the peak memory
is its own.
"""

from __future__ import annotations

import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path

from bench.rows import Row
from throughline.collector.store import Role, Store
from throughline.correlator.process import load_processes
from throughline.correlator.worker import Correlator

TENANT = "default"
PROCESS = "opportunity-to-invoice"
SIZES = [int(size) for size in os.environ.get("THROUGHLINE_BENCH_LINK_EVENTS", "30000,300000").split(",")]
"""Events of history at which is measured, one after the other: more give the curve of growth."""
BATCH = 20_000
BATCHES = int(os.environ.get("THROUGHLINE_BENCH_LINK_BATCHES", "5"))
CHUNK = 600_000
HISTORY_AGE = 3600
"""Seconds since the history was ingested: a rebuild takes the last two minutes once more."""
REBUILD_BUDGET = 400_000
LIVE_BUDGET = 20_000
GROWTH_BUDGET = 1.5

SQL = (files("bench") / "linking.sql").read_text(encoding="utf-8")


def statements() -> dict[str, str]:
    """The named blocks of linking.sql."""
    blocks = [block.partition(" --\n") for block in SQL.split("\n-- block: ")[1:]]
    return {name: text for name, _mark, text in blocks}


class Bench:
    """A store that grows, and its correlator."""

    def __init__(self, directory: Path) -> None:
        self.store = Store.open(directory)
        self.store.migrate()
        self.processes = load_processes(None).processes
        self.correlator = Correlator(self.store, self.processes)
        self.sql = statements()
        self.journeys = 0
        self.batches = 0

    def _insert(self, source: str, **parameters: int) -> None:
        values = {"tenant": TENANT, "batch": self.batches, **parameters}
        for target in ("business_events", "span_edges", "trace_inbox"):
            sql = self.sql[f"into_{target}"].replace("/*source*/", self.sql[source])
            self.store.command(sql, values, role=Role.CORRELATOR)

    def grow(self, events: int) -> None:
        """Write history up to a number of events."""
        while (have := self.journeys * 6) < events:
            rows = min(CHUNK, events - have)
            self._insert("history", first=have, rows=rows, age=HISTORY_AGE)
            self.journeys += rows // 6

    def rebuild(self) -> float:
        """Seconds that a rebuild of the main process takes."""
        begin = time.perf_counter()
        self.correlator.rebuild(TENANT, PROCESS, datetime.now(UTC))
        return time.perf_counter() - begin

    def tick(self) -> float:
        """Seconds that the live correlator takes for what is new."""
        begin = time.perf_counter()
        self.correlator.tick(TENANT, datetime.now(UTC))
        return time.perf_counter() - begin

    def catch_up(self) -> float:
        """Seconds until nothing waits: at first a rebuild of every process, then the whole inbox."""
        begin = time.perf_counter()
        while self.correlator.tick(TENANT, datetime.now(UTC)).more:
            pass
        return time.perf_counter() - begin

    def live(self) -> float:
        """Median seconds of a live batch, the first (warming up) left out."""
        seconds = []
        for _batch in range(BATCHES):
            self.batches += 1
            self._insert("live", first=self.journeys, rows=BATCH, age=0)
            self.journeys += 2000
            seconds.append(self.tick())
        return statistics.median(seconds[1:])


def measure() -> list[Row]:
    """All figures, in this process."""
    rows: list[Row] = []
    per_event: list[float] = []
    with tempfile.TemporaryDirectory(prefix="throughline-bench-") as directory:
        bench = Bench(Path(directory))
        for events in SIZES:
            bench.grow(events)
            caught_up = bench.catch_up()
            rate = events / bench.rebuild()
            batch = bench.live()
            per_event.append(batch / BATCH)
            of = f"{events / 1e6:g} M events"
            if not rows:
                name = f"link: catching up from nothing, all processes, {of}"
                rows.append(Row(name, round(caught_up, 1), "s", None, None))
            rows += [
                Row(
                    f"link: rebuild of {PROCESS}, {of}",
                    round(rate),
                    "events/s",
                    f">= {REBUILD_BUDGET:,}",
                    rate >= REBUILD_BUDGET,
                ),
                Row(
                    f"link: live batches of {BATCH:,}, {len(bench.processes)} processes, on {of}",
                    round(BATCH / batch),
                    "events/s",
                    f">= {LIVE_BUDGET:,}",
                    batch <= BATCH / LIVE_BUDGET,
                ),
            ]
        bench.store.close()
    growth = per_event[-1] / per_event[0]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return [
        *rows,
        Row(
            f"link: live cost per event at {SIZES[-1] / 1e6:g} M / at {SIZES[0] / 1e6:g} M events",
            round(growth, 2),
            "x",
            f"<= {GROWTH_BUDGET}",
            growth <= GROWTH_BUDGET,
        ),
        Row("link: peak memory of the measuring process", round(peak), "MiB", None, None),
    ]


def run() -> list[Row]:
    """All figures, measured in a process of its own."""
    command = [sys.executable, "-m", "bench.linking"]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return [Row(*fields) for fields in json.loads(done.stdout.splitlines()[-1])]


if __name__ == "__main__":
    found = [(row.name, row.value, row.unit, row.budget, row.ok) for row in measure()]
    print(json.dumps(found))
