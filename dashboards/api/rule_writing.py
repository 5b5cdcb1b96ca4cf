"""Writing alert rules: preview, backtest, save and enable; how rules in force fare with people."""

import dataclasses
from collections.abc import Callable
from datetime import UTC
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path

from throughline.collector.auth import Principal, Scope
from throughline.collector.control import ControlStore
from throughline.correlator.alerts.rule_files import InvalidRules
from throughline.correlator.alerts.written import WrittenRules
from throughline.dashboards.api.alert_act_models import (
    AskBacktest,
    AskSave,
    PreviewPage,
    RuleBacktests,
    RuleRef,
    RuleStandings,
    RuleText,
    Spoken,
    WrittenAnswer,
    WrittenList,
)
from throughline.dashboards.api.context import Context
from throughline.dashboards.api.json import Json
from throughline.dashboards.api.problems import Problem
from throughline.dashboards.rule_desk import RuleDesk

Desk = Callable[[Principal], RuleDesk]


def router(context: Context, control: ControlStore) -> APIRouter:
    """Return the routes."""
    routes = APIRouter(prefix="/rules", tags=["alerts"])

    def desk(principal: Principal) -> RuleDesk:
        return RuleDesk(context.deps, control, principal, context.deps.clock())

    _trying(routes, context, desk)
    _in_force(routes, context, desk)
    _written(routes, context, control, desk)
    return routes


def _trying(routes: APIRouter, context: Context, desk: Desk) -> None:
    """What a rule would say or would have done; nothing is stored."""
    Reading = Annotated[Principal, Depends(context.principal(Scope.READ))]  # noqa: N806 - a type

    @routes.post("/preview", response_model=PreviewPage)
    @context.threaded
    def preview(principal: Reading, asked: RuleText) -> Json:
        """Say what a rule would say now; nothing is stored."""
        return Json({"items": _checked(lambda: desk(principal).preview(asked.name, asked.text))})

    @routes.post("/backtest", response_model=RuleBacktests)
    @context.threaded
    def backtest(principal: Reading, asked: AskBacktest) -> Json:
        """Say what a rule would have done since a time; nothing is stored."""
        since = asked.since.replace(tzinfo=UTC) if asked.since.tzinfo is None else asked.since
        if since >= context.deps.clock():
            raise Problem(422, "Invalid request", "since must lie in the past.")
        items = _checked(
            lambda: desk(principal).backtest(
                asked.name, asked.text, since, pages_per_week=asked.pages_per_week, steps=asked.steps
            )
        )
        return Json({"items": items})


def _in_force(routes: APIRouter, context: Context, desk: Desk) -> None:
    """How rules fare with people, and the end of a trial."""
    Reading = Annotated[Principal, Depends(context.principal(Scope.READ))]  # noqa: N806 - a type
    Operating = Annotated[Principal, Depends(context.principal(Scope.OPERATE))]  # noqa: N806 - a type

    @routes.get("/standing", response_model=RuleStandings)
    @context.threaded
    def standing(principal: Reading) -> Json:
        """Tell of each rule until when it is on trial, how often it fired, and what people thought."""
        records = desk(principal).records()
        return Json({"items": [{"rule": key, **record} for key, record in records.items()]})

    @routes.post("/speak", response_model=Spoken)
    @context.threaded
    def speak(principal: Operating, asked: RuleRef) -> Json:
        """End a rule's trial: from now on people are told."""
        return Json({"was_silent": desk(principal).speak(asked.rule)})


def _written(routes: APIRouter, context: Context, control: ControlStore, desk: Desk) -> None:
    """Rules that people wrote, by version."""
    Reading = Annotated[Principal, Depends(context.principal(Scope.READ))]  # noqa: N806 - a type
    Operating = Annotated[Principal, Depends(context.principal(Scope.OPERATE))]  # noqa: N806 - a type

    @routes.get("/written", response_model=WrittenList)
    @context.threaded
    def written(principal: Reading) -> Json:
        """List the rules that people wrote, each in its latest version."""
        found = WrittenRules(control).latest(principal.tenant)
        return Json({"items": [dataclasses.asdict(one) for one in found]})

    @routes.post("/written", response_model=WrittenAnswer, status_code=201)
    @context.threaded
    def save(principal: Operating, asked: AskSave) -> Json:
        """Store a version of a written rule; an enabled one is evaluated like those of files."""
        made = _checked(
            lambda: desk(principal).save(asked.name, asked.text, enabled=asked.enabled, note=asked.note)
        )
        return Json(dataclasses.asdict(made), status_code=201)

    @routes.get("/written/{name}", response_model=WrittenList)
    @context.threaded
    def history(principal: Reading, name: Annotated[str, Path(max_length=100)]) -> Json:
        """List all versions of a written rule with their authors, the first one first."""
        found = WrittenRules(control).history(principal.tenant, name)
        if not found:
            raise Problem(404, "Not found", f"Nobody wrote a rule {name}.")
        return Json({"items": [dataclasses.asdict(one) for one in found]})


def _checked(act: Any) -> Any:
    try:
        return act()
    except InvalidRules as error:
        raise Problem(422, "Invalid rules", str(error)) from error
