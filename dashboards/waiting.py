"""Whose hands journeys are in: the ledger of one journey, and summed over those that are open."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from throughline.correlator.waiting import held, totals

if TYPE_CHECKING:
    from collections.abc import Sequence

    from throughline.correlator.definition import Process
    from throughline.dashboards.reader import Reader, Row

BASIS = (
    "Every moment of a journey is in the hands of one: the customer while a clock is paused, the system "
    "while a technical or remote exception is open, else the team of the milestone that came next. Business "
    "hours by the calendar of each journey."
)


def of_journey(reader: Reader, process: Process, root: int) -> list[Row]:
    """The turns of one journey in order: kind, holder, milestone, since, until, business_hours, now."""
    rows = reader.rows(f"SELECT * FROM ({held(process)}) ORDER BY At", {"roots": [root]})  # noqa: S608 - our own
    return [
        {
            "kind": row["Kind"],
            "holder": row["Holder"],
            "milestone": row["Milestone"],
            "since": datetime.fromtimestamp(row["At"] / 1e6, UTC),
            "until": datetime.fromtimestamp(row["Until"] / 1e6, UTC),
            "business_hours": row["Worked"] / 3.6e9,
            "now": bool(row["Last"] and row["Open"]),
        }
        for row in rows
    ]


def summed(turns: Sequence[Row]) -> list[Row]:
    """The turns of one journey by holder, the longest first."""
    found: dict[tuple[str, str], Row] = {}
    for one in turns:
        held_by = found.setdefault(
            (one["kind"], one["holder"]),
            {"kind": one["kind"], "holder": one["holder"], "business_hours": 0.0, "now": False},
        )
        held_by["business_hours"] += one["business_hours"]
        held_by["now"] |= one["now"]
    return sorted(found.values(), key=lambda one: -one["business_hours"])


def of_open(reader: Reader, processes: Sequence[Process]) -> list[Row]:
    """By process and holder, over the journeys that are open, those that hold longest first."""
    found = [
        {"process": process.id, **row}
        for process in processes
        for row in reader.rows(totals(process), {"roots": []})
    ]
    return sorted(found, key=lambda row: (-row["held_now_hours"], row["holder"]))
