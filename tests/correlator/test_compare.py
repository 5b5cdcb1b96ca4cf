"""What if: the same figures as the live path, whatever the way; and nothing of it ever seen or left."""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from typing import Any

import pytest

from tests.correlator.facts import BUSINESS_COLUMNS, EPOCH, Said, World
from tests.correlator.reference import Level
from throughline.collector.store import Role, Store, load_queries
from throughline.correlator.compare import Period
from throughline.correlator.definition import Process
from throughline.correlator.process import load_process
from throughline.correlator.state import PROCESS_TABLES
from throughline.correlator.worker import Correlator
from throughline.dashboards.definitions import publish_definitions

HOUR = 3600
LEVELS = (Level(("crm.deal",)), Level(("psa.project",)))
DEFINITION = """
process: probe
keys: [crm.deal, psa.project]
milestones:
  - {name: won, event: won}
  - {name: created, event: created, within: 4h, on_late: stuck}
  - {name: billed, event: billed, within: {time: 2d, of: created}, undone_by: [credited]}
  - {name: paid, event: paid, within: {time: 10d, of: billed.last}}
completed_by: paid
dropped_by: [lost]
"""
OFFICE = DEFINITION.replace("2d", "2 business days") + "calendar: gb"
LATE = EPOCH + timedelta(days=60)
ALL = Period(None, None, LATE)
Counts = tuple[dict[str, int], dict[str, dict[str, int]]]


class Died(Exception):
    """Stands for the death of the process."""


def deals(store: Store, tenant: str) -> World:
    """A tenant with five deals won at 8:00; projects 1, 3, 5 and 9 hours later, and none."""
    made = World(store, tenant, LEVELS, load_process(DEFINITION))
    made.tick()
    hours = {1: 1, 2: 3, 3: 5, 4: 9}
    made.say(
        *(Said(f"won {deal}", "won", 0, (f"crm.deal:{deal}",)) for deal in range(1, 6)),
        *(
            Said(f"created {deal}", "created", time * HOUR, (f"crm.deal:{deal}", f"psa.project:{deal}"))
            for deal, time in hours.items()
        ),
    )
    made.tick()
    return made


@pytest.fixture(scope="module")
def live(embedded_store: Store) -> World:
    """Five deals for tests that say nothing more."""
    return deals(embedded_store, "live")


def changed(*changes: str) -> Process:
    """The definition with some fields changed."""
    return load_process(DEFINITION, changes=changes)


def history(count: int) -> list[Said]:
    """Events of journeys over thirty days, with every kind of trouble."""
    chance = random.Random(7)
    said: list[Said] = []
    for deal in range(1, count + 1):
        time = chance.randrange(30 * 24 * HOUR)
        keys = (f"crm.deal:h{deal}", f"psa.project:h{deal}")
        for event in ("won", "created", "billed", "credited", "billed", "paid"):
            if event == "credited" and chance.random() < 0.8:
                break
            failed = chance.random() < 0.1
            name = f"{event} {deal} {len(said)}"
            said.append(Said(name, event, time, keys[: 1 if event == "won" else 2], failed=failed))
            time += int(chance.expovariate(1 / (30 * HOUR)))
            if chance.random() < 0.2:
                break
        if chance.random() < 0.1:
            said.append(Said(f"lost {deal}", "lost", time, keys[:1]))
    return said


def reported(world: World, period: Period) -> Counts:
    """What the views report: journeys by status, and by milestone and state."""
    opened = "opened_at >= {since:DateTime64(6)} AND opened_at < {until:DateTime64(6)}"
    view = "_at(tenant = {tenant:String}, now = {now:DateTime64(6)})"
    statuses = f"SELECT status, count() FROM journeys{view} WHERE {opened} GROUP BY status"
    states = (
        f"SELECT name, state, count() FROM milestones{view}"
        f" WHERE journey IN (SELECT id FROM journeys{view} WHERE {opened}) GROUP BY name, state"
    )
    parameters = {**period.parameters, "tenant": world.tenant}
    found: dict[str, dict[str, int]] = {}
    for name, state, journeys in world.store.query(states, parameters, role=Role.PAGES).result_rows:
        found.setdefault(name, {})[state] = journeys
    counted = world.store.query(statuses, parameters, role=Role.PAGES).result_rows
    return {str(status): int(journeys) for status, journeys in counted}, found


def told(side: dict[str, Any]) -> Counts:
    """The same figures of one side of a comparison."""
    statuses = {status: journeys for status, journeys in side["statuses"].items() if journeys}
    return statuses, {name: one["states"] for name, one in side["milestones"].items() if one["states"]}


def compare(
    world: World, after: Process, period: Period = ALL, *, by: Correlator | None = None
) -> dict[str, Any]:
    """Ask what would differ."""
    return (by or world.correlator).compare(world.tenant, world.process, after, period)


def moves(changes: list[dict[str, Any]]) -> dict[tuple[str | None, str | None], int]:
    """Numbers of journeys by what they were and are."""
    return {(one["from"], one["to"]): one["journeys"] for one in changes}


