"""Write what the definitions in use say about their milestones to the store, for the SQL views."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from throughline.collector.store import Role, Store
from throughline.correlator.definition import Process

_COLUMNS = (
    "Tenant", "Process", "Name", "Position", "Owner", "Runbook", "Optional", "Events", "Stuck", "Version",
    "Deleted",
)  # fmt: skip


def publish_definitions(store: Store, processes: Sequence[Process], now: datetime) -> None:
    """Call at start and whenever a definition changed. A milestone that left its definition keeps its last
    owner.

    Raises: StoreError.
    """
    number = int(now.timestamp() * 1_000_000)
    rows = [
        (
            "",
            process.id,
            one.name,
            position,
            one.owner or process.owner or "",
            one.runbook or "",
            int(one.optional),
            list(one.events),
            int(one.on_late == "stuck"),
            number,
            0,
        )
        for process in processes
        for position, one in enumerate(process.milestones)
    ]
    store.insert_rows("process_milestones", rows, _COLUMNS, role=Role.CORRELATOR)
