"""Linking rules 0 to 3 against the real correlator: identity, placeholders, effective keys, aliases.

Every test states the journeys or objects it expects; `settle` besides compares all tables with the reference,
live and rebuilt.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

import pytest

from tests.correlator.facts import Said, Span, World, key_of
from tests.correlator.reference import Level
from throughline.collector.store import Store

LEVELS = (
    Level(("crm.deal", "erp.deal"), placeholders=frozenset([("crm.deal", "dummy")])),
    Level(("psa.project", "erp.job", "crm.project")),
    Level(("erp.invoice",)),
)
TENANTS = count(1)


@pytest.fixture
def world(store: Store) -> Iterator[World]:
    """An empty tenant; after the test a rebuild must change nothing."""
    world = World(store, f"rules-{next(TENANTS)}", LEVELS)
    yield world
    world.close()


# Rule 0: identity


def test_a_newer_version_of_an_event_replaces_it(world: World) -> None:
    """The greatest event time counts: the event leaves the journeys that only its old version named."""
    world.settle(Said("e", time=1, keys=("crm.deal:old",)))
    assert world.in_words(world.settle(Said("e", time=2, keys=("crm.deal:new",)))) == {"crm.deal:new": {"e"}}


def test_an_older_version_arriving_late_changes_nothing(world: World) -> None:
    """Order of arrival does not matter."""
    world.settle(Said("e", time=2, keys=("crm.deal:new",)))
    assert world.in_words(world.settle(Said("e", time=1, keys=("crm.deal:old",)))) == {"crm.deal:new": {"e"}}


def test_versions_of_one_time_are_decided_by_content(world: World) -> None:
    """The greater content hash counts, whichever came first."""
    versions = sorted(
        (Said("e", keys=("crm.deal:d",), note=str(n)) for n in range(3)), key=lambda one: one.content_hash,
    )
    world.settle(versions[1])
    world.settle(versions[2], versions[0])
    assert world.latest("ContentHash", "event_state", "EventId") == [(versions[2].content_hash,)]


def test_a_resent_event_counts_once(world: World) -> None:
    """Twice in one batch and once more later: one event."""
    same = Said("e", keys=("crm.deal:d",))
    world.settle(same, same)
    assert world.in_words(world.settle(same)) == {"crm.deal:d": {"e"}}


def test_a_version_without_keys_leaves_the_process(world: World) -> None:
    """Its journey ends with it."""
    world.settle(Said("e", time=1, keys=("crm.deal:d",)))
    assert world.settle(Said("e", time=2)).journeys == {}


# Rule 1: placeholders


def test_placeholders_are_no_keys(world: World) -> None:
    """Neither whole values nor endings nor the process's own additions make an object."""
    result = world.settle(
        Said("a", keys=("crm.deal:N/A", "psa.project:p")),
        Said("b", keys=("crm.deal:00D5/unknown", "psa.project:p")),
        Said("c", keys=("crm.deal:DUMMY", "psa.project:p")),
        Said("d", keys=("erp.deal:dummy",)),
    )
    assert world.in_words(result) == {"psa.project:p": {"a", "b", "c"}, "erp.deal:dummy": {"d"}}


def test_a_placeholder_lets_the_parent_speak(world: World) -> None:
    """A level whose only own key is a placeholder has no own key."""
    result = world.settle(
        Said("t/p", event="", keys=("crm.deal:d",)),
        Said("t/c", keys=("crm.deal:0", "psa.project:p"), parents=("t/p",)),
    )
    assert world.in_words(result) == {"crm.deal:d": {"t/c"}}


def test_foreign_keys_are_ignored(world: World) -> None:
    """An event without a key of the process is not in the process."""
    assert world.settle(Said("e", keys=("hr.person:x",))).journeys == {}


# Rule 2: effective keys


def test_keys_come_from_the_nearest_ancestor_through_plain_spans(world: World) -> None:
    """On levels where the event has none of its own; the log's span counts as its parent."""
    result = world.settle(
        Said("t/1", event="", keys=("crm.deal:d", "psa.project:p")),
        Span("t/2", ("t/1",)), Span("t/3", ("t/2",)),
        Said("log", keys=("erp.invoice:i",), parents=("t/3",)),
    )
    assert result.objects[key_of("erp.invoice:i")].roots == {key_of("crm.deal:d")}
    assert (key_of("psa.project:p"), key_of("erp.invoice:i")) in result.edges


