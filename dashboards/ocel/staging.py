"""A log on its way in, in a temporary database: files name objects before or behind what uses them, and may
be larger than memory. Relations may still lead to objects that the file does not have.
"""

from __future__ import annotations

import json
import sqlite3
import tempfile
from contextlib import closing, contextmanager
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from throughline.collector.store import load_queries
from throughline.dashboards.ocel.model import SOURCE, Event, InvalidLog, nanoseconds

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

SQL = load_queries("throughline.dashboards", "ocel_staging")


class Staging:
    """One log. Every method that takes `where` raises InvalidLog, which begins with it."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database
        self.ours = False
        """Whether an event says how Throughline received it: the log is an export."""
        self.events_taken = 0
        self.repeated = 0
        """Relations that are there twice."""

    def add_event(
        self, where: str, identity: object, kind: object, time: object, attributes: dict[str, str]
    ) -> str:
        """Take an event and return its id."""
        name = _text(where, "id", identity)
        nanos = _time(where, time)
        self.ours = self.ours or SOURCE in attributes
        row = (name, _text(where, "type", kind), nanos, json.dumps(attributes))
        self._insert(f"{where}: the event id {name!r} is there twice", "event", row)
        self.events_taken += 1
        return name

    def has_event(self, identity: object) -> bool:
        """Whether an event was taken."""
        found = self._database.execute("SELECT 1 FROM event WHERE id = ?", (str(identity),))
        return found.fetchone() is not None

    def add_relations(self, where: str, event: str, relations: Iterable[tuple[object, object]]) -> None:
        """Take relations of an event to objects: id and qualifier."""
        self._relate("relation", where, event, relations)

    def add_object(self, where: str, identity: object, kind: object, value: str | None = None) -> str:
        """Take an object and return its id; `value` is what it is called among those of its type."""
        name = _text(where, "id", identity)
        row = (name, _text(where, "type", kind), name if value is None else value)
        self._insert(f"{where}: the object id {name!r} is there twice", "object", row)
        return name

    def add_value(self, where: str, owner: str, name: str, since: object, value: str) -> None:
        """Take what an attribute of an object is from a time on."""
        row = (owner, _time(where, since), name, value)
        self._database.execute("INSERT INTO value VALUES (?, ?, ?, ?)", row)

    def add_links(self, where: str, source: str, relations: Iterable[tuple[object, object]]) -> None:
        """Take relations of an object to others: id and qualifier."""
        self._relate("link", where, source, relations)

    def mention(self, objects: Iterable[tuple[str, str]]) -> list[str]:
        """The ids of objects, given by type and name, of a file that has no list of them."""
        rows = [(f"{kind}:{value}", kind, value) for kind, value in objects]
        self._database.executemany("INSERT OR IGNORE INTO object VALUES (?, ?, ?)", rows)
        return [name for name, _, _ in rows]

    def events(self) -> Iterator[Event]:
        """Events as they came, without their relations."""
        for name, kind, nanos, attributes in self.rows("events"):
            yield Event(name, kind, nanos, json.loads(attributes))

    def rows(self, query: str, *values: object) -> sqlite3.Cursor:
        """Ask a named question of ocel_staging.sql."""
        return self._database.execute(SQL[query], values)

    def number(self, query: str, *values: object) -> int:
        """Ask for one number; nothing is 0."""
        return int(self.rows(query, *values).fetchone()[0] or 0)

    def _relate(self, table: str, where: str, one: str, relations: Iterable[tuple[object, object]]) -> None:
        rows = [(one, _text(where, "object id", other), str(said or "")) for other, said in relations]
        insert = f"INSERT OR IGNORE INTO {table} VALUES (?, ?, ?)"  # noqa: S608 - one of two names above
        self.repeated += len(rows) - max(self._database.executemany(insert, rows).rowcount, 0)

    def _insert(self, twice: str, table: str, row: tuple[object, ...]) -> None:
        places = ", ".join("?" * len(row))
        try:
            self._database.execute(f"INSERT INTO {table} VALUES ({places})", row)  # noqa: S608 - a name above
        except sqlite3.IntegrityError as error:
            raise InvalidLog(f"{twice}.") from error


@contextmanager
def staging() -> Iterator[Staging]:
    """Give an empty staging; it is gone at the end."""
    with (
        tempfile.TemporaryDirectory(prefix="throughline-ocel-") as folder,
        closing(sqlite3.connect(Path(folder) / "log.db")) as database,
    ):
        database.executescript(SQL["schema"])
        yield Staging(database)


def text_of(value: Any) -> str | None:
    """A scalar as an attribute's text, digits as they are written; None is no value."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float | Decimal):
        return str(value)
    return json.dumps(value, ensure_ascii=False, default=str)


def texts_of(values: Mapping[str, Any]) -> dict[str, str]:
    """Attributes that have a value."""
    return {name: text for name, value in values.items() if (text := text_of(value)) is not None}


def _text(where: str, what: str, value: object) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if not isinstance(value, str) or not value:
        raise InvalidLog(f"{where}: the {what} is {value!r}, it must be a text that is not empty.")
    return value


def _time(where: str, value: object) -> int:
    nanos = nanoseconds(value) if isinstance(value, str) else None
    if nanos is None:
        raise InvalidLog(f"{where}: the time {value!r} is no ISO 8601 date and time.")
    return nanos
