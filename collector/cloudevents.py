"""CloudEvents 1.0 over HTTP (binary, structured, batch) to OTLP log records.

Each event becomes a log record of the scope `throughline.cloudevents`, grouped by source. Context attributes
become `cloudevents.*` attributes; the type is the business event; `business.*` members of JSON data become
attributes and win over everything else. See docs/reference-intake.md for the table.
Source: https://github.com/cloudevents/spec (core, JSON format, HTTP binding, correlation, bam, severity)
"""

from __future__ import annotations

import binascii
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self
from urllib.parse import unquote_to_bytes

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord

from throughline.collector.otlp_json import parse_json
from throughline.collector.rfc3339 import unix_nano
from throughline.probes import vocabulary
from throughline.probes.errors import InvalidRequest

SCOPE = "throughline.cloudevents"
STRUCTURED = "application/cloudevents+json"
BATCH = "application/cloudevents-batch+json"
REQUIRED = ("specversion", "id", "source", "type")
DATA = frozenset({"data", "data_base64"})
SEMANTIC_NAMES = {  # OpenTelemetry's semantic conventions; the rest is cloudevents.<name>
    "id": "cloudevents.event_id",
    "source": "cloudevents.event_source",
    "type": "cloudevents.event_type",
    "specversion": "cloudevents.event_spec_version",
    "subject": "cloudevents.event_subject",
}
KEY_EXTENSIONS = ("correlationid", "bamtxid")  # their values name something that several events share
FAILED_STEPS = frozenset({"failure", "failed", "error"})
ATTRIBUTE_NAME = re.compile(r"[a-z0-9]+")
MEDIA_TYPE = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+/[!#$%&'*+.^_`|~0-9A-Za-z-]+\s*(;.*)?", re.DOTALL)
URI_REFERENCE = re.compile(r"(?:%[0-9A-Fa-f]{2}|[^\x00-\x20\x7f<>\"{}|\\^`%])+")
URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
TRACEPARENT = re.compile(r"(?!ff)[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(?:-.*)?")
INT64 = range(-(2**63), 2**63)
INT32 = range(-(2**31), 2**31)
INFO, ERROR = 9, 17


@dataclass(frozen=True, slots=True)
class CloudEvent:
    """One valid event: context attributes as sent, and its data (JSON value, text, bytes or None)."""

    attributes: Mapping[str, str | int | bool]
    data: Any = None


class Literal(float):
    """A number with a fraction that remembers how it was written: amounts keep every digit."""

    __slots__ = ("text",)
    text: str

    def __new__(cls, text: str) -> Self:
        """Read a JSON number."""
        number = super().__new__(cls, text)
        number.text = text
        return number


def parse(headers: Sequence[tuple[str, str]], content_type: str, body: bytes) -> list[CloudEvent]:
    """Return the events of one HTTP request, all valid or none.

    Raises: InvalidRequest, which names the attribute.
    """
    media_type = content_type.partition(";")[0].strip().lower()
    if media_type == BATCH:
        content = parse_json(body, parse_float=Literal)
        if not isinstance(content, list):
            raise InvalidRequest("The body of a batch must be a JSON array of events.")
        return [_from_json(event, f"event {index}: ") for index, event in enumerate(content)]
    if media_type == STRUCTURED:
        return [_from_json(parse_json(body, parse_float=Literal), "")]
    return [_from_headers(headers, content_type, body)]


def _from_json(content: Any, where: str) -> CloudEvent:
    if not isinstance(content, dict):
        raise InvalidRequest(f"{where}must be a JSON object.")
    attributes = {name: value for name, value in content.items() if name not in DATA and value is not None}
    _check(attributes, where)
    data = content.get("data")
    encoded = content.get("data_base64")
    if encoded is not None:
        if data is not None:
            raise InvalidRequest(f"{where}data and data_base64 exclude each other.")
        try:
            data = binascii.a2b_base64(encoded, strict_mode=True)
        except (TypeError, ValueError) as error:
            raise InvalidRequest(f"{where}data_base64 is not base64.") from error
        data = _decoded(data, str(attributes.get("datacontenttype", "")), where)
    return CloudEvent(attributes, data)


def _from_headers(headers: Sequence[tuple[str, str]], content_type: str, body: bytes) -> CloudEvent:
    attributes: dict[str, str | int | bool] = {}
    for header, value in headers:
        name = header.lower().removeprefix("ce-")
        if name == header.lower() or name in DATA:
            continue
        if name in attributes:
            raise InvalidRequest(f"{name} is given twice.")
        attributes[name] = _header_value(name, value)
    attributes.pop("datacontenttype", None)
    if content_type:
        attributes["datacontenttype"] = content_type
    _check(attributes, "")
    return CloudEvent(attributes, _decoded(body, content_type, ""))


def _header_value(name: str, value: str) -> str:
    """Undo quoting and percent-encoding, in this order (HTTP binding, 3.1.3.2)."""
    text = value.strip()
    if len(text) > 1 and text[0] == text[-1] == '"':
        text = re.sub(r"\\(.)", r"\1", text[1:-1])
    try:
        return unquote_to_bytes(text).decode()
    except UnicodeDecodeError as error:
        raise InvalidRequest(f"{name} is not percent-encoded UTF-8.") from error


def _decoded(data: bytes, content_type: str, where: str) -> Any:
    """Return data by its media type: JSON value, text, or bytes; None when there is none."""
    if not data:
        return None
    media_type = content_type.partition(";")[0].strip().lower()
    if media_type == "application/json" or media_type.endswith("+json"):
        try:
            return parse_json(data, parse_float=Literal)
        except InvalidRequest as error:
            raise InvalidRequest(f"{where}data: {error}") from error
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data


def _check(attributes: Mapping[str, Any], where: str) -> None:
    """Raise InvalidRequest for the first attribute that breaks the specification."""
    for name in REQUIRED:
        if name not in attributes:
            raise InvalidRequest(f"{where}{name} is missing.")
    for name, value in attributes.items():
        reason = _wrong(name, value)
        if reason:
            raise InvalidRequest(f"{where}{name} {reason}.")


def _wrong(name: str, value: Any) -> str:
    """Return what is wrong with an attribute, or ''."""
    if not ATTRIBUTE_NAME.fullmatch(name):
        return "is no attribute name: lower-case letters and digits only"
    if name not in REQUIRED and name not in CHECKS:
        if not isinstance(value, str | bool) and not (type(value) is int and value in INT32):
            return "must be a string, a boolean or a 32-bit integer"
        return "holds half a surrogate pair" if isinstance(value, str) and not _whole_text(value) else ""
    if not isinstance(value, str) or not value or not _whole_text(value):
        return "must be a non-empty string"
    check = CHECKS.get(name)
    return check(value) if check else ""


def _whole_text(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


CHECKS: dict[str, Callable[[str], str]] = {
    "specversion": lambda value: "" if value == "1.0" else "must be 1.0",
    "source": lambda value: "" if URI_REFERENCE.fullmatch(value) else "must be a URI reference",
    "dataschema": lambda value: (
        "" if URI.match(value) and URI_REFERENCE.fullmatch(value) else "must be an absolute URI"
    ),
    "datacontenttype": lambda value: "" if MEDIA_TYPE.fullmatch(value) else "must be a media type",
    "time": lambda value: "" if unix_nano(value) is not None else "must be an RFC 3339 timestamp",
    "subject": lambda _: "",
}


def to_logs(events: Sequence[CloudEvent], received_unix_nano: int) -> bytes:
    """Return events as the bytes of an OTLP logs request; an event without time happened when received."""
    request = ExportLogsServiceRequest()
    scopes: dict[str, Any] = {}
    for index, event in enumerate(events):
        source = str(event.attributes["source"])
        scope = scopes.get(source)
        if scope is None:
            resource = request.resource_logs.add()
            resource.resource.attributes.add(key="service.name").value.string_value = source
            scope = scopes[source] = resource.scope_logs.add()
            scope.scope.name = SCOPE
        try:
            _fill(scope.log_records.add(), event, received_unix_nano)
        except UnicodeEncodeError as error:
            raise InvalidRequest(f"event {index}: data holds half a surrogate pair.") from error
    return bytes(request.SerializeToString())


def _fill(record: LogRecord, event: CloudEvent, received_unix_nano: int) -> None:
    attributes = event.attributes
    time = attributes.get("time")
    happened = unix_nano(time) if isinstance(time, str) else None
    record.time_unix_nano = received_unix_nano if happened is None else happened
    record.observed_time_unix_nano = received_unix_nano
    parent = TRACEPARENT.fullmatch(str(attributes.get("traceparent", "")))
    if parent and int(parent[1], 16) and int(parent[2], 16):
        record.trace_id, record.span_id = bytes.fromhex(parent[1]), bytes.fromhex(parent[2])
        record.flags = int(parent[3], 16)
    found: dict[str, Any] = {
        SEMANTIC_NAMES.get(name, f"cloudevents.{name}"): value for name, value in attributes.items()
    }
    found[vocabulary.EVENT] = attributes["type"]
    for name in KEY_EXTENSIONS:
        if attributes.get(name):
            found[vocabulary.key(f"cloudevents.{name}")] = str(attributes[name])
    if isinstance(event.data, dict):
        facts = {key: value for key, value in event.data.items() if key.startswith("business.")}
        found.update({key: value for key, value in facts.items() if value is not None})
    for key, value in found.items():
        _set(record.attributes.add(key=key).value, value)
    record.event_name = str(found[vocabulary.EVENT])
    record.severity_number, record.severity_text = _severity(attributes, found)  # type: ignore[assignment]
    if event.data is not None:
        if isinstance(event.data, bytes):
            record.body.bytes_value = event.data
        else:
            text = event.data if isinstance(event.data, str) else _compact(event.data)
            record.body.string_value = text


def _severity(attributes: Mapping[str, Any], found: Mapping[str, Any]) -> tuple[int, str]:
    """Return number and text: the severity extension, else ERROR for a failed step or a named exception."""
    text = str(attributes.get("severitytext", ""))
    number = str(attributes.get("severitynumber", ""))
    if number.isdecimal() and int(number) <= 24:  # noqa: PLR2004
        return int(number), text
    failed = (
        found.get(vocabulary.EXCEPTION_CLASS) is not None
        or found.get(vocabulary.EXCEPTION_CODE) is not None
        or str(attributes.get("bamptxsstatus", "")).lower() in FAILED_STEPS
    )
    return (ERROR, text or "ERROR") if failed else (INFO, text or "INFO")


def _set(target: AnyValue, value: Any) -> None:
    """Write a JSON value as an attribute value: arrays of scalars stay arrays, deeper ones are JSON text."""
    if isinstance(value, bool):
        target.bool_value = value
    elif isinstance(value, int) and value in INT64:
        target.int_value = value
    elif isinstance(value, str):
        target.string_value = value
    elif isinstance(value, Literal):
        target.string_value = value.text
    elif isinstance(value, list) and not any(isinstance(member, list | dict) for member in value):
        target.array_value.SetInParent()
        for member in value:
            _set(target.array_value.values.add(), member)
    elif value is not None:
        target.string_value = _compact(value)


def _compact(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
