"""Linking rules 0 to 3 against the real correlator: identity, placeholders, effective keys, aliases.

Every case states the journeys or objects it expects; `play` besides compares all tables with the reference
after every stage, and with a rebuild.
"""

from __future__ import annotations

import pytest

from tests.correlator.cases import Case, CaseFunction, case, play, say
from tests.correlator.facts import Said, Span, World
from tests.correlator.reference import Level
from throughline.collector.store import Store

LEVELS = (
    Level(("crm.deal", "erp.deal"), placeholders=frozenset([("crm.deal", "dummy")])),
    Level(("psa.project", "erp.job", "crm.project")),
    Level(("erp.invoice",)),
)
CASES: list[CaseFunction] = []
PLACEHOLDERS = (
    "crm.deal:N/A", "crm.deal:00D5/unknown", "crm.deal:DUMMY", "crm.deal:00D5/Dummy", "crm.deal:0",
)  # fmt: skip


@pytest.fixture(scope="module")
def played(module_store: Store) -> dict[str, Exception | None]:
    """All cases, run side by side on one engine: what went wrong in each."""
    return play(World(module_store, "rules", LEVELS), CASES, PLACEHOLDERS)


# Rule 0: identity


@case(CASES)
def a_newer_version_of_an_event_replaces_it() -> Case:
    """The greatest event time counts: the event leaves the journeys that only its old version named."""
    yield say(Said("e", time=1, keys=("crm.deal:old",)))
    assert (yield say(Said("e", time=2, keys=("crm.deal:new",)))).journeys == {"crm.deal:new": {"e"}}


@case(CASES)
def an_older_version_arriving_late_changes_nothing() -> Case:
    """Order of arrival does not matter."""
    yield say(Said("e", time=2, keys=("crm.deal:new",)))
    assert (yield say(Said("e", time=1, keys=("crm.deal:old",)))).journeys == {"crm.deal:new": {"e"}}


@case(CASES)
def versions_of_one_time_are_decided_by_content() -> Case:
    """The greater content hash counts, whichever came first."""
    versions = [Said("e", keys=(f"crm.deal:{n}",)) for n in "abc"]
    yield say(versions[1])
    found = yield say(versions[2], versions[0])
    assert len(found.journeys) == 1


@case(CASES)
def a_resent_event_counts_once() -> Case:
    """Twice in one batch and once more later: one event."""
    same = Said("e", keys=("crm.deal:d",))
    yield say(same, same)
    assert (yield say(same)).journeys == {"crm.deal:d": {"e"}}


@case(CASES)
def a_version_without_keys_leaves_the_process() -> Case:
    """Its journey ends with it."""
    yield say(Said("e", time=1, keys=("crm.deal:d",)))
    assert (yield say(Said("e", time=2))).journeys == {}


# Rule 1: placeholders


@case(CASES)
def placeholders_are_no_keys() -> Case:
    """Neither whole values nor endings nor the process's own additions make an object."""
    result = yield say(
        Said("a", keys=("crm.deal:N/A", "psa.project:p")),
        Said("b", keys=("crm.deal:00D5/unknown", "psa.project:p")),
        Said("c", keys=("crm.deal:DUMMY", "psa.project:p")),
        Said("d", keys=("crm.deal:00D5/Dummy", "psa.project:p")),
    )
    assert result.journeys == {"psa.project:p": {"a", "b", "c", "d"}}


@case(CASES)
def a_placeholder_lets_the_parent_speak() -> Case:
    """A level whose only own key is a placeholder has no own key."""
    result = yield say(
        Said("t/p", event="", keys=("crm.deal:d",)),
        Said("t/c", keys=("crm.deal:0", "psa.project:p"), parents=("t/p",)),
    )
    assert result.journeys == {"crm.deal:d": {"t/c"}}


@case(CASES)
def foreign_keys_are_ignored() -> Case:
    """An event without a key of the process is not in the process."""
    assert (yield say(Said("e", keys=("hr.person:x",)))).journeys == {}


