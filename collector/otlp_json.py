"""OTLP/JSON to protobuf, by the OTLP mapping.

It is the proto3 JSON mapping, except: trace and span ids are hexadecimal, keys are lowerCamelCase only,
unknown ones are ignored. Beyond the letter: enum values may also be names, ids may also be base64 of the
right length (what protobuf's own JSON printers write), null means absent anywhere.
Source: https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding
"""

from __future__ import annotations

import base64
import binascii
import json
import math
from collections.abc import Callable
from typing import Any, NoReturn

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import EncodeError, Message

from throughline.collector.otlp_messages import Signal
from throughline.probes.errors import InvalidRequest

ID_BYTES = {"trace_id": 16, "span_id": 8, "parent_span_id": 8}
INTEGER_BITS = {
    FieldDescriptor.TYPE_INT32: (-(2**31), 2**31),
    FieldDescriptor.TYPE_SINT32: (-(2**31), 2**31),
    FieldDescriptor.TYPE_SFIXED32: (-(2**31), 2**31),
    FieldDescriptor.TYPE_UINT32: (0, 2**32),
    FieldDescriptor.TYPE_FIXED32: (0, 2**32),
    FieldDescriptor.TYPE_INT64: (-(2**63), 2**63),
    FieldDescriptor.TYPE_SINT64: (-(2**63), 2**63),
    FieldDescriptor.TYPE_SFIXED64: (-(2**63), 2**63),
    FieldDescriptor.TYPE_UINT64: (0, 2**64),
    FieldDescriptor.TYPE_FIXED64: (0, 2**64),
}
FLOATS = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
NESTING = "The body nests values too deeply."

Convert = Callable[[Any], Any]
Apply = Callable[[Any, Any], None]


