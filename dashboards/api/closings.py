"""`/closings`: what was reported when a period was closed, and what became known since."""

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query

from throughline.collector.auth import Principal, Scope
from throughline.collector.control import ControlStore, Job
from throughline.collector.store import Role
from throughline.correlator.closing import Closing, Closings, NotClosable
from throughline.dashboards.api.context import Context
from throughline.dashboards.api.cursor import Cursor, decode, encode
from throughline.dashboards.api.job_models import JobAnswer
from throughline.dashboards.api.jobs import Jobs, shown
from throughline.dashboards.api.json import Json
from throughline.dashboards.api.models_back import (
    ClosedJourneys,
    ClosingAnswer,
    ClosingPage,
    ClosingRequest,
    ClosingsAsked,
)
from throughline.dashboards.api.problems import Problem
from throughline.dashboards.looking_back import CLOSE, Close, ask_to_close, ask_to_restate
from throughline.probes.errors import ConfigurationError

_ROOT = r"^[0-9a-f]{16}$"
_MISSING = "There is no closing {}."
_DIGITS = 16
"""Of an id, in a cursor: the id itself comes after them in the alphabet, so it is not seen again."""


def router(context: Context, control: ControlStore) -> APIRouter:
    """Return the routes."""
    routes = APIRouter(tags=["looking back"])
    _asking(routes, context, control)
    _reading(routes, context, control)
    return routes


def _asking(routes: APIRouter, context: Context, control: ControlStore) -> None:
    Reading = Annotated[Principal, Depends(context.principal(Scope.READ))]  # noqa: N806 - a type

    @routes.post("/closings", response_model=ClosingsAsked, status_code=202)
    @context.threaded
    def close(principal: Reading, request: ClosingRequest) -> Json:
        """Close a period of a legal entity: its figures and journeys are stored as they stand, for good.

        Needs `operate` or `approve`. Answers at once, with one closing per process; `GET /closings/{id}` has
        it when `state` is `done`. What was closed before stays; closing again needs a `reason`.
        """
        may_close(principal)
        if request.process:
            context.process(request.process)
        names = [request.process] if request.process else sorted(one.id for one in context.deps.processes())
        who = {"by": principal.name, "reason": request.reason}
        wanted = Close(entity=request.entity, period=request.period, **who)
        reader, now = closings_of(context, principal), context.deps.clock()
        try:
            for name in names:
                reader.refuse_again(name, wanted.entity, wanted.period, wanted.reason)
            jobs = [ask_to_close(control, principal.tenant, name, wanted, now) for name in names]
        except (NotClosable, ConfigurationError) as error:
            raise Problem(422, "Not closable", str(error)) from error
        return Json({"items": [_asked(job) for job in jobs]}, status_code=202)

    @routes.post("/closings/{id}/restatements", response_model=JobAnswer, status_code=202)
    @context.threaded
    def restate(principal: Reading, identity: Annotated[str, Path(alias="id", max_length=64)]) -> Json:
        """Derive what is known now of a closed period; `GET /closings/{id}` has it when it is done."""
        may_close(principal)
        closing = _must(closings_of(context, principal), identity)
        context.process(closing.process)
        now = context.deps.clock()
        job = ask_to_restate(control, principal.tenant, closing.process, closing.id, now)
        return Json(_asked(job), status_code=202, headers={"Location": f"/api/v1/closings/{closing.id}"})


async def asked_for(
    process: Annotated[str, Query(max_length=200)] = "",
    entity: Annotated[str, Query(max_length=200)] = "",
    period: Annotated[str, Query(max_length=10)] = "",
) -> dict[str, str]:
    """Return which closings the parameters of a request mean."""
    return {"process": process, "entity": entity, "period": period}


def _reading(routes: APIRouter, context: Context, control: ControlStore) -> None:
    Reading = Annotated[Principal, Depends(context.principal(Scope.READ))]  # noqa: N806 - a type
    jobs = Jobs(context, control, CLOSE, "closings", missing=_MISSING)

    @routes.get("/closings", response_model=ClosingPage)
    @context.threaded
    def listed(
        principal: Reading,
        wanted: Annotated[dict[str, str], Depends(asked_for)],
        limit: Annotated[int, Query(ge=1, le=500)] = 50,
        cursor: Annotated[str | None, Query()] = None,
    ) -> Json:
        """List closings, newest first."""
        filters = {"list": "closings", **wanted}
        place = decode(cursor, tenant=principal.tenant, filters=filters) if cursor is not None else None
        after = (place.opened_at, place.last) if place else None
        rows = closings_of(context, principal).listed(limit=limit + 1, after=after, **wanted)
        page, following = rows[:limit], None
        if len(rows) > limit:
            last = Cursor(context.deps.clock(), page[-1].closed_at, page[-1].id[:_DIGITS])
            following = encode(last, tenant=principal.tenant, filters=filters)
        return Json({"items": [item(one) for one in page], "next": following})

    @routes.get("/closings/{id}", response_model=ClosingAnswer)
    @context.threaded
    def one(principal: Reading, identity: Annotated[str, Path(alias="id", max_length=64)]) -> Json:
        """Return a closing as it was stored, the events that came late since, and what is known now."""
        return Json(answer(closings_of(context, principal), jobs, principal, identity))

    @routes.get("/closings/{id}/journeys", response_model=ClosedJourneys)
    @context.threaded
    def journeys(
        principal: Reading,
        identity: Annotated[str, Path(alias="id", max_length=64)],
        limit: Annotated[int, Query(ge=1, le=1000)] = 200,
        after: Annotated[str | None, Query(pattern=_ROOT, description="`next` of the page before")] = None,
    ) -> Json:
        """List the journeys of a closing as they stood."""
        reader = closings_of(context, principal)
        rows = reader.journeys(_must(reader, identity), limit=limit + 1, after=int(after or "0", 16))
        more = rows[limit - 1]["id"] if len(rows) > limit else None
        return Json({"items": rows[:limit], "next": more})


def closings_of(context: Context, principal: Principal) -> Closings:
    """The closings of the principal's tenant."""
    return Closings(context.deps.store, principal.tenant, Role.PAGES)


def may_close(principal: Principal) -> None:
    """Refuse who may neither operate nor approve. Raises: Forbidden."""
    if Scope.APPROVE not in principal.scopes:
        principal.require(Scope.OPERATE)


def answer(reader: Closings, jobs: Jobs, principal: Principal, identity: str) -> dict[str, Any]:
    """A closing with what became known since; before it is made, how far it is. Raises: Problem (404)."""
    closing = reader.one(identity)
    if closing is not None:
        late = reader.late_events(closing)
        return {
            "id": closing.id,
            "state": "done",
            "message": f"{closing.journeys} journeys closed",
            "closing": item(closing),
            "late_events": late,
            "late_events_total": late[0]["total"] if late else 0,
            "restatement": reader.restatement(closing),
        }
    job = jobs.one(principal, identity)
    return {
        "id": job.id,
        "state": job.state,
        "message": job.message,
        "closing": None,
        "late_events": [],
        "late_events_total": 0,
        "restatement": None,
    }


def item(closing: Closing) -> dict[str, Any]:
    """A closing as lists show it."""
    return {name: value for name, value in asdict(closing).items() if name != "snapshot"}


def _must(reader: Closings, identity: str) -> Closing:
    closing = reader.one(identity)
    if closing is None:
        raise Problem(404, "Not found", _MISSING.format(identity))
    return closing


def _asked(job: Job) -> dict[str, Any]:
    """A job as the API shows it; the result is the closing."""
    return {name: value for name, value in shown(job).items() if name != "result"}
