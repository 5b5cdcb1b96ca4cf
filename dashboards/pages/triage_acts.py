"""What may be done about a cause: give away, snooze, close, comment; or do it again."""

from __future__ import annotations

import contextlib
import json
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

import streamlit as st

from throughline.correlator.replay.facts import FactsReader
from throughline.correlator.replay.planning import Asked, Plan, Planner, Refused
from throughline.correlator.replay.preflight import Situation, preflight
from throughline.dashboards.exception_desk import RESOLUTIONS, Desk, NotAsSeen
from throughline.dashboards.pages import parts, replay_parts
from throughline.dashboards.triage import with_others

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from throughline.correlator.replay.facts import Facts
    from throughline.correlator.replay.suggesting import Suggestion
    from throughline.correlator.replay.targets import Target
    from throughline.dashboards.reader import Row
    from throughline.dashboards.session import Session

_DAYS = {"1 day": 1, "3 days": 3, "a week": 7, "30 days": 30}
_KINDS = {
    "resubmit": "Send it again as it was",
    "repair": "Send it with a corrected payload",
    "rerun": "Let the platform run it again",
    "redrive": "Move the dead-letter queue",
    "compensate": "Undo what it did",
    "fix_at_source": "Somebody changes it in the source",
    "dismiss": "It is no error",
}
_WITHOUT_CALL = ("fix_at_source", "dismiss")


def facts_of(session: Session, exceptions: Sequence[str]) -> dict[str, Facts]:
    """What is known of exceptions, by id."""
    reader = FactsReader(session.deps.store, session.principal.tenant, session.now)
    return {one.id: one for one in reader.by_id(exceptions)}


@dataclass(frozen=True)
class Listed:
    """The exceptions of a cause: `rows` of all processes; `chosen` ones, if none those that are shown."""

    fingerprint: str
    rows: Sequence[Row]
    chosen: Sequence[Row]

    @property
    def meant(self) -> list[Row]:
        """What is to be acted on: each failure once."""
        return list(self.chosen) or [row for row in self.rows if row["shown"]]

    @property
    def whole(self) -> bool:
        """Whether a fingerprint says the same."""
        return not self.chosen and all(row["fingerprint"] == self.fingerprint for row in self.meant)


def draw(session: Session, listed: Listed, facts: Mapping[str, Facts], suggested: Suggestion) -> None:
    """Draw both: doing it again, and deciding whose it is."""
    what = f"{len(listed.chosen):,} chosen" if listed.chosen else f"all {len(listed.meant):,}"
    again, whose = st.tabs([f"Do it again ({what})", f"Whose, when, why ({what})"])
    with again:
        about = [facts[row["id"]] for row in listed.meant if row["id"] in facts]
        _replay(session, listed, about, suggested)
    with whose:
        _handle(session, with_others(listed.meant, listed.rows), len(listed.meant))


def able(session: Session, facts: Sequence[Facts]) -> dict[str, list[Target]]:
    """What can be done about the exceptions, and where: what no target does, or what lacks all that it needs
    (a stored payload, a run id), is not offered.
    """
    found: dict[str, list[Target]] = {kind: [] for kind in _WITHOUT_CALL}
    for target in session.deps.replay_rules().targets.targets:
        for kind in target.kinds:
            if kind == "repair" and len(facts) != 1:
                continue
            if any(_offered(one, kind, target, session) for one in facts):
                found.setdefault(kind, []).append(target)
    return {kind: found[kind] for kind in _KINDS if kind in found}


def _offered(facts: Facts, kind: str, target: Target, session: Session) -> bool:
    payload = "to be written" if kind == "repair" else facts.failure.payload
    checks = preflight(facts, Situation(kind=kind, target=target, payload=payload, now=session.now))
    return not any(one.result == "red" for one in checks if one.check in {"target", "payload"})