def unmoved(found: dict[str, Any]) -> bool:
    """Whether a comparison found no difference."""
    changes: dict[str, Any] = found["changes"]
    return found["before"] == found["after"] and not any(changes.values())


def partitions(store: Store) -> set[tuple[str, str]]:
    """The tables and generations that hold anything."""
    sql = (
        "SELECT DISTINCT table, partition FROM system.parts"
        " WHERE active AND database = currentDatabase() AND table IN {tables:Array(String)}"
    )
    rows = store.query(sql, {"tables": list(PROCESS_TABLES)}, role=Role.CORRELATOR).result_rows
    return {(str(table), str(partition)) for table, partition in rows}


def test_backtest_is_what_the_live_path_reports(store: Store) -> None:
    """The definition in use gives, for any period, the figures of the views and of the overview."""
    world = World(store, "default", LEVELS, load_process(OFFICE))
    world.tick()
    for part in (history(80)[:150], history(80)[150:]):
        world.say(*part)
        world.tick()
    recent = Period(EPOCH + timedelta(days=11), None, EPOCH + timedelta(days=20))
    for period in (recent, ALL):
        found = compare(world, world.process, period)
        assert unmoved(found)
        assert told(found["after"]) == reported(world, period)
    created = found["after"]["milestones"]["created"]
    sql = load_queries("throughline.dashboards", "pages")["activation"]
    parameters = {**ALL.parameters, "tenant": "default", "process": "probe", "start": "won", "end": "created"}
    rows = store.query(sql, parameters, role=Role.PAGES).result_rows
    assert [(created["median_hours"], created["p90_hours"])] == [
        (median, p90) for week, median, p90, _ in rows if week is None
    ]


def test_milestones_that_cannot_be_heard_are_blind_as_in_the_views(embedded_store: Store) -> None:
    """A source that is silent at the clock makes nobody late or stuck."""
    world = deals(embedded_store, "silent")
    publish_definitions(world.store, [world.process], LATE)
    gap = [world.tenant, "created", EPOCH + timedelta(hours=5), EPOCH + timedelta(hours=9), "", 1]
    columns = ["Tenant", "Event", "Since", "Until", "Reason", "Version"]
    world.store.insert_rows("source_gaps", [gap], columns, role=Role.LOADER)
    figures = {}
    for hours in (4.5, 6, 9.5):
        period = Period(None, EPOCH + timedelta(hours=hours), LATE)
        figures[hours] = compare(world, changed("created.on_late=late"), period)
        created = figures[hours]["before"]["milestones"]["created"]
        assert created["states"].get("blind", 0) == (2 if hours == 6 else 0)
    assert moves(figures[6]["changes"]["statuses"]) == {}
    assert moves(figures[4.5]["changes"]["statuses"]) == {("stuck", "late"): 3}
    during = Period(None, None, EPOCH + timedelta(hours=8))
    assert told(compare(world, world.process, during)["after"]) == reported(world, during)


def test_backtest_as_of_a_time_is_what_was_reported_then(embedded_store: Store) -> None:
    """What came later changes nothing of it: neither events of known journeys nor new journeys."""
    world = World(embedded_store, "then", LEVELS, load_process(OFFICE))
    world.tick()
    then, everything = EPOCH + timedelta(days=12), history(60)
    early = [one for one in everything if EPOCH + timedelta(seconds=one.time) < then]
    world.say(*early)
    world.tick()
    period = Period(EPOCH + timedelta(days=2), then, LATE)
    before = reported(world, period)
    world.say(*(one for one in everything if one not in early))
    world.tick()
    assert told(compare(world, world.process, period)["after"]) == before
    assert reported(world, period) != before


@pytest.mark.parametrize(
    ("hours", "status", "milestone", "late", "on_time"),
    [
        # Of five deals won at 8:00 the projects came at 9, 11, 13, 17 o'clock and never.
        (2, {}, {}, (0, 0), (1.0, 1.0)),
        (6, {("stuck", "in_flight"): 2}, {("late", "due"): 2, ("met_late", "met"): 1}, (2, 0), (0.4, 1.0)),
        (9.5, {}, {("met_late", "met"): 1}, (1, 1), (0.4, 0.6)),
    ],
)
def test_longer_time_moves_what_it_should(  # noqa: PLR0917 - a row of the table
    live: World,
    hours: float,
    status: dict[tuple[str, str], int],
    milestone: dict[tuple[str, str], int],
    late: tuple[int, int],
    on_time: tuple[float, float],
) -> None:
    """Eight hours instead of four for the project, seen at times of that day."""
    found = compare(live, changed("created.within=8h"), Period(None, EPOCH + timedelta(hours=hours), LATE))
    assert moves(found["changes"]["statuses"]) == status
    assert moves(found["changes"]["milestones"]) == milestone
    sides = [found[side]["milestones"]["created"] for side in ("before", "after")]
    assert tuple(one["states"].get("late", 0) for one in sides) == late
    assert tuple(one["stuck"] for one in sides) == late
    assert tuple(one["on_time"] for one in sides) == on_time


