"""What needs a human now: open exceptions by cause, most pressing first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from throughline.collector.store import load_queries
from throughline.correlator.causes import written_out
from throughline.correlator.replay.suggesting import Suggestion, suggest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from datetime import datetime

    from throughline.correlator.replay.facts import Facts
    from throughline.correlator.replay.targets import Targets
    from throughline.dashboards.reader import Reader, Row

SQL = written_out(load_queries("throughline.dashboards", "triage"))
MOST = 10_000
_SEVERITIES = {1: "low", 2: "medium", 4: "high", 8: "critical"}
BASIS = (
    "A failed event counts once, and so does its amount, however many objects and processes it is about. "
    "Journeys of several processes that begin with the same object are one."
)
"""What the counts and the money of a cause are."""


@dataclass(frozen=True)
class TriageFilter:
    """Which exceptions; an empty text means any."""

    process: str = ""
    owner: str = ""
    class_: str = ""


class Triage:
    """The queue of one tenant, at one clock reading."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    def causes(self, wanted: TriageFilter, *, limit: int = 100) -> list[Row]:
        """Open exceptions by cause, of all `processes` that see it; `amounts` by `currencies`."""
        parameters = {
            "process": wanted.process,
            "owner": wanted.owner,
            "class": wanted.class_,
            "limit": limit,
        }
        rows = self._reader.rows(SQL["causes"], parameters)
        return [{**row, "severity": _SEVERITIES[row["weight"]]} for row in rows]

    def of_cause(self, fingerprint: str, process: str = "", *, limit: int = MOST) -> list[Row]:
        """The open exceptions of the cause of a fingerprint, in one process or in all, the most money first.

        Of each `failure` those of one process are `shown`; the others, behind them, are about the same.
        """
        parameters = {"fingerprint": fingerprint, "process": process, "limit": limit}
        return self._reader.rows(SQL["of_cause"], parameters)

    def owners(self) -> list[Row]:
        """Open failures by owner."""
        return self._reader.rows(SQL["owners"], {})


def with_others(meant: Sequence[Row], rows: Sequence[Row]) -> list[Row]:
    """Rows of a cause, and what other processes know of the failures whose shown rows are all among them."""
    ids = {row["id"] for row in meant}
    in_part = {row["failure"] for row in rows if row["shown"] and row["id"] not in ids}
    whole = {row["failure"] for row in meant} - in_part
    others = (row for row in rows if not row["shown"] and row["failure"] in whole and row["id"] not in ids)
    return [*meant, *others]


def sentence(row: Row, now: datetime) -> str:
    """What happened and since when, as one sentence."""
    what = row["event"] or f"the check {row['code']}"
    many = f"{row['failures']:,} times" if row["failures"] > 1 else "once"
    days = (now - row["since"]).days
    since = f"for {days} days" if days > 1 else f"since {row['since']:%d %b, %H:%M} UTC"
    return f"{what} failed {many}, {since}: {row['message'] or row['code'] or row['class']}"


@dataclass(frozen=True)
class Advice:
    """What to do about a cause: what a replay would do, and the records of its latest exception, by key."""

    suggestion: Suggestion
    records: dict[str, str]


def advice(
    facts: Iterable[Facts],
    targets: Targets,
    records: Callable[[Iterable[str]], dict[str, str]],
    now: datetime,
) -> dict[str, Advice]:
    """By exception."""
    found = {}
    for one in facts:
        keys = dict.fromkeys([one.subject_name, *(f"{name}:{key}" for name, key in one.failure.keys.items())])
        found[one.id] = Advice(suggest(one, targets, now), records(key for key in keys if key))
    return found