# Rule 2: effective keys


@case(CASES)
def keys_come_from_the_nearest_ancestor_through_plain_spans() -> Case:
    """On levels where the event has none of its own; the log's span counts as its parent."""
    result = yield say(
        Said("t/1", event="", keys=("crm.deal:d", "psa.project:p")),
        Span("t/2", ("t/1",)),
        Span("t/3", ("t/2",)),
        Said("log", keys=("erp.invoice:i",), parents=("t/3",)),
    )
    assert result.roots["erp.invoice:i"] == {"crm.deal:d"}
    assert "psa.project:p>erp.invoice:i" in result.edges


@case(CASES)
def span_parents_may_arrive_last() -> Case:
    """Event first, then its evidence, then the plain spans between, one by one from below."""
    yield say(Said("t/4", keys=("erp.invoice:i",), parents=("t/3",)))
    yield say(Said("t/1", event="", keys=("crm.deal:d",)))
    yield say(Span("t/3", ("t/2",)))
    result = yield say(Span("t/2", ("t/1",)))
    assert result.journeys == {"crm.deal:d": {"t/4"}}


@case(CASES)
def only_the_nearest_ancestor_counts() -> Case:
    """What is above it shows through only on levels where it says nothing."""
    yield say(
        Said("t/1", event="", keys=("crm.deal:far", "psa.project:p")),
        Said("t/3", keys=("erp.invoice:i",), parents=("t/2",)),
    )
    found = yield say(Said("t/2", event="", keys=("crm.deal:near",), parents=("t/1",)))
    assert found.edges == {
        "crm.deal:far>psa.project:p",
        "crm.deal:near>psa.project:p",
        "psa.project:p>erp.invoice:i",
    }


@case(CASES)
def changed_evidence_changes_those_below_it() -> Case:
    """Through another evidence span too."""
    yield say(
        Said("t/1", event="", time=1, keys=("crm.deal:a",)),
        Said("t/2", event="", keys=("psa.project:p",), parents=("t/1",)),
        Said("t/3", keys=("erp.invoice:i",), parents=("t/2",)),
    )
    result = yield say(Said("t/1", event="", time=2, keys=("crm.deal:b",)))
    assert result.journeys == {"crm.deal:b": {"t/3"}}


@case(CASES)
def siblings_under_a_span_without_keys_share_nothing() -> Case:
    """Keys flow down only."""
    result = yield say(
        Span("t/1"),
        Said("t/2", keys=("crm.deal:d",), parents=("t/1",)),
        Said("t/3", keys=("erp.invoice:i",), parents=("t/1",)),
    )
    assert result.journeys == {"crm.deal:d": {"t/2"}, "erp.invoice:i": {"t/3"}}


def chain(plain: int) -> tuple[Said | Span, ...]:
    """Evidence, some plain spans in a row below it, and a log in the last."""
    return (
        Said("t/0", event="", keys=("crm.deal:d",)),
        *(Span(f"t/{n}", (f"t/{n - 1}",)) for n in range(1, plain + 1)),
        Said("log", keys=("erp.invoice:i",), parents=(f"t/{plain}",)),
    )


@case(CASES)
def an_ancestor_64_hops_up_counts() -> Case:
    """The direct parent is hop one."""
    assert (yield chain(63)).edges == {"crm.deal:d>erp.invoice:i"}


@case(CASES)
def an_ancestor_65_hops_up_does_not_count() -> Case:
    """One plain span more."""
    assert (yield chain(64)).edges == set()


@case(CASES)
def span_links_are_parents_across_traces() -> Case:
    """Also a link of a plain span, and whichever trace comes first."""
    yield say(Said("t/2", keys=("erp.invoice:i",), parents=("t/1",)), Span("t/1", ("u/1", "v/1")))
    yield say(Said("u/1", event="", keys=("crm.deal:a",)))
    result = yield say(Said("v/1", event="", keys=("crm.deal:b",)))
    assert result.journeys == {"crm.deal:a": {"t/2"}, "crm.deal:b": {"t/2"}}


