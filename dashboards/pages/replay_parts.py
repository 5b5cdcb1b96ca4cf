"""Replays as parts of pages: what one would do, its items, its history."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from throughline.dashboards import theme
from throughline.dashboards.pages import parts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from throughline.correlator.replay.planning import Plan
    from throughline.correlator.replay.preflight import Check
    from throughline.correlator.replay.records import Item, Transition
    from throughline.dashboards.session import Session

COLOURS = {
    "planned": "in_flight", "awaiting_approval": "late", "sent": "in_flight", "accepted": "in_flight",
    "verified": "completed", "unverified": "stuck", "failed": "stuck", "refused": "dropped",
    "cancelled": "dropped", "running": "in_flight", "paused": "late", "done": "completed",
}  # fmt: skip
_CHECKS = {"green": "completed", "amber": "late", "red": "stuck"}
_SHOWN = 200


def state(name: str, outcome: str = "") -> parts.Html:
    """A state as a coloured word."""
    label = parts.words(name).capitalize() + (f", {outcome}" if outcome else "")
    return parts.pill(label, theme.STATUS_COLOURS[COLOURS[name]])


def checks(found: Sequence[Check]) -> parts.Html:
    """What pre-flight says."""
    return "".join(f"<div>{_check(one)} {parts.text(one.reason)}</div>" for one in found)


def _check(one: Check) -> parts.Html:
    return parts.pill(parts.words(one.check), theme.STATUS_COLOURS[_CHECKS[one.result]])


def plan(session: Session, planned: Plan) -> None:
    """What a replay would do."""
    going = [item for item in planned.items if item.state != "refused"]
    money = ", ".join(parts.money(amount, currency) for currency, amount in planned.amounts.items())
    need = {"none": "nobody", "second_person": "somebody else", "approver": "an approver"}[
        planned.replay.need
    ]
    st.html(
        parts.verdict(
            {
                "It would do": parts.strong(f"{len(going):,} of {len(planned.items):,}"),
                "It reaches": parts.text(f"{planned.journeys:,} journeys" + (f", {money}" if money else "")),
                "To be approved by": parts.text(need),
            },
            colour=theme.STATUS_COLOURS["in_flight" if going else "stuck"],
        )
    )
    if planned.diff:
        st.code(planned.diff, language="diff")
    items(session, planned.items)


def items(session: Session, found: Sequence[Item]) -> None:
    """The items with what pre-flight said and what became of them."""
    st.html(
        parts.table(
            ["Item", "State", "Exception", "Pre-flight", "Attempts", "Note"],
            [
                [
                    str(one.item),
                    state(one.state, one.outcome)
                    + (parts.soft("nobody knows whether it arrived") if one.uncertain else ""),
                    parts.text(one.exception) + parts.soft(session.title(one.process)),
                    checks(one.checks),
                    str(one.attempts),
                    parts.text(one.note) + (parts.soft(f"trace {one.trace_id}") if one.trace_id else ""),
                ]
                for one in found[:_SHOWN]
            ],
            numeric=[0, 4],
            whole=[1],
        )
    )
    if len(found) > _SHOWN:
        st.caption(f"The first {_SHOWN} of {len(found):,}; the API has all.")


def history(found: Sequence[Transition]) -> parts.Html:
    """What became of a replay and its items."""
    return parts.table(
        ["When", "Item", "State", "By", "Why"],
        [
            [
                parts.text(parts.when(one.at, seconds=True)),
                str(one.item or parts.NOTHING),
                state(one.state, one.outcome),
                parts.text(one.actor),
                parts.text(one.reason),
            ]
            for one in found[-_SHOWN:]
        ],
        whole=[0, 2],
    )
