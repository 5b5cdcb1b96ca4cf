"""`/hooks/{platform}/{connection}`: webhooks, verified by their signature, acknowledged from the spool alone.

1. The connection is looked up, its rate kept, the body received within bounds.
2. `greet` may answer a handshake. Then `verify` sees the raw bytes; what fails is refused and not kept.
3. `parse` makes business events, which go to the spool as log records in one synced append. What can't be
   parsed goes there as a dead letter: it is from its platform, and none of it may be lost.
4. Only then does `reply` answer.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, MutableMapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from throughline.collector.auth import Principal, Scope
from throughline.collector.bodies import Receive
from throughline.collector.connections import Configured, Connections
from throughline.collector.examine import EVENTS, Encoding, Task
from throughline.collector.hook_events import describe, letter
from throughline.collector.intake import Intake
from throughline.collector.limits import Busy, TooLarge
from throughline.collector.otlp_http import JSON, Send, receive_body, respond
from throughline.probes.errors import ConfigurationError, IntakeError, InvalidRequest, Unauthorized
from throughline.probes.platforms import adapter
from throughline.probes.platforms.adapter import (
    Adapter,
    BadSignature,
    Connection,
    HookReply,
    HookRequest,
    StaleRequest,
)

log = logging.getLogger(__name__)

PREFIX = "/hooks/"
SIGNAL = "hooks"
NOT_FOUND, NOT_ALLOWED = 5, 12
"""Codes of google.rpc, as other refusals of the edge carry them."""
GREETED_BYTES = 64 * 1024  # handshakes are small
LONGEST_NAME = 64


class TooOften(Busy):
    """The connection sends more than its rate_limit in connections.yaml allows; send again later."""


@dataclass(slots=True)
class _Bucket:
    """Requests that a connection may send now; it fills up at its rate."""

    left: float
    since: float


class Hooks:
    """The door for webhooks."""

    def __init__(self, intake: Intake, connections: Callable[[], Connections]) -> None:
        """`connections` is asked at each request: they change while the edge runs."""
        self._intake = intake
        self._connections = connections
        self._buckets: dict[str, _Bucket] = {}

    async def answer(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Answer one request to a path below `/hooks/`."""
        platform, _, name = scope["path"].removeprefix(PREFIX).partition("/")
        configured = self._connections().find(platform, name)
        if configured is None:
            self._intake.metrics.hooks.labels(platform="", connection="", outcome="unknown_connection").inc()
            await _say(send, 404, NOT_FOUND, _unknown(platform, name))
            return
        try:
            module = adapter(platform)
            if scope["method"] == "POST":
                reply = await self._post(scope, configured, module, receive)
            else:
                reply = self._handshake(scope, configured, module)
        except IntakeError as error:
            await self._refuse(send, configured, error)
        except ConfigurationError as error:
            log.error("connection %s: %s", name, error)  # noqa: TRY400
            await self._refuse(send, configured, IntakeError(str(error), permanent=False))
        else:
            extra = [(key.lower().encode(), value.encode()) for key, value in reply.headers.items()]
            await respond(send, reply.status, reply.content_type, reply.body, extra)

    async def _post(
        self, scope: MutableMapping[str, Any], configured: Configured, module: Adapter, receive: Receive
    ) -> HookReply:
        """Take one webhook. Raises: IntakeError."""
        intake = self._intake
        received = intake.clock()
        self._keep_rate(configured)
        principal = Principal(configured.tenant, frozenset({Scope.INGEST}), configured.connection.id)
        intake.make_room(principal)
        with intake.hold(principal) as hold:
            headers = dict(scope["headers"])
            most = intake.settings.hook_body_bytes
            body = await receive_body(intake, headers, receive, hold, most=most)
            request = _request(scope, configured.connection, body, received)
            greeting = self._greet(request, configured, module) if len(body) <= GREETED_BYTES else None
            if greeting is not None:
                return greeting
            _verify(module, request, configured.connection)
            await self._keep(request, configured, principal, received)
        return self._reply(request, configured, module)

    async def _keep(
        self, request: HookRequest, configured: Configured, principal: Principal, received: int
    ) -> None:
        """Put the events into the spool, or the whole request if nobody can read it."""
        intake, connection = self._intake, configured.connection
        hook = describe(request, connection, payload_bytes=intake.settings.hook_payload_bytes)
        task = Task(EVENTS, Encoding.HOOK, request.body, received, hook=hook)
        try:
            await intake.accept(principal, task)
        except (InvalidRequest, TooLarge) as error:
            await intake.keep_letter(principal, letter(request, connection, str(error)), received)
            log.warning("connection %s: a webhook can't be read and went to the dead letters", connection.id)
            self._count(configured, "unreadable")
        else:
            self._count(configured, "accepted")

    def _handshake(
        self, scope: MutableMapping[str, Any], configured: Configured, module: Adapter
    ) -> HookReply:
        """Answer what comes before any webhook."""
        request = _request(scope, configured.connection, b"", self._intake.clock())
        reply = self._greet(request, configured, module)
        if reply is None:
            message = json.dumps({"code": NOT_ALLOWED, "message": "Webhooks come by POST."}).encode()
            return HookReply(405, message, JSON, {"allow": "POST"})
        return reply

    def _greet(self, request: HookRequest, configured: Configured, module: Adapter) -> HookReply | None:
        greet = getattr(module, "greet", None)
        try:
            reply: HookReply | None = greet(request, configured.connection) if greet else None
        except Exception as error:  # noqa: BLE001 foreign code; the request may still be a webhook
            log.warning("connection %s: greet failed: %s", configured.connection.id, type(error).__name__)
            return None
        if reply is not None:
            self._count(configured, "greeted")
        return reply

    def _reply(self, request: HookRequest, configured: Configured, module: Adapter) -> HookReply:
        reply = getattr(module, "reply", None)
        try:
            found = reply(request, configured.connection) if reply else HookReply()
        except Exception as error:  # noqa: BLE001 foreign code; the webhook is safe already
            log.warning("connection %s: reply failed: %s", configured.connection.id, type(error).__name__)
            return HookReply()
        return found if isinstance(found, HookReply) else HookReply()

    def _keep_rate(self, configured: Configured) -> None:
        """Raises: TooOften."""
        rate = configured.entry.rate_limit
        if rate is None:
            return
        now, most = time.monotonic(), max(1.0, rate)
        bucket = self._buckets.setdefault(configured.connection.id, _Bucket(most, now))
        bucket.left = min(most, bucket.left + (now - bucket.since) * rate)
        bucket.since = now
        if bucket.left < 1:
            raise TooOften
        bucket.left -= 1

    async def _refuse(self, send: Send, configured: Configured, error: IntakeError) -> None:
        refusal = self._intake.refuse(SIGNAL, error)
        self._count(configured, _outcome(error, refusal.reason))
        extra = [] if refusal.retry_after is None else [(b"retry-after", str(refusal.retry_after).encode())]
        await _say(send, refusal.status, refusal.code, str(error), extra)

    def _count(self, configured: Configured, outcome: str) -> None:
        connection = configured.connection
        self._intake.metrics.hooks.labels(connection.platform, connection.id, outcome).inc()


