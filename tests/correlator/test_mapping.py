"""Mappings: what is wrong in a file, what a value means, the generated SQL as text, the shipped presets."""

from __future__ import annotations

import json
import os
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from throughline.collector.store import Role, Store
from throughline.correlator.mapper import Mapper
from throughline.correlator.mapping import Mapping
from throughline.correlator.mapping_files import (
    PRESETS,
    InvalidMapping,
    load_mapping,
    load_mappings,
    rules_of,
)
from throughline.correlator.mapping_sql import OWN, Named, events, first_match
from throughline.correlator.mapping_store import MappingStore
from throughline.correlator.mapping_values import Value, compiled

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

NOW = datetime(2026, 5, 4, tzinfo=UTC)
FIXTURES = Path(__file__).parent / "presets"
SNAPSHOT = Path(__file__).parent / "snapshots" / "mapping.sql"
EVERYTHING = """
mapping: everything
tenants: [acme]
rules:
  - name: by-attribute
    match:
      service: [shop, "o'shop"]
      scope: {glob: "com.example.*"}
      name: {regex: "^POST /orders"}
      kind: [server, consumer]
      status: ok
      attributes: {order.id: {exists: true}, "it's": "100%"}
      resource: {deployment.environment: prod}
    set:
      event: order.placed
      keys: {shop.order: "{order.id}", shop.item: {pick: [items, item], split: ","}}
      context_keys: {shop.cart: {value: "{baggage}", regex: "cart=([^;]+)"}}
      subject: shop.order
      links: ["shop.order:{order.id}>shop.item:{item}"]
      amount: {pick: payload, json: "total.amount"}
      currency: {value: "{currency}", upper: true, default: EUR}
      region: {value: "{country}", map: {DE: EMEA, US: AMER}}
      exception: {class: remote, code: "{http.status}"}
      run: {id: "{@trace_id}"}
      attributes: {billing_schedule: {join: ["{plan}", "{resource:cluster}"], by: "-"}}
  - name: by-log
    signal: logs
    match: {event_name: {glob: "order-?_*"}, body: {regex: "paid"}, severity: warn}
    set: {keys: {shop.item: {pick: "@body", json: "items[*].id"}}}
  - name: second
    match: {service: shop}
    set: {event: shop.seen}
"""


