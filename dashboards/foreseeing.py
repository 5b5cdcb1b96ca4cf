"""What the view `likely_late` rests on: at which ages milestones of a tenant's processes are likely late."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from throughline.collector.store import Role
from throughline.dashboards.likely import clocks_of, late_ages
from throughline.dashboards.outlook import SQL, curves

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from throughline.collector.store import Store
    from throughline.correlator.definition import Process

_COLUMNS = ("Tenant", "Process", "KnownAt", "Clocks", "Groups")


def foresee(store: Store, tenant: str, processes: Sequence[Process], now: datetime) -> int:
    """Write what has changed, each process as a whole; nothing is said any more of those that are gone.
    Returns how many were written.

    Raises: StoreError.
    """
    known = {
        str(process): (list(clocks), list(groups))
        for process, clocks, groups in store.query(
            SQL["known_ages"], {"tenant": tenant}, role=Role.ALERTS
        ).result_rows
    }
    wanted = {one.id: _ages(store, tenant, one, now) for one in processes}
    gone = dict.fromkeys(known.keys() - wanted.keys(), _NOTHING)
    changed = [
        (tenant, process, now, *found)
        for process, found in {**wanted, **gone}.items()
        if found != known.get(process, _NOTHING)
    ]
    store.insert_rows("late_ages", changed, _COLUMNS, role=Role.ALERTS)
    return len(changed)


_Ages = tuple[list[Any], list[Any]]
_NOTHING: _Ages = ([], [])


def _ages(store: Store, tenant: str, process: Process, now: datetime) -> _Ages:
    """The clocks of a process and, by group, the ages; nothing at all where no group is known."""
    found = curves(store, tenant, process, now, role=Role.ALERTS)
    groups = sorted((*group, list(late_ages(curve))) for group, curve in found.items())
    return (clocks_of(process), groups) if groups else _NOTHING
