"""A transition as a CloudEvent, signed after Standard Webhooks.

Source: https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/http-protocol-binding.md,
https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote

from throughline.correlator.outbound.subscriptions import Subscription

TYPE_PREFIX = "com.throughline."
"""Before `milestone.met` and its kin."""
CLOUDEVENTS_JSON = "application/cloudevents+json; charset=utf-8"
JSON = "application/json"


@dataclass(frozen=True, slots=True)
class Message:
    """A CloudEvent to tell; `event` is the whole of it as JSON, the same at each attempt."""

    id: str
    type: str
    subject: str
    event: str


def message(
    identity: str, kind: str, subject: str, *, tenant: str, process: str, at: str, trace: str, data: Any
) -> Message:
    """Make one. `identity` is that of the transition: receivers know repeats by it."""
    event = {
        "specversion": "1.0",
        "id": identity,
        "source": f"/throughline/{quote(tenant)}/{quote(process)}",
        "type": TYPE_PREFIX + kind,
        "subject": subject,
        "time": at,
        "datacontenttype": JSON,
        "traceparent": traceparent(identity, trace),
        "data": data,
    }
    return Message(identity, kind, subject, json.dumps(event, ensure_ascii=False, separators=(",", ":")))


def traceparent(identity: str, trace: str) -> str:
    """The telling as a span of the trace in which it happened, else of its own; the same at each attempt."""
    made = hashlib.sha256(identity.encode()).hexdigest()
    return f"00-{trace or made[:32]}-{made[32:48]}-01"


def request(
    subscription: Subscription, sent: Message, keys: Sequence[bytes], now: datetime
) -> tuple[dict[str, str], bytes]:
    """Headers and body of one attempt."""
    event: dict[str, Any] = json.loads(sent.event)
    headers = {"traceparent": str(event["traceparent"])}
    if subscription.format == "structured":
        body = sent.event.encode()
        headers["content-type"] = CLOUDEVENTS_JSON
    else:
        body = json.dumps(event.pop("data"), ensure_ascii=False, separators=(",", ":")).encode()
        headers["content-type"] = str(event.pop("datacontenttype"))
        headers |= {f"ce-{name}": quote(str(value), safe=_CE_SAFE) for name, value in event.items()}
    return {**headers, **signature(sent.id, body, keys, now)}, body


def signature(identity: str, body: bytes, keys: Sequence[bytes], now: datetime) -> Mapping[str, str]:
    """The headers of Standard Webhooks; one signature for each key that is valid now."""
    moment = str(int(now.timestamp()))
    signed = b".".join((identity.encode(), moment.encode(), body))
    made = (base64.b64encode(hmac.digest(key, signed, "sha256")).decode() for key in keys)
    return {
        "webhook-id": identity,
        "webhook-timestamp": moment,
        "webhook-signature": " ".join(f"v1,{one}" for one in made),
    }


_CE_SAFE = "!#$&'()*+,-./:;<=>?@[]^_`{|}~"
"""Printable ASCII but for the blank, the double quote and the percent sign."""
