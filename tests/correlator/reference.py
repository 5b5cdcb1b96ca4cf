"""A plain-Python reference of linking rules 0 to 7, written to be obviously right, never to be fast.

It follows the text of design §5 and knows nothing of the SQL that does the same work. Identities
are given as numbers, so that ties break as they do in the store; everything else is words.

Numbered steps, each a function below:
 0. of equal identities the greatest (time, content hash) counts
 1. placeholders, and namespaces that the process does not have, are no keys
 2. effective keys: own, else context keys and those of the nearest ancestors, per level
 3. aliases, ambiguous keys, dissolved classes, canonical keys
 4. parent edges, explicit links, cuts
 5. lines within a level, roots, hubs, crowded, detached, orphans
 6. subjects and membership
 7. journeys are the roots that have events
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from itertools import combinations, pairwise, product
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Key = tuple[str, str]
Pair = tuple[Key, Key]
"""(parent, child)."""

MAX_HOPS = 64
MAX_LINE = 64
ENDLESS = 255
"""The depth of an object with a longer line of parents of its own level above it, or a loop."""

PLACEHOLDERS = frozenset(
    ["", "0", "null", "none", "nil", "undefined", "unknown", "n/a", "na", "nan", "tbd", "-", "--", "?"],
)
PLACEHOLDER_ENDINGS = ("/", "/null", "/none", "/nil", "/undefined", "/unknown", "/n/a")


@dataclass(frozen=True)
class Level:
    """One level of a process: namespaces that name the same kind of object."""

    namespaces: tuple[str, ...]
    max_roots: int = 100
    max_children: int = 100_000
    placeholders: frozenset[Key] = frozenset()
    """Additional placeholders, as (namespace, value)."""


@dataclass(frozen=True)
class Fact:
    """One stored version of an event, or of evidence if `event` is empty."""

    id: int
    """Identity; for a span event also the identity of its span."""
    time: int = 0
    content_hash: int = 0
    event: str = ""
    keys: frozenset[Key] = frozenset()
    context_keys: frozenset[Key] = frozenset()
    parents: frozenset[int] = frozenset()
    """Identities of spans: parent and links of a span, or the span that a log was written in."""
    subject: str = ""
    links: frozenset[str] = frozenset()
    cuts: frozenset[str] = frozenset()


@dataclass(frozen=True)
class SpanEdge:
    """A span of any kind and its parents (parent span and span links)."""

    span: int
    parents: frozenset[int]


@dataclass(frozen=True)
class ObjectState:
    """What became of one object."""

    state: str
    """linked, orphan, detached, hub or crowded."""
    roots: frozenset[Key]
    depth: int = 0
    """How many objects of its own level stand above it, at most."""


@dataclass
class Result:
    """Everything linking decides about a set of facts."""

    journeys: dict[Key, frozenset[int]] = field(default_factory=dict)
    objects: dict[Key, ObjectState] = field(default_factory=dict)
    canonical: dict[Key, Key] = field(default_factory=dict)
    """Every known key and the object it names."""
    aliases: dict[Key, str] = field(default_factory=dict)
    """Every known key: none, aliased, ambiguous or dissolved."""
    edges: frozenset[Pair] = frozenset()
    ambiguous_links: dict[int, int] = field(default_factory=dict)
    """Pairs left unlinked, by event; only events that have some."""

    def named(self, state: str) -> set[Key]:
        """Objects in one state."""
        return {key for key, found in self.objects.items() if found.state == state}


class Process:
    """The levels of a process, root first."""

    def __init__(self, levels: Iterable[Level]) -> None:
        """Number levels and namespaces."""
        self.levels = tuple(levels)
        self.level_of = {ns: n for n, level in enumerate(self.levels) for ns in level.namespaces}
        self.rank_of = {ns: r for level in self.levels for r, ns in enumerate(level.namespaces)}

    def is_key(self, key: Key) -> bool:
        """Rule 1: a namespace of this process, and no placeholder."""
        namespace, value = key
        if namespace not in self.level_of:
            return False
        text = value.strip().lower()
        if text in PLACEHOLDERS or text.endswith(PLACEHOLDER_ENDINGS):
            return False
        mine = self.levels[self.level_of[namespace]].placeholders
        spelled = {text, text.rpartition("/")[2]}
        return all(ns != namespace or own.strip().lower() not in spelled for ns, own in mine)

    def on_level(self, keys: Iterable[Key], level: int) -> frozenset[Key]:
        """The keys among `keys` that count on one level."""
        return frozenset(key for key in keys if self.is_key(key) and self.level_of[key[0]] == level)

    def pair(self, text: str) -> Pair | None:
        """A well-formed `parent_ns:value>child_ns:value`, else nothing."""
        left, arrow, right = text.partition(">")
        parent_ns, colon, parent_value = left.partition(":")
        child_ns, other_colon, child_value = right.partition(":")
        parent, child = (parent_ns.strip(), parent_value.strip()), (child_ns.strip(), child_value.strip())
        if not (arrow and colon and other_colon and self.is_key(parent) and self.is_key(child)):
            return None
        if parent == child or self.level_of[parent[0]] > self.level_of[child[0]]:
            return None
        return parent, child

    def pairs(self, texts: Iterable[str]) -> set[Pair]:
        """The well-formed pairs among `texts`."""
        return {pair for text in texts if (pair := self.pair(text)) is not None}


def winners(facts: Iterable[Fact]) -> dict[int, Fact]:
    """Rule 0: of equal identities the greatest (time, content hash)."""
    best: dict[int, Fact] = {}
    for fact in facts:
        known = best.get(fact.id)
        if known is None or (fact.time, fact.content_hash) > (known.time, known.content_hash):
            best[fact.id] = fact
    return best


def nearest(fact: Fact, facts: Mapping[int, Fact], parents: Mapping[int, set[int]]) -> set[int]:
    """Rule 2: the first events or evidence upwards, through spans that are neither, at most 64 hops."""
    found: set[int] = set()
    seen: set[int] = set()
    frontier = set(fact.parents)
    for _hop in range(MAX_HOPS):
        found |= {span for span in frontier if span in facts}
        plain = {span for span in frontier if span not in facts} - seen
        seen |= plain
        frontier = {parent for span in plain for parent in parents.get(span, ())}
    return found


def effective_keys(
    process: Process,
    facts: Mapping[int, Fact],
    edges: Iterable[SpanEdge],
) -> dict[int, dict[int, frozenset[Key]]]:
    """Rule 2: by event and level; repeated until nothing changes, since links can make cycles."""
    parents: dict[int, set[int]] = defaultdict(set)
    for edge in edges:
        parents[edge.span] |= edge.parents
    above = {fact.id: nearest(fact, facts, parents) for fact in facts.values()}
    levels = range(len(process.levels))
    effective = {fact.id: {level: frozenset[Key]() for level in levels} for fact in facts.values()}
    changed = True
    while changed:
        changed = False
        for fact, level in product(facts.values(), levels):
            keys = process.on_level(fact.keys, level)
            if not keys:
                inherited = [effective[ancestor][level] for ancestor in above[fact.id]]
                keys = process.on_level(fact.context_keys, level).union(*inherited)
            if keys != effective[fact.id][level]:
                effective[fact.id][level] = keys
                changed = True
    return effective


def claims_of(process: Process, facts: Iterable[Fact]) -> set[frozenset[Key]]:
    """Rule 3: pairs of keys that some event says are equal."""
    claims: set[frozenset[Key]] = set()
    for fact, level in product(list(facts), process.levels):
        by_namespace = {
            ns: {key for key in fact.keys if key[0] == ns and process.is_key(key)} for ns in level.namespaces
        }
        single = [next(iter(keys)) for keys in by_namespace.values() if len(keys) == 1]
        claims |= {frozenset(pair) for pair in combinations(single, 2)}
    return claims


def classes_of(claims: set[frozenset[Key]]) -> list[set[Key]]:
    """Connected components of the claims."""
    classes: list[set[Key]] = []
    for claim in claims:
        touching = [known for known in classes if known & claim]
        classes = [known for known in classes if not known & claim]
        classes.append(set(claim).union(*touching))
    return classes


def aliases(
    process: Process,
    facts: Iterable[Fact],
    known: Iterable[Key],
) -> tuple[dict[Key, Key], dict[Key, str]]:
    """Rule 3: (canonical key by key, kind of alias by key) of every known key."""
    claims = claims_of(process, facts)
    partners: dict[tuple[Key, str], set[Key]] = defaultdict(set)
    for claim in claims:
        for one, other in (tuple(claim), tuple(claim)[::-1]):
            partners[one, other[0]].add(other)
    ambiguous = {key for (key, _namespace), others in partners.items() if len(others) > 1}
    canonical = {key: key for key in known}
    kinds = {key: "ambiguous" if key in ambiguous else "none" for key in canonical}
    for members in classes_of({claim for claim in claims if not claim & ambiguous}):
        if len({namespace for namespace, _value in members}) < len(members):
            kinds.update(dict.fromkeys(members, "dissolved"))
            continue
        kinds.update(dict.fromkeys(members, "aliased"))
        first = min(members, key=lambda key: (process.rank_of[key[0]], key[1].encode()))
        canonical.update(dict.fromkeys(members, first))
    return canonical, kinds


def event_edges(objects: list[frozenset[Key]], named: set[Pair]) -> tuple[set[Pair], set[Pair]]:
    """Rule 4: (linked pairs, ambiguous pairs) of one event's objects by level, `named` being its links."""
    present = [found for found in objects if found]
    linked, ambiguous = set(named), set[Pair]()
    for upper, lower in pairwise(present):
        pairs = set(product(upper, lower))
        if len(upper) == 1 or len(lower) == 1:
            linked |= pairs
        else:
            ambiguous |= pairs - named
    return linked, ambiguous


