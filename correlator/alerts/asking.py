"""Asking the store what a rule's SELECT returns, within limits; and copies of views that many rules read."""

from __future__ import annotations

import contextlib
import hashlib
import logging
import math
import re
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal

from throughline.collector.store import Role, Store
from throughline.correlator.alerts.expression import CORRELATED, VALUE
from throughline.correlator.sql_guard import QueryRefused, guard
from throughline.probes.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from throughline.correlator.alerts.rule_files import Ready

SHARED_FROM = 3
"""Rules that must read a view before a copy of it pays."""
LONGEST_LABEL = 1_024
"""Characters of a label's value; the rest is cut."""
_TOO_SLOW = frozenset({159, 160})
_SHARED = CORRELATED - {"events"} | {"sources"}
"""Events are too many to be copied."""
_PARAMETER = re.compile(r"\{(?:tenant|now): ")

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Limits:
    """What one rule may take."""

    seconds: float = 10.0
    memory_bytes: int = 512 * 1024**2
    copy_memory_bytes: int = 1024**3
    """Of a copy of a view."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One row: its labels and its value; None where the value is not known."""

    labels: Mapping[str, str]
    value: float | None


@dataclass(frozen=True, slots=True)
class Failure:
    """Why there is no answer."""

    kind: Literal["slow", "cardinality", "error"]
    text: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What a rule's SELECT returned, and how long it took."""

    result: tuple[Sample, ...] | Failure
    seconds: float


def ask(
    store: Store, tenant: str, ready: Ready, now: datetime, *, limits: Limits, sources: Mapping[str, str]
) -> Answer:
    """Run the SELECT of a rule for one tenant as at `now`. What goes wrong is part of the answer."""
    begun = time.perf_counter()
    try:
        result: tuple[Sample, ...] | Failure = _samples(
            store, tenant, ready, now, limits=limits, sources=sources
        )
    except QueryRefused as error:
        result = Failure("error", str(error))
    except StoreError as error:
        slow = error.code in _TOO_SLOW
        text = f"it took longer than {limits.seconds:g} s" if slow else str(error)[:500]
        result = Failure("slow" if slow else "error", text)
    return Answer(result, time.perf_counter() - begun)


def _samples(
    store: Store, tenant: str, ready: Ready, now: datetime, *, limits: Limits, sources: Mapping[str, str]
) -> tuple[Sample, ...] | Failure:
    answered = rows(
        store, tenant, ready.sql_at(now), now, most=ready.limit + 1, limits=limits, sources=sources
    )
    if len(answered) > ready.limit:
        return Failure("cardinality", f"it returned more than {ready.limit} label sets")
    found = []
    for given in answered:
        number = given.pop(VALUE)
        if number is None:
            continue
        try:
            value = float(number)
        except (TypeError, ValueError):
            return Failure("error", f"`value` is no number but {str(number)[:50]!r}")
        if not math.isnan(value):
            found.append(Sample({name: _label(text) for name, text in given.items()}, value))
    return tuple(found)


def rows(
    store: Store,
    tenant: str,
    sql: str,
    now: datetime,
    *,
    most: int,
    limits: Limits,
    sources: Mapping[str, str] | None = None,
) -> list[dict[str, Any]]:
    """Run somebody's SELECT for one tenant as at `now`, guarded and within limits; at most so many rows.

    Raises: QueryRefused, StoreError.
    """
    safe = _guarded(sql, tuple(sorted((sources or {}).items())))
    bounds = (
        "SETTINGS do_not_merge_across_partitions_select_final = 1, "
        f"max_execution_time = {limits.seconds:g}, timeout_overflow_mode = 'throw', "
        f"max_memory_usage = {limits.memory_bytes}, limit = {most}, max_threads = 1, "
        "max_ast_depth = 500, readonly = 1"
    )
    given = bound(tenant, now) if _PARAMETER.search(safe) else None
    answer = store.query(f"{safe} {bounds}", given, role=Role.ALERTS)
    return [dict(zip(answer.column_names, row, strict=True)) for row in answer.result_rows]


def _label(given: object) -> str:
    if given is None:
        return ""
    if isinstance(given, datetime):
        given = given.replace(tzinfo=given.tzinfo or UTC).isoformat()
    return str(given)[:LONGEST_LABEL]


@lru_cache(maxsize=4_096)
def _guarded(sql: str, sources: tuple[tuple[str, str], ...]) -> str:
    return guard(sql, sources=dict(sources), set_clock=True)


def bound(tenant: str, now: datetime) -> dict[str, str]:
    """The parameters of a guarded query."""
    return {"tenant": tenant, "now": now.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")}


class Copies:
    """Copies of views in memory, with the columns that rules read: a view over a million journeys is read
    once instead of by each of three hundred rules.
    """

    def __init__(self, store: Store, owner: str, limits: Limits) -> None:
        self._store = store
        self._prefix = f"alert_copy_{hashlib.sha256(owner.encode()).hexdigest()[:8]}"
        self._limits = limits
        self._columns: dict[str, tuple[str, ...]] = {}

    @contextlib.contextmanager
    def shared(self, tenant: str, rules: Sequence[Ready], now: datetime) -> Iterator[Mapping[str, str]]:
        """Yield SELECTs that stand for views which several of these rules read, until the end of the block.

        A copy that does not fit its memory is left out: its rules read the view.
        """
        made: dict[str, str] = {}
        try:
            for view in sorted(_SHARED):
                readers = [one for one in rules if view in one.expression.tables]
                if len(readers) >= SHARED_FROM and self._copied(view, readers, tenant, now):
                    made[view] = f"SELECT * FROM {self._table(view)}"  # noqa: S608 - a name of ours
            yield made
        finally:
            for view in made:
                self._drop(view)

    def _table(self, view: str) -> str:
        return f"{self._prefix}_{view}"

    def _drop(self, view: str) -> None:
        self._store.command(f"DROP TABLE IF EXISTS {self._table(view)} SYNC", role=Role.ALERTS)

    def _copied(self, view: str, readers: Sequence[Ready], tenant: str, now: datetime) -> bool:
        every = self._columns_of(view, tenant, now)
        starred = any(one.expression.starred for one in readers)
        names = {name for one in readers for name in one.expression.names}
        wanted = [name for name in every if starred or name in names] or [every[0]]
        text = guard(f"SELECT {', '.join(f'`{name}`' for name in wanted)} FROM {view}")  # noqa: S608 - of the view
        self._drop(view)
        sql = (
            f"CREATE TABLE {self._table(view)} ENGINE = Memory AS {text} "
            f"SETTINGS max_memory_usage = {self._limits.copy_memory_bytes}, max_threads = 2"
        )
        try:
            self._store.command(sql, bound(tenant, now), role=Role.ALERTS)
        except StoreError as error:
            log.warning("%s cannot be copied for rules, which read it themselves: %s", view, error)
            self._drop(view)
            return False
        return True

    def _columns_of(self, view: str, tenant: str, now: datetime) -> tuple[str, ...]:
        if view not in self._columns:
            described = self._store.query(
                f"DESCRIBE ({guard(f'SELECT * FROM {view}')})",  # noqa: S608 - a documented view
                bound(tenant, now),
                role=Role.ALERTS,
            )
            self._columns[view] = tuple(str(row[0]) for row in described.result_rows)
        return self._columns[view]
