"""OTLP/HTTP: /v1/traces, /v1/logs, /v1/metrics.

Source: https://opentelemetry.io/docs/specs/otlp/#otlphttp
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from google.protobuf.json_format import MessageToJson
from google.rpc.status_pb2 import Status

from throughline.collector.bodies import ENCODINGS, Receive, decompress, read_body
from throughline.collector.examine import Encoding, Task
from throughline.collector.intake import Intake, UnsupportedType
from throughline.collector.limits import Hold, TooLarge
from throughline.collector.otlp_messages import OTLP
from throughline.probes.errors import IntakeError

Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Headers = dict[bytes, bytes]

PROTOBUF = "application/x-protobuf"
JSON = "application/json"
ENCODING_OF = {PROTOBUF: Encoding.PROTOBUF, JSON: Encoding.JSON}
EMPTY_JSON = b"{}"


async def export(intake: Intake, signal: str, headers: Headers, receive: Receive, send: Send) -> None:
    """Take one export request; the response has the type of the request."""
    content_type = headers.get(b"content-type", b"").decode("latin-1")
    media_type = content_type.partition(";")[0].strip().lower()
    received = intake.clock()
    try:
        principal = intake.admit(_text(headers, b"authorization"))
        if media_type not in ENCODING_OF:
            raise UnsupportedType(f"Content-Type must be {PROTOBUF} or {JSON}, not {content_type!r}.")
        with intake.hold(principal) as hold:
            body = await receive_body(intake, headers, receive, hold)
            await intake.accept(principal, Task(signal, ENCODING_OF[media_type], body, received))
    except IntakeError as error:
        await refuse(intake, signal, error, send, as_protobuf=media_type == PROTOBUF)
        return
    done = EMPTY_JSON if media_type == JSON else OTLP[signal].response().SerializeToString()
    await respond(send, 200, media_type, done)


async def receive_body(
    intake: Intake, headers: Headers, receive: Receive, hold: Hold, *, most: int | None = None
) -> bytes:
    """Receive and decompress a body within the limits, or one of at most `most` bytes.

    Raises: UnsupportedType, InvalidRequest, TooLarge, TooSlow, ClientGone, Busy.
    """
    settings = intake.settings
    limit = settings.max_body_bytes if most is None else most
    encoding = headers.get(b"content-encoding", b"").decode("latin-1").strip().lower()
    if encoding not in ENCODINGS:
        raise UnsupportedType(f"Content-Encoding must be gzip, deflate or identity, not {encoding!r}.")
    announced = headers.get(b"content-length", b"0")
    if announced.isdigit() and int(announced) > limit:
        raise TooLarge(f"The body is larger than {limit} bytes; send smaller batches.")
    body = await read_body(
        receive,
        hold,
        limit=limit,
        idle_seconds=settings.body_idle_seconds,
        total_seconds=settings.body_total_seconds,
    )
    return await decompress(encoding, body, hold, limit=limit, executor=intake.executor)


async def refuse(intake: Intake, signal: str, error: IntakeError, send: Send, *, as_protobuf: bool) -> None:
    """Answer with a google.rpc Status in the type of the request, and when to try again."""
    refusal = intake.refuse(signal, error)
    status = Status(code=refusal.code, message=str(error))
    body = status.SerializeToString() if as_protobuf else MessageToJson(status, indent=None).encode()
    extra: list[tuple[bytes, bytes]] = []
    if refusal.retry_after is not None:
        extra.append((b"retry-after", str(refusal.retry_after).encode()))
    if refusal.status == 401:  # noqa: PLR2004
        extra.append((b"www-authenticate", b"Bearer"))
    if isinstance(error, UnsupportedType):
        extra.append((b"accept-encoding", b"gzip, deflate"))
    await respond(send, refusal.status, PROTOBUF if as_protobuf else JSON, body, extra)


async def respond(
    send: Send,
    status: int,
    content_type: str,
    body: bytes,
    extra: list[tuple[bytes, bytes]] | None = None,
) -> None:
    """Send one whole response."""
    headers = [
        (b"content-type", content_type.encode()),
        (b"content-length", str(len(body)).encode()),
        *(extra or []),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _text(headers: Headers, name: bytes) -> str | None:
    value = headers.get(name)
    return None if value is None else value.decode("latin-1")