class _Problem(Exception):
    """Something is wrong here; the path grows on the way out."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.path: list[str] = []


def parse_json(body: bytes, *, parse_float: Callable[[str], Any] | None = None) -> Any:
    """Return the JSON value of a body.

    Raises: InvalidRequest.
    """
    try:
        return json.loads(body, parse_float=parse_float, parse_constant=_no_constant)
    except UnicodeDecodeError as error:
        raise InvalidRequest("The body is no valid JSON: it is not UTF-8.") from error
    except RecursionError as error:
        raise InvalidRequest(NESTING) from error
    except ValueError as error:
        raise InvalidRequest(f"The body is no valid JSON: {error}.") from error


def convert(signal: Signal, body: bytes) -> bytes:
    """Return the protobuf bytes of an OTLP/JSON request.

    Raises: InvalidRequest, which names the path of what is wrong.
    """
    content = parse_json(body)
    name = signal.request.DESCRIPTOR.name
    if not isinstance(content, dict):
        raise InvalidRequest(f"The body must be a JSON object, an {name}.")
    message = signal.request()
    try:
        _fill(message, content, _table(signal.request.DESCRIPTOR))
        return bytes(message.SerializeToString())
    except _Problem as problem:
        path = "".join(reversed(problem.path)).removeprefix(".")
        raise InvalidRequest(f"{path}: {problem.reason}.") from problem
    except (RecursionError, EncodeError) as error:
        raise InvalidRequest(NESTING) from error


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} must be written as a string")


_TABLES: dict[Descriptor, dict[str, Apply]] = {}


def _table(descriptor: Descriptor) -> dict[str, Apply]:
    """Return the setters of a message type by JSON name, made at first use."""
    table = _TABLES.get(descriptor)
    if table is None:
        table = _TABLES[descriptor] = {}  # before its fields: types nest in themselves
        for field in descriptor.fields:
            table[field.json_name] = _setter(field)
    return table


def _fill(message: Message, content: Any, table: dict[str, Apply]) -> None:
    if not isinstance(content, dict):
        raise _Problem("must be an object")
    for name, value in content.items():
        if value is not None and (apply := table.get(name)) is not None:
            try:
                apply(message, value)
            except _Problem as problem:
                problem.path.append(f".{name}")
                raise


def _setter(field: FieldDescriptor) -> Apply:
    if field.message_type is not None:
        return _messages(field) if field.is_repeated else _message(field)
    return _scalars(field) if field.is_repeated else _scalar(field)


def _message(field: FieldDescriptor) -> Apply:
    name, descriptor = field.name, field.message_type

    def apply(message: Any, value: Any) -> None:
        target = getattr(message, name)
        target.SetInParent()
        _fill(target, value, _table(descriptor))

    return apply


def _messages(field: FieldDescriptor) -> Apply:
    name, descriptor = field.name, field.message_type

    def apply(message: Any, value: Any) -> None:
        if not isinstance(value, list):
            raise _Problem("must be an array")
        target = getattr(message, name)
        table = _table(descriptor)
        for index, member in enumerate(value):
            try:
                _fill(target.add(), {} if member is None else member, table)
            except _Problem as problem:
                problem.path.append(f"[{index}]")
                raise

    return apply


def _scalar(field: FieldDescriptor) -> Apply:
    name, convert_one = field.name, _converter(field)

    def apply(message: Any, value: Any) -> None:
        setattr(message, name, convert_one(value))

    return apply


def _scalars(field: FieldDescriptor) -> Apply:
    name, convert_one = field.name, _converter(field)

    def apply(message: Any, value: Any) -> None:
        if not isinstance(value, list):
            raise _Problem("must be an array")
        getattr(message, name).extend([convert_one(member) for member in value if member is not None])

    return apply


def _converter(field: FieldDescriptor) -> Convert:
    kind = field.type
    if kind in INTEGER_BITS:
        return _integer(*INTEGER_BITS[kind])
    if kind == FieldDescriptor.TYPE_ENUM:
        return _enum(field)
    if kind == FieldDescriptor.TYPE_BYTES:
        return _identifier(ID_BYTES[field.name]) if field.name in ID_BYTES else _bytes
    return {
        FieldDescriptor.TYPE_STRING: _string,
        FieldDescriptor.TYPE_BOOL: _boolean,
        FieldDescriptor.TYPE_DOUBLE: _double,
        FieldDescriptor.TYPE_FLOAT: _double,
    }[kind]


def _string(value: Any) -> str:
    if not isinstance(value, str):
        raise _Problem("must be a string")
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            raise _Problem("holds half a surrogate pair") from None
    return value


def _boolean(value: Any) -> bool:
    if not isinstance(value, bool):
        raise _Problem("must be true or false")
    return value


def _double(value: Any) -> float:
    if isinstance(value, str):
        if value in FLOATS:
            return FLOATS[value]
        try:
            number = float(value)
        except ValueError:
            number = math.nan
        if math.isfinite(number):
            return number
    elif isinstance(value, int | float) and not isinstance(value, bool):
        try:
            return float(value)
        except OverflowError:
            raise _Problem("is out of range") from None
    raise _Problem(f"{_shown(value)} is not a number")


def _integer(lowest: int, beyond: int) -> Convert:
    def convert_one(value: Any) -> int:
        number = value
        if isinstance(value, str):
            number = _whole(value)
        elif isinstance(value, float):
            number = int(value) if value.is_integer() else None
        if type(number) is not int:
            raise _Problem(f"{_shown(value)} is not a whole number")
        if not lowest <= number < beyond:
            raise _Problem(f"{_shown(value)} is out of range")
        return int(number)

    return convert_one


def _whole(text: str) -> int | None:
    """Read a decimal string, with a fraction or exponent if that leaves it whole."""
    if text.removeprefix("-").isdecimal() and len(text) <= len(str(-(2**64))):
        return int(text)
    try:
        number = float(text)
    except ValueError:
        return None
    return int(number) if number.is_integer() else None


def _enum(field: FieldDescriptor) -> Convert:
    numbers: dict[str, int] = {name: value.number for name, value in field.enum_type.values_by_name.items()}
    kind = field.enum_type.name
    integer = _integer(-(2**31), 2**31)

    def convert_one(value: Any) -> int:
        if isinstance(value, str):
            if value in numbers:
                return numbers[value]
            if not value.removeprefix("-").isdecimal():
                raise _Problem(f"{_shown(value)} is no {kind}")
        return int(integer(value))

    return convert_one


def _identifier(size: int) -> Convert:
    hexadecimal, as_base64 = 2 * size, len(base64.b64encode(bytes(size)))

    def convert_one(value: Any) -> bytes:
        if not isinstance(value, str):
            raise _Problem("must be a string")
        try:
            if len(value) == hexadecimal:
                return binascii.unhexlify(value)
            if len(value) == as_base64:
                decoded = binascii.a2b_base64(value, strict_mode=True)
                if len(decoded) == size:
                    return decoded
        except ValueError:
            pass
        if not value:
            return b""
        raise _Problem(f"{_shown(value)} is not {hexadecimal} hexadecimal digits")

    return convert_one


def _bytes(value: Any) -> bytes:
    if not isinstance(value, str):
        raise _Problem("must be base64 in a string")
    standard = value.rstrip("=").replace("-", "+").replace("_", "/")
    try:
        return binascii.a2b_base64(standard + "=" * (-len(standard) % 4), strict_mode=True)
    except ValueError:
        raise _Problem(f"{_shown(value)} is not base64") from None


def _shown(value: Any) -> str:
    """Return a value as JSON, cut to a length that fits a message."""
    text = json.dumps(value)
    longest = 60
    return text if len(text) <= longest else f"{text[:longest]}..."