def cut_pairs(statements: Iterable[tuple[int, int, set[Pair], set[Pair]]]) -> set[Pair]:
    """Rule 8: pairs whose latest statement (time, id, links, cuts) is a cut; within one, the cut wins."""
    latest: dict[Pair, bool] = {}
    for _time, _id, links, cuts in sorted(statements, key=lambda said: said[:2]):
        latest.update(dict.fromkeys(links, False))
        latest.update(dict.fromkeys(cuts, True))
    return {pair for pair, is_cut in latest.items() if is_cut}


def depths(process: Process, objects: Iterable[Key], edges: set[Pair]) -> dict[Key, int]:
    """Rule 5: the longest way up from each object within its level; endless in a loop, or if longer than 64.

    After n rounds the number of an object is the longest such way, cut at n steps.
    """
    alike = [pair for pair in edges if process.level_of[pair[0][0]] == process.level_of[pair[1][0]]]
    steps = dict.fromkeys(objects, 0)
    for _round in range(MAX_LINE + 1):
        before = dict(steps)
        for parent, child in alike:
            steps[child] = max(steps[child], before[parent] + 1)
    return {key: ENDLESS if found > MAX_LINE else found for key, found in steps.items()}


def states(process: Process, objects: Iterable[Key], edges: set[Pair]) -> dict[Key, ObjectState]:
    """Rule 5: state and roots of every object, level by level from the top, within a level by depth.

    A link between objects of one level is not in force if the way up from its parent is endless.
    """
    objects = list(objects)
    depth = depths(process, objects, edges)
    parents: dict[Key, set[Key]] = defaultdict(set)
    children: dict[Key, set[Key]] = defaultdict(set)
    for parent, child in edges:
        children[parent].add(child)
        if depth[parent] != ENDLESS or process.level_of[parent[0]] != process.level_of[child[0]]:
            parents[child].add(parent)
    result: dict[Key, ObjectState] = {}
    for key in sorted(objects, key=lambda key: (process.level_of[key[0]], depth[key])):
        number = process.level_of[key[0]]
        level = process.levels[number]
        if not parents[key]:
            state, roots = "orphan" if number else "linked", {key}
        else:
            roots = {root for parent in parents[key] for root in result[parent].roots}
            state = "linked" if roots else "detached"
        if len(roots) > level.max_roots:
            state, roots = "hub", set()
        if len(children[key]) > level.max_children:
            state, roots = "crowded", set()
        result[key] = ObjectState(state, frozenset(roots), depth[key])
    return result


