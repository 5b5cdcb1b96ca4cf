"""`/audit`: who did what, when and why; as pages of a list, as CSV and as Parquet."""

from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, Field
from starlette.responses import Response

from throughline.collector.auth import Principal, Scope
from throughline.collector.control import ControlStore
from throughline.dashboards.api.context import Context
from throughline.dashboards.api.cursor import Cursor, decode, encode
from throughline.dashboards.api.json import Json
from throughline.dashboards.api.problems import Problem
from throughline.dashboards.audit import COLUMNS, MEDIA, Audit, AuditFilter, Format, TooMany, refresh

About = Literal["exception", "replay", "replay item", "link", "ticket", "dead letter", "closing"]


class Act(BaseModel):
    """One act: who did what to what, and why."""

    at: datetime
    actor: str = Field(description="`worker` and `throughline` are the platform itself")
    about: About
    what: str
    id: str
    process: str
    reason: str
    detail: str


class AuditPage(BaseModel):
    """Acts, newest first."""

    items: list[Act]
    next: str | None


async def asked_for(  # noqa: PLR0917 - FastAPI passes them by name
    actor: Annotated[str, Query(max_length=200)] = "",
    about: Annotated[About | None, Query()] = None,
    what: Annotated[str, Query(max_length=100, description="such as approved, closed, linked")] = "",
    id: Annotated[str, Query(max_length=2100, description="of a replay: its items too")] = "",  # noqa: A002
    process: Annotated[str, Query(max_length=200)] = "",
    since: Annotated[datetime | None, Query(description="from then on")] = None,
    until: Annotated[datetime | None, Query(description="before then")] = None,
    people: Annotated[bool, Query(description="without what the platform did by itself")] = False,
) -> AuditFilter:
    """Return which acts the parameters of a request mean."""
    for moment in (since, until):
        if moment is not None and moment.tzinfo is None:
            raise Problem(400, "Bad time", "since and until need a time zone: 2026-01-31T00:00:00Z")
    return AuditFilter(actor, about or "", what, id, process, since, until, people)


def router(context: Context, control: ControlStore) -> APIRouter:
    """Return the routes."""
    routes = APIRouter(tags=["audit"])
    Reading = Annotated[Principal, Depends(context.principal(Scope.READ))]  # noqa: N806 - a type
    Wanted = Annotated[AuditFilter, Depends(asked_for)]  # noqa: N806 - a type

    @routes.get("/audit", response_model=AuditPage)
    @context.threaded
    def listed(
        principal: Reading,
        wanted: Wanted,
        limit: Annotated[int, Query(ge=1, le=500)] = 100,
        cursor: Annotated[str | None, Query()] = None,
    ) -> Json:
        """List who did what, newest first."""
        filters = {"list": "audit", "filter": repr(wanted)}
        before = None
        if cursor is not None:
            place = decode(cursor, tenant=principal.tenant, filters=filters)
            before = (place.opened_at, place.last)
        refresh(context.deps.store, control)
        rows = Audit(context.reader(principal)).acts(wanted, limit=limit + 1, before=before)
        page, following = rows[:limit], None
        if len(rows) > limit:
            last = Cursor(context.deps.clock(), page[-1]["at"], page[-1]["row"])
            following = encode(last, tenant=principal.tenant, filters=filters)
        return Json({"items": [_act(row) for row in page], "next": following})

    @routes.get(
        "/audit/export",
        response_class=Response,
        responses={200: {"content": {media: {} for media in MEDIA.values()}, "description": "The file."}},
    )
    @context.threaded
    def export(
        principal: Reading,
        wanted: Wanted,
        format: Annotated[Format, Query()] = "csv",  # noqa: A002
    ) -> Response:
        """Return all acts that match as one file, 100,000 at most."""
        refresh(context.deps.store, control)
        try:
            body = Audit(context.reader(principal)).export(wanted, format)
        except TooMany as error:
            raise Problem(422, "Too many", str(error)) from error
        named = {"content-disposition": f'attachment; filename="audit.{format}"'}
        return Response(body, media_type=MEDIA[format], headers=named)

    return routes


def _act(row: dict[str, Any]) -> dict[str, Any]:
    return {name: row[name] for name in COLUMNS}
