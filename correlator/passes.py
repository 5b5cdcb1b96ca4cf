"""The order of linking: which statement follows which, for new events and for all.

A pass over new events reads before-images of what it is about to change, a rebuild (`fresh`) has none; apart
from that both run the same statements. A statement links all processes of the run: planning it takes 3 to
30 ms, whatever the number of rows, so a pass asks first what there is to do and leaves out the rest.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from throughline.correlator.link import MAX_LINE

if TYPE_CHECKING:
    from throughline.correlator.linker import Linker
    from throughline.correlator.workspace import Run

MAX_HOPS = 64
"""How far above an event its nearest event span may be."""

PASS_TABLES = frozenset(
    {"new_events", "seen", "affected", "facts", "climbs", "spans", "passable", "lineage", "lineage_before"}
)
"""Working tables that all processes of a pass share."""

FEW = 20_000
"""Up to so many spans to climb from, whole traces are read at once: statements cost more than rows."""

MOVED = "Level = {level:UInt8} AND Depth = {depth:UInt8} AND Moved AND Stored"
"""Stored objects at hand whose roots are others now."""

_OF_REBUILD = ("object_events", "event_state", "edges_down", "edges", "keys", "objects")
"""What a rebuild writes beside the events of journeys, in any order."""

CHUNK = 1_000_000
"""Events of a rebuild that are folded at once: bounds memory."""


def find_lineage(run: Run, *, fresh: bool) -> None:
    """Find the nearest event spans above the affected events of round 0, then every event below (rule 2).

    1. Take the facts of the new events.
    2. Climb through spans that are no events: few events in one statement, many hop by hop.
    3. Keep what was reached, and what was passed or awaited.
    4. Add the events below, whose keys may follow, with the lineage stored for them.
    """
    if fresh:
        run.do("repeated", "facts_all", "facts_repeated")
    else:
        run.do("facts")
    run.do("climbs_start")
    climbing = run.count("climbs")
    if climbing:
        if climbing > FEW or fresh:
            _climb_by_hops(run)
        else:
            _climb(run)
        run.do("lineage")
    if fresh:
        return
    below = 0
    while below == 0 or run.count("affected", "Round = {round:UInt16}", round=below):
        run.do("affected_below", round=below)
        below += 1
    run.do("lineage_before")
    if below > 1:
        run.do("facts", "lineage_stored")


def _climb(run: Run) -> None:
    """Climb as far as the traces at hand reach; again while that leads into other ones, by span links."""
    reached = 1
    while True:
        run.do("spans_of_traces", "passable", round=reached)
        run.do("climb", round=reached, hops=MAX_HOPS - 1)
        reached += 1
        known = "SELECT Trace FROM @climbs WHERE Hop < {round:UInt16}"
        if not run.count("climbs", f"Hop = {{round:UInt16}} AND Trace NOT IN ({known})", round=reached):
            return


def _climb_by_hops(run: Run) -> None:
    for hop in range(1, MAX_HOPS + 1):
        run.do("spans", hop=hop)
        if hop < MAX_HOPS:
            run.do("climbs", hop=hop)
        if not run.count("climbs", "Hop = {hop:UInt16} + 1", hop=hop):
            return


def write_lineage(run: Run, version: int) -> None:
    """Store lineage, effects first."""
    if any(run.counts("lineage", "lineage_before")):
        run.write("write_watched", "write_descendants", "write_ancestors", version=version)


def link(run: Run, linker: Linker, *, fresh: bool) -> bool:
    """Derive keys, aliases, objects, edges, roots and memberships; False when nothing changed."""
    if fresh:
        run.aside(run.do, "named")
    else:
        run.do("named", "before")
    if not _effective_keys(run, fresh=fresh):
        return False
    if not fresh:
        run.do("relinked")
        if not run.count("relinked"):
            return False
    if linker.shared:
        _aliases(run, fresh=fresh)
    elif not fresh:
        run.do("keys_before")
    run.do("linked", "edges_now")
    moved = _roots(run, fresh=fresh)
    _members(run, fresh=fresh, moved=moved)
    return True


def write(run: Run, linker: Linker, *, fresh: bool) -> None:
    """Store what linking derived, effects before causes (``write.sql`` says why). Nobody reads what a rebuild
    writes: only folding waits for the events of journeys.
    """
    if fresh:
        run.aside(run.write, *_OF_REBUILD)
        if linker.shared and run.count("claimed"):
            run.aside(run.write, "claims")
        run.write("journey_events")
        return
    run.write("dirty_journeys", "journey_events")
    edges, before, claimed = run.counts("edges_now", "before", "claimed")
    run.write("objects")
    if edges or before:
        run.write("edges_down", "edges")
    run.write("keys")
    if linker.shared and claimed:
        run.write("claims")
    run.write("object_events", "event_state")


def ranges(size: int, chunks: int) -> list[tuple[int, int]]:
    """Cut the numbers below `size` into even chunks, first and last number of each."""
    bounds = [size * number // max(chunks, 1) for number in range(max(chunks, 1) + 1)]
    return [(low, high - 1) for low, high in pairwise(bounds)]


def _effective_keys(run: Run, *, fresh: bool) -> bool:
    """What each event means by its own keys and by those above it; False when no process is concerned."""
    ((engaged, below, nested),) = run.ask("engaged")
    if not fresh:
        if not engaged:
            return False
        run.narrow(engaged)
    if not below:
        run.do("effective_all")
        return True
    if fresh:
        run.do("effective_free", "keyed_below", "inherited_start")
    else:
        run.do("keyed_all", "inherited_start")
    last, size = 0, run.value("sum(length(Keys))", "inherited") if nested else 0
    while True:
        run.do("inherited", round=last)
        last += 1
        if not nested:
            break
        grown = run.value("sum(length(Keys))", "inherited", "Round = {round:UInt16}", round=last)
        if grown == size:
            break
        size = grown
    run.do("effective" if fresh else "effective_keyed", round=last)
    return True


def _aliases(run: Run, *, fresh: bool) -> None:
    run.do("claimed_start")
    run.join()
    reached = 0
    while run.count("claimed", "Round = {round:UInt16}", round=reached) and not fresh:
        run.do("claimed", round=reached)
        reached += 1
    if not fresh:
        run.do("keys_before")
    if run.count("claimed"):
        _classes(run, fresh=fresh)
    run.do("same_object")


def _classes(run: Run, *, fresh: bool) -> None:
    """Which of the claimed keys name one object, and which other events that concerns."""
    if not fresh:
        run.do("pairs_before")
    run.do("pairs", "ambiguous", "labels_start")
    last, total = 0, run.value("sum(toUInt128(Label))", "labels")
    while True:
        run.do("labels", round=last)
        last += 1
        lower = run.value("sum(toUInt128(Label))", "labels", "Round = {round:UInt16}", round=last)
        if lower == total:
            break
        total = lower
    run.do("aliases", round=last)
    if fresh:
        return
    run.do("renamed")
    if not run.count("renamed"):
        return
    run.do("relinked_renamed")
    if run.count("relinked", "EventId NOT IN (SELECT EventId FROM @effective)"):
        run.do("before", "facts_renamed", "named_renamed", "keyed_renamed", "effective_renamed")
    run.do("keys_before")


def _roots(run: Run, *, fresh: bool) -> bool:
    """Roots level by level from the top, each by depth; whether an object that was stored has other ones now.

    Objects below one that moved are taken in further rounds: usually there are none. So are those below links
    within a level that changed: without such links all objects have depth 0.
    """
    if fresh:
        run.do("dirty_all", "upward_all", "children_all")
    else:
        run.do("lost", "changed")
        lost, changed = run.counts("lost", "changed")
        if lost:
            run.do("gone", "gone_keys")
        run.do("objects_before_linked", "dirty_objects")
        if changed:
            run.do("children")
        run.do("upward", "objects_before_upward", round=0)
    places, related = _waiting(run)
    if related:
        _lines(run, fresh=fresh)
        places, _related = _waiting(run)
    done: set[tuple[int, int]] = set()
    first = rounds = 1
    while left := sorted(places.keys() - done):
        done.add(left[0])
        level, depth = left[0]
        run.do("rooted", level=level, depth=depth)
        if places[left[0]] and run.count("rooted", MOVED, level=level, depth=depth):
            rounds += 1
            run.do("dirty_below", level=level, depth=depth, round=rounds)
            run.do("upward", "objects_before_upward", round=rounds)
            places, related = _waiting(run)
            if related:
                run.do("depths_before")
                places, _related = _waiting(run)
    return rounds > first


def _lines(run: Run, *, fresh: bool) -> None:
    """How many objects of its own level stand above each object: parents first, as many as have an end."""
    if fresh:
        run.do("lines_all")
    else:
        run.do("lines")
        if not run.count("lines"):
            run.do("depths_before")
            return
        for below in range(MAX_LINE + 1):
            run.do("lines_below", round=below)
            if not run.count("lines", "Round = {round:UInt16} + 1", round=below):
                break
        run.do("dirty_lines")
        run.do("upward", "objects_before_upward", round=1)
    peeled, before = 0, -1
    while peeled > before:
        run.do("peeled")
        before, peeled = peeled, run.count("peeled")
    run.do("depths", "depths_before")


def _waiting(run: Run) -> tuple[dict[tuple[int, int], int], bool]:
    """Levels and depths with objects whose roots are to be found, and how many of these were stored; whether
    links within a level matter.
    """
    rows = run.ask("dirty_places")
    places = {(int(level), int(depth)): int(stored) for level, depth, stored, _related in rows}
    return places, any(row[3] for row in rows)


def _members(run: Run, *, fresh: bool, moved: bool) -> None:
    if moved:
        run.do("relocated")
        if run.count("relocated"):
            run.do("before", "facts_relocated", "objects_before_relocated")
    if not fresh:
        run.do("objects_before_roots")
    run.do("known_objects", "placed_all" if fresh else "placed")