def test_span_parents_may_arrive_last(world: World) -> None:
    """Event first, then its evidence, then the plain spans between, one by one from below."""
    world.settle(Said("t/4", keys=("erp.invoice:i",), parents=("t/3",)))
    world.settle(Said("t/1", event="", keys=("crm.deal:d",)))
    world.settle(Span("t/3", ("t/2",)))
    result = world.settle(Span("t/2", ("t/1",)))
    assert world.in_words(result) == {"crm.deal:d": {"t/4"}}


def test_a_nearer_ancestor_arriving_late_takes_over(world: World) -> None:
    """A span taken for plain turns out to be evidence."""
    world.settle(
        Said("t/1", event="", keys=("crm.deal:far",)), Span("t/2", ("t/1",)),
        Said("t/3", keys=("erp.invoice:i",), parents=("t/2",)),
    )
    result = world.settle(Said("t/2", event="", keys=("crm.deal:near",), parents=("t/1",)))
    assert world.in_words(result) == {"crm.deal:near": {"t/3"}}


def test_changed_evidence_changes_those_below_it(world: World) -> None:
    """Through another evidence span too."""
    world.settle(
        Said("t/1", event="", time=1, keys=("crm.deal:a",)),
        Said("t/2", event="", keys=("psa.project:p",), parents=("t/1",)),
        Said("t/3", keys=("erp.invoice:i",), parents=("t/2",)),
    )
    result = world.settle(Said("t/1", event="", time=2, keys=("crm.deal:b",)))
    assert world.in_words(result) == {"crm.deal:b": {"t/3"}}


def test_siblings_under_a_span_without_keys_share_nothing(world: World) -> None:
    """Keys flow down only."""
    result = world.settle(
        Span("t/1"), Said("t/2", keys=("crm.deal:d",), parents=("t/1",)),
        Said("t/3", keys=("erp.invoice:i",), parents=("t/1",)),
    )
    assert world.in_words(result) == {"crm.deal:d": {"t/2"}, "erp.invoice:i": {"t/3"}}


@pytest.mark.parametrize(("hops", "reached"), [(64, True), (65, False)])
def test_ancestors_further_than_64_hops_do_not_count(
    world: World, hops: int, *, reached: bool,
) -> None:
    """The direct parent is hop one."""
    result = world.settle(
        Said("t/0", event="", keys=("crm.deal:d",)),
        *(Span(f"t/{n}", (f"t/{n - 1}",)) for n in range(1, hops)),
        Said("log", keys=("erp.invoice:i",), parents=(f"t/{hops - 1}",)),
    )
    assert bool(result.edges) is reached


def test_span_links_are_parents_across_traces(world: World) -> None:
    """Also a link of a plain span, and whichever trace comes first."""
    world.settle(Said("t/2", keys=("erp.invoice:i",), parents=("t/1",)), Span("t/1", ("u/1", "v/1")))
    world.settle(Said("u/1", event="", keys=("crm.deal:a",)))
    result = world.settle(Said("v/1", event="", keys=("crm.deal:b",)))
    assert world.in_words(result) == {"crm.deal:a": {"t/2"}, "crm.deal:b": {"t/2"}}


def test_links_in_a_circle_end(world: World) -> None:
    """Everyone in the circle has what anyone brings in; what is taken out again is gone."""
    circle = [Said(f"{t}/1", parents=(f"{u}/1",)) for t, u in ("ab", "bc", "ca")]
    world.settle(*circle, Span("p/1", ("q/1",)), Span("q/1", ("p/1",)), Said("p/2", parents=("p/1",)))
    brought = world.settle(Said("a/1", time=1, parents=("b/1",), context=("crm.deal:d",)))
    assert world.in_words(brought) == {"crm.deal:d": {"a/1", "b/1", "c/1"}}
    assert world.settle(Said("a/1", time=2, parents=("b/1",))).journeys == {}


def test_rows_of_one_span_are_united(world: World) -> None:
    """A span stored twice with other parents has both."""
    world.settle(
        Said("t/1", event="", keys=("crm.deal:a",)), Said("u/1", event="", keys=("crm.deal:b",)),
        Span("t/2", ("t/1",)), Said("t/3", parents=("t/2",)),
    )
    result = world.settle(Span("t/2", ("u/1",)))
    assert world.in_words(result) == {"crm.deal:a": {"t/3"}, "crm.deal:b": {"t/3"}}


def test_only_the_winning_version_of_an_event_names_its_parents(world: World) -> None:
    """Its older version's parents are forgotten."""
    world.settle(
        Said("t/1", event="", keys=("crm.deal:a",)), Said("u/1", event="", keys=("crm.deal:b",)),
        Said("t/2", time=1, parents=("t/1",)),
    )
    assert world.in_words(world.settle(Said("t/2", time=2, parents=("u/1",)))) == {"crm.deal:b": {"t/2"}}


