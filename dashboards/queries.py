"""What pages ask of the store: one method per question, DataFrames out.

Answers are kept for a few seconds and shared by every session of a tenant; the tenant is part of each key.
Callers must not change a frame they are given.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, TypeVar

import pandas as pd

from throughline.collector.store import Role, Store, load_queries
from throughline.correlator.causes import written_out
from throughline.correlator.definition import Process
from throughline.correlator.replay.outcomes import outcomes
from throughline.dashboards.completeness import completeness
from throughline.dashboards.exception_reader import ExceptionReader
from throughline.dashboards.key_graph import key_graph
from throughline.dashboards.likely import Likely
from throughline.dashboards.link_rates import link_rates
from throughline.dashboards.money import By, Figures, Money, Reference
from throughline.dashboards.reader import JourneyFilter, Position, Reader, Row, journey_id
from throughline.dashboards.waiting import of_journey, of_open

SQL = written_out(load_queries("throughline.dashboards", "pages"))
Answer = TypeVar("Answer")
_KEPT = 512
_TOLD = 10
"""Exceptions of a journey whose history is told, the latest ones."""


class Kept:
    """Answers by key, for a while; the same question asked at once is computed once."""

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._clock = clock
        self._answers: OrderedDict[tuple[Any, ...], tuple[float, Any]] = OrderedDict()
        self._asking: dict[tuple[Any, ...], threading.Lock] = {}
        self._lock = threading.Lock()

    def get(self, key: tuple[Any, ...], compute: Callable[[], Answer]) -> Answer:
        """Return the kept answer if it is fresh, else compute and keep it."""
        with self._lock:
            asking = self._asking.setdefault(key, threading.Lock())
        with asking:
            with self._lock:
                known = self._answers.get(key)
            if known is not None and self._clock() < known[0]:
                answer: Answer = known[1]
                return answer
            answer = compute()
            with self._lock:
                self._answers[key] = (self._clock() + self._seconds, answer)
                self._answers.move_to_end(key)
                while len(self._answers) > _KEPT:
                    old, _ = self._answers.popitem(last=False)
                    self._asking.pop(old, None)
            return answer


class PageQueries:
    """The questions of pages, for one tenant at one clock reading."""

    def __init__(self, store: Store, spool: Path, kept: Kept, *, tenant: str, now: datetime) -> None:
        self._store = store
        self._spool = spool
        self._kept = kept
        self._tenant = tenant
        self.now = now
        self._reader = Reader(store, tenant, now)
        self._money = Money(store, tenant, now)

    def status_counts(self, process: str = "") -> pd.DataFrame:
        """Journeys by process and status: process, status, journeys, troubled, last_event_at."""
        return self._frame("status_counts", process=process)

    def at_risk(self, by: By, process: str, currency: str, reference: Reference, *, limit: int) -> Figures:
        """Money in late and stuck journeys, greatest first."""
        key = ("at_risk", self._tenant, by, process, currency, reference, limit)
        return self._kept.get(
            key,
            lambda: self._money.at_risk(
                by, process=process, currency=currency, reference=reference, limit=limit
            ),
        )

    def activation(self, process: str, start: str, end: str) -> pd.DataFrame:
        """Hours between two milestones by week: week, median, p90, journeys; the row without week is over
        all.
        """
        return self._frame("activation", process=process, start=start, end=end)

    def overdue(self, process: str = "", limit: int = 12) -> pd.DataFrame:
        """Late and stuck journeys, longest overdue first."""
        return self._frame("overdue", process=process, limit=limit)

    def names(self, ids: Sequence[str]) -> dict[str, str]:
        """What the root of each journey is called, by the journey's id: `namespace:value`."""

        def compute() -> dict[str, str]:
            found = self._reader.keys([int(one, 16) for one in ids])
            return {journey_id(root): keys[0] for root, keys in found.items() if keys}

        return self._kept.get(("names", self._tenant, *ids), compute)

    def exceptions_by_day(self, process: str = "") -> pd.DataFrame:
        """Exceptions per day: day, opened, resolved."""
        return self._frame("exceptions_by_day", process=process)

    def causes(self, process: str = "") -> pd.DataFrame:
        """Open exceptions by cause."""
        return self._frame("causes", process=process)

    def flow(self, process: str = "") -> pd.DataFrame:
        """Journeys per week: week, opened, completed."""
        return self._frame("flow", process=process)

    def cycles(self, process: str, status: str, *, limit: int, after: tuple[date, str] | None) -> list[Row]:
        """One page of billing cycles, latest period first."""
        key = ("cycles", self._tenant, process, status, limit, after)
        return self._kept.get(
            key, lambda: self._reader.cycles(process=process, status=status, limit=limit, after=after)
        )

    def billing(self, process: str, currency: str, reference: Reference) -> Figures:
        """Money in billing cycles by period and standing."""
        key = ("billing", self._tenant, process, currency, reference)
        return self._kept.get(
            key, lambda: self._money.billing(process=process, currency=currency, reference=reference)
        )

    def sources(self) -> pd.DataFrame:
        """Who sends, quietest first."""
        return self._frame("sources")

    def dimensions(self) -> dict[str, list[str]]:
        """Values to choose from: processes, regions, entities."""
        frame = self._frame("dimensions")
        return {str(name): [str(one) for one in frame[name].iloc[0] if one] for name in frame.columns}

    def spans(self, trace: str) -> pd.DataFrame:
        """The spans of a trace, in order of start."""
        return self._frame("spans", trace=trace)

    def link_rates(self, processes: Sequence[Process]) -> list[Row]:
        """How well systems are joined, by process and level."""
        return self._kept.get(
            ("link_rates", self._tenant, tuple(one.definition_hash for one in processes)),
            lambda: link_rates(self._store, self._tenant, processes),
        )

    def completeness(self) -> dict[str, Any]:
        """The numbers of `/status`."""
        return self._kept.get(
            ("completeness", self._tenant),
            lambda: completeness(self._store, self._spool, self._tenant, self.now),
        )

    def journeys(
        self,
        wanted: JourneyFilter,
        *,
        limit: int,
        after: Position | None = None,
        likely: Likely | None = None,
    ) -> list[Row]:
        """One page of journeys with their keys, newest first."""

        def compute() -> list[Row]:
            rows = self._reader.journeys(wanted, limit=limit, after=after, likely=likely)
            keys = self._reader.keys([row["Root"] for row in rows])
            return [{**row, "keys": keys[row["Root"]]} for row in rows]

        return self._kept.get(("journeys", self._tenant, wanted, limit, after), compute)

    def journey(self, root: int, *, events: int) -> Row | list[int] | None:
        """A journey with its keys, events, links and exceptions, and what is known of the latest of these;
        several roots if the id was absorbed; None if unknown.
        """
        return self._kept.get(("journey", self._tenant, root), lambda: self._journey(root, events))

    def _journey(self, root: int, limit: int) -> Row | list[int] | None:
        reader = self._reader
        journey = reader.journey(root)
        if journey is None:
            roots = reader.absorbed_into(root)
            if len(roots) != 1:
                return roots or None
            journey = reader.journey(roots[0])
            if journey is None:
                return None
        events, total = reader.events(journey["Root"], limit=limit)
        exceptions, known = reader.exceptions_of(journey["Root"]), ExceptionReader(reader)
        told = exceptions[:_TOLD]
        return {
            **journey,
            "keys": reader.keys([journey["Root"]])[journey["Root"]],
            "events": events,
            "events_total": total,
            "links": reader.links(journey["Root"], events),
            "exceptions": exceptions,
            "histories": known.histories([one["id"] for one in told]),
            "memories": known.memories([one["fingerprint"] for one in told]),
            "said": reader.said(journey["Root"]),
            "replayed": outcomes(self._store, self._tenant, [one["fingerprint"] for one in told]),
            "graph": key_graph(reader, journey["Root"]),
        }

    def turns(self, process: Process, root: int) -> list[Row]:
        """In whose hands a journey was, in order."""
        key = ("turns", self._tenant, process.definition_hash, root)
        return self._kept.get(key, lambda: of_journey(self._reader, process, root))

    def held(self, processes: Sequence[Process]) -> list[Row]:
        """Who holds the open journeys."""
        key = ("held", self._tenant, tuple(one.definition_hash for one in processes))
        return self._kept.get(key, lambda: of_open(self._reader, processes))

    def _frame(self, name: str, **parameters: Any) -> pd.DataFrame:
        key = (name, self._tenant, *sorted(parameters.items()))
        return self._kept.get(key, lambda: self._ask(name, parameters))

    def _ask(self, name: str, parameters: dict[str, Any]) -> pd.DataFrame:
        base = {"tenant": self._tenant, "now": self.now.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")}
        wanted = {one: value for one, value in base.items() if f"{{{one}:" in SQL[name]}
        result = self._store.query(SQL[name], {**wanted, **parameters}, role=Role.PAGES)
        frame = pd.DataFrame(list(result.result_rows), columns=list(result.column_names))
        for column in frame.columns:
            if isinstance(frame[column].dtype, pd.DatetimeTZDtype) or frame[column].dtype.kind == "M":
                continue
            first = frame[column].dropna()
            if len(first) and isinstance(first.iloc[0], datetime):
                frame[column] = pd.to_datetime(frame[column], utc=True)
        return frame
