"""Linking rules 4 to 9 against the real correlator: edges, roots, membership, identity, cuts."""

from __future__ import annotations

import pytest

from tests.correlator.cases import Case, CaseFunction, case, play, say
from tests.correlator.facts import Said, World, process_of
from tests.correlator.reference import Level
from throughline.collector.store import Role, Store
from throughline.correlator.worker import Correlator

LEVELS = (
    Level(("crm.deal", "erp.deal"), max_children=3),
    Level(("psa.project", "erp.job"), max_roots=2, max_children=2),
    Level(("erp.invoice",), max_roots=3),
    Level(("erp.payment",), max_roots=2),
)
CASES: list[CaseFunction] = []


@pytest.fixture(scope="module")
def played(embedded_store: Store) -> dict[str, Exception | None]:
    """All cases, run side by side on one engine: what went wrong in each."""
    return play(World(embedded_store, "roots", LEVELS), CASES, ["crm.deal:0"])


# Rule 4: parent edges


@case(CASES)
def neighbouring_levels_are_linked_if_one_side_is_single() -> Case:
    """A level without objects is skipped; levels further apart are not linked directly."""
    result = yield say(
        Said("a", keys=("crm.deal:d", "psa.project:p", "psa.project:q", "erp.invoice:i")),
        Said("b", keys=("crm.deal:e", "erp.payment:y")),
    )
    assert result.edges == {
        "crm.deal:d>psa.project:p",
        "crm.deal:d>psa.project:q",
        "psa.project:p>erp.invoice:i",
        "psa.project:q>erp.invoice:i",
        "crm.deal:e>erp.payment:y",
    }


@case(CASES)
def several_on_both_sides_are_linked_only_as_named() -> Case:
    """Other pairs are counted with the event."""
    many = ("psa.project:p", "erp.job:j", "erp.job:k", "erp.invoice:i", "erp.invoice:h")
    found = yield say(Said("a", keys=many, links=("psa.project:p>erp.invoice:i",)))
    assert found.edges == {"psa.project:p>erp.invoice:i"}
    assert found.ambiguous_links == 5


@case(CASES)
def an_alias_appearing_later_resolves_an_ambiguous_link() -> Case:
    """Two names of one object are one side."""
    many = ("psa.project:p", "erp.job:j", "erp.job:k", "erp.invoice:i", "erp.invoice:h")
    before = yield say(Said("a", keys=many))
    assert before.ambiguous_links == 6
    after = yield say(Said("b", event="", keys=("psa.project:p", "erp.job:j")))
    assert after.ambiguous_links == 4


@case(CASES)
def an_explicit_link_counts_whatever_keys_the_event_has() -> Case:
    """Even none; ill-formed pairs say nothing."""
    result = yield say(
        Said(
            "a",
            links=(
                "crm.deal:d>erp.payment:y",
                "erp.payment:y>crm.deal:up",
                "crm.deal:d>hr.person:x",
                "crm.deal:0>erp.payment:y",
                "crm.deal:self>crm.deal:self",
                "nonsense",
                "",
            ),
        ),
        Said("b", keys=("erp.payment:y",)),
    )
    assert result.edges == {"crm.deal:d>erp.payment:y"}
    assert result.journeys == {"crm.deal:d": {"b"}}


@case(CASES)
def a_cut_removes_and_a_later_link_restores() -> Case:
    """The latest statement about a pair decides, in whatever order they arrive."""
    pair = "crm.deal:d>psa.project:p"
    yield say(Said("a", time=50, keys=("crm.deal:d", "psa.project:p")), Said("b", keys=("psa.project:p",)))
    cut = yield say(Said("cut", time=10, cuts=(pair,)))
    assert cut.journeys == {"crm.deal:d": {"a"}, "psa.project:p": {"b"}}
    assert (yield say(Said("back", time=30, links=(pair,)))).edges == {pair}
    assert (yield say(Said("late", time=20, cuts=(pair,)))).edges == {pair}
    assert (yield say(Said("again", time=40, cuts=(pair,), links=(pair,)))).edges == set()
    assert (yield say(Said("again", time=41))).edges == {pair}


@case(CASES)
def a_cut_outlives_the_object_that_it_names() -> Case:
    """An object that nothing named for a while comes back without the link that was cut."""
    pair = "crm.deal:d>erp.invoice:i"
    yield say(Said("link", links=(pair,)), Said("cut", time=1, cuts=(pair,)))
    yield say(Said("link", time=1, keys=("crm.deal:d",)))
    result = yield say(Said("again", keys=("crm.deal:d", "erp.invoice:i")))
    assert result.states["erp.invoice:i"] == "orphan"