def test_context_keys_unite_with_the_parents(world: World) -> None:
    """Baggage links, it never narrows; own keys hide both."""
    result = world.settle(
        Said("t/1", event="", keys=("crm.deal:a",)),
        Said("t/2", keys=("erp.invoice:i",), context=("crm.deal:b",), parents=("t/1",)),
        Said("t/3", keys=("crm.deal:c",), context=("crm.deal:b",), parents=("t/1",)),
    )
    assert world.in_words(result) == {"crm.deal:a": {"t/2"}, "crm.deal:b": {"t/2"}, "crm.deal:c": {"t/3"}}


# Rule 3: aliases


def test_two_systems_name_one_object(world: World) -> None:
    """An event with one key of each says so; the first namespace of the definition is canonical."""
    result = world.settle(
        Said("a", event="", keys=("crm.deal:d", "erp.job:j")),
        Said("b", event="", keys=("erp.job:j", "psa.project:p")), Said("c", keys=("psa.project:p",)),
    )
    assert world.in_words(result) == {"crm.deal:d": {"c"}}
    assert result.canonical[key_of("erp.job:j")] == key_of("psa.project:p")


def test_an_alias_appearing_later_joins_journeys_and_moves_their_id(world: World) -> None:
    """Two journeys become one, under the canonical root."""
    before = world.settle(Said("a", keys=("erp.deal:e",)), Said("b", keys=("crm.deal:d",)))
    assert world.in_words(before) == {"erp.deal:e": {"a"}, "crm.deal:d": {"b"}}
    after = world.settle(Said("c", event="", keys=("crm.deal:d", "erp.deal:e")))
    assert world.in_words(after) == {"crm.deal:d": {"a", "b"}}


def test_a_second_partner_makes_a_key_ambiguous(world: World) -> None:
    """None of its aliases counts any more, whichever came first; reported on the key."""
    world.settle(Said("a", keys=("erp.deal:e", "crm.deal:d")), Said("x", keys=("erp.deal:e",)))
    result = world.settle(Said("b", time=1, keys=("erp.deal:e", "crm.deal:f")))
    assert result.aliases[key_of("erp.deal:e")] == "ambiguous"
    assert world.in_words(result) == {
        "crm.deal:d": {"a"}, "crm.deal:f": {"b"}, "erp.deal:e": {"a", "b", "x"},
    }
    corrected = world.settle(Said("b", time=2, keys=("crm.deal:f",)))
    assert world.in_words(corrected) == {"crm.deal:d": {"a", "x"}, "crm.deal:f": {"b"}}


def test_a_class_with_two_keys_of_one_namespace_is_dissolved(world: World) -> None:
    """And forms again when the contradiction is withdrawn."""
    world.settle(
        Said("a", keys=("psa.project:p", "erp.job:j")), Said("b", keys=("erp.job:j", "crm.project:c")),
    )
    result = world.settle(Said("c", time=1, keys=("crm.project:c", "psa.project:q")))
    named = ("psa.project:p", "erp.job:j", "crm.project:c", "psa.project:q")
    assert {result.aliases[key_of(text)] for text in named} == {"dissolved"}
    corrected = world.settle(Said("c", time=2, keys=("psa.project:q",)))
    assert world.in_words(corrected) == {"psa.project:p": {"a", "b"}, "psa.project:q": {"c"}}


def test_inherited_and_context_keys_claim_no_alias(world: World) -> None:
    """Only what an event says itself, and only if it names one key of each."""
    result = world.settle(
        Said("t/1", event="", keys=("erp.job:j",)),
        Said("t/2", keys=("crm.deal:d",), context=("psa.project:p",), parents=("t/1",)),
        Said("e", keys=("erp.job:k", "psa.project:q", "psa.project:r")),
    )
    assert set(result.aliases.values()) == {"none"}


def test_aliases_move_edges_and_hubs_with_them(world: World) -> None:
    """Children of either name have the same root once the names are one."""
    world.settle(
        Said("a", keys=("crm.deal:d", "erp.job:j")), Said("b", keys=("psa.project:p", "erp.invoice:i")),
        Said("c", keys=("erp.invoice:i",)),
    )
    result = world.settle(Said("d", event="", keys=("psa.project:p", "erp.job:j")))
    assert world.in_words(result) == {"crm.deal:d": {"a", "b", "c"}}
