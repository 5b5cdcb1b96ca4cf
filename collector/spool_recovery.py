"""What start-up does with the spool of an earlier life."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from throughline.collector.spool_records import OPEN_SUFFIX, SEALED_SUFFIX, CorruptRecord, Segment, scan


@dataclass(frozen=True, slots=True)
class RecoverReport:
    """What start-up found: segments sealed now, bytes cut from torn tails, bad stretches that were kept."""

    sealed: tuple[Segment, ...]
    torn: tuple[CorruptRecord, ...]
    corrupt: tuple[CorruptRecord, ...]


def recover(directory: Path) -> RecoverReport:
    """Make the spool of an earlier life readable; call before `SpoolWriter`, with no other writer alive.

    1. In a segment left open, everything behind the last whole record is cut: nobody got an answer for it.
    2. A bad record with whole ones behind it stays, is reported, and the rest is kept.
    3. The file is synced and sealed; an empty one is removed.
    """
    torn: list[CorruptRecord] = []
    corrupt: list[CorruptRecord] = []
    fresh: list[Segment] = []
    directory.mkdir(parents=True, exist_ok=True)
    for path in sorted(directory.glob(f"*{OPEN_SUFFIX}")):
        scanned = scan(path.read_bytes(), path.stem)
        torn += [bad for bad in scanned.corrupt if bad.offset >= scanned.end]
        corrupt += [bad for bad in scanned.corrupt if bad.offset < scanned.end]
        if not scanned.offsets:
            path.unlink()
            continue
        with path.open("r+b") as file:
            file.truncate(scanned.end)
            os.fsync(file.fileno())
        target = path.with_suffix(SEALED_SUFFIX)
        path.rename(target)
        fresh.append(Segment(path.stem, target, path.stem.partition("-")[0], scanned.end))
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
    return RecoverReport(tuple(fresh), tuple(torn), tuple(corrupt))
