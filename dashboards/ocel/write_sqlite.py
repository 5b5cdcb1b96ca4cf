"""OCEL 2.0 as a SQLite database: a table per type, which gets a column when an attribute comes first.

Source: https://www.ocel-standard.org/2.0/ocel20_specification.pdf, section 6, and its relational constraints
"""

# ruff: noqa: S608 - names become identifiers through `quoted`

from __future__ import annotations

import json
import re
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

from throughline.dashboards.ocel.model import MORE, iso, quoted

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from throughline.dashboards.ocel.model import Event, Object

MOST_COLUMNS = 500
"""Attributes of a type that get a column; SQLite takes 2,000 columns by default."""

SCHEMA = """
CREATE TABLE event_map_type (ocel_type TEXT PRIMARY KEY, ocel_type_map TEXT);
CREATE TABLE object_map_type (ocel_type TEXT PRIMARY KEY, ocel_type_map TEXT);
CREATE TABLE event (ocel_id TEXT PRIMARY KEY, ocel_type TEXT REFERENCES event_map_type (ocel_type));
CREATE TABLE object (ocel_id TEXT PRIMARY KEY, ocel_type TEXT REFERENCES object_map_type (ocel_type));
CREATE TABLE event_object (
    ocel_event_id TEXT REFERENCES event (ocel_id),
    ocel_object_id TEXT REFERENCES object (ocel_id),
    ocel_qualifier TEXT,
    PRIMARY KEY (ocel_event_id, ocel_object_id, ocel_qualifier)
);
CREATE TABLE object_object (
    ocel_source_id TEXT REFERENCES object (ocel_id),
    ocel_target_id TEXT REFERENCES object (ocel_id),
    ocel_qualifier TEXT,
    PRIMARY KEY (ocel_source_id, ocel_target_id, ocel_qualifier)
);
"""
OF_EVENT = "ocel_id TEXT PRIMARY KEY REFERENCES event (ocel_id), ocel_time TIMESTAMP"
OF_OBJECT = "ocel_id TEXT REFERENCES object (ocel_id), ocel_time TIMESTAMP, ocel_changed_field TEXT"


def write_sqlite(path: Path, events: Iterable[Event], objects: Iterable[Object]) -> None:
    """Write a log to a new file; objects are asked for when all events are written."""
    with closing(sqlite3.connect(path)) as database:
        database.executescript(f"PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; {SCHEMA}")
        with database:
            event_types = _Types(database, "event", OF_EVENT)
            for event in events:
                table = event_types.table(event.type)
                database.execute("INSERT INTO event VALUES (?, ?)", (event.id, event.type))
                row = {"ocel_id": event.id, "ocel_time": iso(event.nanos)}
                table.insert(row | table.columns_for(event.attributes))
                _relate(database, "event_object", event.id, event.relations)
            object_types = _Types(database, "object", OF_OBJECT)
            for one in objects:
                _insert_object(database, object_types.table(one.type), one)


def _insert_object(database: sqlite3.Connection, table: _Table, one: Object) -> None:
    """An object is there from the beginning of time, each value from when it is known."""
    database.execute("INSERT INTO object VALUES (?, ?)", (one.id, one.type))
    table.insert({"ocel_id": one.id, "ocel_time": iso(0)})
    for name, since, value in one.values:
        columns = table.columns_for({name: value})
        changed = {"ocel_id": one.id, "ocel_time": iso(since), "ocel_changed_field": next(iter(columns))}
        table.insert(changed | columns)
    _relate(database, "object_object", one.id, one.relations)


def _relate(
    database: sqlite3.Connection, table: str, source: str, relations: Iterable[tuple[str, str]]
) -> None:
    rows = [(source, other, qualifier) for other, qualifier in relations]
    database.executemany(f"INSERT INTO {table} VALUES (?, ?, ?)", rows)


class _Types:
    """The tables of all types of events, or of objects."""

    def __init__(self, database: sqlite3.Connection, what: str, columns: str) -> None:
        self._database = database
        self._what = what
        self._columns = columns
        self._tables: dict[str, _Table] = {}
        self._taken = {"object", "map_type"}  # event_object and the like are tables already

    def table(self, name: str) -> _Table:
        """The table of a type, made when first asked for."""
        if name not in self._tables:
            mapped = _free(re.sub(r"\W+", "", name, flags=re.ASCII) or "Type", self._taken)
            self._taken.add(mapped.lower())
            self._database.execute(f"INSERT INTO {self._what}_map_type VALUES (?, ?)", (name, mapped))
            identifier = quoted(f"{self._what}_{mapped}")
            self._database.execute(f"CREATE TABLE {identifier} ({self._columns})")
            self._tables[name] = _Table(self._database, identifier)
        return self._tables[name]


class _Table:
    """One type's table. Attributes that SQLite cannot name a column after share one, as JSON."""

    def __init__(self, database: sqlite3.Connection, identifier: str) -> None:
        self._database = database
        self._identifier = identifier
        self._known: set[str] = set()
        self._taken = {"ocel_id", "ocel_time", "ocel_changed_field", MORE}

    def columns_for(self, attributes: Mapping[str, str]) -> dict[str, str]:
        """Values by column."""
        columns = {name: value for name, value in attributes.items() if self._has(name)}
        more = {name: value for name, value in attributes.items() if name not in columns}
        if more:
            self._add(MORE)
            columns[MORE] = json.dumps(more, ensure_ascii=False)
        return columns

    def insert(self, row: Mapping[str, str]) -> None:
        """Insert a row, given by column."""
        names, places = ", ".join(map(quoted, row)), ", ".join("?" * len(row))
        self._database.execute(
            f"INSERT INTO {self._identifier} ({names}) VALUES ({places})", tuple(row.values())
        )

    def _has(self, name: str) -> bool:
        if name in self._known:
            return True
        folded = name.lower()
        if not name or "\0" in name or folded in self._taken or len(self._known) >= MOST_COLUMNS:
            return False
        self._taken.add(folded)
        self._add(name)
        return True

    def _add(self, name: str) -> None:
        if name not in self._known:
            self._known.add(name)
            self._database.execute(f"ALTER TABLE {self._identifier} ADD COLUMN {quoted(name)} TEXT")


def _free(name: str, taken: set[str]) -> str:
    """The name, or with a number behind it the first that is not taken."""
    number = 2
    free = name
    while free.lower() in taken:
        free = f"{name}{number}"
        number += 1
    return free
