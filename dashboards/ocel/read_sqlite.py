"""OCEL 2.0 SQLite into staging.

Source: https://www.ocel-standard.org/2.0/ocel20_specification.pdf, section 6
"""

# ruff: noqa: S608 - names of tables become identifiers through `quoted`

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

from throughline.dashboards.ocel.model import MORE, InvalidLog, quoted
from throughline.dashboards.ocel.staging import texts_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from throughline.dashboards.ocel.staging import Staging

TABLES = ("event_map_type", "object_map_type", "event", "object", "event_object", "object_object")
OWN_COLUMNS = frozenset({"ocel_id", "ocel_time", "ocel_changed_field"})


def read_sqlite(path: Path, log: Staging) -> None:
    """Read a database, which is opened for reading only. Raises: InvalidLog."""
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as database:
            _read(path, database, log)
    except sqlite3.Error as error:
        raise InvalidLog(f"{path} is no OCEL 2.0 database: {error}.") from error


def _read(path: Path, database: sqlite3.Connection, log: Staging) -> None:
    there = {str(name) for (name,) in database.execute("SELECT name FROM sqlite_master")}
    missing = [name for name in TABLES if name not in there]
    if missing:
        raise InvalidLog(f"{path} is no OCEL 2.0 database: it has no table {', '.join(missing)}.")
    for identity, kind in database.execute("SELECT ocel_id, ocel_type FROM object"):
        log.add_object(f"{path}: table object", identity, kind)
    for table, kind in _tables(path, database, there, "event"):
        for row in _rows(path, database, table):
            attributes = _attributes(f"{path}: table {table}", row)
            log.add_event(f"{path}: table {table}", row["ocel_id"], kind, row["ocel_time"], attributes)
    _require_all_events(path, database, log)
    for event, other, qualifier in _columns(database, "event_object", "event_id", "object_id"):
        log.add_relations(f"{path}: table event_object", str(event), [(other, qualifier)])
    for source, other, qualifier in _columns(database, "object_object", "source_id", "target_id"):
        log.add_links(f"{path}: table object_object", str(source), [(other, qualifier)])
    for table, _ in _tables(path, database, there, "object"):
        for row in _rows(path, database, table):
            changed = row.get("ocel_changed_field")
            for name, value in _attributes(f"{path}: table {table}", row).items():
                if changed in (None, "", name, MORE):
                    log.add_value(
                        f"{path}: table {table}", str(row["ocel_id"]), name, row["ocel_time"], value
                    )


def _tables(
    path: Path, database: sqlite3.Connection, there: set[str], what: str
) -> Iterator[tuple[str, str]]:
    """The table of each type."""
    for kind, mapped in database.execute(f"SELECT ocel_type, ocel_type_map FROM {what}_map_type").fetchall():
        table = f"{what}_{mapped}"
        if table not in there:
            raise InvalidLog(f"{path}: {what}_map_type names a table {table} for {kind!r}: there is none.")
        yield table, kind


def _rows(path: Path, database: sqlite3.Connection, table: str) -> Iterator[dict[str, Any]]:
    """Rows of a type's table by column; what is declared as truth is a bool."""
    columns = database.execute(f"PRAGMA table_info({quoted(table)})").fetchall()
    declared = {name: kind.upper() for _, name, kind, *_ in columns}
    missing = {"ocel_id", "ocel_time"}.difference(declared)
    if missing:
        raise InvalidLog(f"{path}: the table {table} has no column {', '.join(sorted(missing))}.")
    for row in database.execute(f"SELECT {', '.join(map(quoted, declared))} FROM {quoted(table)}"):
        yield {
            name: bool(value) if kind == "BOOLEAN" and value in (0, 1) else value
            for (name, kind), value in zip(declared.items(), row, strict=True)
        }


def _attributes(where: str, row: dict[str, Any]) -> dict[str, str]:
    attributes = texts_of({name: value for name, value in row.items() if name not in OWN_COLUMNS})
    try:
        return attributes | texts_of(json.loads(attributes.pop(MORE, "{}")))
    except (ValueError, AttributeError) as error:
        raise InvalidLog(f"{where}: the column {MORE} must hold JSON objects.") from error


def _columns(database: sqlite3.Connection, table: str, *names: str) -> sqlite3.Cursor:
    first, second = names
    return database.execute(f"SELECT ocel_{first}, ocel_{second}, ocel_qualifier FROM {table}")


def _require_all_events(path: Path, database: sqlite3.Connection, log: Staging) -> None:
    """Raise InvalidLog if the table event names one that no table of a type has."""
    if database.execute("SELECT count(*) FROM event").fetchone()[0] == log.events_taken:
        return
    for identity, kind in database.execute("SELECT ocel_id, ocel_type FROM event"):
        if not log.has_event(identity):
            raise InvalidLog(f"{path}: the event {identity!r} of type {kind!r} is in no table of that type.")
    raise InvalidLog(f"{path}: tables of event types hold events that the table event does not have.")
