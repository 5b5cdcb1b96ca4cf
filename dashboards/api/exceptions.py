"""`/exceptions`: what failed, open or resolved."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query

from throughline.collector.auth import Principal, Scope
from throughline.dashboards.api.context import Context
from throughline.dashboards.api.cursor import Cursor, decode, encode
from throughline.dashboards.api.json import Json
from throughline.dashboards.api.models import ExceptionPage, ExceptionStatus


def router(context: Context) -> APIRouter:
    """Return the routes."""
    routes = APIRouter(tags=["exceptions"])

    @routes.get("/exceptions", response_model=ExceptionPage)
    @context.threaded
    def list_exceptions(  # noqa: PLR0917 - FastAPI passes them by name
        principal: Annotated[Principal, Depends(context.principal(Scope.READ))],
        status: Annotated[ExceptionStatus | None, Query()] = None,
        process: Annotated[str, Query(max_length=200)] = "",
        fingerprint: Annotated[str, Query(pattern="^[0-9a-f]{16}$|^$")] = "",
        limit: Annotated[int, Query(ge=1, le=500)] = 50,
        cursor: Annotated[str | None, Query()] = None,
    ) -> Json:
        """List exceptions, newest first; an exception that touches several journeys is listed once."""
        filters = {
            "list": "exceptions",
            "process": process,
            "status": status or "",
            "fingerprint": fingerprint,
        }
        now, after = context.deps.clock(), None
        if cursor is not None:
            place = decode(cursor, tenant=principal.tenant, filters=filters)
            now, after = place.as_of, (place.opened_at, place.last)
        rows = context.reader(principal, now).exceptions(
            process=process, status=status or "", fingerprint=fingerprint, limit=limit + 1, after=after
        )
        page, following = rows[:limit], None
        if len(rows) > limit:
            last = Cursor(now, page[-1]["opened_at"], page[-1]["id"])
            following = encode(last, tenant=principal.tenant, filters=filters)
        return Json({"items": page, "next": following})

    return routes
