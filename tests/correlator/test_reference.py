"""The reference itself, on cases worked by hand from design §5."""

from __future__ import annotations

import pytest

from tests.correlator.reference import (
    MAX_HOPS,
    Fact,
    Key,
    Level,
    ObjectState,
    Process,
    Result,
    SpanEdge,
    link,
    winners,
)

LEVELS = (
    Level(("crm.deal", "erp.deal"), max_children=3),
    Level(("psa.project", "erp.job", "crm.project"), max_roots=2),
    Level(("erp.invoice",), max_roots=2),
)


def keys(*texts: str) -> frozenset[Key]:
    """`ns:value` texts as keys."""
    return frozenset((text.partition(":")[0], text.partition(":")[2]) for text in texts)


def key(text: str) -> Key:
    """One `ns:value` text as a key."""
    return next(iter(keys(text)))


def event(
    number: int,
    *own: str,
    name: str = "happened",
    time: int = 0,
    subject: str = "",
    context: tuple[str, ...] = (),
    parents: tuple[int, ...] = (),
    links: tuple[str, ...] = (),
    cuts: tuple[str, ...] = (),
) -> Fact:
    """An event; evidence if `name` is empty."""
    return Fact(
        number,
        time,
        0,
        name,
        keys(*own),
        keys(*context),
        frozenset(parents),
        subject,
        frozenset(links),
        frozenset(cuts),
    )


def journeys(result: Result) -> dict[str, set[int]]:
    """Journeys with their roots as text."""
    return {":".join(root): set(events) for root, events in result.journeys.items()}


def test_of_equal_identities_the_latest_then_the_greatest_content_counts() -> None:
    """Rule 0: time decides, content hash breaks the tie, order does not matter."""
    old, low, high = Fact(1, 1, 99), Fact(1, 2, 5), Fact(1, 2, 6)
    assert winners([high, old, low]) == winners([low, old, high]) == {1: high}


@pytest.mark.parametrize(
    "value",
    ["", "0", "NULL", " none ", "N/A", "-", "?", "tbd", "00D5/", "org/null", "org/N/A", "a/Unknown"],
)
def test_a_placeholder_is_no_key(value: str) -> None:
    """Rule 1: whole values and endings, in any case."""
    assert not Process(LEVELS).is_key(("crm.deal", value))


@pytest.mark.parametrize("value", ["00", "nullable", "a/0", "x-", "none/1", "00D5/006"])
def test_what_only_resembles_a_placeholder_is_a_key(value: str) -> None:
    """Rule 1: parts of a value do not make it a placeholder."""
    assert Process(LEVELS).is_key(("crm.deal", value))


def test_a_process_adds_placeholders_to_one_namespace() -> None:
    """Rule 1: exact values in any case, for that namespace alone."""
    process = Process([Level(("a.x", "b.x"), placeholders=frozenset([("a.x", "Dummy")]))])
    assert not process.is_key(("a.x", "DUMMY"))
    assert process.is_key(("b.x", "dummy"))
    assert process.is_key(("a.x", "dummy/1"))


def test_keys_of_other_namespaces_do_not_make_a_journey() -> None:
    """Rule 1: an event with foreign keys alone is not in the process."""
    assert link(LEVELS, [event(1, "hr.person:p")]) == Result()


def test_an_event_takes_the_keys_of_its_parent_on_levels_it_has_none_on() -> None:
    """Rule 2: level by level; own keys hide inherited ones of their level only."""
    result = link(
        LEVELS,
        [
            event(1, "crm.deal:d1", "psa.project:p1", name=""),
            event(2, "psa.project:p2", parents=(1,)),
        ],
    )
    assert result.edges == {
        (key("crm.deal:d1"), key("psa.project:p1")),
        (key("crm.deal:d1"), key("psa.project:p2")),
    }
    assert journeys(result) == {"crm.deal:d1": {2}}


def test_siblings_under_a_span_without_keys_share_nothing() -> None:
    """Rule 2: keys flow down from ancestors, never sideways."""
    result = link(
        LEVELS,
        [
            event(1, "crm.deal:d1", parents=(9,)),
            event(2, "erp.invoice:i", parents=(9,)),
        ],
        [SpanEdge(9, frozenset())],
    )
    assert result.edges == frozenset()
    assert journeys(result) == {"crm.deal:d1": {1}, "erp.invoice:i": {2}}


