"""Triage: what needs a human now, by cause; and what to do about it: assign, snooze, close, do again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import streamlit as st

from throughline.collector.auth import Scope
from throughline.correlator.replay.outcomes import outcomes
from throughline.dashboards import theme, triage
from throughline.dashboards.exception_reader import ExceptionReader
from throughline.dashboards.pages import address, exception_parts, parts, triage_acts, triage_tickets
from throughline.dashboards.pages.main import current
from throughline.dashboards.reader import Reader
from throughline.dashboards.triage import Advice, Triage, TriageFilter
from throughline.dashboards.waiting import BASIS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from throughline.correlator.replay.facts import Facts
    from throughline.dashboards.reader import Row
    from throughline.dashboards.session import Session

_CLASSES = ("technical", "remote", "business")
_LISTED = 200
# Causes that the list says what to do about; the page of each cause does. (A text here would be shown.)
_ADVISED = 50
_COLOURS = {1: "in_flight", 2: "late", 4: "stuck", 8: "stuck"}


@dataclass(frozen=True)
class _Queue:
    """What the page reads."""

    session: Session
    reader: Reader
    triage: Triage


def page() -> None:
    """Draw the queue, or the cause that the address names."""
    session = current()
    reader = Reader(session.deps.store, session.principal.tenant, session.now)
    queue = _Queue(session, reader, Triage(reader))
    fingerprint = st.query_params.get("fingerprint", "")
    if fingerprint:
        _cause(queue, fingerprint)
    else:
        _list(queue)


def _list(queue: _Queue) -> None:
    session = queue.session
    trust = parts.trust(session.ask.completeness(), session.now)
    about = "Open exceptions by cause; most severity, age and money first."
    st.html(parts.title("Triage", f"{about} &nbsp;·&nbsp; {trust}"))
    owners = queue.triage.owners()
    rows = queue.triage.causes(_filters(session, [row["owner"] for row in owners if row["owner"]]))
    if not rows:
        st.html(parts.empty("Nothing needs a human", "No exception is open that matches."))
        return
    _whose(owners)
    known = _advice(session, triage_acts.facts_of(session, [row["latest"] for row in rows[:_ADVISED]]))
    st.html(
        parts.table(
            ["Cause", "What happened", "Open", "Money", "Since", "Whose", "What to do"],
            [_row(session, row, known.get(row["latest"])) for row in rows],
            numeric=[3],
            whole=[2, 4],
        )
        + parts.soft(triage.BASIS)
    )
    _waiting(session)


def _advice(session: Session, facts: Mapping[str, Facts]) -> dict[str, Advice]:
    """What to do about some exceptions: where their records are, what a replay would do."""
    targets = session.deps.replay_rules().targets
    return triage.advice(facts.values(), targets, session.records, session.now)


def _waiting(session: Session) -> None:
    """Who holds the open journeys, for whoever asks: it is summed when it is looked at."""
    asked = st.query_params.get("waiting", "") == "1"
    shown = st.toggle("Who holds the open journeys, in business hours", value=asked, key="waiting_shown")
    if shown != asked:
        given = {one: value for one, value in st.query_params.to_dict().items() if one != "waiting"}
        st.query_params.from_dict({**given, **({"waiting": "1"} if shown else {})})
    if not shown:
        return
    process = st.query_params.get("process", "")
    fresh = session.ask.completeness()
    found = session.ask.held([one for one in session.processes.values() if process in {"", one.id}])
    st.html(parts.heading("Waiting on", "open journeys; teams, systems and customers, never persons"))
    st.html(
        parts.table(
            ["Who", "Process", "Holds now", "Business hours since it came", "Longest since", "Held in all"],
            [
                [
                    parts.strong(one["holder"] or "nobody is named") + parts.soft(one["kind"]),
                    parts.text(session.title(one["process"])),
                    parts.link(
                        f"{one['holding']:,}", parts.href("/journeys", process=one["process"]), strong=False
                    ),
                    f"{one['held_now_hours']:,.1f}",
                    parts.text(parts.when(one["oldest_since"])),
                    f"{one['business_hours']:,.1f} h on {one['journeys']:,} journeys",
                ]
                for one in found[:_LISTED]
            ],
            numeric=[2, 3],
            whole=[4],
        )
        + parts.soft(f"{BASIS} Correlated until {parts.ago(fresh['correlated_until'], session.now)}.")
    )


def _filters(session: Session, owners: list[str]) -> TriageFilter:
    known = session.ask.dimensions()
    left, middle, right = st.columns(3)
    return TriageFilter(
        process=address.choose(
            left,
            "Process",
            known.get("processes", []),
            "process",
            shown=lambda one: session.title(one) if one else "All processes",
        ),
        owner=address.choose(middle, "Whose", owners, "owner", shown=lambda one: one or "Anybody's"),
        class_=address.choose(right, "Class", _CLASSES, "class", shown=lambda one: one or "Any class"),
    )


def _whose(owners: list[Row]) -> None:
    """Who has how much to do: teams, never persons."""
    st.html(
        parts.cards(
            parts.card(
                row["owner"] or "nobody's",
                f"{row['exceptions']:,}",
                f"{row['journeys']:,} journeys, oldest of {row['since']:%d %b}",
                to=parts.href("/triage", owner=row["owner"]),
            )
            for row in owners[:6]
        )
    )


def _row(session: Session, row: Row, known: Advice | None) -> list[str]:
    process = st.query_params.get("process", "")
    address_of = parts.href("/triage", fingerprint=row["fingerprint"], process=process)
    many = f"{row['failures']:,} on {row['journeys']:,} journeys"
    colour = theme.STATUS_COLOURS[_COLOURS[row["weight"]]]
    seen_by = ", ".join(session.title(one) for one in row["processes"])
    return [
        parts.link(row["code"] or row["class"] or "unknown", address_of)
        + parts.soft(f"{row['class']} · {seen_by}"),
        parts.text(triage.sentence(row, session.now)[:240]),
        parts.link(many, address_of, strong=False) + " " + parts.pill(row["severity"], colour),
        money_of(row),
        parts.text(parts.ago(row["since"], session.now)),
        parts.text(", ".join(row["owners"]) or "nobody's") + parts.soft(", ".join(row["assignees"])),
        _to_do(row, known, parts.link("Work on it", address_of)),
    ]


def _to_do(row: Row, known: Advice | None, work: str) -> str:
    """What a replay would do; then links: to the cause, the runbook, the record in its own system."""
    records = known.records.items() if known else ()
    links = [
        work,
        parts.link("Runbook", row["runbook"], strong=False) if row["runbook"] else "",
        *(f"{parts.text(name.partition(':')[0])}{parts.record(url, name)}" for name, url in records),
    ]
    said = parts.text(known.suggestion.sentence) if known else ""
    return f'{said}<div class="tl-soft">{" &nbsp;·&nbsp; ".join(one for one in links if one)}</div>'


def money_of(row: Row) -> str:
    """Its money, by currency."""
    pairs = zip(row["amounts"], row["currencies"], strict=True)
    return "<br>".join(parts.text(parts.money(amount, currency)) for amount, currency in pairs if amount)


def _cause(queue: _Queue, fingerprint: str) -> None:
    session = queue.session
    process = st.query_params.get("process", "")
    rows = queue.triage.of_cause(fingerprint, process)
    if not rows:
        _nothing_open(queue, fingerprint)
        return
    shown = [row for row in rows if row["shown"]]
    wanted = st.query_params.get("exception", "")
    named = [row for row in rows if row["id"] in wanted.split(",")]
    facts = triage_acts.facts_of(session, [row["id"] for row in (named or shown)[:_LISTED]])
    first_id = (named or shown)[0]["id"]
    known = _advice(session, {first_id: facts[first_id]})[first_id]
    _what(queue, fingerprint, rows, known)
    triage_tickets.draw(session, fingerprint, sorted({row["fingerprint"] for row in rows}))
    if wanted and not named:
        st.warning("The exception that the address names is no longer open.")
    if named:
        address_of = parts.href("/triage", fingerprint=fingerprint, process=process)
        every = parts.link(f"all {len(shown):,} of this cause", address_of)
        st.html(f"<p>{len(named):,} chosen by the address; {every}.</p>")
    chosen = _choose(session, named or shown, facts) or named
    if Scope.OPERATE in session.principal.scopes and session.deps.control is not None:
        listed = triage_acts.Listed(fingerprint, rows, chosen)
        triage_acts.draw(session, listed, facts, known.suggestion)


def _nothing_open(queue: _Queue, fingerprint: str) -> None:
    back = parts.link("All causes", "/triage")
    st.html(parts.title("Nothing is open", f"of the cause {parts.text(fingerprint)} &nbsp;·&nbsp; {back}"))
    memory = ExceptionReader(queue.reader).memories([fingerprint])[fingerprint]
    st.html(f"<p>{exception_parts.memory(memory)}</p>")


def _what(queue: _Queue, fingerprint: str, rows: list[Row], known: Advice) -> None:
    """What happened and what to do; what was done before, where the process of the fingerprint saw it."""
    session, first = queue.session, rows[0]
    journeys = {one for row in rows for one in row["objects"]}
    seen_by = ", ".join(session.title(one) for one in sorted({row["process"] for row in rows}))
    about = f"{parts.text(first['event'] or 'check')} &nbsp;·&nbsp; {parts.text(seen_by)}"
    trust = parts.trust(session.ask.completeness(), session.now)
    runbook = next((row["runbook"] for row in rows if row["runbook"]), "")
    st.html(
        parts.title(
            f"{len(journeys):,} journeys, one cause: {first['code'] or first['class']}",
            f"{about} &nbsp;·&nbsp; {parts.link('All causes', '/triage')} &nbsp;·&nbsp; {trust}",
        )
    )
    memory = ExceptionReader(queue.reader).memories([fingerprint])[fingerprint]
    ended = outcomes(session.deps.store, session.principal.tenant, [fingerprint])[fingerprint]
    st.html(
        parts.verdict(
            {
                "What happened": parts.text(first["message"] or first["code"]),
                "Since": parts.text(parts.when(min(row["opened_at"] for row in rows))) + " UTC",
                "Whose": parts.text(
                    ", ".join(sorted({row["owner"] for row in rows if row["owner"]})) or "nobody's"
                ),
                "What helped before": exception_parts.memory(memory),
                "What doing it again brought": exception_parts.replayed(ended),
                "What to do": parts.text(known.suggestion.sentence)
                + "".join(
                    f" {parts.text(name)}{parts.record(url, name)}" for name, url in known.records.items()
                ),
                **({"Runbook": parts.link(runbook, runbook)} if runbook else {}),
            },
            colour=theme.STATUS_COLOURS["stuck" if any(row["blocking"] for row in rows) else "late"],
        )
    )


def _choose(session: Session, rows: list[Row], facts: Mapping[str, Facts]) -> list[Row]:
    """The exceptions as a table with a choice; nothing chosen means all. Records open in their own system."""
    shown = rows[:_LISTED]
    names = {row["id"]: facts[row["id"]].subject_name for row in shown if row["id"] in facts}
    records = session.deps.connections().records(session.principal.tenant, sorted(set(names.values())))
    more = f"the first {_LISTED} of {len(rows):,}" if len(rows) > _LISTED else f"{len(rows):,}"
    st.html(parts.heading("Exceptions", f"{more}; choose some, or act on all"))
    event = st.dataframe(
        [
            {
                "Exception": row["id"],
                "Customer": row["customer"],
                "Entity": row["entity"],
                "Amount": float(row["amount"]) if row["amount"] is not None else None,
                "Currency": row["currency"],
                "Opened": row["opened_at"],
                "Times": row["occurrences"],
                "Owner": row["owner"],
                "Assignee": row["assignee"],
                "Journey": parts.href("/journey", id=row["journeys"][0]) if row["journeys"] else None,
                "Record": records.get(names.get(row["id"], "")),
            }
            for row in shown
        ],
        column_config={
            "Journey": st.column_config.LinkColumn("Journey", display_text="open"),
            "Record": st.column_config.LinkColumn("In its system", display_text="open"),
        },
        hide_index=True,
        key="exceptions",
        on_select="rerun",
        selection_mode="multi-row",
    )
    places = event["selection"]["rows"]
    return [shown[place] for place in places]


if __name__ == "__main__":
    page()
