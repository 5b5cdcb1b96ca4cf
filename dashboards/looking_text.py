"""What was known at a time, as text: each figure then and now, and what came late."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import Console

Row = tuple[str, float | None, float | None, str]
"""A figure: its name, then, now, and its unit."""

NO_EVENT = "by what links it, which was stored later"
"""What restated a journey without a late event of its own: evidence, spans, an event of another journey."""


def figures(then: dict[str, Any], now: dict[str, Any]) -> Iterator[Row]:
    """Every figure of two sides, side by side."""
    yield "journeys", then["journeys"], now["journeys"], ""
    for status, count in then["statuses"].items():
        yield status.replace("_", " "), count, now["statuses"][status], ""
    yield from _money(then, now)
    for name, one in then["milestones"].items():
        other = now["milestones"].get(name)
        if other and (one["median_hours"] is not None or other["median_hours"] is not None):
            yield f"median until {name.replace('_', ' ')}", one["median_hours"], other["median_hours"], "h"
    if then["cycles"] and now["cycles"]:
        for status, count in then["cycles"]["statuses"].items():
            yield f"cycles {status}", count, now["cycles"]["statuses"][status], ""
        sums = then["cycles"]["overdue"], now["cycles"]["overdue"]
        for currency in sorted({*sums[0], *sums[1]}):
            yield "overdue for billing", sums[0].get(currency, 0.0), sums[1].get(currency, 0.0), currency


def _money(then: dict[str, Any], now: dict[str, Any]) -> Iterator[Row]:
    sides = [
        {(one["status"], one["currency"]): one["amount"] for one in side["money_at_risk"]}
        for side in (then, now)
    ]
    for status, currency in sorted({*sides[0], *sides[1]}):
        pair = [side.get((status, currency), 0.0) for side in sides]
        yield f"money in {status} journeys", *pair, currency


def number(value: float | None, unit: str) -> str:
    """A figure as text."""
    if value is None:
        return "-"
    return f"{value:,.0f}" if not unit else f"{value:,.1f} h" if unit == "h" else f"{value:,.2f} {unit}"


def difference(row: Row) -> str:
    """What lies between then and now, with its sign; empty where nothing does that can be shown."""
    _, then, now, unit = row
    if then is None or now is None or number(abs(now - then), unit) == number(0, unit):
        return ""
    return ("+" if now > then else "") + number(now - then, unit)


def minute(moment: str) -> str:
    """A time of an answer, to the minute."""
    return moment[:16].replace("T", " ")


def render(found: dict[str, Any], console: Console) -> None:
    """One answer of `throughline as-of`."""
    in_use = "in use then" if found["definition"]["in_use"] == "then" else "in use now: none is on record"
    console.print(
        f"{found['process']}: as known at {minute(found['at'])} UTC, and what is known of that time now "
        f"({minute(found['known_at'])})"
    )
    console.print(f"definition version {found['definition']['version']}, {in_use}", end="\n\n")
    table = Table(box=None, pad_edge=False)
    for name in ("", "known then", "known now", "difference"):
        table.add_column(name, justify="right" if name else "left", no_wrap=True)
    for row in figures(found["then"], found["now"]):
        name, then, now, unit = row
        table.add_row(name, number(then, unit), number(now, unit), difference(row))
    console.print(table)
    console.print(f"\n{found['restated']['journeys']:,} journeys restated", end="\n\n")
    for one in found["restated"]["items"]:
        moved = ", ".join(f"{name}: {a} → {b}" for name, (a, b) in one["milestones"].items())
        was, became = ((status or "no journey").replace("_", " ") for status in (one["from"], one["to"]))
        status = was if was == became else f"{was} → {became}"
        console.print(f"{one['root'] or one['journey']}: {status}" + (f"; {moved}" if moved else ""))
        for late in one["late_events"]:
            happened, stored = minute(late["happened_at"]), minute(late["stored_at"])
            console.print(f"  {late['event']} of {happened}, stored {stored}")
        if not one["late_events"]:
            console.print(f"  {NO_EVENT}")
