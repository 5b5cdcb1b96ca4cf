"""`/as-of`: what was known at a time, and what is known of that time now."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path

from throughline.collector.auth import Principal, Scope
from throughline.collector.control import ControlStore
from throughline.dashboards.api.backtests import known_process, shown
from throughline.dashboards.api.context import Context
from throughline.dashboards.api.json import Json
from throughline.dashboards.api.models_back import AsOfAnswer, AsOfRequest
from throughline.dashboards.api.problems import Problem
from throughline.dashboards.looking_back import AS_OF, ask_as_of
from throughline.probes.errors import ConfigurationError


def router(context: Context, control: ControlStore) -> APIRouter:
    """Return the routes."""
    routes = APIRouter(tags=["looking back"])

    @routes.post("/as-of", response_model=AsOfAnswer, status_code=202)
    @context.threaded
    def start(
        principal: Annotated[Principal, Depends(context.principal(Scope.OPERATE))], request: AsOfRequest
    ) -> Json:
        """Derive the journeys from the facts stored by a time, and from what is known of that time now.

        Answers at once; `GET /as-of/{id}` has the result when `state` is `done`.
        """
        known_process(context, request.process)
        try:
            job = ask_as_of(control, principal.tenant, request.process, request.at, context.deps.clock())
        except ConfigurationError as error:
            raise Problem(422, "Bad time", str(error)) from error
        return Json(shown(job), status_code=202, headers={"Location": f"/api/v1/as-of/{job.id}"})

    @routes.get("/as-of/{id}", response_model=AsOfAnswer)
    @context.threaded
    def one(
        principal: Annotated[Principal, Depends(context.principal(Scope.READ))],
        identity: Annotated[str, Path(alias="id", max_length=64)],
    ) -> Json:
        """Say how far it is, and what came of it."""
        job = control.job(identity)
        if job is None or (job.kind, job.tenant) != (AS_OF, principal.tenant):
            raise Problem(404, "Not found", f"Nobody asked for {identity}.")
        return Json(shown(job))

    return routes