def _verify(module: Adapter, request: HookRequest, connection: Connection) -> None:
    """Raises: Unauthorized, also when the adapter itself fails: then nothing is proven."""
    try:
        module.verify(request, connection, request.received_at)
    except Unauthorized:
        raise
    except Exception as error:
        log.warning("connection %s: verify failed: %s", connection.id, type(error).__name__)
        raise Unauthorized("The signature can't be checked; see the log of the edge.") from error


def _outcome(error: IntakeError, reason: str) -> str:
    if isinstance(error, BadSignature):
        return "bad_signature"
    if isinstance(error, StaleRequest):
        return "stale"
    return "too_often" if isinstance(error, TooOften) else reason


def _request(
    scope: MutableMapping[str, Any], connection: Connection, body: bytes, received_unix_nano: int
) -> HookRequest:
    headers: dict[str, str] = {}
    for raw_name, raw in scope["headers"]:
        name, text = raw_name.decode("latin-1").lower(), raw.decode("latin-1")
        headers[name] = f"{headers[name]},{text}" if name in headers else text
    received = datetime.fromtimestamp(0, UTC) + timedelta(microseconds=received_unix_nano // 1_000)
    path = (scope.get("raw_path") or scope["path"].encode()).decode("latin-1").partition("?")[0]
    query = scope.get("query_string", b"").decode("latin-1")
    url = public_url(connection, path, headers.get("host", "")) + (f"?{query}" if query else "")
    return HookRequest(scope["method"], url, headers, body, received)


def public_url(connection: Connection, path: str, host: str = "") -> str:
    """The address that the platform calls: that of the connection; one without a path gets ours."""
    given = connection.public_url.rstrip("/")
    if not given:
        return f"http://{host}{path}"
    return given if urlsplit(given).path else given + path


def _unknown(platform: str, name: str) -> str:
    shown = [text[:LONGEST_NAME] for text in (platform, name)]
    return (
        f"There is no connection {shown[1]!r} of the platform {shown[0]!r}. Add one with this id and "
        "platform to connections.yaml, or correct the address; it looks like /hooks/<platform>/<id>."
    )


async def _say(
    send: Send, status: int, code: int, message: str, extra: list[tuple[bytes, bytes]] | None = None
) -> None:
    await respond(send, status, JSON, json.dumps({"code": code, "message": message}).encode(), extra)