def subjects(process: Process, fact: Fact, effective: Mapping[int, frozenset[Key]]) -> frozenset[Key]:
    """Rule 6: the keys that an event is about."""
    if fact.subject in process.level_of:
        of_subject = {key for key in effective[process.level_of[fact.subject]] if key[0] == fact.subject}
        if of_subject:
            return frozenset(of_subject)
    own = [keys for n in range(len(process.levels)) if (keys := process.on_level(fact.keys, n))]
    reached = [effective[n] for n in range(len(process.levels)) if effective[n]]
    return next(iter(own + reached), frozenset())


def link(levels: Iterable[Level], facts: Iterable[Fact], edges: Iterable[SpanEdge] = ()) -> Result:
    """Every decision about a set of facts, in the order of the rules."""
    process = Process(levels)
    chosen = winners(facts)
    effective = effective_keys(process, chosen, list(edges))
    said = {fact.id: (process.pairs(fact.links), process.pairs(fact.cuts)) for fact in chosen.values()}
    known = {key for by_level in effective.values() for keys in by_level.values() for key in keys}
    known |= {key for links, _cuts in said.values() for pair in links for key in pair}
    canonical, kinds = aliases(process, chosen.values(), known)

    def objects(pairs: set[Pair]) -> set[Pair]:
        named = {(canonical.get(parent, parent), canonical.get(child, child)) for parent, child in pairs}
        return {(parent, child) for parent, child in named if parent != child}

    linked: set[Pair] = set()
    result = Result(canonical=canonical, aliases=kinds)
    for fact in chosen.values():
        by_level = [frozenset(canonical[key] for key in keys) for keys in effective[fact.id].values()]
        pairs, ambiguous = event_edges(by_level, objects(said[fact.id][0]))
        linked |= pairs
        if ambiguous:
            result.ambiguous_links[fact.id] = len(ambiguous)
    linked -= cut_pairs(
        (fact.time, fact.id, objects(said[fact.id][0]), objects(said[fact.id][1])) for fact in chosen.values()
    )
    result.edges = frozenset(linked)
    result.objects = states(process, set(canonical.values()), linked)
    journeys: dict[Key, set[int]] = defaultdict(set)
    for fact in chosen.values():
        if fact.event:
            for key in subjects(process, fact, effective[fact.id]):
                for root in result.objects[canonical[key]].roots:
                    journeys[root].add(fact.id)
    result.journeys = {root: frozenset(events) for root, events in journeys.items()}
    return result