@pytest.mark.parametrize(("hops", "reached"), [(1, True), (MAX_HOPS, True), (MAX_HOPS + 1, False)])
def test_an_ancestor_is_reached_within_64_hops(hops: int, *, reached: bool) -> None:
    """Rule 2: the direct parent is hop one."""
    chain = [SpanEdge(100 + n, frozenset([101 + n])) for n in range(1, hops)]
    ancestor = 100 + hops
    result = link(
        LEVELS,
        [
            event(ancestor, "crm.deal:d", name=""),
            event(1, "erp.invoice:i", parents=(101,)),
        ],
        chain,
    )
    assert bool(result.edges) is reached


def test_only_the_nearest_ancestor_on_each_path_gives_keys() -> None:
    """Rule 2: what is behind it shows through only on levels it has no keys on."""
    result = link(
        LEVELS,
        [
            event(1, "crm.deal:far", "psa.project:far", name=""),
            event(2, "psa.project:near", name="", parents=(1,)),
            event(3, "erp.invoice:i", parents=(2,)),
        ],
    )
    assert (key("psa.project:near"), key("erp.invoice:i")) in result.edges
    assert (key("psa.project:far"), key("erp.invoice:i")) not in result.edges
    assert journeys(result) == {"crm.deal:far": {3}}


def test_parents_by_several_paths_are_united_with_context_keys() -> None:
    """Rule 2: parent, span link and baggage all count; duplicate edge rows of a span too."""
    result = link(
        LEVELS,
        [
            event(1, "crm.deal:a", name=""),
            event(2, "crm.deal:b", name=""),
            event(3, "crm.deal:c", name=""),
            event(4, parents=(1, 9), context=("crm.deal:d",)),
        ],
        [SpanEdge(9, frozenset([2])), SpanEdge(9, frozenset([3]))],
    )
    assert journeys(result) == {f"crm.deal:{name}": {4} for name in "abcd"}


def test_own_keys_hide_context_keys() -> None:
    """Rule 2: a context key links, it never widens what the event says itself."""
    result = link(LEVELS, [event(1, "crm.deal:own", context=("crm.deal:context",))])
    assert set(result.objects) == {key("crm.deal:own")}


def test_links_in_a_circle_share_their_keys() -> None:
    """Rule 2: the least fixpoint: everyone in the circle has what anyone brings in."""
    result = link(
        LEVELS,
        [
            event(1, parents=(2,), context=("crm.deal:d",)),
            event(2, parents=(3,)),
            event(3, parents=(1,)),
            event(4, parents=(4,)),
        ],
    )
    assert journeys(result) == {"crm.deal:d": {1, 2, 3}}


def test_two_namespaces_of_a_level_name_one_object() -> None:
    """Rule 3: the first namespace of the definition is canonical."""
    result = link(
        LEVELS,
        [
            event(1, "erp.job:j", "psa.project:p", name=""),
            event(2, "erp.job:j"),
            event(3, "psa.project:p"),
        ],
    )
    assert journeys(result) == {"psa.project:p": {2, 3}}
    assert result.aliases == {key("erp.job:j"): "aliased", key("psa.project:p"): "aliased"}


def test_two_keys_of_one_namespace_claim_nothing() -> None:
    """Rule 3: exactly one key of each of two namespaces makes a claim."""
    result = link(LEVELS, [event(1, "erp.job:j", "psa.project:p", "psa.project:q", name="")])
    assert set(result.aliases.values()) == {"none"}


def test_context_and_inherited_keys_claim_nothing() -> None:
    """Rule 3: only what an event says itself."""
    result = link(
        LEVELS,
        [
            event(1, "erp.job:j", context=("psa.project:p",)),
            event(2, "psa.project:p", parents=(1,)),
        ],
    )
    assert set(result.aliases.values()) == {"none"}


def test_a_key_equal_to_two_keys_of_one_namespace_is_ambiguous() -> None:
    """Rule 3: none of its aliases counts; claims between others do."""
    result = link(
        LEVELS,
        [
            event(1, "erp.job:j", "psa.project:p"),
            event(2, "erp.job:j", "psa.project:q"),
            event(3, "crm.project:c", "psa.project:q"),
        ],
    )
    assert result.aliases == {
        key("erp.job:j"): "ambiguous",
        key("psa.project:p"): "none",
        key("psa.project:q"): "aliased",
        key("crm.project:c"): "aliased",
    }


def test_ambiguity_is_judged_once_on_all_claims() -> None:
    """Rule 3: a key stays ambiguous though the claims of its partner fall away too."""
    result = link(
        LEVELS,
        [
            event(1, "erp.job:j", "psa.project:p"),
            event(2, "erp.job:j", "psa.project:q"),
            event(3, "erp.job:k", "psa.project:p"),
        ],
    )
    assert result.aliases == {
        key("erp.job:j"): "ambiguous",
        key("psa.project:p"): "ambiguous",
        key("psa.project:q"): "none",
        key("erp.job:k"): "none",
    }


