"""Who did what, when and why: acts on exceptions, replays, links, tickets, dead letters, closings."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

import pyarrow as pa
import pyarrow.parquet as pq

from throughline.collector.exception_acts import ExceptionActs
from throughline.collector.store import load_queries
from throughline.correlator.replay.ledger import Ledger
from throughline.correlator.tickets.ledger import TicketLedger
from throughline.dashboards.reader import FIRST_TIME, LAST_TIME
from throughline.probes.errors import ThroughlineError

if TYPE_CHECKING:
    from throughline.collector.control import ControlStore
    from throughline.collector.store import Store
    from throughline.dashboards.reader import Reader, Row

SQL = load_queries("throughline.dashboards", "audit")
ABOUT = ("exception", "replay", "replay item", "link", "ticket", "dead letter", "closing")
COLUMNS = ("at", "actor", "about", "what", "id", "process", "reason", "detail")
MOST_EXPORTED = 100_000
"""Rows of one export."""
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
Format = Literal["csv", "parquet"]
MEDIA = {"csv": "text/csv; charset=utf-8", "parquet": "application/vnd.apache.parquet"}


class TooMany(ThroughlineError):
    """More acts than one export holds; narrow the time."""


@dataclass(frozen=True)
class AuditFilter:
    """Which acts; empty means any. `people` leaves out what the platform did by itself."""

    actor: str = ""
    about: str = ""
    what: str = ""
    id: str = ""
    process: str = ""
    since: datetime | None = None
    until: datetime | None = None
    people: bool = False


class Audit:
    """The acts of one tenant, at one clock reading."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    def acts(
        self, wanted: AuditFilter, *, limit: int, before: tuple[datetime, str] | None = None
    ) -> list[Row]:
        """One page of acts, newest first, before the time and row of the last one seen."""
        at, row = before or (LAST_TIME, "g")
        return self._reader.rows(
            SQL["acts"],
            {
                "actor": wanted.actor, "about": wanted.about, "what": wanted.what, "id": wanted.id,
                "process": wanted.process, "people": int(wanted.people),
                "since": _micro(wanted.since or FIRST_TIME), "until": _micro(wanted.until or LAST_TIME),
                "before_at": _micro(at), "before_row": row, "limit": limit,
            },
        )  # fmt: skip

    def export(self, wanted: AuditFilter, kind: Format) -> bytes:
        """All of them as a file. Raises: TooMany."""
        rows = self.acts(wanted, limit=MOST_EXPORTED + 1)
        if len(rows) > MOST_EXPORTED:
            raise TooMany(f"More than {MOST_EXPORTED:,} acts match: narrow `since` and `until`.")
        return _csv(rows) if kind == "csv" else _parquet(rows)


def refresh(store: Store, control: ControlStore | None) -> None:
    """Bring what was just done from the control store to where it is read. Raises: StoreError."""
    if control is not None:
        ExceptionActs(control).copy(store)
        Ledger(control).copy(store)
        TicketLedger(control).copy(store)


def _csv(rows: list[Row]) -> bytes:
    """Texts that a spreadsheet would take for a formula begin with an apostrophe."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(COLUMNS)
    for row in rows:
        at = row["at"].astimezone(UTC).isoformat(timespec="microseconds")
        writer.writerow([at, *(_harmless(row[name]) for name in COLUMNS[1:])])
    return out.getvalue().encode()


def _harmless(value: Any) -> str:
    text = str(value)
    return f"'{text}" if text.startswith(_FORMULA) else text


def _parquet(rows: list[Row]) -> bytes:
    schema = pa.schema([("at", pa.timestamp("us", tz="UTC")), *((name, pa.string()) for name in COLUMNS[1:])])
    table = pa.table({name: [row[name] for row in rows] for name in COLUMNS}, schema=schema)
    out = io.BytesIO()
    pq.write_table(table, out)
    return out.getvalue()


def _micro(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")
