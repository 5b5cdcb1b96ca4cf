"""`/exceptions`: what failed, open, snoozed or resolved; one with its history."""

from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query

from throughline.collector.auth import Principal, Scope
from throughline.dashboards.api.context import Context
from throughline.dashboards.api.cursor import Cursor, decode, encode
from throughline.dashboards.api.exception_models import ExceptionDetail
from throughline.dashboards.api.json import Json
from throughline.dashboards.api.models import ExceptionPage, ExceptionStatus
from throughline.dashboards.api.problems import Problem
from throughline.dashboards.exception_reader import ExceptionReader
from throughline.dashboards.reader import Reader, Row


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
        """List exceptions, newest first; an exception that touches several journeys is listed once.

        A snoozed one is not among the open ones.
        """
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

    @routes.get("/exceptions/{id}", response_model=ExceptionDetail)
    @context.threaded
    def one_exception(
        principal: Annotated[Principal, Depends(context.principal(Scope.READ))],
        identity: Annotated[str, Path(alias="id", pattern="^[0-9a-f]{16}$")],
    ) -> Json:
        """Return one exception with what became of it, and how others of the same cause ended."""
        reader = context.reader(principal)
        row = ExceptionReader(reader).one(identity)
        if row is None:
            raise Problem(404, "Not found", _where(ExceptionReader(reader), identity))
        return Json(detail(reader, row))

    return routes


def detail(reader: Reader, row: Row) -> Row:
    """Return an exception with its history and memory."""
    known = ExceptionReader(reader)
    memory = known.memories([row["fingerprint"]])[row["fingerprint"]]
    return {**row, "history": known.histories([row["id"]])[row["id"]], "memory": asdict(memory)}


def _where(known: ExceptionReader, identity: str) -> str:
    """Say what became of an exception that is not there."""
    gone = [one for one in known.histories([identity])[identity] if one["kind"] == "gone"]
    if gone:
        since = f"{gone[-1]['at']:%Y-%m-%d %H:%M} UTC"
        return f"The exception {identity} is gone since {since}, with its journey or its events."
    return f"There is no exception {identity}."
