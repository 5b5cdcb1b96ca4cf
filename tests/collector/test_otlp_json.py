"""OTLP/JSON becomes the same protobuf as its twins, and what is wrong is refused by path."""

import json
import math
from pathlib import Path
from typing import Any

import pytest
from google.protobuf import json_format
from hypothesis import given
from hypothesis import strategies as st

from tests.collector.edge_process import SHARED
from throughline.collector.examine import Encoding, Task, examine
from throughline.collector.otlp_json import convert
from throughline.collector.otlp_messages import LOGS, METRICS, TRACES, Signal
from throughline.probes.errors import InvalidRequest

OTLP = SHARED / "otlp"
TWINS = [
    ("traces", TRACES),
    ("logs", LOGS),
    *((f"metrics_{kind}", METRICS) for kind in ("gauge", "sum", "histogram", "summary", "mixed")),
    ("metrics_exponential_histogram", METRICS),
]
REFUSED_LINES = {"malformed.jsonl": {1, 2, 3}, "multifile_malformed_traces.jsonl": {0}}


def signal_of(text: str) -> Signal:
    """Return the signal a document names."""
    return TRACES if "resourceSpans" in text else LOGS if "resourceLogs" in text else METRICS


def documents(path: Path) -> list[str]:
    """Return the documents of a file: its non-empty lines, or the whole of a .json file."""
    text = path.read_text()
    return [text] if path.suffix == ".json" else [line for line in text.splitlines() if line.strip()]


def span(**fields: Any) -> bytes:
    """Return a traces request with one span."""
    return json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [fields]}]}]}).encode()


def the_span(body: bytes) -> Any:
    """Convert and return the one span."""
    request: Any = TRACES.request.FromString(convert(TRACES, body))
    return request.resource_spans[0].scope_spans[0].spans[0]


@pytest.mark.parametrize(("name", "signal"), TWINS)
def test_jsonl_equals_its_protobuf_twin(name: str, signal: Signal) -> None:
    """All lines together hold what the .pb file holds."""
    merged = signal.request()
    for line in documents(OTLP / "otlp2parquet" / f"{name}.jsonl"):
        merged.MergeFromString(convert(signal, line.encode()))
    assert merged == signal.request.FromString((OTLP / "otlp2parquet" / f"{name}.pb").read_bytes())


@pytest.mark.parametrize(("name", "signal"), [("trace", TRACES), *TWINS[2:]])
def test_json_equals_its_protobuf_twin(name: str, signal: Signal) -> None:
    """The document holds what the .pb file holds."""
    converted = convert(signal, (OTLP / "otlp2parquet" / f"{name}.json").read_bytes())
    twin = signal.request.FromString((OTLP / "otlp2parquet" / f"{name}.pb").read_bytes())
    assert signal.request.FromString(converted) == twin


@pytest.mark.parametrize("path", sorted((OTLP / "otlp2parquet" / "invalid").iterdir()), ids=lambda p: p.name)
def test_invalid_files_are_refused(path: Path) -> None:
    """Each file of invalid/ is refused with a message that says where or what."""
    text = path.read_text()
    where = "line 21" if path.name == "malformed.json" else r"^resource\w+\[0\]\.scope\w+\[0\]\..+: "
    with pytest.raises(InvalidRequest, match=where):
        convert(signal_of(text), text.encode())


@pytest.mark.parametrize("path", sorted((OTLP / "edge-json").iterdir()), ids=lambda p: p.name)
def test_edge_cases_are_accepted_or_refused_as_named(path: Path) -> None:
    """Only the malformed lines of the malformed files are refused."""
    refused = set()
    for number, text in enumerate(documents(path)):
        try:
            convert(signal_of(text), text.encode())
        except InvalidRequest:
            refused.add(number)
    assert refused == REFUSED_LINES.get(path.name, set())


@pytest.mark.parametrize(
    "path", sorted((OTLP / "opentelemetry-proto-examples").iterdir()), ids=lambda p: p.name
)
def test_official_examples_agree_with_protobufs_own_parser(path: Path) -> None:
    """Apart from ids, which protobuf takes for base64, the official examples read as protobuf reads them."""
    text = path.read_text()
    signal = signal_of(text)
    converted = signal.request.FromString(convert(signal, text.encode()))
    reference = json_format.Parse(text, signal.request())
    ids = {"traceId", "spanId", "parentSpanId"}

    def without_ids(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: without_ids(member) for key, member in value.items() if key not in ids}
        return [without_ids(member) for member in value] if isinstance(value, list) else value

    as_dict = json_format.MessageToDict
    assert without_ids(as_dict(converted)) == without_ids(as_dict(reference))


def test_ids_are_hexadecimal_in_either_case() -> None:
    """The OTLP mapping writes ids as hexadecimal digits; empty is unset."""
    trace = "5B8efff798038103d269b633813fc60c"
    found = the_span(span(traceId=trace, spanId="EEE19B7EC3C1B174", parentSpanId=""))
    assert found.trace_id == bytes.fromhex(trace)
    assert found.span_id == bytes.fromhex("eee19b7ec3c1b174")
    assert found.parent_span_id == b""


