"""Deep attribute values as JSON text, exactly as the collector's ClickHouse exporter writes them.

The exporter uses pcommon's `Value.AsString`: Go's `json.Marshal` of the plain value. So map keys are sorted,
`<`, `>` and `&` are escaped, bytes are base64, whole floats have no fraction, and a value that JSON can't
hold (NaN, infinity) makes the text empty.
Source: https://pkg.go.dev/encoding/json#Marshal
"""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from google.protobuf.message import DecodeError, Message

from throughline.collector.otlp_messages import Signal
from throughline.probes.errors import InvalidRequest

ESCAPES = str.maketrans(
    {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}
)
ANY_VALUE = "opentelemetry.proto.common.v1.AnyValue"
SMALLEST_PLAIN = 1e-6
LARGEST_PLAIN = 1e21


def flatten(signal: Signal, body: bytes) -> bytes:
    """Return the request with every deep attribute value and log body replaced by its JSON text."""
    message = signal.request()
    try:
        message.ParseFromString(body)
        for value in _values(message):
            if _deep(value):
                value.string_value = json_text(value)
        return bytes(message.SerializeToString())
    except (DecodeError, RecursionError) as error:
        raise InvalidRequest("The body nests values too deeply.") from error


def json_text(value: Any) -> str:
    """Return a protobuf AnyValue as Go would marshal it; '' if JSON can't hold it."""
    try:
        return _marshal(value)
    except _NoJson:
        return ""


def go_string(text: str) -> str:
    """Return a JSON string literal as Go's json.Marshal writes it."""
    return json.dumps(text, ensure_ascii=False).translate(ESCAPES)


def go_float(number: float) -> str:
    """Return a float as Go's json.Marshal writes it: shortest digits, exponents where ECMAScript has them.

    Raises: ValueError for NaN and infinities, which JSON can't hold.
    """
    if not math.isfinite(number):
        raise ValueError("JSON holds finite numbers only")
    size = abs(number)
    if size and (size < SMALLEST_PLAIN or size >= LARGEST_PLAIN):
        digits, _, exponent = repr(number).partition("e")
        return f"{digits}e{exponent[0]}{exponent[1:].lstrip('0')}"
    return format(Decimal(repr(number)), "f").removesuffix(".0")


class _NoJson(Exception):
    """A value that JSON can't hold."""


def _marshal(value: Any) -> str:
    kind = value.WhichOneof("value")
    match kind:
        case "string_value":
            return go_string(value.string_value)
        case "int_value":
            return str(value.int_value)
        case "bool_value":
            return "true" if value.bool_value else "false"
        case "double_value":
            try:
                return go_float(value.double_value)
            except ValueError as error:
                raise _NoJson from error
        case "bytes_value":
            return f'"{base64.b64encode(value.bytes_value).decode()}"'
        case "array_value":
            return f"[{','.join(_marshal(member) for member in value.array_value.values)}]"
        case "kvlist_value":
            members = {entry.key: entry.value for entry in value.kvlist_value.values}
            pairs = (f"{go_string(key)}:{_marshal(members[key])}" for key in sorted(members))
            return f"{{{','.join(pairs)}}}"
        case _:
            return "null"


def _deep(value: Any) -> bool:
    """Whether a member of this value is itself an array or a map."""
    kind = value.WhichOneof("value")
    if kind == "array_value":
        members = value.array_value.values
    elif kind == "kvlist_value":
        members = [entry.value for entry in value.kvlist_value.values]
    else:
        return False
    return any(member.WhichOneof("value") in {"array_value", "kvlist_value"} for member in members)


def _values(message: Message) -> Iterable[Any]:
    """Yield every topmost AnyValue within a message."""
    for field, content in message.ListFields():
        if field.message_type is None:
            continue
        for member in content if field.is_repeated else (content,):
            if field.message_type.full_name == ANY_VALUE:
                yield member
            else:
                yield from _values(member)
