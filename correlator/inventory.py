"""What a tenant's events carry, and what of a definition nothing among them can ever meet."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict

from throughline.collector.store import Role, Store, load_queries
from throughline.correlator.journey_terms import FIELD_COLUMNS
from throughline.correlator.lint import Finding
from throughline.probes import vocabulary as v

if TYPE_CHECKING:
    from datetime import datetime

    from throughline.correlator.definition import Process
    from throughline.correlator.parts import Path

DIMENSIONS = (v.CUSTOMER, v.ENTITY, v.REGION, v.SERVICE_LINE)
_ENOUGH = 1000
"""Values of a dimension that are looked at; of one with more nothing is said."""
_SHOWN = 5


class Inventory(BaseModel):
    """What was seen since a time. `linked` is, by process, the hash of the definition in use and the levels
    that something above leads to.
    """

    model_config = ConfigDict(frozen=True)

    since: str
    events: frozenset[str]
    namespaces: frozenset[str]
    attributes: frozenset[str]
    dimensions: dict[str, frozenset[str]]
    linked: dict[str, tuple[str, tuple[int, ...]]]


def take(store: Store, tenant: str, since: datetime) -> Inventory:
    """Look through a tenant's events since a time. Raises: StoreError."""
    queries = load_queries("throughline.correlator", "inventory")

    def ask(name: str) -> Sequence[Sequence[Any]]:
        wanted: dict[str, Any] = {"tenant": tenant, "since": since}
        given = {one: value for one, value in wanted.items() if f"{{{one}:" in queries[name]}
        rows: Sequence[Sequence[Any]] = store.query(queries[name], given, role=Role.ADHOC).result_rows
        return rows

    values = ask("dimensions")[0]
    return Inventory(
        since=since.date().isoformat(),
        events=frozenset(str(row[0]) for row in ask("event_names")),
        namespaces=frozenset(str(row[0]) for row in ask("namespaces")),
        attributes=frozenset(str(row[0]) for row in ask("attribute_names")),
        dimensions={
            name: frozenset(str(one) for one in found if one)
            for name, found in zip(DIMENSIONS, values, strict=True)
        },
        linked={
            str(row[0]): (str(row[1]), tuple(int(one) for one in row[2])) for row in ask("linked_levels")
        },
    )


def against(process: Process, seen: Inventory, own: Callable[[Path], bool] = lambda _: True) -> list[Finding]:
    """What of a definition nothing seen can meet. Of levels and events that are not one's `own` (a shipped
    definition knows many platforms) only what leaves nothing else is said; of a process of which no root was
    ever seen, that alone.
    """
    if not set(process.levels[0].namespaces) & seen.namespaces:
        names = ", ".join(process.levels[0].namespaces)
        sentence = (
            f"nothing with a key of the first level ({names}) since {seen.since}: no journey begins there"
        )
        return [
            _warning(("keys", 0), f"{sentence}; send it, correct the namespace, or take the process away")
        ]
    return [
        *_namespaces(process, seen, own),
        *_levels(process, seen),
        *_events(process, seen, own),
        *_attributes(process, seen),
        *_calendars(process, seen),
    ]


def _warning(path: Path, sentence: str) -> Finding:
    return Finding("warning", path, sentence)


def _namespaces(process: Process, seen: Inventory, own: Callable[[Path], bool]) -> Iterator[Finding]:
    for place, level in enumerate(process.levels):
        unseen = [name for name in level.namespaces if name not in seen.namespaces]
        if len(unseen) == len(level.namespaces):
            sentence = f"no event since {seen.since} has a key of this level: {', '.join(unseen)}"
            yield _warning(("keys", place), f"{sentence}; send one, or take the level away")
        elif unseen and own(("keys", place)):
            sentence = f"no event since {seen.since} has a key {' or '.join(unseen)}"
            yield _warning(("keys", place), f"{sentence}; correct the name, or take it away")
    for namespace in process.cycle.per if process.cycle else ():
        if namespace not in seen.namespaces and own(("cycle",)):
            sentence = (
                f"no event since {seen.since} has a key {namespace}, by whose periods cycles are counted"
            )
            yield _warning(("cycle",), f"{sentence}; correct `per`")


