"""What is known of single exceptions: their history, and how past ones of the same cause ended."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from throughline.collector.store import load_queries
from throughline.dashboards.reader import Reader, Row

SQL = load_queries("throughline.dashboards", "exceptions")
HELD_DAYS = 14
"""A fix held if the same did not happen again to the same object for so long."""


@dataclass(frozen=True)
class Fix:
    """How some cases of a cause ended: the reason and the team that people gave, empty where nobody did."""

    resolution: str
    owner: str
    cases: int
    median_seconds: int
    held: int
    recurred: int
    too_early: int


@dataclass
class Memory:
    """All cases of one cause: how many, how many of them are not over, and how the others ended."""

    seen: int = 0
    open: int = 0
    fixes: list[Fix] = field(default_factory=list)


class ExceptionReader:
    """Everything a tenant may see of its exceptions one by one, at one clock reading."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    def one(self, identity: str) -> Row | None:
        """One exception by its id, as lists show it."""
        rows = self._rows("one", id=identity)
        return rows[0] if rows else None

    def subject(self, identity: str) -> int:
        """The object that it is about."""
        return int(self._rows("subject", number=int(identity, 16))[0]["Subject"])

    def histories(self, identities: Sequence[str]) -> dict[str, list[Row]]:
        """The transitions of some exceptions, oldest first. A snooze that is over has ended at its time:
        nothing is written then.
        """
        found: dict[str, list[Row]] = {one: [] for one in identities}
        for row in self._rows("history", numbers=[int(one, 16) for one in identities]) if identities else ():
            found[row.pop("exception")].append(row)
        return {one: _with_ends(rows, self._reader.now) for one, rows in found.items()}

    def memories(self, fingerprints: Sequence[str]) -> dict[str, Memory]:
        """How often some causes were seen, how that ended, and how often the end held."""
        found = {one: Memory() for one in fingerprints}
        wanted = [int(one, 16) for one in found]
        for row in self._rows("memory", fingerprints=wanted, days=HELD_DAYS) if wanted else ():
            memory = found[row.pop("fingerprint")]
            memory.seen += row["cases"]
            if row.pop("ended"):
                memory.fixes.append(Fix(**{**row, "median_seconds": int(row["median_seconds"])}))
            else:
                memory.open += row["cases"]
        return found

    def _rows(self, query: str, **parameters: Any) -> list[Row]:
        return self._reader.rows(SQL[query], parameters)


def _with_ends(rows: list[Row], now: datetime) -> list[Row]:
    """Put in where snoozes ended by themselves."""
    found: list[Row] = []
    for row in rows:
        _end(found, row["at"])
        found.append(row)
    _end(found, now)
    return found


def _end(found: list[Row], moment: datetime) -> None:
    """End the snooze in force, if it ends up to a moment."""
    last: Mapping[str, Any] = next((one for one in reversed(found) if one["kind"] in _ENDING), {})
    if last.get("kind") == "snoozed" and last["until"] <= moment:
        ended = {"at": last["until"], "noticed_at": last["until"], "kind": "unsnoozed", "by": "clock"}
        found.append({**last, **ended, "until": None, "note": ""})


_ENDING = {"snoozed", "unsnoozed", "closed"}
"""What begins or ends a snooze."""
