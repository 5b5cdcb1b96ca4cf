"""The engine's metrics as OTLP: what `/metrics` shows, sent to a collector.

Not through `collector/egress.py`: the operator sets the one address, a collector beside the engine as a rule,
over plain HTTP.
"""

from __future__ import annotations

import logging
import math
import re
from collections import defaultdict
from typing import TYPE_CHECKING

import httpx
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.metrics.v1 import metrics_pb2 as otlp

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from prometheus_client import CollectorRegistry, Metric
    from prometheus_client.samples import Sample

TIMEOUT_SECONDS = 10.0
_TRACE = re.compile("[0-9a-f]{32}")
log = logging.getLogger(__name__)


def export(registry: CollectorRegistry, url: str, started: datetime, now: datetime) -> bool:
    """Send every metric; whether it was taken. What is not is logged, and sent anew with the next."""
    body = request(registry.collect(), started, now).SerializeToString()
    try:
        answer = httpx.post(
            url, content=body, headers={"Content-Type": "application/x-protobuf"}, timeout=TIMEOUT_SECONDS
        )
        answer.raise_for_status()
    except httpx.HTTPError as error:
        log.warning("metrics were not taken by %s: %s", url, error)
        return False
    return True


def request(families: Iterable[Metric], started: datetime, now: datetime) -> ExportMetricsServiceRequest:
    """The families as one OTLP request: counters as cumulative sums, the rest as they are."""
    made = ExportMetricsServiceRequest()
    resource = made.resource_metrics.add()
    resource.resource.attributes.append(_attribute("service.name", "throughline-engine"))
    scope = resource.scope_metrics.add()
    scope.scope.name = "throughline"
    since, at = int(started.timestamp() * 1e9), int(now.timestamp() * 1e9)
    for family in families:
        one = otlp.Metric(name=family.name, description=family.documentation)
        if family.type == "histogram":
            _histogram(one, family, since, at)
        else:
            _numbers(one, family, since, at)
        if one.WhichOneof("data") is not None:
            scope.metrics.append(one)
    return made


def _numbers(one: otlp.Metric, family: Metric, since: int, at: int) -> None:
    counter = family.type == "counter"
    for sample in family.samples:
        if sample.name.endswith("_created") or math.isnan(sample.value):
            continue
        if counter:
            one.sum.is_monotonic = True
            one.sum.aggregation_temporality = otlp.AGGREGATION_TEMPORALITY_CUMULATIVE
        points = one.sum.data_points if counter else one.gauge.data_points
        point = points.add(time_unix_nano=at, as_double=sample.value)
        if counter:
            point.start_time_unix_nano = since
        point.attributes.extend(_attributes(sample.labels))


def _histogram(one: otlp.Metric, family: Metric, since: int, at: int) -> None:
    series: defaultdict[tuple[tuple[str, str], ...], list[Sample]] = defaultdict(list)
    for sample in family.samples:
        given = sorted((name, text) for name, text in sample.labels.items() if name != "le")
        series[tuple(given)].append(sample)
    for labels, samples in series.items():
        buckets = [sample for sample in samples if sample.name.endswith("_bucket")]
        one.histogram.aggregation_temporality = otlp.AGGREGATION_TEMPORALITY_CUMULATIVE
        point = one.histogram.data_points.add(start_time_unix_nano=since, time_unix_nano=at)
        point.attributes.extend(_attributes(dict(labels)))
        before = 0.0
        for sample in buckets:
            if sample.labels["le"] != "+Inf":
                point.explicit_bounds.append(float(sample.labels["le"]))
            point.bucket_counts.append(int(sample.value - before))
            before = sample.value
            if sample.exemplar is not None:
                example = point.exemplars.add(as_double=sample.exemplar.value)
                example.time_unix_nano = int(float(sample.exemplar.timestamp or 0) * 1e9)
                trace = sample.exemplar.labels.get("trace_id", "")
                if _TRACE.fullmatch(trace):
                    example.trace_id = bytes.fromhex(trace)
                example.filtered_attributes.extend(_attributes(sample.exemplar.labels))
        point.count = int(before)
        point.sum = next((sample.value for sample in samples if sample.name.endswith("_sum")), 0.0)


def _attributes(labels: Mapping[str, str]) -> list[KeyValue]:
    return [_attribute(name, text) for name, text in labels.items()]


def _attribute(name: str, text: str) -> KeyValue:
    return KeyValue(key=name, value=AnyValue(string_value=text))
