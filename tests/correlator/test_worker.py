"""What runs side by side: passes, rebuilds asked for and first rebuilds; the folds of several processes."""

from __future__ import annotations

import threading
from datetime import UTC, datetime

from tests.correlator.facts import Said, World
from throughline.collector.store import Store
from throughline.correlator.process import load_process, load_processes
from throughline.correlator.worker import Correlator

NOW = datetime(2026, 3, 1, tzinfo=UTC)
PATIENCE_SECONDS = 60


def test_a_rebuild_and_the_first_pass_do_not_wait_for_each_other(store: Store) -> None:
    """An empty tenant's first pass makes results for all processes while someone rebuilds one of them."""
    text = "process: {}\nkeys: [a.b]\nmilestones: [{{name: m, event: x.y}}]\n"
    correlator = Correlator(store, [load_process(text.format(name)) for name in ("one", "two")])
    for tenant in ("first", "second", "third"):
        threads = [
            threading.Thread(target=correlator.rebuild, args=(tenant, "one", NOW), daemon=True),
            threading.Thread(
                target=correlator.tick, args=(tenant, NOW), kwargs={"rebuild": False}, daemon=True
            ),
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(PATIENCE_SECONDS)
        assert not any(thread.is_alive() for thread in threads)
        assert correlator.outdated(tenant) == []


def folded(world: World, process: str) -> tuple[list[str], list[str]]:
    """The journeys and the exceptions of a process as stored."""
    world.process = next(one for one in world.processes if one.id == process)
    columns = "* EXCEPT (Process, Generation, Version)"
    journeys = world.latest(columns, "journey_state", "Root")
    exceptions = world.latest(columns, "exception_state", "Root, ExceptionId")
    return sorted(map(str, journeys)), sorted(map(str, exceptions))


def test_processes_fold_side_by_side(embedded_store: Store) -> None:
    """Processes with clocks, periods, failures and checks: folded at once as each is alone, in a rebuild."""
    chosen = {"opportunity-to-invoice", "time-to-billing"}
    shipped = [one for one in load_processes(None).processes if one.id in chosen]
    again = [one.model_copy(update={"id": f"{one.id}-again"}) for one in shipped]
    names = [one.id for one in (*shipped, *again)]
    world = World(embedded_store, "beside", (), shipped[0])
    world.processes = [*shipped, *again]
    world.restart()
    keys = ("salesforce.opportunity:o", "certinia.project:p", "certinia.timecard:t", "netsuite.invoice:i")
    world.say(
        Said("won", "opportunity.closed_won", keys=keys[:1], amount=100),
        Said("worthless", "opportunity.closed_won", keys=("salesforce.opportunity:other",)),
        Said("created", "project.created", 60, keys=keys[:2]),
        Said("approved", "time.approved", 86_400, keys=keys[1:3], amount=10),
    )
    world.tick()
    first = {name: folded(world, name) for name in names}
    assert len(first["opportunity-to-invoice"][1]) > 0, "a check does not hold"
    world.say(Said("failed", "invoice.posted", 2 * 86_400, keys=keys[2:], failed=True))
    world.tick()
    live = {name: folded(world, name) for name in names}
    for name in names:
        assert all(one != other for one, other in zip(live[name], first[name], strict=True))
        assert [len(part) for part in live[name]] == [len(part) for part in live[name.removesuffix("-again")]]
        folded(world, name)
        world.rebuild()
        assert folded(world, name) == live[name]
