"""For any facts, in any order, batches, repetition and restarts: live = reference = rebuild.

Each example runs several small worlds at once, each in four orders, side by side in one tenant: their names
never meet, so that one pass of the correlator tries them all. Several processes share its namespaces on
different levels; one of them is added after the first batch. `THROUGHLINE_LINK_EXAMPLES=3000` makes a long
run, with new examples every time.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.correlator.cases import apart
from tests.correlator.facts import Said, Span, Statement, World, difference
from tests.correlator.reference import Level
from tests.stores import Stores
from throughline.collector.store import Store

EXAMPLES = int(os.environ.get("THROUGHLINE_LINK_EXAMPLES", "0"))
TENANTS = count(1)
pytestmark = pytest.mark.timeout(3600 if EXAMPLES else 900)

TIGHT = (
    Level(("crm.deal", "erp.deal"), max_children=4),
    Level(("psa.project", "erp.job", "crm.project"), max_roots=2, max_children=3),
    Level(("erp.invoice",), max_roots=2),
    Level(("erp.payment",), max_roots=1),
)
ROOMY = tuple(Level(level.namespaces) for level in TIGHT)
TURNED = (Level(("erp.invoice", "crm.deal")), Level(("psa.project",), max_roots=1))
PEOPLE = (Level(("hr.person",)),)

BEGIN = 3
"""Processes at first; one is added later."""

SPANS = ("t/1", "t/2", "u/1", "u/2", "v/1")
PLAIN = ("t/8", "t/9", "u/9")
"""Spans that never say anything about business."""
LOGS = ("a", "b", "c", "d", "e", "f")
PLACEHOLDERS = ("crm.deal:N/A", "crm.project:org/null")
SUBJECTS = ("", "", "", "crm.deal", "erp.job", "erp.invoice", "hr.person")


@dataclass(frozen=True)
class Flavour:
    """What a small world talks about: small pools, so that things collide."""

    keys: tuple[str, ...]
    pairs: tuple[str, ...] = ()
    spans: tuple[str, ...] = SPANS
    logs: tuple[str, ...] = LOGS
    fewest_keys: int = 0
    most_keys: int = 4
    often: bool = False
    """Whether most events state links."""


def keys(**values: str) -> tuple[str, ...]:
    """`crm_deal="d1 d2"` as keys."""
    return tuple(f"{ns.replace('_', '.')}:{value}" for ns, found in values.items() for value in found.split())


EVERYTHING = keys(
    crm_deal="d1 d2 d3 N/A",
    erp_deal="e1",
    psa_project="p1 p2",
    erp_job="j1",
    crm_project="c1 org/null",
    erp_invoice="i1 i2",
    erp_payment="y1",
    hr_person="x",
)
FAMILY = keys(crm_deal="d1 d2 d3", psa_project="p1 p2", erp_invoice="i1 i2 i3 i4", erp_payment="y1 y2")
ALIASES = keys(crm_deal="d1", psa_project="p1 p2", erp_job="j1 j2", crm_project="c1 c2", erp_invoice="i1")
CHAINS = keys(psa_project="p1 p2 p3", erp_job="j1 j2 j3", crm_project="c1 c2 c3")
LINES = keys(crm_deal="d1 d2 d3 d4", erp_deal="e1", psa_project="p1 p2 p3 p4", erp_job="j1", erp_invoice="i1")
FEW = keys(crm_deal="d1 d2", erp_deal="e1", psa_project="p1 p2", erp_invoice="i1 i2")
FLAVOURS = (
    Flavour(EVERYTHING, tuple(f"{parent}>{child}" for parent in EVERYTHING for child in EVERYTHING)),
    Flavour(FAMILY, logs=(*LOGS, "g", "h", "k"), spans=SPANS[:1], most_keys=5),
    Flavour(ALIASES, most_keys=3),
    Flavour(CHAINS, spans=SPANS[:1], fewest_keys=2, most_keys=2),
    Flavour(FEW, most_keys=2, logs=LOGS[:2]),
    Flavour(
        LINES,
        tuple(f"{parent}>{child}" for side in (LINES[:5], LINES[5:10]) for parent in side for child in side),
        logs=(*LOGS, "g", "h"),
        spans=SPANS[:1],
        most_keys=2,
        often=True,
    ),
    Flavour(FEW, (*(f"{parent}>{child}" for parent in FEW[:3] for child in FEW[3:]), "nonsense")),
)


def some(pool: tuple[str, ...], at_most: int, at_least: int = 0) -> st.SearchStrategy[tuple[str, ...]]:
    """A few different members of a pool."""
    if not pool:
        return st.just(())
    return st.lists(st.sampled_from(pool), min_size=at_least, max_size=at_most, unique=True).map(tuple)


def rarely(strategy: st.SearchStrategy[tuple[str, ...]]) -> st.SearchStrategy[tuple[str, ...]]:
    """Mostly nothing."""
    return st.one_of(st.just(()), st.just(()), strategy)


def said(flavour: Flavour, names: tuple[str, ...], most_parents: int) -> st.SearchStrategy[Statement]:
    """A version of an event or of evidence."""
    return st.builds(
        Said,
        name=st.sampled_from(names),
        event=st.sampled_from(["happened", "happened", ""]),
        time=st.integers(0, 3),
        keys=some(flavour.keys, flavour.most_keys, flavour.fewest_keys),
        context=rarely(some(flavour.keys, 2)),
        parents=some((*flavour.spans, *PLAIN), most_parents),
        subject=st.sampled_from(SUBJECTS),
        links=some(flavour.pairs, 3) if flavour.often else rarely(some(flavour.pairs, 2)),
        cuts=rarely(some(flavour.pairs, 2)),
        note=st.sampled_from(["", "other"]),
    )


def world_of(flavour: Flavour) -> st.SearchStrategy[list[list[Statement]]]:
    """Batches of statements of one small world."""
    statement: st.SearchStrategy[Statement] = st.one_of(
        said(flavour, flavour.logs, 1),
        said(flavour, flavour.spans, 2),
        st.builds(Span, name=st.sampled_from(PLAIN), parents=some((*flavour.spans, *PLAIN), 2)),
    )
    return st.lists(st.lists(statement, max_size=10), min_size=1, max_size=3)


WORLD = st.one_of([world_of(flavour) for flavour in FLAVOURS])


@dataclass(frozen=True)
class Move:
    """What happens around one batch."""

    deaths: tuple[int, ...]
    """The correlator dies at this write, is started anew, dies again..."""
    repeat: bool
    """Everything said so far arrives a second time."""
    rebuild: bool
    """A rebuild follows, which later batches build on."""
    unseen: bool
    """The correlator does not run before the next batch."""


MOVES = st.lists(
    st.builds(
        Move,
        deaths=st.one_of(st.just(()), st.lists(st.integers(0, 80), max_size=2).map(tuple)),
        repeat=st.sampled_from([False, False, False, True]),
        rebuild=st.sampled_from([False, False, False, True]),
        unseen=st.sampled_from([False, False, True]),
    ),
    min_size=3,
    max_size=3,
)


class Died(Exception):
    """The simulated death of a correlator."""


def dying_at(write: int) -> Callable[[str], None]:
    """A checkpoint that dies before the n-th write."""
    writes = count()

    def checkpoint(step: str) -> None:
        if next(writes) == write:
            raise Died(step)

    return checkpoint


def variants(batches: list[list[Statement]], order: random.Random) -> Iterator[list[list[Statement]]]:
    """The same said otherwise: backwards, shuffled, and all at once."""
    yield batches
    yield [batch[::-1] for batch in batches[::-1]]
    everything = [one for batch in batches for one in batch]
    order.shuffle(everything)
    third = len(everything) // 3 + 1
    yield [everything[start : start + third] for start in range(0, len(everything), third)]
    yield [[], everything]


def run(store: Store, worlds: list[list[list[Statement]]], moves: list[Move]) -> None:
    """Say everything, batch by batch, and compare at every rest and in the end."""
    world = World(store, f"any-{next(TENANTS)}", TIGHT)
    every = [world, world.beside(TURNED, "turned"), world.beside(PEOPLE, "people")]
    told = [said for batches in worlds for said in variants(batches, random.Random(len(worlds)))]
    for number, move in enumerate(moves):
        batch = [
            apart(one, f"{index}-", PLACEHOLDERS)
            for index, batches in enumerate(told)
            if number < len(batches)
            for one in batches[number]
        ]
        world.say(*batch, *(world.said if move.repeat else ()))
        if move.unseen:
            continue
        for death in move.deaths:
            try:
                world.tick(checkpoint=dying_at(death))
            except Died:
                world.restart()
        world.restart()
        world.tick()
        if len(every) == BEGIN:
            every.append(world.beside(ROOMY, "roomy"))
            world.tick()
        for one in every:
            one.check()
        if move.rebuild:
            world.rebuild()
            world.check()
    world.tick()
    live = [one.check() for one in every]
    world.tick()
    for one, found in zip(every, live, strict=True):
        assert difference(one.check(), found) == {}
        one.restart()
        one.rebuild()
        assert difference(one.check(), found) == {}


@pytest.fixture(scope="module")
def remote(stores: Stores) -> Iterator[Store]:
    """One store behind HTTP for all examples: each has a tenant of its own."""
    with stores.store("http") as store:
        yield store


def examples(few: int) -> settings:
    """The same few examples in every run of the suite; many new ones in a long run."""
    return settings(
        max_examples=EXAMPLES or few,
        deadline=None,
        derandomize=not EXAMPLES,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.explicit, Phase.generate, Phase.shrink],
    )


@examples(2)
@given(worlds=st.lists(WORLD, min_size=1, max_size=12), moves=MOVES)
def test_links_are_right_whatever_arrives(
    embedded_store: Store,
    worlds: list[list[list[Statement]]],
    moves: list[Move],
) -> None:
    """With hubs and crowded objects after two roots and four children, and without."""
    run(embedded_store, worlds, moves)


@examples(1)
@given(worlds=st.lists(WORLD, min_size=1, max_size=12), moves=MOVES)
def test_a_server_gives_the_same(
    remote: Store,
    worlds: list[list[list[Statement]]],
    moves: list[Move],
) -> None:
    """The same SQL over HTTP."""
    run(remote, worlds, moves)