def test_a_class_with_two_keys_of_one_namespace_is_dissolved() -> None:
    """Rule 3: no key is ambiguous, yet the circle would join p and q."""
    result = link(
        LEVELS,
        [
            event(1, "psa.project:p", "erp.job:j"),
            event(2, "erp.job:j", "crm.project:c"),
            event(3, "crm.project:c", "psa.project:q"),
        ],
    )
    assert set(result.aliases.values()) == {"dissolved"}
    assert all(known == named for known, named in result.canonical.items())


def test_neighbours_are_linked_if_one_side_is_single() -> None:
    """Rule 4: a level without objects is skipped; levels further apart are not linked directly."""
    result = link(
        LEVELS,
        [
            event(1, "crm.deal:d", "psa.project:p", "psa.project:q", "erp.invoice:i"),
            event(2, "crm.deal:e", "erp.invoice:k"),
        ],
    )
    assert result.edges == {
        (key("crm.deal:d"), key("psa.project:p")),
        (key("crm.deal:d"), key("psa.project:q")),
        (key("psa.project:p"), key("erp.invoice:i")),
        (key("psa.project:q"), key("erp.invoice:i")),
        (key("crm.deal:e"), key("erp.invoice:k")),
    }
    assert result.ambiguous_links == {}


def test_several_on_both_sides_need_naming() -> None:
    """Rule 4: only pairs named by business.link, the rest counted; aliases are one object, not two."""
    many = ("psa.project:p", "psa.project:q", "erp.invoice:i", "erp.invoice:k")
    result = link(LEVELS, [event(1, *many, links=("psa.project:p>erp.invoice:i",))])
    assert result.edges == {(key("psa.project:p"), key("erp.invoice:i"))}
    assert result.ambiguous_links == {1: 3}
    one = link(LEVELS, [event(1, "psa.project:p", "erp.job:j", "erp.invoice:i", "erp.invoice:k")])
    assert len(one.edges) == 2
    assert one.ambiguous_links == {}


def test_an_explicit_link_counts_whatever_keys_the_event_has() -> None:
    """Rule 4: and makes its two objects known."""
    result = link(
        LEVELS,
        [
            event(1, "hr.person:x", links=("crm.deal:d>erp.invoice:i",)),
            event(2, "erp.invoice:i"),
        ],
    )
    assert journeys(result) == {"crm.deal:d": {2}}


@pytest.mark.parametrize(
    "text",
    [
        "crm.deal:d",
        "crm.deal>erp.invoice:i",
        "hr.x:d>erp.invoice:i",
        "crm.deal:0>erp.invoice:i",
        "erp.invoice:i>crm.deal:d",
        "crm.deal:d>crm.deal:d",
        "",
        ">",
    ],
)
def test_an_ill_formed_link_is_ignored(text: str) -> None:
    """Rule 4: unknown namespaces, placeholders, upward pairs and an object under itself say nothing."""
    assert link(LEVELS, [event(1, links=(text,))]) == Result()


def test_the_latest_statement_about_a_pair_decides() -> None:
    """Rule 8: cut after link removes, link after cut restores; at one time the greater id is later."""
    pair = "crm.deal:d>erp.invoice:i"
    base = event(1, "crm.deal:d", "erp.invoice:i", time=9)
    cut, back = event(2, time=3, cuts=(pair,)), event(3, time=3, links=(pair,))
    assert link(LEVELS, [base, cut]).edges == frozenset()
    assert len(link(LEVELS, [base, cut, back]).edges) == 1
    assert link(LEVELS, [base, back, event(4, time=3, cuts=(pair,))]).edges == frozenset()
    assert link(LEVELS, [base, event(5, time=8, cuts=(pair,), links=(pair,))]).edges == frozenset()


def test_a_cut_names_objects_by_any_alias() -> None:
    """Rule 8: pairs are compared as objects."""
    result = link(
        LEVELS,
        [
            event(1, "erp.deal:e", "crm.deal:d", "erp.invoice:i"),
            event(2, cuts=("erp.deal:e>erp.invoice:i",)),
        ],
    )
    assert result.edges == frozenset()
    assert result.objects[key("erp.invoice:i")].state == "orphan"


