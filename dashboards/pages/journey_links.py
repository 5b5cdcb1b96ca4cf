"""How a journey's objects hang together, the evidence of each link, and linking and unlinking by hand."""

from __future__ import annotations

from base64 import b64encode
from typing import TYPE_CHECKING

import streamlit as st

from throughline.collector.auth import Scope
from throughline.correlator.hand_links import Action, HandLinks, Pair, Refused
from throughline.dashboards import theme
from throughline.dashboards.key_picture import by_hand, key_picture
from throughline.dashboards.pages import parts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from throughline.dashboards.reader import Row
    from throughline.dashboards.session import Session

_LISTED = 100
_COLOURS = {"linked": "completed", "unlinked": "stuck", "undone": "dropped"}
_ACTIONS: dict[str, Action] = {"Link": "link", "Cut a link": "unlink"}
_RULES = {"own": "says both", "inherited": "by its parent span", "explicit": "says so explicitly"}


def graph(session: Session, journey: Row) -> None:
    """Draw the picture, the links with their evidence, what people said, and the form."""
    found = journey["graph"]
    nodes, edges = found["nodes"], found["edges"]
    if not nodes:
        return
    st.html(
        parts.heading(
            "Key graph", f"{found['objects']:,} objects, {len(edges):,} links; the root on the left"
        )
    )
    image = b64encode(key_picture(nodes, edges).encode()).decode()
    label = f"{len(nodes)} objects and {len(edges)} links"
    st.html(
        f'<div class="tl-panel" style="overflow-x:auto"><img alt="{label}" '
        f'src="data:image/svg+xml;base64,{image}"></div>'
    )
    if edges:
        _evidence(edges)
    keys = [key for node in nodes for key in node["keys"]]
    links = HandLinks(session.deps.store, session.principal.tenant)
    said = links.said(keys)
    if said:
        st.html(parts.heading("By hand", "newest first; a rebuild keeps them"))
        st.html(parts.table(["Parent", "Child", "What", "Who", "Why", "When"], map(_said, said), whole=[5]))
    if Scope.OPERATE in session.principal.scopes:
        _form(session, links, keys, said)


def _evidence(edges: Sequence[Row]) -> None:
    with st.expander(f"Evidence of {len(edges):,} links", expanded=any(by_hand(edge) for edge in edges)):
        rows = map(_edge, edges[:_LISTED])
        st.html(parts.table(["Parent", "Child", "Because", "Times"], rows, numeric=[3]))
        if len(edges) > _LISTED:
            st.caption(f"The first {_LISTED} of {len(edges):,}; the API has all.")


def _edge(edge: Row) -> list[str]:
    hand = by_hand(edge)
    first = edge["evidence"][0] if edge["evidence"] else None
    if hand is not None:
        why = parts.strong(f"{hand['actor']} linked them by hand") + parts.soft(
            f"{hand['reason']} ({parts.when(hand['time'])})"
        )
    elif first is not None:
        why = parts.text(f"{first['event'] or 'evidence'} {_RULES[edge['rule']]}") + parts.soft(
            f"{first['system']}, {parts.when(first['time'])}"
        )
    else:
        why = parts.text(_RULES[edge["rule"]])
    return [parts.keys([edge["parent"]]), parts.keys([edge["child"]]), why, f"{edge['statements']:,}"]


def _said(row: Row) -> list[str]:
    return [
        parts.keys([row["parent"]]),
        parts.keys([row["child"]]),
        parts.pill(
            row["action"].removeprefix("link.").capitalize(), theme.STATUS_COLOURS[_COLOURS[row["state"]]]
        )
        + (parts.soft(f"now {row['state']}") if row["action"] != _LAST[row["state"]] else ""),
        parts.strong(row["actor"]),
        parts.text(row["reason"]),
        parts.text(parts.when(row["at"])),
    ]


_LAST = {"linked": "link.added", "unlinked": "link.removed", "undone": "link.undone"}


def _form(session: Session, links: HandLinks, keys: Sequence[str], said: Sequence[Row]) -> None:
    with st.expander("Link or unlink by hand"):
        with st.form("hand_links", border=False):
            st.caption(
                "The parent stands nearer the root. Within seconds the journeys follow; undo takes it back."
            )
            what = st.segmented_control("What", list(_ACTIONS), default="Link", label_visibility="collapsed")
            left, right = st.columns(2)
            parent = left.text_input("Parent", keys[0], help="namespace:value")
            child = right.text_input("Child", placeholder="namespace:value")
            reason = st.text_input("Reason", placeholder="whoever looks at it later reads this")
            new = st.checkbox("Also if no event has named one of them yet")
            if st.form_submit_button("Say so", type="primary"):
                _say(session, links, _ACTIONS[what or "Link"], (parent, child), reason, new=new)
        pairs = {(row["parent"], row["child"]): row["state"] for row in reversed(said)}
        for number, ((parent, child), state) in enumerate(pairs.items()):
            if state != "undone" and st.button(f"Undo: {parent} and {child} {state}", key=f"undo_{number}"):
                _say(session, links, "undo", (parent, child), "undone on the journey page", new=True)


def _say(
    session: Session, links: HandLinks, action: Action, keys: tuple[str, str], reason: str, *, new: bool
) -> None:
    try:
        pair = Pair(keys[0].strip(), keys[1].strip())
        processes = list(session.processes.values())
        links.say(
            action, pair, processes, reason=reason.strip(), who=session.principal, now=session.now, new=new
        )
    except Refused as error:
        st.error(str(error))
    else:
        st.rerun()
