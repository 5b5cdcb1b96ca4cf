"""`/as-of`: what was known at a time, and what is known of that time now."""

from typing import Annotated

from fastapi import APIRouter, Depends

from throughline.collector.auth import Principal, Scope
from throughline.collector.control import ControlStore
from throughline.dashboards.api.context import Context
from throughline.dashboards.api.jobs import Jobs
from throughline.dashboards.api.json import Json
from throughline.dashboards.api.models_back import AsOfAnswer, AsOfRequest
from throughline.dashboards.api.problems import Problem
from throughline.dashboards.looking_back import AS_OF, ask_as_of
from throughline.probes.errors import ConfigurationError


def router(context: Context, control: ControlStore) -> APIRouter:
    """Return the routes."""
    routes = APIRouter(tags=["looking back"])
    jobs = Jobs(context, control, AS_OF, "as-of")

    @routes.post("/as-of", response_model=AsOfAnswer, status_code=202)
    @context.threaded
    def start(
        principal: Annotated[Principal, Depends(context.principal(Scope.OPERATE))], request: AsOfRequest
    ) -> Json:
        """Derive the journeys from the facts stored by a time, and from what is known of that time now.

        Answers at once; `GET /as-of/{id}` has the result when `state` is `done`.
        """
        context.process(request.process)
        now = context.deps.clock()
        try:
            return jobs.asked(ask_as_of(control, principal.tenant, request.process, request.at, now))
        except ConfigurationError as error:
            raise Problem(422, "Bad time", str(error)) from error

    jobs.told(routes, AsOfAnswer, name="one", says="Say how far it is, and what came of it.")
    return routes
