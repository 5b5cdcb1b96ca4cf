"""Business events as OTLP log records: what the edge makes of webhooks, and what Throughline says itself."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord

from throughline.collector.cloudevents import ERROR, INFO
from throughline.probes import encode
from throughline.probes import vocabulary as v

FACTS = tuple(field.name for field in fields(v.BusinessEvent) if field.name != "event")


def write(
    record: LogRecord,
    event: v.BusinessEvent,
    received_unix_nano: int,
    *,
    undated: v.TimePrecision | None = None,
    **known: Any,
) -> None:
    """Write an event; `known` facts replace its own. Without a time it happened when it was received, and
    `undated` is how precise that is, unless the event says it.
    """
    given = {name: getattr(event, name) for name in FACTS} | known
    happened = None if event.time is None else encode.nanoseconds(event.time)
    if happened is None and undated is not None:
        given["precision"] = given["precision"] or undated
    attributes = encode.facts(given) | encode.keys_of(given)
    attributes[v.EVENT] = encode.text(event.event).strip() or "unknown"
    record.time_unix_nano = happened or received_unix_nano
    record.severity_number, record.severity_text = (ERROR, "ERROR") if event.failed else (INFO, "INFO")  # type: ignore[assignment]
    fill(record, attributes[v.EVENT], attributes)


def fill(record: LogRecord, name: str, attributes: Mapping[str, Any]) -> None:
    """Name a record and write its clean attributes."""
    record.event_name = name
    for key, value in attributes.items():
        if value is not None:
            _set(record.attributes.add(key=key).value, value)


def _set(target: AnyValue, value: Any) -> None:
    """Write a clean value: lists of scalars stay lists, whatever is deeper becomes JSON."""
    if isinstance(value, bool):
        target.bool_value = value
    elif isinstance(value, int):
        target.int_value = value
    elif isinstance(value, float):
        target.double_value = value
    elif isinstance(value, bytes):
        target.bytes_value = value
    elif isinstance(value, tuple) and not any(isinstance(one, tuple | dict | bytes) for one in value):
        target.array_value.SetInParent()
        for one in value:
            _set(target.array_value.values.add(), "" if one is None else one)
    elif isinstance(value, str):
        target.string_value = value
    else:
        target.string_value = json.dumps(value, ensure_ascii=False, default=str)