@case(CASES)
def links_in_a_circle_end() -> Case:
    """Everyone in the circle has what anyone brings in; what is taken out again is gone."""
    circle = [Said(f"{t}/1", parents=(f"{u}/1",)) for t, u in ("ab", "bc", "ca")]
    yield say(*circle, Span("p/1", ("q/1",)), Span("q/1", ("p/1",)), Said("p/2", parents=("p/1",)))
    brought = yield say(Said("a/1", time=1, parents=("b/1",), context=("crm.deal:d",)))
    assert brought.journeys == {"crm.deal:d": {"a/1", "b/1", "c/1"}}
    assert (yield say(Said("a/1", time=2, parents=("b/1",)))).journeys == {}


@case(CASES)
def rows_of_one_span_are_united() -> Case:
    """A span stored again with other parents has both."""
    yield say(
        Said("t/1", event="", keys=("crm.deal:a",)),
        Said("u/1", event="", keys=("crm.deal:b",)),
        Span("t/2", ("t/1",)),
        Said("t/3", parents=("t/2",)),
    )
    found = yield say(Span("t/2", ("u/1",)))
    assert found.journeys == {"crm.deal:a": {"t/3"}, "crm.deal:b": {"t/3"}}


@case(CASES)
def a_later_row_of_a_span_adds_its_parents() -> Case:
    """Also when the span was known, and passed on the way up, long before."""
    yield say(Said("t/1", event="", keys=("crm.deal:a",)), Said("u/1", event="", keys=("crm.deal:b",)))
    yield say(Span("t/2", ("t/1",)), Said("t/3", parents=("t/2",)))
    found = yield say(Span("t/2", ("u/1",)))
    assert found.journeys == {"crm.deal:a": {"t/3"}, "crm.deal:b": {"t/3"}}


@case(CASES)
def only_the_winning_version_of_an_event_names_its_parents() -> Case:
    """Its older version's parents are forgotten."""
    yield say(
        Said("t/1", event="", keys=("crm.deal:a",)),
        Said("u/1", event="", keys=("crm.deal:b",)),
        Said("t/2", time=1, parents=("t/1",)),
    )
    assert (yield say(Said("t/2", time=2, parents=("u/1",)))).journeys == {"crm.deal:b": {"t/2"}}


@case(CASES)
def context_keys_unite_with_the_parents() -> Case:
    """Baggage links, it never narrows; own keys hide both."""
    result = yield say(
        Said("t/1", event="", keys=("crm.deal:a",)),
        Said("t/2", keys=("erp.invoice:i",), context=("crm.deal:b",), parents=("t/1",)),
        Said("t/3", keys=("crm.deal:c",), context=("crm.deal:b",), parents=("t/1",)),
    )
    assert result.journeys == {"crm.deal:a": {"t/2"}, "crm.deal:b": {"t/2"}, "crm.deal:c": {"t/3"}}


# Rule 3: aliases


@case(CASES)
def two_systems_name_one_object() -> Case:
    """An event with one key of each says so; the first namespace of the definition is canonical."""
    result = yield say(
        Said("a", event="", keys=("crm.deal:d", "erp.job:j")),
        Said("b", event="", keys=("erp.job:j", "psa.project:p")),
        Said("c", keys=("psa.project:p",)),
    )
    assert result.journeys == {"crm.deal:d": {"c"}}
    assert result.canonical["erp.job:j"] == "psa.project:p"


@case(CASES)
def an_alias_appearing_later_joins_journeys_and_moves_their_id() -> Case:
    """Two journeys become one, under the canonical root."""
    before = yield say(Said("a", keys=("erp.deal:e",)), Said("b", keys=("crm.deal:d",)))
    assert before.journeys == {"erp.deal:e": {"a"}, "crm.deal:d": {"b"}}
    after = yield say(Said("c", event="", keys=("crm.deal:d", "erp.deal:e")))
    assert after.journeys == {"crm.deal:d": {"a", "b"}}