@pytest.mark.parametrize("value", ["00", "0" * 31, "0" * 33, "g" * 32, "A" * 24, 5, ["a"], "=" * 24])
def test_other_ids_are_refused(value: object) -> None:
    """Ids of a wrong length or alphabet are refused by path."""
    with pytest.raises(InvalidRequest, match=r"^resourceSpans\[0\]\.scopeSpans\[0\]\.spans\[0\]\.traceId: "):
        convert(TRACES, span(traceId=value))


@given(st.integers(min_value=0, max_value=2**64 - 1))
def test_64_bit_integers_are_strings_or_numbers(number: int) -> None:
    """Both spellings give the same value, to the last digit."""
    assert the_span(span(startTimeUnixNano=number)).start_time_unix_nano == number
    assert the_span(span(startTimeUnixNano=str(number))).start_time_unix_nano == number


@pytest.mark.parametrize("number", [-1, 2**64, "-1", "18446744073709551616", "ten", 1.5, True, {}, "", "²"])
def test_integers_out_of_range_are_refused(number: object) -> None:
    """Nothing is wrapped, cut or guessed."""
    with pytest.raises(InvalidRequest, match="startTimeUnixNano"):
        convert(TRACES, span(startTimeUnixNano=number))


@pytest.mark.parametrize(("kind", "number"), [(2, 2), ("SPAN_KIND_SERVER", 2), ("2", 2), (77, 77), (0, 0)])
def test_enums_are_numbers_or_valid_names(kind: object, number: int) -> None:
    """Numbers of later versions are kept."""
    assert the_span(span(kind=kind)).kind == number


def test_unknown_fields_and_nulls_are_ignored() -> None:
    """A later version's field is skipped, whatever it holds; null means absent; snake_case is unknown."""
    found = the_span(span(name="a", fancy={"x": [1]}, attributes=None, kind=None, trace_state="x"))
    assert (found.name, len(found.attributes), found.trace_state) == ("a", 0, "")


def test_values_of_every_kind() -> None:
    """AnyValue arrives as protobuf has it."""
    values = [
        {"stringValue": "ä"},
        {"boolValue": False},
        {"intValue": "-9223372036854775808"},
        {"doubleValue": "NaN"},
        {"doubleValue": 1},
        {"bytesValue": "3q2+7w=="},
        {"bytesValue": "3q2-7w"},
        {"arrayValue": {"values": [{"intValue": 1}, None]}},
        {"kvlistValue": {"values": [{"key": "k", "value": {"stringValue": ""}}]}},
        {},
    ]
    found = [
        attribute.value
        for attribute in the_span(
            span(attributes=[{"key": str(n), "value": value} for n, value in enumerate(values)])
        ).attributes
    ]
    kinds = [value.WhichOneof("value") for value in found]
    assert kinds == [
        "string_value", "bool_value", "int_value", "double_value", "double_value", "bytes_value",
        "bytes_value", "array_value", "kvlist_value", None,
    ]  # fmt: skip
    assert found[2].int_value == -(2**63)
    assert math.isnan(found[3].double_value)
    assert found[5].bytes_value == found[6].bytes_value == b"\xde\xad\xbe\xef"
    assert [member.WhichOneof("value") for member in found[7].array_value.values] == ["int_value", None]
    assert found[8].kvlist_value.values[0].value.WhichOneof("value") == "string_value"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"null",
        b"1",
        b'"x"',
        b"\xff\xfe",
        b'{"resourceSpans": {}}',
        b'{"resourceSpans": [1]}',
        b'{"resourceSpans": [{"resource": []}]}',
        b"[" * 100_000,
        b'{"resourceSpans":' * 50_000,
        span(name=5),
        span(name="\ud800"),
        span(attributes=[{"key": "a", "value": {"boolValue": "true"}}]),
        span(attributes=[{"key": "a", "value": {"doubleValue": "1,5"}}]),
        span(attributes=[{"key": "a", "value": {"bytesValue": "?"}}]),
        b'{"resourceSpans": [], "a": NaN}',
        b"{} {}",
    ],
)
def test_anything_else_is_refused(body: bytes) -> None:
    """Malformed JSON, wrong types, half surrogates and endless nesting are InvalidRequest."""
    with pytest.raises(InvalidRequest):
        convert(TRACES, body)


def test_values_nested_beyond_protobufs_limit_are_refused() -> None:
    """What protobuf could not read back is not written."""
    value: dict[str, Any] = {"intValue": 1}
    for _ in range(200):
        value = {"arrayValue": {"values": [value]}}
    body = span(attributes=[{"key": "a", "value": value}])
    with pytest.raises(InvalidRequest, match="too deeply"):
        examine(Task("traces", Encoding.JSON, body, 1))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=10,
)
names = st.sampled_from(
    ["traceId", "name", "kind", "attributes", "events", "links", "status", "startTimeUnixNano", "flags"]
)


@given(st.dictionaries(names, json_values))
def test_no_json_breaks_the_converter(fields: dict[str, Any]) -> None:
    """Whatever the fields hold, the answer is a message or InvalidRequest."""
    try:
        TRACES.request.FromString(convert(TRACES, span(**fields)))
    except InvalidRequest:
        assert fields
