"""Two clocks: what was known at a time is what was reported then; late events restate only the present."""

from __future__ import annotations

import itertools
import os
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from tests.correlator.calendars import load_periods
from tests.correlator.facts import EPOCH, Said, Span, Statement, World
from tests.correlator.test_compare import HOUR, LEVELS, Counts, partitions, reported
from throughline.collector.store import Role, Store
from throughline.correlator.compare import Period
from throughline.correlator.process import load_process

DEFINITION = """
process: probe
keys: [crm.deal, psa.project]
amount_of: won
milestones:
  - {name: won, event: won}
  - {name: created, event: created, within: 4h, on_late: stuck}
  - {name: billed, event: billed, within: {time: 12h, of: created}, undone_by: [credited]}
completed_by: billed
dropped_by: [lost]
cycle: {per: crm.deal, calendar: weeks}
"""
WEEKS = {"weeks": load_periods("{calendar: weeks, time_zone: UTC, periods: {every: week}}")}
"""A week ends between the first batch and the second."""
EXAMPLES = int(os.environ.get("THROUGHLINE_EXAMPLES", "1"))
numbers = itertools.count()
Figures = tuple[Counts, dict[tuple[str, str], tuple[float, int]], dict[str, int], float]


@dataclass(frozen=True)
class Batch:
    """Facts that are stored at once."""

    at: datetime
    facts: tuple[Statement, ...]


@st.composite
def streams(draw: st.DrawFn) -> list[Batch]:
    """Three batches about four deals, eight hours apart: early, late, future, corrected, repeated facts; some
    are spans that have their keys from spans above, which come when they come.
    """
    batches = []
    for number in range(1, 4):
        facts: list[Statement] = []
        for _ in range(draw(st.integers(2, 7))):
            event = draw(st.sampled_from(("won", "created", "billed", "credited", "lost", "")))
            deal = draw(st.integers(1, 4))
            project = f"psa.project:{draw(st.integers(1, 4))}"
            keys: tuple[str, ...] = (f"crm.deal:{deal}",) if event in {"won", "lost"} else (project,)
            if event in {"created", ""}:
                keys = (f"crm.deal:{deal}", project)
            name = f"{event or 'link'} {deal} {draw(st.integers(1, 2))}"
            time = draw(st.integers(0, 32)) * HOUR
            amount = draw(st.sampled_from((100, 250))) if event == "won" else None
            above: tuple[str, ...] = ()
            if event in {"billed", "created"} and draw(st.booleans()):
                trace = f"trace {draw(st.integers(1, 2))}"
                name, above = f"{trace}/{name}", (f"{trace}/call",)
                if event == "billed":
                    keys = ()
                facts.append(Span(above[0], (f"{trace}/created {deal} 1",)))
            facts.append(Said(name, event, time, keys, parents=above, amount=amount))
        batches.append(Batch(EPOCH + timedelta(hours=8 * number), tuple(facts)))
    return batches


def test_definition_of_that_time_counts_if_it_is_on_record(embedded_store: Store) -> None:
    """A changed definition judges the present; what was known then is told by the one in use then."""
    world = world_of(embedded_store)
    world.say(Said("won", "won", 0, ("crm.deal:1",)))
    world.tick()
    then = world.now
    changed = DEFINITION.replace("on_late: stuck", "on_late: late") + "version: 2\n"
    world.process = world.processes[0] = load_process(changed, calendars=WEEKS)
    world.restart()
    world.tick()
    found = world.correlator.as_of(world.tenant, "probe", then, world.now)
    assert (found["definition"]["version"], found["definition"]["in_use"]) == (1, "then")
    assert found["then"]["statuses"]["stuck"] == found["now"]["statuses"]["stuck"] == 1
    (one,) = found["journeys"]
    assert (one["root"], one["status"], one["milestones"]["created"]) == ("crm.deal:1", "stuck", "late")
    before = world.correlator.as_of(world.tenant, "probe", EPOCH, world.now)
    assert (before["definition"]["version"], before["definition"]["in_use"]) == (2, "present")
    assert (before["then"]["journeys"], before["now"]["journeys"]) == (0, 1)


