"""Journeys: find them by process, status, place or any key of theirs."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from throughline.dashboards import theme
from throughline.dashboards.api.money import behind_of
from throughline.dashboards.api.problems import Problem
from throughline.dashboards.money import ANY, Behind, Internal
from throughline.dashboards.pages import address, money, parts
from throughline.dashboards.pages.main import current
from throughline.dashboards.pages.paging import Paging
from throughline.dashboards.reader import STATUSES, JourneyFilter, Position, Row
from throughline.dashboards.session import Session

_PAGE = 25
_FILTERS = (
    "process",
    "status",
    "region",
    "entity",
    "key",
    "cycle",
    "period",
    "at_risk",
    "reference",
    "intercompany",
    "outlook",
)
_LIKELY = "likely_late"


def page() -> None:
    """Draw the page. Filters and position live in the address."""
    session = current()
    about = "Newest first; search by any key, under any of its names."
    trust = parts.trust(session.ask.completeness(), session.now)
    st.html(parts.title("Journeys", f"{about} &nbsp;·&nbsp; {trust}"))
    try:
        wanted = replace(_filters(session), behind=_behind())
    except Problem as problem:
        st.html(parts.empty("That filter is not known", parts.text(problem.detail)))
        return
    given = st.query_params.get("key", "")
    if given and wanted.key is None:
        st.html(parts.empty("That is not a key", "Write it as <code>namespace:value</code>."))
        return
    paging = Paging(session, "/journeys", {"filter": repr(wanted)}, _FILTERS)
    cursor = paging.position()
    after = Position(cursor.opened_at, int(cursor.last, 16)) if cursor else None
    rows = session.ask.journeys(wanted, limit=_PAGE + 1, after=after, likely=session.likely(wanted))
    if not rows:
        _nothing(wanted)
        return
    st.html(_table(session, rows[:_PAGE]))
    last = (rows[_PAGE - 1]["OpenedAt"], rows[_PAGE - 1]["Id"]) if len(rows) > _PAGE else None
    st.html(paging.links("← Newest", "Older →", last))


def _filters(session: Session) -> JourneyFilter:
    known = session.ask.dimensions()
    left, *middle, right = st.columns([2.2, 1.3, 1.1, 1.1, 1.3, 2.6], vertical_alignment="bottom")
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
    outlook = address.choose(
        middle[3], "Outlook", [_LIKELY], "outlook", shown=lambda one: "Likely late" if one else "Any"
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
        likely_late=outlook == _LIKELY,
    )


def _of_cycle(cycle: str, period: str) -> str:
    kept = {name: st.query_params.get(name, "") for name in _FILTERS if name not in ("cycle", "period")}
    every = parts.link("Show all", parts.href("/journeys", **kept))
    since = f" from {parts.text(period)}" if period else ""
    whose = parts.strong(cycle)
    return f'<p class="tl-sub">Of the billing cycle of {whose}{since} &nbsp;·&nbsp; {every}</p>'


def _behind() -> Behind:
    """The figure of money whose journeys are asked for. Raises: Problem."""
    asked = {name: st.query_params.get(name, "") for name in ("at_risk", "intercompany")}
    internal: Internal = "yes" if asked["intercompany"] == "yes" else "no" if asked["intercompany"] else ""
    found = behind_of(asked["at_risk"], money.reference(), internal)
    if found != ANY:
        kept = {name: st.query_params.get(name, "") for name in _FILTERS if name not in asked}
        every = parts.link("Show all", parts.href("/journeys", **{**kept, "reference": ""}))
        about = [f"late or stuck: {parts.words(found.by)} {found.name}".strip()] if found.by else []
        about += [{"yes": "intercompany only", "no": "without intercompany"}[internal]] if internal else []
        st.html(f'<p class="tl-sub">{parts.strong(", ".join(about))} &nbsp;·&nbsp; {every}</p>')
    return found


def _key(given: str) -> tuple[str, str] | None:
    namespace, colon, value = given.strip().partition(":")
    return (namespace.strip(), value.strip()) if colon and namespace.strip() and value.strip() else None


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
    name = row["keys"][0] if row["keys"] else f"id:{row['Id']}"
    record = parts.record(session.records([name]).get(name), name)
    place = " · ".join(one for one in (row["Entity"], row["Region"]) if one)
    troubled = row["OpenExceptions"]
    cells = [
        parts.key(name, parts.href("/journey", id=row["Id"])) + record,
        parts.status_pill(row["Status"]) + _outlook(session, row),
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


def _outlook(session: Session, row: Row) -> str:
    """Which milestone is likely late though its due time has not come."""
    late = [(name, one) for name, one in session.outlook(row).items() if one["likely_late"]]
    if not late:
        return ""
    name, one = late[0]
    said = f"likely late: {parts.words(name)}, {one['in_time']:,} of {one['based_on']:,} made it in time"
    held = one["calibrated"]
    turned_out = f"; of {held['predictions']:,} told so, {held['observed']:.0%} did" if held else ""
    return parts.soft(said + turned_out)


if __name__ == "__main__":
    page()
