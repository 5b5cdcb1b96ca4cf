"""How well systems are joined: the share of the objects of each level that have a parent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from throughline.collector.store import Role, Store
from throughline.dashboards.completeness import SQL

if TYPE_CHECKING:
    from collections.abc import Iterable

    from throughline.correlator.definition import Process

LOOKED_AT = 200_000
"""Rows of objects; of more, a sample is looked at."""


def link_rates(store: Store, tenant: str, processes: Iterable[Process]) -> list[dict[str, Any]]:
    """Return, by process and level below the root: `objects`, `linked` (both of the sample), `rate`, and
    `sampled`, the share of all objects that was looked at. Raises: StoreError.
    """
    known = {process.id: process for process in processes}
    rows = int(store.query(SQL["objects"], {"tenant": tenant}, role=Role.PAGES).result_rows[0][0])
    share = min(1.0, LOOKED_AT / rows) if rows else 1.0
    bound = min(int(2**64 * share), 2**64 - 1)
    scope = {"tenant": tenant, "bound": bound}
    found = store.query(SQL["link_rates"], scope, role=Role.PAGES).result_rows
    return [
        {
            "process": str(process),
            "level": [*known[process].levels[int(level)].namespaces],
            "objects": int(objects),
            "linked": int(linked),
            "rate": round(int(linked) / int(objects), 4),
            "sampled": round(share, 6),
        }
        for process, level, objects, linked in found
        if process in known and int(level) < len(known[process].levels)
    ]