def test_an_object_has_the_roots_of_all_its_parents() -> None:
    """Rule 5: a shared invoice belongs to both journeys and does not merge them."""
    result = link(
        LEVELS,
        [
            event(1, "crm.deal:d", "psa.project:p"),
            event(2, "crm.deal:e", "psa.project:q"),
            event(3, "psa.project:p", "psa.project:q", "erp.invoice:i"),
            event(4, "erp.invoice:i"),
        ],
    )
    assert journeys(result) == {"crm.deal:d": {1, 3, 4}, "crm.deal:e": {2, 3, 4}}


def test_a_hub_has_no_roots_and_its_children_are_detached() -> None:
    """Rule 5: more than max_roots roots; a child with another parent is linked through that."""
    deals = [event(n, f"crm.deal:{n}", "psa.project:p") for n in (1, 2, 3)]
    result = link(
        LEVELS,
        [
            *deals,
            event(7, "psa.project:p", "erp.invoice:i"),
            event(8, "psa.project:p", "erp.invoice:k"),
            event(9, "crm.deal:1", "erp.invoice:k"),
            event(10, "erp.invoice:i"),
        ],
    )
    assert result.named("hub") == {key("psa.project:p")}
    assert result.objects[key("erp.invoice:i")] == ObjectState("detached", frozenset())
    assert result.objects[key("erp.invoice:k")] == ObjectState("linked", keys("crm.deal:1"))
    assert journeys(result) == {"crm.deal:1": {1, 9}, "crm.deal:2": {2}, "crm.deal:3": {3}}


def test_exactly_max_roots_is_no_hub() -> None:
    """Rule 5: the limit itself is allowed."""
    result = link(LEVELS, [event(n, f"crm.deal:{n}", "psa.project:p") for n in (1, 2)])
    assert result.named("hub") == set()


def test_too_many_children_quarantine_even_a_root() -> None:
    """Rule 5: more than max_children distinct children of any level; three are allowed."""
    three = [event(n, "crm.deal:d", f"erp.invoice:{n}") for n in (1, 2, 3)]
    assert link(LEVELS, three).named("crowded") == set()
    result = link(LEVELS, [*three, event(4, "crm.deal:d", "psa.project:p")])
    assert result.named("crowded") == {key("crm.deal:d")}
    assert len(result.named("detached")) == 4
    assert result.journeys == {}


def test_an_orphan_passes_its_root_on_until_it_gets_parents() -> None:
    """Rules 5 and 7: an object without any parent starts a journey, which is absorbed later."""
    facts = [event(1, "psa.project:p", "erp.invoice:i"), event(2, "erp.invoice:i")]
    assert journeys(link(LEVELS, facts)) == {"psa.project:p": {1, 2}}
    absorbed = link(LEVELS, [*facts, event(3, "crm.deal:d", "psa.project:p", name="")])
    assert journeys(absorbed) == {"crm.deal:d": {1, 2}}
    assert absorbed.objects[key("psa.project:p")].roots == keys("crm.deal:d")


def test_the_subject_narrows_membership() -> None:
    """Rule 6: business.subject, else own keys nearest the root, else effective keys nearest the root."""
    base = [
        event(1, "crm.deal:d", "psa.project:p", name=""),
        event(2, "crm.deal:e", "psa.project:q", name=""),
        event(3, "crm.deal:d", "erp.invoice:i", name=""),
        event(4, "crm.deal:e", "erp.invoice:i", name=""),
    ]
    both = ("psa.project:p", "erp.invoice:i")
    of = {
        "own nearest the root": event(9, *both),
        "subject": event(9, *both, subject="erp.invoice"),
        "subject without keys": event(9, *both, subject="erp.job"),
        "subject not in the process": event(9, *both, subject="hr.person"),
        "inherited subject": event(9, "psa.project:p", subject="crm.deal", parents=(2,)),
        "inherited": event(9, parents=(2,)),
    }
    found = {name: set(journeys(link(LEVELS, [*base, fact]))) for name, fact in of.items()}
    assert found == {
        "own nearest the root": {"crm.deal:d"},
        "subject": {"crm.deal:d", "crm.deal:e"},
        "subject without keys": {"crm.deal:d"},
        "subject not in the process": {"crm.deal:d"},
        "inherited subject": {"crm.deal:e"},
        "inherited": {"crm.deal:e"},
    }


def test_evidence_links_but_belongs_nowhere() -> None:
    """Rules 6 and 7: a root without member events is no journey."""
    result = link(LEVELS, [event(1, "crm.deal:d", "psa.project:p", name="")])
    assert result.journeys == {}
    assert result.objects[key("psa.project:p")] == ObjectState("linked", keys("crm.deal:d"))
