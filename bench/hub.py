"""The hub drill: a fifth of all events carry one default project id.

Of every four deals one has the default instead of its project, where it is created and on seven of its eight
timecards. Expected: no journey swallows others, the default is reported as a hub, and once it is declared a
placeholder, a rebuild gives what the same events without it give.

    python -m bench.hub            1,000,000 events
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.table import Table

from throughline.collector.store import Role, Store
from throughline.correlator.process import Process, load_process
from throughline.correlator.worker import Correlator

DEALS = int(os.environ.get("THROUGHLINE_HUB_DEALS", "100000"))
EVENTS_PER_DEAL = 10
DEFAULT = "TBD-PROJECT"
NOW = datetime(2026, 6, 1, tzinfo=UTC)
DEFINITION = """
process: hub-drill
keys: [deal, project, card]
milestones:
  - {name: won, event: won}
  - {name: created, event: created, within: {time: 4h, of: won}}
  - {name: approved, event: approved, repeats: true}
completed_by: approved
"""
_FACTS = """
INSERT INTO business_events (Tenant, EventId, ContentHash, Time, ReceivedAt, IngestedAt, Source, Event, Keys)
WITH
    intDiv(number, {each:UInt8}) AS deal,
    number % {each:UInt8} AS step,
    deal % 4 = 0 AND step BETWEEN 1 AND 8 AS defaulted,
    multiIf(step = 0, '', NOT defaulted, concat('P', toString(deal)), {value:String}) AS project
SELECT
    {tenant:String}, reinterpretAsUInt128(sipHash128(number)), sipHash64(number),
    toDateTime64('2026-01-01 00:00:00', 9, 'UTC') + number,
    now64(6), now64(6), 'log', multiIf(step = 0, 'won', step = 1, 'created', 'approved'),
    arrayFilter(key -> key.2 != '', [
        ('deal', if(step < 2, concat('D', toString(deal)), '')),
        ('project', project),
        ('card', if(step < 2, '', concat('C', toString(number))))])
FROM numbers({events:UInt64})
"""
_CONTENT = """
SELECT count(), groupBitXor(cityHash64(root, status, opened_at, last_event_at, events, orphan))
FROM journeys_at(tenant = {tenant:String}, now = {now:DateTime64(6, 'UTC')})
"""


@dataclass(frozen=True)
class Outcome:
    """What the drill found; journeys as (number of them, hash of their content)."""

    events: int
    defaulted: int
    seconds: float
    largest: int
    hubs: list[str]
    detached: int
    dirty: tuple[int, int]
    declared: tuple[int, int]
    clean: tuple[int, int]

    @property
    def passed(self) -> bool:
        """Whether no journey is larger than its deal, the hub is known, and declaring it cleans up."""
        small = self.largest <= EVENTS_PER_DEAL
        return small and self.hubs == [f"project:{DEFAULT}"] and self.declared == self.clean


def drill(store: Store, deals: int) -> Outcome:
    """Write the events of two tenants, with and without the default, and correlate them."""
    for tenant, value in (("dirty", DEFAULT), ("clean", "")):
        given = {"tenant": tenant, "value": value, "events": deals * EVENTS_PER_DEAL, "each": EVENTS_PER_DEAL}
        store.command(_FACTS, given, role=Role.LOADER)
    plain = load_process(DEFINITION)
    declared = load_process(f"{DEFINITION}placeholders: {{project: [{DEFAULT}]}}")
    begin = time.perf_counter()
    Correlator(store, [plain]).rebuild("dirty", plain.id, NOW)
    seconds = time.perf_counter() - begin
    seen = _seen(store, plain)
    before = _content(store, "dirty")
    for tenant in ("dirty", "clean"):
        Correlator(store, [declared]).rebuild(tenant, plain.id, NOW)
    return Outcome(deals * EVENTS_PER_DEAL, deals // 4 * 8, seconds, *seen, before, _content(store, "dirty"),
                   _content(store, "clean"))  # fmt: skip


def _seen(store: Store, process: Process) -> tuple[int, list[str], int]:
    """Events of the largest journey, names of the hubs, number of detached objects."""
    given = {"tenant": "dirty", "now": NOW, "process": process.id}
    at = "(tenant = {tenant:String}, now = {now:DateTime64(6, 'UTC')})"
    largest = store.query(f"SELECT max(events) FROM journeys_at{at}", given, role=Role.ADHOC)
    objects = (
        "FROM (SELECT Object, State FROM objects"
        " WHERE Tenant = {tenant:String} AND Process = {process:String}"
        " ORDER BY Version DESC LIMIT 1 BY Object)"
    )
    names = (
        "SELECT concat(Namespace, ':', Value) FROM keys WHERE Tenant = {tenant:String} AND Key IN "
        f"(SELECT Object {objects} WHERE State = 'hub')"
    )
    detached = store.query(f"SELECT countIf(State = 'detached') {objects}", given, role=Role.ADHOC)
    hubs = [str(row[0]) for row in store.query(names, given, role=Role.ADHOC).result_rows]
    return int(largest.result_rows[0][0]), hubs, int(detached.result_rows[0][0])


def _content(store: Store, tenant: str) -> tuple[int, int]:
    row = store.query(_CONTENT, {"tenant": tenant, "now": NOW}, role=Role.ADHOC).result_rows[0]
    return int(row[0]), int(row[1])


def main() -> int:
    """Run the drill and print what it found; the exit code says whether it passed."""
    with tempfile.TemporaryDirectory(prefix="throughline-hub-") as folder:
        store = Store.open(Path(folder) / "store")
        store.migrate()
        found = drill(store, DEALS)
        store.close()
    table = Table("what", "found", box=None, padding=(0, 2))
    for name, value in {
        "events, of these with the default id": f"{found.events:,}, {found.defaulted:,}",
        "rebuild with the hub": f"{found.seconds:.1f} s, {found.events / found.seconds:,.0f} events/s",
        "events of the largest journey": f"{found.largest}",
        "hubs reported": ", ".join(found.hubs),
        "objects detached by it": f"{found.detached:,}",
        "journeys with the hub": f"{found.dirty[0]:,}",
        "journeys after it was declared a placeholder": f"{found.declared[0]:,}",
        "journeys of the same events without it": f"{found.clean[0]:,}",
        "equal to those": "yes" if found.declared == found.clean else "NO",
    }.items():
        table.add_row(name, value)
    Console().print(table)
    return int(not found.passed)


if __name__ == "__main__":
    sys.exit(main())
