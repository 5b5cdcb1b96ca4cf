"""Journey: one engagement from end to end: what it waits for, why and on whom; when what was due, what
happened, what failed, and why each event belongs.
"""

from __future__ import annotations

import re

import streamlit as st

from throughline.dashboards import journey_figures, theme
from throughline.dashboards.pages import exception_parts, objects, parts
from throughline.dashboards.pages.main import current
from throughline.dashboards.reader import Row, journey_id
from throughline.dashboards.session import Session
from throughline.dashboards.verdict import verdict

_ID = re.compile(r"[0-9a-f]{16}")
_NO_BAR = {"displayModeBar": False}
_EVENTS_SHOWN = 200
_COLOURS = {"open": "stuck", "pending": "in_flight", "snoozed": "late", "resolved": "completed"}


def page() -> None:
    """Draw the page of the journey that the address names."""
    session = current()
    identity = st.query_params.get("id", "").strip().lower()
    journey = _load(session, identity)
    if journey is None:
        return
    _head(session, journey)
    _verdict(session, journey)
    st.html(parts.heading("Milestones", "against their due times, UTC"))
    st.plotly_chart(
        journey_figures.timeline(journey["milestones"], opened_at=journey["OpenedAt"], now=session.now),
        config=_NO_BAR,
        key="timeline",
    )
    _outlook(session, journey)
    _exceptions(journey)
    objects.show(journey["said"])
    _events(session, journey)
    _trace(session, journey)
    _links(journey)


def _load(session: Session, identity: str) -> Row | None:
    if not _ID.fullmatch(identity):
        st.html(parts.title("Journey"))
        advice = f"Pick one from {parts.link('all journeys', '/journeys')}, or search there by any key."
        st.html(parts.empty("Which journey?", advice))
        return None
    found = session.ask.journey(int(identity, 16), events=session.deps.settings.journey_events)
    if isinstance(found, list):
        st.html(
            parts.title(
                "This journey was absorbed", "Its root object has several parents, so it lives on in several."
            )
        )
        ids = [journey_id(root) for root in found]
        st.html(parts.table(["Journey"], [[parts.link(one, parts.href("/journey", id=one))] for one in ids]))
        return None
    if found is None:
        st.html(parts.title("Journey"))
        st.html(parts.empty(f"There is no journey {identity}", parts.link("All journeys", "/journeys")))
        return None
    return found


def _head(session: Session, journey: Row) -> None:
    name = journey["keys"][0] if journey["keys"] else journey["Id"]
    heading = journey["Customer"] or name
    sub = f"{parts.status_pill(journey['Status'])} &nbsp;{parts.text(session.title(journey['Process']))}"
    trust = parts.trust(session.ask.completeness(), session.now)
    st.html(parts.title(heading, f"{sub} &nbsp;·&nbsp; {trust}"))
    place = " · ".join(one for one in (journey["Entity"], journey["Region"], journey["ServiceLine"]) if one)
    end = journey["CompletedAt"] or journey["DroppedAt"]
    shown = parts.keys(journey["keys"], most=12, records=session.records(journey["keys"]))
    st.html(
        parts.facts(
            {
                "Amount": parts.text(parts.money(journey["Amount"], journey["Currency"])),
                "Opened": parts.text(parts.when(journey["OpenedAt"])),
                "Took" if end else "Open for": parts.text(
                    parts.length((end or session.now) - journey["OpenedAt"])
                ),
                "Last event": parts.text(parts.ago(journey["LastEventAt"], session.now)),
                "Where": parts.text(place),
                "Events": f"{journey['events_total']:,}",
                "Id": f'<span class="tl-mono" style="display:inline">{parts.text(journey["Id"])}</span>',
            }
        )
        + f'<div style="margin-top:12px">{shown}</div>'
    )


