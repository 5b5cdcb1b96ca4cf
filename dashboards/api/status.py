"""`/status` and `/processes`: how complete and fresh everything is, and what is being followed."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Response

from throughline.collector.auth import Principal, Scope
from throughline.correlator.definition import Process
from throughline.dashboards.api.context import Context
from throughline.dashboards.api.json import Json
from throughline.dashboards.api.models import ProcessPage, StatusAnswer
from throughline.dashboards.api.problems import Problem
from throughline.dashboards.completeness import active_generations, completeness
from throughline.dashboards.link_rates import link_rates
from throughline.dashboards.process_picture import picture

_DRAWN: dict[int | str, dict[str, Any]] = {200: {"content": {"image/svg+xml": {}}}}


def router(context: Context) -> APIRouter:
    """Return the routes."""
    routes = APIRouter(tags=["status"])
    Reading = Annotated[Principal, Depends(context.principal(Scope.READ))]  # noqa: N806 - a type
    deps = context.deps

    @routes.get("/status", response_model=StatusAnswer)
    @context.threaded
    def status(principal: Reading) -> Json:
        """Count what was received, stored and could not be joined, and say how far correlation has come."""
        counted = completeness(deps.store, deps.spool, principal.tenant, deps.clock())
        return Json(counted | {"link_rates": link_rates(deps.store, principal.tenant, deps.processes())})

    @routes.get("/processes", response_model=ProcessPage)
    @context.threaded
    def processes(principal: Reading) -> Json:
        """List the process definitions in use."""
        active = active_generations(deps.store, principal.tenant)
        return Json({"items": [describe(one, active.get(one.id)) for one in deps.processes()]})

    @routes.get("/processes/{id}/picture", response_class=Response, responses=_DRAWN)
    @context.threaded
    def drawn(_principal: Reading, identity: Annotated[str, Path(alias="id", max_length=200)]) -> Response:
        """Draw a process definition in use, as SVG."""
        found = next((one for one in deps.processes() if one.id == identity), None)
        if found is None:
            raise Problem(404, "Not found", f"No process is called {identity}; GET /processes lists them.")
        return Response(picture(found), media_type="image/svg+xml")

    return routes


def describe(process: Process, active: dict[str, Any] | None) -> dict[str, Any]:
    """Return a definition as the API shows it."""
    milestones = []
    for one in process.milestones:
        clock = process.clock_of(one)
        milestones.append(
            {
                "name": one.name,
                "event": one.events[0] if len(one.events) == 1 else one.events,
                "at_least": one.at_least,
                "within": one.within.text if one.within else None,
                "of": f"{clock[0]}.last" if clock and clock[1] else clock[0] if clock else None,
                "on_late": one.on_late,
                "optional": one.optional,
                "repeats": one.repeats,
                "owner": one.owner or process.owner,
                "runbook": one.runbook,
            }
        )
    return {
        "id": process.id,
        "version": process.version,
        "title": process.title or process.id,
        "owner": process.owner,
        "levels": [list(level.namespaces) for level in process.levels],
        "milestones": milestones,
        "completed_by": list(process.completed_by),
        "dropped_by": list(process.dropped_by),
        "notices": list(process.notices),
        "generation": active["Generation"] if active else None,
        "activated_at": active["ActivatedAt"] if active else None,
        "rebuild_needed": active is not None and active["DefinitionHash"] != process.definition_hash,
    }
