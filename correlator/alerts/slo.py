"""Objectives: how much of the error budget is left, and the rules that say how fast it burns.

A budget burns at rate 1 if it would be used up exactly at the end of the objective's window. Three pairs of
windows, each pair one rule: the long window tells that it matters, the short one that it still happens, so
that the alert ends soon after the trouble does.

Source: The Site Reliability Workbook, chapter 5, "Multiwindow, Multi-Burn-Rate Alerts".
"""

# ruff: noqa: S608 - SQL is generated here from validated parts

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from throughline.correlator.alerts.windows import begins
from throughline.correlator.durations import parse_duration

if TYPE_CHECKING:
    from datetime import datetime

    from throughline.correlator.alerts.rule import Slo
    from throughline.correlator.business_calendar import BusinessCalendar


@dataclass(frozen=True, slots=True)
class Burn:
    """One pair of windows: how fast the budget must burn in both, and what the alert's severity is."""

    rate: float
    long: str
    short: str
    severity: str


BURNS = (
    Burn(14.4, "1h", "5m", "page"),
    Burn(6.0, "6h", "30m", "page"),
    Burn(1.0, "3d", "6h", "ticket"),
)


def burn_sql(slo: Slo, burn: Burn, now: datetime, calendar: BusinessCalendar | None) -> str:
    """The SELECT of one burn-rate rule at one time: a row for each label set whose budget burns so fast in
    both windows; the value is the rate over the long one.
    """
    starts = [begins(parse_duration(text), now, calendar) for text in (burn.long, burn.short)]
    allowed = allowed_share(slo)
    # An objective of 90 % cannot burn at 14.4 even if everything is bad: then the rule waits for that.
    rate = min(burn.rate, 1 / allowed)
    long, short = (f"{share} / {allowed!r}" for share in (_share(starts[0]), _share(starts[1])))
    enough = f"countIf(NOT good AND time > {instant(starts[0])}) >= {slo.at_least}"
    return (
        f"SELECT {_columns(slo)}{long} AS value FROM ({slo.expr}) AS journeys_of_slo "
        f"WHERE time > {instant(starts[0])} AND time <= {instant(now)}{_grouped(slo)} "
        f"HAVING value >= {rate!r} AND {short} >= {rate!r} AND {enough}"
    )


def budget_sql(slo: Slo, now: datetime, calendar: BusinessCalendar | None) -> str:
    """The SELECT of an objective's standing: labels, `valid`, `good`, and the burn rate in each window."""
    since = begins(slo.period, now, calendar)
    spans = sorted({text for burn in BURNS for text in (burn.long, burn.short)})
    rates = "".join(
        f", {_share(begins(parse_duration(text), now, calendar))} / {allowed_share(slo)!r} AS burn_{text}"
        for text in spans
    )
    return (
        f"SELECT {_columns(slo)}count() AS valid, countIf(good) AS kept{rates} "
        f"FROM ({slo.expr}) AS journeys_of_slo "
        f"WHERE time > {instant(since)} AND time <= {instant(now)}{_grouped(slo)}"
    )


def allowed_share(slo: Slo) -> float:
    """The share that may be bad."""
    return round(1 - slo.objective / 100, 9)


def instant(at: datetime) -> str:
    """An instant as SQL."""
    return f"toDateTime64('{at:%Y-%m-%d %H:%M:%S.%f}', 6, 'UTC')"


def _share(since: datetime) -> str:
    """The share of bad ones since then; 0 without any."""
    counted = f"countIf(time > {instant(since)})"
    return f"ifNull(countIf(NOT good AND time > {instant(since)}) / nullIf({counted}, 0), 0)"


def _columns(slo: Slo) -> str:
    return "".join(f"{name}, " for name in slo.label_columns)


def _grouped(slo: Slo) -> str:
    return f" GROUP BY {', '.join(slo.label_columns)}" if slo.label_columns else ""
