"""Raw rows to business facts: who is an event, its keys, its parents, its identity."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from tests.collector.otlp_samples import logs, spool, traces
from throughline.collector.loader import Loader
from throughline.collector.store import Role

if TYPE_CHECKING:
    from pathlib import Path

    from throughline.collector.store import Store

TRACE, SPAN, PARENT = bytes(range(1, 17)), bytes(range(1, 9)), bytes(range(8, 16))


def events(store: Store, columns: str) -> list[tuple[Any, ...]]:
    """Return columns of business_events."""
    return [
        tuple(row)
        for row in store.query(
            f"SELECT {columns} FROM business_events ORDER BY Time", role=Role.PAGES
        ).result_rows
    ]


def load(store: Store, directory: Path, signal: str, *requests: bytes, **how: Any) -> None:
    """Bring requests into the store."""
    spool(directory / "spool", signal, *requests, **how)
    Loader(store, directory / "spool").drain()


def pairs(value: list[dict[str, str]]) -> list[tuple[str, str]]:
    """Return keys as pairs."""
    return [(key["Namespace"], key["Value"]) for key in value]


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        ({"business.event": "a.b"}, [("a.b", [])]),
        ({"business.key.k": "v"}, [("", [("k", "v")])]),
        ({"business.context.key.k": "v"}, []),
        ({"business.amount": 1}, []),
        ({"business.link": ["a:1>b:2"]}, [("", [])]),
        ({}, []),
    ],
)
def test_which_spans_are_business_facts(
    store: Store,
    tmp_path: Path,
    attributes: dict[str, Any],
    expected: list[tuple[str, list[tuple[str, str]]]],
) -> None:
    """business.event makes an event, a key or a link of its own evidence; context keys alone make nothing."""
    load(store, tmp_path, "traces", traces(attributes=attributes))
    assert [(event, pairs(keys)) for event, keys in events(store, "Event, Keys")] == expected


def test_keys_are_exploded_trimmed_sorted_and_distinct(store: Store, tmp_path: Path) -> None:
    """An array gives several keys; a scalar that starts with a bracket stays; context keys stay apart."""
    attributes = {
        "business.event": "a.b",
        "business.key.z": ["b", " a ", "b", 7],
        "business.key.a": "[draft",
        "business.key.n": 42,
        "business.context.key.c": "x",
        "business.link": ["a:1>b:2", "a:1>b:3"],
        "business.link.cut": "a:1>b:4",
    }
    load(store, tmp_path, "traces", traces(attributes=attributes))
    [(keys, context, links, cuts)] = events(store, "Keys, ContextKeys, Links, Cuts")
    assert pairs(keys) == [("a", "[draft"), ("n", "42"), ("z", "7"), ("z", "a"), ("z", "b")]
    assert (pairs(context), links, cuts) == ([("c", "x")], ["a:1>b:2", "a:1>b:3"], ["a:1>b:4"])


def test_fields_of_a_span_event(store: Store, tmp_path: Path) -> None:
    """Amounts, dimensions, failure and exception come from their attributes."""
    attributes = {
        "business.event": "a.b", "business.key.k": "v", "business.amount": 12.5, "business.currency": "EUR",
        "business.system": "erp", "business.platform": "netsuite", "business.entity": "DE01",
        "business.subject": "k", "business.accounting_date": "2026-01-31", "business.time.precision": "day",
        "business.exception.class": "remote", "business.exception.code": "E7",
        "business.replay.id": "r1", "other": True,
    }  # fmt: skip
    load(store, tmp_path, "traces", traces(attributes=attributes, status={"code": 2, "message": "no"}))
    columns = "Amount, Currency, System, Platform, Entity, Subject, toString(AccountingDate), TimePrecision"
    columns += ", ExceptionClass"
    assert events(
        store,
        columns
        + ", ExceptionCode, ExceptionMessage, ReplayId, Failed, Attributes['other'], toString(Source)",
    ) == [
        (
            Decimal("12.5"),
            "EUR",
            "erp",
            "netsuite",
            "DE01",
            "k",
            "2026-01-31",
            "day",
            "remote",
            "E7",
            "no",
            "r1",
            1,
            "true",
            "span",
        )
    ]


@pytest.mark.parametrize("amount", ["", "twelve", "NaN", "1e400", "[1,2]", "9" * 60])
def test_an_amount_that_is_none_is_null(store: Store, tmp_path: Path, amount: str) -> None:
    """No text in business.amount stops the insert; what is no decimal is no amount."""
    load(store, tmp_path, "traces", traces(attributes={"business.event": "a.b", "business.amount": amount,
                                                       "business.accounting_date": amount}))  # fmt: skip
    assert events(store, "Amount") == [(None,)]


def test_parents_and_identities_of_spans(store: Store, tmp_path: Path) -> None:
    """A span's parents are its parent span and its links, in the identities of span_edges."""
    link = {"trace_id": bytes(15) + b"\x01", "span_id": SPAN}
    child = {
        "trace_id": TRACE,
        "span_id": SPAN,
        "parent_span_id": PARENT,
        "links": [link],
        "attributes": {"business.key.k": "v"},
    }
    load(store, tmp_path, "traces", traces(child, {"trace_id": TRACE, "span_id": PARENT}), tenant="acme")
    span = "reinterpretAsUInt128(sipHash128('span', 'acme', {t:String}, {s:String}))"

    def identity(trace: bytes, span_id: bytes) -> tuple[int, int]:
        sql = f"SELECT sipHash64('acme', {{t:String}}), {span}"
        row = store.query(sql, {"t": trace.hex(), "s": span_id.hex()}, role=Role.PAGES).result_rows[0]
        return int(row[0]), int(row[1])

    expected = sorted([identity(TRACE, PARENT), identity(link["trace_id"], SPAN)])
    [(event_id, parents)] = events(store, "EventId, Parents")
    assert event_id == identity(TRACE, SPAN)[1]
    assert [(parent["Trace"], parent["Span"]) for parent in parents] == expected
    edges = store.query("SELECT Trace, Span, Parents FROM span_edges", role=Role.PAGES).result_rows
    found = {
        (trace, span_id): [(p["Trace"], p["Span"]) for p in parents] for trace, span_id, parents in edges
    }
    assert found == {identity(TRACE, SPAN): expected, identity(TRACE, PARENT): []}
    assert store.query("SELECT Trace FROM trace_inbox", role=Role.PAGES).result_rows == [
        (identity(TRACE, SPAN)[0],)
    ]


