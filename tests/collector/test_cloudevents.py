"""CloudEvents: the official HTTP scenarios, what is refused by name, and the log records they become."""

import base64
import json
import re
from collections.abc import Iterator
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from tests.collector.edge_process import CLIENT, SHARED, Edge, running
from throughline.collector.cloudevents import BATCH, STRUCTURED, CloudEvent, parse, to_logs
from throughline.collector.rfc3339 import unix_nano
from throughline.probes.errors import InvalidRequest

FEATURE = (SHARED / "cloudevents" / "http-protocol-binding.feature").read_text()
SCHEMA = json.loads((SHARED / "cloudevents" / "cloudevents.schema.json").read_text())
RECEIVED = 1_700_000_000_123_456_789
MINIMAL = {"specversion": "1.0", "id": "1", "source": "/here", "type": "invoice.posted"}


@pytest.fixture(scope="module")
def edge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Edge]:
    """One edge for the module."""
    with running(tmp_path_factory.mktemp("edge")) as one:
        yield one


def scenarios() -> list[tuple[str, str]]:
    """Return (outline, example content type) of every scenario in the feature file."""
    found = []
    for outline in re.split(r"Scenario Outline:", FEATURE)[1:]:
        examples = outline.partition("Examples:")[2]
        rows = [row.strip(" |") for row in examples.strip().splitlines()[1:] if row.strip()]
        found += [(outline, row) for row in rows]
    return found


def the_request(outline: str, content_type: str) -> tuple[list[tuple[str, str]], str]:
    """Return headers and body of a scenario's HTTP request."""
    text = outline.split('"""')[1].replace("<contentType>", content_type)
    lines = [line.strip() for line in text.strip().splitlines()]
    end = lines.index("")
    headers = [
        (name.strip(), value.strip()) for name, _, value in (line.partition(":") for line in lines[1:end])
    ]
    return headers, "\n".join(lines[end + 1 :])


def expected(outline: str, content_type: str) -> tuple[dict[str, str], Any]:
    """Return the attributes and the data that a scenario demands."""
    table = outline.partition("Then the attributes are:")[2].partition("And the data")[0]
    rows = [
        [cell.strip() for cell in row.strip().strip("|").split("|")] for row in table.strip().splitlines()
    ]
    attributes = {key: value.replace("<contentType>", content_type) for key, value in rows[1:]}
    return attributes, json.loads(outline.split('"""')[3])


@pytest.mark.parametrize(("outline", "content_type"), scenarios())
def test_official_scenarios(edge: Edge, outline: str, content_type: str) -> None:
    """Each scenario parses to its attributes and data, and a real edge spools it as a log record."""
    headers, body = the_request(outline, content_type)
    attributes, data = expected(outline, content_type)
    assert parse(headers, content_type, body.encode()) == [CloudEvent(attributes, data)]

    sent = {name.lower(): value for name, value in headers if name.lower() not in {"host", "content-length"}}
    response = edge.post("/v1/events", body, sent.pop("content-type"), **sent)
    assert response.status_code == 200
    [record] = edge.take()
    assert (record.signal, record.items) == ("events", 1)
    found = only_record(record.request)
    assert found.time_unix_nano == 1_522_900_584_000_000_000
    assert attributes_of(found)["cloudevents.event_id"] == "1234-1234-1234"
    assert json.loads(found.body.string_value) == data


def only_record(request: bytes) -> Any:
    """Return the one log record of a request."""
    [resource] = ExportLogsServiceRequest.FromString(request).resource_logs
    [scope] = resource.scope_logs
    assert scope.scope.name == "throughline.cloudevents"
    [record] = scope.log_records
    return record


def attributes_of(record: Any) -> dict[str, Any]:
    """Return plain attribute values."""
    plain = {}
    for attribute in record.attributes:
        kind = attribute.value.WhichOneof("value")
        value = getattr(attribute.value, kind)
        plain[attribute.key] = (
            [getattr(member, member.WhichOneof("value")) for member in value.values]
            if kind == "array_value"
            else value
        )
    return plain


def converted(event: dict[str, Any]) -> Any:
    """Return the log record of one structured event."""
    events = parse([], STRUCTURED, json.dumps({**MINIMAL, **event}).encode())
    return only_record(to_logs(events, RECEIVED))


def test_attributes_become_semantic_conventions() -> None:
    """Context attributes keep their name or take that of OpenTelemetry; the type is the business event."""
    record = converted({"subject": "INV-1", "dataschema": "https://x.example/s", "myext": 5, "flag": True})
    assert attributes_of(record) == {
        "cloudevents.event_id": "1",
        "cloudevents.event_source": "/here",
        "cloudevents.event_type": "invoice.posted",
        "cloudevents.event_spec_version": "1.0",
        "cloudevents.event_subject": "INV-1",
        "cloudevents.dataschema": "https://x.example/s",
        "cloudevents.myext": 5,
        "cloudevents.flag": True,
        "business.event": "invoice.posted",
    }
    assert record.event_name == "invoice.posted"
    assert record.severity_number == 9
    assert not record.HasField("body")


