"""A segment the engine cannot take: halved until the request to blame is found; all others are stored.

An insert that failed may have stored some of its rows, under a token that must not be used for other bytes.
So before the halves of a range are inserted under tokens of their own, what the range has stored is removed.
A small journal beside the segment (``<id>.ranges``, synced line by line) says how far this went, so that a
death anywhere repeats nothing:

    split A B   the insert of requests A to B (positions in the segment, B exclusive) failed for good
    clean A B   what it had stored is removed: its halves may be inserted, and never removed again
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from throughline.collector import deadletters
from throughline.collector.store import Role, Store
from throughline.probes.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from throughline.collector.landing import Landing
    from throughline.collector.spool import Record, Segment

SUFFIX = ".ranges"
# Codes that blame the bytes: they cannot be parsed, converted or represented.
DATA_ERRORS = frozenset({
    6, 25, 26, 27, 32, 33, 38, 41, 49, 69, 70, 72, 117, 128, 131, 153, 190, 321, 349, 395, 407, 436, 444,
})  # fmt: skip
MEMORY_LIMIT, TIMEOUT = 241, 159
TOO_LARGE_ATTEMPTS = 3
SEGMENT_TABLES = (
    "otel_traces",
    "otel_logs",
    "otel_metrics_gauge",
    "otel_metrics_sum",
    "otel_metrics_summary",
    "otel_metrics_histogram",
    "otel_metrics_exponential_histogram",
    "business_events",
    "received_requests",
    "dead_letters",
)


class Splitter:
    """Stores what can be stored of segments that cannot be inserted whole."""

    def __init__(self, store: Store, landing: Landing, checkpoint: Callable[[str], None]) -> None:
        """``checkpoint`` as in Loader."""
        self._store = store
        self._landing = landing
        self._checkpoint = checkpoint
        self._too_large: dict[str, int] = {}

    def begun(self, segment: Segment) -> bool:
        """Whether this segment was being split when somebody died; it is never inserted whole again."""
        return _journal_path(segment.path).exists()

    def is_to_blame(self, token_owner: Segment | str, error: StoreError) -> bool:
        """Whether an insert failed because of its bytes, or too often for being too large."""
        if error.code in DATA_ERRORS:
            return True
        if error.code not in (MEMORY_LIMIT, TIMEOUT) or "(total)" in str(error):
            return False
        key = token_owner if isinstance(token_owner, str) else token_owner.id
        self._too_large[key] = self._too_large.get(key, 0) + 1
        return self._too_large[key] >= TOO_LARGE_ATTEMPTS

    def load(self, segment: Segment, records: Sequence[Record]) -> int:
        """Store all requests but those to blame, which go to dead letters; returns their number.

        Raises: StoreError when the store is to blame; calling again goes on where this stopped.
        """
        journal = _Journal(_journal_path(segment.path))
        whole = (0, len(records))
        if whole not in journal.split:
            journal.add("split", whole)
        return self._load_split(segment, records, whole, journal)

    def forget(self, segment: Segment) -> None:
        """Drop what is remembered of a segment that is deleted."""
        _journal_path(segment.path).unlink(missing_ok=True)
        for key in [key for key in self._too_large if key.partition("#")[0] == segment.id]:
            self._too_large.pop(key, None)

    def _load_range(
        self, segment: Segment, records: Sequence[Record], at: tuple[int, int], journal: _Journal
    ) -> int:
        """Insert one range that has not failed yet."""
        if at in journal.split:
            return self._load_split(segment, records, at, journal)
        token = f"{segment.id}#{at[0]}-{at[1]}"
        self._checkpoint(f"insert {at[0]}-{at[1]}")
        try:
            self._landing.insert(segment, records[at[0] : at[1]], token=token)
        except StoreError as error:
            if not self.is_to_blame(token, error):
                raise
            journal.add("split", at)
            journal.reason = str(error)
            return self._load_split(segment, records, at, journal)
        return 0

    def _load_split(
        self, segment: Segment, records: Sequence[Record], at: tuple[int, int], journal: _Journal
    ) -> int:
        """Remove what a failed range has stored, then insert its halves, or give up its only request."""
        first, last = at
        if at not in journal.clean:
            self._checkpoint(f"remove {first}-{last}")
            self._remove(segment, records[first].number, records[last - 1].number)
            journal.add("clean", at)
        if last - first == 1:
            self._checkpoint(f"dead letter {first}")
            deadletters.keep_request(self._store, segment, records[first], journal.reason)
            return 1
        middle = (first + last) // 2
        return self._load_range(segment, records, (first, middle), journal) + self._load_range(
            segment, records, (middle, last), journal
        )

    def _remove(self, segment: Segment, first: int, last: int) -> None:
        """Remove the rows these requests have stored; the other tables are sets, where rows may repeat."""
        found = {"segment": segment.id, "first": first, "last": last}
        where = "Segment = {segment:String} AND Request BETWEEN {first:UInt32} AND {last:UInt32}"
        for table in SEGMENT_TABLES:
            stored = self._store.query(
                f"SELECT count() FROM {table} WHERE {where}",  # noqa: S608  a constant of this file
                found,
                role=Role.LOADER,
            ).result_rows[0][0]
            if stored:
                self._store.command(f"DELETE FROM {table} WHERE {where}", found, role=Role.LOADER)  # noqa: S608


class _Journal:
    """What ``<id>.ranges`` says; an unfinished last line does not count."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.reason = "the engine refused the request"
        self.split: set[tuple[int, int]] = set()
        self.clean: set[tuple[int, int]] = set()
        text = path.read_text(encoding="ascii") if path.exists() else ""
        whole = text[: text.rfind("\n") + 1]
        if whole != text:
            path.write_text(whole, encoding="ascii")
        for line in whole.splitlines():
            kind, first, last = line.split()
            self._set(kind).add((int(first), int(last)))

    def add(self, kind: str, at: tuple[int, int]) -> None:
        """Write one line and sync it, and the directory."""
        with self._path.open("a", encoding="ascii") as file:
            file.write(f"{kind} {at[0]} {at[1]}\n")
            file.flush()
            os.fsync(file.fileno())
        directory = os.open(self._path.parent, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)
        self._set(kind).add(at)

    def _set(self, kind: str) -> set[tuple[int, int]]:
        return self.split if kind == "split" else self.clean


def forget_orphans(directory: Path) -> None:
    """Delete journals whose segment is gone: the death came between the two deletions."""
    for path in directory.glob(f"*{SUFFIX}"):
        if not path.with_suffix(".seg").exists():
            path.unlink(missing_ok=True)


def _journal_path(segment: Path) -> Path:
    return segment.with_suffix(SUFFIX)