def _verdict(session: Session, journey: Row) -> None:
    found = verdict(journey, session.processes.get(journey["Process"]))
    if found is None:
        return
    colour = theme.STATUS_COLOURS[journey["Status"]]
    name = parts.words(found.milestone).capitalize()
    if found.blind:
        what = f"{name} may have happened: its source cannot be heard"
    elif found.since is not None:
        time = parts.length(session.now - found.since)
        what = (
            f"{name} is overdue by {time}" if found.promise else f"{name or 'It'} has been blocked for {time}"
        )
    elif found.due is not None:
        what = f"{name} is due in {parts.length(found.due - session.now)}"
    else:
        what = f"{name} comes next, without a due time" if name else "Every milestone is met"
    said = parts.strong(found.code) + f" {parts.text(found.message[:300])}" if found.code else ""
    promise = f"not received, expected {parts.text(found.promise)}" if found.promise else ""
    st.html(
        parts.verdict(
            {
                "What": parts.strong(what),
                "Why": "<br>".join(one for one in (said, promise) if one) or parts.NOTHING,
                "Whose": parts.strong(found.owner or parts.NOTHING)
                + (f" &nbsp;{parts.link('Runbook', found.runbook)}" if found.runbook else ""),
            },
            colour=colour,
        )
    )


def _outlook(session: Session, journey: Row) -> None:
    """Say how milestones whose clock runs are likely to end, and how such sayings have turned out."""
    found = session.outlook(journey)
    if not found:
        return
    st.html(parts.heading("Outlook", "by comparable journeys, from this age on"))
    st.html(
        parts.table(
            ["Milestone", "Outlook", "Comparable journeys of this age", "How such outlooks turned out"],
            [
                [
                    parts.text(parts.words(name).capitalize()),
                    parts.pill("Likely late", theme.STATUS_COLOURS["late"])
                    if one["likely_late"]
                    else parts.pill("Likely in time", theme.STATUS_COLOURS["completed"]),
                    parts.text(f"{one['in_time']:,} of {one['based_on']:,} made it in time")
                    + parts.soft(f"{one['group']}, as of {parts.when(one['known_at'])}"),
                    _calibration(one["calibrated"]),
                ]
                for name, one in found.items()
            ],
        )
    )


def _calibration(trust: Row | None) -> str:
    if trust is None:
        return parts.text("none was measured yet")
    share = f"{trust['from']:.0%} to {trust['to']:.0%}"
    said = f"of {trust['predictions']:,} with {share}, {trust['observed']:.0%} were in time"
    brier = f"Brier score {trust['brier']:.2f} over {trust['predictions_in_all']:,}"
    return parts.text(said) + parts.soft(brier)


def _exceptions(journey: Row) -> None:
    rows = journey["exceptions"]
    if not rows:
        return
    counts = {status: sum(row["status"] == status for row in rows) for status in _COLOURS}
    st.html(parts.heading("Exceptions", ", ".join(f"{n:,} {status}" for status, n in counts.items() if n)))
    st.html(
        parts.table(
            [
                "State",
                "Cause",
                "What it says",
                "Milestone",
                "Owner",
                "Opened",
                "Last seen",
                "Resolved",
                "Times",
            ],
            [
                [
                    parts.pill(row["status"].capitalize(), theme.STATUS_COLOURS[_COLOURS[row["status"]]]),
                    parts.strong(row["code"] or row["class"] or "unknown") + parts.soft(row["class"]),
                    parts.text(row["message"][:300]),
                    parts.text(parts.words(row["milestone"])),
                    parts.text(row["owner"] or parts.NOTHING) + parts.soft(row["assignee"]),
                    parts.text(parts.when(row["opened_at"])) + _first_seen(row),
                    parts.text(parts.when(row["last_seen"])),
                    parts.text(parts.when(row["resolved_at"])) + parts.soft(parts.words(row["resolution"])),
                    f"{row['occurrences']:,}",
                ]
                for row in rows
            ],
            numeric=[8],
            whole=[5, 6, 7],
        )
    )
    for row in rows:
        if row["id"] in journey["histories"]:
            _past(journey, row)


def _first_seen(row: Row) -> str:
    """When it failed for the first time, if it worked in between."""
    earlier = row["first_seen"] < row["opened_at"]
    return parts.soft(f"first {parts.when(row['first_seen'])}") if earlier else ""


def _past(journey: Row, row: Row) -> None:
    """What became of an exception, and what past ones of its cause teach."""
    with st.expander(f"{row['code'] or row['class']}, {row['id']}: history, and what helped before"):
        st.html(f"<p>{exception_parts.memory(journey['memories'][row['fingerprint']])}</p>")
        if journey["histories"][row["id"]]:
            st.html(exception_parts.history(journey["histories"][row["id"]]))


