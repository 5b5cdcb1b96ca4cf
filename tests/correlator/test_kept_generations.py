"""Going back to a definition: its former result catches up, and equals one that is derived anew."""

from __future__ import annotations

from datetime import timedelta

from tests.correlator.facts import Said, World
from throughline.collector.store import Role, Store
from throughline.correlator.process import Process, load_process
from throughline.correlator.reports import RebuildReport
from throughline.correlator.worker import Correlator

TEXT = """
process: kept
version: {version}
keys: [crm.deal, {level}]
milestones:
  - {{name: won, event: won}}
  - {{name: posted, event: posted, within: {within}, on_late: stuck}}
checks:
  - {{name: planned, after: won, expect: "attr('plan') != ''"}}
"""
FIRST = load_process(TEXT.format(version=1, level="psa.project", within="2d"))
SECOND = load_process(TEXT.format(version=2, level="psa.project", within="{time: 5h, of: won}"))
THIRD = load_process(TEXT.format(version=3, level="erp.job", within="2d"))
STORED = {
    "journey_state": "Root",
    "exception_state": "Root, ExceptionId",
    "journey_events": "Root, EventId",
    "event_state": "EventId",
    "objects": "Object",
}


def stored(world: World) -> dict[str, list[str]]:
    """Everything that is stored of the active generation."""
    return {
        table: sorted(map(str, world.latest("* EXCEPT (Process, Generation, Version)", table, key)))
        for table, key in STORED.items()
    }


def use(world: World, process: Process) -> Correlator:
    """Let a definition count from now on."""
    world.process, world.processes[:] = process, [process]
    world.restart()
    return world.correlator


def swapped(world: World) -> RebuildReport:
    """Have the present definition's result shown."""
    world.now += timedelta(seconds=1)
    return world.correlator.rebuild(world.tenant, world.process.id, world.now)


def shown(world: World) -> int:
    """The generation that readers see."""
    sql = "SELECT argMax(Generation, Version) FROM generations WHERE Tenant = {tenant:String}"
    return int(world.store.query(sql, {"tenant": world.tenant}, role=Role.CORRELATOR).result_rows[0][0])


def passed(world: World) -> None:
    """A pass of the live path, while no rebuild was done."""
    world.now += timedelta(seconds=1)
    world.correlator.tick(world.tenant, world.now, rebuild=False)


def deal(number: int, event: str = "won", **more: object) -> Said:
    """An event about a deal and its project."""
    keys = (f"crm.deal:{number}", f"psa.project:{number}")
    return Said(f"{event}{number}", event, number * 60, keys=keys, **more)  # type: ignore[arg-type]


def test_going_back_equals_deriving_anew(embedded_store: Store) -> None:
    """Whatever came meanwhile, was folded by the other definition, or stands below a span that came late."""
    world = World(embedded_store, "back", (), FIRST)
    below = Said("t/2", "posted", 900, parents=("t/1",))
    world.say(deal(1), deal(2), deal(3, "posted", failed=True), below)
    world.tick()
    former = shown(world)
    use(world, SECOND)
    world.say(deal(1, "posted"), deal(4))
    passed(world)  # by the second definition, into the first one's result
    second = swapped(world)
    assert (second.kept, second.why) == (False, "no former result of this definition is kept")
    world.say(deal(3, "posted"), deal(5), Said("t/1", "", 0, keys=("crm.deal:2", "psa.project:2")))
    world.tick()
    assert use(world, FIRST).outdated(world.tenant) == ["kept"]
    first = swapped(world)
    assert (first.generation, first.kept) == (former, True)
    found = stored(world)
    assert len(found["journey_state"]) == 5
    anew = swapped(world)
    assert (anew.generation, anew.kept) == (second.generation + 1, False)
    assert stored(world) == found


def test_when_all_is_derived_instead(embedded_store: Store) -> None:
    """Where the other definition linked otherwise, or the former result is too old; and it is said why."""
    world = World(embedded_store, "anew", (), FIRST)
    world.say(deal(1), deal(2))
    world.tick()
    former = shown(world)
    use(world, SECOND)
    world.say(deal(1, "posted"))
    passed(world)
    assert use(world, FIRST).outdated(world.tenant) == ["kept"]  # the second never had a result of its own
    mended = swapped(world)
    assert (mended.generation, mended.kept) == (former, True)
    found = stored(world)
    assert world.correlator.outdated(world.tenant) == []
    use(world, THIRD)
    world.say(Said("job", "posted", 5000, keys=("crm.deal:1", "erp.job:1")))
    passed(world)
    swapped(world)
    use(world, FIRST)
    back = swapped(world)
    assert (back.kept, back.why) == (False, "a definition that links otherwise has changed the former result")
    assert found["journey_state"] != stored(world)["journey_state"]
    use(world, SECOND)
    swapped(world)
    embedded_store.command(
        "INSERT INTO kept_generations (Tenant, Process, Generation, DefinitionHash, Alike, KeptAt, Version) "
        "SELECT Tenant, Process, Generation, DefinitionHash, Alike, KeptAt - INTERVAL 1 DAY, Version + 1 "
        "FROM kept_generations WHERE Tenant = 'anew' AND Deleted = 0",
        role=Role.CORRELATOR,
    )
    use(world, FIRST)
    old = swapped(world)
    assert (old.kept, old.why) == (False, "the former result is too old to catch up")
