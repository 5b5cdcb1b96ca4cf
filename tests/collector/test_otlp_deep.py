"""Deep attribute values are found at any size and become the JSON text that Go would write."""

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.common.v1.common_pb2 import AnyValue

from throughline.collector.deep import may_be_deep
from throughline.collector.examine import Encoding, Task, examine
from throughline.collector.flatten import flatten, go_float, go_string, json_text
from throughline.collector.otlp_messages import LOGS, METRICS, TRACES, parse_shallow
from throughline.probes.errors import InvalidRequest

Plain = Any


def value_of(plain: Plain) -> AnyValue:
    """Return a plain Python value as AnyValue."""
    value = AnyValue()
    if isinstance(plain, bool):
        value.bool_value = plain
    elif isinstance(plain, int):
        value.int_value = plain
    elif isinstance(plain, float):
        value.double_value = plain
    elif isinstance(plain, str):
        value.string_value = plain
    elif isinstance(plain, bytes):
        value.bytes_value = plain
    elif isinstance(plain, list):
        value.array_value.SetInParent()
        value.array_value.values.extend(value_of(member) for member in plain)
    elif isinstance(plain, dict):
        value.kvlist_value.SetInParent()
        for key, member in plain.items():
            value.kvlist_value.values.add(key=key).value.CopyFrom(value_of(member))
    return value


def is_deep(plain: Plain) -> bool:
    """Whether a container holds a container."""
    members = plain.values() if isinstance(plain, dict) else plain if isinstance(plain, list) else ()
    return any(isinstance(member, list | dict) for member in members)


scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=300)
    | st.binary(max_size=20)
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=200), inner, max_size=4),
    max_leaves=12,
)


@given(values, st.sampled_from(["resource", "scope", "span", "event", "link"]), st.text(max_size=40_000))
def test_deep_values_are_found_wherever_they_are(plain: Plain, where: str, padding: str) -> None:
    """The parse and the look at the bytes both find every deep value; shallow requests pass untouched."""
    request = TRACES.request()
    resource = request.resource_spans.add()
    scope = resource.scope_spans.add()
    span = scope.spans.add(name=padding)
    holder = {
        "resource": resource.resource,
        "scope": scope.scope,
        "span": span,
        "event": span.events.add(),
        "link": span.links.add(),
    }[where]
    holder.attributes.add(key="a").value.CopyFrom(value_of(plain))
    body = request.SerializeToString()
    assert parse_shallow(TRACES, body) == (1, is_deep(plain))
    assert may_be_deep(body) or not is_deep(plain)
    examined = examine(Task("traces", Encoding.PROTOBUF, body, 1))
    assert examined.deep == is_deep(plain)
    if not is_deep(plain):
        assert examined.request is body


@pytest.mark.parametrize("size", [0, 1, 100, 115, 126, 127, 130, 16_370, 16_380, 16_400, 2_100_000])
@pytest.mark.parametrize("shape", [lambda x: [[x]], lambda x: {"k": [x]}, lambda x: [{"k": x}]])
def test_marks_are_found_at_every_width_of_a_length(size: int, shape: Any) -> None:
    """Lengths of one to four bytes, and those where the inner one takes a byte less."""
    for exact in range(size, size + 8):
        request = LOGS.request()
        record = request.resource_logs.add().scope_logs.add().log_records.add()
        record.attributes.add(key="a").value.CopyFrom(value_of(shape("x" * exact)))
        assert may_be_deep(request.SerializeToString())


def test_a_deep_value_becomes_text_and_its_neighbours_stay() -> None:
    """Only the deep value changes, as one string; shallow arrays and maps are left for the store."""
    request = LOGS.request()
    record = request.resource_logs.add().scope_logs.add().log_records.add()
    record.body.CopyFrom(value_of({"b": [1, {"z": b"\x00\xff", "a": None}], "a<": 1.0}))
    for key, plain in {"deep": [[1]], "array": [1, "x"], "map": {"k": 2}, "text": "[[1]]"}.items():
        record.attributes.add(key=key).value.CopyFrom(value_of(plain))
    flat: Any = LOGS.request.FromString(flatten(LOGS, request.SerializeToString()))
    found = flat.resource_logs[0].scope_logs[0].log_records[0]
    assert found.body.string_value == '{"a\\u003c":1,"b":[1,{"a":null,"z":"AP8="}]}'
    assert found.attributes[0].value.string_value == "[[1]]"
    assert list(found.attributes)[1:] == list(record.attributes)[1:]


