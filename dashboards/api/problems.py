"""Every error as RFC 9457 problem JSON."""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from throughline.collector.auth import Forbidden
from throughline.dashboards.api.json import Json
from throughline.probes.errors import StoreError, Unauthorized

log = logging.getLogger(__name__)


class Problem(Exception):
    """An answer other than success: status, title, what to do, and members of its own."""

    def __init__(self, status: int, title: str, detail: str, **members: Any) -> None:
        super().__init__(detail)
        self.status = status
        self.title = title
        self.detail = detail
        self.members = members


def install(app: FastAPI) -> None:
    """Turn every error of the application into problem JSON."""
    app.add_exception_handler(Problem, _problem)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(Unauthorized, _unauthorized)
    app.add_exception_handler(StoreError, _store)
    app.add_exception_handler(Exception, _unexpected)


def answer(
    status: int, title: str, detail: str, *, headers: dict[str, str] | None = None, **members: Any
) -> Response:
    """Return a problem document."""
    kind = "urn:throughline:problem:" + title.lower().replace(" ", "-")
    body = {"type": kind, "title": title, "status": status, "detail": detail, **members}
    return Json(body, status_code=status, headers=headers, media_type="application/problem+json")


async def _problem(_: Request, error: Exception) -> Response:
    assert isinstance(error, Problem)  # noqa: S101 - the handler is registered for it
    return answer(error.status, error.title, error.detail, **error.members)


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - the handler is registered for it
    title = HTTPStatus(error.status_code).phrase
    detail = str(error.detail)
    if error.status_code == HTTPStatus.NOT_FOUND:
        detail = f"There is nothing at {request.url.path}; /api/docs lists what there is."
    return answer(error.status_code, title, detail, headers=dict(error.headers or {}))


async def _invalid(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - the handler is registered for it
    errors = [
        {"field": ".".join(str(step) for step in one["loc"]), "message": one["msg"]} for one in error.errors()
    ]
    detail = "; ".join(f"{one['field']}: {one['message']}" for one in errors)
    return answer(422, "Invalid request", detail, errors=errors)


async def _unauthorized(_: Request, error: Exception) -> Response:
    if isinstance(error, Forbidden):
        return answer(403, "Forbidden", str(error))
    return answer(401, "Unauthorized", str(error), headers={"WWW-Authenticate": 'Bearer realm="throughline"'})


async def _store(_: Request, error: Exception) -> Response:
    log.warning("the store did not answer: %s", error)
    return answer(
        503, "Store unavailable", "The store did not answer; try again.", headers={"Retry-After": "5"}
    )


async def _unexpected(request: Request, error: Exception) -> Response:
    log.error("%s %s failed", request.method, request.url.path, exc_info=error)
    return answer(500, "Internal error", "Something went wrong on our side; the log of the engine says what.")
