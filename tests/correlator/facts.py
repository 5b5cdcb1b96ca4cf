"""Writes facts into the real tables and reads back what linking made of them, in words.

A test says events in words (`Said`), spans as `trace/span`, keys as `ns:value`, times in seconds.
`World` knows the identities those words have in one tenant, computed by the engine as the views do it.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cached_property
from typing import Any

from tests.correlator.reference import Fact, Key, Level, ObjectState, Result, SpanEdge, link
from throughline.collector.store import Role, Store
from throughline.correlator.process import Process, load_process
from throughline.correlator.worker import Correlator

EPOCH = datetime(2026, 3, 1, 8, tzinfo=UTC)
"""Second 0 of the times that tests say."""

BUSINESS_COLUMNS = (
    "Tenant",
    "EventId",
    "ContentHash",
    "Time",
    "ReceivedAt",
    "IngestedAt",
    "Source",
    "TraceId",
    "SpanId",
    "Parents",
    "Event",
    "Keys",
    "ContextKeys",
    "Subject",
    "Links",
    "Cuts",
    "Failed",
    "Amount",
    "Currency",
)


def key_of(text: str) -> Key:
    """`ns:value` as a key."""
    namespace, _colon, value = text.partition(":")
    return namespace, value


@dataclass(frozen=True)
class Said:
    """One version of one event, or of evidence if `event` is empty."""

    name: str
    """`trace/span` for a span; anything without a slash is the business.event.id of a log record."""
    event: str = "happened"
    time: int = 0
    keys: tuple[str, ...] = ()
    context: tuple[str, ...] = ()
    parents: tuple[str, ...] = ()
    subject: str = ""
    links: tuple[str, ...] = ()
    cuts: tuple[str, ...] = ()
    failed: bool = False
    amount: int | None = None
    note: str = ""
    """Content that linking does not look at."""

    @property
    def is_span(self) -> bool:
        """Whether this is a span rather than a log record."""
        return "/" in self.name

    @cached_property
    def content_hash(self) -> int:
        """Of the whole content; differs when anything does."""
        return int.from_bytes(hashlib.blake2b(repr(self).encode(), digest_size=8).digest(), "big")


@dataclass(frozen=True)
class Span:
    """A span that says nothing about business."""

    name: str
    parents: tuple[str, ...] = ()


Statement = Said | Span


def trace_hex(span: str) -> str:
    """The trace id of `trace/span`."""
    return hashlib.blake2b(span.partition("/")[0].encode(), digest_size=16).hexdigest()


def span_hex(span: str) -> str:
    """The span id of `trace/span`."""
    return hashlib.blake2b(span.encode(), digest_size=8).hexdigest()


def process_of(
    levels: Sequence[Level],
    name: str = "probe",
    *,
    milestones: str = "[{name: happened, event: happened}]",
    more: str = "",
) -> Process:
    """A definition with the reference's levels, read as a user's file would be."""
    lines = [
        f"  - {{any_of: [{', '.join(level.namespaces)}], max_roots: {level.max_roots}, "
        f"max_children: {level.max_children}}}"
        for level in levels
    ]
    extra: dict[str, list[str]] = defaultdict(list)
    for namespace, value in sorted(pair for level in levels for pair in level.placeholders):
        extra[namespace].append(value)
    held = "".join(f"\n  {namespace}: {values!r}" for namespace, values in extra.items())
    return load_process(
        f"process: {name}\nkeys:\n"
        + "\n".join(lines)
        + (f"\nplaceholders:{held}" if held else "")
        + f"\nmilestones: {milestones}\n{more}",
    )


class Names(dict[int, Key]):
    """Keys by number; a number that no stored key has names itself."""

    def __missing__(self, number: int) -> Key:
        """Name a number that should have been known."""
        return "no stored key", f"{number:016x}"


class World:
    """One tenant of a store, everything said in it so far, and a correlator that may die and return."""

    def __init__(
        self,
        store: Store,
        tenant: str,
        levels: Sequence[Level],
        process: Process | None = None,
    ) -> None:
        """Begin with nothing said."""
        self.store, self.tenant, self.levels = store, tenant, tuple(levels)
        self.process = process or process_of(levels)
        self.said: list[Statement] = []
        self.now = datetime.now(UTC)
        self._spans: dict[str, tuple[int, int]] = {}
        self._logs: dict[str, int] = {}
        self._expected = (0, Result())
        """The reference's result for so many statements: said once, asked for often."""
        self.processes = [self.process]
        """Those of its correlator."""
        self.correlator = Correlator(store, self.processes)

    def beside(self, levels: Sequence[Level], name: str) -> World:
        """The same tenant with the same said, seen by another process of the same correlator."""
        other = World(self.store, self.tenant, levels, process_of(levels, name))
        other.said, other._spans, other._logs = self.said, self._spans, self._logs
        self.processes.append(other.process)
        other.processes = self.processes
        self.restart()
        return other

    # Saying

    def say(self, *statements: Statement, ingested: datetime | None = None) -> None:
        """Store statements, as one insert per table; the clock moves on by a second."""
        self.remember(statements)
        self.now += timedelta(seconds=1)
        self.write(statements, ingested or self.now)

    def remember(self, statements: Sequence[Statement]) -> None:
        """Count statements among what was said, without storing them yet."""
        for start in range(0, len(statements), 2000):
            self._learn(statements[start : start + 2000])
        self.said.extend(statements)

    def write(self, statements: Sequence[Statement], at: datetime) -> None:
        """Store remembered statements as ingested at a time; safe to call from many threads."""
        spans = [one for one in statements if isinstance(one, Span) or one.is_span]
        edges = [
            (self.tenant, *self._spans[one.name], self._parents(one), int(isinstance(one, Said)), at)
            for one in spans
        ]
        if edges:
            columns = ("Tenant", "Trace", "Span", "Parents", "IsEvent", "IngestedAt")
            self.store.insert_rows("span_edges", edges, columns, role=Role.LOADER)
        events = [self._row(one, at) for one in statements if isinstance(one, Said)]
        if events:
            self.store.insert_rows("business_events", events, BUSINESS_COLUMNS, role=Role.LOADER)
        if edges:
            traces = [(self.tenant, at, trace) for trace in sorted({edge[1] for edge in edges})]
            self.store.insert_rows("trace_inbox", traces, ("Tenant", "IngestedAt", "Trace"), role=Role.LOADER)

    def number(self, name: str) -> int:
        """The identity of a span or log record."""
        return self._spans[name][1] if "/" in name else self._logs[name]

    def _learn(self, statements: Iterable[Statement]) -> None:
        """Ask the engine for the identities of names not met before."""
        names = {name for one in statements for name in (one.name, *one.parents)}
        spans = sorted(name for name in names if "/" in name and name not in self._spans)
        logs = sorted(name for name in names if "/" not in name and name not in self._logs)
        if spans:
            rows = self._rows(
                "SELECT pair.1, sipHash64({tenant:String}, pair.2), "
                "reinterpretAsUInt128(sipHash128('span', {tenant:String}, pair.2, pair.3)) "
                "FROM (SELECT arrayJoin(arrayZip({names:Array(String)}, {traces:Array(String)}, "
                "{spans:Array(String)})) AS pair)",
                names=spans,
                traces=[trace_hex(name) for name in spans],
                spans=[span_hex(name) for name in spans],
            )
            self._spans |= {name: (trace, span) for name, trace, span in rows}
        if logs:
            rows = self._rows(
                "SELECT name, reinterpretAsUInt128(sipHash128('id', {tenant:String}, name)) "
                "FROM (SELECT arrayJoin({names:Array(String)}) AS name)",
                names=logs,
            )
            self._logs |= dict(rows)

    def _parents(self, one: Statement) -> list[tuple[int, int]]:
        return sorted(self._spans[name] for name in one.parents)

    def _row(self, one: Said, at: datetime) -> tuple[Any, ...]:
        context = one.name if one.is_span else next(iter(one.parents), "")
        return (
            self.tenant,
            self.number(one.name),
            one.content_hash,
            EPOCH + timedelta(seconds=one.time),
            at,
            at,
            "span" if one.is_span else "log",
            trace_hex(context) if context else "",
            span_hex(context) if context else "",
            self._parents(one),
            one.event,
            sorted({key_of(text) for text in one.keys}),
            sorted({key_of(text) for text in one.context}),
            one.subject,
            list(one.links),
            list(one.cuts),
            int(one.failed),
            None if one.amount is None else Decimal(one.amount),
            "" if one.amount is None else "EUR",
        )

    # Correlating

    def tick(self, *, seconds: float = 1, checkpoint: Callable[[str], None] | None = None) -> None:
        """Let the correlator take what is new; with a checkpoint, by a new correlator as after a restart."""
        self.now += timedelta(seconds=seconds)
        if checkpoint is not None:
            self.correlator = Correlator(self.store, self.processes, checkpoint=checkpoint)
        self.correlator.tick(self.tenant, self.now)

    def restart(self) -> None:
        """A new correlator, with nothing in memory."""
        self.correlator = Correlator(self.store, self.processes)

    def rebuild(self) -> None:
        """Everything anew, beside the old, then swapped."""
        self.now += timedelta(seconds=1)
        self.correlator.rebuild(self.tenant, self.process.id, self.now)

    # What ought to be, what is

    def expected(self) -> Result:
        """What the reference makes of everything said."""
        if self._expected[0] != len(self.said):
            self._expected = len(self.said), self._linked()
        return self._expected[1]

    def _linked(self) -> Result:
        facts = [self._fact(one) for one in self.said if isinstance(one, Said)]
        spans = [one for one in self.said if isinstance(one, Span)]
        edges = [SpanEdge(self.number(one.name), self._numbers(one.parents)) for one in spans]
        return link(self.levels, facts, edges)

    def _numbers(self, spans: Iterable[str]) -> frozenset[int]:
        return frozenset(self._spans[name][1] for name in spans)

    def _fact(self, one: Said) -> Fact:
        return Fact(
            self.number(one.name),
            one.time,
            one.content_hash,
            one.event,
            frozenset(key_of(text) for text in one.keys),
            frozenset(key_of(text) for text in one.context),
            self._numbers(one.parents),
            one.subject,
            frozenset(one.links),
            frozenset(one.cuts),
        )

    def stored(self) -> Result:
        """What the tables of the active generation hold, in the reference's terms."""
        rows = self.latest("Key, Namespace, Value, Object, toString(Alias)", "keys", "Key")
        names = Names({key: (namespace, value) for key, namespace, value, _object, _alias in rows})
        objects = self.latest("Object, toString(State), Roots, Depth", "objects", "Object")
        journeys: dict[Key, set[int]] = defaultdict(set)
        for root, event in self.latest("Root, EventId", "journey_events", "Root, EventId"):
            journeys[names[root]].add(event)
        ambiguous = self.latest("EventId, AmbiguousLinks", "event_state", "EventId")
        return Result(
            journeys={root: frozenset(events) for root, events in journeys.items()},
            objects={
                names[number]: ObjectState(state, frozenset(names[root] for root in roots), depth)
                for number, state, roots, depth in objects
            },
            canonical={names[key]: names[number] for key, _ns, _value, number, _alias in rows},
            aliases={names[key]: alias for key, _ns, _value, _number, alias in rows},
            edges=frozenset((names[parent], names[child]) for parent, child in self._uncut()),
            ambiguous_links={event: count for event, count in ambiguous if count},
        )

    def folded(self) -> dict[Key, tuple[int, bool]]:
        """(number of events, whether an orphan) of each folded journey, by root."""
        keys = self.latest("Key, Namespace, Value", "keys", "Key")
        names = Names({key: (namespace, value) for key, namespace, value in keys})
        rows = self.latest("Root, Events, Orphan", "journey_state", "Root")
        return {names[root]: (events, bool(orphan)) for root, events, orphan in rows}

    def _uncut(self) -> set[tuple[int, int]]:
        """Pairs (parent, child) with an edge that no later cut removes."""
        rows = self.latest(
            "Parent, Child, toString(Rule), Time, EventId",
            "edges",
            "Child, Parent, EventId, Rule",
        )
        said: dict[tuple[int, int], list[tuple[datetime, int, bool]]] = defaultdict(list)
        for parent, child, rule, time, event in rows:
            if rule in {"explicit", "cut"}:
                said[parent, child].append((time, event, rule == "cut"))
        cut = {pair for pair, statements in said.items() if max(statements)[2]}
        return {(row[0], row[1]) for row in rows if row[2] != "cut"} - cut

    def check(self) -> Result:
        """Assert that tables equal the reference and exactly its journeys are folded; give what is stored."""
        expected, stored = self.expected(), self.stored()
        assert difference(expected, stored) == {}
        assert self.folded() == journeys_of(expected)
        return stored

    def settle(self, *statements: Statement) -> Result:
        """Say, correlate, check."""
        self.say(*statements)
        self.tick()
        return self.check()

    def close(self) -> None:
        """A rebuild of what was said changes nothing."""
        live = self.stored()
        self.rebuild()
        assert difference(self.check(), live) == {}

    def in_words(self, result: Result) -> dict[str, set[str]]:
        """Journeys: root to names of events."""
        names = {self.number(one.name): one.name for one in self.said}
        found = result.journeys.items()
        return {":".join(root): {names[event] for event in events} for root, events in found}

    def generation(self) -> int:
        """The generation that readers see."""
        rows = self._rows(
            "SELECT Generation FROM generations WHERE Tenant = {tenant:String} "
            "AND Process = {process:String} ORDER BY Version DESC LIMIT 1",
            process=self.process.id,
        )
        return int(rows[0][0])

    def latest(self, columns: str, table: str, key: str) -> list[tuple[Any, ...]]:
        """Rows of a journey table that are not deleted, of the active generation."""
        return self._rows(
            f"SELECT {columns} FROM (SELECT * FROM {table} WHERE Tenant = {{tenant:String}} "
            f"AND Process = {{process:String}} AND Generation = {{generation:UInt32}} "
            f"ORDER BY Version DESC LIMIT 1 BY {key}) WHERE NOT Deleted",
            process=self.process.id,
            generation=self.generation(),
        )

    def _rows(self, sql: str, **parameters: object) -> list[tuple[Any, ...]]:
        found = self.store.query(sql, {"tenant": self.tenant, **parameters}, role=Role.CORRELATOR)
        return [tuple(row) for row in found.result_rows]


