"""Logs of other tools: what becomes of each part, what is refused, and that nothing gets lost unsaid."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.dashboards.ocel_logs import DATABASE, LOG, SHIPPED, changed, facts_of, written
from tests.dashboards.ocel_rules import require_json, require_sqlite
from throughline.dashboards.ocel import model
from throughline.dashboards.ocel.exchange import WRITERS
from throughline.dashboards.ocel.facts import Fact, namespaces
from throughline.dashboards.ocel.model import Event, InvalidLog, Object, iso, nanoseconds


@pytest.mark.parametrize(("suffix", "content"), [(".json", LOG), (".sqlite", DATABASE)])
def test_every_part_of_a_log_becomes_a_fact(
    tmp_path: Path, suffix: str, content: dict[str, Any] | str
) -> None:
    """Events with keys, attributes as text and qualifiers; values of objects and lone objects as evidence at
    their time, or at the first event; relations between objects as links, either way round.
    """
    facts, tally = facts_of(written(tmp_path / f"log{suffix}", content))
    told = {fact.attributes["business.event.id"]: fact for fact in facts}
    assert not tally.missing
    first = nanoseconds("2026-03-01T08:00:00.123456789Z")
    assert first is not None
    assert told.pop("log/e1") == Fact("log", "log", first, "Create Order", {
        "total": "100.1", "lines": "2", "urgent": "true",
        "business.key.Line_Item": ["i1", "i2"], "business.key.Order": "o1",
        "ocel.qualifiers": '[["Order:o1", "placed"]]',
        "business.event": "Create Order", "business.event.id": "log/e1",
    })  # fmt: skip
    assert told.pop("log/e2").nanos == nanoseconds("2026-03-02T07:00:00Z")
    unknown = {"business.time.precision": "unknown"}
    assert told.pop("log/objects/o1/0") == Fact("log", "log", first, "", {
        "state": "new", "business.key.Order": "o1", "business.event.id": "log/objects/o1/0", **unknown,
    })  # fmt: skip
    since = nanoseconds("2026-03-02T00:00:00Z")
    assert told.pop(f"log/objects/o1/{since}").attributes["state"] == "open"
    assert told.pop("log/objects/alone/0").attributes["business.key.Line_Item"] == "alone"
    link = told.pop("log/links/o1/0")
    assert link.attributes["business.link"] == [
        "Order:o1>Line_Item:i1", "Line_Item:i1>Order:o1", "Order:o1>Line_Item:i2", "Line_Item:i2>Order:o1",
    ]  # fmt: skip
    assert '"contains"' in link.attributes["ocel.qualifiers"]
    assert told == {}


def test_what_cannot_be_carried_is_counted(tmp_path: Path) -> None:
    """Times out of range, relations to nothing, ids that link nothing: each with how many and an example."""
    relations = [{"objectId": name, "qualifier": ""} for name in ("nowhere", "n/a", "spaced ")]
    log = {
        "eventTypes": [],
        "objectTypes": [],
        "events": [
            {"id": "old", "type": "t", "time": "1980-01-01T00:00:00Z"},
            {"id": "new", "type": "t", "time": "2026-11-22T10:00:00Z"},
            {"id": "fine", "type": "t", "time": "2026-11-21T09:00:00Z", "relationships": relations},
        ],
        "objects": [
            {"id": "spaced ", "type": "o"},
            {"id": "n/a", "type": "o", "relationships": [{"objectId": "a>b", "qualifier": ""}]},
            {
                "id": "a>b",
                "type": "p",
                "attributes": [{"name": "x", "time": "2030-01-01T00:00:00Z", "value": "1"}],
            },
        ],
    }
    facts, tally = facts_of(written(tmp_path / "log.json", log))
    assert [fact.attributes["business.event.id"] for fact in facts] == ["log/fine", "log/links/n/a/0"]
    assert tally.missing == {
        "relations and values of what the file does not have": 1,
        "objects whose id is a placeholder: they link nothing": 1,
        "spaces around the ids of objects": 1,
        "events before 1990 or in the future": 2,
        "values of objects in the future": 1,
        "links below an object whose id holds '>'": 1,
    }
    assert tally.examples["relations and values of what the file does not have"] == "nowhere"


def test_rows_of_nothing_are_counted(tmp_path: Path) -> None:
    """SQLite may relate events and objects that it does not have, and give them values."""
    strays = (
        "INSERT INTO event_object VALUES ('e9', 'o1', ''); INSERT INTO object_object VALUES ('o9', 'o1', '');"
        "INSERT INTO object_Order VALUES ('o9', '2026-03-02', NULL, 'new');"
    )
    facts, tally = facts_of(written(tmp_path / "log.sqlite", DATABASE + strays))
    assert tally.missing == {"relations and values of what the file does not have": 3}
    assert facts == facts_of(written(tmp_path / "plain/log.sqlite", DATABASE))[0]


def test_what_was_added_to_an_export_is_carried(tmp_path: Path) -> None:
    """Of our own events the objects' relations and values follow; those that are new are sent."""
    event = Event(
        "e1", "t", nanoseconds("2026-03-01T08:00:00Z") or 0, {model.SOURCE: "log"}, [("a:1", model.KEY)]
    )
    values = [("business.amount", 2**60, "7"), ("colour", 2**60, "red")]
    relations = [("a:1", "parent a by own"), ("a:1", "brother of")]
    WRITERS[".json"](
        tmp_path / "log.json", [event], [Object("a:1", "a"), Object("b:1", "b", values, relations)]
    )
    facts, tally = facts_of(tmp_path / "log.json")
    assert (tally.derived, tally.missing) == (2, {})
    assert [{name for name in fact.attributes if name[0] != "b"} for fact in facts[1:]] == [
        {"colour"}, {"ocel.qualifiers"},
    ]  # fmt: skip
    assert facts[2].attributes["business.link"] == ["b:1>a:1", "a:1>b:1"]


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("log.json", {"ocel:global-log": {}, "ocel:events": {"e1": {}}}, "is an OCEL 1.0 log"),
        ("log.json", "no JSON at all", "is no JSON"),
        ("log.json", '{"events": [', "is no JSON"),
        ("log.json", "[]", "must be a JSON object"),
        ("log.json", {"rows": []}, "no array eventTypes, objectTypes, events, objects; it has rows"),
        ("log.json", changed(objects={}), "no array objects"),
        ("log.json", changed(events=[7]), r"events\[0\] must be a JSON object"),
        ("log.json", changed(events=[SHIPPED] * 2), r"events\[1\]: the event id 'e2' is there twice"),
        ("log.json", changed(objects=[LOG["objects"][1]] * 2), r"objects\[1\]: the object id 'i1' is there"),
        ("log.json", changed(events=[{"id": "e", "type": "t"}]), r"\[0\]: the time None is no ISO 8601"),
        ("log.json", changed(events=[{"id": "e", "time": "2026-03-01T08:00:00Z"}]), "the type is None"),
        ("log.json", changed(objects=[{"id": "", "type": "t"}]), "the id is ''"),
        ("log.json", changed(events=[{**SHIPPED, "attributes": {}}]), "attributes must be an array"),
        ("log.json", changed(events=[{**SHIPPED, "relationships": [{}]}]), r"relationships\[0\] must be"),
        ("log.sqlite", "CREATE TABLE event (a);", "no table event_map_type, object_map_type, object"),
        ("log.sqlite", DATABASE + "DROP TABLE event_Ship;", "names a table event_Ship for 'Ship'"),
        ("log.sqlite", DATABASE + "DELETE FROM event_Ship;", "the event 'e2' of type 'Ship' is in no table"),
        ("log.sqlite", DATABASE + "DELETE FROM event;", "that the table event does not have"),
        ("log.sqlite", DATABASE + "ALTER TABLE event_Ship DROP ocel_time;", "has no column ocel_time"),
        ("log.jsonl", '{"id": 1}\n', "line 1: the time None"),
        ("log.jsonl", "[]\n", "line 1 must be a JSON object"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said(
    tmp_path: Path, name: str, content: dict[str, Any] | str, sentence: str
) -> None:
    """One sentence: which file, where in it, and what."""
    path = written(tmp_path / name, content)
    with pytest.raises(InvalidLog, match=sentence) as error:
        facts_of(path)
    assert str(path) in str(error.value)


def test_text_is_no_database(tmp_path: Path) -> None:
    """A file of another kind is told by what it holds, or by its name."""
    path = written(tmp_path / "log.txt", "text " * 300).rename(tmp_path / "log.sqlite")
    with pytest.raises(InvalidLog, match=r"is no OCEL 2.0 database: file is not a database"):
        facts_of(path)


def test_what_an_edited_export_may_hold(tmp_path: Path) -> None:
    """Ids of spans that are none are dropped and counted: the event is a log record then."""
    marks = {model.SOURCE: "span", model.TRACE_ID: "hidden", model.SPAN_ID: "hidden"}
    event = Event("e1", "t", 2**60 + 2**59, marks, [("a:1", model.KEY)])
    WRITERS[".json"](tmp_path / "log.json", [event], [Object("a:1", "a")])
    (fact,), tally = facts_of(tmp_path / "log.json")
    assert (fact.source, fact.trace_id, fact.attributes["business.event.id"]) == ("log", "", "e1")
    assert tally.missing == {"trace and span ids that are none": 1}


def test_types_become_namespaces_each_its_own() -> None:
    """What a definition cannot spell becomes an underscore; a name that is taken gets a number."""
    assert namespaces(["Line Item", "Line_Item", "line.item", "Line/Item", "漢"]) == {
        "Line Item": "Line_Item_2", "Line_Item": "Line_Item", "line.item": "line.item",
        "Line/Item": "Line_Item_3", "漢": "object",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("1970-01-01 00:00:01.5", 1_500_000_000),
        ("1970-01-01T01:00:00.000000001+01:00", 1),
        ("1970-01-02", 86_400_000_000_000),
        ("1969-12-31T23:59:59.999999999z", -1),
        ("0001-01-01T00:00:00Z", -(2**63 - 1)),
        ("soon", None),
        ("1970-13-01T00:00:00Z", None),
    ],
)
def test_times_are_read_to_the_nanosecond(text: str, expected: int | None) -> None:
    """Any ISO 8601 date and time; without a zone it is UTC."""
    assert nanoseconds(text) == expected


