"""Every figure: a frame or rows in, a plotly figure out. Nothing here knows about pages or the store."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from throughline.dashboards import theme

_FONT = {"family": '"Source Sans", "Source Sans 3", system-ui, sans-serif', "size": 13, "color": theme.INK}
_ROW = 46
_BAR_OF_A_DAY = 0.65 * 86_400_000  # milliseconds
_FEW_PERIODS = 14
"""So many have a label each."""
_FEWEST_DAYS = pd.Timedelta(days=27)
_FEW = 5
"""Below this many, whole numbers are marked one by one: there is no half exception."""


def blank(*, height: int, **layout: Any) -> go.Figure:
    """An empty figure as all of ours look."""
    figure = go.Figure()
    figure.update_layout(
        height=height,
        font=_FONT,
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        margin={"l": 12, "r": 18, "t": 44, "b": 12},
        hoverlabel={"bgcolor": theme.INK, "bordercolor": theme.INK, "font": {"color": "#fff", "size": 13}},
        legend={
            "orientation": "h",
            "x": 0,
            "xanchor": "left",
            "y": 1,
            "yanchor": "bottom",
            "traceorder": "normal",
            "font": {"color": theme.MUTED, "size": 13},
        },
        bargap=0.35,
        **layout,
    )
    figure.update_xaxes(
        gridcolor="#eef1f7",
        linecolor=theme.LINE,
        zeroline=False,
        tickfont={"color": theme.MUTED},
        automargin=True,
    )
    figure.update_yaxes(gridcolor="#eef1f7", zeroline=False, tickfont={"color": theme.MUTED}, automargin=True)
    return figure


def status_bars(counts: pd.DataFrame, titles: Mapping[str, str]) -> go.Figure:
    """Journeys of each process by status, as one stacked bar per process.

    Args:
        counts: process, status, journeys.
        titles: what each process is called.
    """
    order = sorted(set(counts["process"]), reverse=True)
    figure = blank(height=76 + _ROW * len(order), barmode="stack")
    for status, label in theme.STATUS_LABELS.items():
        part = counts[counts["status"] == status]
        figure.add_bar(
            y=[short(titles.get(one, one)) for one in part["process"]],
            x=part["journeys"],
            name=label,
            orientation="h",
            marker={"color": theme.STATUS_COLOURS[status], "line": {"width": 1.5, "color": theme.PAPER}},
            text=part["journeys"],
            textposition="inside",
            insidetextanchor="middle",
            textfont={"color": "#fff", "size": 13},
            hovertemplate=f"{label}: %{{x:,}}<extra>%{{y}}</extra>",
        )
    figure.update_xaxes(visible=False)
    figure.update_yaxes(categoryorder="array", categoryarray=[short(titles.get(one, one)) for one in order])
    figure.update_yaxes(tickfont={"color": theme.INK, "size": 14})
    return figure


def activation_trend(weeks: pd.DataFrame) -> go.Figure:
    """Median and 90th percentile of activation by week.

    Args:
        weeks: week, median and p90 (hours), journeys; a row without week is left out.
    """
    weeks = weeks[weeks["week"].notna()]
    unit, divisor = unit_of(weeks["p90"].max() if len(weeks) else 0.0)
    figure = blank(height=270, hovermode="x unified")
    figure.add_scatter(
        x=weeks["week"],
        y=weeks["p90"] / divisor,
        name="90th percentile",
        mode="lines",
        line={"color": "#a5b4fc", "width": 2, "shape": "spline", "smoothing": 0.6},
        fill="tozeroy",
        fillcolor="rgba(76,110,245,.08)",
        hovertemplate=f"%{{y:.1f}} {unit}",
    )
    figure.add_scatter(
        x=weeks["week"],
        y=weeks["median"] / divisor,
        name="Median",
        mode="lines+markers",
        line={"color": theme.ACCENT, "width": 3, "shape": "spline", "smoothing": 0.6},
        marker={"size": 7, "color": theme.PAPER, "line": {"color": theme.ACCENT, "width": 2.5}},
        customdata=weeks["journeys"],
        hovertemplate=f"%{{y:.1f}} {unit}, %{{customdata:,}} journeys",
    )
    figure.update_yaxes(title={"text": unit, "font": {"color": theme.FAINT, "size": 12}}, rangemode="tozero")
    figure.update_xaxes(showgrid=False, hoverformat="week of %-d %b %Y")
    return figure


def flow(weeks: pd.DataFrame) -> go.Figure:
    """Journeys opened and completed per week.

    Args:
        weeks: week, opened, completed.
    """
    figure = blank(height=270, barmode="group", hovermode="x unified")
    for column, label, colour in (
        ("opened", "Opened", theme.STATUS_COLOURS["in_flight"]),
        ("completed", "Completed", theme.STATUS_COLOURS["completed"]),
    ):
        figure.add_bar(
            x=weeks["week"],
            y=weeks[column],
            name=label,
            marker={"color": colour, "cornerradius": 4},
            hovertemplate="%{y:,}",
        )
    figure.update_xaxes(showgrid=False, hoverformat="week of %-d %b %Y")
    return figure


def billing(periods: pd.DataFrame) -> go.Figure:
    """Money by billing period, in one currency.

    Args:
        periods: first_day, done, waiting, overdue.
    """
    figure = blank(height=270, barmode="stack", hovermode="x unified")
    for column, label, colour in (
        ("done", "Billed", theme.CYCLE_COLOURS["complete"]),
        ("waiting", "Not billed yet", theme.CYCLE_COLOURS["open"]),
        ("overdue", "Overdue", theme.CYCLE_COLOURS["late"]),
    ):
        figure.add_bar(
            x=pd.to_datetime(periods["first_day"]),
            y=periods[column].astype(float),
            name=label,
            marker={"color": colour, "cornerradius": 4},
            hovertemplate="%{y:,.2f}",
        )
    figure.update_xaxes(showgrid=False, hoverformat="period from %-d %b %Y")
    if len(periods) <= _FEW_PERIODS:
        figure.update_xaxes(tickvals=pd.to_datetime(periods["first_day"]), tickformat="%-d %b<br>%Y")
    return figure


def exceptions(days: pd.DataFrame) -> go.Figure:
    """Exceptions opened (up) and resolved (down) per day.

    Args:
        days: day, opened, resolved.
    """
    figure = blank(height=270, barmode="relative", hovermode="x unified")
    last = pd.Timestamp(days["day"].max())
    first = min(pd.Timestamp(days["day"].min()), last - _FEWEST_DAYS)
    figure.add_bar(
        x=days["day"],
        y=days["opened"],
        name="Opened",
        width=_BAR_OF_A_DAY,
        marker={"color": theme.STATUS_COLOURS["stuck"], "cornerradius": 3},
        hovertemplate="%{y:,}",
    )
    figure.add_bar(
        x=days["day"],
        y=-days["resolved"],
        customdata=days["resolved"],
        name="Resolved",
        width=_BAR_OF_A_DAY,
        marker={"color": theme.STATUS_COLOURS["completed"], "cornerradius": 3},
        hovertemplate="%{customdata:,}",
    )
    margin = pd.Timedelta(days=1)
    figure.update_xaxes(showgrid=False, hoverformat="%-d %b %Y", range=[first - margin, last + margin])
    few = max(days["opened"].max(), days["resolved"].max()) < _FEW
    figure.update_yaxes(tickformat="~s", dtick=1 if few else None)
    return figure


def unit_of(hours: float) -> tuple[str, float]:
    """The unit in which a time reads best, and how many hours it has."""
    if hours >= 72:  # noqa: PLR2004 - from three days on, days read better
        return "days", 24.0
    return ("hours", 1.0) if hours >= 1 else ("minutes", 1 / 60)


def short(text: str) -> str:
    """A text that fits beside a bar."""
    return text if len(text) <= 32 else f"{text[:31]}…"  # noqa: PLR2004 - what fits beside a bar
