"""What the engine makes of OTLP: the exporter's rows, text as Go would write it, odd input kept apart."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import KeyValue

from tests.collector.otlp_samples import NOW, any_value, attributes, logs, spool, traces
from throughline.collector.loader import Loader
from throughline.collector.store import Role

if TYPE_CHECKING:
    from pathlib import Path

    from throughline.collector.store import Store

TRACE, SPAN, PARENT = bytes(range(16)), bytes(range(8)), bytes(range(8, 16))
DAY = 86_400 * 10**9


def load(store: Store, directory: Path, signal: str, *requests: bytes, **how: Any) -> None:
    """Bring requests into the store."""
    spool(directory / "spool", signal, *requests, **how)
    Loader(store, directory / "spool").drain()


def one(store: Store, table: str) -> dict[str, Any]:
    """Return the only row of a table."""
    result = store.query(f"SELECT * FROM {table}", role=Role.PAGES)
    assert len(result.result_rows) == 1
    return dict(zip(result.column_names, result.result_rows[0], strict=True))


def test_attribute_values_become_the_exporters_text(store: Store, tmp_path: Path) -> None:
    """Scalars, bytes, arrays and maps are written as pcommon.Value.AsString writes them."""
    values: dict[str, tuple[Any, str]] = {
        "text": ("a < b", "a < b"),
        "empty": ("", ""),
        "none": (None, ""),
        "true": (True, "true"),
        "false": (False, "false"),
        "int": (-(2**63), str(-(2**63))),
        "zero": (0, "0"),
        "half": (2.5, "2.5"),
        "whole": (100.0, "100"),
        "minus zero": (-0.0, "-0"),
        "tiny": (1e-7, "1e-7"),
        "small": (1e-6, "0.000001"),
        "large": (1e20, "100000000000000000000"),
        "huge": (1.5e21, "1.5e+21"),
        "not a number": (float("nan"), "json: unsupported value: NaN"),
        "infinite": (float("-inf"), "json: unsupported value: -Inf"),
        "bytes": (b"\x00\xff", "AP8="),
        "array": (['q"\\/', 1, None, True, 1e21, b"\xff", "\x01\n\u2028é"],
                  '["q\\"\\\\/",1,null,true,1e+21,"/w==","\\u0001\\n\\u2028é"]'),
        "empty array": ([], "[]"),
        "map": ({"z": "<&>", "a": 0.1}, '{"a":0.1,"z":"\\u003c\\u0026\\u003e"}'),
        "empty map": ({}, "{}"),
        "array with NaN": ([float("nan")], ""),
    }  # fmt: skip
    given = {name: value for name, (value, _) in values.items()}
    load(store, tmp_path, "traces", traces(attributes=given))
    assert one(store, "otel_traces")["SpanAttributes"] == {name: text for name, (_, text) in values.items()}


def test_the_last_of_equal_keys_counts(store: Store, tmp_path: Path) -> None:
    """Duplicate attribute keys leave one entry, the last; in maps too."""
    pair = [KeyValue(key="k", value=any_value(1)), KeyValue(key="o", value=any_value("x"))]
    twice = [*pair, KeyValue(key="k", value=any_value(2))]
    inner = any_value({})
    inner.kvlist_value.values.extend(twice)
    request = ExportMetricsServiceRequest()
    scope = request.resource_metrics.add().scope_metrics.add()
    point = scope.metrics.add(name="m").gauge.data_points.add(time_unix_nano=NOW, as_int=3)
    point.attributes.extend([*twice, KeyValue(key="map", value=inner)])
    load(store, tmp_path, "metrics", request.SerializeToString())
    row = one(store, "otel_metrics_gauge")
    assert row["Attributes"] == {"k": "2", "o": "x", "map": '{"k":2,"o":"x"}'}
    sizes = store.query("SELECT length(mapKeys(Attributes)) FROM otel_metrics_gauge", role=Role.PAGES)
    assert sizes.result_rows == [(3,)]


def test_span_row(store: Store, tmp_path: Path) -> None:
    """Every column of a span, its events and links is the exporter's."""
    request = traces({
        "trace_id": TRACE, "span_id": SPAN, "parent_span_id": PARENT, "trace_state": "a=b", "name": "work",
        "kind": 3,
        "start_time_unix_nano": NOW, "end_time_unix_nano": NOW + 5, "status": {"message": "boom", "code": 2},
        "events": [{"time_unix_nano": NOW + 1, "name": "exception", "attributes": attributes({"n": 1})}],
        "links": [{"trace_id": TRACE, "span_id": bytes(8), "attributes": attributes({"l": True})}],
    })  # fmt: skip
    load(store, tmp_path, "traces", request, tenant="acme")
    row = one(store, "otel_traces")
    assert (row["TraceId"], row["SpanId"], row["ParentSpanId"]) == (TRACE.hex(), SPAN.hex(), PARENT.hex())
    assert (row["SpanName"], row["SpanKind"], row["StatusCode"], row["StatusMessage"]) == (
        "work",
        "Client",
        "Error",
        "boom",
    )
    assert (row["ServiceName"], row["ScopeName"], row["TraceState"], row["Duration"]) == (
        "mw",
        "tests",
        "a=b",
        5,
    )
    assert (row["Events.Name"], row["Events.Attributes"]) == (["exception"], [{"n": "1"}])
    assert (row["Links.TraceId"], row["Links.SpanId"], row["Links.Attributes"]) == (
        [TRACE.hex()],
        [""],
        [{"l": "true"}],
    )
    assert (row["Tenant"], row["Request"]) == ("acme", 1)
    assert row["Segment"].startswith("traces-")
    nanos = "toUnixTimestamp64Nano(Timestamp), toUnixTimestamp64Nano(Events.Timestamp[1])"
    ticks = store.query(f"SELECT {nanos} FROM otel_traces", role=Role.PAGES).result_rows
    assert ticks == [(NOW, NOW + 1)]


