"""A verified webhook to OTLP log records: one for the request itself, with its body, and one per event.

Pure: text and bytes in, bytes out, so that large requests can be converted in a process of their own.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any
from urllib.parse import unquote

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord

from throughline.collector.cloudevents import INFO, TRACEPARENT
from throughline.collector.event_logs import fill, write
from throughline.probes import encode
from throughline.probes import vocabulary as v
from throughline.probes.platforms import adapter
from throughline.probes.platforms.adapter import Connection, HookRequest, Unreadable

SCOPE_PREFIX = "throughline.hooks."
REQUEST = "hook.request"
"""The event name of the record that holds the body; it has no keys, so it is no business event."""
SECRET_HEADERS = frozenset({
    "authorization", "cookie", "proxy-authorization", "x-api-key", "x-throughline-token",
})  # fmt: skip
SESSION = re.compile(rb"(<(?:[\w.-]+:)?SessionId\b[^<>]*>)[^<]*(?=</)")
"""What Salesforce sends with each outbound message: it opens a session of whoever triggered it."""
DIMENSIONS = ("entity", "region", "service_line")
"""What options of a connection say for events that do not."""
LONGEST_REASON = 2_000
LONGEST_BAGGAGE = 8_192
"""Characters of the header; W3C lets nobody rely on more."""


def describe(request: HookRequest, connection: Connection, *, payload_bytes: int) -> str:
    """Everything about a request but its body, and nothing that is secret; `convert` takes it."""
    return json.dumps(
        {
            "platform": connection.platform,
            "connection": connection.id,
            "objects": {kind: dict(names) for kind, names in connection.objects.items()},
            "options": dict(connection.options),
            "payload_bytes": payload_bytes,
            **told(request, connection),
        }
    )


def told(request: HookRequest, connection: Connection) -> dict[str, Any]:
    """What is kept of a request: of its address no query, which may hold a secret; no credentials."""
    secrets = [secret.decode("latin-1") for secret in connection.secrets]
    headers = {
        name: text
        for name, text in request.headers.items()
        if name not in SECRET_HEADERS and not any(secret in text for secret in secrets)
    }
    return {"method": request.method, "url": request.url.partition("?")[0], "headers": headers}


def convert(hook: str, body: bytes, received_unix_nano: int) -> tuple[bytes, int]:
    """Return the OTLP logs request of a webhook, and its number of records.

    Raises: Unreadable, whatever else the adapter raised; MemoryError.
    """
    given = json.loads(hook)
    connection = Connection(
        given["connection"], given["platform"], objects=given["objects"], options=given["options"]
    )
    received = datetime.fromtimestamp(0, UTC) + timedelta(microseconds=received_unix_nano // 1_000)
    request = HookRequest(given["method"], given["url"], given["headers"], body, received)
    try:
        events = adapter(connection.platform).parse(request, connection)
        kept = redacted(connection.platform, body)[: given["payload_bytes"]]
        return _logs(request, connection, events, kept, received_unix_nano)
    except (Unreadable, MemoryError):
        raise
    except BaseException as error:  # adapters are foreign code: what they raise is a reason to keep the body
        said = encode.text(f"{type(error).__name__}: {error}", LONGEST_REASON)
        raise Unreadable(f"the adapter of {connection.platform} failed with {said}") from error


def redacted(platform: str, body: bytes) -> bytes:
    """The body without what must not be stored: session ids, and what its platform names."""
    redact = getattr(adapter(platform), "redact", None)
    own = body if redact is None else bytes(redact(body))
    return SESSION.sub(rb"\1", own) if b"SessionId" in own else own


def _logs(
    request: HookRequest,
    connection: Connection,
    events: Iterable[v.BusinessEvent],
    kept: bytes,
    received_unix_nano: int,
) -> tuple[bytes, int]:
    message = ExportLogsServiceRequest()
    resource = message.resource_logs.add()
    resource.resource.attributes.add(key="service.name").value.string_value = connection.id
    scope = resource.scope_logs.add()
    scope.scope.name = SCOPE_PREFIX + connection.platform
    digest = sha256(request.body).hexdigest()[:32]
    replayed = _replay_of(request.headers.get("baggage", ""))
    _request_record(scope.log_records.add(), request, connection, kept)
    for number, event in enumerate(events):
        own = event.id or f"{digest}#{number}"
        known: dict[str, Any] = {
            "id": f"{connection.id}/{own}",
            "platform": connection.platform,
            "connection": connection.id,
        }
        known |= {name: getattr(event, name) or connection.options.get(name) for name in DIMENSIONS}
        if event.amount is not None:
            known["currency"] = event.currency or connection.options.get("currency")
        if replayed and not event.replay_id:
            known["replay_id"] = replayed
        write(
            scope.log_records.add(), event, received_unix_nano, undated=v.TimePrecision.APPROXIMATE, **known
        )
    for record in scope.log_records:
        record.observed_time_unix_nano = received_unix_nano
        record.time_unix_nano = record.time_unix_nano or received_unix_nano
        _put_trace(record, request.headers.get("traceparent", ""))
    return bytes(message.SerializeToString()), len(scope.log_records)


def _replay_of(header: str) -> str | None:
    """The replay that W3C baggage names: middleware passes on what made it call the platform."""
    for member in header[:LONGEST_BAGGAGE].split(","):
        name, _, value = member.partition(";")[0].partition("=")
        if name.strip() == v.REPLAY_ID:
            return unquote(value.strip()) or None
    return None


def _request_record(record: LogRecord, request: HookRequest, connection: Connection, kept: bytes) -> None:
    """The request: its size, and as much of its body as is kept."""
    attributes = {
        v.PLATFORM: connection.platform,
        v.CONNECTION: connection.id,
        "http.request.method": request.method,
        "http.request.body.size": len(request.body),
        "http.request.body.kept": len(kept),
    }
    record.severity_number, record.severity_text = INFO, "INFO"  # type: ignore[assignment]
    fill(record, REQUEST, attributes)
    if kept:
        whole = len(kept) == len(request.body)
        try:
            record.body.string_value = kept.decode("utf-8", "strict" if whole else "ignore")
        except UnicodeDecodeError:
            record.body.bytes_value = kept


def _put_trace(record: LogRecord, traceparent: str) -> None:
    parent = TRACEPARENT.fullmatch(traceparent)
    if parent and int(parent[1], 16) and int(parent[2], 16):
        record.trace_id, record.span_id = bytes.fromhex(parent[1]), bytes.fromhex(parent[2])
        record.flags = int(parent[3], 16)


def letter(request: HookRequest, connection: Connection, reason: str) -> bytes:
    """What is kept of a webhook that could not be read: all that is needed to read it again."""
    try:
        body = redacted(connection.platform, request.body)
    except Exception as error:  # noqa: BLE001 foreign code; without it nobody knows what may be kept
        body = b""
        reason = f"{reason}; the body could not be redacted ({type(error).__name__}) and is not kept"
    try:
        text, encoding = body.decode(), "utf-8"
    except UnicodeDecodeError:
        text, encoding = body.hex(), "hex"
    content = {
        "platform": connection.platform,
        "connection": connection.id,
        **told(request, connection),
        "encoding": encoding,
        "body": text,
        "reason": encode.text(reason, LONGEST_REASON),  # no half characters: the engine refuses them
    }
    return json.dumps(content, ensure_ascii=True).encode()
