"""`/alerts`, `/rules` and `/slos`: what fires, what would, and how much may still go wrong."""

from pathlib import Path
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends

from throughline.collector.alert_store import AlertStore, RuleRecord
from throughline.collector.auth import Principal, Scope
from throughline.collector.control import ControlStore
from throughline.correlator.alerts.own import OWN
from throughline.correlator.alerts.rule_files import SHIPPED, Ready, ReadyGroup
from throughline.dashboards.alert_desk import AlertDesk
from throughline.dashboards.api.alert_models import AlertPage, RulePage, SloPage
from throughline.dashboards.api.context import Context
from throughline.dashboards.api.json import Json
from throughline.dashboards.budgets import standing

Wanted = Literal["pending", "firing", "resolved"]


def router(context: Context, control: ControlStore) -> APIRouter:
    """Return the routes."""
    routes = APIRouter(tags=["alerts"])
    Reading = Annotated[Principal, Depends(context.principal(Scope.READ))]  # noqa: N806 - a type
    deps = context.deps
    stored = AlertStore(control)

    @routes.get("/alerts", response_model=AlertPage)
    @context.threaded
    def alerts(principal: Reading, state: Wanted | None = None, alert: str | None = None) -> Json:
        """List alerts that are pending or firing, and those that ended within a day."""
        known = AlertDesk(deps, control, principal, deps.clock()).standing()
        items = listed(stored, principal.tenant, state, alert)
        untold = dict.fromkeys(("acknowledged_at", "useful"), None) | {
            "acknowledged_by": "", "note": "", "muted": "", "silent": False, "told": [],
        }  # fmt: skip
        return Json(
            {"items": [one | untold | known.get((one["rule"], one["fingerprint"]), {}) for one in items]}
        )

    @routes.get("/rules", response_model=RulePage)
    @context.threaded
    def rules(principal: Reading) -> Json:
        """List the rules in force, how each fared at its last evaluation, and files that cannot be read."""
        loaded = deps.rules_in_force(principal.tenant)
        records = stored.rules(principal.tenant)
        states: dict[str, set[str]] = {}
        for one in stored.alerts(principal.tenant):
            states.setdefault(one.rule, set()).add(one.state)
        items = [
            _rule(group, rule, records.get(rule.key), states.get(rule.key, set()))
            for group in (*loaded.groups, OWN)
            for rule in group.rules
        ]
        return Json({"items": items, "problems": [str(error) for error in loaded.errors]})

    @routes.get("/slos", response_model=SloPage)
    @context.threaded
    def slos(principal: Reading) -> Json:
        """Tell of each objective how much of its error budget is left, and how fast it burns."""
        now = deps.clock()
        items = [
            standing(deps.store, principal.tenant, slo, calendar, now)
            for slo, calendar in deps.rules_in_force(principal.tenant).slos
        ]
        return Json({"items": items})

    return routes


def listed(stored: AlertStore, tenant: str, state: str | None, alert: str | None) -> list[dict[str, Any]]:
    """The alerts of a tenant as the API shows them, the latest first."""
    items = [
        {
            "fingerprint": one.fingerprint,
            "alert": one.alert,
            "rule": one.rule,
            "labels": one.labels,
            "annotations": one.annotations,
            "state": one.state,
            "value": one.value,
            "starts_at": one.fired_at or one.active_at,
            "ends_at": one.resolved_at if one.state == "resolved" else None,
            "held": one.held,
            "evaluated_at": one.evaluated_at,
        }
        for one in stored.alerts(tenant)
        if one.state != "inactive" and state in {None, one.state} and alert in {None, one.alert}
    ]
    return sorted(items, key=lambda one: one["starts_at"], reverse=True)


def _rule(group: ReadyGroup, ready: Ready, record: RuleRecord | None, states: set[str]) -> dict[str, Any]:
    rule = ready.rule
    if record is None:
        state = "not_evaluated"
    elif record.quarantined_at is not None:
        state = "quarantined"
    else:
        state = next((one for one in ("firing", "pending") if one in states), "inactive")
    return {
        "key": ready.key,
        "group": group.name,
        "alert": rule.alert,
        "expr": rule.expr,
        "for_seconds": rule.for_.total_seconds(),
        "keep_firing_for_seconds": rule.keep_firing_for.total_seconds(),
        "interval_seconds": group.interval.total_seconds(),
        "labels": rule.labels,
        "annotations": rule.annotations,
        "no_data": rule.no_data,
        "on_error": rule.on_error,
        "file": ready.file,
        "line": ready.line,
        "shipped": Path(ready.file).parent == SHIPPED or group is OWN,
        "state": state,
        "evaluated_at": record.evaluated_at if record else None,
        "seconds": record.seconds if record else None,
        "series": record.series if record else None,
        "error": record.error if record else "",
        "failures": record.failures if record else 0,
        "held": record.held if record else "",
        "quarantined_at": record.quarantined_at if record else None,
        "quarantine": record.quarantine if record else "",
    }