def test_log_row(store: Store, tmp_path: Path) -> None:
    """Every column of a log record is the exporter's; a map as body becomes JSON."""
    record = {
        "trace_id": TRACE, "span_id": SPAN, "flags": 0x101, "severity_text": "ERROR", "severity_number": 17,
        "body": {"b": 1, "a": "x"}, "attributes": {"k": "v"}, "event_name": "it.happened",
    }  # fmt: skip
    load(store, tmp_path, "logs", logs(record))
    row = one(store, "otel_logs")
    assert (row["TraceId"], row["SpanId"], row["TraceFlags"]) == (TRACE.hex(), SPAN.hex(), 1)
    assert (row["SeverityText"], row["SeverityNumber"], row["Body"]) == ("ERROR", 17, '{"a":"x","b":1}')
    assert (row["LogAttributes"], row["EventName"]) == ({"k": "v"}, "it.happened")
    assert row["TimestampTime"] == row["Timestamp"].replace(microsecond=0)


def test_log_without_time_happened_when_observed_or_received(store: Store, tmp_path: Path) -> None:
    """Time 0 falls back to the observed time, then to the time of receipt."""
    observed = NOW - DAY
    load(
        store,
        tmp_path,
        "logs",
        logs({"time_unix_nano": 0, "observed_time_unix_nano": observed}, {"time_unix_nano": 0}),
    )
    ticks = store.query(
        "SELECT toUnixTimestamp64Nano(Timestamp) AS t FROM otel_logs ORDER BY t", role=Role.PAGES
    )
    assert [row[0] for row in ticks.result_rows] == [observed, NOW]


