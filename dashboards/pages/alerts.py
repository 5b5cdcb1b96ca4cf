"""Alerts: what fires, why, since when, who was told; acknowledge, silence, judge."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin

import streamlit as st

from throughline.collector.alert_store import AlertStore
from throughline.collector.auth import Scope
from throughline.correlator.notify.alertmanager import AlertmanagerFailed
from throughline.correlator.notify.matching import Matcher
from throughline.dashboards import theme
from throughline.dashboards.alert_desk import AlertDesk, NoSuchAlert
from throughline.dashboards.api.alerts import listed
from throughline.dashboards.pages import parts
from throughline.dashboards.pages.main import current
from throughline.probes.errors import StoreError

if TYPE_CHECKING:
    from throughline.dashboards.session import Session

_COLOURS = {"firing": "stuck", "pending": "late", "resolved": "completed"}
_COUNTED = {"firing": "firing", "pending": "pending", "resolved": "ended within a day"}
_HOURS = {"1 hour": 1, "4 hours": 4, "1 day": 24, "a week": 168}
_REFRESH_SECONDS = 5
_OWN = "Watchdog"


def page() -> None:
    """Draw the list, or the alert that the address names."""
    session = current()
    if session.deps.control is None:
        st.html(parts.empty("No alerts here", "This process has no control store."))
        return
    rule, fingerprint = st.query_params.get("rule", ""), st.query_params.get("fingerprint", "")
    st.fragment(run_every=_REFRESH_SECONDS)(_list if not fingerprint else _one)(rule, fingerprint)


def _desk(session: Session) -> AlertDesk:
    assert session.deps.control is not None  # noqa: S101 - the page asks for it
    return AlertDesk(session.deps, session.deps.control, session.principal, session.now)


def _known(session: Session) -> list[dict[str, Any]]:
    """Every alert with what delivery knows of it."""
    desk = _desk(session)
    stands = desk.standing()
    every = listed(AlertStore(desk.control), session.principal.tenant, None, None)
    return [{**one, **stands.get((one["rule"], one["fingerprint"]), {})} for one in every]


def _list(_rule: str, _fingerprint: str) -> None:
    session = current()
    every = [one for one in _known(session) if one["alert"] != _OWN]
    states = ("firing", "pending", "resolved")
    counts = {state: sum(one["state"] == state for one in every) for state in states}
    trust = parts.trust(session.ask.completeness(), session.now)
    said = ", ".join(f"{count:,} {_COUNTED[state]}" for state, count in counts.items())
    st.html(
        parts.title("Alerts", f"{said} &nbsp;·&nbsp; {trust} &nbsp;·&nbsp; {parts.link('Rules', '/rules')}")
    )
    if not every:
        advice = f"{parts.link('Rules', '/rules')} says what is watched; a rule is written there in a minute."
        st.html(parts.empty("Nothing fires", advice))
        return
    order = {state: place for place, state in enumerate(states)}
    st.html(
        parts.table(
            ["Alert", "State", "Value", "Since", "Told", "Labels"],
            [_row(session, one) for one in sorted(every, key=lambda one: order[one["state"]])],
            numeric=[2],
            whole=[1, 3],
        )
    )
    for one in _desk(session).silences():
        matchers = ", ".join(str(each) for each in one.matchers)
        said = f"{matchers} until {parts.when(one.ends_at)} UTC, by {one.author}"
        st.caption(f"Silence: {said}" + (f": {one.comment}" if one.comment else ""))


def _row(session: Session, one: dict[str, Any]) -> list[parts.Html]:
    address = parts.href("/alerts", rule=one["rule"], fingerprint=one["fingerprint"])
    labels = {name: text for name, text in one["labels"].items() if name not in {"alertname", "severity"}}
    return [
        parts.link(one["annotations"].get("summary") or one["alert"], address) + parts.soft(one["rule"]),
        _state(one) + (parts.soft(one["held"]) if one["held"] else ""),
        parts.text("" if one["value"] is None else f"{one['value']:g}"),
        parts.text(parts.ago(one["starts_at"], session.now)) + parts.soft(parts.when(one["starts_at"])),
        _told(one),
        parts.text(", ".join(f"{name} {text}" for name, text in sorted(labels.items()))),
    ]


def _state(one: dict[str, Any]) -> parts.Html:
    said = "acknowledged" if one.get("acknowledged_at") and one["state"] == "firing" else one["state"]
    colour = "in_flight" if said == "acknowledged" else _COLOURS[one["state"]]
    return parts.pill(said.capitalize(), theme.STATUS_COLOURS[colour])


def _told(one: dict[str, Any]) -> parts.Html:
    """Who was told, or why nobody is."""
    if one.get("told"):
        return parts.text(", ".join(one["told"]))
    reason = "its rule is on trial" if one.get("silent") else one.get("muted") or "nobody"
    return parts.text(reason)


def _one(rule: str, fingerprint: str) -> None:
    session = current()
    found = [one for one in _known(session) if (one["rule"], one["fingerprint"]) == (rule, fingerprint)]
    every = parts.link("All alerts", "/alerts")
    if not found:
        st.html(parts.title("Alert", every))
        st.html(
            parts.empty("It is over", "An alert that ended is listed for a day; SQL knows all: `alerts`.")
        )
        return
    one = found[0]
    summary = one["annotations"].get("summary") or one["alert"]
    st.html(parts.title(summary, f"{parts.text(rule)} &nbsp;·&nbsp; {_state(one)} &nbsp;·&nbsp; {every}"))
    runbook = one["annotations"].get("runbook_url", "")
    book = urljoin((session.deps.public_url or "/").rstrip("/") + "/", runbook) if runbook else ""
    acknowledged = ""
    if one.get("acknowledged_at"):
        note = f": {one['note']}" if one["note"] else ""
        acknowledged = parts.text(f"{one['acknowledged_by']}, {parts.when(one['acknowledged_at'])} UTC{note}")
    st.html(
        parts.facts(
            {
                "Value": parts.text("" if one["value"] is None else f"{one['value']:g}"),
                "Since": parts.text(f"{parts.when(one['starts_at'], seconds=True)} UTC"),
                "Ended": parts.text(parts.when(one["ends_at"], seconds=True)) if one["ends_at"] else "",
                "Held back": parts.text(one["held"]),
                "Told": _told(one),
                "Acknowledged": acknowledged,
                "Runbook": parts.link(runbook, book) if runbook else "",
                "Labels": parts.text(", ".join(f"{name}={text}" for name, text in one["labels"].items())),
            }
        )
    )
    if Scope.OPERATE in session.principal.scopes:
        _acts(session, one)
    _journeys(session, rule, fingerprint)


def _acts(session: Session, one: dict[str, Any]) -> None:
    desk = _desk(session)
    columns = st.columns([1, 1, 1, 1, 3])
    firing = one["state"] == "firing"
    if firing and not one.get("acknowledged_at") and columns[0].button("Acknowledge", type="primary"):
        desk.acknowledge(one["rule"], one["fingerprint"], "")
        st.rerun()
    if one.get("episode"):
        for place, (label, useful) in enumerate({"Useful": True, "Noise": False}.items(), start=1):
            mark = "✓ " if one.get("useful") is useful else ""
            if columns[place].button(f"{mark}{label}"):
                desk.judge(one["rule"], one["fingerprint"], useful=useful)
                st.rerun()
    with columns[3].popover("Silence"):
        hours = st.selectbox("For", list(_HOURS))
        comment = st.text_input("Why")
        if st.button("Silence these labels"):
            matchers = tuple(Matcher(name, text) for name, text in sorted(one["labels"].items()))
            try:
                desk.silence(matchers, session.now, session.now + timedelta(hours=_HOURS[hours]), comment)
            except AlertmanagerFailed as error:
                st.error(str(error))
            else:
                st.rerun()


def _journeys(session: Session, rule: str, fingerprint: str) -> None:
    st.html(parts.heading("Journeys behind it", "as its rule counts them now"))
    try:
        found = _desk(session).behind(rule, fingerprint)
    except (NoSuchAlert, StoreError):
        found = None
    if found is None:
        st.caption("This rule does not count journeys of one view, so they cannot be listed.")
        return
    if not found:
        st.caption("None any more.")
        return
    st.html(
        parts.table(
            ["Journey", "Process"],
            [
                [
                    parts.link(one["journey"], parts.href("/journey", id=one["journey"])),
                    parts.text(session.title(one["process"])),
                ]
                for one in found
            ],
        )
    )


if __name__ == "__main__":
    page()
