"""Causes: one failure is one cause, in whichever processes it is an exception; a check is of its process."""

from __future__ import annotations

from typing import TYPE_CHECKING

from throughline.collector.store import load_queries
from throughline.correlator.fold_exceptions import cause
from throughline.correlator.link import expand

if TYPE_CHECKING:
    from collections.abc import Mapping

_BLOCKS = load_queries("throughline.correlator", "causes")


def written_out(queries: Mapping[str, str]) -> dict[str, str]:
    """Queries with what they name written out: each other, the blocks of causes.sql, the SQL of a cause."""
    blocks = {**_BLOCKS, **queries}
    return {name: expand(text, blocks, {"cause": cause}) for name, text in queries.items()}
