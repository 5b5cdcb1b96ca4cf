"""A comparison as text: tables of figures before and after, and what moved."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

_NOWHERE = "no journey"
_WORDS = frozenset({"", "milestone", "state", "status", "journey", "milestones"})
"""Columns of words; the others hold figures."""


def render_figures(found: dict[str, Any], console: Console) -> None:
    """Statuses and milestones of both sides; one figure where they agree."""
    before, after = found["before"], found["after"]
    opened = f"opened since {_minute(found['since'])}, " if found["since"] else ""
    console.print(f"{found['process']}: journeys {opened}as of {_minute(found['until'])}")
    console.print(f"{found['changes']['journeys']:,} of them differ", end="\n\n")
    rows = [
        [name.replace("_", " "), *(f"{side['statuses'][name]:,}" for side in (before, after))]
        for name in before["statuses"]
    ]
    rows.append(["journeys", f"{before['journeys']:,}", f"{after['journeys']:,}"])
    _print(console, ["", "before", "after"], rows)
    names = list(dict.fromkeys([*before["milestones"], *after["milestones"]]))
    sides = [[_milestone(side["milestones"].get(name)) for name in names] for side in (before, after)]
    _print(
        console,
        ["milestone", "due", "met", "met late", "late", "stuck", "on time", "median"],
        [
            [name, *(_either(*pair) for pair in zip(*both, strict=True))]
            for name, *both in zip(names, *sides, strict=True)
        ],
    )


def render_changes(found: dict[str, Any], console: Console) -> None:
    """What moved, and a few journeys of each kind."""
    changes = found["changes"]
    moved = [[_either(one["from"], one["to"]), f"{one['journeys']:,}"] for one in changes["statuses"]]
    _print(console, ["status", "journeys"], moved)
    _print(
        console,
        ["milestone", "state", "journeys"],
        [
            [one["milestone"], _either(one["from"], one["to"]), f"{one['journeys']:,}"]
            for one in changes["milestones"]
        ],
    )
    _print(
        console,
        ["journey", "status", "milestones"],
        [
            [
                one["root"] or one["journey"],
                _either(one["from"], one["to"]),
                ", ".join(f"{name}: {_either(*states)}" for name, states in one["milestones"].items()),
            ]
            for one in changes["samples"]
        ],
    )


def _minute(moment: str) -> str:
    return f"{datetime.fromisoformat(moment):%Y-%m-%d %H:%M}"


def _milestone(one: dict[str, Any] | None) -> list[str]:
    if one is None:
        return ["-"] * 7
    states = [f"{one['states'].get(state, 0):,}" for state in ("due", "met", "met_late", "late")]
    on_time = "-" if one["on_time"] is None else f"{one['on_time']:.1%}"
    hours = one["median_hours"]
    return [*states, f"{one['stuck']:,}", on_time, "-" if hours is None else f"{hours:,.1f} h"]


def _either(before: str | None, after: str | None) -> str:
    """Both, or one if they agree."""
    left, right = ((one or _NOWHERE).replace("_", " ") for one in (before, after))
    return left if left == right else f"{left} → {right}"


def _print(console: Console, head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    if not rows:
        return
    table = Table(box=None, pad_edge=False)
    for name in head:
        words = name in _WORDS
        table.add_column(name, justify="left" if words else "right", no_wrap=not words, overflow="fold")
    for row in rows:
        table.add_row(*row)
    console.print(table)
    console.print()
