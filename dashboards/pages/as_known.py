"""As known at a time: the figures then, the same of what is known now, and what came late in between."""

from __future__ import annotations

import json
from datetime import datetime, time, timedelta
from typing import Any

import streamlit as st

from throughline.collector.auth import Scope
from throughline.dashboards import theme
from throughline.dashboards.looking_back import AS_OF, ask_as_of
from throughline.dashboards.pages import parts, then_and_now
from throughline.dashboards.pages.main import current
from throughline.dashboards.session import Session
from throughline.probes.errors import ConfigurationError

_COLUMNS = (2, 1, 1, 1)
_JOURNEYS = 100


def page() -> None:
    """Draw the question, and the answer that the address names."""
    session = current()
    trust = parts.trust(session.ask.completeness(), session.now)
    about = "What was known at a time, and what is known of that time now."
    st.html(parts.title("Then and now", f"{about} &nbsp;·&nbsp; {trust}"))
    _form(session)
    asked = st.query_params.get("job", "")
    then_and_now.progress(session, asked, parts.href("/as_known", job=asked))
    control = session.deps.control
    job = control.job(asked) if control and asked else None
    if job and (job.kind, job.tenant, job.state) == (AS_OF, session.principal.tenant, "done"):
        _answer(session, json.loads(job.result))
    elif job is None:
        advice = "Choose a time: its figures are derived anew from the facts that were stored by then."
        st.html(parts.empty("Nothing asked yet", advice))


def _form(session: Session) -> None:
    control = session.deps.control
    if control is None or Scope.OPERATE not in session.principal.scopes:
        st.html(parts.empty("Ask an operator", "Looking back needs a token with the scope operate."))
        return
    with st.form("as_known", border=False):
        left, day, hour, last = st.columns(_COLUMNS, vertical_alignment="bottom")
        known = sorted(session.processes)
        wanted = st.query_params.get("process", "")
        place = known.index(wanted) if wanted in known else 0
        process = left.selectbox("Process", known, format_func=session.title, index=place if known else None)
        chosen = day.date_input("Day", session.now.date() - timedelta(days=7), max_value=session.now.date())
        clock = hour.time_input("Time, UTC", time(0, 0))
        if last.form_submit_button("Show") and process:
            at = datetime.combine(chosen, clock).isoformat()
            try:
                job = ask_as_of(control, session.principal.tenant, process, at, session.now)
            except ConfigurationError as error:
                st.error(str(error))
                return
            st.query_params.from_dict({"process": process, "job": job.id})
            st.rerun()


def _answer(session: Session, found: dict[str, Any]) -> None:
    at, known_at = (datetime.fromisoformat(found[name]) for name in ("at", "known_at"))
    used = found["definition"]
    in_use = "in use then" if used["in_use"] == "then" else "in use now: none is on record for that time"
    count = found["restated"]["journeys"]
    st.html(
        parts.verdict(
            {
                "As known at": parts.strong(f"{parts.when(at, seconds=True)} UTC")
                + f" &nbsp;{parts.text(session.title(found['process']))}",
                "Now it is": parts.strong(f"{parts.when(known_at, seconds=True)} UTC")
                + f" &nbsp;{count:,} journeys restated by what came late",
                "Definition": parts.text(f"version {used['version']}, {in_use}"),
            },
            colour=theme.STATUS_COLOURS["late" if count else "completed"],
        )
    )
    st.html(parts.heading("Figures", "of that time, by the clock of that time"))
    then_and_now.two_sides(found["then"], found["now"], ("Known then", "Known now"))
    then_and_now.restated(found["restated"])
    _journeys(found["journeys"], found["then"]["journeys"])


def _journeys(journeys: list[dict[str, Any]], total: int) -> None:
    rows = journeys[:_JOURNEYS]
    st.html(parts.heading("Journeys as known then", f"the newest {len(rows):,} of {total:,}"))
    st.html(
        parts.table(
            ["Journey", "Status", "Customer", "Milestones", "Opened", "Amount"],
            [
                [
                    parts.key(one["root"] or one["journey"], parts.href("/journey", id=one["journey"])),
                    parts.status_pill(one["status"]),
                    parts.text(one["customer"] or parts.NOTHING),
                    parts.steps({name: {"state": state} for name, state in one["milestones"].items()}),
                    parts.text(parts.when(datetime.fromisoformat(one["opened_at"]))),
                    parts.text(parts.money(one["amount"], one["currency"])),
                ]
                for one in rows
            ],
            numeric=[5],
            whole=[2, 4],
        )
    )


if __name__ == "__main__":
    page()
