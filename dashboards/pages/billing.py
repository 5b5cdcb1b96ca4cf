"""Billing: of the time that was approved, what is billed, and what is overdue after each period's cut-off."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from decimal import Decimal

import pandas as pd
import streamlit as st

from throughline.dashboards import figures, theme
from throughline.dashboards.money import EVERY_PERIOD, NO_MONEY, STANDINGS, Figures
from throughline.dashboards.pages import address, money, parts
from throughline.dashboards.pages.main import current
from throughline.dashboards.pages.paging import Paging
from throughline.dashboards.reader import Row
from throughline.dashboards.session import Session

_PAGE = 25
_STATUSES = tuple(theme.CYCLE_LABELS)
_FILTERS = ("process", "status")


def page() -> None:
    """Draw the page. Filters and position live in the address."""
    session = current()
    trust = parts.trust(session.ask.completeness(), session.now)
    st.html(parts.title("Billing", f"What was worked, by project and billing period. &nbsp;·&nbsp; {trust}"))
    process, status = _filters(session)
    wanted = money.currency(session)
    found = session.ask.billing(process, wanted, money.reference())
    if not found.items:
        st.html(
            parts.empty(
                "No billing cycles yet",
                "They appear with the journeys of a process that has a <code>cycle</code>, such as "
                "<code>time-to-billing</code>: its time cards name their project and the day of work.",
            )
        )
        return
    st.html(parts.cards(_cards(found, process)))
    st.html(money.basis(found))
    _charts(found)
    st.html(parts.heading("Cycles", "latest period first"))
    paging = Paging(session, "/billing", {"process": process, "status": status}, _FILTERS)
    cursor = paging.position()
    after = (cursor.opened_at.date(), cursor.last) if cursor else None
    rows = session.ask.cycles(process, status, limit=_PAGE + 1, after=after)
    st.html(_table(session, rows[:_PAGE]))
    st.html(paging.links("← Latest", "Earlier →", _place(rows[_PAGE - 1]) if len(rows) > _PAGE else None))


def _charts(found: Figures) -> None:
    columns = st.columns(2, gap="medium")
    periods = _periods(found)
    for place, currency in enumerate(sorted(set(periods["currency"]))):
        with columns[place % 2]:
            st.html(parts.heading("Approved time by period", currency or "without a currency"))
            chart = figures.billing(periods[periods["currency"] == currency])
            st.plotly_chart(chart, config={"displayModeBar": False}, key=f"billing_{currency}")


def _periods(found: Figures) -> pd.DataFrame:
    """Money by period, with a row for each currency that is shown: first_day, currency, done, waiting,
    overdue. What could not be converted keeps its own.
    """
    wanted = found.basis.currency
    rows: dict[tuple[date, str], dict[str, Decimal]] = {}
    for one in found.items:
        day, _, standing = one.name.partition(" ")
        if day == EVERY_PERIOD:
            continue
        shown = dict(one.money.unconverted) if wanted else dict(one.money.amounts)
        if wanted:
            shown[wanted] = shown.get(wanted, Decimal(0)) + (one.money.converted or Decimal(0))
        for currency, amount in shown.items():
            sums = rows.setdefault((date.fromisoformat(day), currency), dict.fromkeys(STANDINGS, Decimal(0)))
            sums[standing] += amount
    return pd.DataFrame(
        [{"first_day": day, "currency": currency, **sums} for (day, currency), sums in sorted(rows.items())],
        columns=["first_day", "currency", *STANDINGS],
    )


def _filters(session: Session) -> tuple[str, str]:
    cycled = [one for one, process in session.processes.items() if process.cycle]
    left, right, _ = st.columns([2, 1.3, 4], vertical_alignment="bottom")
    process = address.choose(
        left, "Process", cycled, "process", shown=lambda one: session.title(one) if one else "All processes"
    )
    status = address.choose(
        right, "Status", _STATUSES, "status", shown=lambda one: theme.CYCLE_LABELS.get(one, "Any status")
    )
    return process, status


def _cards(found: Figures, process: str) -> list[str]:
    labels = {
        "overdue": ("Overdue for billing", "past its due time after the cut-off", "late"),
        "waiting": ("Not billed yet", "approved, and in time so far", "open"),
        "done": ("Billed", "in the last 13 months", "complete"),
    }
    wanted = found.basis.currency
    standings = {one.name: one.money for one in found.items}
    cards = []
    for name, (label, detail, status) in labels.items():
        one = standings.get(f"{EVERY_PERIOD} {name}", NO_MONEY)
        to, colour = parts.href("/billing", status=status), theme.CYCLE_COLOURS[status]
        cards.append(money.card(label, one, wanted, detail, to=to, colour=colour))
    inside = found.total.intercompany
    if inside.journeys:
        to = parts.href("/journeys", process=process, intercompany="yes")
        cards.append(money.card("Intercompany", inside, wanted, "left out of the others", to=to))
    return cards


def _table(session: Session, rows: list[Row]) -> str:
    columns = ["Project", "Period", "Status", "Cut off", "Done", "Approved", "Billed", "Overdue"]
    return parts.table(columns, [_row(session, row) for row in rows], numeric=[4, 5, 6, 7], whole=[1, 2, 3])


def _row(session: Session, row: Row) -> list[str]:
    members = {"process": row["process"], "cycle": row["object"], "period": row["first_day"].isoformat()}
    waiting = f"{row['blocked']:,} blocked" if row["blocked"] else ""
    return [
        parts.key(row["object"], parts.href("/journeys", **members)),
        parts.text(f"{row['first_day']:%d %b} to {row['last_day']:%d %b %Y}"),
        parts.pill(theme.CYCLE_LABELS[row["status"]], theme.CYCLE_COLOURS[row["status"]]),
        parts.text(_cut_off(row["cut_off_at"], session.now)),
        parts.text(f"{row['completed']:,} of {row['journeys']:,}") + parts.soft(waiting),
        parts.text(_sums(row["amount"])),
        parts.text(_sums(row["completed_amount"])),
        parts.text(_sums(row["overdue_amount"])),
    ]


def _place(row: Row) -> tuple[datetime, str]:
    return datetime.combine(row["first_day"], time(), tzinfo=UTC), row["id"]


def _cut_off(moment: datetime, now: datetime) -> str:
    return f"in {parts.length(moment - now)}" if moment > now else parts.ago(moment, now)


def _sums(amounts: dict[str, Decimal]) -> str:
    shown = [parts.money(amount, currency) for currency, amount in amounts.items() if amount]
    return ", ".join(shown) or parts.NOTHING


if __name__ == "__main__":
    page()