def _replay(session: Session, listed: Listed, facts: Sequence[Facts], suggested: Suggestion) -> None:
    offered = able(session, facts)
    left, right = st.columns(2)
    kinds = list(offered)
    first = kinds.index(suggested.kind) if suggested.kind in kinds else 0
    kind = left.selectbox("What", kinds, first, format_func=lambda one: _KINDS[one], key="replay_kind")
    titles = {target.id: target.title or target.id for target in offered[kind]}
    target = ""
    if titles:
        place = list(titles).index(suggested.target) if suggested.target in titles else 0
        target = right.selectbox(
            "Where", list(titles), place, format_func=lambda one: titles[one], key="replay_target"
        )
    payload = _payload(facts[0]) if kind == "repair" else ""
    expected = (
        st.text_input("What is to change in the source", key="replay_expected")
        if kind == "fix_at_source"
        else ""
    )
    reason = st.text_input("Why", placeholder="audits show it", key="replay_reason")
    asked = Asked(
        kind=kind,
        reason=reason.strip(),
        exceptions=() if listed.whole else tuple(row["id"] for row in listed.meant),
        fingerprint=listed.fingerprint if listed.whole else "",
        target=target,
        payload=payload,
        expected=expected.strip(),
    )
    look, go = st.columns([1, 4])
    if look.button("What would it do?", key="replay_look"):
        _tried(session, asked, dry_run=True, then=lambda plan: replay_parts.plan(session, plan))
    if go.button("Do it", key="replay_go", type="primary", disabled=not reason.strip()):
        _tried(session, asked, dry_run=False, then=_show)


def _show(plan: Plan) -> None:
    st.switch_page("replays.py", query_params={"id": plan.replay.id})


def _tried(session: Session, asked: Asked, *, dry_run: bool, then: Callable[[Plan], None]) -> None:
    control = session.deps.control
    if control is None:
        return
    rules = session.deps.replay_rules()
    planner = Planner(session.deps.store, control, rules, who=session.principal, now=session.now)
    try:
        plan = planner.plan(asked, dry_run=dry_run, broken=session.deps.broken_target(asked.target))
    except Refused as error:
        st.error(str(error))
        return
    then(plan)


def _payload(facts: Facts) -> str:
    """The stored payload, laid out to edit."""
    stored = facts.failure.payload
    with contextlib.suppress(ValueError):
        stored = json.dumps(json.loads(stored), indent=2, ensure_ascii=False)
    return st.text_area("Payload to send", stored, height=260, key=f"payload_{facts.id}")


def _handle(session: Session, rows: Sequence[Row], meant: int) -> None:
    if len(rows) > meant:
        st.caption(f"What other processes know of the same goes along: {len(rows):,} exceptions.")
    acts = ["Give to a team", "Snooze", "Close", "Comment"]
    act = st.segmented_control("Act", acts, default=acts[0], key="act", label_visibility="collapsed")
    with st.form("handle", border=False):
        value = _value(act or acts[0])
        note = st.text_input("Note")
        if not st.form_submit_button("Do it"):
            return
    done, refused = 0, ""
    for row in rows:
        try:
            _do(session, row, act or acts[0], value, note)
            done += 1
        except NotAsSeen as error:
            refused = str(error)
    st.toast(f"Done for {done:,} of {len(rows):,}.")
    if refused:
        st.warning(refused)
    else:
        st.rerun()


def _value(act: str) -> str:
    if act == "Give to a team":
        return st.text_input("Team")
    if act == "Snooze":
        return st.selectbox("For", list(_DAYS))
    if act == "Close":
        return st.selectbox("How it was dealt with", RESOLUTIONS, format_func=parts.words)
    return ""


def _do(session: Session, row: Row, act: str, value: str, note: str) -> None:
    assert session.deps.control is not None  # noqa: S101 - the page asks for it
    desk = Desk(session.deps.store, session.deps.control, session.principal, session.now)
    identity, revision = row["id"], row["revision"]
    if act == "Give to a team":
        desk.assign(identity, revision, owner=value.strip(), assignee=None, note=note)
    elif act == "Snooze":
        desk.snooze(identity, revision, until=session.now + timedelta(days=_DAYS[value]), note=note)
    elif act == "Close":
        desk.close(identity, revision, reason=value, note=note or "closed in triage")
    else:
        desk.comment(identity, note)
