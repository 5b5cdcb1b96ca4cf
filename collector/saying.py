"""Business events that Throughline says itself: what people link and unlink, what a replay did twice.

They go the way of all others, as log records through the landing table; so a rebuild keeps them.
"""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from throughline.collector import spool_records
from throughline.collector.event_logs import write
from throughline.collector.landing import Landing
from throughline.probes import encode

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from throughline.collector.store import Store
    from throughline.probes.vocabulary import BusinessEvent

SCOPE = "throughline.said"
SERVICE = "throughline"
INSERT_SECONDS = 60


def say(store: Store, tenant: str, events: Sequence[BusinessEvent], now: datetime) -> None:
    """Store events, each once however often it is said: they carry ids. Raises: StoreError, ValueError."""
    if any(not event.id for event in events):
        raise ValueError("an event that is said needs an id")
    message = ExportLogsServiceRequest()
    resource = message.resource_logs.add()
    resource.resource.attributes.add(key="service.name").value.string_value = SERVICE
    scope = resource.scope_logs.add()
    scope.scope.name = SCOPE
    received = encode.nanoseconds(now) or 0
    for event in events:
        record = scope.log_records.add()
        write(record, event, received)
        record.observed_time_unix_nano = received
    body = message.SerializeToString()
    # The token stands for these bytes alone: other bytes under a token that was used are lost.
    token = f"said-{sha256(tenant.encode() + body).hexdigest()[:32]}"
    segment = spool_records.Segment(token, Path(token), "logs", len(body))
    parts = spool_records.encode(
        token, 1, tenant=tenant, items=len(events), request=body, received_unix_nano=received
    )
    payload = b"".join(parts)[spool_records.HEADER.size :]
    head = spool_records.TENANT_LENGTH.size + len(tenant.encode()) + spool_records.ITEMS.size
    record = spool_records.Record(tenant, len(events), payload[head:], 1)
    Landing(store, insert_seconds=INSERT_SECONDS).insert(segment, [record], token=token)
