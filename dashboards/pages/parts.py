"""Pieces of pages as HTML text: cards, pills, tables, links. Every value is escaped here and nowhere else."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from html import escape
from typing import Any
from urllib.parse import urlencode

from throughline.dashboards import theme

Html = str
"""Text that is HTML already; anything else goes through `text`."""

_MINUTE, _HOUR, _DAY = 60, 3600, 86400
NOTHING = "\N{EN DASH}"
"""What stands where there is no value."""
_MARKS = {"EUR": "€", "USD": "$", "GBP": "£", "JPY": "¥", "CHF": "CHF "}


def text(value: object) -> Html:
    """Escape a value."""
    return escape(str(value))


def href(page: str, **parameters: object) -> str:
    """Return the address of a page with its state; empty parameters are left out."""
    given = {name: str(value) for name, value in parameters.items() if value not in (None, "")}
    return f"{page}?{urlencode(given)}" if given else page


def strong(value: object) -> Html:
    """Return a bold value."""
    return f"<b>{text(value)}</b>"


def soft(value: object) -> Html:
    """Return a second, quieter line of a cell."""
    return f'<div class="tl-soft">{text(value)}</div>'


def link(label: object, address: str, *, strong: bool = True) -> Html:
    """Return a link."""
    weight = "" if strong else " style='font-weight:400'"
    return f'<a href="{escape(address)}" target="_self"{weight}>{text(label)}</a>'


def cut(label: object, address: str) -> Html:
    """Return a link whose end is left out where it is too long; pointing at it shows all."""
    return f'<div class="tl-cut" title="{text(label)}">{link(label, address)}</div>'


def key(of: str, address: str) -> Html:
    """Return the link of an object by its `namespace:value`."""
    namespace, _, value = of.partition(":")
    return cut(value or "unknown", address) + soft(namespace or "no key")


def heading(label: str, more: str = "") -> Html:
    """Return the heading of a part of a page."""
    return f'<div class="tl-h">{text(label)}<small>{text(more)}</small></div>'


def title(label: object, sub: Html = "") -> Html:
    """Return the heading of a page."""
    return f'<p class="tl-title">{text(label)}</p><p class="tl-sub">{sub}</p>'


def card(label: str, value: object, detail: str = "", *, to: str = "", colour: str = "") -> Html:
    """Return one number with its meaning; it leads to what it counts."""
    dot = f'<span class="tl-dot" style="background:{colour}"></span>' if colour else ""
    body = (
        f'<div class="l">{dot}{text(label)}</div><div class="v">{text(value)}</div>'
        f'<div class="d" title="{text(detail)}">{text(detail) or "&nbsp;"}</div>'
    )
    return (
        f'<a class="tl-card" href="{escape(to)}" target="_self">{body}</a>'
        if to
        else f'<div class="tl-card">{body}</div>'
    )


def cards(members: Iterable[Html]) -> Html:
    """Return cards in a row that wraps."""
    return f'<div class="tl-cards">{"".join(members)}</div>'


def status_pill(status: str) -> Html:
    """Return a journey's status."""
    return pill(theme.STATUS_LABELS.get(status, status), theme.STATUS_COLOURS.get(status, theme.MUTED))


def pill(label: str, colour: str) -> Html:
    """Return a coloured word."""
    return (
        f'<span class="tl-pill" style="background:{colour}1f;color:color-mix(in srgb,{colour} 72%,#101a33)">'
        f'<span class="tl-dot" style="background:{colour};width:7px;height:7px"></span>{text(label)}</span>'
    )


def steps(milestones: Mapping[str, Mapping[str, Any]]) -> Html:
    """Return a journey's milestones as a row of coloured bars."""
    bars = "".join(
        f'<i style="background:{theme.STATE_COLOURS[one["state"]]}" '
        f'title="{text(name.replace("_", " "))}: {text(theme.STATE_LABELS[one["state"]])}"></i>'
        for name, one in milestones.items()
    )
    return f'<span class="tl-steps">{bars}</span>'


def table(
    columns: Sequence[str],
    rows: Iterable[Sequence[Html]],
    *,
    numeric: Iterable[int] = (),
    whole: Iterable[int] = (),
    on: int = -1,
) -> Html:
    """Return a table: `numeric` columns stand right, `whole` ones are never broken, `on` is the row to
    point out.
    """
    style = dict.fromkeys(whole, "nw") | dict.fromkeys(numeric, "num")
    head = "".join(
        f'<th class="{style.get(place, "")}">{text(name)}</th>' for place, name in enumerate(columns)
    )
    body = "".join(
        f'<tr class="{"on" if place == on else ""}">'
        + "".join(f'<td class="{style.get(at, "")}">{cell}</td>' for at, cell in enumerate(row))
        + "</tr>"
        for place, row in enumerate(rows)
    )
    inner = f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody>"
    return f'<div class="tl-panel"><table class="tl-table">{inner}</table></div>'


