"""Closed periods: the figures and journeys of an entity and period as they stood, stored once and for all."""

from __future__ import annotations

import json
import re
import uuid
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from throughline.collector.store import Role, Store, load_queries
from throughline.correlator.compare_figures import micros
from throughline.correlator.link import expand
from throughline.correlator.picture import THEN, Picture
from throughline.probes.errors import ThroughlineError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from throughline.correlator.definition import Process
    from throughline.correlator.workspace import Workspace

BLOCKS = load_queries("throughline.correlator", "closing")
SQL = {name: expand(text, BLOCKS, {}) for name, text in BLOCKS.items()}
LATEST = datetime(2299, 1, 1, tzinfo=UTC)
_PERIOD = re.compile(r"(\d{4})(?:-(?:(0[1-9]|1[0-2])|Q([1-4])))?")
_COLUMNS = (
    "Tenant", "Id", "Process", "Entity", "Period", "FirstDay", "LastDay", "Number", "ClosedAt", "ClosedBy",
    "Reason", "CorrelatedUntil", "DefinitionHash", "DefinitionVersion", "Journeys", "Figures", "Snapshot",
)  # fmt: skip


class NotClosable(ThroughlineError):
    """A period can't be closed as asked; the message says what to do."""


@dataclass(frozen=True)
class ToClose:
    """What is to be closed, by whom and why."""

    id: str
    tenant: str
    entity: str
    period: str
    by: str
    reason: str
    now: datetime


@dataclass(frozen=True)
class Closing:
    """One closing. `number` counts those of the same process, entity and period from 1."""

    id: str
    process: str
    entity: str
    period: str
    first_day: date
    last_day: date
    number: int
    closed_at: datetime
    closed_by: str
    reason: str
    correlated_until: datetime
    definition_hash: str
    definition_version: int
    journeys: int
    figures: dict[str, Any]
    snapshot: str

    @property
    def scope(self) -> dict[str, str]:
        """What belongs to it, as the block `of_period` takes it."""
        return scope_of(self.entity, self.first_day, self.last_day)