def test_correlation_and_bam_extensions_are_keys() -> None:
    """They name the flow that several events share; the models of a BAM process name nothing."""
    found = attributes_of(
        converted({"correlationid": "txn-1", "causationid": "e-0", "bamtxid": "t1", "bampid": "p"})
    )
    keys = {key: value for key, value in found.items() if key.startswith("business.key.")}
    assert keys == {
        "business.key.cloudevents.correlationid": "txn-1",
        "business.key.cloudevents.bamtxid": "t1",
    }
    assert found["cloudevents.causationid"] == "e-0"


def test_business_members_of_data_are_attributes_and_win() -> None:
    """JSON object data may carry our vocabulary; amounts keep every digit; other members stay in the body."""
    data = """{"business.event": "payment.applied", "business.key.netsuite.invoice": ["A", "B"],
        "business.amount": 12345678901234567.10, "business.customer": null, "business.entity": {"a": 1},
        "x": 1}"""
    body = json.dumps(MINIMAL)[:-1] + f', "data": {data}}}'
    record = only_record(to_logs(parse([], STRUCTURED, body.encode()), RECEIVED))
    found = attributes_of(record)
    assert found["business.event"] == record.event_name == "payment.applied"
    assert found["business.key.netsuite.invoice"] == ["A", "B"]
    assert found["business.amount"] == "12345678901234567.10"
    assert found["business.entity"] == '{"a":1}'
    assert "business.customer" not in found
    assert "x" not in found
    assert json.loads(record.body.string_value)["x"] == 1


@pytest.mark.parametrize(
    ("event", "number"),
    [
        ({}, 9),
        ({"severitynumber": 17, "severitytext": "ERROR"}, 17),
        ({"severitynumber": "13"}, 13),
        ({"bamptxsstatus": "failure"}, 17),
        ({"data": {"business.exception.class": "business"}}, 17),
        ({"data": {"business.exception.code": "E1"}, "severitynumber": 9}, 9),
    ],
)
def test_failures_have_error_severity(event: dict[str, Any], number: int) -> None:
    """The severity extension decides, else a failed step or a named exception is an error."""
    assert converted(event).severity_number == number


def test_traceparent_is_the_context() -> None:
    """The distributed tracing extension fills trace and span of the record; a broken one is no context."""
    trace, span = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
    record = converted({"traceparent": f"00-{trace}-{span}-01"})
    assert (record.trace_id.hex(), record.span_id.hex(), record.flags) == (trace, span, 1)
    for broken in (f"00-{'0' * 32}-{span}-01", f"ff-{trace}-{span}-01", "00-x-y-01", trace):
        assert converted({"traceparent": broken}).trace_id == b""


def test_time_is_the_events_or_when_it_came() -> None:
    """Without `time` an event happened when it was received; that is kept as observed time anyway."""
    record = converted({"time": "2024-02-29T23:59:60.123456789123+01:30"})
    assert record.time_unix_nano == unix_nano("2024-02-29T22:30:00Z") + 123_456_789  # type: ignore[operator]
    assert record.observed_time_unix_nano == RECEIVED
    assert converted({}).time_unix_nano == RECEIVED


@pytest.mark.parametrize(
    ("text", "nanoseconds"),
    [
        ("1970-01-01T00:00:01Z", 1_000_000_000),
        ("1970-01-01t01:00:01.5+01:00", 1_500_000_000),
        ("1960-01-01T00:00:00Z", 1),
        ("2024-13-01T00:00:00Z", None),
        ("2024-02-30T00:00:00Z", None),
        ("2024-02-20T24:00:00Z", None),
        ("2024-02-20T00:00:00", None),
        ("2024-02-20T00:00:00+25:00", None),
        ("2024-02-20", None),
        ("yesterday", None),
    ],
)
def test_timestamps(text: str, nanoseconds: int | None) -> None:
    """RFC 3339 with offsets, fractions and leap seconds; nothing else."""
    assert unix_nano(text) == nanoseconds


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"id": None}, "id"), ({"id": ""}, "id"), ({"id": 5}, "id"), ({"source": None}, "source"),
        ({"source": "a b"}, "source"), ({"type": None}, "type"), ({"type": ""}, "type"),
        ({"specversion": None}, "specversion"), ({"specversion": "0.3"}, "specversion"),
        ({"specversion": "2.0"}, "specversion"), ({"time": "now"}, "time"), ({"subject": ""}, "subject"),
        ({"dataschema": "relative"}, "dataschema"), ({"datacontenttype": "nonsense"}, "datacontenttype"),
        ({"Ext": "x"}, "Ext"), ({"my_ext": "x"}, "my_ext"), ({"ext": {"a": 1}}, "ext"), ({"ext": 1.5}, "ext"),
        ({"ext": 2**31}, "ext"), ({"ext": [1]}, "ext"), ({"data": 1, "data_base64": "AA=="}, "data_base64"),
        ({"data_base64": "?"}, "data_base64"), ({"data_base64": 5}, "data_base64"),
        ({"ext": "\ud800"}, "ext"),
    ],
)  # fmt: skip
def test_invalid_events_name_the_attribute(edge: Edge, change: dict[str, Any], named: str) -> None:
    """400, the attribute by name, nothing stored: alone and with its place in a batch."""
    event = {**MINIMAL, **change}
    response = edge.post("/v1/events", json.dumps(event), STRUCTURED)
    assert response.status_code == 400
    assert named in response.json()["message"]
    response = edge.post("/v1/events", json.dumps([MINIMAL, event]), BATCH)
    assert response.status_code == 400
    assert response.json()["message"].startswith("event 1: ")
    assert named in response.json()["message"]
    assert edge.take() == []