def empty(label: str, advice: Html) -> Html:
    """Return what stands where data are missing: what to do."""
    return f'<div class="tl-empty"><b>{text(label)}</b>{advice}</div>'


def facts(members: Mapping[str, Html]) -> Html:
    """Return labelled facts in a row."""
    inner = "".join(
        f"<div><span>{text(name)}</span>{value}</div>" for name, value in members.items() if value
    )
    return f'<div class="tl-facts">{inner}</div>'


def verdict(members: Mapping[str, Html], *, colour: str) -> Html:
    """Return labelled sentences in a box that stands out in a colour."""
    inner = "".join(f"<div><span>{text(name)}</span>{value}</div>" for name, value in members.items())
    return f'<div class="tl-verdict" style="border-left-color:{colour}">{inner}</div>'


def trust(status: Mapping[str, Any], now: datetime) -> Html:
    """Return how fresh and how complete what stands below is, for the line under a page's title."""
    missing = sum(status["received"].values()) - sum(status["stored"].values())
    said = [
        f"as of {now:%H:%M:%S} UTC",
        f"correlated until {ago(status['correlated_until'], now)}",
        f"{missing:,} received but not stored yet" if missing > 0 else "everything received is stored",
    ]
    if status["dead_letters"]:
        said.append(f"{status['dead_letters']:,} dead letters")
    return link(", ".join(said), "/#freshness", strong=False)


def words(name: str) -> str:
    """Return the name of a milestone as it is read."""
    return name.replace("_", " ")


def keys(names: Sequence[str], *, most: int = 100, records: Mapping[str, str] | None = None) -> Html:
    """Return keys, each leading to the journeys that know it and, where `records` says, to its record."""
    shown = "".join(
        f'<a class="tl-key" href="{escape(href("/journeys", key=name))}" target="_self">{text(name)}</a>'
        + record((records or {}).get(name), name)
        for name in names[:most]
    )
    rest = len(names) - most
    return shown + (f'<span class="tl-soft">and {rest:,} more</span>' if rest > 0 else "")


def record(url: str | None, name: str) -> Html:
    """Return the mark that opens the record of a key in its own system; nothing if nobody says where."""
    if url is None:
        return ""
    label = f"Open the record of {name}"
    return (
        f'<a class="tl-open" href="{escape(url)}" target="_blank" rel="noopener noreferrer" '
        f'title="{text(label)}" aria-label="{text(label)}">↗</a>'
    )


def money(amount: Decimal | float | None, currency: str, *, short: bool = False) -> str:
    """Return an amount with its currency."""
    if amount is None or amount != amount:  # noqa: PLR0124 - NaN
        return NOTHING
    mark = _MARKS.get(currency, f"{currency} " if currency else "")
    if not short:
        return f"{mark}{amount:,.2f}"
    number = float(amount)
    for size, letter in ((1e9, "bn"), (1e6, "m"), (1e3, "k")):
        if abs(number) >= size:
            return f"{mark}{number / size:,.1f}{letter}"
    return f"{mark}{number:,.0f}"


def length(span: timedelta | float) -> str:
    """Return a length of time in the unit that reads best; a number is seconds."""
    seconds = span.total_seconds() if isinstance(span, timedelta) else span
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms" if seconds else "0 s"
    if seconds < 2 * _MINUTE:
        return f"{seconds:.1f} s"
    if seconds < 2 * _HOUR:
        return f"{seconds / _MINUTE:.0f} min"
    return f"{seconds / _HOUR:.1f} h" if seconds < 2 * _DAY else f"{seconds / _DAY:.1f} d"


def when(moment: datetime | None, *, seconds: bool = False) -> str:
    """Return a moment in UTC."""
    return (
        NOTHING
        if moment is None
        else f"{moment:%d %b %Y, %H:%M:%S}"
        if seconds
        else f"{moment:%d %b %Y, %H:%M}"
    )


def ago(moment: datetime | None, now: datetime) -> str:
    """Return how long ago a moment was."""
    if moment is None:
        return "never"
    since = (now - moment).total_seconds()
    return "just now" if since < 1 else f"{length(since)} ago"
