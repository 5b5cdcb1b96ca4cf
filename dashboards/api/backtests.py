"""`/backtests`: what a stored period would have been like under another definition."""

from typing import Annotated

from fastapi import APIRouter, Depends

from throughline.collector.auth import Principal, Scope
from throughline.collector.control import ControlStore
from throughline.dashboards.api.context import Context
from throughline.dashboards.api.job_models import BacktestAnswer, BacktestRequest
from throughline.dashboards.api.jobs import Jobs
from throughline.dashboards.api.json import Json
from throughline.dashboards.api.problems import Problem
from throughline.dashboards.questions import COMPARE, Question, ask, changed, from_text
from throughline.probes.errors import ConfigurationError


def router(context: Context, control: ControlStore) -> APIRouter:
    """Return the routes."""
    routes = APIRouter(tags=["backtests"])
    jobs = Jobs(context, control, COMPARE, "backtests", missing="There is no backtest {}.")

    @routes.post("/backtests", response_model=BacktestAnswer, status_code=202)
    @context.threaded
    def start(
        principal: Annotated[Principal, Depends(context.principal(Scope.OPERATE))], request: BacktestRequest
    ) -> Json:
        """Compare the definition in use, or `before`, with `definition` or with `set` fields changed.

        Without `since` all journeys are compared. Answers at once; `GET /backtests/{id}` has the result when
        `state` is `done`.
        """
        now = context.deps.clock()
        payload = _question(context, request).text()
        return jobs.asked(
            control.enqueue_job(COMPARE, principal.tenant, request.process, now, payload=payload)
        )

    jobs.told(routes, BacktestAnswer, name="one", says="Say how far a backtest is, and what came of it.")
    return routes


def _question(context: Context, request: BacktestRequest) -> Question:
    """What a request asks.

    Raises: Problem (422) with every mistake in a definition or in the period.
    """
    present = context.process(request.process)
    try:
        before = from_text(request.before, present) if request.before else present
        after = from_text(request.definition, present) if request.definition else before
        after = changed(after, request.set, None)
        return ask(before, after, context.deps.clock(), since=request.since, until=request.until)
    except ConfigurationError as error:
        raise Problem(422, "Not comparable", str(error)) from error
