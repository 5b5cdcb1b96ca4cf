"""Run one exploring query for one tenant, within limits."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from throughline.collector.store import Role, Store
from throughline.correlator.sql_guard import QueryRefused, guard
from throughline.dashboards.settings import DashboardSettings
from throughline.probes.errors import StoreError

_PARAMETER = re.compile(r"\{(?:tenant|now): ")
_LIMIT_CODES = {159: "time", 241: "memory", 307: "rows", 396: "rows", 158: "rows"}
_VERSION = re.compile(r"\(version [^)]*\)|\(official build\)|DB::Exception: |Code: \d+\. |\(for chDB\)")


@dataclass(frozen=True)
class Answer:
    """Column names and rows; `truncated` says that there were more rows."""

    columns: list[str]
    rows: list[tuple[Any, ...]]
    truncated: bool


def explore(store: Store, sql: str, *, tenant: str, now: datetime, settings: DashboardSettings) -> Answer:
    """Check, bind to the tenant and run a query.

    The limits stand in the query itself: they hold on every engine, and none is left behind on a shared
    connection.
    `readonly` makes the engine ignore the settings inside views, so theirs is repeated here (`journeys.sql`).

    Raises: QueryRefused when it is not allowed, wrong or too expensive; StoreError when the store does not
    answer.
    """
    safe = guard(sql)
    limits = (
        "SETTINGS do_not_merge_across_partitions_select_final = 1, "
        f"max_execution_time = {settings.query_seconds}, timeout_overflow_mode = 'throw', "
        f"max_memory_usage = {settings.query_memory_bytes}, "
        f"max_result_bytes = {settings.query_result_bytes}, "
        f"result_overflow_mode = 'throw', limit = {settings.query_rows + 1}, max_threads = 2, "
        "max_ast_depth = 500, readonly = 1"
    )
    bound = {"tenant": tenant, "now": now.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")}
    # Given parameters for a text without any, the client would format it with `%`.
    parameters = bound if _PARAMETER.search(safe) else None
    try:
        result = store.query(f"{safe} {limits}", parameters, role=Role.ADHOC)
        columns = list(result.column_names)
        if not columns:  # an empty answer comes without a header
            described = store.query(f"DESCRIBE ({safe}) {limits}", parameters, role=Role.ADHOC)
            columns = [str(row[0]) for row in described.result_rows]
    except StoreError as error:
        raise _refusal(error, settings) from error
    rows = [tuple(row) for row in result.result_rows]
    return Answer(columns, rows[: settings.query_rows], len(rows) > settings.query_rows)


def _refusal(error: StoreError, settings: DashboardSettings) -> Exception:
    if error.code is None:
        return error
    exceeded = _LIMIT_CODES.get(error.code)
    if exceeded:
        return QueryRefused(
            f"the query took more {exceeded} than allowed ({settings.query_seconds} s, "
            f"{settings.query_memory_bytes // 1024**2} MiB): narrow it by time, process or key"
        )
    return QueryRefused(_VERSION.sub("", str(error)).strip()[:500])
