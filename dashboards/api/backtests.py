"""`/backtests`: what a stored period would have been like under another definition."""

import json
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path

from throughline.collector.auth import Principal, Scope
from throughline.collector.control import ControlStore, Job
from throughline.correlator.definition import Process
from throughline.dashboards.api.context import Context
from throughline.dashboards.api.json import Json
from throughline.dashboards.api.models import BacktestAnswer, BacktestRequest
from throughline.dashboards.api.problems import Problem
from throughline.dashboards.questions import COMPARE, Question, ask, changed, from_text
from throughline.probes.errors import ConfigurationError


def router(context: Context, control: ControlStore) -> APIRouter:
    """Return the routes."""
    routes = APIRouter(tags=["backtests"])

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
        question = _question(context, request)
        job = control.enqueue_job(COMPARE, principal.tenant, request.process, now, payload=question.text())
        return Json(shown(job), status_code=202, headers={"Location": f"/api/v1/backtests/{job.id}"})

    @routes.get("/backtests/{id}", response_model=BacktestAnswer)
    @context.threaded
    def one(
        principal: Annotated[Principal, Depends(context.principal(Scope.READ))],
        identity: Annotated[str, Path(alias="id", max_length=64)],
    ) -> Json:
        """Say how far a backtest is, and what came of it."""
        job = control.job(identity)
        if job is None or (job.kind, job.tenant) != (COMPARE, principal.tenant):
            raise Problem(404, "Not found", f"There is no backtest {identity}.")
        return Json(shown(job))

    return routes


def _question(context: Context, request: BacktestRequest) -> Question:
    """What a request asks.

    Raises: Problem (422) with every mistake in a definition or in the period.
    """
    present = known_process(context, request.process)
    try:
        before = from_text(request.before, present) if request.before else present
        after = from_text(request.definition, present) if request.definition else before
        after = changed(after, request.set, None)
        return ask(before, after, context.deps.clock(), since=request.since, until=request.until)
    except ConfigurationError as error:
        raise Problem(422, "Not comparable", str(error)) from error


def known_process(context: Context, wanted: str) -> Process:
    """Return a process in use by its id. Raises: Problem (422)."""
    in_use = {process.id: process for process in context.deps.processes()}
    if wanted not in in_use:
        known = ", ".join(sorted(in_use))
        raise Problem(422, "Unknown process", f"No process is called {wanted}; there are {known}.")
    return in_use[wanted]


def shown(job: Job) -> dict[str, Any]:
    """A job as the API shows it."""
    return {
        "id": job.id,
        "process": job.process,
        "state": job.state,
        "message": job.message,
        "requested_at": job.requested_at,
        "finished_at": job.finished_at,
        "result": json.loads(job.result) if job.result else None,
    }
