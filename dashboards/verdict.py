"""A journey in one sentence each: what it waits for, why, and whose turn it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from throughline.correlator.definition import Process
from throughline.correlator.definition_parts import Milestone

Row = Mapping[str, Any]
_WAITING = ("late", "due", "blind", "pending", "unknown_start")


@dataclass(frozen=True, slots=True)
class Verdict:
    """`since` is from when on it is overdue or blocked, `due` by when the next milestone is expected; `blind`
    if nobody could hear of it now.
    """

    milestone: str = ""
    code: str = ""
    message: str = ""
    promise: str = ""
    owner: str = ""
    runbook: str = ""
    since: datetime | None = None
    due: datetime | None = None
    blind: bool = False


_HOLDING = ("open", "snoozed")


def verdict(journey: Row, process: Process | None) -> Verdict | None:
    """Judge a journey that is open; None for one that is over.

    1. A blocking exception that fails still, and that nobody has closed, is the reason, the oldest first.
    2. Else the milestone that is late is, with the open exception that hit it, if any.
    3. Else nothing is wrong: the next milestone is what it waits for.
    """
    if journey["Status"] in {"completed", "dropped"}:
        return None
    troubles = sorted(
        (one for one in journey["exceptions"] if one["failing"] and one["status"] in _HOLDING),
        key=lambda one: (not one["blocking"], one["opened_at"]),
    )
    if troubles and troubles[0]["blocking"]:
        return _blocked(troubles[0], process)
    states = journey["milestones"]
    name = next((name for state in _WAITING for name, one in states.items() if one["state"] == state), "")
    milestone = _milestone(process, name)
    due = states[name]["due_at"] if name else None
    trouble: Row = next((one for one in troubles if one["milestone"] == name), {})
    return Verdict(
        milestone=name,
        code=trouble.get("code") or trouble.get("class", ""),
        message=trouble.get("message", ""),
        promise=_promise(process, milestone),
        owner=trouble.get("owner") or owner_of(process, name),
        runbook=(milestone.runbook if milestone else None) or "",
        since=due if name and states[name]["state"] == "late" else None,
        due=due,
        blind=bool(name) and states[name]["state"] == "blind",
    )


def owner_of(process: Process | None, milestone: str) -> str:
    """Who answers for a milestone: its owner, else the process's."""
    found = _milestone(process, milestone)
    return (found.owner if found else None) or (process.owner if process else None) or ""


def _blocked(trouble: Row, process: Process | None) -> Verdict:
    milestone = _milestone(process, trouble["milestone"])
    return Verdict(
        milestone=trouble["milestone"],
        code=trouble["code"] or trouble["class"],
        message=trouble["message"],
        owner=trouble["owner"] or owner_of(process, trouble["milestone"]),
        runbook=trouble["runbook"] or (milestone.runbook if milestone else None) or "",
        since=trouble["opened_at"],
    )


def _milestone(process: Process | None, name: str) -> Milestone | None:
    return next((one for one in process.milestones if one.name == name), None) if process else None


def _promise(process: Process | None, milestone: Milestone | None) -> str:
    """`within 4 business hours of closed won`, as defined."""
    clock = process.clock_of(milestone) if process and milestone else None
    if milestone is None or milestone.within is None or clock is None:
        return ""
    last = "the last " if clock[1] else ""
    return f"within {milestone.within.text} of {last}{clock[0].replace('_', ' ')}"