def test_generated_sql() -> None:
    """The events of three rules, as text. After an intended change: THROUGHLINE_UPDATE_SNAPSHOTS=1."""
    mapping = load_mapping(EVERYTHING)
    named = [Named(name, number, rule) for number, (name, rule) in enumerate(rules_of(mapping), 1)]
    spans = [one for one in named if one.rule.signal == "spans"]
    logs = [one for one in named if one.rule.signal == "logs"]
    texts = [
        first_match(spans),
        events(spans, 1, "Tenant = 'acme'"),
        events(spans, 2, "1"),
        events(logs, 1, "1"),
    ]
    text = ";\n\n".join(texts) + ";\n"
    if os.environ.get("THROUGHLINE_UPDATE_SNAPSHOTS"):
        SNAPSHOT.write_text(text, encoding="utf-8")
    assert text == SNAPSHOT.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (("service: [shop, \"o'shop\"]", "servise: shop"), r"unknown field 'servise'.*mean 'service'"),
        (("scope: {glob:", "scope: {globb:"), r"unknown field 'globb'.*did you mean 'glob'"),
        (("kind: [server, consumer]", "kind: servr"), r".*did you mean 'server'"),
        (('name: {regex: "^POST /orders"}', 'name: {regex: "(?=x)"}'), r".*no look-around"),
        (('name: {regex: "^POST /orders"}', 'name: {regex: "("}'), r".*no regular expression"),
        (("status: ok", "severity: error"), r".*only logs have it"),
        (('"{order.id}", shop', '"{order.id", shop'), r".*brace without a partner"),
        (('json: "total.amount"', 'json: "a..b"'), r".*is no path"),
        (('run: {id: "{@trace_id}"}', 'run: {id: "{@body}"}'), r".*spans have no @body"),
        (("{pick: [items, item], split", "{pick: [items], value: x, split"), r".*one source.*not 2"),
        (("name: second", "name: by-log"), r".*stands here twice"),
        (("match: {service: shop}", "match: {}"), r".*everything matches"),
        (("set: {event: shop.seen}", "set: {subject: shop.order}"), r".*nothing is said"),
        (("tenants: [acme]", "use: htp-client"), r"no preset 'htp-client'; did you mean 'http-client'"),
        (("billing_schedule:", "business.event:"), r".*field of its own"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_with_its_line(change: tuple[str, str], problem: str) -> None:
    """Each mistake is one sentence with file and line."""
    assert change[0] in EVERYTHING
    line = EVERYTHING[: EVERYTHING.index(change[0])].count("\n") + 1
    with pytest.raises(InvalidMapping, match=f":{line}: .*{problem}"):
        load_mapping(EVERYTHING.replace(*change))


def test_files_are_read_in_order_and_a_broken_one_stops_no_other(tmp_path: Path) -> None:
    """Files count by their names; a name used twice is a mistake."""
    folder = tmp_path / "mappings"
    folder.mkdir()
    (folder / "b.yaml").write_text(EVERYTHING)
    (folder / "a.yaml").write_text("mapping: first\nuse: [n8n]\n")
    (folder / "c.yaml").write_text(EVERYTHING)
    (folder / "d.yaml").write_text("mapping: [")
    loaded = load_mappings(tmp_path)
    assert [one.mapping for one in loaded.mappings] == ["first", "everything"]
    assert ["c.yaml" in str(error) or "d.yaml" in str(error) for error in loaded.errors] == [True, True]
    assert [name for name, _ in rules_of(Mapping(mapping="first", use=("n8n",)))] == ["first/n8n.workflow"]


def member(text: str, path: tuple[str | int, ...]) -> str:
    """What stands at a path of a JSON text, as the engine says it."""
    try:
        found = json.loads(text)
        for step in path:
            found = found[step]
    except (ValueError, LookupError, TypeError):
        return ""
    return found if isinstance(found, str) else ""


REFERENCE: dict[str, Callable[[str, str], str]] = {
    '{"value": "{a}"}': lambda a, _: a,
    '{"value": "x/{a}/{b}"}': lambda a, b: f"x/{a}/{b}" if a and b else "",
    '{"pick": ["a", "b"]}': lambda a, b: a or b,
    '{"join": ["{a}", {"pick": "b"}], "by": "%"}': lambda a, b: f"{a}%{b}" if a and b else "",
    '{"value": "{a}", "map": {"yes": "1", "no": "0"}}': lambda a, _: {"yes": "1", "no": "0"}.get(a, ""),
    '{"value": "{a}", "map": {"yes": "1"}, "default": "?"}': lambda a, _: "1" if a == "yes" else "?",
    '{"pick": "a", "json": "k[0].id"}': lambda a, _: member(a, ("k", 0, "id")),
    '{"of": {"value": "{a}-{b}"}, "regex": "^([a-z]*)-"}': lambda a, b: (
        found[1] if a and b and (found := re.match("([a-z]*)-", f"{a}-{b}")) else ""
    ),
}
"""Values and what they mean."""

TEXTS = st.one_of(
    st.text(max_size=12),
    st.sampled_from(
        ["", "yes", "no", "abc", '{"k": [{"id": "7"}]}', '{"k": [', "[]", "'; DROP", "{a}", "\\", "%"]
    ),
)


@settings(max_examples=8)
@given(st.lists(st.tuples(TEXTS, TEXTS), min_size=1, max_size=40))
def test_values_mean_what_they_say_whatever_stands_there(
    embedded_store: Store, rows: list[tuple[str, str]]
) -> None:
    """Every value agrees with plain Python for any text; no text makes a statement fail."""
    columns = ", ".join(
        compiled(Value.model_validate(json.loads(text)), "spans", OWN).text() for text in REFERENCE
    )
    sql = (
        f"SELECT {columns} FROM (SELECT arrayJoin(arrayZip({{a:Array(String)}}, {{b:Array(String)}})) AS p,"
        f" CAST(map('a', p.1, 'b', p.2), 'Map(LowCardinality(String), String)') AS {OWN})"
    )
    given_rows = {"a": [a for a, _ in rows], "b": [b for _, b in rows]}
    found = embedded_store.query(sql, given_rows, role=Role.ADHOC).result_rows
    assert [tuple(row) for row in found] == [tuple(of(a, b) for of in REFERENCE.values()) for a, b in rows]


def test_several_values(embedded_store: Store) -> None:
    """Split texts and JSON paths over lists give JSON arrays, each text once, steps over each."""
    values = [
        {"value": "a, b,,a", "split": ",", "upper": True},
        {"value": '{{"items": [{{"id": 1}}, {{"id": "x/2"}}, {{}}]}}', "json": "items[*].id"},
        {"value": "no json", "json": "items[*].id"},
        {"of": {"value": "k=1;k=2", "split": ";"}, "regex": "k=(.*)"},
    ]
    texts = [compiled(Value.model_validate(value), "spans", OWN).text() for value in values]
    (row,) = embedded_store.query(f"SELECT {', '.join(texts)}", role=Role.ADHOC).result_rows
    assert [json.loads(text) if text else [] for text in row] == [["A", "B"], ["1", "x/2"], [], ["1", "2"]]


def fixtures() -> list[dict[str, Any]]:
    """All examples, each with the preset's name."""
    return [
        {**example, "preset": path.stem}
        for path in sorted(FIXTURES.glob("*.yaml"))
        for example in YAML(typ="safe").load(path)
    ]


def insert(store: Store, tenant: str, examples: Sequence[dict[str, Any]]) -> None:
    """Store the examples' rows, each a second after the one before."""
    for number, example in enumerate(examples):
        row, time = example["row"], NOW + timedelta(seconds=number)
        common = {
            "Timestamp": time, "TraceId": f"{number + 1:032x}", "SpanId": f"{number + 1:016x}",
            "Tenant": tenant, "ServiceName": row["service"], "ScopeName": row.get("scope", ""),
        }  # fmt: skip
        if example["signal"] == "spans":
            table = "otel_traces"
            own = {
                "SpanName": row["name"], "SpanKind": row["kind"], "StatusCode": row.get("status", "Ok"),
                "SpanAttributes": row["attributes"],
            }  # fmt: skip
        else:
            table, own = "otel_logs", {"LogAttributes": row["attributes"]}
        values = common | own
        store.insert_rows(table, [tuple(values.values())], tuple(values), role=Role.LOADER)


def test_presets(embedded_store: Store) -> None:
    """One mapping uses all of them; each makes of its platform's telemetry what its comment says, and of the
    rest nothing.
    """
    examples = fixtures()
    shipped = sorted(path.stem for path in PRESETS.glob("*.yaml"))
    assert shipped == sorted({example["preset"] for example in examples})
    for name in shipped:
        path = PRESETS / f"{name}.yaml"
        assert load_mapping(path).mapping == name
        assert path.read_text().startswith("#")
        assert "Relies on:" in path.read_text()
    mapping = Mapping(mapping="all", use=tuple(shipped))
    rules = MappingStore(embedded_store).publish([mapping], NOW)
    insert(embedded_store, "presets", examples)
    Mapper(embedded_store).apply("presets", rules, "all", NOW - timedelta(days=1))
    sql = (
        "SELECT TraceId, Event, Keys, Platform, Connection, ExceptionCode, Attributes['business.mapping']"
        " FROM business_events WHERE Tenant = 'presets' ORDER BY TraceId"
    )
    found = {str(row[0]): row[1:] for row in embedded_store.query(sql, role=Role.ADHOC).result_rows}
    for number, example in enumerate(examples, 1):
        event = found.pop(f"{number:032x}", None)
        if "event" not in example:
            assert event is None, example
            continue
        assert event is not None, example
        name, keys, platform, connection, code, rule = event
        assert name == example["event"]
        assert [[key["Namespace"], key["Value"]] for key in keys] == example["keys"]
        assert (platform, connection) == (example.get("platform", ""), example["connection"])
        assert code == example.get("code", "")
        assert rule.startswith(f"all/{example['preset']}.")
    assert found == {}