def journeys_of(result: Result) -> dict[Key, tuple[int, bool]]:
    """(number of events, whether an orphan) of each journey, by root: what folding has to say."""
    return {
        root: (len(events), result.objects[root].state == "orphan")
        for root, events in result.journeys.items()
    }


def difference(expected: Result, stored: Result) -> dict[str, tuple[object, object]]:
    """What differs, by field: (only expected, only stored). Keys that nothing names any more may linger."""
    known = set(expected.canonical)
    stored = replace(
        stored,
        canonical={key: value for key, value in stored.canonical.items() if key in known},
        aliases={key: value for key, value in stored.aliases.items() if key in known},
    )
    pairs: Mapping[str, tuple[object, object]] = {
        "edges": (expected.edges - stored.edges, stored.edges - expected.edges),
    } | {
        name: _unequal(getattr(expected, name), getattr(stored, name))
        for name in ("journeys", "objects", "canonical", "aliases", "ambiguous_links")
    }
    return {name: pair for name, pair in pairs.items() if any(pair)}


def _unequal(expected: dict[Any, Any], stored: dict[Any, Any]) -> tuple[dict[Any, Any], dict[Any, Any]]:
    return (
        {key: value for key, value in expected.items() if stored.get(key) != value},
        {key: value for key, value in stored.items() if expected.get(key) != value},
    )
