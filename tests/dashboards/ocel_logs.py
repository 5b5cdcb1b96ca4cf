"""A log as another tool would write it, in both formats, and what a file would send."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from throughline.dashboards.ocel.exchange import READERS
from throughline.dashboards.ocel.facts import Fact, Facts, Tally
from throughline.dashboards.ocel.staging import staging

NOW = datetime(2026, 11, 20, 10, tzinfo=UTC)
LOG: dict[str, Any] = {
    "eventTypes": [{"name": "Create Order", "attributes": [{"name": "total", "type": "float"}]}],
    "objectTypes": [
        {"name": "Order", "attributes": [{"name": "state", "type": "string"}]},
        {"name": "Line Item", "attributes": []},
    ],
    "events": [
        {
            "id": "e1",
            "type": "Create Order",
            "time": "2026-03-01T08:00:00.123456789Z",
            "attributes": [
                {"name": "total", "value": 100.10},
                {"name": "lines", "value": 2},
                {"name": "urgent", "value": True},
                {"name": "note", "value": None},
            ],
            "relationships": [
                {"objectId": "o1", "qualifier": "placed"},
                {"objectId": "i1", "qualifier": ""},
                {"objectId": "i2", "qualifier": ""},
            ],
        },
        {"id": "e2", "type": "Ship", "time": "2026-03-02T08:00:00+01:00", "relationships": []},
    ],
    "objects": [
        {
            "id": "o1",
            "type": "Order",
            "attributes": [
                {"name": "state", "time": "1970-01-01T00:00:00Z", "value": "new"},
                {"name": "state", "time": "2026-03-02T00:00:00Z", "value": "open"},
            ],
            "relationships": [
                {"objectId": "i1", "qualifier": "contains"},
                {"objectId": "i2", "qualifier": "contains"},
            ],
        },
        {"id": "i1", "type": "Line Item"},
        {"id": "i2", "type": "Line Item"},
        {"id": "alone", "type": "Line Item"},
    ],
}
SHIPPED = LOG["events"][1]
DATABASE = """
CREATE TABLE event (ocel_id TEXT, ocel_type TEXT);
CREATE TABLE object (ocel_id TEXT, ocel_type TEXT);
CREATE TABLE event_object (ocel_event_id TEXT, ocel_object_id TEXT, ocel_qualifier TEXT);
CREATE TABLE object_object (ocel_source_id TEXT, ocel_target_id TEXT, ocel_qualifier TEXT);
CREATE TABLE event_map_type (ocel_type TEXT, ocel_type_map TEXT);
CREATE TABLE object_map_type (ocel_type TEXT, ocel_type_map TEXT);
CREATE TABLE event_CreateOrder
    (ocel_id TEXT, ocel_time TEXT, total REAL, lines INTEGER, urgent BOOLEAN, note TEXT);
CREATE TABLE event_Ship (ocel_id TEXT, ocel_time TEXT);
CREATE TABLE object_Order (ocel_id TEXT, ocel_time TEXT, ocel_changed_field TEXT, state TEXT);
CREATE TABLE object_LineItem (ocel_id TEXT, ocel_time TEXT, ocel_changed_field TEXT);
INSERT INTO event_map_type VALUES ('Create Order', 'CreateOrder'), ('Ship', 'Ship');
INSERT INTO object_map_type VALUES ('Order', 'Order'), ('Line Item', 'LineItem');
INSERT INTO event VALUES ('e1', 'Create Order'), ('e2', 'Ship');
INSERT INTO object VALUES ('o1', 'Order'), ('i1', 'Line Item'), ('i2', 'Line Item'), ('alone', 'Line Item');
INSERT INTO event_CreateOrder VALUES ('e1', '2026-03-01 08:00:00.123456789', 100.1, 2, 1, NULL);
INSERT INTO event_Ship VALUES ('e2', '2026-03-02T07:00:00');
INSERT INTO object_Order VALUES
    ('o1', '1970-01-01 00:00:00', NULL, 'new'), ('o1', '2026-03-02 00:00:00', 'state', 'open');
INSERT INTO object_LineItem (ocel_id, ocel_time)
    VALUES ('i1', '1970-01-01'), ('i2', '1970-01-01'), ('alone', '1970-01-01');
INSERT INTO event_object VALUES ('e1', 'o1', 'placed'), ('e1', 'i1', ''), ('e1', 'i2', NULL);
INSERT INTO object_object VALUES ('o1', 'i1', 'contains'), ('o1', 'i2', 'contains');
"""


def written(path: Path, content: dict[str, Any] | str) -> Path:
    """Write a log: JSON, or SQL for SQLite."""
    path.parent.mkdir(exist_ok=True)
    if path.suffix == ".sqlite":
        with closing(sqlite3.connect(path)) as database:
            database.executescript(str(content))
    else:
        path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


def changed(**parts: Any) -> dict[str, Any]:
    """The log with other parts."""
    return {**LOG, **parts}


def facts_of(path: Path) -> tuple[list[Fact], Tally]:
    """What a file called `log` would send, and what not."""
    with staging() as log:
        READERS["".join(path.suffixes)](path, log)
        facts = Facts(log, "log", NOW)
        return list(facts.all()), facts.tally
