"""What stands behind an alert: the journeys that its rule counted, told from the rule's own SELECT.

The FROM and WHERE of the rule stay, its aggregates go, and each label that is a column must have the alert's
value. Rules over several tables, or over none that knows journeys, have no answer.
"""

# ruff: noqa: S608 - the text goes through the guard

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from sqlglot import exp

from throughline.correlator.alerts.asking import Limits, rows
from throughline.correlator.alerts.expression import VALUE
from throughline.correlator.sql_guard import DIALECT, QueryRefused, parsed
from throughline.probes.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from throughline.collector.store import Store
    from throughline.correlator.alerts.rule_files import Ready

_JOURNEY: Mapping[str, str] = {
    "journeys": "id", "milestones": "journey", "risks": "journey", "events": "journey",
    "likely_late": "journey", "exceptions": "arrayJoin(journeys)",
}  # fmt: skip
_LIMITS = Limits(seconds=5.0)
_COLUMN = "journey_behind"
log = logging.getLogger(__name__)


def journeys_sql(expr: str, labels: Mapping[str, str], added: frozenset[str] = frozenset()) -> str | None:
    """The SELECT of the journeys (`process`, `journey`) behind one alert; None if the rule does not tell.
    `added` are labels that the rule adds, which are no columns.
    """
    query = parsed(expr)
    if not isinstance(query, exp.Select):
        return None
    table = query.args["from_"].this if query.args.get("from_") else None
    other = [query.args.get(name) for name in ("joins", "with_", "laterals")]
    if not isinstance(table, exp.Table) or table.name not in _JOURNEY or any(other):
        return None
    kept, conditions = [], []
    for one in query.selects:
        if one.alias_or_name == VALUE or one.find(exp.AggFunc) is not None:
            continue
        kept.append(one.sql(dialect=DIALECT))
        name = one.alias_or_name
        if name not in added:
            wanted = exp.Literal.string(labels.get(name, "")).sql(dialect=DIALECT)
            conditions.append(f"toString(`{name}`) = {wanted}")
    if not any(one.alias_or_name == "process" for one in query.selects):
        kept.append("process")
    where = query.args.get("where")
    inner = (
        f"SELECT {', '.join(kept)}, {_JOURNEY[table.name]} AS {_COLUMN} FROM {table.sql(dialect=DIALECT)} "
        f"{where.sql(dialect=DIALECT) if where else ''}"
    )
    outer = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    return f"SELECT DISTINCT process, {_COLUMN} AS journey FROM ({inner}){outer}"


def behind(
    store: Store, tenant: str, ready: Ready, labels: Mapping[str, str], now: datetime
) -> dict[str, Any]:
    """How many journeys stand behind an alert as at `now`, and how much money by currency; shared amounts
    count once. Empty where that cannot be told.
    """
    if ready.objective is not None:
        return {}
    found = journeys_sql(ready.rule.expr, labels, frozenset(ready.rule.labels))
    if found is None:
        return {}
    sql = (
        "SELECT currency, sum(one) AS amount, sum(journeys) AS journeys FROM ("
        "SELECT any(currency) AS currency, any(amount) AS one, count() AS journeys FROM journeys "
        f"WHERE (process, id) IN ({found}) GROUP BY amount_objects, if(empty(amount_objects), id, '')) "
        "GROUP BY currency ORDER BY currency"
    )
    try:
        counted = rows(store, tenant, sql, now, most=100, limits=_LIMITS)
    except (StoreError, QueryRefused) as error:
        log.info("what stands behind %s cannot be counted: %s", ready.key, error)
        return {}
    money = {str(one["currency"]): round(float(one["amount"]), 2) for one in counted if one["amount"]}
    return {"journeys": sum(int(one["journeys"]) for one in counted), "money": money}


def journeys(
    store: Store, tenant: str, ready: Ready, labels: Mapping[str, str], now: datetime, *, most: int
) -> list[dict[str, Any]] | None:
    """The journeys behind an alert as at `now`; None where the rule does not tell.

    Raises: StoreError, QueryRefused.
    """
    found = None
    if ready.objective is None:
        found = journeys_sql(ready.rule.expr, labels, frozenset(ready.rule.labels))
    if found is None:
        return None
    return rows(store, tenant, f"{found} ORDER BY process, journey", now, most=most, limits=_LIMITS)