@case(CASES)
def a_second_partner_makes_a_key_ambiguous() -> Case:
    """None of its aliases counts any more, whichever came first; reported on the key."""
    yield say(Said("a", keys=("erp.deal:e", "crm.deal:d")), Said("x", keys=("erp.deal:e",)))
    result = yield say(Said("b", time=1, keys=("erp.deal:e", "crm.deal:f")))
    assert result.aliases["erp.deal:e"] == "ambiguous"
    assert result.journeys == {
        "crm.deal:d": {"a"},
        "crm.deal:f": {"b"},
        "erp.deal:e": {"a", "b", "x"},
    }
    corrected = yield say(Said("b", time=2, keys=("crm.deal:f",)))
    assert corrected.journeys == {"crm.deal:d": {"a", "x"}, "crm.deal:f": {"b"}}


@case(CASES)
def an_alias_changes_though_only_hidden_context_spells_it() -> Case:
    """The batch that withdraws the contradiction names the key where it does not count."""
    yield say(Said("a", keys=("erp.deal:e", "crm.deal:d")), Said("b", keys=("erp.deal:e", "crm.deal:f")))
    found = yield say(Said("b", time=1, keys=("crm.deal:f",), context=("erp.deal:e",)))
    assert found.aliases["erp.deal:e"] == "aliased"


@case(CASES)
def ambiguity_may_move_to_another_key() -> Case:
    """The key it leaves is plain again, though its own event did not change."""
    before = yield say(
        Said("t/1", time=1, keys=("psa.project:q", "erp.job:j")),
        Said("d", keys=("psa.project:r", "erp.job:j"), parents=("t/1",)),
    )
    assert before.aliases["erp.job:j"] == "ambiguous"
    after = yield say(
        Said("t/1", time=2, keys=("psa.project:p", "psa.project:r")),
        Said("e", keys=("psa.project:r", "erp.job:k")),
    )
    assert (after.aliases["psa.project:r"], after.aliases["erp.job:j"]) == ("ambiguous", "none")


@case(CASES)
def a_class_with_two_keys_of_one_namespace_is_dissolved() -> Case:
    """And forms again when the contradiction is withdrawn."""
    yield say(
        Said("a", keys=("psa.project:p", "erp.job:j")),
        Said("b", keys=("erp.job:j", "crm.project:c")),
    )
    result = yield say(Said("c", time=1, keys=("crm.project:c", "psa.project:q")))
    named = ("psa.project:p", "erp.job:j", "crm.project:c", "psa.project:q")
    assert {result.aliases[text] for text in named} == {"dissolved"}
    corrected = yield say(Said("c", time=2, keys=("psa.project:q",)))
    assert corrected.journeys == {"psa.project:p": {"a", "b"}, "psa.project:q": {"c"}}


@case(CASES)
def inherited_and_context_keys_claim_no_alias() -> Case:
    """Only what an event says itself, and only if it names one key of each."""
    result = yield say(
        Said("t/1", event="", keys=("erp.job:j",)),
        Said("t/2", keys=("crm.deal:d",), context=("psa.project:p",), parents=("t/1",)),
        Said("e", keys=("erp.job:k", "psa.project:q", "psa.project:r")),
    )
    assert set(result.aliases.values()) == {"none"}


@case(CASES)
def aliases_move_edges_and_hubs_with_them() -> Case:
    """Children of either name have the same root once the names are one."""
    yield say(
        Said("a", keys=("crm.deal:d", "erp.job:j")),
        Said("b", keys=("psa.project:p", "erp.invoice:i")),
        Said("c", keys=("erp.invoice:i",)),
    )
    result = yield say(Said("d", event="", keys=("psa.project:p", "erp.job:j")))
    assert result.journeys == {"crm.deal:d": {"a", "b", "c"}}


@pytest.mark.parametrize("name", [function.__name__ for function in CASES])
def test_rule(played: dict[str, Exception | None], name: str) -> None:
    """Each case above holds on both engines, live and rebuilt."""
    if error := played[name]:
        raise error
