"""The order of linking: which statement follows which, for new events and for all.

A pass over new events reads before-images of what it is about to change, a rebuild (`fresh`) has none; apart
from that both run the same statements.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from throughline.correlator.definition import Process
    from throughline.correlator.workspace import Run

MAX_HOPS = 64
"""How far above an event its nearest event span may be."""

PASS_TABLES = frozenset(
    {"new_events", "seen", "affected", "facts", "climbs", "spans", "lineage", "lineage_before"}
)
"""Working tables that all processes of a pass share."""

CHUNK = 1_000_000
"""Events of a rebuild that are folded at once: bounds memory."""


def find_lineage(run: Run, *, fresh: bool) -> None:
    """Find the nearest event spans above the affected events of round 0, then every event below (rule 2).

    1. Take the facts of the new events.
    2. Climb hop by hop through spans that are no events.
    3. Keep what was reached, and what was passed or awaited.
    4. Add the events below, whose keys may follow, with the lineage stored for them.
    """
    if fresh:
        run.do("repeated", "facts_all", "facts_repeated")
    else:
        run.do("facts")
    run.do("climbs_start")
    climbing = run.count("climbs") > 0
    for hop in range(1, MAX_HOPS + 1):
        if not run.count("climbs", "Hop = {hop:UInt16}", hop=hop):
            break
        run.do("spans", hop=hop)
        if hop < MAX_HOPS:
            run.do("climbs", hop=hop)
    if climbing:
        run.do("lineage")
    if fresh:
        return
    below = 0
    while run.count("affected", "Round = {round:UInt16}", round=below):
        run.do("affected_below", round=below)
        below += 1
    run.do("lineage_before")
    if below > 1:
        run.do("facts", "lineage_stored")


def write_lineage(run: Run, version: int) -> None:
    """Store lineage, effects first."""
    if run.count("lineage") or run.count("lineage_before"):
        run.write("write_watched", "write_descendants", "write_ancestors", version=version)


def link(run: Run, process: Process, *, fresh: bool, shared: bool) -> bool:
    """Derive keys, aliases, objects, edges, roots and memberships; False when nothing changed."""
    run.do("named")
    _effective_keys(run, fresh=fresh)
    if not fresh:
        run.do("relinked")
        if not run.count("relinked"):
            return False
    if shared:
        _aliases(run, fresh=fresh)
    elif not fresh:
        run.do("keys_before")
    run.do("linked", "edges_now")
    _roots(run, process, fresh=fresh)
    _members(run, fresh=fresh)
    return True


def write(run: Run, process: Process, *, fresh: bool, shared: bool) -> None:
    """Store what linking derived, effects before causes (``write.sql`` says why)."""
    if not fresh:
        run.write("dirty_journeys", "journey_events_left")
    run.write("journey_events")
    for level in reversed(range(len(process.levels))):
        if run.count("rooted", "Level = {level:UInt8}", level=level):
            run.write("objects", level=level)
    if fresh or run.count("edges_now") or run.count("before"):
        run.write("edges_down", "edges")
    run.write("keys")
    if shared:
        run.write("claims")
    run.write("object_events", "event_state")


def ranges(size: int, chunks: int) -> list[tuple[int, int]]:
    """Cut the numbers below `size` into even chunks, first and last number of each."""
    bounds = [size * number // max(chunks, 1) for number in range(max(chunks, 1) + 1)]
    return [(low, high - 1) for low, high in pairwise(bounds)]


def _effective_keys(run: Run, *, fresh: bool) -> None:
    run.do("effective_free")
    if not fresh:
        run.do("before")
    if not run.count("lineage", "notEmpty(Ancestors)"):
        return
    run.do("keyed_below")
    if not fresh:
        run.do("above")
    run.do("inherited_start")
    last, size = 0, run.value("sum(length(Keys))", "inherited")
    while True:
        run.do("inherited", round=last)
        last += 1
        grown = run.value("sum(length(Keys))", "inherited", "Round = {round:UInt16}", round=last)
        if grown == size:
            break
        size = grown
    run.do("effective", round=last)


def _aliases(run: Run, *, fresh: bool) -> None:
    run.do("claimed_start")
    if not fresh:
        reached = 0
        while run.count("claimed", "Round = {round:UInt16}", round=reached):
            run.do("claimed", round=reached)
            reached += 1
        run.do("pairs_before", "keys_before")
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
    if not fresh:
        run.do("renamed", "relinked_renamed")
        if run.count("relinked", "EventId NOT IN (SELECT EventId FROM @effective)"):
            run.do("before", "facts_renamed", "named_renamed", "keyed_renamed", "effective_renamed")
        else:
            run.do("before")
        run.do("keys_before")
    run.do("same_object")


def _roots(run: Run, process: Process, *, fresh: bool) -> None:
    if not fresh:
        run.do("lost")
        if run.count("lost"):
            run.do("gone", "gone_keys")
        run.do("objects_before_linked", "recount")
    if fresh:
        run.do("dirty_all", "upward_all", "children_all")
    else:
        run.do("dirty_objects")
        if run.count("recount"):
            run.do("dirty_recounted", "children")
    for number, level in enumerate(process.levels):
        if not run.count("dirty", "Level = {level:UInt8}", level=number):
            continue
        if not fresh:
            if number > 0:
                run.do("upward", level=number)
            run.do("objects_before_upward", level=number)
        run.do("rooted", level=number, max_roots=level.max_roots, max_children=level.max_children)
        if not fresh:
            run.do("moved", "dirty_below", level=number)


def _members(run: Run, *, fresh: bool) -> None:
    if not fresh:
        if run.count("moved", "Stored"):
            run.do("relocated")
        if run.count("relocated"):
            run.do("before", "facts_relocated", "objects_before_relocated")
        run.do("objects_before_roots")
    run.do("known_objects", "placed_all" if fresh else "placed")
