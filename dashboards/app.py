"""One ASGI application: pages by Streamlit, the API under `/api`, signing in under `/login`.

Everything that depends on Streamlit's ASGI entry point (`streamlit.starlette.App`, young) stands in this
file.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from urllib.parse import parse_qs

from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from throughline.collector.auth import Scope as Permission
from throughline.collector.auth import is_loopback
from throughline.collector.exception_acts import ExceptionActs
from throughline.dashboards import session
from throughline.dashboards.api.app import create_api
from throughline.dashboards.api.problems import answer
from throughline.dashboards.definitions import publish_definitions
from throughline.dashboards.deps import Deps
from throughline.dashboards.theme import STREAMLIT_OPTIONS
from throughline.probes.errors import IntakeError

log = logging.getLogger(__name__)
_SCRIPT = Path(__file__).parent / "pages" / "main.py"
_LONGEST_FORM = 8192
_LOOK_SECONDS = 5.0


def create_app(deps: Deps) -> ASGIApp:
    """Return the application to serve on the UI port. One per process: Streamlit keeps global state."""
    from streamlit.starlette import App
    from streamlit.web import bootstrap

    bootstrap.load_config_options(dict(STREAMLIT_OPTIONS))
    session.provide(deps)
    api = create_api(deps)

    @contextlib.asynccontextmanager
    async def lifespan(_: object) -> AsyncIterator[None]:
        publishing = asyncio.create_task(_publish(deps))
        try:
            yield
        finally:
            publishing.cancel()
            await asyncio.gather(publishing, return_exceptions=True)

    return App(
        _SCRIPT,
        lifespan=lifespan,
        routes=[
            Route("/api", _to_docs),
            Mount("/api", app=api),
            Route("/metrics", metrics_route(deps), methods=["GET"]),
            Route("/login", _login, methods=["POST"]),
            Route("/logout", _logout, methods=["GET", "POST"]),
        ],
        middleware=[Middleware(_KnownHost, open_access=lambda: deps.access().open)],
    )


class _KnownHost:
    """While access is open, answer only to this machine's own names: a foreign page could point its name at
    us.
    """

    def __init__(self, app: ASGIApp, open_access: object) -> None:
        self._app = app
        self._open = open_access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] in {"http", "websocket"} and callable(self._open) and self._open():
            given = dict(scope["headers"]).get(b"host", b"").decode("latin-1")
            name = given.rpartition(":")[0] if not given.endswith("]") and ":" in given else given
            if not is_loopback(name):
                detail = "Without tokens only localhost is served; configure tokens to serve other names."
                await answer(421, "Unknown host", detail)(scope, receive, send)
                return
        await self._app(scope, receive, send)


def metrics_route(deps: Deps) -> Callable[[Request], Response]:
    """Prometheus metrics; with tokens, for those who hold `admin`, as they name every tenant."""

    def metrics(request: Request) -> Response:
        if deps.metrics is None:
            return answer(404, "Not found", "This process counts nothing; ask the engine.")
        try:
            principal = deps.access().authenticate(request.headers.get("authorization"))
        except IntakeError as error:
            return answer(401, "Unauthorized", str(error))
        if Permission.ADMIN not in principal.scopes:
            return answer(403, "Forbidden", "Metrics name every tenant: use a token that holds admin.")
        text, content_type = deps.metrics.text(request.headers.get("accept", ""))
        return Response(text, headers={"content-type": content_type})

    return metrics


async def _to_docs(_: Request) -> Response:
    return RedirectResponse("/api/docs")


async def _login(request: Request) -> Response:
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > _LONGEST_FORM:
            return answer(413, "Too large", "A token is at most a few hundred characters.")
    token = parse_qs(body.decode("latin-1")).get("token", [""])[0].strip()
    if not token.isascii() or not token.isprintable():
        token = ""  # no token looks like this: ask again
    response = RedirectResponse("/", status_code=303)
    response.headers["set-cookie"] = session.cookie(token, secure=request.url.scheme == "https")
    log.info("a token was entered from %s", request.client.host if request.client else "?")
    return response


async def _logout(_: Request) -> Response:
    response = RedirectResponse("/", status_code=303)
    response.headers["set-cookie"] = session.cookie("", secure=False)
    return response


async def _publish(deps: Deps) -> None:
    """Write the definitions to the store whenever they changed, so that SQL sees owners, and what people did
    about exceptions if whoever did it could not.
    """
    published: frozenset[str] | None = None
    acts = ExceptionActs(deps.control) if deps.control else None
    while True:
        processes = list(deps.processes())
        hashes = frozenset(one.definition_hash for one in processes)
        if hashes != published:
            try:
                await asyncio.to_thread(publish_definitions, deps.store, processes, deps.clock())
                published = hashes
            except Exception:
                log.exception("the definitions could not be written to the store; trying again")
        try:
            if acts is not None:
                await asyncio.to_thread(acts.copy, deps.store)
        except Exception:
            log.exception("what people did about exceptions could not be copied; trying again")
        await asyncio.sleep(_LOOK_SECONDS)
