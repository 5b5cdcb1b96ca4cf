"""`/cycles`: what was worked in a billing period, what of it is billed, and what is overdue."""

from datetime import UTC, date, datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Query

from throughline.collector.auth import Principal, Scope
from throughline.dashboards.api.context import Context
from throughline.dashboards.api.cursor import Cursor, decode, encode
from throughline.dashboards.api.json import Json
from throughline.dashboards.api.models import CyclePage, CycleStatus


def router(context: Context) -> APIRouter:
    """Return the routes."""
    routes = APIRouter(tags=["cycles"])

    @routes.get("/cycles", response_model=CyclePage)
    @context.threaded
    def list_cycles(
        principal: Annotated[Principal, Depends(context.principal(Scope.READ))],
        process: Annotated[str, Query(max_length=200)] = "",
        status: Annotated[CycleStatus | None, Query()] = None,
        limit: Annotated[int, Query(ge=1, le=500)] = 50,
        cursor: Annotated[str | None, Query()] = None,
    ) -> Json:
        """List billing cycles, latest period first; `/journeys?cycle=&period=` lists what one consists of."""
        filters = {"list": "cycles", "process": process, "status": status or ""}
        now, after = context.deps.clock(), None
        if cursor is not None:
            place = decode(cursor, tenant=principal.tenant, filters=filters)
            now, after = place.as_of, (place.opened_at.date(), place.last)
        reader = context.reader(principal, now)
        rows = reader.cycles(process=process, status=status or "", limit=limit + 1, after=after)
        page, following = rows[:limit], None
        if len(rows) > limit:
            last = Cursor(now, _midnight(page[-1]["first_day"]), page[-1]["id"])
            following = encode(last, tenant=principal.tenant, filters=filters)
        return Json({"items": page, "next": following})

    return routes


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)
