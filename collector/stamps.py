"""What files look like from outside, so that they are read again only after one of them has changed."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

Stamp = tuple[int, int]


def stamp(path: Path) -> Stamp | None:
    """What changes when a file does: time and size, None without a file."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size


def stamps(paths: Iterable[Path]) -> frozenset[tuple[str, Stamp]]:
    """What changes when one of these files does, or there is one more or less of them."""
    return frozenset((str(path), found) for path in paths if (found := stamp(path)) is not None)
