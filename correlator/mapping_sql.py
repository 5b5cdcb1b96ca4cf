"""From mapping rules to SQL: pure text, no I/O. Names and values stand as quoted literals; every function is
total, so that no span or log record can make a statement fail.

A rule fills in the `business.*` attributes that a row lacks (its own win), and the view that makes business
events of what senders say makes them of these rows too: identities, keys and amounts are read in one place.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from throughline.collector import migrations
from throughline.correlator.expression_parts import quoted
from throughline.correlator.mapping_values import compiled
from throughline.probes import vocabulary as v

if TYPE_CHECKING:
    from collections.abc import Sequence

    from throughline.correlator.mapping import Match, Rule, Signal, Wanted

TABLES = {"spans": "otel_traces", "logs": "otel_logs"}
ATTRIBUTES = {"spans": "SpanAttributes", "logs": "LogAttributes"}
OWN = "OwnAttributes"
"""The attributes as they were sent."""

REVISION_BITS = 24
_SEVERITIES = {"trace": 1, "debug": 5, "info": 9, "warn": 13, "error": 17, "fatal": 21}


@dataclass(frozen=True, slots=True)
class Named:
    """A rule as it is in force: its full name, `<mapping>/<rule>`, and the number of its present meaning."""

    name: str
    revision: int
    rule: Rule
    tenants: tuple[str, ...] = ()
    """Whose rows it maps; empty: everybody's."""


def condition(rule: Rule) -> str:
    """Whether a row of the raw table matches."""
    match, attributes = rule.match, ATTRIBUTES[rule.signal]
    texts: list[tuple[str, Wanted | None]] = [
        ("ServiceName", match.service),
        ("ScopeName", match.scope),
        ("SpanName", match.name),
        ("EventName", match.event_name),
        ("Body", match.body),
    ]
    texts += [(f"{attributes}[{quoted(name)}]", wanted) for name, wanted in match.attributes.items()]
    texts += [(f"ResourceAttributes[{quoted(name)}]", wanted) for name, wanted in match.resource.items()]
    found = [_meets(text, wanted) for text, wanted in texts if wanted is not None]
    return " AND ".join(found[:1] + _states(match) + found[1:])


def first_match(rules: Sequence[Named]) -> str:
    """The number of the first rule that a row matches, counted from 1; 0: none."""
    cases = ", ".join(f"{condition(one.rule)}, {number}" for number, one in enumerate(rules, 1))
    return f"multiIf({cases}, 0)"


def filled(one: Named) -> str:
    """The attributes of a matching row: what the mapping says where the row itself says nothing."""
    rule = one.rule
    pairs = [(v.MAPPING, quoted(one.name))]
    pairs += [(name, compiled(value, rule.signal, OWN).text()) for _, name, value in rule.set.values()]
    if rule.set.subject:
        pairs.append((v.SUBJECT, quoted(rule.set.subject)))
    if rule.set.links:
        texts = ", ".join(compiled(value, rule.signal, OWN).texts() for value in rule.set.links)
        links = f"arrayFilter(x -> x != '', arrayConcat({texts}))"
        pairs.append((v.LINK, f"if(empty({links}), '', toJSONString({links}))"))
    listed = ",\n    ".join(f"{quoted(name)}, {text}" for name, text in pairs)
    return (
        f"mapUpdate({OWN}, CAST(mapFilter((k, v) -> v != '' AND {OWN}[k] = '', map(\n    {listed}\n)),"
        " 'Map(LowCardinality(String), String)'))"
    )


def enriched(rules: Sequence[Named], number: int, window: str) -> str:
    """The rows of a window that a rule (counted from 1) is the first to match, with its attributes."""
    one = rules[number - 1]
    signal = one.rule.signal
    name = ATTRIBUTES[signal]
    matching = condition(one.rule)
    if number > 1:
        matching += f"\n  AND {first_match(rules[: number - 1])} = 0"
    return (
        f"SELECT * REPLACE ({filled(one)} AS {name})\n"
        f"FROM (\n"
        f"SELECT *, {name} AS {OWN}\n"
        f"FROM {TABLES[signal]}\n"
        f"WHERE {window}\n  AND {matching}\n"
        f")"
    )


def events(rules: Sequence[Named], number: int, window: str) -> str:
    """The business events of these rows, as the view makes them.

    Of equal identities the greatest (time, content hash) counts: the hash of a mapped row stands right above
    that of the row it is made from, and its last bits are the rule's revision. So it counts more than the
    row's own event and than what an earlier revision made of it, less than the row's next content, and the
    same row under the same rule is the same event again.
    """
    one = rules[number - 1]
    head, where = _view(one.rule.signal)
    made = (
        f"bitShiftLeft(least(bitShiftRight(ContentHash, {REVISION_BITS}) + 1,"
        f" {2 ** (64 - REVISION_BITS) - 1}), {REVISION_BITS}) + {one.revision}"
    )
    return (
        f"SELECT * REPLACE ({made} AS ContentHash)\n"
        f"FROM (\n{head}\nFROM (\n{enriched(rules, number, window)}\n) AS {TABLES[one.rule.signal]}\n"
        f"WHERE {where}\n)"
    )


@cache
def _view(signal: Signal) -> tuple[str, str]:
    """What the view of a raw table selects, and where: hashes are of the attributes as they were sent."""
    start = f"CREATE MATERIALIZED VIEW IF NOT EXISTS {TABLES[signal]}_to_business_events "
    texts = [text for one in migrations.shipped() for text in one.statements if text.startswith(start)]
    _, _, body = texts[-1].partition(" AS\n")
    head, _, where = body.rpartition(f"FROM {TABLES[signal]}\nWHERE ")
    name = ATTRIBUTES[signal]
    own = head.replace(f"mapSort({name})", f"mapSort({OWN})")
    own = own.replace(f"{name}['{v.EVENT_ID}']", f"{OWN}['{v.EVENT_ID}']")
    return re.sub(r"[ \t]+\n", "\n", own).strip(), where.strip()


def _meets(text: str, wanted: Wanted) -> str:
    if wanted.exists is not None:
        return f"{text} {'!=' if wanted.exists else '='} ''"
    if wanted.regex is not None:
        return f"match({text}, {quoted(wanted.regex)})"
    if wanted.glob:
        return _any_of([f"{text} LIKE {quoted(_like(one))}" for one in wanted.glob])
    if len(wanted.is_) == 1:
        return f"{text} = {quoted(wanted.is_[0])}"
    return f"{text} IN ({', '.join(map(quoted, wanted.is_))})"


def _states(match: Match) -> list[str]:
    found = []
    if match.kind:
        found.append(f"SpanKind IN ({', '.join(quoted(one.capitalize()) for one in match.kind)})")
    if match.status:
        found.append(f"StatusCode IN ({', '.join(quoted(one.capitalize()) for one in match.status)})")
    if match.severity:
        found.append(f"SeverityNumber >= {_SEVERITIES[match.severity]}")
    return found


def _like(glob: str) -> str:
    escaped = re.sub(r"([\\%_])", r"\\\1", glob)
    return escaped.replace("*", "%").replace("?", "_")


def _any_of(conditions: list[str]) -> str:
    return conditions[0] if len(conditions) == 1 else f"({' OR '.join(conditions)})"
