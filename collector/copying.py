"""Rows of the control store that ClickHouse gets a copy of, for history and pages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from throughline.collector.control import ControlStore


def copy_waiting(
    control: ControlStore,
    waiting: sa.Select[Any],
    table: sa.Table,
    insert: Callable[[Sequence[sa.RowMapping]], None],
) -> int:
    """Bring rows of a table that are not `copied` to ClickHouse, then mark them; returns how many.

    `waiting` selects them with their `id`. A death between both copies them again: `insert` is such that
    copied twice counts once.

    Raises: ControlError, and what `insert` raises; the next call tries again.
    """
    with control.transaction() as connection:
        rows = connection.execute(waiting).mappings().all()
    if rows:
        insert(rows)
        done = sa.update(table).where(table.c.id.in_([row["id"] for row in rows]))
        with control.transaction() as connection:
            connection.execute(done.values(copied=True))
    return len(rows)