class Closings:
    """Reads closings of one tenant, and makes new ones."""

    def __init__(self, store: Store, tenant: str, role: Role) -> None:
        self._store, self._tenant, self._role = store, tenant, role

    def listed(
        self, *, limit: int = 100, after: tuple[datetime, str] | None = None, **wanted: str
    ) -> list[Closing]:
        """One page, newest first; `wanted` are `id`, `process`, `entity`, `period`."""
        closed, last = after or (LATEST, "")
        given = {"id": "", "process": "", "entity": "", "period": "", **wanted}
        place = {"after_closed": micros(closed), "after_id": last, "limit": limit}
        rows = self._rows("closings", {**given, **place})
        return [_closing(row) for row in rows]

    def one(self, identity: str) -> Closing | None:
        """A closing by its id."""
        return next(iter(self.listed(id=identity, limit=1)), None) if identity else None

    def journeys(self, closing: Closing, *, limit: int, after: int = 0) -> list[dict[str, Any]]:
        """Journeys of a closing, as they stood; `after` is the root of the last one seen."""
        given = {"snapshot": closing.snapshot, "after_root": after, "limit": limit}
        rows = self._rows("journeys_closed", given)
        for row in rows:
            row["milestones"] = {
                name: {"state": state, "met_at": _utc(met), "due_at": _utc(due)}
                for name, state, met, due in (
                    tuple(one.values()) if isinstance(one, dict) else one for one in row["milestones"]
                )
            }
        return rows

    def restatement(self, closing: Closing) -> dict[str, Any] | None:
        """What was found out last about what is known now."""
        rows = self._rows("restatement", {"id": closing.id})
        found: dict[str, Any] | None = json.loads(rows[0]["Result"]) if rows else None
        return found

    def late_events(self, closing: Closing, *, limit: int = 200) -> list[dict[str, Any]]:
        """Events of its journeys that came late, latest first; `total` of each says how many there are."""
        given = {
            "process": closing.process,
            "snapshot": closing.snapshot,
            "at": micros(closing.closed_at),
            "known": micros(closing.correlated_until),
            "limit": limit,
        }
        return self._rows("late_since", given)

    def refuse_again(self, process: str, entity: str, period: str, reason: str) -> int:
        """Return the number that the next closing of a period gets.

        Raises: NotClosable, without a reason for closing it again.
        """
        last = next(iter(self.listed(process=process, entity=entity, period=period, limit=1)), None)
        if last is not None and not reason.strip():
            raise NotClosable(
                f"{process} of {entity} for {period} was closed on {last.closed_at:%Y-%m-%d %H:%M} UTC by "
                f"{last.closed_by}; what was reported stays. To close it again give a reason."
            )
        return last.number + 1 if last else 1

    def make(
        self, asked: ToClose, process: Process, correlated_until: datetime, workspace: Workspace
    ) -> Closing:
        """Close a period: its journeys first, then the closing itself. Made once, however often it is tried.

        Raises: NotClosable, StoreError.
        """
        made = self.one(asked.id)
        if made is not None:
            return made
        number = self.refuse_again(process.id, asked.entity, asked.period, asked.reason)
        first, last = days_of(asked.period)
        snapshot = uuid.uuid4().hex
        given = {"process": process.id, "snapshot": snapshot, "now": micros(asked.now)}
        self._do("take", given | scope_of(asked.entity, first, last))
        journeys = int(self._rows("taken", {"snapshot": snapshot})[0]["count()"])
        if not journeys:
            raise NotClosable(f"No journey of {process.id} belongs to {asked.entity} and {asked.period}.")
        picture = Picture(self._store, workspace, self._tenant, process, asked.now)
        picture.fill_closed(snapshot)
        definition = self._rows("in_use", {"process": process.id})[0]
        what = (process.id, asked.entity, asked.period, first, last, number)
        who = (asked.now, asked.by, asked.reason.strip(), correlated_until)
        found = (*definition.values(), journeys, json.dumps(picture.figures(THEN)), snapshot)
        row = (self._tenant, asked.id, *what, *who, *found)
        self._store.insert_rows("closings", [row], _COLUMNS, role=self._role)
        return next(one for one in [self.one(asked.id)] if one)

    def keep(self, closing: Closing, result: Mapping[str, Any], known_at: datetime) -> None:
        """Store what is known of a closed period now."""
        row = (self._tenant, closing.id, known_at, json.dumps(result))
        columns = ("Tenant", "Closing", "KnownAt", "Result")
        self._store.insert_rows("closing_restatements", [row], columns, role=self._role)

    def _do(self, name: str, given: Mapping[str, object]) -> None:
        self._store.command(SQL[name], {"tenant": self._tenant, **given}, role=self._role)

    def _rows(self, name: str, given: Mapping[str, object]) -> list[dict[str, Any]]:
        found = self._store.query(SQL[name], {"tenant": self._tenant, **given}, role=self._role)
        return [
            {name: _utc(value) for name, value in zip(found.column_names, row, strict=True)}
            for row in found.result_rows
        ]


def days_of(period: str) -> tuple[date, date]:
    """The first and last day (inclusive, UTC) of `2026`, `2026-Q1` or `2026-03`.

    Raises: NotClosable.
    """
    found = _PERIOD.fullmatch(period)
    if not found or not 1900 <= int(found[1]) < 2299:  # noqa: PLR2004 - what Date32 holds
        raise NotClosable(f"'{period}' is no period: write it like 2026-03, 2026-Q1 or 2026.")
    year, month, quarter = int(found[1]), found[2], found[3]
    start, months = (int(month), 1) if month else (3 * int(quarter) - 2, 3) if quarter else (1, 12)
    follows = start + months
    after = date(year + (follows - 1) // 12, (follows - 1) % 12 + 1, 1)
    return date(year, start, 1), after - timedelta(days=1)


def scope_of(entity: str, first: date, last: date) -> dict[str, str]:
    """What belongs to an entity and period, as the block `of_period` takes it."""
    return {"entity": entity, "first_day": first.isoformat(), "last_day": last.isoformat()}


def _closing(row: Mapping[str, Any]) -> Closing:
    values = [row[name] for name in _COLUMNS[1:]]
    values[-2] = json.loads(values[-2])
    return Closing(*values)


def _utc(value: Any) -> Any:
    return value.replace(tzinfo=UTC) if isinstance(value, datetime) and value.tzinfo is None else value