@given(st.integers(631_152_000 * 10**9, 2**63 - 1))
def test_times_are_written_to_the_nanosecond(nanos: int) -> None:
    """What is written is read."""
    assert nanoseconds(iso(nanos)) == nanos


NAMES = st.text(min_size=1, max_size=8) | st.sampled_from(["a", "A", "ocel_id", "ocel_time", 'x"', "object"])
VALUES = st.text(max_size=20) | st.sampled_from(["", "[]", "null", "\0", "1e999", "\ud7ff\n"])


@settings(max_examples=50)
@given(
    kinds=st.lists(NAMES, min_size=1, max_size=4),
    attributes=st.lists(st.dictionaries(NAMES | st.just(""), VALUES, max_size=5), min_size=1, max_size=4),
    keys=st.lists(st.text(min_size=1, max_size=6), min_size=1, max_size=3, unique=True),
    suffix=st.sampled_from([".json", ".sqlite"]),
)
def test_any_text_comes_back(
    tmp_path_factory: pytest.TempPathFactory,
    kinds: list[str],
    attributes: list[dict[str, str]],
    keys: list[str],
    suffix: str,
) -> None:
    """Whatever types, attributes, values and ids hold: it is valid when written, and the same when read."""
    path = tmp_path_factory.mktemp("any") / f"log{suffix}"
    relations = [(model.object_id("a.b", key), model.KEY) for key in keys]
    events = [
        Event(
            str(number), kinds[number % len(kinds)], 2**60 + number, {**said, model.SOURCE: "log"}, relations
        )
        for number, said in enumerate(attributes)
    ]
    objects = [Object(name, "a.b", [("business.customer", 2**60, name)]) for name, _ in relations]
    WRITERS[suffix](path, events, objects)
    if suffix == ".json":
        require_json(path)
    else:
        require_sqlite(path)
    facts, tally = facts_of(path)
    assert tally.derived == len(objects)
    for event, fact in zip(events, sorted(facts, key=lambda fact: fact.nanos), strict=True):
        carried = dict(fact.attributes)
        assert (fact.event, carried.pop("business.event")) == (event.type, event.type)
        named = carried.pop("business.key.a.b")
        assert {named} if isinstance(named, str) else set(named) == set(keys)
        assert carried.pop("business.event.id") == event.id
        assert carried == attributes[int(event.id)]