def test_binary_without_its_headers_names_what_is_missing(edge: Edge) -> None:
    """JSON without ce- headers is no CloudEvent."""
    response = edge.post("/v1/events", "{}", "application/json")
    assert (response.status_code, response.json()["message"]) == (400, "specversion is missing.")


@pytest.mark.parametrize("media_type", ["application/cloudevents+xml", "application/cloudevents-batch+avro"])
def test_other_event_formats_are_415(edge: Edge, media_type: str) -> None:
    """JSON is the one event format that is read."""
    assert edge.post("/v1/events", "x", media_type).status_code == 415


def test_batch_is_one_record_of_several_sources(edge: Edge) -> None:
    """A batch is stored whole, its events grouped by source; an empty one is valid."""
    events = [{**MINIMAL, "id": str(n), "source": f"/source/{n % 2}"} for n in range(5)]
    assert edge.post("/v1/events", json.dumps(events), f"{BATCH}; charset=utf-8").status_code == 200
    assert edge.post("/v1/events", "[]", BATCH).status_code == 200
    records = edge.take()
    assert sorted(record.items for record in records) == [0, 5]
    stored = ExportLogsServiceRequest.FromString(max(records, key=lambda record: record.items).request)
    assert [len(resource.scope_logs[0].log_records) for resource in stored.resource_logs] == [3, 2]
    assert stored.resource_logs[1].resource.attributes[0].value.string_value == "/source/1"


def test_binary_headers_are_decoded_and_data_kept(edge: Edge) -> None:
    """Percent-encoding and quotes are undone; data that is neither JSON nor text stays bytes."""
    headers = {f"ce-{name}": value for name, value in MINIMAL.items()}
    headers |= {"ce-subject": "Euro%20%E2%82%AC%20%F0%9F%98%80", "ce-quoted": r'"a \"b\""'}
    assert edge.post("/v1/events", b"\xff\x00", "image/png", **headers).status_code == 200
    record = only_record(edge.take()[0].request)
    found = attributes_of(record)
    assert found["cloudevents.event_subject"] == "Euro € 😀"
    assert found["cloudevents.quoted"] == 'a "b"'
    assert found["cloudevents.datacontenttype"] == "image/png"
    assert record.body.bytes_value == b"\xff\x00"


def test_structured_base64_data_is_decoded_by_its_type() -> None:
    """data_base64 holding JSON is JSON."""
    encoded = base64.b64encode(b'{"business.customer": "Acme"}').decode()
    record = converted({"data_base64": encoded, "datacontenttype": "application/json"})
    assert attributes_of(record)["business.customer"] == "Acme"


def test_json_data_that_is_none_is_refused(edge: Edge) -> None:
    """Data that breaks the promise of its content type is 400."""
    headers = {f"ce-{name}": value for name, value in MINIMAL.items()}
    response = edge.post("/v1/events", "{", "application/json", **headers)
    assert response.status_code == 400
    assert "data" in response.json()["message"]


def test_webhook_handshake_is_answered(edge: Edge) -> None:
    """The abuse protection of CloudEvents webhooks gets its permission."""
    response = CLIENT.options(
        edge.url + "/v1/events", headers={"webhook-request-origin": "eventgrid.example"}
    )
    assert response.status_code == 200
    assert response.headers["webhook-allowed-origin"] == "eventgrid.example"


names = st.sampled_from(["id", "source", "type", "specversion", "subject", "time", "data", "dataschema"])
plain = (
    st.none()
    | st.text(max_size=4)
    | st.integers(-5, 5)
    | st.sampled_from(["1.0", "/a", "https://a.example/b"])
)


@given(st.dictionaries(names, plain))
def test_what_we_take_the_official_schema_takes(event: dict[str, Any]) -> None:
    """No event passes here that the JSON schema of CloudEvents refuses; endless input raises nothing else."""
    try:
        [found] = parse([], STRUCTURED, json.dumps(event).encode())
        to_logs([found], RECEIVED)
    except InvalidRequest:
        return
    jsonschema.validate(event, SCHEMA)
