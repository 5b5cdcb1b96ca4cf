"""Overview: how the firm's journeys are doing, and how far these numbers can be trusted."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pandas as pd
import streamlit as st

from throughline.correlator.definition import Process
from throughline.dashboards import figures, theme
from throughline.dashboards.pages import address, money, parts
from throughline.dashboards.pages.main import current
from throughline.dashboards.queries import PageQueries
from throughline.dashboards.session import Session
from throughline.dashboards.verdict import owner_of

_REFRESH = timedelta(seconds=10)
_NO_BAR = {"displayModeBar": False}
_OPEN = ("in_flight", "late", "stuck")


@st.fragment(run_every=_REFRESH)
def page() -> None:
    """Draw the page; it draws itself again every few seconds."""
    session = current()
    chosen = _choose_process(session)
    counts = session.ask.status_counts(chosen)
    if counts.empty:
        _nothing_yet(session)
        return
    process = _leading(session, counts, chosen)
    activation = _activation_of(session.ask, process)
    st.html(parts.cards(_status_cards(counts, chosen)))
    st.html(parts.cards(_figure_cards(session, counts, activation, process, chosen)))
    _charts(session, counts, activation, process, chosen)
    money.at_risk(session, chosen)
    _overdue(session, chosen)
    _causes(session, chosen)
    _freshness(session)


def _choose_process(session: Session) -> str:
    known = session.ask.dimensions().get("processes", [])
    left, right = st.columns([3, 1], vertical_alignment="bottom")
    trust = parts.trust(session.ask.completeness(), session.now)
    earlier = parts.link("As known at an earlier time", "/as_known", strong=False)
    tenant = f"Tenant {parts.text(session.principal.tenant)}"
    left.html(parts.title("Overview", f"{tenant} &nbsp;·&nbsp; {trust} &nbsp;·&nbsp; {earlier}"))
    if len(known) < 2:  # noqa: PLR2004 - nothing to choose from
        return ""
    return address.choose(
        right,
        "Process",
        known,
        "process",
        shown=lambda one: session.title(one) if one else "All processes",
        visible=False,
    )


def _nothing_yet(session: Session) -> None:
    status = session.ask.completeness()
    received = sum(status["received"].values())
    if received:
        st.html(
            parts.empty(
                "Telemetry arrives, but no journey has begun",
                f"{received:,} items were received. A journey begins with a span, log record or CloudEvent "
                "that carries <code>business.event</code> and a <code>business.key.*</code> "
                "that a process names.",
            )
        )
    else:
        st.html(
            parts.empty(
                "No data yet",
                "Point an OpenTelemetry SDK here: "
                "<code>OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4318</code>, "
                "or watch a simulated firm with <code>throughline demo</code>.",
            )
        )
    _freshness(session)


def _leading(session: Session, counts: pd.DataFrame, chosen: str) -> Process | None:
    """The process whose activation is shown: the chosen one, else the largest that measures it (by a
    milestone of checks), else the largest.
    """
    sizes = counts.groupby("process")["journeys"].sum().sort_values(ascending=False)
    found = [session.processes[one] for one in sizes.index if one in session.processes]
    if chosen:
        return session.processes.get(chosen)
    return next((one for one in found if _activated(one)), found[0] if found else None)


def _activated(process: Process) -> tuple[str, str] | None:
    """The first milestone of checks that has a clock, and where that starts."""
    clocks = ((process.clock_of(one), one) for one in process.milestones if one.checks)
    return next(((clock[0], one.name) for clock, one in clocks if clock), None)


def activation_pair(process: Process) -> tuple[str, str] | None:
    """From which milestone to which activation is measured: to what checks reach (*activated*), else
    closed_won to project_created, else the first promise.
    """
    if activated := _activated(process):
        return activated
    names = [one.name for one in process.milestones]
    if {"closed_won", "project_created"} <= set(names):
        return "closed_won", "project_created"
    for one in process.milestones:
        clock = process.clock_of(one)
        if clock is not None and clock[0] in names:
            return clock[0], one.name
    return (names[0], names[1]) if len(names) > 1 else None


def _activation_of(ask: PageQueries, process: Process | None) -> pd.DataFrame:
    pair = activation_pair(process) if process else None
    return ask.activation(process.id, *pair) if process and pair else pd.DataFrame()


def _status_cards(counts: pd.DataFrame, chosen: str) -> list[str]:
    totals = counts.groupby("status")["journeys"].sum()
    everything = int(totals.sum())
    return [
        parts.card(
            label,
            f"{int(totals.get(status, 0)):,}",
            f"{totals.get(status, 0) / everything:.1%} of {everything:,}",
            to=parts.href("/journeys", status=status, process=chosen),
            colour=theme.STATUS_COLOURS[status],
        )
        for status, label in theme.STATUS_LABELS.items()
    ]


def _figure_cards(
    session: Session, counts: pd.DataFrame, activation: pd.DataFrame, process: Process | None, chosen: str
) -> list[str]:
    members = []
    overall = activation[activation["week"].isna()] if len(activation) else activation
    if process is not None and len(overall) and overall["journeys"].iloc[0]:
        row = overall.iloc[0]
        pair = activation_pair(process)
        detail = f"median of {int(row['journeys']):,}; 90% within {parts.length(row['p90'] * 3600)}"
        members.append(
            parts.card(
                " to ".join(parts.words(one) for one in pair or ()).capitalize(),
                parts.length(row["median"] * 3600),
                detail,
                to=parts.href("/journeys", process=process.id),
            )
        )
    still = counts[counts["status"].isin(_OPEN)]
    troubled, running = int(still["troubled"].sum()), int(still["journeys"].sum())
    members.append(
        parts.card(
            "Open journeys with an exception",
            f"{troubled / running:.1%}" if running else parts.NOTHING,
            f"{troubled:,} of {running:,}",
            to="#causes",
        )
    )
    wanted = money.currency(session)
    at_risk = session.ask.at_risk("status", chosen, wanted, money.reference(), limit=len(_OPEN)).total
    if at_risk.money.objects:
        detail = "in late and stuck journeys"
        members.append(money.card("Money at risk", at_risk.money, wanted, detail, to="#risk"))
    status = session.ask.completeness()
    members.append(
        parts.card(
            "Correlated until",
            parts.ago(status["correlated_until"], session.now),
            f"lag {parts.length(status['lag_seconds'])}",
            to="#freshness",
        )
    )
    return members


def _charts(
    session: Session, counts: pd.DataFrame, activation: pd.DataFrame, process: Process | None, chosen: str
) -> None:
    st.html(parts.heading("Journeys by status"))
    st.plotly_chart(
        figures.status_bars(counts, {one: session.title(one) for one in set(counts["process"])}),
        config=_NO_BAR,
        key="status_bars",
    )
    left, middle, right = st.columns(3, gap="medium")
    with left:
        named = session.title(process.id) if process else ""
        st.html(parts.heading("Activation time", named))
        if len(activation) and activation["week"].notna().any():
            st.plotly_chart(figures.activation_trend(activation), config=_NO_BAR, key="activation")
        else:
            st.html(
                parts.empty("Nothing activated yet", "The trend begins with the first activated journey.")
            )
    with middle:
        st.html(parts.heading("Flow", "per week"))
        st.plotly_chart(figures.flow(session.ask.flow(chosen)), config=_NO_BAR, key="flow")
    with right:
        st.html(parts.heading("Exceptions", "per day"))
        days = session.ask.exceptions_by_day(chosen)
        if len(days):
            st.plotly_chart(figures.exceptions(days), config=_NO_BAR, key="exceptions")
        else:
            st.html(parts.empty("No exceptions", "Nothing failed in the last six weeks."))


def _overdue(session: Session, chosen: str) -> None:
    rows = session.ask.overdue(chosen)
    st.html(f'<div id="overdue">{parts.heading("Late and stuck journeys", "longest overdue first")}</div>')
    if rows.empty:
        st.html(parts.empty("Everything is on time", "No journey waits past its due time."))
        return
    names = session.ask.names(list(rows["id"]))
    st.html(
        parts.table(
            ["Journey", "Status", "Customer", "Waiting for", "Whose", "Overdue", "Amount", "Entity"],
            [
                [
                    parts.key(names.get(row["id"], f"id:{row['id']}"), parts.href("/journey", id=row["id"])),
                    parts.status_pill(row["status"]),
                    parts.text(row["customer"] or parts.NOTHING),
                    parts.text(parts.words(row["milestone"]) or "a blocking exception"),
                    parts.text(
                        owner_of(session.processes.get(row["process"]), row["milestone"]) or parts.NOTHING
                    ),
                    parts.text(parts.length(session.now - row["overdue_since"].to_pydatetime())),
                    parts.text(parts.money(row["amount"], row["currency"])),
                    parts.text(" · ".join(one for one in (row["entity"], row["region"]) if one)),
                ]
                for _, row in rows.iterrows()
            ],
            numeric=[5, 6],
            whole=[2, 3, 4, 7],
        )
    )


def _causes(session: Session, chosen: str) -> None:
    causes = session.ask.causes(chosen)
    st.html(f'<div id="causes">{parts.heading("Open exceptions by cause")}</div>')
    if causes.empty:
        st.html(parts.empty("No open exceptions", "Every failure was followed by a success."))
        return
    st.html(
        parts.table(
            ["Cause", "What it says", "Owner", "Exceptions", "Occurrences", "First seen", ""],
            [
                [
                    f"<b>{parts.text(row['code'] or row['class'] or 'unknown')}</b>",
                    parts.text(row["message"][:160]),
                    parts.text(row["owner"] or parts.NOTHING),
                    f"{row['exceptions']:,}",
                    f"{row['occurrences']:,}",
                    parts.text(parts.ago(row["first_seen"].to_pydatetime(), session.now)),
                    parts.link("Newest journey", parts.href("/journey", id=row["journey"]))
                    if row["journey"]
                    else "",
                ]
                for _, row in causes.iterrows()
            ],
            numeric=[3, 4],
            whole=[2, 5, 6],
        )
    )


def _freshness(session: Session) -> None:
    status = session.ask.completeness()
    st.html(f'<div id="freshness">{parts.heading("Freshness and completeness")}</div>')
    st.html(parts.cards(_completeness_cards(status)))
    _link_rates(session)
    sources = session.ask.sources()
    if sources.empty:
        return
    st.html(
        parts.table(
            [
                "System",
                "Connection",
                "Service",
                "Last event",
                "Events in 24 h",
                "Failed in 24 h",
                "Events in all",
            ],
            [
                [
                    parts.text(
                        " / ".join(one for one in (row["system"], row["platform"]) if one) or parts.NOTHING
                    ),
                    parts.text(row["connection"] or parts.NOTHING),
                    parts.text(row["service"] or parts.NOTHING),
                    parts.text(parts.ago(row["last_event_at"].to_pydatetime(), session.now)),
                    f"{row['events_24h']:,}",
                    f"{row['failed_24h']:,}",
                    f"{row['events']:,}",
                ]
                for _, row in sources.iterrows()
            ],
            numeric=[4, 5, 6],
            whole=[3],
        )
    )


def _link_rates(session: Session) -> None:
    """Of each level's objects, how many have a parent: where systems are not joined, journeys break off."""
    rates = session.ask.link_rates(tuple(session.processes.values()))
    if not rates:
        return
    st.html(
        parts.table(
            ["Process", "Level", "Objects", "With a parent", "Link rate", "Looked at"],
            [
                [
                    parts.text(session.title(one["process"])),
                    parts.text(" / ".join(one["level"])),
                    f"{one['objects']:,}",
                    f"{one['linked']:,}",
                    f"{one['rate']:.1%}",
                    f"{one['sampled']:.0%} of them",
                ]
                for one in rates
            ],
            numeric=[2, 3, 4],
            whole=[1],
        )
    )


