"""CloudEvents 1.0 as a webhook receives them: structured, batch or binary, and the handshake before.

Sources:
    https://github.com/cloudevents/spec/blob/main/cloudevents/http-webhook.md
    https://github.com/cloudevents/spec/blob/main/cloudevents/bindings/http-protocol-binding.md
"""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import unquote

from throughline.probes.platforms import shape
from throughline.probes.platforms.adapter import HookReply, HookRequest, Unreadable

ORIGIN_HEADER: Final = "webhook-request-origin"
RATE_HEADER: Final = "webhook-request-rate"
_PREFIX: Final = "ce-"


def handshake(request: HookRequest) -> HookReply | None:
    """The permission that OPTIONS asks for: it says that we want events, not who may send them."""
    origin = request.headers.get(ORIGIN_HEADER, "").strip()
    if request.method != "OPTIONS" or not origin.isprintable() or not origin.isascii() or not origin:
        return None
    headers = {"WebHook-Allowed-Origin": origin, "Allow": "POST"}
    if RATE_HEADER in request.headers:
        headers["WebHook-Allowed-Rate"] = "*"
    return HookReply(headers=headers)


def cloud_events(request: HookRequest) -> list[shape.Object]:
    """The events of the request as objects with `data`, one alone or many.  Raises: Unreadable."""
    if f"{_PREFIX}id" in request.headers:
        members = {
            name.removeprefix(_PREFIX): unquote(value, errors="replace")
            for name, value in request.headers.items()
            if name.startswith(_PREFIX)
        }
        data = shape.json_value(request.body) if request.body.strip() else None
        return [_checked({**members, "data": data})]
    return [_checked(event) for event in shape.objects(shape.json_value(request.body), "An event")]


def data_of(event: shape.Object) -> dict[str, Any]:
    """The event's data; of JSON within a text, what it says.  Raises: Unreadable."""
    data = event.get("data")
    if isinstance(data, str):
        data = shape.json_value(data.encode())
    return dict(shape.an_object({} if data is None else data, "data"))


def _checked(event: shape.Object) -> shape.Object:
    for name in ("id", "source", "type"):
        shape.needed(event, name, "A CloudEvent")
    if shape.said(event.get("specversion")) != "1.0":
        raise Unreadable("A CloudEvent has the specversion 1.0.")
    return event
