"""Journeys: find them by process, status, place or any key of theirs."""

from __future__ import annotations

import streamlit as st

from throughline.dashboards import theme
from throughline.dashboards.api.cursor import Cursor, decode, encode
from throughline.dashboards.api.problems import Problem
from throughline.dashboards.pages import address, parts
from throughline.dashboards.pages.main import current
from throughline.dashboards.reader import STATUSES, JourneyFilter, Position, Row
from throughline.dashboards.session import Session

_PAGE = 25
_FILTERS = ("process", "status", "region", "entity", "key", "cycle", "period")


def page() -> None:
    """Draw the page. Filters and position live in the address."""
    session = current()
    about = "Newest first; search by any key, under any of its names."
    trust = parts.trust(session.ask.completeness(), session.now)
    st.html(parts.title("Journeys", f"{about} &nbsp;·&nbsp; {trust}"))
    wanted = _filters(session)
    given = st.query_params.get("key", "")
    if given and wanted.key is None:
        st.html(parts.empty("That is not a key", "Write it as <code>namespace:value</code>."))
        return
    position = _position(session, wanted)
    rows = session.ask.journeys(wanted, limit=_PAGE + 1, after=position)
    if not rows:
        _nothing(wanted)
        return
    st.html(_table(session, rows[:_PAGE]))
    st.html(_paging(session, wanted, rows, first=position is None))


def _filters(session: Session) -> JourneyFilter:
    known = session.ask.dimensions()
    left, *middle, right = st.columns([2.2, 1.3, 1.1, 1.1, 3], vertical_alignment="bottom")
    process = address.choose(
        left,
        "Process",
        known.get("processes", []),
        "process",
        shown=lambda one: session.title(one) if one else "All processes",
    )
    status = address.choose(
        middle[0],
        "Status",
        STATUSES,
        "status",
        shown=lambda one: theme.STATUS_LABELS.get(one, one or "Any status"),
    )
    region = address.choose(
        middle[1], "Region", known.get("regions", []), "region", shown=lambda one: one or "Any"
    )
    entity = address.choose(
        middle[2], "Entity", known.get("entities", []), "entity", shown=lambda one: one or "Any"
    )
    key = address.search(right, "Key", "key", hint="salesforce.opportunity:00D5e…/006…")
    cycle, period = (st.query_params.get(name, "") for name in ("cycle", "period"))
    if cycle:
        st.html(_of_cycle(cycle, period))
    return JourneyFilter(
        process=process,
        status=status,
        region=region,
        entity=entity,
        cycle=cycle,
        period=period,
        key=_key(key),
    )


def _of_cycle(cycle: str, period: str) -> str:
    kept = {name: st.query_params.get(name, "") for name in _FILTERS if name not in ("cycle", "period")}
    every = parts.link("Show all", parts.href("/journeys", **kept))
    since = f" from {parts.text(period)}" if period else ""
    whose = parts.strong(cycle)
    return f'<p class="tl-sub">Of the billing cycle of {whose}{since} &nbsp;·&nbsp; {every}</p>'


def _key(given: str) -> tuple[str, str] | None:
    namespace, colon, value = given.strip().partition(":")
    return (namespace.strip(), value.strip()) if colon and namespace.strip() and value.strip() else None


def _position(session: Session, wanted: JourneyFilter) -> Position | None:
    given = st.query_params.get("after")
    if not given:
        return None
    try:
        cursor = decode(given, tenant=session.principal.tenant, filters=_digest(wanted))
    except Problem:
        return None  # filters changed since: begin again
    return Position(cursor.opened_at, int(cursor.last, 16))


def _digest(wanted: JourneyFilter) -> dict[str, str]:
    return {"list": "journeys page", "filter": repr(wanted)}


def _nothing(wanted: JourneyFilter) -> None:
    if wanted != JourneyFilter():
        st.html(parts.empty("No journey matches", parts.link("Remove all filters", "/journeys")))
    else:
        st.html(parts.empty("No journeys yet", "They appear here as soon as business events arrive."))


def _table(session: Session, rows: list[Row]) -> str:
    several = len({row["Process"] for row in rows}) > 1
    columns = ["Journey", "Status", "Customer", "Milestones", "Opened", "Last event", "Amount", "Exceptions"]
    return parts.table(
        [*columns, "Process"] if several else columns,
        [_row(session, row, several=several) for row in rows],
        numeric=[6],
        whole=[2, 4, 5, 7],
    )


def _row(session: Session, row: Row, *, several: bool) -> list[str]:
    namespace, _, value = (row["keys"][0] if row["keys"] else f"id:{row['Id']}").partition(":")
    place = " · ".join(one for one in (row["Entity"], row["Region"]) if one)
    troubled = row["OpenExceptions"]
    cells = [
        parts.cut(value, parts.href("/journey", id=row["Id"])) + parts.soft(namespace),
        parts.status_pill(row["Status"]),
        f'{parts.text(row["Customer"] or parts.NOTHING)}<div class="tl-soft">{parts.text(place)}</div>',
        parts.steps(row["milestones"]),
        parts.text(parts.when(row["OpenedAt"])),
        parts.text(parts.ago(row["LastEventAt"], session.now)),
        parts.text(parts.money(row["Amount"], row["Currency"])),
        parts.pill(f"{troubled:,} open", theme.STATUS_COLOURS["stuck"])
        if troubled
        else parts.soft(parts.NOTHING),
    ]
    return [*cells, parts.text(session.title(row["Process"]))] if several else cells


def _paging(session: Session, wanted: JourneyFilter, rows: list[Row], *, first: bool) -> str:
    state = {name: st.query_params.get(name, "") for name in _FILTERS}
    newest = "" if first else parts.link("← Newest", parts.href("/journeys", **state))
    older = ""
    if len(rows) > _PAGE:
        last = rows[_PAGE - 1]
        cursor = Cursor(session.now, last["OpenedAt"], last["Id"])
        after = encode(cursor, tenant=session.principal.tenant, filters=_digest(wanted))
        older = parts.link("Older →", parts.href("/journeys", **state, after=after))
    return f'<div class="tl-nav"><span>{newest}</span><span>{older}</span></div>'


if __name__ == "__main__":
    page()
