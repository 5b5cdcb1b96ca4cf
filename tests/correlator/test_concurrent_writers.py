"""Slow and fast writers at once: the live correlator misses no row.

An insert that began a minute ago may become visible after much newer rows were taken; its rows carry the time
when it began. That is emulated: rows are stored with an `IngestedAt` up to sixty seconds in the past.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from itertools import count

import pytest

from tests.correlator.facts import Said, Span, Statement, World
from tests.correlator.reference import Level
from throughline.collector.store import Store

LEVELS = (Level(("crm.deal",)), Level(("psa.project",)), Level(("erp.invoice",)))
TENANTS = count(1)
WRITERS = 4
INSERTS = 12
LONGEST_INSERT = timedelta(seconds=58)


@pytest.fixture(scope="module")
def module_store(each_store: Store) -> Store:
    """A store of each engine."""
    return each_store


def told_by(writer: int, insert: int) -> list[Statement]:
    """One insert: a few journeys whose parts other writers tell, and a span tree that others complete."""
    deal = f"{insert}-{writer % 2}"
    above = f"trace-{insert}/{writer - 1}"
    return [
        Said(f"deal-{writer}-{insert}", keys=(f"crm.deal:{deal}", f"psa.project:{deal}-{writer}")),
        Said(f"bill-{writer}-{insert}", keys=(f"psa.project:{deal}-{writer}", f"erp.invoice:{insert}")),
        Said(f"post-{writer}-{insert}", keys=(f"erp.invoice:{insert}",)),
        Span(f"trace-{insert}/{writer}", (above,))
        if writer
        else Said(f"trace-{insert}/0", event="", keys=(f"crm.deal:{insert}-0",)),
        Said(f"log-{writer}-{insert}", parents=(above,) if writer else ()),
    ]


@pytest.mark.parametrize("seed", [1, 2])
def test_no_row_is_missed(module_store: Store, seed: int) -> None:
    """Whatever the writers' clocks say, everything stored is linked, and nothing twice."""
    world = World(module_store, f"writers-{next(TENANTS)}", LEVELS)
    inserts = {(w, n): told_by(w, n) for w in range(WRITERS) for n in range(INSERTS)}
    for statements in inserts.values():
        world.remember(statements)
    slowness = random.Random(seed)
    delays = {key: slowness.random() * LONGEST_INSERT if key[0] % 2 else timedelta() for key in inserts}

    def write(writer: int) -> None:
        for insert in range(INSERTS):
            began = datetime.now(UTC) - delays[writer, insert]
            world.write(inserts[writer, insert], began)

    ticks = 0
    with ThreadPoolExecutor(WRITERS) as pool:
        writers: Sequence[Future[None]] = [pool.submit(write, writer) for writer in range(WRITERS)]
        while not all(writer.done() for writer in writers):
            world.correlator.tick(world.tenant, datetime.now(UTC))
            ticks += 1
        for writer in writers:
            writer.result()
    assert ticks > 0
    world.correlator.tick(world.tenant, datetime.now(UTC))
    world.check()


def test_an_insert_that_took_a_minute_is_taken(module_store: Store) -> None:
    """After newer rows were taken and the watermark passed the time when it began."""
    world = World(module_store, f"writers-{next(TENANTS)}", LEVELS)
    world.say(Said("first", keys=("crm.deal:d",)), ingested=datetime.now(UTC))
    world.tick()
    world.say(Said("slow", keys=("crm.deal:d",)), ingested=datetime.now(UTC) - LONGEST_INSERT)
    world.tick()
    assert world.in_words(world.check()) == {"crm.deal:d": {"first", "slow"}}


def test_a_straggler_is_caught_by_the_sweep(module_store: Store) -> None:
    """A row that became visible ten minutes after its time: ticks pass over it, the sweep takes it once."""
    world = World(module_store, f"writers-{next(TENANTS)}", LEVELS)
    world.say(Said("first", keys=("crm.deal:d",)), ingested=datetime.now(UTC))
    world.tick()
    world.say(Said("lost", keys=("crm.deal:d",)), ingested=datetime.now(UTC) - timedelta(minutes=10))
    world.tick()
    assert world.in_words(world.stored()) == {"crm.deal:d": {"first"}}
    assert world.correlator.sweep(world.tenant).events == 1
    assert world.in_words(world.check()) == {"crm.deal:d": {"first", "lost"}}
    assert world.correlator.sweep(world.tenant).events == 0
