"""Processes: the definitions in use as pictures, who owns them, and how their journeys do."""

from __future__ import annotations

import base64

import pandas as pd
import streamlit as st

from throughline.correlator.definition import Process
from throughline.dashboards import theme
from throughline.dashboards.pages import address, parts
from throughline.dashboards.pages.main import current
from throughline.dashboards.process_picture import calendar_words, picture
from throughline.dashboards.reader import STATUSES
from throughline.dashboards.session import Session


def page() -> None:
    """Draw the page. The chosen process lives in the address."""
    session = current()
    trust = parts.trust(session.ask.completeness(), session.now)
    st.html(parts.title("Processes", f"What journeys are judged by. &nbsp;·&nbsp; {trust}"))
    if not session.processes:
        st.html(
            parts.empty("No definitions", "Put them into <code>processes/</code> of the folder --config.")
        )
        return
    counts = session.ask.status_counts()
    st.html(_table(session, counts))
    left, _ = st.columns([2.2, 5])
    named = address.choose(
        left, "Picture of", list(session.processes), "process",
        shown=lambda one: session.title(one) if one else "Choose a process",
    )  # fmt: skip
    process = session.processes.get(named)
    if process:
        _one(session, process)


def _one(session: Session, process: Process) -> None:
    facts = {
        "Version": parts.text(process.version),
        "Owner": parts.text(process.owner or ""),
        "Calendar": parts.text(calendar_words(process)),
        "Definition": parts.text(process.definition_hash[:12]),
        "Mind": "; ".join(parts.text(one) for one in process.notices),
    }
    st.html(parts.facts(facts))
    drawn = base64.b64encode(picture(process).encode()).decode()
    st.html(
        f'<img alt="{parts.text(session.title(process.id))}" style="max-width:100%;border-radius:14px" '
        f'src="data:image/svg+xml;base64,{drawn}">'
    )


def _table(session: Session, counts: pd.DataFrame) -> str:
    found = {(row.process, row.status): row for row in counts.itertuples()}
    rows = []
    for process in session.processes.values():
        cells = [
            parts.link(session.title(process.id), parts.href("/processes", process=process.id))
            + parts.soft(process.id),
            parts.text(process.version),
            parts.text(process.owner or parts.NOTHING),
            parts.text(calendar_words(process)) + "".join(parts.soft(one) for one in process.notices),
        ]
        for status in STATUSES:
            row = found.get((process.id, status))
            to = parts.href("/journeys", process=process.id, status=status)
            cells.append(parts.link(f"{row.journeys:,}", to) if row else parts.text(parts.NOTHING))
        rows.append(cells)
    labels = [theme.STATUS_LABELS[status] for status in STATUSES]
    columns = ["Process", "Version", "Owner", "Calendar", *labels]
    return parts.table(columns, rows, numeric=[1, *range(4, 4 + len(STATUSES))])


if __name__ == "__main__":
    page()
