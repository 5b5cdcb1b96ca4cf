"""Replays: what is done again, by whom, and whether it worked; approve, pause, cancel, settle."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from throughline.collector.auth import Scope
from throughline.correlator.replay.deciding import Decider, NotAsSeen, UnknownReplay
from throughline.correlator.replay.ledger import Ledger
from throughline.correlator.replay.planning import Refused
from throughline.dashboards import theme
from throughline.dashboards.pages import parts, replay_parts
from throughline.dashboards.pages.main import current

if TYPE_CHECKING:
    from collections.abc import Callable

    from throughline.collector.control import ControlStore
    from throughline.correlator.replay.records import Item, Replay
    from throughline.dashboards.session import Session

_LISTED = 100
_REFRESH_SECONDS = 2
_GOING = ("running", "awaiting_approval", "paused")


def page() -> None:
    """Draw the list, or the replay that the address names; that of a running one renews itself."""
    session = current()
    control = session.deps.control
    if control is None:
        st.html(parts.empty("No replays here", "This process has no control store."))
        return
    chosen = st.query_params.get("id", "")
    replay = Ledger(control).replay(session.principal.tenant, chosen) if chosen else None
    if replay is None:
        _list(session, control)
        return
    renewing = st.fragment(run_every=_REFRESH_SECONDS if replay.state == "running" else None)(_one)
    renewing(chosen)


def _list(session: Session, control: ControlStore) -> None:
    st.html(parts.title("Replays", "What was done again, by whom, and whether it worked; newest first."))
    ledger = Ledger(control)
    found = ledger.replays(session.principal.tenant, limit=_LISTED)
    if not found:
        advice = (
            f"{parts.link('Triage', '/triage')} lists what failed; choose a cause and do it again from there."
        )
        st.html(parts.empty("Nothing was done again yet", advice))
        return
    st.html(
        parts.table(
            ["Replay", "State", "What", "Items", "Asked", "By", "Approved by", "Why"],
            [
                [
                    parts.link(one.id, parts.href("/replays", id=one.id)),
                    replay_parts.state(one.state),
                    parts.text(parts.words(one.kind)) + parts.soft(one.target),
                    parts.text(
                        ", ".join(f"{n:,} {parts.words(state)}" for state, n in ledger.counts(one).items())
                    ),
                    parts.text(parts.when(one.requested_at)),
                    parts.text(one.requested_by),
                    parts.text(one.approved_by or parts.NOTHING),
                    parts.text(one.reason),
                ]
                for one in found
            ],
            whole=[0, 1, 4],
        )
    )


def _one(identity: str) -> None:
    session = current()
    control = session.deps.control
    replay = Ledger(control).replay(session.principal.tenant, identity) if control else None
    if control is None or replay is None:
        return
    ledger = Ledger(control)
    items = ledger.items(replay)
    every = parts.link("All replays", "/replays")
    where = f" at {replay.target}" if replay.target else ""
    st.html(
        parts.title(
            f"{parts.words(replay.kind).capitalize()}{where}",
            f"{parts.text(replay.id)} &nbsp;·&nbsp; {replay_parts.state(replay.state)} &nbsp;·&nbsp; {every}",
        )
    )
    approved = (
        f"{replay.approved_by}, {parts.when(replay.approved_at)}"
        if replay.approved_by
        else parts.words(replay.need)
    )
    st.html(
        parts.verdict(
            {
                "Why": parts.text(replay.reason),
                "Asked by": parts.text(f"{replay.requested_by}, {parts.when(replay.requested_at)} UTC"),
                "Approval": parts.text(approved),
                **({"Expected change": parts.text(replay.expected)} if replay.expected else {}),
                "Now": parts.text(replay.note or parts.words(replay.state)),
            },
            colour=theme.STATUS_COLOURS[replay_parts.COLOURS[replay.state]],
        )
    )
    _decide(session, control, replay, items)
    replay_parts.items(session, items)
    st.html(parts.heading("History", "every transition, oldest first"))
    st.html(replay_parts.history(ledger.history(replay.tenant, replay.id)))


def _decide(session: Session, control: ControlStore, replay: Replay, items: list[Item]) -> None:
    """The buttons that this person and this state allow."""
    decider = Decider(control, session.deps.replay_rules().targets, session.principal, session.now)
    may = session.principal.scopes & {Scope.OPERATE, Scope.APPROVE}
    if not may:
        return
    buttons: dict[str, Callable[[], object]] = {}
    if replay.state == "awaiting_approval":
        buttons["Approve"] = lambda: decider.approve(replay.id)
    if Scope.OPERATE in may:
        if replay.state == "running":
            buttons["Pause"] = lambda: decider.pause(replay.id, "")
        if replay.state == "paused":
            buttons["Go on"] = lambda: decider.resume(replay.id, "")
        if replay.state in _GOING:
            buttons["Cancel"] = lambda: decider.cancel(replay.id, "")
        for item in [one for one in items if one.uncertain][:3]:
            number = item.item
            buttons[f"Item {number} arrived"] = lambda n=number: decider.settle(
                replay.id, n, arrived=True, note=""
            )  # type: ignore[misc]
            buttons[f"Item {number} did not: send again"] = lambda n=number: decider.settle(  # type: ignore[misc]
                replay.id, n, arrived=False, note=""
            )
    for place, (label, act) in zip(st.columns(max(1, len(buttons) + 2)), buttons.items(), strict=False):
        if place.button(label, key=f"decide_{label}", width="stretch"):
            try:
                act()
            except (Refused, NotAsSeen, UnknownReplay) as error:
                st.error(str(error))
            else:
                st.rerun()


if __name__ == "__main__":
    page()
