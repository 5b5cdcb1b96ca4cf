"""Parts of the journey page: whose hands it was in, payloads for those who may see them, doing it again."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import streamlit as st

from throughline.collector.auth import Scope
from throughline.dashboards import theme
from throughline.dashboards import waiting as ledger
from throughline.dashboards.pages import parts
from throughline.probes.vocabulary import PAYLOAD, PAYLOAD_REF

if TYPE_CHECKING:
    from collections.abc import Sequence

    from throughline.dashboards.reader import Row
    from throughline.dashboards.session import Session

_KINDS = {"team": "in_flight", "system": "stuck", "customer": "late"}
_PAYLOADS = 50
"""Payloads on one page, the latest ones."""


def waiting(session: Session, journey: Row) -> None:
    """Draw who held the journey, and for how much business time."""
    process = session.processes.get(journey["Process"])
    turns = session.ask.turns(process, journey["Root"]) if process else []
    if not turns:
        return
    whole = sum(one["business_hours"] for one in turns) or 1.0
    st.html(parts.heading("Waiting on", "business hours in whose hands; teams, never persons"))
    st.html(
        parts.table(
            ["Who", "", "Business hours", "Share", "For", "Now"],
            [
                [
                    parts.strong(one["holder"] or "nobody is named"),
                    parts.pill(one["kind"].capitalize(), theme.STATUS_COLOURS[_KINDS[one["kind"]]]),
                    f"{one['business_hours']:,.1f}",
                    f"{one['business_hours'] / whole:.0%}",
                    parts.text(", ".join(_milestones(turns, one))),
                    parts.text("has it now" if one["now"] else ""),
                ]
                for one in ledger.summed(turns)
            ],
            numeric=[2, 3],
        )
        + parts.soft(f"{ledger.BASIS} As of {session.now:%H:%M:%S} UTC.")
    )


def _milestones(turns: Sequence[Row], holder: Row) -> list[str]:
    mine = (one for one in turns if (one["kind"], one["holder"]) == (holder["kind"], holder["holder"]))
    return list(dict.fromkeys(parts.words(one["milestone"]) for one in mine if one["milestone"]))


def again(session: Session, row: Row) -> parts.Html:
    """Return the way to do an exception again, for those who may."""
    if Scope.OPERATE not in session.principal.scopes or row["status"] not in {"open", "snoozed"}:
        return ""
    to = parts.href("/triage", fingerprint=row["fingerprint"], exception=row["id"])
    return parts.link("Do it again", to)


def payloads(session: Session, events: Sequence[Row]) -> None:
    """Draw what the events carried; say where it is hidden."""
    carrying = [row for row in events if row["Attributes"].get(PAYLOAD) or row["Attributes"].get(PAYLOAD_REF)]
    if not carrying:
        return
    if Scope.OPERATE not in session.principal.scopes:
        st.html(
            parts.soft(
                f"{len(carrying):,} of these events carry a payload. It is hidden: payloads are shown to "
                "those who hold the scope operate."
            )
        )
        return
    with st.expander(f"Payloads of {len(carrying):,} events"):
        for row in carrying[-_PAYLOADS:]:
            kept = row["Attributes"].get(PAYLOAD_REF, "")
            st.html(
                parts.strong(row["Event"])
                + parts.soft(f"{parts.when(row['Time'], seconds=True)}{f', kept at {kept}' if kept else ''}")
            )
            if text := row["Attributes"].get(PAYLOAD, ""):
                st.code(_laid_out(text), language="json")


def _laid_out(text: str) -> str:
    try:
        return json.dumps(json.loads(text), indent=2, ensure_ascii=False)
    except ValueError:
        return text
