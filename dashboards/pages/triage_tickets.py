"""The tickets of a cause: how they stand, and asking for one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from throughline.collector.auth import Scope
from throughline.correlator.tickets.ledger import TicketLedger
from throughline.dashboards import theme
from throughline.dashboards.pages import parts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from throughline.correlator.tickets.ledger import Ticket
    from throughline.dashboards.session import Session

_COLOURS = {"wanted": "in_flight", "open": "late", "closed": "completed", "failed": "stuck"}


def draw(session: Session, fingerprint: str, prints: Sequence[str]) -> None:
    """Draw the tickets of a cause in all processes (`prints`), and for whoever may operate the button: a new
    one is for `fingerprint`.
    """
    control = session.deps.control
    if control is None:
        return
    ledger = TicketLedger(control)
    found = [ticket for one in prints for ticket in ledger.listed(session.principal.tenant, fingerprint=one)]
    places = [one.id for one in session.deps.places().tickets if one.serves(session.principal.tenant)]
    if not found and not places:
        return
    st.html(parts.heading("Tickets", "one for this cause; closed when all of it works"))
    if found:
        columns = ["Ticket", "Ours", "Theirs", "Asked by", "Last"]
        st.html(parts.table(columns, map(_line, found), whole=[0, 1]))
    if Scope.OPERATE not in session.principal.scopes:
        return
    there = {one.place for one in found if one.state in {"wanted", "open"}}
    for place in [one for one in places if one not in there]:
        if st.button(f"Open a ticket at {place}", key=f"ticket_{place}"):
            ledger.want(
                session.principal.tenant, place, fingerprint, also=prints, actor=session.principal.name,
                reason="Asked for in Triage.", now=session.now,
            )  # fmt: skip
            st.rerun()


def _line(one: Ticket) -> list[str]:
    name = one.ticket or one.place
    opened = (
        f'<a href="{parts.text(one.url)}" target="_blank" rel="noopener noreferrer">{parts.text(name)}</a>'
        if one.url.startswith(("https://", "http://"))
        else parts.text(name)
    )
    return [
        opened + parts.soft(one.place),
        parts.pill(one.state.capitalize(), theme.STATUS_COLOURS[_COLOURS[one.state]]),
        parts.text(one.status or parts.NOTHING),
        parts.text(one.requested_by) + parts.soft(parts.when(one.requested_at)),
        parts.text(one.note),
    ]
