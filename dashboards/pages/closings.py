"""Closings: what was reported of an entity and period, and what became known since."""

from __future__ import annotations

from typing import Any

import streamlit as st

from throughline.collector.auth import Scope
from throughline.collector.store import Role
from throughline.correlator.closing import Closing, Closings, NotClosable
from throughline.dashboards import theme
from throughline.dashboards.looking_back import Close, ask_to_close, ask_to_restate
from throughline.dashboards.pages import parts, then_and_now
from throughline.dashboards.pages.main import current
from throughline.dashboards.session import Session
from throughline.probes.errors import ConfigurationError

_LISTED = 50
_JOURNEYS = 100
_EACH = 3
_GONE = "no longer of this entity and period"


def page() -> None:
    """Draw the list, or the closing that the address names."""
    session = current()
    closings = Closings(session.deps.store, session.principal.tenant, Role.PAGES)
    chosen = st.query_params.get("id", "")
    closing = closings.one(chosen) if chosen else None
    if closing is not None:
        _closing(session, closings, closing)
        return
    trust = parts.trust(session.ask.completeness(), session.now)
    about = "What was reported of an entity and period, stored for good."
    st.html(parts.title("Closings", f"{about} &nbsp;·&nbsp; {trust}"))
    then_and_now.progress(session, chosen, parts.href("/closings", id=chosen))
    _form(session, closings)
    rows = closings.listed(limit=_LISTED)
    if not rows:
        advice = "Close one above, or with <code>throughline close --entity DE01 --period 2026-03</code>."
        st.html(parts.empty("No period is closed yet", advice))
        return
    _list(session, rows)


def _list(session: Session, rows: list[Closing]) -> None:
    more = f"the latest {_LISTED}; the API has all" if len(rows) == _LISTED else "newest first"
    st.html(parts.heading("Closed periods", more))
    columns = ["Period", "Process", "Closed", "By", "Journeys", "Late or stuck", "Completed", "Reason"]
    st.html(
        parts.table(
            columns,
            [
                [
                    parts.link(f"{one.entity}, {one.period}", parts.href("/closings", id=one.id))
                    + parts.soft(f"closing {one.number}" if one.number > 1 else ""),
                    parts.text(session.title(one.process)),
                    parts.text(parts.when(one.closed_at)),
                    parts.text(one.closed_by),
                    f"{one.journeys:,}",
                    f"{one.figures['statuses']['late'] + one.figures['statuses']['stuck']:,}",
                    f"{one.figures['statuses']['completed']:,}",
                    parts.text(one.reason or parts.NOTHING),
                ]
                for one in rows
            ],
            numeric=[4, 5, 6],
            whole=[0, 2],
        )
    )


def _form(session: Session, closings: Closings) -> None:
    """Ask for a closing, where one may and can."""
    if not _may(session):
        return
    known = session.ask.dimensions()
    with st.expander("Close a period"), st.form("close", border=False):
        left, middle, right = st.columns(_EACH)
        entity = left.selectbox("Entity", [one for one in known.get("entities", []) if one])
        process = middle.selectbox("Process", sorted(session.processes), format_func=session.title)
        period = right.text_input("Period", placeholder="2026-03, 2026-Q1 or 2026")
        reason = st.text_input("Reason", placeholder="needed to close a period again")
        if st.form_submit_button("Close") and entity and process:
            _close(session, closings, process, Close(
                entity=entity, period=period.strip(), by=session.principal.name, reason=reason
            ))  # fmt: skip


def _close(session: Session, closings: Closings, process: str, wanted: Close) -> None:
    control = session.deps.control
    if control is None:
        return
    try:
        closings.refuse_again(process, wanted.entity, wanted.period, wanted.reason)
        job = ask_to_close(control, session.principal.tenant, process, wanted, session.now)
    except (NotClosable, ConfigurationError) as error:
        st.error(str(error))
        return
    st.query_params.from_dict({"id": job.id})
    st.rerun()


def _may(session: Session) -> bool:
    asked = session.principal.scopes & {Scope.OPERATE, Scope.APPROVE}
    return bool(asked) and session.deps.control is not None


def _closing(session: Session, closings: Closings, closing: Closing) -> None:
    late = closings.late_events(closing)
    total = late[0]["total"] if late else 0
    since = f"{total or 'no'} event{'' if total == 1 else 's'} came late since"
    again = f", closing {closing.number}: {closing.reason}" if closing.number > 1 else ""
    correlated = parts.when(closing.correlated_until, seconds=True)
    process, every = parts.text(session.title(closing.process)), parts.link("All closings", "/closings")
    st.html(parts.title(f"{closing.entity}, {closing.period}", f"{process} &nbsp;·&nbsp; {every}"))
    st.html(
        parts.verdict(
            {
                "Closed": parts.strong(parts.when(closing.closed_at))
                + f" UTC by {parts.text(closing.closed_by + again)}",
                "Since": parts.strong(since),
                "Basis": parts.text(
                    f"correlated until {correlated}; definition version {closing.definition_version}"
                ),
            },
            colour=theme.STATUS_COLOURS["late" if total else "completed"],
        )
    )
    restatement = closings.restatement(closing)
    _ask_again(session, closing)
    if restatement is None:
        then_and_now.one_side(closing.figures, "As closed")
    else:
        then_and_now.two_sides(closing.figures, restatement["now"], ("As closed", "As known now"))
        then_and_now.asked_at(restatement["known_at"])
        then_and_now.restated(restatement["restated"], gone=_GONE)
    if total:
        _late(late, total)
    _journeys(closings, closing)


def _ask_again(session: Session, closing: Closing) -> None:
    control, asked = session.deps.control, st.query_params.get("job", "")
    then_and_now.progress(session, asked, parts.href("/closings", id=closing.id))
    if not _may(session) or control is None or closing.process not in session.processes:
        return
    if st.button("Compare with what is known now"):
        job = ask_to_restate(control, session.principal.tenant, closing.process, closing.id, session.now)
        st.query_params.from_dict({"id": closing.id, "job": job.id})
        st.rerun()


def _late(late: list[dict[str, Any]], total: int) -> None:
    more = f"the latest {len(late):,} of {total:,}" if total > len(late) else "happened before, stored after"
    st.html(parts.heading("Events that came late", more))
    st.html(
        parts.table(
            ["Journey", "Event", "System", "Happened", "Received"],
            [
                [
                    parts.key(one["root"] or one["journey"], parts.href("/journey", id=one["journey"])),
                    parts.strong(one["event"]),
                    parts.text(one["system"] or parts.NOTHING),
                    parts.text(parts.when(one["happened_at"])),
                    parts.text(parts.when(one["received_at"])),
                ]
                for one in late
            ],
            whole=[3, 4],
        )
    )


def _journeys(closings: Closings, closing: Closing) -> None:
    rows = closings.journeys(closing, limit=_JOURNEYS)
    more = f"{len(rows):,} of {closing.journeys:,}; the API has all" if closing.journeys > len(rows) else ""
    st.html(parts.heading("Journeys as closed", more))
    st.html(
        parts.table(
            ["Journey", "Status", "Customer", "Milestones", "Opened", "Amount"],
            [
                [
                    parts.key(one["root"] or one["id"], parts.href("/journey", id=one["id"])),
                    parts.status_pill(one["status"]),
                    parts.text(one["customer"] or parts.NOTHING),
                    parts.steps(one["milestones"]),
                    parts.text(parts.when(one["opened_at"])),
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
