"""A log as business facts: what each event, object and relation is to the intake.

An event of our own export becomes what it was: a span, a log record or a CloudEvent with its identity. Of any
other log an event becomes a log record whose identity is the log's name and the event's id; relations between
objects become explicit links, attributes of objects evidence.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import dataclass, field
from itertools import groupby
from typing import TYPE_CHECKING

from throughline.correlator.link import PLACEHOLDERS
from throughline.dashboards.ocel import model
from throughline.dashboards.ocel.model import Event, object_id
from throughline.probes import vocabulary as v
from throughline.probes.vocabulary import TimePrecision

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

    from throughline.dashboards.ocel.staging import Staging

OLDEST = 631_152_000_000_000_000
"""Intake takes events since 1990 (nanoseconds since 1970) ..."""
AHEAD = 86_400_000_000_000
"""... and up to a day ahead of its clock."""
LINKS_AT_ONCE = 50
"""Explicit links in one piece of evidence."""
QUALIFIERS = "ocel.qualifiers"
"""Attribute: JSON array of [object, qualifier] of an event, of [source, target, qualifier] of links."""

Value = str | list[str]


@dataclass(frozen=True, slots=True)
class Fact:
    """One record for the intake. `source` is `span`, `log` or `cloudevent`; `event` is empty for evidence."""

    source: str
    service: str
    nanos: int
    event: str
    attributes: Mapping[str, Value]
    failed: bool = False
    message: str = ""
    trace_id: str = ""
    span_id: str = ""


@dataclass
class Tally:
    """What is not carried, by reason, each with an example; and what needs no carrying."""

    missing: Counter[str] = field(default_factory=Counter)
    examples: dict[str, str] = field(default_factory=dict)
    derived: int = 0
    """Relations and values of objects in our own export: they follow from its events."""

    def miss(self, reason: str, example: str, count: int = 1) -> None:
        """Count something that is not carried."""
        self.missing[reason] += count
        self.examples.setdefault(reason, example)


class Facts:
    """The facts of one log."""

    def __init__(self, log: Staging, name: str, now: datetime) -> None:
        """`name` makes identities of this log its own; `now` bounds what intake takes."""
        self.tally = Tally()
        self._log = log
        self._name = name
        self._latest = int(now.timestamp()) * 1_000_000_000 + AHEAD
        self.namespaces = namespaces([str(kind) for (kind,) in log.rows("types")])
        """The key namespace of each object type."""

    def all(self) -> Iterator[Fact]:
        """Every fact, events first."""
        self._count_what_links_nothing()
        for event in self._log.events():
            if not OLDEST <= event.nanos <= self._latest:
                self.tally.miss("events before 1990 or in the future", event.id)
            elif model.SOURCE in event.attributes:
                yield self._received(event)
            else:
                yield self._told(event)
        first = self._log.number("first_event", OLDEST) or OLDEST
        yield from self._values(first)
        yield from self._links(first)

    def _received(self, event: Event) -> Fact:
        """An event of our own export, as it was received."""
        said = dict(event.attributes)
        marks = {mark: said.pop(mark, "") for mark in model.MARKS}
        attributes: dict[str, Value] = {**said}
        own = [key for key, qualifier in self._keys(event) if qualifier == model.KEY]
        linking = (model.CONTEXT_KEY, model.INHERITED_KEY)
        passed_on = [key for key, qualifier in self._keys(event) if qualifier in linking]
        _add_keys(attributes, v.KEY_PREFIX, own)
        _add_keys(attributes, v.CONTEXT_KEY_PREFIX, passed_on)
        name = "" if event.type == model.EVIDENCE else event.type
        if name:
            attributes[v.EVENT] = name
        ids = marks[model.TRACE_ID], marks[model.SPAN_ID]
        if not _are_ids(*ids):
            self.tally.miss("trace and span ids that are none", event.id)
            ids = "", ""
        source = marks[model.SOURCE]
        if source != "cloudevent" and not (source == "span" and all(ids)):
            source = "log"
            attributes.setdefault(v.EVENT_ID, event.id)
        return Fact(
            source, marks[model.SERVICE], event.nanos, name, attributes,
            failed=marks[model.FAILED] == "true", message=marks[model.MESSAGE],
            trace_id=ids[0], span_id=ids[1],
        )  # fmt: skip

    def _told(self, event: Event) -> Fact:
        """An event of any other log."""
        keys = list(self._keys(event))
        attributes: dict[str, Value] = {**event.attributes}
        _add_keys(attributes, v.KEY_PREFIX, [key for key, _ in keys])
        qualified = [[object_id(*key), qualifier] for key, qualifier in keys if qualifier]
        if qualified:
            attributes[QUALIFIERS] = json.dumps(qualified, ensure_ascii=False)
        if attributes.get(v.EVENT, event.type) != event.type:
            self.tally.miss(f"attributes {v.EVENT} that are not the event's type", event.id)
        attributes[v.EVENT] = event.type
        attributes.setdefault(v.EVENT_ID, f"{self._name}/{event.id}")
        return Fact("log", self._name, event.nanos, event.type, attributes)

    def _keys(self, event: Event) -> Iterator[tuple[tuple[str, str], str]]:
        """((namespace, value), qualifier) of each object that the event relates to."""
        for kind, value, qualifier in self._log.rows("keys", event.id):
            yield self._key(kind, value), qualifier

    def _key(self, kind: str, value: str) -> tuple[str, str]:
        return self.namespaces[kind], value.removeprefix(f"{kind}:") if self._log.ours else value

    def _values(self, first: int) -> Iterator[Fact]:
        """Evidence of what objects are from a time on; also of those that nothing else names."""
        for (name, kind, value, since), group in groupby(self._log.rows("values"), key=lambda row: row[:4]):
            if since is not None and since > self._latest:
                self.tally.miss("values of objects in the future", name)
                continue
            told = {row[4]: row[5] for row in group if row[4] is not None}
            derived = model.DIMENSIONS.intersection(told) if self._log.ours else ()
            self.tally.derived += len(derived)
            if told and len(derived) == len(told):
                continue
            attributes: dict[str, Value] = {one: told[one] for one in told if one not in derived}
            _add_keys(attributes, v.KEY_PREFIX, [self._key(kind, value)])
            yield self._evidence(f"objects/{name}/{since or 0}", since or 0, first, attributes)

    def _links(self, first: int) -> Iterator[Fact]:
        """Evidence of relations between objects, both ways: the process says which of the two is above. Of
        two of one type the one that the log names first is: both ways would be a loop.
        """
        for source, group in groupby(self._log.rows("links"), key=lambda row: row[0]):
            rows = list(group)
            told = [row for row in rows if not (self._log.ours and model.DERIVED.fullmatch(row[5]))]
            self.tally.derived += len(rows) - len(told)
            pairs = [(self._key(*row[1:3]), self._key(*row[3:5]), row[5]) for row in told]
            for start in range(0, len(pairs), LINKS_AT_ONCE):
                chunk = pairs[start : start + LINKS_AT_ONCE]
                qualified = [[object_id(*one), object_id(*other), said] for one, other, said in chunk]
                attributes: dict[str, Value] = {
                    v.LINK: [link for one, other, _ in chunk for link in self._both_ways(one, other)],
                    QUALIFIERS: json.dumps(qualified, ensure_ascii=False),
                }
                if attributes[v.LINK]:
                    yield self._evidence(f"links/{source}/{start}", 0, first, attributes)

    def _both_ways(self, one: tuple[str, str], other: tuple[str, str]) -> Iterator[str]:
        for parent, child in ((one, other), (other, one))[: 1 if one[0] == other[0] else 2]:
            if ">" in parent[1]:
                self.tally.miss("links below an object whose id holds '>'", object_id(*parent))
            else:
                yield f"{object_id(*parent)}>{object_id(*child)}"

    def _evidence(self, identity: str, since: int, first: int, attributes: dict[str, Value]) -> Fact:
        """Evidence of the log; what holds from the beginning of time is said at its first event."""
        attributes[v.EVENT_ID] = f"{self._name}/{identity}"
        if since < OLDEST:
            attributes[v.TIME_PRECISION] = TimePrecision.UNKNOWN.value
        return Fact("log", self._name, since if since >= OLDEST else first, "", attributes)

    def _count_what_links_nothing(self) -> None:
        if self._log.repeated:
            self.tally.miss("relations that are there twice: they count once", "", self._log.repeated)
        for (name,) in self._log.rows("dangling"):
            self.tally.miss("relations and values of what the file does not have", name)
        for (name,) in self._log.rows("names"):
            key = name.strip(" \t\r\n")
            if key.lower() in PLACEHOLDERS:
                self.tally.miss("objects whose id is a placeholder: they link nothing", name)
            elif key != name:
                self.tally.miss("spaces around the ids of objects", key)


def namespaces(kinds: list[str]) -> dict[str, str]:
    """The key namespace of each object type: what a definition allows, each its own."""
    found: dict[str, str] = {}
    for kind in kinds:
        plain = re.sub(r"[^A-Za-z0-9_.\-]+", "_", kind).strip("_") or "object"
        name, number = plain, 2
        while name in found.values() or (name != kind and name in kinds):
            name, number = f"{plain}_{number}", number + 1
        found[kind] = name
    return found


def _are_ids(trace: str, span: str) -> bool:
    """Whether these are ids of OpenTelemetry, or missing."""
    return bool(re.fullmatch(r"([0-9a-f]{32})?", trace) and re.fullmatch(r"([0-9a-f]{16})?", span))


def _add_keys(attributes: dict[str, Value], prefix: str, keys: list[tuple[str, str]]) -> None:
    """Write keys as attributes, beside those that an attribute names already. A text that looks like an array
    is written as an array of one.
    """
    for namespace in dict.fromkeys(namespace for namespace, _ in keys):
        name = prefix + namespace
        before = attributes.get(name)
        told = _several(before) if isinstance(before, str) else []
        values = list(dict.fromkeys([*told, *(value for one, value in keys if one == namespace)]))
        attributes[name] = values[0] if len(values) == 1 and not values[0].startswith("[") else values


def _several(text: str) -> list[str]:
    """The values of an attribute, which may be an array as JSON."""
    if text.startswith("["):
        try:
            return [one if isinstance(one, str) else json.dumps(one) for one in json.loads(text)]
        except ValueError:
            pass
    return [text]
