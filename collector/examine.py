"""What the edge does with the bytes of one request: validate, count, and bring into landing shape.

Pure: bytes in, bytes out. Small requests are examined in the event loop, large ones in `heavy.py`'s process.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from throughline.collector import cloudevents, hook_events, otlp_json
from throughline.collector.flatten import flatten
from throughline.collector.otlp_messages import OTLP, parse_shallow

EVENTS = "events"


class Encoding(IntEnum):
    """How the body of a request is written."""

    PROTOBUF = 0
    JSON = 1
    CLOUDEVENTS = 2
    HOOK = 3


@dataclass(frozen=True, slots=True)
class Task:
    """One request body, decompressed, with what its meaning depends on."""

    signal: str
    encoding: Encoding
    body: bytes
    received_unix_nano: int
    content_type: str = ""
    headers: tuple[tuple[str, str], ...] = ()  # those of a CloudEvent in binary mode
    hook: str = ""  # of a webhook: `hook_events.describe`


@dataclass(frozen=True, slots=True)
class Examined:
    """A valid request: protobuf bytes for the spool, how many items, and whether values were flattened."""

    request: bytes
    items: int
    deep: bool = False


def examine(task: Task) -> Examined:
    """Return what to store for a request.

    Raises: InvalidRequest.
    """
    if task.encoding is Encoding.CLOUDEVENTS:
        events = cloudevents.parse(task.headers, task.content_type, task.body)
        return Examined(cloudevents.to_logs(events, task.received_unix_nano), len(events))
    if task.encoding is Encoding.HOOK:
        return Examined(*hook_events.convert(task.hook, task.body, task.received_unix_nano))
    signal = OTLP[task.signal]
    body = otlp_json.convert(signal, task.body) if task.encoding is Encoding.JSON else task.body
    items, deep = parse_shallow(signal, body)
    return Examined(flatten(signal, body), items, deep=True) if deep else Examined(body, items)