def test_samples_name_journeys_and_what_moved(live: World) -> None:
    """Changes of status first, then of milestones alone; by the key of the root."""
    found = compare(live, changed("created.within=8h"), Period(None, EPOCH + timedelta(hours=6), LATE))
    samples = found["changes"]["samples"]
    assert {(one["root"], one["from"], one["to"]) for one in samples[:2]} == {
        ("crm.deal:4", "stuck", "in_flight"),
        ("crm.deal:5", "stuck", "in_flight"),
    }
    assert [one["milestones"] for one in samples[:2]] == [{"created": ["late", "due"]}] * 2
    assert samples[2]["root"] == "crm.deal:3"
    assert samples[2]["milestones"] == {"created": ["met_late", "met"]}
    assert len(samples) == found["changes"]["journeys"] == 3


def test_other_levels_make_other_journeys(live: World) -> None:
    """Journeys of one side alone appear and vanish; those that both know are compared."""
    upside_down = load_process(DEFINITION.replace("[crm.deal, psa.project]", "[psa.project, crm.deal]"))
    found = compare(live, upside_down)
    status = moves(found["changes"]["statuses"])
    assert sum(count for (left, _), count in status.items() if left is None) == 4  # the projects
    assert sum(count for (_, right), count in status.items() if right is None) == 4  # deals that have one
    assert (found["before"]["journeys"], found["after"]["journeys"]) == (5, 5)
    appeared = {one["root"] for one in found["changes"]["samples"] if one["from"] is None}
    assert appeared == {f"psa.project:{deal}" for deal in range(1, 5)}


def test_folding_stored_membership_equals_linking_anew(
    embedded_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The short way, for definitions that link alike, gives what the long way gives, in any chunks."""
    live = deals(embedded_store, "short")
    live.say(*history(40))
    live.tick()
    steps: list[str] = []
    short = Correlator(live.store, [live.process], checkpoint=steps.append)
    other = changed("created.within=1h", "billed.within=3 business days", "calendar=gb", "paid.on_late=stuck")
    answer = compare(live, other, by=short)
    assert set(steps) == {"fold_comparison", "drop_comparison"}
    monkeypatch.setattr("throughline.correlator.compare.CHUNK", 50)
    assert compare(live, other, by=Correlator(live.store, [])) == answer
    assert answer["changes"]["statuses"]


def test_attribute_that_no_journey_keeps_is_read_from_the_facts(embedded_store: Store) -> None:
    """A condition on an attribute that the definition in use does not read links anew."""
    live = deals(embedded_store, "attribute")
    said = Said("won 9", "won", 9, ("crm.deal:9",))
    live.remember([said])
    row = (*live._row(said, live.now), {"billable": "false"})
    live.store.insert_rows("business_events", [row], (*BUSINESS_COLUMNS, "Attributes"), role=Role.LOADER)
    live.tick()
    found = compare(live, changed("scope=\"attr('billable') != 'false'\""))
    assert (found["before"]["journeys"], found["after"]["journeys"]) == (6, 5)


@pytest.mark.parametrize("fatal", ["keys", "fold_comparison", "drop_comparison"])
def test_death_leaves_nothing_visible(live: World, fatal: str) -> None:
    """At no step do readers see anything of it; what a dead one left is gone after the next, or a rebuild."""
    known, held, other = reported(live, ALL), partitions(live.store), changed("created.within=8h")
    alive = 1

    def die(step: str) -> None:
        nonlocal alive
        assert reported(live, ALL) == known
        if step == fatal and not (step == "drop_comparison" and partitions(live.store) == held):
            alive = 0
        if not alive:
            raise Died

    with pytest.raises(Died):
        compare(live, other, by=Correlator(live.store, [], checkpoint=die))
    assert reported(live, ALL) == known
    assert partitions(live.store) > held
    if fatal == "keys":
        live.rebuild()
        assert len({generation for _, generation in partitions(live.store) - held}) == 1
    else:
        compare(live, other)
        assert partitions(live.store) == held


def test_live_path_goes_on_beside(embedded_store: Store) -> None:
    """Events that arrive meanwhile become journeys, and are no difference between the sides."""
    live = deals(embedded_store, "beside")
    waiting = [Said(f"more {number}", "won", number, (f"crm.deal:m{number}",)) for number in (1, 2)]

    def go_on(_step: str) -> None:
        if waiting:
            live.say(waiting.pop())
            live.tick()

    assert unmoved(compare(live, live.process, by=Correlator(live.store, [], checkpoint=go_on)))
    assert not waiting
    live.check()


def test_tenant_without_events_has_no_journeys(live: World) -> None:
    """Nothing stored is an answer, not an error."""
    found = live.correlator.compare("nobody", live.process, live.process, ALL)
    assert (found["after"]["journeys"], found["changes"]["journeys"]) == (0, 0)


def test_bounds_are_exact() -> None:
    """Bounds and clock reach the engine to the microsecond, in UTC."""
    moment = datetime.fromisoformat("2026-03-01T09:00:00.123456+01:00")
    assert Period(moment, None, LATE).parameters["since"] == "2026-03-01 08:00:00.123456"
    assert Period(None, moment, LATE).clock == moment
