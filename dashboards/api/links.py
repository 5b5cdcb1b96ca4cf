"""`/links`: what people link and unlink by hand; `/journeys/{id}/graph`: how its objects hang together."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query

from throughline.collector.auth import Principal, Scope
from throughline.correlator.hand_links import HandLinks, Pair, Refused
from throughline.dashboards.api.context import Context
from throughline.dashboards.api.json import Json
from throughline.dashboards.api.link_models import KeyGraph, Link, LinkPage, LinkRequest
from throughline.dashboards.api.problems import Problem
from throughline.dashboards.key_graph import key_graph


def router(context: Context) -> APIRouter:
    """Return the routes."""
    routes = APIRouter(tags=["links"])
    Reading = Annotated[Principal, Depends(context.principal(Scope.READ))]  # noqa: N806 - a type
    Operating = Annotated[Principal, Depends(context.principal(Scope.OPERATE))]  # noqa: N806 - a type

    @routes.get("/links", response_model=LinkPage)
    @context.threaded
    def list_links(
        principal: Reading,
        key: Annotated[list[str] | None, Query(description="namespace:value; may be repeated")] = None,
        limit: Annotated[int, Query(ge=1, le=1000)] = 200,
    ) -> Json:
        """List what people linked and unlinked by hand, newest first."""
        return Json({"items": HandLinks(context.deps.store, principal.tenant).said(key or [], limit=limit)})

    @routes.post("/links", response_model=Link, status_code=201, responses={200: {"model": Link}})
    @context.threaded
    def say(principal: Operating, request: LinkRequest) -> Json:
        """Link two keys, cut a link, or undo either. What was said already is answered 200."""
        by_hand = HandLinks(context.deps.store, principal.tenant)
        try:
            found, fresh = by_hand.say(
                request.action,
                Pair(request.parent, request.child),
                context.deps.processes(),
                reason=request.reason,
                who=principal,
                now=context.deps.clock(),
                new=request.new,
            )
        except Refused as error:
            raise Problem(422, "Refused", str(error)) from error
        return Json(found, status_code=201 if fresh else 200)

    @routes.get("/journeys/{id}/graph", response_model=KeyGraph)
    @context.threaded
    def graph(
        principal: Reading, identity: Annotated[str, Path(alias="id", pattern="^[0-9a-f]{16}$")]
    ) -> Json:
        """Return a journey's objects, the links between them, and the evidence of each link."""
        reader = context.reader(principal)
        found = key_graph(reader, int(identity, 16))
        if not found["nodes"]:
            raise Problem(404, "Not found", f"There is no journey {identity}.")
        names = [key for node in found["nodes"] for key in node["keys"]]
        return Json({**found, "by_hand": HandLinks(context.deps.store, principal.tenant).said(names)})

    return routes
