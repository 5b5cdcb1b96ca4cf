"""Rules: what is watched and how each fares; write one, try it now and on the past, enable it."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import streamlit as st

from throughline.collector.alert_store import AlertStore
from throughline.collector.auth import Scope
from throughline.correlator.alerts.rule_files import InvalidRules
from throughline.correlator.alerts.written import PREFIX, WrittenRules
from throughline.dashboards import theme
from throughline.dashboards.budgets import standing
from throughline.dashboards.pages import parts, rule_parts
from throughline.dashboards.pages.main import current
from throughline.dashboards.rule_desk import RuleDesk, composed
from throughline.probes.errors import StoreError

if TYPE_CHECKING:
    from throughline.dashboards.session import Session

_SPANS = {"a day": 1, "a week": 7, "30 days": 30, "90 days": 90}
_EXAMPLE = """SELECT process, count() AS value
FROM journeys
WHERE status = 'stuck'
GROUP BY process
HAVING value > 5"""


def page() -> None:
    """Draw the rules in force, objectives, and the desk to write one."""
    session = current()
    if session.deps.control is None:
        st.html(parts.empty("No rules here", "This process has no control store."))
        return
    desk = RuleDesk(session.deps, session.deps.control, session.principal, session.now)
    trust = parts.trust(session.ask.completeness(), session.now)
    st.html(parts.title("Rules", f"{trust} &nbsp;·&nbsp; {parts.link('Alerts', '/alerts')}"))
    every, written, objectives = st.tabs(["Rules in force", "Write a rule", "Objectives"])
    with every:
        _rules(session, desk)
    with written:
        _write(session, desk)
    with objectives:
        _objectives(session)


def _rules(session: Session, desk: RuleDesk) -> None:
    loaded = session.deps.rules_in_force(session.principal.tenant)
    fared = AlertStore(desk.control).rules(session.principal.tenant)
    records = desk.records()
    for error in loaded.errors:
        st.error(f"A file cannot be read, its last valid version counts: {error}")
    rows = []
    for group in loaded.groups:
        for rule in group.rules:
            record, known = records[rule.key], fared.get(rule.key)
            rows.append(
                [
                    parts.strong(rule.rule.alert) + parts.soft(rule.key),
                    rule_parts.state(known),
                    parts.text(parts.ago(known.evaluated_at, session.now) if known else "not yet"),
                    rule_parts.trial(record),
                    parts.text(f"{record['fired']:,}") + parts.soft(f"{record['per_week']:g} a week"),
                    parts.text(
                        parts.NOTHING if record["precision"] is None else f"{record['precision']:.0%} useful"
                    ),
                    parts.text(rule.file if rule.file.startswith(PREFIX) else Path(rule.file).name)
                    + parts.soft(f"line {rule.line}"),
                ]
            )
    headings = ["Rule", "State", "Evaluated", "Tells people", "Fired (30 days)", "Judged", "From"]
    st.html(parts.table(headings, rows, numeric=[4], whole=[1, 2]))
    waiting = [key for key, record in records.items() if record["on_trial"]]
    if waiting and Scope.OPERATE in session.principal.scopes:
        left, right = st.columns([4, 1], vertical_alignment="bottom")
        chosen = left.selectbox("A rule on trial tells nobody", waiting)
        if right.button("Let it tell people now"):
            desk.speak(chosen)
            st.rerun()
    st.caption("Rules from files are changed in their files; those written here, under Write a rule.")


def _write(session: Session, desk: RuleDesk) -> None:
    kept = {one.name: one for one in WrittenRules(desk.control).latest(session.principal.tenant)}
    chosen = st.selectbox("Rule", ["a new one", *kept], key="rule_chosen")
    known = kept.get(chosen)
    if known is None:
        name, text = _form()
    else:
        name = known.name
        text = st.text_area("The rule, as a file has it", known.text, height=320, key=f"rule_text_{name}")
        said = "enabled" if known.enabled else "not enabled"
        st.caption(f"Version {known.version}, {said}, by {known.author}, {parts.when(known.at)} UTC.")
    preview, past, span, save = st.columns([1, 1, 1, 3], vertical_alignment="bottom")
    days = span.selectbox("Since", list(_SPANS), index=1, key="rule_since", label_visibility="collapsed")
    wants_preview = preview.button("What would it say now?", key="rule_preview")
    wants_past = past.button("What would it have done?", key="rule_past")
    try:
        if wants_preview:
            rule_parts.preview(desk.preview(name, text))
        if wants_past:
            with st.spinner("evaluating the past"):
                found = desk.backtest(name, text, session.now - timedelta(days=_SPANS[days]))
            rule_parts.backtest(found)
        if Scope.OPERATE in session.principal.scopes:
            _save(desk, save, name, text, enabled=known.enabled if known else False)
    except InvalidRules as error:
        st.error(str(error))
    except StoreError as error:
        st.error(f"The store could not answer: {error}")


def _form() -> tuple[str, str]:
    left, middle, right = st.columns(3)
    name = left.text_input("Name", "StuckJourneys", key="rule_name").strip()
    severity = middle.selectbox("Severity", ["page", "ticket", "info"], index=1, key="rule_severity")
    owner = right.text_input("Owner", key="rule_owner").strip()
    expr = st.text_area("SELECT: a row is an alert", _EXAMPLE, height=150, key="rule_expr")
    left, middle, right = st.columns(3)
    wait = left.text_input("Must hold for", "5m", key="rule_for").strip()
    summary = middle.text_input(
        "Says", "{{ $value }} journeys of {{ $labels.process }} are stuck", key="rule_says"
    )
    runbook = right.text_input("Runbook", key="rule_runbook", placeholder="https://...").strip()
    text = composed(
        alert=name, expr=expr, wait=wait, severity=severity, owner=owner, summary=summary, runbook=runbook
    )
    return name, text


def _save(desk: RuleDesk, place: Any, name: str, text: str, *, enabled: bool) -> None:
    with place:
        on, off = st.columns(2)
        if on.button("Save and enable", key="rule_enable", type="primary"):
            made = desk.save(name, text, enabled=True)
            st.toast(f"{name} version {made.version} is enabled. It is on trial for 14 days.")
        label = "Disable" if enabled else "Save only"
        if off.button(label, key="rule_save"):
            made = desk.save(name, text, enabled=False)
            st.toast(f"{name} version {made.version} is stored and not evaluated.")


def _objectives(session: Session) -> None:
    slos = session.deps.rules_in_force(session.principal.tenant).slos
    if not slos:
        st.html(parts.empty("No objectives", "Add `slos:` to a file of rules/: docs/how-to-alerts.md."))
        return
    rows = []
    for slo, calendar in slos:
        told = standing(session.deps.store, session.principal.tenant, slo, calendar, session.now)
        if told["error"]:
            st.warning(f"{told['title']}: {told['error']}")
        for one in told["budgets"]:
            left = one["budget_left"]
            colour = "completed" if left is not None and left > 0 else "stuck"
            labels = ", ".join(one["labels"].values())
            rates = ", ".join(f"{window} {rate:g}" for window, rate in one["burn_rates"].items())
            rows.append(
                [
                    parts.strong(told["title"]) + parts.soft(labels),
                    parts.text(f"{told['objective']:g} % over {told['window']}"),
                    parts.text(parts.NOTHING if one["attained"] is None else f"{one['attained']:g} %")
                    + parts.soft(f"{one['good']:,} of {one['valid']:,}"),
                    parts.pill(
                        parts.NOTHING if left is None else f"{left:.0%} left", theme.STATUS_COLOURS[colour]
                    ),
                    parts.text(rates),
                ]
            )
    st.html(parts.table(["Objective", "Wanted", "Attained", "Error budget", "Burn rates"], rows, whole=[3]))


if __name__ == "__main__":
    page()
