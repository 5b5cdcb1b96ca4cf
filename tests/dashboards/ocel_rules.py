"""What OCEL 2.0 asks of a file, written down from the specification: schema for JSON, constraints for SQLite.

The published schema states no licence, so it is not copied; this one is stricter than it: every file that is
valid here has the members, types and required fields of https://www.ocel-standard.org/2.0/ocel20-schema-json.json.
Source: https://www.ocel-standard.org/2.0/ocel20_specification.pdf (sections 6 and 8),
https://www.ocel-standard.org/specification/formats/json/, .../sqlite/
"""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any

import jsonschema

ATTRIBUTE_TYPES = ("string", "time", "integer", "float", "boolean")


def _array(**fields: Any) -> dict[str, Any]:
    """An array of objects that have exactly these fields."""
    members = {
        "type": "object",
        "properties": fields,
        "required": list(fields),
        "additionalProperties": False,
    }
    return {"type": "array", "items": members}


_TEXT = {"type": "string"}
_TIME = {"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z$"}
_TYPES = _array(name=_TEXT, attributes=_array(name=_TEXT, type={"enum": list(ATTRIBUTE_TYPES)}))
_RELATIONSHIPS = _array(objectId=_TEXT, qualifier=_TEXT)
SCHEMA = {
    "type": "object",
    "properties": {
        "eventTypes": _TYPES,
        "objectTypes": _TYPES,
        "events": _array(
            id=_TEXT,
            type=_TEXT,
            time=_TIME,
            attributes=_array(name=_TEXT, value=_TEXT),
            relationships=_RELATIONSHIPS,
        ),
        "objects": _array(
            id=_TEXT,
            type=_TEXT,
            attributes=_array(name=_TEXT, time=_TIME, value=_TEXT),
            relationships=_RELATIONSHIPS,
        ),
    },
    "required": ["eventTypes", "objectTypes", "events", "objects"],
    "additionalProperties": False,
}


def require_json(path: Path) -> dict[str, Any]:
    """Assert that a file is valid and consistent in itself; return what it holds."""
    log: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    jsonschema.Draft7Validator(SCHEMA).validate(log)
    ids = [one["id"] for one in log["objects"]]
    assert len(ids) == len(set(ids))
    events = [one["id"] for one in log["events"]]
    assert len(events) == len(set(events))
    for what in ("event", "object"):
        declared = {kind["name"]: {one["name"] for one in kind["attributes"]} for kind in log[f"{what}Types"]}
        assert len(declared) == len(log[f"{what}Types"])
        for one in log[f"{what}s"]:
            assert {attribute["name"] for attribute in one["attributes"]} <= declared[one["type"]]
            assert {relation["objectId"] for relation in one["relationships"]} <= set(ids)
            pairs = Counter(
                (relation["objectId"], relation["qualifier"]) for relation in one["relationships"]
            )
            assert set(pairs.values()) <= {1}
    return log


def require_sqlite(path: Path) -> None:
    """Assert that a database has the tables, columns, keys and references of the relational format."""
    with closing(sqlite3.connect(path)) as database:
        tables = {name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        fixed = {"event", "object", "event_map_type", "object_map_type", "event_object", "object_object"}
        mapped = {
            what: dict(_rows(database, f"SELECT * FROM {what}_map_type")) for what in ("event", "object")
        }
        typed = {what: {f"{what}_{name}" for name in mapped[what].values()} for what in mapped}
        assert tables == fixed | typed["event"] | typed["object"]
        for what, other in (("event", "object"), ("object", "object")):
            source, target = ("event", "object") if what == "event" else ("source", "target")
            columns = (f"ocel_{source}_id", f"ocel_{target}_id", "ocel_qualifier")
            assert _primary(database, f"{what}_{other}") == set(columns)
            assert _references(database, f"{what}_{other}") == {
                (columns[0], what, "ocel_id"),
                (columns[1], other, "ocel_id"),
            }
            assert _primary(database, what) == {"ocel_id"}
            assert _primary(database, f"{what}_map_type") == {"ocel_type"}
            assert _references(database, what) == {("ocel_type", f"{what}_map_type", "ocel_type")}
            for kind, name in mapped[what].items():
                table = f"{what}_{name}"
                assert _columns(database, table)["ocel_time"] == "TIMESTAMP"
                assert ("ocel_changed_field" in _columns(database, table)) == (what == "object")
                assert _primary(database, table) == ({"ocel_id"} if what == "event" else set())
                assert _references(database, table) == {("ocel_id", what, "ocel_id")}
                owners = set(_rows(database, f'SELECT DISTINCT ocel_id FROM "{table}"'))
                known = f"SELECT ocel_id FROM {what} WHERE ocel_type = ?"
                assert owners == set(_rows(database, known, kind))
        assert _rows(database, "PRAGMA foreign_key_check") == []


def _rows(database: sqlite3.Connection, sql: str, *values: str) -> list[tuple[Any, ...]]:
    return database.execute(sql, values).fetchall()


def _columns(database: sqlite3.Connection, table: str) -> dict[str, str]:
    return {row[1]: row[2] for row in _rows(database, f'PRAGMA table_info("{table}")')}


def _primary(database: sqlite3.Connection, table: str) -> set[str]:
    return {row[1] for row in _rows(database, f'PRAGMA table_info("{table}")') if row[5]}


def _references(database: sqlite3.Connection, table: str) -> set[tuple[str, str, str]]:
    return {(row[3], row[2], row[4]) for row in _rows(database, f'PRAGMA foreign_key_list("{table}")')}