def _events(session: Session, journey: Row) -> None:
    events = journey["events"][-_EVENTS_SHOWN:]
    more = (
        f"the latest {len(events):,} of {journey['events_total']:,}"
        if journey["events_total"] > len(events)
        else ""
    )
    st.html(f'<div id="events">{parts.heading("Events", more)}</div>')
    chosen = st.query_params.get("trace", "")
    records = session.records({name for row in events for name in row["Names"]})
    on = next((place for place, row in enumerate(events) if chosen and row["TraceId"] == chosen), -1)
    st.html(
        parts.table(
            ["Time", "Event", "Outcome", "System", "Keys", "Amount", ""],
            [_event(journey, row, records) for row in events],
            numeric=[5],
            whole=[3],
            on=on,
        )
    )


def _event(journey: Row, row: Row, records: dict[str, str]) -> list[str]:
    failed = bool(row["Failed"])
    where = " / ".join(one for one in (row["System"], row["Platform"]) if one)
    message = row["ExceptionMessage"] or row["ExceptionCode"]
    trace = parts.href("/journey", id=journey["Id"], trace=row["TraceId"], span=row["SpanId"])
    return [
        f'<span style="white-space:nowrap">{parts.text(parts.when(row["Time"], seconds=True))}</span>',
        f"<b>{parts.text(row['Event'])}</b>"
        + (f'<div class="tl-soft">{parts.text(message[:160])}</div>' if failed else ""),
        parts.pill("Failed", theme.STATUS_COLOURS["stuck"])
        if failed
        else parts.pill("Done", theme.STATUS_COLOURS["completed"]),
        f'{parts.text(where or parts.NOTHING)}<div class="tl-soft">{parts.text(row["ServiceName"])}</div>',
        parts.keys(row["Names"], most=4, records=records),
        parts.text(parts.money(row["Amount"], row["Currency"])),
        parts.link("Trace", f"{trace}#trace") if row["TraceId"] else "",
    ]


def _trace(session: Session, journey: Row) -> None:
    trace = st.query_params.get("trace", "")
    if not trace or all(row["TraceId"] != trace for row in journey["events"]):
        return
    spans = session.ask.spans(trace)
    st.html(f'<div id="trace">{parts.heading("Trace", trace)}</div>')
    if spans.empty:
        advice = (
            "They were not sent here, were sampled away or have expired; the business event outlives them."
        )
        st.html(parts.empty("No spans of this trace are stored", advice))
        return
    chosen = st.query_params.get("span", "")
    st.plotly_chart(journey_figures.waterfall(spans, chosen=chosen), config=_NO_BAR, key="waterfall")


def _links(journey: Row) -> None:
    st.html(parts.heading("Why these events belong here", "from each event's subject up to the root"))
    with st.expander(f"{len(journey['links']):,} events explained"):
        names = {row["Id"]: row["Event"] for row in journey["events"]}
        st.html(
            parts.table(
                ["Event", "Because"],
                [
                    [
                        f"<b>{parts.text(one['name'])}</b>",
                        "".join(_path(because, names) for because in one["because"]),
                    ]
                    for one in journey["links"]
                ],
            )
        )


def _path(because: Row, names: dict[str, str]) -> str:
    if not because["path"]:
        return f'<div class="tl-path">{_key(because["subject"])}<em>is the root</em></div>'
    steps = [_key(because["subject"])]
    for step in because["path"]:
        first = step["evidence"][0] if step["evidence"] else ""
        said = names.get(first, "evidence")
        rule = {"own": "says", "inherited": "says, by its parent span,", "explicit": "says explicitly"}[
            step["rule"]
        ]
        steps.append(
            f'<em title="{parts.text(first)}">→ {parts.text(said)} {rule}</em>' + _key(step["parent"])
        )
    return f'<div class="tl-path">{"".join(steps)}</div>'


def _key(name: str) -> str:
    return f'<span class="tl-key">{parts.text(name)}</span>'


if __name__ == "__main__":
    page()
