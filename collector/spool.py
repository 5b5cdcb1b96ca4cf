"""The spool: what was acknowledged is here, fsynced, until the loader has it in the store.

`SpoolWriter` has one committer thread. Requests that arrive while it syncs wait together for the next sync
(group commit). A segment takes records of one signal until it is large or old enough, is renamed from
`<id>.open` to `<id>.seg`, and never changes again. The loader deletes it.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import secrets
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path

from throughline.collector.spool_records import (
    HOOKS,
    OPEN_SUFFIX,
    SEALED_SUFFIX,
    SIGNALS,
    CorruptRecord,
    Record,
    Segment,
    encode,
    pending,
    read,
    sealed,
)
from throughline.collector.spool_recovery import RecoverReport, recover
from throughline.probes.errors import SpoolBroken, SpoolFull

__all__ = [
    "HOOKS",
    "SIGNALS",
    "CorruptRecord",
    "Record",
    "RecoverReport",
    "Segment",
    "SpoolBroken",
    "SpoolFull",
    "SpoolWriter",
    "pending",
    "read",
    "recover",
    "sealed",
]

log = logging.getLogger(__name__)

FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
RECORD_OVERHEAD = 160  # about; header, tenant, envelope fields
PARTS_PER_WRITE = 512  # well under IOV_MAX
RESCAN_SECONDS = 0.5


@dataclass(slots=True)
class _Append:
    """One request waiting for its sync."""

    signal: str
    tenant: str
    items: int
    request: bytes
    received_unix_nano: int
    done: Future[None] = field(default_factory=Future)

    @property
    def size(self) -> int:
        return len(self.request) + RECORD_OVERHEAD


@dataclass(slots=True)
class _Open:
    """The segment of one signal that takes records now."""

    id: str
    path: Path
    file: int
    since: float  # monotonic seconds of its first record
    bytes: int = 0
    records: int = 0


class SpoolWriter:
    """Append requests durably; safe to call from any thread."""

    def __init__(
        self,
        directory: Path,
        *,
        segment_bytes: int,
        segment_age_seconds: float,
        limit_bytes: int,
        fsync: Callable[[int], None] = os.fsync,
    ) -> None:
        """Start the committer thread. Run `recover` before: `.open` files of another life are left alone."""
        self._directory = directory
        self._segment_bytes = segment_bytes
        self._segment_age = segment_age_seconds
        self._limit = limit_bytes
        self._fsync = fsync
        self._open: dict[str, _Open] = {}
        self._wake = threading.Condition()
        self._queue: list[_Append] = []
        self._queued_bytes = 0
        self._closing = False
        self._broken: str | None = None
        self._full_until = 0.0
        self._held: dict[str, dict[str, int]] = {}  # segment -> tenant -> bytes written in this life
        directory.mkdir(parents=True, exist_ok=True)
        self._measure()
        self._thread = threading.Thread(target=self._run, name="spool-committer", daemon=True)
        self._thread.start()

    @property
    def broken(self) -> str | None:
        """Why intake stopped for good, or None."""
        return self._broken

    @property
    def full(self) -> bool:
        """Whether the next small request would be refused for lack of space."""
        return self._bytes + self._queued_bytes >= self._limit or time.monotonic() < self._full_until

    @property
    def size(self) -> int:
        """Bytes on disk, deletions by the loader noticed within a second."""
        return self._bytes

    def held_by(self, tenant: str) -> int:
        """Bytes of one tenant that wait on disk, of those written since this writer began."""
        return sum(held.get(tenant, 0) for held in list(self._held.values()))

    def append(
        self, signal: str, tenant: str, items: int, request: bytes, received_unix_nano: int
    ) -> Future[None]:
        """Queue one request; the future is done after its fsync.

        Raises: SpoolFull, SpoolBroken, at once or from the future.
        """
        entry = _Append(signal, tenant, items, request, received_unix_nano)
        with self._wake:
            if self._broken is not None or self._closing:
                raise SpoolBroken(self._broken or "The spool is closed.")
            if time.monotonic() < self._full_until:
                raise SpoolFull("The disk of the spool is full.")
            if self._bytes + self._queued_bytes + entry.size > self._limit:
                raise SpoolFull(f"The spool has reached its limit of {self._limit} bytes.")
            entry.done.set_running_or_notify_cancel()  # nobody can cancel what may already be on disk
            self._queue.append(entry)
            self._queued_bytes += entry.size
            self._wake.notify()
        return entry.done

    def close(self) -> None:
        """Commit what is queued, seal everything, stop the thread."""
        with self._wake:
            self._closing = True
            self._wake.notify()
        self._thread.join()

    # The committer thread; nothing below runs anywhere else.

    def _run(self) -> None:
        try:
            self._loop()
        except Exception as error:
            log.exception("The committer of the spool died")
            refusal = self._break(OSError(str(error)))
            with self._wake:
                _refuse(self._queue, refusal)

    def _loop(self) -> None:
        measured = time.monotonic()
        while True:
            with self._wake:
                if not self._queue and not self._closing:
                    self._wake.wait(self._patience())
                batch, self._queue = self._queue, []
                closing = self._closing
            if batch:
                self._commit(batch)
                with self._wake:
                    self._queued_bytes -= sum(entry.size for entry in batch)
            now = time.monotonic()
            for signal, segment in list(self._open.items()):
                if closing or segment.bytes >= self._segment_bytes or now - segment.since >= self._age():
                    self._seal(signal, segment)
            if now - measured >= RESCAN_SECONDS:
                measured = now
                self._measure()
            if closing and not batch:
                return

    def _patience(self) -> float:
        """Return seconds until there is something to do without a new request."""
        if not self._open:
            return RESCAN_SECONDS
        oldest = min(segment.since for segment in self._open.values())
        return min(RESCAN_SECONDS, max(0.0, oldest + self._age() - time.monotonic()))

    def _age(self) -> float:
        """Return the age at which a segment is sealed: more with each that waits for the loader, because
        every insert has a price of its own.
        """
        return self._segment_age * (1 + min(self._waiting, 40))

    def _measure(self) -> None:
        """Count what lies on disk: the loader deletes segments from another process."""
        total = waiting = 0
        there: set[str] = set()
        with os.scandir(self._directory) as entries:
            for entry in entries:
                with contextlib.suppress(FileNotFoundError):
                    total += entry.stat().st_size
                    waiting += 1
                    there.add(entry.name.partition(".")[0])
        for gone in self._held.keys() - there:
            del self._held[gone]
        self._bytes = total
        self._waiting = waiting

    def _commit(self, batch: Sequence[_Append]) -> None:
        """Write the batch, sync each touched segment once, then answer everybody."""
        by_signal: dict[str, list[_Append]] = {}
        for entry in batch:
            by_signal.setdefault(entry.signal, []).append(entry)
        for signal, entries in by_signal.items():
            rest = entries
            while rest:
                rest = self._commit_to_one(signal, rest)

    def _commit_to_one(self, signal: str, entries: list[_Append]) -> list[_Append]:
        """Commit entries until the segment is full; return those that need the next segment."""
        if self._broken is not None:
            return _refuse(entries, SpoolBroken(self._broken))
        try:
            segment = self._open.get(signal) or self._create(signal)
            taken = self._write(segment, entries)
        except OSError as error:
            return _refuse(entries, self._judge(error))
        try:
            self._fsync(segment.file)
        except OSError as error:
            return _refuse(entries, self._break(error))
        segment.records += len(taken)
        held = self._held.setdefault(segment.id, {})
        for entry in taken:
            held[entry.tenant] = held.get(entry.tenant, 0) + entry.size
            entry.done.set_result(None)
        if segment.bytes >= self._segment_bytes:
            self._seal(signal, segment)
        return entries[len(taken) :]

    def _create(self, signal: str) -> _Open:
        """Create a segment file whose name is durable before anything in it is acknowledged."""
        name = f"{signal}-{time.time_ns():020d}-{secrets.token_hex(4)}"
        path = self._directory / (name + OPEN_SUFFIX)
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o600)
        segment = _Open(name, path, file, time.monotonic())
        self._open[signal] = segment
        self._sync_directory()
        return segment

    def _write(self, segment: _Open, entries: list[_Append]) -> list[_Append]:
        """Write records up to the segment's size; a failed write leaves the file as it was."""
        before = segment.bytes
        room = self._segment_bytes - before
        taken: list[_Append] = []
        parts: list[bytes] = []
        try:
            for entry in entries:
                if room <= 0 and taken:
                    break
                number = segment.records + len(taken) + 1
                parts += encode(
                    segment.id,
                    number,
                    tenant=entry.tenant,
                    items=entry.items,
                    request=entry.request,
                    received_unix_nano=entry.received_unix_nano,
                )
                taken.append(entry)
                room -= entry.size
                if len(parts) >= PARTS_PER_WRITE:
                    segment.bytes += _write_all(segment.file, parts)
                    parts = []
            segment.bytes += _write_all(segment.file, parts)
        except OSError:
            os.ftruncate(segment.file, before)
            segment.bytes = before
            raise
        self._bytes += segment.bytes - before
        return taken

    def _seal(self, signal: str, segment: _Open) -> None:
        """Rename a segment so that the loader sees it; one that can't be renamed now is tried again."""
        try:
            segment.path.rename(segment.path.with_suffix(SEALED_SUFFIX))
        except OSError as error:
            log.warning("Segment %s can't be sealed yet: %s", segment.id, error)
            segment.since = time.monotonic()
            return
        del self._open[signal]
        self._waiting += 1
        try:
            self._sync_directory()
            os.close(segment.file)
        except OSError as error:
            self._break(error)

    def _sync_directory(self) -> None:
        directory = os.open(self._directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            self._fsync(directory)
        except OSError as error:
            raise _SyncError(*error.args) from error
        finally:
            os.close(directory)

    def _judge(self, error: OSError) -> SpoolFull | SpoolBroken:
        """Tell a full disk, which may get better, from everything else."""
        if error.errno in FULL and not isinstance(error, _SyncError):
            self._full_until = time.monotonic() + RESCAN_SECONDS
            return SpoolFull(f"The disk of the spool is full: {error.strerror}.")
        return self._break(error)

    def _break(self, error: OSError) -> SpoolBroken:
        """Stop intake: after a failed sync nobody knows what the disk holds until it is read again."""
        self._broken = f"The spool can't be written ({error}). Check the disk, then restart the edge."
        log.error("%s", self._broken)
        return SpoolBroken(self._broken)


class _SyncError(OSError):
    """A directory sync failed."""


def _refuse(entries: Sequence[_Append], error: SpoolFull | SpoolBroken) -> list[_Append]:
    for entry in entries:
        if not entry.done.done():
            entry.done.set_exception(error)
    return []


def _write_all(file: int, parts: list[bytes]) -> int:
    """Write every part; return the bytes written."""
    total = sum(map(len, parts))
    left = total
    while left:
        left -= os.writev(file, parts)
        if left:  # a short write: drop what went out
            skip = sum(map(len, parts)) - left
            while skip >= len(parts[0]):
                skip -= len(parts.pop(0))
            parts[0] = parts[0][skip:]
    return total
