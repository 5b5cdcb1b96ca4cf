"""Asking the store what a rule's SELECT returns, within limits."""

from __future__ import annotations

import math
import re
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal

from throughline.collector.store import Role, Store
from throughline.correlator.alerts.expression import VALUE
from throughline.correlator.sql_guard import QueryRefused, guard
from throughline.probes.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from throughline.correlator.alerts.rule_files import Ready

LONGEST_LABEL = 1_024
"""Characters of a label's value; the rest is cut."""
_TOO_SLOW = frozenset({159, 160})
_PARAMETER = re.compile(r"\{(?:tenant|now): ")


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
