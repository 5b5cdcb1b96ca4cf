"""Any system that signs as Standard Webhooks say; what its fields mean stands in `connections.yaml`.

    objects:
      invoice.paid:                               # the payload's `type` (option `type`: another path)
        event: =payment.applied                   # `=`: this text; otherwise a path into the payload
        time: data.paid_at
        key.netsuite.invoice: "{account}/{data.invoice.id}"  # with braces: paths within a text
        amount: data.amount
        attribute.method: data.method
      "*": {key.shop.order: data.order}           # for every other type

Source: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

from __future__ import annotations

import base64
import binascii
import hmac
import json
import re
from collections.abc import Mapping
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from throughline.probes.platforms.adapter import (
    BadSignature,
    Connection,
    HookRequest,
    StaleRequest,
    Unreadable,
)
from throughline.probes.vocabulary import BusinessEvent

ID, TIMESTAMP, SIGNATURE = "webhook-id", "webhook-timestamp", "webhook-signature"
PREFIX: Final = "whsec_"
TOLERANCE = timedelta(minutes=5)
KEY, ATTRIBUTE, EVERY = "key.", "attribute.", "*"
TEST_TYPE: Final = "throughline.test"
"""A payload of this type says nothing: `throughline connections test` sends it."""
PLAIN: Final = frozenset(field.name for field in fields(BusinessEvent)) - {
    "keys", "context_keys", "links", "cuts", "attributes", "failed",
}  # fmt: skip
"""Facts that are one text."""
OPTIONS: Final[Mapping[str, str]] = {
    "type": "path of what says the type of a message; default: type",
    "system": "what kind of system this is: crm, psa, erp, middleware or another",
}
BRACES = re.compile(r"\{([^{}]*)\}")
LATEST_SECONDS = 10**11  # a larger number of a time counts milliseconds


def verify(request: HookRequest, connection: Connection, now: datetime) -> None:
    """One of the signatures is ours, over id, time and body."""
    headers = request.headers
    missing = [name for name in (ID, TIMESTAMP, SIGNATURE) if not headers.get(name)]
    if missing:
        raise BadSignature(f"The request carries no {missing[0]}.")
    timestamp = headers[TIMESTAMP]
    if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= 11):  # noqa: PLR2004 until 5138
        raise BadSignature(f"{TIMESTAMP} is no number of seconds.")
    given = [one.encode() for one in headers[SIGNATURE].split(" ")]
    expected = [_signature(headers[ID], timestamp, request.body, secret) for secret in connection.secrets]
    if not any(hmac.compare_digest(one, other) for one in given for other in expected):
        raise BadSignature
    if abs(now - datetime.fromtimestamp(int(timestamp), UTC)) > TOLERANCE:
        raise StaleRequest


def _signature(message: str, timestamp: str, body: bytes, secret: bytes) -> bytes:
    signed = f"{message}.{timestamp}.".encode() + body
    return b"v1," + base64.b64encode(hmac.digest(_key(secret), signed, "sha256"))


def _key(secret: bytes) -> bytes:
    """The bytes of a secret: behind `whsec_` it is base64."""
    text = secret.removeprefix(PREFIX.encode())
    if text == secret:
        return secret
    try:
        return binascii.a2b_base64(text, strict_mode=True)
    except binascii.Error as error:
        raise BadSignature("The secret of the connection is not base64 behind 'whsec_'.") from error


def parse(request: HookRequest, connection: Connection) -> list[BusinessEvent]:
    """Read one message as its type says; a type without an entry is `unknown`."""
    try:
        content = json.loads(request.body, parse_float=Decimal)
    except ValueError as error:
        raise Unreadable("The body is no JSON.") from error
    if not isinstance(content, dict):
        raise Unreadable("The body is no JSON object.")
    kind = str(_at(content, connection.options.get("type", "type")) or "")
    if kind == TEST_TYPE:
        return []
    mapping = connection.objects.get(kind) or connection.objects.get(EVERY)
    here = BusinessEvent(
        event="unknown" if mapping is None else kind or "unknown",
        id=request.headers.get(ID),
        time=_moment(content.get("timestamp")),
        system=connection.options.get("system"),
        attributes={"webhook.type": kind},
    )
    return [_mapped(here, content, mapping or {})]


def _mapped(here: BusinessEvent, content: Mapping[str, Any], mapping: Mapping[str, str]) -> BusinessEvent:
    keys: dict[str, Any] = {}
    attributes = dict(here.attributes)
    facts: dict[str, Any] = {}
    for target, source in mapping.items():
        value = _said(content, source)
        if value in (None, "", []):
            continue
        if target.startswith(KEY):
            keys[target.removeprefix(KEY)] = value
        elif target.startswith(ATTRIBUTE):
            attributes[target.removeprefix(ATTRIBUTE)] = value
        elif target == "failed":
            facts[target] = str(value).lower() in {"true", "1", "yes"}
        elif target == "time":
            facts[target] = _moment(value)
        elif target in PLAIN:
            facts[target] = value if isinstance(value, str) else json.dumps(value)
    return replace(here, **{**facts, "keys": keys, "attributes": attributes})


def _said(content: Mapping[str, Any], source: str) -> Any:
    """The value that a mapping names: text, or a list of texts."""
    if source.startswith("="):
        return source[1:]
    if "{" in source:
        values = [_at(content, path) for path in BRACES.findall(source)]
        if any(value in (None, "") for value in values):
            return None  # half a key is another key
        return BRACES.sub(lambda match: str(_at(content, match[1])), source)
    return _at(content, source)


def _at(content: Any, path: str) -> Any:
    """What stands at a dotted path: scalars as text, lists of scalars as lists of texts, the rest as JSON."""
    for step in path.split("."):
        if isinstance(content, Mapping):
            content = content.get(step)
        elif isinstance(content, list) and step.isdecimal() and int(step) < len(content):
            content = content[int(step)]
        else:
            return None
    if isinstance(content, list) and not any(isinstance(one, dict | list) for one in content):
        return [_text(one) for one in content if one is not None]
    return None if content is None else _text(content)


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return json.dumps(value, default=str) if isinstance(value, dict | list) else str(value)


def _moment(value: object) -> datetime | None:
    """A time as ISO 8601 (without a zone: UTC) or in seconds or milliseconds since 1970."""
    text = str(value or "").strip()
    try:
        if re.fullmatch(r"\d+(\.\d+)?", text):
            number = Decimal(text)
            seconds = number / 1000 if number > LATEST_SECONDS else number
            return datetime.fromtimestamp(0, UTC) + timedelta(microseconds=int(seconds * 1_000_000))
        found = datetime.fromisoformat(text)
    except (ValueError, OverflowError):
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def faults(connection: Connection) -> list[str]:
    """What is wrong with objects."""
    return [
        f"{kind}: there is no fact {target!r}; use key.<namespace>, attribute.<name> or one of "
        f"{', '.join(sorted({*PLAIN, 'failed'}))}"
        for kind, mapping in connection.objects.items()
        for target in mapping
        if target not in PLAIN | {"failed"} and not target.startswith((KEY, ATTRIBUTE))
    ]


def sample(connection: Connection, now: datetime) -> HookRequest:
    """A message that says nothing, signed."""
    message, timestamp = f"msg_test_{now:%Y%m%d%H%M%S%f}", str(int(now.timestamp()))
    content: Any = TEST_TYPE
    for step in reversed(connection.options.get("type", "type").split(".")):
        content = {step: content}
    body = json.dumps(content).encode()
    headers = {ID: message, TIMESTAMP: timestamp, "content-type": "application/json"}
    headers[SIGNATURE] = _signature(message, timestamp, body, connection.secrets[0]).decode()
    return HookRequest("POST", connection.public_url, headers, body, now)