def world_of(store: Store) -> World:
    """A tenant of its own."""
    made = World(store, f"clocks {next(numbers)}", LEVELS, load_process(DEFINITION, calendars=WEEKS))
    made.tick()
    return made


def store_batch(world: World, batch: Batch) -> None:
    """Store facts as of a time long past, and let the correlator find them."""
    world.say(*batch.facts, ingested=batch.at)
    world.correlator.sweep(world.tenant)


def live(world: World, at: datetime) -> Figures:
    """What everybody sees, by a clock; money and cycles as pages ask for them."""
    parameters = {**Period(None, None, at).parameters, "tenant": world.tenant, "process": "probe"}
    money = """
        SELECT status, currency, sum(amount), count()
        FROM (
            SELECT Status AS status, one.Currency AS currency, one.Object, any(one.Amount) AS amount
            FROM journey_rows_at(tenant = {tenant:String}, now = {now:DateTime64(6)})
            ARRAY JOIN AmountObjects AS one
            WHERE Status IN ('late', 'stuck') AND Process = {process:String}
            GROUP BY status, currency, one.Object
        )
        GROUP BY status, currency
    """
    cycles = (
        "SELECT status, count(), sum(arraySum(mapValues(overdue_amount)))"
        " FROM cycles_at(tenant = {tenant:String}, now = {now:DateTime64(6)}) GROUP BY status"
    )
    at_risk, standing = (
        world.store.query(sql, parameters, role=Role.PAGES).result_rows for sql in (money, cycles)
    )
    return (
        reported(world, Period(None, None, at)),
        {(status, currency): (float(amount), objects) for status, currency, amount, objects in at_risk},
        {str(status): int(count) for status, count, _ in standing},
        sum(float(overdue) for _, _, overdue in standing),
    )


def told(side: dict[str, Any]) -> Figures:
    """The same of one side of an answer."""
    statuses = {status: journeys for status, journeys in side["statuses"].items() if journeys}
    states = {name: one["states"] for name, one in side["milestones"].items() if one["states"]}
    at_risk = {
        (one["status"], one["currency"]): (one["amount"], one["objects"]) for one in side["money_at_risk"]
    }
    cycles = {status: count for status, count in side["cycles"]["statuses"].items() if count}
    return (statuses, states), at_risk, cycles, sum(side["cycles"]["overdue"].values())


def known_now(batches: list[Batch], at: datetime) -> list[Statement]:
    """By plain Python: the facts of what had happened by a time, or was known by then of later times; and
    every span.
    """
    versions: dict[str, list[tuple[datetime, Said]]] = {}
    for batch in batches:
        for fact in batch.facts:
            if isinstance(fact, Said):
                versions.setdefault(fact.name, []).append((batch.at, fact))
    counting: list[Statement] = [fact for batch in batches for fact in batch.facts if isinstance(fact, Span)]
    for known in versions.values():
        happened = [(stored, EPOCH + timedelta(seconds=fact.time)) for stored, fact in known]
        later = [stored for stored, time in happened if time > at]
        if not later or min(later) <= at:
            counting += [fact for _, fact in known]
    return counting


@settings(max_examples=EXAMPLES, deadline=None, phases=[Phase.generate])
@given(streams(), st.integers(0, 2))
def test_as_known_then_is_what_was_reported_then(
    embedded_store: Store, batches: list[Batch], chosen: int
) -> None:
    """For any stream and time: then, the live figures of that time; now, those of a world that had heard in
    time of all that had happened. Nothing of it is left, and nobody sees it.
    """
    world, at = world_of(embedded_store), batches[chosen].at + timedelta(hours=1)
    for batch in batches:
        store_batch(world, batch)
        if batch is batches[chosen]:
            snapshot = live(world, at)
    held, present = partitions(world.store), live(world, at)
    found = world.correlator.as_of(world.tenant, "probe", at, world.now)
    assert told(found["then"]) == snapshot
    assert (partitions(world.store) <= held, live(world, at)) == (True, present)
    ideal = world_of(embedded_store)
    ideal.say(*known_now(batches, at))
    ideal.tick()
    assert told(found["now"]) == live(ideal, at)
    assert found["restated"]["journeys"] or found["then"] == found["now"]
