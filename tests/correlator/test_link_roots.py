"""Linking rules 4 to 9 against the real correlator: edges, roots, membership, identity, cuts."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

import pytest

from tests.correlator.facts import Said, World, key_of, process_of
from tests.correlator.reference import Level, ObjectState, Result
from throughline.collector.store import Role, Store
from throughline.correlator.worker import Correlator

LEVELS = (
    Level(("crm.deal", "erp.deal"), max_children=3),
    Level(("psa.project", "erp.job"), max_roots=2, max_children=2),
    Level(("erp.invoice",), max_roots=3),
    Level(("erp.payment",), max_roots=2),
)
TENANTS = count(1)


@pytest.fixture
def world(store: Store) -> Iterator[World]:
    """An empty tenant; after the test a rebuild must change nothing."""
    world = World(store, f"roots-{next(TENANTS)}", LEVELS)
    yield world
    world.close()


def pairs(result: Result) -> set[str]:
    """Edges in words."""
    return {f"{':'.join(parent)}>{':'.join(child)}" for parent, child in result.edges}


# Rule 4: parent edges


def test_neighbouring_levels_are_linked_if_one_side_is_single(world: World) -> None:
    """A level without objects is skipped; levels further apart are not linked directly."""
    result = world.settle(
        Said("a", keys=("crm.deal:d", "psa.project:p", "psa.project:q", "erp.invoice:i")),
        Said("b", keys=("crm.deal:e", "erp.payment:y")),
    )
    assert pairs(result) == {
        "crm.deal:d>psa.project:p", "crm.deal:d>psa.project:q",
        "psa.project:p>erp.invoice:i", "psa.project:q>erp.invoice:i", "crm.deal:e>erp.payment:y",
    }


def test_several_on_both_sides_are_linked_only_as_named(world: World) -> None:
    """Other pairs are counted with the event; an alias may make a side single later."""
    world.settle(Said(
        "a", keys=("psa.project:p", "erp.job:j", "erp.job:k", "erp.invoice:i", "erp.invoice:h"),
        links=("psa.project:p>erp.invoice:i",),
    ))
    assert world.stored().ambiguous_links == {world.number("a"): 5}
    two = ("erp.job:x", "psa.project:p2", "erp.invoice:i", "erp.invoice:h")
    world.settle(Said("b", time=1, keys=two))
    result = world.settle(Said("b", time=2, keys=("erp.job:x", "psa.project:p2", "erp.invoice:h")))
    assert {"psa.project:p>erp.invoice:i", "psa.project:p2>erp.invoice:h"} == pairs(result)


def test_an_alias_appearing_later_resolves_an_ambiguous_link(world: World) -> None:
    """Two names of one object are one side."""
    many = ("psa.project:p", "erp.job:j", "erp.job:k", "erp.invoice:i", "erp.invoice:h")
    before = world.settle(Said("a", keys=many))
    assert sum(before.ambiguous_links.values()) == 6
    after = world.settle(Said("b", event="", keys=("psa.project:p", "erp.job:j")))
    assert sum(after.ambiguous_links.values()) == 4


def test_an_explicit_link_counts_whatever_keys_the_event_has(world: World) -> None:
    """Even none; ill-formed pairs say nothing."""
    result = world.settle(
        Said("a", links=(
            "crm.deal:d>erp.payment:y", "erp.payment:y>crm.deal:up", "crm.deal:d>hr.person:x",
            "crm.deal:0>erp.payment:y", "crm.deal:same>erp.deal:level", "nonsense", "",
        )),
        Said("b", keys=("erp.payment:y",)),
    )
    assert pairs(result) == {"crm.deal:d>erp.payment:y"}
    assert world.in_words(result) == {"crm.deal:d": {"b"}}


def test_a_cut_removes_and_a_later_link_restores(world: World) -> None:
    """The latest statement about a pair decides, in whatever order they arrive."""
    pair = "crm.deal:d>psa.project:p"
    world.settle(Said("a", time=50, keys=("crm.deal:d", "psa.project:p")), Said("b", keys=("psa.project:p",)))
    cut = world.settle(Said("cut", time=10, cuts=(pair,)))
    assert world.in_words(cut) == {"crm.deal:d": {"a"}, "psa.project:p": {"b"}}
    assert pairs(world.settle(Said("back", time=30, links=(pair,)))) == {pair}
    assert pairs(world.settle(Said("late", time=20, cuts=(pair,)))) == {pair}
    assert pairs(world.settle(Said("again", time=40, cuts=(pair,), links=(pair,)))) == set()
    assert pairs(world.settle(Said("again", time=41))) == {pair}


def test_a_cut_names_objects_by_any_alias(world: World) -> None:
    """Also by one that appears later."""
    cut = Said("cut", time=1, cuts=("erp.deal:e>erp.job:j",))
    world.settle(Said("a", keys=("crm.deal:d", "psa.project:p")), cut)
    world.settle(Said("b", event="", keys=("crm.deal:d", "erp.deal:e")))
    result = world.settle(Said("c", event="", keys=("psa.project:p", "erp.job:j")))
    assert pairs(result) == set()
    assert result.named("orphan") == {key_of("psa.project:p")}


# Rule 5: roots


def test_a_shared_object_belongs_to_every_journey_above_it(world: World) -> None:
    """One invoice bills two projects: two journeys, not one."""
    result = world.settle(
        Said("a", keys=("crm.deal:d", "psa.project:p")), Said("b", keys=("crm.deal:e", "psa.project:q")),
        Said("c", keys=("psa.project:p", "psa.project:q", "erp.invoice:i")),
        Said("d", keys=("erp.invoice:i",)),
    )
    assert world.in_words(result) == {"crm.deal:d": {"a", "c", "d"}, "crm.deal:e": {"b", "c", "d"}}


def test_a_hub_appears_and_disappears(world: World) -> None:
    """The third deal makes the project a hub; a newer version of that event without it takes that back."""
    world.settle(
        Said("1", keys=("crm.deal:d1", "psa.project:p")), Said("2", keys=("crm.deal:d2", "psa.project:p")),
        Said("i", keys=("psa.project:p", "erp.invoice:i")), Said("y", keys=("erp.invoice:i",)),
    )
    hub = world.settle(Said("3", keys=("crm.deal:d3", "psa.project:p")))
    assert hub.objects[key_of("psa.project:p")] == ObjectState("hub", frozenset())
    assert hub.named("detached") == {key_of("erp.invoice:i")}
    assert world.in_words(hub) == {"crm.deal:d1": {"1"}, "crm.deal:d2": {"2"}, "crm.deal:d3": {"3"}}
    again = world.settle(Said("3", time=1, keys=("crm.deal:d3",)))
    assert world.in_words(again) == {
        "crm.deal:d1": {"1", "i", "y"}, "crm.deal:d2": {"2", "i", "y"}, "crm.deal:d3": {"3"},
    }


def test_a_child_of_a_hub_keeps_its_other_parents(world: World) -> None:
    """Only if all parents are hubs it is detached."""
    result = world.settle(
        *(Said(str(n), keys=(f"crm.deal:d{n}", "psa.project:p")) for n in (1, 2, 3)),
        Said("i", keys=("psa.project:p", "erp.invoice:i"), subject="erp.invoice"),
        Said("j", event="", keys=("crm.deal:d1", "erp.invoice:i")),
    )
    assert world.in_words(result)["crm.deal:d1"] == {"1", "i"}


def test_too_many_children_quarantine_an_object(world: World) -> None:
    """A root too; three are allowed, of any level; one fewer brings it back."""
    three = [Said(str(n), keys=("crm.deal:d", f"erp.invoice:i{n}")) for n in (1, 2, 3)]
    assert world.settle(*three).named("crowded") == set()
    crowded = world.settle(Said("4", keys=("crm.deal:d", "psa.project:p")))
    assert crowded.named("crowded") == {key_of("crm.deal:d")}
    assert crowded.journeys == {}
    back = world.settle(Said("4", time=1, keys=("psa.project:p",)))
    assert world.in_words(back) == {"crm.deal:d": {"1", "2", "3"}, "psa.project:p": {"4"}}


def test_an_orphan_is_absorbed_when_it_gets_parents(world: World) -> None:
    """With everything below it; the key of the absorbed journey then answers with the new root."""
    orphan = world.settle(
        Said("a", keys=("psa.project:p", "erp.invoice:i")), Said("b", keys=("erp.invoice:i",)),
    )
    assert world.in_words(orphan) == {"psa.project:p": {"a", "b"}}
    absorbed = world.settle(Said("c", keys=("crm.deal:d", "psa.project:p")))
    assert world.in_words(absorbed) == {"crm.deal:d": {"a", "b", "c"}}
    assert absorbed.objects[absorbed.canonical[key_of("psa.project:p")]].roots == {key_of("crm.deal:d")}


def test_an_object_is_an_orphan_again_when_its_parent_is_withdrawn(world: World) -> None:
    """A newer version of the only event that linked it does so."""
    world.settle(Said("a", keys=("crm.deal:d", "psa.project:p")), Said("b", keys=("psa.project:p",)))
    result = world.settle(Said("a", time=1, keys=("crm.deal:d",)))
    assert world.in_words(result) == {"crm.deal:d": {"a"}, "psa.project:p": {"b"}}


def test_a_link_stays_while_any_event_says_it(world: World) -> None:
    """Two events said it, one took it back."""
    same = ("crm.deal:d", "psa.project:p")
    world.settle(Said("a", keys=same), Said("b", keys=same), Said("c", keys=("psa.project:p",)))
    result = world.settle(Said("a", time=1, keys=("crm.deal:d",)))
    assert world.in_words(result) == {"crm.deal:d": {"a", "b", "c"}}


# Rule 6: membership


def test_the_subject_narrows_membership(world: World) -> None:
    """business.subject if the event has such keys, else own keys nearest the root, else inherited ones."""
    result = world.settle(
        Said("t/d", event="", keys=("crm.deal:d", "psa.project:p")),
        Said("t/e", event="", keys=("crm.deal:e", "psa.project:q")),
        Said("x", event="", keys=("crm.deal:e", "erp.invoice:i")),
        Said("own", keys=("psa.project:p", "erp.invoice:i")),
        Said("subject", keys=("psa.project:p", "erp.invoice:i"), subject="erp.invoice"),
        Said("absent", keys=("psa.project:p", "erp.invoice:i"), subject="erp.payment"),
        Said("foreign", keys=("psa.project:p", "erp.invoice:i"), subject="hr.person"),
        Said("inherited", parents=("t/e",)),
        Said("above", keys=("psa.project:q",), subject="crm.deal", parents=("t/e",)),
    )
    assert world.in_words(result) == {
        "crm.deal:d": {"own", "subject", "absent", "foreign"},
        "crm.deal:e": {"subject", "inherited", "above"},
    }


def test_evidence_links_but_belongs_nowhere(world: World) -> None:
    """A root without events is no journey; evidence that becomes an event makes it one."""
    assert world.settle(Said("a", event="", keys=("crm.deal:d", "psa.project:p"))).journeys == {}
    assert world.in_words(world.settle(Said("a", time=1, keys=("crm.deal:d",)))) == {"crm.deal:d": {"a"}}


def test_a_failed_event_links_like_any_other(world: World) -> None:
    """It belongs to its journey, as an exception."""
    result = world.settle(Said("a", keys=("crm.deal:d", "psa.project:p"), failed=True))
    assert world.in_words(result) == {"crm.deal:d": {"a"}}


# Rule 7: identity


def test_a_journey_is_a_hash_of_tenant_process_and_root_object(world: World) -> None:
    """So that anyone can compute it, and a rebuild keeps it."""
    world.settle(Said("a", keys=("crm.deal:d",)))
    sql = "SELECT sipHash64({t:String}, {p:String}, 'crm.deal', 'd')"
    expected = world.store.query(sql, {"t": world.tenant, "p": world.process.id}, role=Role.PAGES).result_rows
    assert world.latest("Root", "journey_events", "Root, EventId") == [tuple(expected[0])]


def test_a_journey_ends_with_its_last_event(world: World) -> None:
    """Its rows are withdrawn, folded state included."""
    world.settle(Said("a", keys=("crm.deal:d",)), Said("b", keys=("crm.deal:d",)))
    world.settle(Said("a", time=1, event="", keys=("crm.deal:d",)))
    assert world.settle(Said("b", time=1, event="", keys=("crm.deal:d",))).journeys == {}
    assert world.latest("Root", "journey_state", "Root") == []


# Rules between processes and tenants


def test_tenants_and_processes_do_not_meet(store: Store) -> None:
    """Equal keys in another tenant or process are other objects; one correlator serves several processes."""
    upside_down = (Level(("erp.invoice",)), Level(("crm.deal",)))
    worlds = [
        World(store, f"one-{next(TENANTS)}", LEVELS), World(store, f"two-{next(TENANTS)}", LEVELS),
    ]
    other = process_of(upside_down, "upside-down")
    for world in worlds:
        world.correlator = Correlator(store, [world.process, other])
    worlds[0].say(Said("a", keys=("crm.deal:d", "erp.invoice:i")))
    worlds[1].say(Said("b", keys=("crm.deal:d",)))
    for world in worlds:
        world.tick()
        world.check()
    worlds[0].levels, worlds[0].process = upside_down, other
    assert worlds[0].in_words(worlds[0].check()) == {"erp.invoice:i": {"a"}}
    worlds[0].rebuild()
    worlds[0].check()
    assert worlds[1].in_words(worlds[1].check()) == {"crm.deal:d": {"b"}}