def _mapping_card(mappings: dict[str, int]) -> list[str]:
    """What rules make of telemetry of others, if there are any."""
    if not mappings["rules"]:
        return []
    failed = mappings["quarantined"]
    detail = f"{failed:,} quarantined: throughline doctor says why" if failed else "events made by rules"
    colour = theme.STATE_COLOURS["late"] if failed else ""
    return [parts.card("Mapped", f"{mappings['events']:,}", detail, colour=colour)]


def _completeness_cards(status: dict[str, Any]) -> list[str]:
    received, stored = sum(status["received"].values()), sum(status["stored"].values())
    unlinked = status["ambiguous_links"] + status["detached"] + status["looped"]
    return [
        parts.card(
            "Received",
            f"{received:,}",
            f"{received - stored:,} on the way" if received > stored else "all stored",
        ),
        parts.card(
            "In the spool",
            f"{status['spool_bytes'] / 1e6:,.1f} MB",
            f"correlation lags {parts.length(status['lag_seconds'])}",
        ),
        parts.card("Dead letters", f"{status['dead_letters']:,}", "kept, with the reason"),
        parts.card(
            "Unlinked",
            f"{unlinked:,}",
            f"{status['ambiguous_links']:,} pairs named together: business.link says which; "
            f"{status['detached']:,} below hubs; {status['looped']:,} in loops of their own level",
        ),
        parts.card("Hub keys", f"{status['hub_keys']:,}", "too common to link by"),
        *_mapping_card(status["mappings"]),
        *_unheard_card(status["unheard"]),
    ]


def _unheard_card(unheard: list[dict[str, Any]]) -> list[str]:
    """What nobody can hear now: milestones that wait for it are blind."""
    if not unheard:
        return []
    names = ", ".join(one["event"] for one in unheard)
    detail = f"{names}: what waits for them is blind, not late"
    return [parts.card("Events not heard", f"{len(unheard):,}", detail, colour=theme.STATE_COLOURS["blind"])]


if __name__ == "__main__":
    page()
