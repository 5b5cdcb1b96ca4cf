"""The loader: sealed spool segments into the store, each acknowledged request exactly once.

1. Segments are taken oldest first, each as one insert of one block, with its id as deduplication token. Bytes
   and settings never change under a token, so an insert whose outcome is unknown is simply made again.
2. After a failure nothing newer starts until the failed segments are in: the window of remembered tokens is
   finite.
3. A segment is deleted once its rows are durable (the tables sync to disk before they answer).
4. A segment the engine cannot take for what is in it is split (``splitting.py``) down to the request that is
   to blame, which goes to dead letters.
"""

from __future__ import annotations

import logging
import threading
import time
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from throughline.collector import deadletters
from throughline.collector.landing import Landing
from throughline.collector.splitting import Splitter, forget_orphans
from throughline.collector.spool import HOOKS, CorruptRecord, Segment, read, sealed
from throughline.collector.store import Role, Store, load_queries
from throughline.probes.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

log = logging.getLogger(__name__)

QUERIES = load_queries("throughline.collector", "queries")
IDLE_SECONDS = 0.03
FIRST_RETRY_SECONDS = 0.25
LAST_RETRY_SECONDS = 10.0


@dataclass(frozen=True)
class LoadReport:
    """What was loaded: segments, requests, items (spans, records, data points, events), requests given up."""

    segments: int = 0
    requests: int = 0
    items: int = 0
    dead_letters: int = 0

    def __add__(self, other: LoadReport) -> LoadReport:
        """Add two reports."""
        return LoadReport(
            self.segments + other.segments,
            self.requests + other.requests,
            self.items + other.items,
            self.dead_letters + other.dead_letters,
        )


@dataclass
class _Work:
    """Segments in the hands of workers; those that failed, which go first; the pause before that."""

    running: dict[Future[LoadReport], Segment] = field(default_factory=dict)
    failed: dict[str, Segment] = field(default_factory=dict)
    pause_seconds: float = 0.0
    not_before: float = 0.0

    def next(self, directory: Path, free: int) -> list[Segment]:
        """Return what may start now: failed segments only, as long as there are any; oldest first."""
        if self.failed and time.monotonic() < self.not_before:
            return []
        queue = sorted(self.failed.values(), key=_age) if self.failed else sealed(directory)
        taken = {segment.id for segment in self.running.values()}
        return [segment for segment in queue if segment.id not in taken][:free]

    def succeeded(self, segment: Segment) -> None:
        """Forget a segment, and the pause."""
        self.failed.pop(segment.id, None)
        self.pause_seconds = 0.0

    def missed(self, segment: Segment) -> None:
        """Keep a segment for later, each time for longer."""
        self.failed[segment.id] = segment
        self.pause_seconds = min(max(self.pause_seconds * 2, FIRST_RETRY_SECONDS), LAST_RETRY_SECONDS)
        self.not_before = time.monotonic() + self.pause_seconds


class Loader:
    """Moves segments from one spool directory into one store.

    ``checkpoint`` is called before each step that leaves a trace; raising there is dying there (tests).
    """

    def __init__(
        self,
        store: Store,
        spool_directory: Path,
        *,
        workers: int = 2,
        insert_seconds: int = 60,
        checkpoint: Callable[[str], None] = lambda _: None,
    ) -> None:
        """Prepare; nothing runs before ``run`` or ``drain``."""
        self._directory = spool_directory
        self._store = store
        self._workers = workers
        self._checkpoint = checkpoint
        self._landing = Landing(store, insert_seconds=insert_seconds)
        self._splitter = Splitter(store, self._landing, checkpoint)
        self._lock = threading.Lock()
        self._total = LoadReport()

    @property
    def total(self) -> LoadReport:
        """Everything loaded since this loader was made."""
        with self._lock:
            return self._total

    def run(self, stop: threading.Event) -> None:
        """Load until ``stop`` is set; running inserts end first. Never raises for the store's sake."""
        forget_orphans(self._directory)
        work = _Work()
        with ThreadPoolExecutor(self._workers, thread_name_prefix="loader") as pool:
            while not stop.is_set():
                for segment in work.next(self._directory, self._workers - len(work.running)):
                    work.running[pool.submit(self._load, segment)] = segment
                if work.running:
                    self._collect(work)
                else:
                    stop.wait(IDLE_SECONDS)

    def drain(self) -> LoadReport:
        """Load every segment that is sealed now and return what was loaded. Raises: StoreError."""
        forget_orphans(self._directory)
        report = LoadReport()
        for segment in sealed(self._directory):
            report += self._load(segment)
        return report

    def received(self, tenant: str) -> Mapping[str, int]:
        """Return items received and loaded, by signal (``traces``, ``logs``, ``metrics``, ``events``)."""
        rows = self._store.query(QUERIES["received"], {"tenant": tenant}, role=Role.PAGES).result_rows
        return {str(signal): int(items) for signal, items in rows}

    def _collect(self, work: _Work) -> None:
        """Wait a moment for inserts to end, and note how they did."""
        done, _ = wait(work.running, timeout=IDLE_SECONDS, return_when=FIRST_COMPLETED)
        for future in done:
            segment = work.running.pop(future)
            error = future.exception()
            if error is None:
                work.succeeded(segment)
            else:
                unforeseen = not isinstance(error, StoreError | OSError)
                log.warning(
                    "segment %s stays in the spool: %s", segment.id, error, exc_info=unforeseen and error
                )
                work.missed(segment)

    def _load(self, segment: Segment) -> LoadReport:
        """Load one segment and delete it."""
        corrupt: list[CorruptRecord] = []
        try:
            records = list(read(segment, corrupt))
        except FileNotFoundError:
            return LoadReport()
        given_up = 0
        self._checkpoint("insert")
        if segment.signal == HOOKS:
            given_up = deadletters.keep_hooks(self._store, segment, records)
        elif records:
            if self._splitter.begun(segment):
                given_up = self._splitter.load(segment, records)
            else:
                try:
                    self._landing.insert(segment, records, token=segment.id)
                except StoreError as error:
                    if not self._splitter.is_to_blame(segment, error):
                        raise
                    self._landing.check(segment.signal)
                    log.warning("segment %s cannot be loaded as a whole: %s", segment.id, error)
                    given_up = self._splitter.load(segment, records)
        if corrupt:
            self._checkpoint("corrupt")
            deadletters.keep_corrupt(self._store, segment, corrupt)
        self._checkpoint("delete")
        segment.path.unlink()
        self._splitter.forget(segment)
        items = sum(record.items for record in records)
        report = LoadReport(1, len(records), items, given_up + len(corrupt))
        with self._lock:
            self._total += report
        return report


def _age(segment: Segment) -> str:
    """Return what orders segments of all signals by age."""
    return segment.id.partition("-")[2]