def test_log_events(store: Store, tmp_path: Path) -> None:
    """EventName is the event with a key, business.event always; its id or the content identifies."""
    key = {"business.key.k": "v"}
    records: list[dict[str, Any]] = [
        {"event_name": "app.started"},
        {"event_name": "a.b", "attributes": key},
        {"event_name": "a.b", "attributes": key},
        {"event_name": "x", "attributes": key | {"business.event": "c.d", "business.event.id": "7"}},
        {"attributes": key | {"business.event": "c.d", "business.event.id": "7", "business.amount": 2},
         "severity_number": 17, "body": "failed"},
        {"attributes": key, "trace_id": TRACE, "span_id": SPAN},
    ]  # fmt: skip
    load(store, tmp_path, "logs", logs(*records))
    assert sorted(events(store, "Event, Failed, ExceptionMessage, length(Parents), toString(Source)")) == [
        ("", 0, "", 1, "log"), ("a.b", 0, "", 0, "log"), ("a.b", 0, "", 0, "log"),
        ("c.d", 0, "", 0, "log"), ("c.d", 1, "failed", 0, "log"),
    ]  # fmt: skip
    distinct = "SELECT uniqExact(EventId), uniqExact(ContentHash) FROM business_events"
    assert store.query(distinct, role=Role.PAGES).result_rows == [(3, 4)]


def test_cloud_events_are_identified_by_source_and_id(store: Store, tmp_path: Path) -> None:
    """Two deliveries of one CloudEvent have one identity, whatever else differs."""
    given = {"business.event": "a.b", "cloudevents.event_source": "/s", "cloudevents.event_id": "1"}
    records: list[dict[str, Any]] = [
        {"attributes": given},
        {"attributes": given | {"x": 1}},
        {"attributes": given | {"cloudevents.event_id": "2"}},
    ]
    load(store, tmp_path, "events", logs(*records, scope="throughline.cloudevents"))
    result = store.query(
        "SELECT uniqExact(EventId), count(), any(toString(Source)) FROM business_events", role=Role.PAGES
    )
    assert result.result_rows == [(2, 3, "cloudevent")]


def test_rows_of_a_stock_collector_become_facts_too(store: Store) -> None:
    """Columns the exporter knows are enough: our own have defaults."""
    store.command(
        "INSERT INTO otel_traces (Timestamp, TraceId, SpanId, SpanName, SpanAttributes)"
        " SELECT now64(9), 'aa', 'bb', 'x', map('business.event', 'a.b', 'business.key.k', '[\"1\",\"2\"]')",
        role=Role.LOADER,
    )
    [(tenant, keys)] = events(store, "Tenant, Keys")
    assert (tenant, pairs(keys)) == ("default", [("k", "1"), ("k", "2")])
    assert store.query("SELECT count() FROM event_inbox", role=Role.PAGES).result_rows == [(1,)]
