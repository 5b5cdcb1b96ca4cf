"""What a mapping would make of stored telemetry: counts per rule, samples before and after, and names that
are like the wanted ones but do not match.
"""

from __future__ import annotations

from difflib import SequenceMatcher
from typing import TYPE_CHECKING, Any

from throughline.collector.store import Role, Store
from throughline.correlator import mapping_sql
from throughline.correlator.mapping_store import SQL

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from throughline.correlator.mapping import Rule, Wanted
    from throughline.correlator.mapping_sql import Named

SAMPLES = 3
_SIMILAR = 0.6
_SHOWN = 5
_NAMES = {"spans": "toString(SpanName)", "logs": "EventName"}


def preview(
    store: Store, tenant: str, rules: Sequence[Named], since: datetime, until: datetime
) -> list[dict[str, Any]]:
    """Look at the telemetry of a period; nothing is written. Raises: StoreError, of a rule that fails too."""
    period = {
        "tenant": tenant,
        "low": int(since.timestamp() * 1_000_000),
        "high": int(until.timestamp() * 1_000_000),
    }
    look = _Look(store, period)
    found = []
    for one in rules:
        same = [other for other in rules if other.rule.signal == one.rule.signal]
        number = same.index(one) + 1
        found.append(
            {
                "rule": one.name,
                "signal": one.rule.signal,
                **look.counts(same, number),
                "samples": look.samples(same, number),
                "similar": look.similar(one.rule),
            }
        )
    return found


class _Look:
    def __init__(self, store: Store, period: dict[str, Any]) -> None:
        self._store = store
        self._period = period
        self._window = SQL["of_period"]

    def counts(self, rules: Sequence[Named], number: int) -> dict[str, int]:
        """Rows that match, rows that an earlier rule takes, events and evidence made, those without own
        keys, and those of which the sender says something itself.
        """
        one = rules[number - 1]
        table, attributes = mapping_sql.TABLES[one.rule.signal], mapping_sql.ATTRIBUTES[one.rule.signal]
        own = "arrayExists(k -> startsWith(k, 'business.'), mapKeys(" + attributes + "))"
        matching = (
            f"SELECT count(), countIf({mapping_sql.first_match(rules)} != {number}), countIf({own})"  # noqa: S608 - compiled
            f" FROM {table} WHERE {self._window} AND {mapping_sql.condition(one.rule)}"
        )
        made = (
            "SELECT countIf(Event != ''), countIf(Event = ''), countIf(empty(Keys)) FROM ("  # noqa: S608 - compiled
            f"{mapping_sql.events(rules, number, self._window)})"
        )
        matched, shadowed, said = self._rows(matching)[0]
        events, evidence, keyless = self._rows(made)[0]
        return {
            "matched": int(matched), "taken_by_earlier_rules": int(shadowed), "events": int(events),
            "evidence": int(evidence), "without_keys": int(keyless), "with_own_attributes": int(said),
        }  # fmt: skip

    def samples(self, rules: Sequence[Named], number: int) -> list[dict[str, Any]]:
        """Some rows before and after."""
        rule = rules[number - 1].rule
        attributes = mapping_sql.ATTRIBUTES[rule.signal]
        rows = self._rows(
            f"SELECT TraceId, SpanId, toString(ServiceName), {_NAMES[rule.signal]},"  # noqa: S608 - compiled
            f" {mapping_sql.OWN}, mapFilter((k, v) -> NOT has(mapKeys({mapping_sql.OWN}), k)"
            f" OR {mapping_sql.OWN}[k] != v, {attributes})"
            f" FROM ({mapping_sql.enriched(rules, number, self._window)}) LIMIT {SAMPLES}"
        )
        return [
            {"trace_id": trace, "span_id": span, "service": service, "name": name,
             "before": dict(before), "after": dict(sorted(after.items()))}
            for trace, span, service, name, before, after in rows
        ]  # fmt: skip

    def similar(self, rule: Rule) -> list[dict[str, Any]]:
        """Services and names that are like the wanted ones and have no matching row."""
        name = rule.match.name if rule.signal == "spans" else rule.match.event_name
        wanted = (_texts(rule.match.service), _texts(name))
        if not any(wanted):
            return []
        rows = self._rows(
            f"SELECT toString(ServiceName), {_NAMES[rule.signal]} AS Name, count() AS Rows"  # noqa: S608 - compiled
            f" FROM {mapping_sql.TABLES[rule.signal]} WHERE {self._window}"
            f" GROUP BY ServiceName, Name HAVING countIf({mapping_sql.condition(rule)}) = 0"
            " ORDER BY Rows DESC LIMIT 2000"
        )
        rated = [
            (min(_likeness(given, texts) for given, texts in zip(row, wanted, strict=False) if texts), row)
            for row in rows
        ]
        best = sorted((one for one in rated if one[0] >= _SIMILAR), key=lambda one: (-one[0], one[1]))
        return [{"service": row[0], "name": row[1], "rows": int(row[2])} for _, row in best[:_SHOWN]]

    def _rows(self, sql: str) -> Sequence[Sequence[Any]]:
        rows: Sequence[Sequence[Any]] = self._store.query(sql, self._period, role=Role.CORRELATOR).result_rows
        return rows


def _texts(wanted: Wanted | None) -> tuple[str, ...]:
    return () if wanted is None else wanted.is_ or wanted.glob or ((wanted.regex,) if wanted.regex else ())


def _likeness(given: str, texts: Sequence[str]) -> float:
    return max(SequenceMatcher(None, given.lower(), text.lower()).ratio() for text in texts)
