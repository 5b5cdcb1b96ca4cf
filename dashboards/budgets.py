"""How much of an objective's error budget is left."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from throughline.correlator.alerts.asking import Limits, rows
from throughline.correlator.alerts.slo import allowed_share, budget_sql
from throughline.correlator.alerts.windows import begins
from throughline.correlator.sql_guard import QueryRefused
from throughline.probes.errors import StoreError

if TYPE_CHECKING:
    from datetime import datetime

    from throughline.collector.store import Store
    from throughline.correlator.alerts.rule import Slo
    from throughline.correlator.business_calendar import BusinessCalendar


def standing(
    store: Store, tenant: str, slo: Slo, calendar: BusinessCalendar | None, now: datetime
) -> dict[str, Any]:
    """An objective as at `now`; what keeps it from being told stands in `error`."""
    told: dict[str, Any] = {
        "slo": slo.slo,
        "title": slo.title or slo.slo,
        "objective": slo.objective,
        "window": slo.window,
        "calendar": slo.calendar,
        "since": begins(slo.period, now, calendar),
        "until": now,
        "budgets": [],
        "error": "",
    }
    try:
        found = rows(store, tenant, budget_sql(slo, now, calendar), now, most=slo.limit, limits=Limits())
    except (StoreError, QueryRefused) as error:
        return {**told, "error": str(error)[:500]}
    return {**told, "budgets": [_budget(slo, row) for row in found]}


def _budget(slo: Slo, row: dict[str, Any]) -> dict[str, Any]:
    valid, good = int(row["valid"]), int(row["kept"])
    allowed = allowed_share(slo) * valid
    return {
        "labels": {name: str(row[name]) for name in slo.label_columns},
        "valid": valid,
        "good": good,
        "attained": round(100 * good / valid, 3) if valid else None,
        "allowed_bad": round(allowed, 3),
        "budget_left": round(1 - (valid - good) / allowed, 4) if valid else None,
        "burn_rates": {
            name.removeprefix("burn_"): round(float(rate), 3)
            for name, rate in row.items()
            if name.startswith("burn_")
        },
    }