def _levels(process: Process, seen: Inventory) -> Iterator[Finding]:
    """Levels with objects that nothing above leads to; only the definition in use is linked."""
    content, linked = seen.linked.get(process.id, ("", ()))
    if content != process.definition_hash:
        return
    for place, level in enumerate(process.levels[1:], 1):
        if set(level.namespaces) & seen.namespaces and place not in linked:
            yield _warning(
                ("keys", place),
                f"{' or '.join(level.namespaces)} never links to the level above: no event names one of "
                "each; let the event that creates it carry its parent's key, or send `business.link`",
            )


def _events(process: Process, seen: Inventory, own: Callable[[Path], bool]) -> Iterator[Finding]:
    def unheard(path: Path, names: Sequence[str], so: str) -> Iterator[Finding]:
        lost = [name for name in names if name not in seen.events]
        if lost and (len(lost) == len(names) or own(path)):
            sentence = f"no event '{' or '.join(lost)}' since {seen.since}"
            yield _warning(path, f"{sentence}: {so}; correct the name, or have it sent")

    for place, one in enumerate(process.milestones):
        path: Path = ("milestones", place)
        yield from unheard((*path, "event"), one.events, f"'{one.name}' is not reached by it")
        yield from unheard((*path, "undone_by"), one.undone_by, f"nothing undoes '{one.name}'")
        if one.within and one.within.paused:
            for side, names in (("by", one.within.paused.by), ("until", one.within.paused.until)):
                so = f"it does not {'stop' if side == 'by' else 'start'} the clock of '{one.name}'"
                yield from unheard((*path, "within", "paused", side), names, so)
    yield from unheard(("dropped_by",), process.dropped_by, "it ends no journey")
    for place, entitled in enumerate(process.entitlements):
        path = ("entitlements", place)
        yield from unheard((*path, "granted"), entitled.granted.events, f"nothing grants '{entitled.name}'")
        yield from unheard((*path, "used"), entitled.used.events, f"nothing uses '{entitled.name}'")


def _attributes(process: Process, seen: Inventory) -> Iterator[Finding]:
    keys = {name for name in process.attributes_used if name.startswith(v.KEY_PREFIX)}
    lost = process.attributes_used - seen.attributes - keys - set(FIELD_COLUMNS) - {v.ACCOUNTING_DATE}
    for name in sorted(lost):
        path = _where(process, name)
        sentence = (
            f"no event since {seen.since} carries the attribute '{name}': it is empty wherever it is read"
        )
        yield _warning(path, f"{sentence}; correct the name, or have it sent")


def _where(process: Process, attribute: str) -> Path:
    """The first place that reads an attribute."""
    for place, one in enumerate(process.milestones):
        if one.name in process.wheres and attribute in process.wheres[one.name].attributes:
            return ("milestones", place, "where")
        if one.within and attribute in (one.within.told_by, *one.within.by):
            return ("milestones", place, "within")
    for place, entitled in enumerate(process.entitlements):
        if attribute in entitled.attributes:
            return ("entitlements", place)
    for place, check in enumerate(process.checks):
        if any(attribute in process.expectations[one.name].attributes for one in check.each()):
            return ("checks", place)
    return ("scope",) if process.in_scope and attribute in process.in_scope.attributes else ("cycle",)


def _calendars(process: Process, seen: Inventory) -> Iterator[Finding]:
    by, mapped = process.calendar.by, process.calendar.map
    found = seen.dimensions.get(by or "", frozenset())
    if not by or not mapped or len(found) >= _ENOUGH:
        return
    for value in sorted(set(mapped) - found):
        sentence = f"no event since {seen.since} has {by} '{value}': its calendar is never used"
        yield _warning(("calendar", "map", value), f"{sentence}; correct the value, or take it away")
    if others := sorted(found - set(mapped)):
        more = f" and {len(others) - _SHOWN} more" if len(others) > _SHOWN else ""
        sentence = f"{by} {', '.join(others[:_SHOWN])}{more} has no calendar in `map`"
        yield _warning(("calendar",), f"{sentence}: '{process.calendar.default}' counts; add what is missing")
