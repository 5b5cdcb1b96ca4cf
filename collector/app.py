"""The ASGI application of the edge: routes, CloudEvents, health and metrics; webhooks are in `hooks.py`.

Plain ASGI: there are eight paths, and a framework would cost more than it gives on this one.
"""

from __future__ import annotations

import json
from collections.abc import Callable, MutableMapping
from typing import Any

from throughline.collector import otlp_http
from throughline.collector.auth import Scope
from throughline.collector.bodies import Receive
from throughline.collector.cloudevents import BATCH, STRUCTURED
from throughline.collector.connections import Connections
from throughline.collector.examine import EVENTS, Encoding, Task
from throughline.collector.hooks import PREFIX, Hooks
from throughline.collector.intake import Intake, UnsupportedType
from throughline.collector.otlp_http import JSON, Headers, Send, receive_body, refuse, respond
from throughline.probes.errors import IntakeError

Scope_ = MutableMapping[str, Any]

SIGNAL_OF_PATH = {f"/v1/{signal}": signal for signal in ("traces", "logs", "metrics")}
EVENTS_PATH = "/v1/events"
PROMETHEUS = "text/plain; version=1.0.0; charset=utf-8; escaping=underscores"
GET = frozenset({"GET", "HEAD"})


class EdgeApp:
    """Everything on port 4318."""

    def __init__(self, intake: Intake, connections: Callable[[], Connections]) -> None:
        """Serve `intake`; webhooks come through `connections`."""
        self._intake = intake
        self._hooks = Hooks(intake, connections)

    async def __call__(self, scope: Scope_, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        path, method = scope["path"], scope["method"]
        headers: Headers = dict(scope["headers"])
        signal = SIGNAL_OF_PATH.get(path)
        if signal is not None and method == "POST":
            await otlp_http.export(self._intake, signal, headers, receive, send)
        elif path == EVENTS_PATH and method == "POST":
            await self._events(scope["headers"], headers, receive, send)
        elif path == EVENTS_PATH and method == "OPTIONS":
            await self._handshake(headers, send)
        elif path.startswith(PREFIX):
            await self._hooks.answer(scope, receive, send)
        elif signal is not None or path == EVENTS_PATH:
            await _plain(send, 405, f"{path} takes POST only.", [(b"allow", b"POST")])
        elif (page := self._pages().get(path)) is None:
            await _plain(send, 404, f"There is nothing at {path}; OTLP goes to /v1/traces and the like.")
        elif method not in GET:
            await _plain(send, 405, f"{path} takes GET only.", [(b"allow", b"GET, HEAD")])
        else:
            await page(headers, send)

    def _pages(self) -> dict[str, Any]:
        return {"/healthz": self._healthz, "/readyz": self._readyz, "/metrics": self._metrics}

    async def _events(
        self, pairs: list[tuple[bytes, bytes]], headers: Headers, receive: Receive, send: Send
    ) -> None:
        """Take CloudEvents: all of the request or, if one is invalid, none."""
        intake = self._intake
        received = intake.clock()
        content_type = headers.get(b"content-type", b"").decode("latin-1")
        try:
            principal = intake.admit(headers.get(b"authorization", b"").decode("latin-1") or None)
            media_type = content_type.partition(";")[0].strip().lower()
            if media_type.startswith("application/cloudevents") and media_type not in {STRUCTURED, BATCH}:
                raise UnsupportedType(f"Content-Type must be {STRUCTURED} or {BATCH}, not {content_type!r}.")
            attributes = tuple(
                (name.decode("latin-1"), value.decode("utf-8", "replace"))
                for name, value in pairs
                if name.lower().startswith(b"ce-")
            )
            with intake.hold(principal) as hold:
                body = await receive_body(intake, headers, receive, hold)
                task = Task(EVENTS, Encoding.CLOUDEVENTS, body, received, content_type, attributes)
                await intake.accept(principal, task)
        except IntakeError as error:
            await refuse(intake, EVENTS, error, send, as_protobuf=False)
            return
        await respond(send, 200, JSON, b"{}")

    async def _handshake(self, headers: Headers, send: Send) -> None:
        """Answer the abuse protection of CloudEvents webhooks: we want these events.

        Source: https://github.com/cloudevents/spec/blob/main/cloudevents/http-webhook.md#4-abuse-protection
        """
        extra = [(b"allow", b"POST, OPTIONS")]
        origin = headers.get(b"webhook-request-origin")
        if origin:
            extra += [(b"webhook-allowed-origin", origin), (b"webhook-allowed-rate", b"*")]
        await respond(send, 200, JSON, b"{}", extra)

    async def _healthz(self, _: Headers, send: Send) -> None:
        """The process lives and its event loop turns."""
        await respond(send, 200, JSON, b'{"status": "ok"}')

    async def _readyz(self, _: Headers, send: Send) -> None:
        """Requests would be taken now."""
        trouble = self._intake.trouble()
        body = {"status": "ready"} if trouble is None else {"status": "not ready", "reason": trouble}
        await respond(send, 200 if trouble is None else 503, JSON, json.dumps(body).encode())

    async def _metrics(self, headers: Headers, send: Send) -> None:
        """Prometheus metrics; with tokens, for those who hold `admin`, as they name every tenant."""
        intake = self._intake
        try:
            authorization = headers.get(b"authorization", b"").decode("latin-1") or None
            intake.access.authenticate(authorization).require(Scope.ADMIN)
        except IntakeError as error:
            await refuse(intake, "metrics_page", error, send, as_protobuf=False)
            return
        intake.metrics.spool_bytes.set(intake.writer.size)
        intake.metrics.spool_limit.set(intake.settings.spool_limit_bytes)
        intake.metrics.in_flight.set(intake.budget.used)
        await respond(send, 200, PROMETHEUS, intake.metrics.text())


async def _plain(
    send: Send, status: int, message: str, extra: list[tuple[bytes, bytes]] | None = None
) -> None:
    """Answer without counting: no request of a signal was made."""
    code = 12 if status == 405 else 5  # noqa: PLR2004
    await respond(send, status, JSON, json.dumps({"code": code, "message": message}).encode(), extra)
