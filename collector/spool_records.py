"""The bytes of the spool: envelopes, records, segment files, and reading them back.

A segment file is a chain of records, little-endian:

    u32 payload length | u32 CRC32C of the payload | payload
    payload = u16 tenant length | tenant | u32 items | Envelope

The Envelope is a protobuf message that nests the request untouched, so no client can write its own tenant:

    message Envelope { Request request = 1; string tenant = 2; string segment = 3; uint32 number = 4;
                       fixed64 received_unix_nano = 5; }
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import google_crc32c

HEADER = struct.Struct("<II")
TENANT_LENGTH = struct.Struct("<H")
ITEMS = struct.Struct("<I")
RECEIVED = struct.Struct("<Q")
SMALLEST_PAYLOAD = TENANT_LENGTH.size + ITEMS.size
HOOKS = "hooks"  # webhooks that nobody could read: for the dead letters, not for the tables
SIGNALS = ("traces", "logs", "metrics", "events", HOOKS)
OPEN_SUFFIX = ".open"
SEALED_SUFFIX = ".seg"


class Segment(NamedTuple):
    """One sealed segment: immutable, one signal, many tenants."""

    id: str
    path: Path
    signal: str
    bytes: int


class Record(NamedTuple):
    """One accepted request as the loader inserts it; `number` counts from 1 within its segment."""

    tenant: str
    items: int
    envelope: bytes
    number: int


class CorruptRecord(NamedTuple):
    """A stretch of a segment that does not hold what was written."""

    segment: str
    offset: int
    length: int
    reason: str


@dataclass(frozen=True, slots=True)
class Scanned:
    """What a walk over one file found: whole records, bad stretches, and where the last whole record ends."""

    offsets: tuple[tuple[int, int], ...]  # (payload offset, payload length) of every whole record
    corrupt: tuple[CorruptRecord, ...]
    end: int


def varint(value: int) -> bytes:
    """Encode a non-negative integer as protobuf does."""
    out = bytearray()
    while value >> 7:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def encode(
    segment: str, number: int, *, tenant: str, items: int, request: bytes, received_unix_nano: int
) -> list[bytes]:
    """Return one record in parts, the request itself uncopied, ready for `os.writev`."""
    tenant_bytes = tenant.encode()
    segment_bytes = segment.encode()
    prefix = b"\x0a" + varint(len(request)) if request else b""
    suffix = b"".join(
        (
            b"\x12",
            varint(len(tenant_bytes)),
            tenant_bytes,
            segment_mark(segment_bytes),
            b"\x20",
            varint(number),
            b"\x29",
            RECEIVED.pack(received_unix_nano),
        )
    )
    head = TENANT_LENGTH.pack(len(tenant_bytes)) + tenant_bytes + ITEMS.pack(items) + prefix
    crc = google_crc32c.value(head)
    if request:
        crc = google_crc32c.extend(crc, request)
    crc = google_crc32c.extend(crc, suffix)
    length = len(head) + len(request) + len(suffix)
    return [HEADER.pack(length, crc) + head, request, suffix]


def segment_mark(segment: bytes) -> bytes:
    """Return the envelope's segment field: found in every record, so a reader can find its place again."""
    return b"\x1a" + varint(len(segment)) + segment


def scan(data: bytes, segment: str) -> Scanned:
    """Walk a segment file.

    1. A record whose length fits and whose CRC holds is whole.
    2. Otherwise the walk goes on where the next whole record begins: behind this one's length if that is
       true, else behind one of the next segment fields, with which every envelope nearly ends.
    3. What remains behind the last whole record is a tail: torn in an open segment, corrupt in a sealed one.
    """
    offsets: list[tuple[int, int]] = []
    corrupt: list[CorruptRecord] = []
    position = end = 0
    while position < len(data):
        length = _whole(data, position)
        if length is not None:
            offsets.append((position + HEADER.size, length))
            position = end = position + HEADER.size + length
        else:
            following = _resume(data, position, segment_mark(segment.encode()))
            corrupt.append(CorruptRecord(segment, position, following - position, "broken record"))
            position = following
    return Scanned(tuple(offsets), tuple(corrupt), end)


def _whole(data: bytes, position: int) -> int | None:
    """Return the payload length of the whole record at `position`, if there is one."""
    start = position + HEADER.size
    if start > len(data):
        return None
    length, crc = HEADER.unpack_from(data, position)
    if length < SMALLEST_PAYLOAD or start + length > len(data):
        return None
    return int(length) if google_crc32c.value(data[start : start + length]) == crc else None