@case(CASES)
def a_cut_names_objects_by_any_alias() -> Case:
    """Also by one that appears later."""
    cut = Said("cut", time=1, cuts=("erp.deal:e>erp.job:j",))
    yield say(Said("a", keys=("crm.deal:d", "psa.project:p")), cut)
    yield say(Said("b", event="", keys=("crm.deal:d", "erp.deal:e")))
    result = yield say(Said("c", event="", keys=("psa.project:p", "erp.job:j")))
    assert result.edges == set()
    assert result.named("orphan") == {"psa.project:p"}


# Rule 5: roots


@case(CASES)
def a_shared_object_belongs_to_every_journey_above_it() -> Case:
    """One invoice bills two projects: two journeys, not one."""
    result = yield say(
        Said("a", keys=("crm.deal:d", "psa.project:p")),
        Said("b", keys=("crm.deal:e", "psa.project:q")),
        Said("c", keys=("psa.project:p", "psa.project:q", "erp.invoice:i")),
        Said("d", keys=("erp.invoice:i",)),
    )
    assert result.journeys == {"crm.deal:d": {"a", "c", "d"}, "crm.deal:e": {"b", "c", "d"}}


@case(CASES)
def a_hub_appears_and_disappears() -> Case:
    """The third deal makes the project a hub; a newer version of that event without it takes that back."""
    yield say(
        Said("1", keys=("crm.deal:d1", "psa.project:p")),
        Said("2", keys=("crm.deal:d2", "psa.project:p")),
        Said("i", keys=("psa.project:p", "erp.invoice:i")),
        Said("y", keys=("erp.invoice:i",)),
    )
    hub = yield say(Said("3", keys=("crm.deal:d3", "psa.project:p")))
    assert hub.named("hub") == {"psa.project:p"}
    assert hub.roots["psa.project:p"] == set()
    assert hub.named("detached") == {"erp.invoice:i"}
    assert hub.journeys == {"crm.deal:d1": {"1"}, "crm.deal:d2": {"2"}, "crm.deal:d3": {"3"}}
    again = yield say(Said("3", time=1, keys=("crm.deal:d3",)))
    assert again.journeys == {
        "crm.deal:d1": {"1", "i", "y"},
        "crm.deal:d2": {"2", "i", "y"},
        "crm.deal:d3": {"3"},
    }


@case(CASES)
def a_child_of_a_hub_keeps_its_other_parents() -> Case:
    """Only if all parents are hubs it is detached."""
    result = yield say(
        *(Said(str(n), keys=(f"crm.deal:d{n}", "psa.project:p")) for n in (1, 2, 3)),
        Said("i", keys=("psa.project:p", "erp.invoice:i"), subject="erp.invoice"),
        Said("j", event="", keys=("crm.deal:d1", "erp.invoice:i")),
    )
    assert result.journeys["crm.deal:d1"] == {"1", "i"}


@case(CASES)
def too_many_children_quarantine_an_object() -> Case:
    """A root too; three are allowed, of any level; one fewer brings it back."""
    three = [Said(str(n), keys=("crm.deal:d", f"erp.invoice:i{n}")) for n in (1, 2, 3)]
    assert (yield say(*three)).named("crowded") == set()
    crowded = yield say(Said("4", keys=("crm.deal:d", "psa.project:p")))
    assert crowded.named("crowded") == {"crm.deal:d"}
    assert crowded.journeys == {}
    back = yield say(Said("4", time=1, keys=("psa.project:p",)))
    assert back.journeys == {"crm.deal:d": {"1", "2", "3"}, "psa.project:p": {"4"}}


@case(CASES)
def an_orphan_is_absorbed_when_it_gets_parents() -> Case:
    """With everything below it; the key of the absorbed journey then answers with the new root."""
    orphan = yield say(
        Said("a", keys=("psa.project:p", "erp.invoice:i")),
        Said("b", keys=("erp.invoice:i",)),
    )
    assert orphan.journeys == {"psa.project:p": {"a", "b"}}
    absorbed = yield say(Said("c", keys=("crm.deal:d", "psa.project:p")))
    assert absorbed.journeys == {"crm.deal:d": {"a", "b", "c"}}
    assert absorbed.roots["psa.project:p"] == {"crm.deal:d"}


@case(CASES)
def an_object_is_an_orphan_again_when_its_parent_is_withdrawn() -> Case:
    """A newer version of the only event that linked it does so."""
    yield say(Said("a", keys=("crm.deal:d", "psa.project:p")), Said("b", keys=("psa.project:p",)))
    result = yield say(Said("a", time=1, keys=("crm.deal:d",)))
    assert result.journeys == {"crm.deal:d": {"a"}, "psa.project:p": {"b"}}


