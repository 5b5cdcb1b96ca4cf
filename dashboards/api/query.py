"""`/query`: one read-only SELECT over the documented views and tables."""

from typing import Annotated

from fastapi import APIRouter, Depends

from throughline.collector.auth import Principal, Scope
from throughline.correlator.sql_guard import RAW_TABLES, VIEWS, QueryRefused
from throughline.dashboards.api.context import Context
from throughline.dashboards.api.json import Json
from throughline.dashboards.api.models import QueryAnswer, QueryRequest
from throughline.dashboards.api.problems import Problem
from throughline.dashboards.explore import explore


def router(context: Context) -> APIRouter:
    """Return the routes."""
    routes = APIRouter(tags=["query"])
    deps = context.deps

    @routes.post("/query", response_model=QueryAnswer)
    @context.threaded
    def query(
        principal: Annotated[Principal, Depends(context.principal(Scope.READ))], request: QueryRequest
    ) -> Json:
        """Run one SELECT over your own data; `sources`, `journeys`, `milestones`, `exceptions`, `events`
        and the raw tables.
        """
        try:
            answer = explore(
                deps.store, request.sql, tenant=principal.tenant, now=deps.clock(), settings=deps.settings
            )
        except QueryRefused as error:
            raise Problem(400, "Query refused", str(error), allowed=[*VIEWS, *RAW_TABLES]) from error
        return Json({"columns": answer.columns, "rows": answer.rows, "truncated": answer.truncated})

    return routes