def _resume(data: bytes, position: int, mark: bytes) -> int:
    """Return where the next whole record behind the broken one begins, or the end of the data."""
    if position + HEADER.size <= len(data):
        by_length = position + HEADER.size + int(HEADER.unpack_from(data, position)[0])
        if by_length == len(data) or _whole(data, by_length) is not None:
            return by_length
    found = data.find(mark, position)
    while found >= 0:
        after = found + len(mark) + 1  # the tag of `number`
        while after < len(data) and data[after] & 0x80:
            after += 1
        after += 1 + 1 + RECEIVED.size
        if _whole(data, after) is not None:
            return after
        found = data.find(mark, found + 1)
    return len(data)


def split(payload: bytes) -> tuple[str, int, bytes]:
    """Return (tenant, items, envelope) of a whole record's payload."""
    (length,) = TENANT_LENGTH.unpack_from(payload)
    items_at = TENANT_LENGTH.size + length
    tenant = payload[TENANT_LENGTH.size : items_at].decode()
    (items,) = ITEMS.unpack_from(payload, items_at)
    return tenant, int(items), payload[items_at + ITEMS.size :]


def read(segment: Segment, corrupt: list[CorruptRecord] | None = None) -> Iterator[Record]:
    """Yield the whole records of a sealed segment, in order; bad stretches are added to `corrupt`.

    Numbers are those given when written, so a bad stretch leaves a gap and moves nobody.

    Raises: FileNotFoundError if the segment was deleted meanwhile.
    """
    data = segment.path.read_bytes()
    scanned = scan(data, segment.id)
    if corrupt is not None:
        corrupt.extend(scanned.corrupt)
    for offset, length in scanned.offsets:
        tenant, items, envelope = split(data[offset : offset + length])
        yield Record(tenant, items, envelope, number_of(envelope))


def request_of(envelope: bytes) -> bytes:
    """Return the request within an envelope: its first field, absent when empty."""
    if envelope[:1] != b"\x0a":
        return b""
    length, at, shift = 0, 1, 0
    while True:
        length |= (envelope[at] & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if not envelope[at - 1] & 0x80:
            return envelope[at : at + length]


def envelope_of(
    segment: str, number: int, *, tenant: str, items: int, request: bytes, received_unix_nano: int
) -> bytes:
    """Return the envelope alone, as `read` would find it."""
    parts = encode(
        segment, number, tenant=tenant, items=items, request=request, received_unix_nano=received_unix_nano
    )
    return split(b"".join(parts)[HEADER.size :])[2]


def number_of(envelope: bytes) -> int:
    """Return the request number at the end of an envelope: `0x20 varint 0x29 fixed64`."""
    at = len(envelope) - RECEIVED.size - 2  # last byte of the number
    value = envelope[at]
    at -= 1
    while envelope[at] & 0x80:
        value = value << 7 | envelope[at] & 0x7F
        at -= 1
    return value


def sealed(directory: Path) -> list[Segment]:
    """Return the sealed segments, oldest first."""
    segments = []
    for path in directory.glob(f"*{SEALED_SUFFIX}"):
        try:
            size = path.stat().st_size
        except FileNotFoundError:  # loaded and deleted while we looked
            continue
        segments.append(Segment(path.stem, path, path.stem.partition("-")[0], size))
    return sorted(segments, key=lambda segment: segment.id.partition("-")[2])


def pending(directory: Path) -> dict[tuple[str, str], int]:
    """Return items not yet loaded by (tenant, signal): sealed and open segments, deleted ones excluded."""
    totals: dict[tuple[str, str], int] = {}
    for path in directory.iterdir():
        try:
            if path.suffix == SEALED_SUFFIX:
                counts = _counts_of_sealed(path)
            elif path.suffix == OPEN_SUFFIX:
                counts = _counts(path)
            else:
                continue
        except FileNotFoundError:
            continue
        signal = path.stem.partition("-")[0]
        for tenant, items in counts:
            totals[tenant, signal] = totals.get((tenant, signal), 0) + items
    return totals


@lru_cache(maxsize=65_536)
def _counts_of_sealed(path: Path) -> tuple[tuple[str, int], ...]:
    """Count a sealed segment once: it never changes, and its name is never used again."""
    return _counts(path)


def _counts(path: Path) -> tuple[tuple[str, int], ...]:
    """Return (tenant, items) of a segment from its record heads, without reading the requests."""
    totals: dict[str, int] = {}
    with path.open("rb") as file:
        position = 0
        while len(header := file.read(HEADER.size + TENANT_LENGTH.size)) == HEADER.size + TENANT_LENGTH.size:
            length = HEADER.unpack_from(header)[0]
            if length < SMALLEST_PAYLOAD:
                break
            tenant_length = TENANT_LENGTH.unpack_from(header, HEADER.size)[0]
            rest = file.read(tenant_length + ITEMS.size)
            if len(rest) < tenant_length + ITEMS.size:
                break
            tenant = rest[:tenant_length].decode(errors="replace")
            totals[tenant] = totals.get(tenant, 0) + ITEMS.unpack_from(rest, tenant_length)[0]
            position += HEADER.size + length
            file.seek(position)
    return tuple(totals.items())