@case(CASES)
def what_nothing_names_any_longer_stays_gone() -> Case:
    """Also when the roots of its former parent change, and if a cut still names it."""
    yield say(
        Said("a", keys=("psa.project:p", "erp.invoice:i")),
        Said("b", keys=("psa.project:p",)),
        Said("cut", cuts=("psa.project:p>erp.payment:y",)),
    )
    gone = yield say(Said("a", time=1))
    assert set(gone.states) == {"psa.project:p"}
    moved = yield say(Said("c", keys=("crm.deal:d", "psa.project:p")))
    assert moved.roots == {"crm.deal:d": {"crm.deal:d"}, "psa.project:p": {"crm.deal:d"}}


@case(CASES)
def a_link_stays_while_any_event_says_it() -> Case:
    """Two events said it, one took it back."""
    same = ("crm.deal:d", "psa.project:p")
    yield say(Said("a", keys=same), Said("b", keys=same), Said("c", keys=("psa.project:p",)))
    result = yield say(Said("a", time=1, keys=("crm.deal:d",)))
    assert result.journeys == {"crm.deal:d": {"a", "b", "c"}}


# Rule 6: membership


@case(CASES)
def the_subject_narrows_membership() -> Case:
    """business.subject if the event has such keys, else own keys nearest the root, else inherited ones."""
    result = yield say(
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
    assert result.journeys == {
        "crm.deal:d": {"own", "subject", "absent", "foreign"},
        "crm.deal:e": {"subject", "inherited", "above"},
    }


@case(CASES)
def evidence_links_but_belongs_nowhere() -> Case:
    """A root without events is no journey; evidence that becomes an event makes it one."""
    assert (yield say(Said("a", event="", keys=("crm.deal:d", "psa.project:p")))).journeys == {}
    assert (yield say(Said("a", time=1, keys=("crm.deal:d",)))).journeys == {"crm.deal:d": {"a"}}


@case(CASES)
def a_failed_event_links_like_any_other() -> Case:
    """It belongs to its journey, as an exception."""
    result = yield say(Said("a", keys=("crm.deal:d", "psa.project:p"), failed=True))
    assert result.journeys == {"crm.deal:d": {"a"}}


# Rule 7: identity


@case(CASES)
def a_journey_ends_with_its_last_event() -> Case:
    """Its rows are withdrawn, folded state included."""
    yield say(Said("a", keys=("crm.deal:d",)), Said("b", keys=("crm.deal:d",)))
    yield say(Said("a", time=1, event="", keys=("crm.deal:d",)))
    assert (yield say(Said("b", time=1, event="", keys=("crm.deal:d",)))).journeys == {}


@pytest.mark.parametrize("name", [function.__name__ for function in CASES])
def test_rule(played: dict[str, Exception | None], name: str) -> None:
    """Each case above holds on both engines, live and rebuilt."""
    if error := played[name]:
        raise error


def test_a_journey_is_a_hash_of_tenant_process_and_root_object(embedded_store: Store) -> None:
    """So that anyone can compute it, and a rebuild keeps it."""
    world = World(embedded_store, "hash", LEVELS)
    world.settle(Said("a", keys=("crm.deal:d",)))
    sql = "SELECT sipHash64({t:String}, {p:String}, 'crm.deal', 'd')"
    found = embedded_store.query(sql, {"t": world.tenant, "p": world.process.id}, role=Role.PAGES)
    assert world.latest("Root", "journey_events", "Root, EventId") == [tuple(found.result_rows[0])]


# Rules between processes and tenants


def test_tenants_and_processes_do_not_meet(embedded_store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Equal keys in another tenant or process are other objects; one correlator serves several processes,
    also more than it links at once.
    """
    monkeypatch.setattr("throughline.correlator.worker.AT_ONCE", 1)
    upside_down = (Level(("erp.invoice",)), Level(("crm.deal",)))
    worlds = [
        World(embedded_store, "one", LEVELS),
        World(embedded_store, "two", LEVELS),
    ]
    other = process_of(upside_down, "upside-down")
    for world in worlds:
        world.correlator = Correlator(embedded_store, [world.process, other])
    worlds[0].say(Said("a", keys=("crm.deal:d", "erp.invoice:i")))
    worlds[1].say(Said("b", keys=("crm.deal:d",)))
    for world in worlds:
        world.tick()
        world.check()
    turned = World(embedded_store, "one", upside_down, other)
    turned.correlator = worlds[0].correlator
    turned.remember(worlds[0].said)
    assert turned.in_words(turned.check()) == {"erp.invoice:i": {"a"}}
    turned.rebuild()
    turned.check()
    assert worlds[1].in_words(worlds[1].check()) == {"crm.deal:d": {"b"}}
