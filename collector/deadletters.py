"""Dead letters: what was acknowledged and cannot be stored, kept with its reason.

Rows with impossible timestamps are put there by the landing views; this file keeps whole requests the engine
refuses and stretches of the spool that are not what was written, bodies in base64; and webhooks that really
came from their platform but could not be read (`hook_letters.py`), as JSON.
"""

from __future__ import annotations

import base64
import json
from hashlib import blake2b
from typing import TYPE_CHECKING

from throughline.collector.spool_records import request_of
from throughline.collector.store import Role, Store

if TYPE_CHECKING:
    from collections.abc import Sequence

    from throughline.collector.spool import CorruptRecord, Record, Segment

RECEIVED_BYTES = 8  # an envelope ends with the time it was received, nanoseconds, little-endian


def keep_request(store: Store, segment: Segment, record: Record, reason: str) -> None:
    """Keep a request the engine refuses, once however often this is called. Raises: StoreError."""
    row = {
        "Tenant": record.tenant,
        "ReceivedAt": _instant(int.from_bytes(record.envelope[-RECEIVED_BYTES:], "little")),
        "Request": record.number,
        "Items": record.items,
        "Reason": "poison",
        "Detail": reason,
    }
    _keep(store, segment, row, record.envelope, token=f"{segment.id}#{record.number}#poison")


def keep_corrupt(store: Store, segment: Segment, corrupt: Sequence[CorruptRecord]) -> None:
    """Keep the broken stretches of a segment, once however often this is called. Raises: StoreError.

    Whose they are cannot be read from them: they go to the tenant ``default``.
    """
    data = segment.path.read_bytes()
    for stretch in corrupt:
        row = {
            "Tenant": "default",
            "ReceivedAt": _instant(int(segment.id.split("-")[1])),
            "Request": 0,
            "Items": 0,
            "Reason": "corrupt",
            "Detail": f"{stretch.reason} at byte {stretch.offset} of the segment, {stretch.length} bytes",
        }
        body = data[stretch.offset : stretch.offset + stretch.length]
        _keep(store, segment, row, body, token=f"{segment.id}#{stretch.offset}#corrupt")


def keep_hooks(store: Store, segment: Segment, records: Sequence[Record]) -> int:
    """Keep the unreadable webhooks of a segment, once however often this is called; returns their number.

    Raises: StoreError.
    """
    lines = []
    for record in records:
        letter = json.loads(request_of(record.envelope))
        row = {
            "Tenant": record.tenant,
            "Id": letter_id(f"{segment.id}#{record.number}"),
            "ReceivedAt": _instant(int.from_bytes(record.envelope[-RECEIVED_BYTES:], "little")),
            "Signal": segment.signal,
            "Segment": segment.id,
            "Request": record.number,
            "Items": record.items,
            "Reason": "unreadable",
            "Detail": letter.pop("reason"),
            "Body": json.dumps(letter, ensure_ascii=False),
        }
        lines.append(json.dumps(row))
    if lines:
        settings = {"insert_deduplication_token": segment.id}
        columns = list(json.loads(lines[0]))
        body = "\n".join(lines).encode()
        store.insert_bytes(
            "dead_letters", columns, body, fmt="JSONEachRow", settings=settings, role=Role.LOADER
        )
    return len(lines)


def letter_id(token: str) -> str:
    """The id of what was kept under a token, as a decimal number."""
    return str(int.from_bytes(blake2b(token.encode(), digest_size=16).digest(), "little"))


def _keep(store: Store, segment: Segment, row: dict[str, object], body: bytes, *, token: str) -> None:
    row |= {
        "Id": letter_id(token),
        "Signal": segment.signal,
        "Segment": segment.id,
        "Body": base64.b64encode(body).decode(),
    }
    line = json.dumps(row).encode()
    settings = {"insert_deduplication_token": token}
    store.insert_bytes(
        "dead_letters", list(row), line, fmt="JSONEachRow", settings=settings, role=Role.LOADER
    )


def _instant(unix_nano: int) -> str:
    """Return a time as ClickHouse reads it: seconds with six digits after the point."""
    return f"{unix_nano // 1_000_000_000}.{unix_nano // 1000 % 1_000_000:06d}"
