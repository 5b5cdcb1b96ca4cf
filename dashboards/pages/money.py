"""Money on pages: cards, tables, and lines that say in which currency, at which rates, without what."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from throughline.correlator.currencies import CURRENCIES
from throughline.dashboards.pages import address, parts

if TYPE_CHECKING:
    from collections.abc import Mapping
    from decimal import Decimal

    from throughline.dashboards.money import By, Figure, Figures, Reference, Sum
    from throughline.dashboards.session import Session

_BY: Mapping[By, str] = {
    "milestone": "Late milestone",
    "cause": "Cause of exception",
    "exception": "Exception",
    "owner": "Owner",
    "team": "Owner's team",
    "entity": "Entity",
    "parent": "Entity's parent",
    "customer": "Customer",
    "group": "Customer group",
}
_REFERENCED = {"team", "parent", "customer", "group"}
"""What reference tables say, so that it makes a difference of which day."""
_UNNAMED = {
    "group": "no group",
    "team": "no team",
    "parent": "no parent",
    "customer": "no customer",
    "owner": "nobody",
    "entity": "no entity",
}
_ROWS = 12


def currency(session: Session) -> str:
    """Return the currency that figures are shown in: that of the address, else the configured one; empty
    text means their own.
    """
    asked = st.query_params.get("currency", "")
    return asked if asked in CURRENCIES else session.deps.settings.reporting_currency


def reference() -> Reference:
    """Return of which day reference data are to be: of each fact, or today."""
    return "as_is" if st.query_params.get("reference") == "as_is" else "as_was"


def card(label: str, one: Sum, wanted: str, detail: str, *, to: str, colour: str = "") -> parts.Html:
    """Return a sum as a card, in the reporting currency if there is one."""
    if wanted:
        left = _listed(one.unconverted)
        more = f"{detail}; not converted: {left}" if left else detail
        return parts.card(label, parts.money(one.converted, wanted, short=True), more, to=to, colour=colour)
    by_size = sorted(one.amounts.items(), key=lambda pair: -pair[1])
    first = by_size[0] if by_size else ("", 0)
    rest = ", ".join(parts.money(amount, name, short=True) for name, amount in by_size[1:4])
    more = f"and {rest}; {detail}" if rest else detail
    return parts.card(label, parts.money(first[1], first[0], short=True), more, to=to, colour=colour)


def basis(found: Figures) -> parts.Html:
    """Return on what figures rest, in one line."""
    rates, wanted = found.total.rates, found.basis.currency
    said = []
    if wanted and rates.objects and rates.first and rates.last:
        days = (
            f"of {rates.first:%d %b %Y}"
            if rates.first == rates.last
            else f"from {rates.first:%d %b %Y} to {rates.last:%d %b %Y}"
        )
        said.append(
            f"{wanted} by the rates {days} ({', '.join(rates.sources)}) that were valid on the day of each "
            f"amount; {rates.objects:,} of {found.total.money.objects + found.total.intercompany.objects:,} "
            "objects were converted"
        )
    elif wanted:
        said.append(f"{wanted}; nothing was converted")
    if left := _listed(found.total.money.unconverted):
        said.append(f"no rate for {left}: not in the sum")
    excluded = found.total.intercompany
    if excluded.journeys:
        said.append(f"intercompany left out: {_sum(excluded, wanted)} in {excluded.journeys:,} journeys")
    when = "as they are today" if found.basis.reference == "as_is" else "as of the day of each amount"
    said.append(f"reference tables {when}" if found.basis.tables else "no reference tables are configured")
    return f'<p class="tl-sub">{parts.text("; ".join(said))}.</p>'


def at_risk(session: Session, process: str) -> None:
    """Draw what late and stuck journeys are worth, by what the visitor chooses."""
    st.html(f'<div id="risk">{parts.heading("Value at risk", "each object counts once")}</div>')
    by = _choose_by()
    wanted = currency(session)
    found = session.ask.at_risk(by, process, wanted, reference(), limit=_ROWS)
    if not found.items:
        st.html(parts.empty("Nothing is at risk", "No late or stuck journey falls under this."))
        return
    total = found.total.money
    columns = [_BY[by], "Whose", "Journeys", "Value", *([f"In {wanted}"] if wanted else []), "Intercompany"]
    rows = [_row(session, one, by, process, wanted) for one in found.items]
    rows.append(
        [
            parts.strong("All, each object once"),
            "",
            f"{total.journeys:,}",
            parts.text(_listed(total.amounts) or parts.NOTHING),
            *([parts.text(parts.money(total.converted, wanted))] if wanted else []),
            parts.text(_sum(found.total.intercompany, wanted)),
        ]
    )
    st.html(parts.table(columns, rows, numeric=range(2, len(columns)), whole=[1]))
    cut = f"The {len(found.items)} greatest are shown; the API lists all. " if found.more else ""
    st.html(f'<p class="tl-sub">{cut}</p>{basis(found)}')


def _choose_by() -> By:
    left, right, _ = st.columns([1.4, 1.6, 4], vertical_alignment="bottom")
    asked = address.choose(left, "By", [one for one in _BY if one != "milestone"], "by", shown=_label)
    by: By = next((one for one in _BY if one == asked), "milestone")
    if by in _REFERENCED:
        address.choose(
            right,
            "Reference data",
            ["as_is"],
            "reference",
            shown=lambda one: "As they are today" if one else "As they were then",
        )
    return by


def _label(asked: str) -> str:
    return next((label for one, label in _BY.items() if one == (asked or "milestone")), asked)


def _row(session: Session, one: Figure, by: By, process: str, wanted: str) -> list[parts.Html]:
    state = {
        "process": one.process or process,
        "at_risk": f"{by}:{one.name}",
        "reference": "as_is" if reference() == "as_is" else "",
    }
    inside = one.intercompany
    return [
        parts.link(_name(one, by), parts.href("/journeys", **state, intercompany="no"))
        + (parts.soft(session.title(one.process)) if one.process else ""),
        parts.text((one.owner or parts.NOTHING) if by in {"milestone", "exception", "cause"} else ""),
        f"{one.money.journeys:,}",
        parts.text(_listed(one.money.amounts) or parts.NOTHING),
        *([_converted(one.money, wanted)] if wanted else []),
        parts.link(_sum(inside, wanted), parts.href("/journeys", **state, intercompany="yes"))
        if inside.journeys
        else parts.NOTHING,
    ]


def _name(one: Figure, by: By) -> str:
    if by == "milestone":
        return parts.words(one.name)
    if by in {"exception", "cause"}:
        return f"{one.code or 'unknown'}: {one.message[:80]}" if one.message else one.code or one.name
    return one.name or _UNNAMED.get(by, "unknown")


def _converted(one: Sum, wanted: str) -> parts.Html:
    left = _listed(one.unconverted)
    return parts.text(parts.money(one.converted, wanted)) + (parts.soft(f"without {left}") if left else "")


def _sum(one: Sum, wanted: str) -> str:
    """A sum in the reporting currency, and what is not in it."""
    if not wanted:
        return _listed(one.amounts) or parts.NOTHING
    left = _listed(one.unconverted)
    shown = parts.money(one.converted, wanted)
    return f"{shown} and {left}" if left else shown if one.journeys else parts.NOTHING


def _listed(amounts: Mapping[str, Decimal]) -> str:
    """Sums by currency, the greatest first."""
    ordered = sorted(amounts.items(), key=lambda pair: -pair[1])
    return ", ".join(parts.money(amount, name) for name, amount in ordered if amount)
