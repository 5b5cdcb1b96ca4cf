"""The waiting-on ledger: whose hands a journey was in, and for how much business time, as SQL.

Every moment between a journey's opening and its end (or now) is in the hands of exactly one:

1. while a clock is paused: the customer;
2. else, while a technical or remote exception of it is open: the system that failed;
3. else the team that owns the milestone which was reached next; after the last one, the team of the first
   that is still waited for; if none is, the team that owns the process.

Time is counted by the calendar that the journey's process chooses for it. Teams, never persons.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from throughline.collector.store import load_queries
from throughline.correlator.business_calendar import around_the_clock
from throughline.correlator.business_clock import calendar_number, calendars_of
from throughline.correlator.expression_parts import quoted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from throughline.correlator.definition import Process
    from throughline.correlator.definition_parts import Pause

_NEVER = 2**62
_ACTIVE = (
    "Tenant = {tenant:String} AND Process = @process AND Generation IN ("
    "SELECT Generation FROM generations FINAL WHERE Tenant = {tenant:String} AND Process = @process)"
)


def held(process: Process) -> str:
    """Rows (Root, Id, Open, Last, At, Until, Kind, Holder, Milestone, Worked).

    Parameters: tenant, now, roots (none: every journey that is open).
    """
    owners = [one.owner or process.owner or "" for one in process.milestones]
    mine = quoted(process.id)
    active = _ACTIVE.replace("@process", mine)
    failing = _put("failing", active=active)
    journeys = _put(
        "journeys",
        axis=_axis(process),
        names=_texts([one.name for one in process.milestones]),
        waited=_texts([one.name for one in process.milestones if not one.optional]),
        process=mine,
    )
    interrupted = _put(
        "interrupted",
        clipped=_clipped(process),
        journeys=journeys,
        said=_said(process, active),
        failures=_put("failures", never=str(_NEVER), failing=failing),
    )
    turns = _put(
        "turns",
        owner=quoted(process.owner or ""),
        owners=_texts(owners),
        names=_texts([one.name for one in process.milestones]),
        interrupted=interrupted,
    )
    begun = _worked(process, turns, "At", "Begins")
    return _put("held", worked=_worked(process, begun, "Until", "Ends"))


def totals(process: Process) -> str:
    """One row for each holder over the journeys that are open; hours are business hours."""
    return _put("totals", held=held(process))


def _put(block: str, **texts: str) -> str:
    """A named block with its parts put in; parts are not looked through again."""
    return re.sub(r"@([a-z]+)", lambda found: texts[found[1]], _BLOCKS[block])


def _worked(process: Process, rows: str, column: str, name: str) -> str:
    if not _resting(process):
        return f"SELECT *, {column} AS {name} FROM ({rows})"  # noqa: S608 - names of our own
    calendars = _texts([found.content_hash for found in calendars_of(process)])
    return _put("worked", column=column, name=name, rows=rows, calendars=calendars)


def _axis(process: Process) -> str:
    """The number of the journey's calendar; 0 for one that never rests."""
    resting = ", ".join(map(str, _resting(process)))
    number = calendar_number(process)
    return f"if(has([{resting}], {number}), {number}, 0)" if resting else "toUInt8(0)"


def _resting(process: Process) -> list[int]:
    always = around_the_clock().content_hash
    found = enumerate(calendars_of(process), start=1)
    return [number for number, one in found if one.content_hash != always]


def _pauses(process: Process) -> dict[str, Pause]:
    """By milestone: between which events its clock stands still."""
    return {one.name: one.within.paused for one in process.milestones if one.within and one.within.paused}


def _clipped(process: Process) -> str:
    """The pauses of all clocks; each ends when its milestone is met, whatever else happens."""
    arrays = []
    for number, name in enumerate(_pauses(process)):
        met = f"j.MilestoneMetAt[indexOf(j.MilestoneNames, {quoted(name)})]"
        end = f"toInt64(ifNull(toUnixTimestamp64Micro({met}), j.Ended))"
        arrays.append(f"arrayMap(p -> (p.1, least(p.2, {end})), p.Pauses{number})")
    return f"arrayConcat({', '.join(arrays)})" if arrays else "CAST([], 'Array(Tuple(Int64, Int64))')"


def _said(process: Process, active: str) -> str:
    """The join with the pauses of each journey, if the process knows any."""
    pauses = _pauses(process)
    if not pauses:
        return ""
    events = sorted({event for pause in pauses.values() for event in (*pause.by, *pause.until)})
    columns = [
        _put("paused", by=_texts(one.by), until=_texts(one.until), n=str(number), never=str(_NEVER))
        for number, one in enumerate(pauses.values())
    ]
    listed = f"({', '.join(map(quoted, events))})"
    said = _put("said", pauses=",\n".join(columns), active=active, events=listed)
    return f"LEFT ANY JOIN ({said}) AS p ON p.Root = j.Root"


def _texts(values: Sequence[str]) -> str:
    return f"CAST([{', '.join(map(quoted, values))}], 'Array(String)')"


_BLOCKS = load_queries("throughline.correlator", "waiting")