def test_metric_rows(store: Store, tmp_path: Path) -> None:
    """Each kind of data point lands in its table with its columns and exemplars."""
    request = ExportMetricsServiceRequest()
    resource = request.resource_metrics.add(schema_url="r")
    resource.resource.attributes.extend(attributes({"service.name": "mw"}))
    scope = resource.scope_metrics.add(schema_url="s")
    scope.scope.name = "tests"
    exemplar = {
        "time_unix_nano": NOW,
        "as_int": 7,
        "span_id": SPAN,
        "filtered_attributes": attributes({"f": 1}),
    }
    moment = {"time_unix_nano": NOW, "attributes": attributes({"a": 1})}
    gauge = scope.metrics.add(name="g", description="d", unit="u").gauge
    gauge.data_points.add(as_double=1.5, exemplars=[exemplar], **moment)
    total = scope.metrics.add(name="s").sum
    total.aggregation_temporality, total.is_monotonic = 2, True
    total.data_points.add(as_int=-4, **moment)
    histogram = scope.metrics.add(name="h").histogram
    histogram.data_points.add(
        count=3, sum=6.0, min=1, max=3, bucket_counts=[1, 2], explicit_bounds=[2.0], **moment
    )
    exponential = scope.metrics.add(name="e").exponential_histogram
    exponential.data_points.add(
        count=2, sum=1.0, scale=-3, zero_count=1, positive={"offset": -2, "bucket_counts": [1, 0]}, **moment
    )
    summary = scope.metrics.add(name="q").summary
    summary.data_points.add(count=9, sum=2.0, quantile_values=[{"quantile": 0.5, "value": 4.0}], **moment)
    load(store, tmp_path, "metrics", request.SerializeToString(), items=5)

    row = one(store, "otel_metrics_gauge")
    assert (row["MetricName"], row["MetricDescription"], row["MetricUnit"], row["Value"]) == (
        "g",
        "d",
        "u",
        1.5,
    )
    assert (row["ServiceName"], row["ResourceSchemaUrl"], row["ScopeSchemaUrl"]) == ("mw", "r", "s")
    assert (row["Exemplars.Value"], row["Exemplars.SpanId"], row["Exemplars.TraceId"]) == (
        [7],
        [SPAN.hex()],
        ["0" * 32],
    )
    row = one(store, "otel_metrics_sum")
    assert (row["Value"], row["AggregationTemporality"], row["IsMonotonic"]) == (-4, 2, True)
    row = one(store, "otel_metrics_histogram")
    assert (row["Count"], row["Sum"], row["Min"], row["Max"]) == (3, 6, 1, 3)
    assert (row["BucketCounts"], row["ExplicitBounds"]) == ([1, 2], [2])
    row = one(store, "otel_metrics_exponential_histogram")
    assert (row["Scale"], row["ZeroCount"], row["PositiveOffset"], row["PositiveBucketCounts"]) == (
        -3,
        1,
        -2,
        [1, 0],
    )
    row = one(store, "otel_metrics_summary")
    assert (row["Count"], row["ValueAtQuantiles.Quantile"], row["ValueAtQuantiles.Value"]) == (9, [0.5], [4])
    assert Loader(store, tmp_path / "spool").received("default") == {"metrics": 5}


@pytest.mark.parametrize(
    "start",
    [0, 1, 631_151_999_999_999_999, NOW + DAY + 1, 2**63, 2**64 - 1],
    ids=["zero", "one", "before 1990", "in a day", "half", "last"],
)
def test_impossible_times_go_to_dead_letters(store: Store, tmp_path: Path, start: int) -> None:
    """A span outside 1990 .. a day from now is kept with the reason; its neighbours are stored."""
    load(
        store,
        tmp_path,
        "traces",
        traces({"name": "bad", "start_time_unix_nano": start, "attributes": {"k": [1]}}, {"name": "good"}),
    )
    assert one(store, "otel_traces")["SpanName"] == "good"
    letter = one(store, "dead_letters")
    assert (letter["Signal"], letter["Reason"], letter["Items"]) == ("traces", "timestamp", 1)
    assert str(start) in letter["Detail"]
    body = json.loads(letter["Body"])
    assert (body["name"], body["attributes"]) == ("bad", {"k": "[1]"})


def test_four_hundred_days_and_all_decades_in_one_segment(store: Store, tmp_path: Path) -> None:
    """Late data over 400 days, and one span in each month since 1990, pass in one insert."""
    days = [{"start_time_unix_nano": NOW - day * DAY} for day in range(400)]
    months = [
        {"start_time_unix_nano": int(datetime(year, month, 2, tzinfo=UTC).timestamp()) * 10**9}
        for year in range(1990, 2026)
        for month in range(1, 13)
    ]
    load(store, tmp_path, "traces", traces(*days, *months))
    count = store.query(
        "SELECT count(), uniqExact(toYYYYMM(Timestamp)) > 430 FROM otel_traces", role=Role.PAGES
    )
    assert count.result_rows == [(400 + 36 * 12, 1)]
