"""What pages that look back share: figures side by side, journeys that were restated, a job's progress."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import streamlit as st

from throughline.dashboards.looking_text import NO_EVENT, difference, figures, number
from throughline.dashboards.pages import parts
from throughline.dashboards.session import Session

_REFRESH = 1.0
_NO_JOURNEY = "no journey"


def two_sides(then: dict[str, Any], now: dict[str, Any], names: Sequence[str]) -> None:
    """Draw every figure twice, with what lies between."""
    st.html(
        parts.table(
            ["", *names, "Difference"],
            [
                [
                    parts.text(name.capitalize()),
                    parts.text(number(was, unit)),
                    parts.text(number(becomes, unit)),
                    parts.strong(difference((name, was, becomes, unit))),
                ]
                for name, was, becomes, unit in figures(then, now)
            ],
            numeric=[1, 2, 3],
        )
    )


def one_side(side: dict[str, Any], name: str) -> None:
    """Draw every figure once."""
    rows = [[parts.text(label.capitalize()), parts.text(number(value, unit))] for label, value, _, unit in
            figures(side, side)]  # fmt: skip
    st.html(parts.table(["", name], rows, numeric=[1]))


def asked_at(known_at: str) -> None:
    """Say when the side called "now" was asked for."""
    when = parts.when(datetime.fromisoformat(known_at), seconds=True)
    said = f"Known now: as of {when} UTC. What happened since is no part of it."
    st.html(f'<p class="tl-sub">{parts.text(said)}</p>')


def restated(found: dict[str, Any], *, gone: str = _NO_JOURNEY) -> None:
    """Draw the journeys that look otherwise now, and the events that came late."""
    shown = f"{found['journeys']:,}"
    if found["journeys"] > len(found["items"]):
        shown = f"{len(found['items']):,} of {shown}"
    st.html(parts.heading("Restated journeys", shown if found["journeys"] else ""))
    if not found["items"]:
        st.html(parts.empty("Nothing is restated", "No event that came late changes any figure."))
        return
    st.html(
        parts.table(
            ["Journey", "Known then", "Known now", "Milestones", "By"],
            [
                [
                    parts.key(one["root"] or one["journey"], parts.href("/journey", id=one["journey"])),
                    _status(one["from"], _NO_JOURNEY) + _amount(one, 0),
                    _status(one["to"], gone) + _amount(one, 1),
                    "<br>".join(
                        parts.text(f"{parts.words(name)}: {parts.words(was)} → {parts.words(becomes)}")
                        for name, (was, becomes) in one["milestones"].items()
                    )
                    or parts.NOTHING,
                    "".join(_late(late) for late in one["late_events"]) or parts.soft(NO_EVENT),
                ]
                for one in found["items"]
            ],
            whole=[1, 2],
        )
    )


def progress(session: Session, job_id: str, to: str) -> None:
    """While a job is under way say how far it is, and go on at its end; say why one failed."""
    control = session.deps.control
    job = control.job(job_id) if control and job_id else None
    if job is None or job.tenant != session.principal.tenant:
        return
    if job.state == "failed":
        st.error(job.message)
    elif job.state != "done":
        _waiting(job_id, job.message, to)


@st.fragment(run_every=_REFRESH)
def _waiting(job_id: str, message: str, to: str) -> None:
    from throughline.dashboards.pages.main import current

    control = current().deps.control
    job = control.job(job_id) if control else None
    if job is not None and job.state in {"done", "failed"}:
        st.rerun()
    said = (job.message if job else message) or "waiting for the engine"
    st.html(f'<p class="tl-sub">The engine works on it: {parts.text(said)} &nbsp;·&nbsp; '
            f'{parts.link("look again", to)}</p>')  # fmt: skip


def _status(status: str | None, missing: str) -> parts.Html:
    return parts.status_pill(status) if status else parts.soft(missing)


def _amount(one: dict[str, Any], side: int) -> parts.Html:
    if one["amounts"][0] == one["amounts"][1] or one["amounts"][side] is None:
        return ""
    return parts.soft(parts.money(one["amounts"][side], one["currencies"][side]))


def _late(late: dict[str, Any]) -> parts.Html:
    happened, received = (
        parts.when(datetime.fromisoformat(late[name])) for name in ("happened_at", "received_at")
    )
    return f"{parts.strong(late['event'])}{parts.soft(f'of {happened}, received {received}')}"