def test_data_point_and_exemplar_attributes_are_flattened() -> None:
    """Metrics hold attributes in points and exemplars."""
    request = METRICS.request()
    metric = request.resource_metrics.add().scope_metrics.add().metrics.add(name="m")
    point = metric.sum.data_points.add()
    point.attributes.add(key="a").value.CopyFrom(value_of({"k": {"l": 1}}))
    point.exemplars.add().filtered_attributes.add(key="b").value.CopyFrom(value_of([[]]))
    examined = examine(Task("metrics", Encoding.PROTOBUF, request.SerializeToString(), 1))
    found: Any = METRICS.request.FromString(examined.request)
    point = found.resource_metrics[0].scope_metrics[0].metrics[0].sum.data_points[0]
    assert (examined.deep, examined.items) == (True, 1)
    assert point.attributes[0].value.string_value == '{"k":{"l":1}}'
    assert point.exemplars[0].filtered_attributes[0].value.string_value == "[[]]"


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0.0, "0"), (-0.0, "-0"), (1.0, "1"), (-2.5, "-2.5"), (0.1, "0.1"), (100.0, "100"),
        (1e6, "1000000"), (1e20, "100000000000000000000"), (1e21, "1e+21"), (-1e21, "-1e+21"),
        (1.5e300, "1.5e+300"), (1e-6, "0.000001"), (1.5e-6, "0.0000015"), (9.9e-7, "9.9e-7"),
        (1e-7, "1e-7"), (1e-10, "1e-10"), (5e-324, "5e-324"), (1.7976931348623157e308, "1.7976931348623157e+308"),  # noqa: E501
        (123456789012345680.0, "123456789012345680"), (0.000001234, "0.000001234"),
    ],
)  # fmt: skip
def test_floats_are_written_as_go_does(number: float, text: str) -> None:
    """Exponents appear below 1e-6 and from 1e21 on, without padding."""
    assert go_float(number) == text


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_floats_survive(number: float) -> None:
    """The shortest digits read back as the same number."""
    text = go_float(number)
    assert float(text) == number
    assert ("e" in text) == (number != 0 and not 1e-6 <= abs(number) < 1e21)


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_what_json_cannot_hold_is_empty(number: float) -> None:
    """Go's marshal fails on it, and the exporter writes what it got: nothing."""
    assert json_text(value_of([[number]])) == ""


def test_strings_are_escaped_as_go_does() -> None:
    """HTML characters and the two line separators are escaped, other Unicode is not."""
    assert go_string('<a&b> "\\\n\r\t\b\f\x00\x1f\x7f é \u2028\u2029 😀') == (
        '"\\u003ca\\u0026b\\u003e \\"\\\\\\n\\r\\t\\b\\f\\u0000\\u001f\x7f é \\u2028\\u2029 😀"'
    )


@given(values.filter(is_deep))
def test_text_is_the_json_of_the_value(plain: Plain) -> None:
    """Read back as JSON, the text is the value: bytes as base64, keys sorted, nothing between tokens."""
    text = json_text(value_of(plain))
    assert list(json.loads(text)) == (sorted(plain) if isinstance(plain, dict) else json.loads(text))


@pytest.mark.parametrize("body", [b"\xff", b"\x0a\x05abc", b"\x0a\x04\x12\x02\x12\xff", b"xxx"])
def test_malformed_protobuf_is_refused(body: bytes) -> None:
    """What protobuf can't parse is InvalidRequest and names the message."""
    with pytest.raises(InvalidRequest, match="no valid ExportTraceServiceRequest"):
        parse_shallow(TRACES, body)


def test_text_that_is_no_utf8_is_refused() -> None:
    """A protobuf string is UTF-8, and the store relies on it."""
    span_name = b"\x0a\x06\x12\x04\x12\x02\x2a\x00"
    assert parse_shallow(TRACES, span_name) == (1, False)
    with pytest.raises(InvalidRequest):
        parse_shallow(TRACES, b"\x0a\x07\x12\x05\x12\x03\x2a\x01\xff")


def test_odd_ids_are_kept() -> None:
    """Protobuf ids of a wrong length are stored rather than lost."""
    request = TRACES.request()
    request.resource_spans.add().scope_spans.add().spans.add(trace_id=b"short", span_id=b"")
    assert parse_shallow(TRACES, request.SerializeToString()) == (1, False)


def test_empty_body_is_an_empty_request() -> None:
    """Protobuf's empty message has no bytes."""
    assert parse_shallow(LOGS, b"") == (0, False)


def test_items_are_data_points() -> None:
    """Metrics are counted by their points, over all kinds."""
    request = METRICS.request()
    scope = request.resource_metrics.add().scope_metrics.add()
    for kind in ("gauge", "sum", "histogram", "exponential_histogram", "summary"):
        points = getattr(scope.metrics.add(name=kind), kind).data_points
        points.add()
        points.add()
    scope.metrics.add(name="nothing")
    assert parse_shallow(METRICS, request.SerializeToString()) == (10, False)
