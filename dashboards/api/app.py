"""The API: one router per noun under `/v1`, problems for errors, a description without foreign scripts."""

from __future__ import annotations

from importlib.metadata import version

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import HTMLResponse

from throughline.dashboards.api import (
    alert_acts,
    alerts,
    as_of,
    audit,
    backtests,
    causes,
    closings,
    cycles,
    dead_letters,
    exceptions,
    handling,
    journeys,
    links,
    mappings,
    money,
    objects,
    problems,
    query,
    replays,
    rule_writing,
    status,
    subscriptions,
    tickets,
    waiting,
)
from throughline.dashboards.api.context import Context
from throughline.dashboards.api.docs import page
from throughline.dashboards.api.models import ProblemDocument
from throughline.dashboards.deps import Deps

PROBLEMS: dict[int | str, dict[str, object]] = {
    code: {"model": ProblemDocument, "description": text, "content": {"application/problem+json": {}}}
    for code, text in {
        400: "The request cannot be served as asked.",
        401: "A token is needed.",
        403: "The token lacks the scope.",
        422: "A parameter is not valid.",
        503: "The store does not answer; Retry-After says when to ask again.",
    }.items()
}


def create_api(deps: Deps) -> FastAPI:
    """Return the application to mount at `/api`."""
    app = FastAPI(
        title="Throughline",
        version=version("throughline"),
        summary="Business journeys, from opportunity to invoice.",
        docs_url=None,
        redoc_url=None,
        openapi_url="/openapi.json",
        responses=PROBLEMS,
    )
    problems.install(app)
    context = Context(deps)
    # Causes before exceptions: `/exceptions/{id}` would take the path of theirs.
    for module in (
        journeys, links, waiting, objects, cycles, causes, exceptions, money, status, query, dead_letters,
    ):  # fmt: skip
        app.include_router(module.router(context), prefix="/v1")
    if deps.control is not None:
        for acting in (
            backtests, as_of, audit, closings, handling, replays, tickets, subscriptions, mappings, alerts,
            alert_acts, rule_writing,
        ):  # fmt: skip
            app.include_router(acting.router(context, deps.control), prefix="/v1")

    @app.get("/docs", include_in_schema=False)
    async def docs(request: Request) -> HTMLResponse:
        return HTMLResponse(page(app.openapi(), base=request.scope.get("root_path", "")))

    return app
