"""What needs a human now: open exceptions by cause, most pressing first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from throughline.collector.store import load_queries
from throughline.correlator.replay.suggesting import Suggestion, suggest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import datetime

    from throughline.correlator.replay.facts import Facts
    from throughline.correlator.replay.targets import Targets
    from throughline.dashboards.reader import Reader, Row

SQL = load_queries("throughline.dashboards", "triage")
MOST = 10_000


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
        """Open exceptions by fingerprint; `amounts` by `currencies`."""
        parameters = {
            "process": wanted.process,
            "owner": wanted.owner,
            "class": wanted.class_,
            "limit": limit,
        }
        return self._reader.rows(SQL["causes"], parameters)

    def of_cause(self, fingerprint: str, *, limit: int = MOST) -> list[Row]:
        """The open exceptions of one cause, the most money first."""
        return self._reader.rows(SQL["of_cause"], {"fingerprint": fingerprint, "limit": limit})

    def owners(self) -> list[Row]:
        """Open exceptions by owner."""
        return self._reader.rows(SQL["owners"], {})


def sentence(row: Row, now: datetime) -> str:
    """What happened and since when, as one sentence."""
    what = row["event"] or f"the check {row['code']}"
    many = f"{row['exceptions']:,} times" if row["exceptions"] > 1 else "once"
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
