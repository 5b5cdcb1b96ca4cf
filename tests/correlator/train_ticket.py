"""Real spans of a system that knows nothing of us, and the one file that makes journeys of them."""

from __future__ import annotations

import csv
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from throughline.collector.store import Role, Store

if TYPE_CHECKING:
    from collections.abc import Sequence

TRACES = Path("/work/shared/data/traces")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
FIRST = datetime(2023, 1, 29, tzinfo=UTC)
"""Before every span."""

COLUMNS = (
    "Timestamp", "TraceId", "SpanId", "ParentSpanId", "SpanName", "SpanKind", "ServiceName",
    "ResourceAttributes", "Duration", "StatusCode", "Tenant",
)  # fmt: skip

MAPPING = """
mapping: train-ticket
rules:
  - name: requested
    match:
      service: {glob: "ts-preserve-*service"}
      name: {regex: "^Preserve(Other)?Controller.preserve$"}
    set:
      event: booking.requested
      keys: {train.booking: "{@trace_id}"}
      system: booking
      platform: train-ticket
      connection: {pick: ["resource:k8s.pod.name", "@service"], regex: "^(.*)-[0-9a-f]+-[0-9a-z]+$"}
  - name: checked
    match: {service: ts-security-service, name: SecurityController.check}
    set: {event: booking.checked}
  - name: ordered
    match: {name: {glob: "Order*Controller.createNewOrder"}}
    set: {event: booking.ordered, platform: train-ticket}
  - name: assured
    match: {service: ts-assurance-service, name: AssuranceController.createNewAssurance}
    set: {event: booking.assured}
"""
PROCESS = """
process: train-booking
version: 1
title: A booked seat
owner: sales
keys: [train.booking]
milestones:
  - {name: requested, event: booking.requested}
  - {name: checked, event: booking.checked, within: {time: 10s, of: requested}}
  - {name: ordered, event: booking.ordered, within: {time: 10s, of: checked}}
  - {name: assured, event: booking.assured, optional: true}
completed_by: ordered
"""


def spans(tenant: str) -> list[Sequence[object]]:
    """Every span, as a row of `otel_traces`, in the order of its files."""
    found: list[Sequence[object]] = []
    for path in sorted(TRACES.glob("*.csv")):
        for row in csv.DictReader(path.read_text().splitlines()):
            pod = row["PodName"]
            start, end = int(row["StartTimeUnixNano"]), int(row["EndTimeUnixNano"])
            found.append(
                (
                    EPOCH + timedelta(microseconds=start // 1000),
                    row["TraceID"],
                    row["SpanID"],
                    "" if row["ParentID"] == "root" else row["ParentID"],
                    row["OperationName"],
                    "Internal",
                    re.sub(r"-[0-9a-f]+-[0-9a-z]{5}$", "", pod),
                    {"k8s.pod.name": pod},
                    end - start,
                    "Unset",
                    tenant,
                )
            )
    return found


def insert(store: Store, rows: list[Sequence[object]]) -> None:
    """Store spans, as a stock OpenTelemetry Collector would."""
    store.insert_rows("otel_traces", rows, COLUMNS, role=Role.LOADER)
