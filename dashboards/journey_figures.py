"""The figures of one journey: its milestones against time, and the spans of a trace."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from html import escape
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from throughline.dashboards import span_path, theme
from throughline.dashboards.figures import blank, short, unit_of

_ROW = 46
_SPAN_ROW = 30
_LANE = 30
_INDENT = 14


def timeline(
    milestones: Mapping[str, Mapping[str, Any]],
    *,
    opened_at: datetime,
    now: datetime,
    events: Sequence[Mapping[str, Any]] = (),
) -> go.Figure:
    """Milestones against their due times: when each was met, by when it should have been, and how late it is.
    Below them a lane for each system with what it said.

    Args:
        milestones: name to state, met_at, last_at, due_at, count, in the definition's order.
        opened_at: when the journey began.
        now: the clock the states were derived with.
        events: rows with Time, Event, Failed, System, Platform, ServiceName.
    """
    names = [_title(name) for name in milestones]
    lanes = lanes_of(events)
    figure = blank(height=84 + _ROW * len(names) + _LANE * len(lanes))
    moments = [opened_at]
    for name, one in zip(names, milestones.values(), strict=True):
        moments += [moment for moment in (one["met_at"], one["last_at"], one["due_at"]) if moment is not None]
        _overrun(figure, name, one, now)
        _dots(figure, name, one)
    open_end = any(one["state"] in {"due", "late", "pending"} for one in milestones.values())
    end = max([*moments, now] if open_end else moments)
    margin = max((end - opened_at) * 0.04, timedelta(minutes=5))
    if open_end:
        figure.add_vline(x=now.timestamp() * 1000, line={"color": theme.INK, "width": 1, "dash": "dot"})
        figure.add_annotation(
            x=now,
            y=0,
            yref="paper",
            yanchor="bottom",
            xanchor="right" if now - opened_at > (end - opened_at) / 2 else "left",
            xshift=-5 if now - opened_at > (end - opened_at) / 2 else 5,
            text="now",
            showarrow=False,
            font={"color": theme.MUTED},
        )
    for state in dict.fromkeys(one["state"] for one in milestones.values()):
        figure.add_scatter(
            x=[None], y=[names[0]], name=theme.STATE_LABELS[state], mode="markers", marker=_marker(state)
        )
    figure.add_scatter(
        x=[None],
        y=[names[0]],
        name="Due time",
        mode="markers",
        marker={"symbol": "line-ns", "size": 17, "line": {"width": 3, "color": theme.MUTED}},
    )
    for lane, rows in lanes.items():
        _lane(figure, lane, rows)
    figure.update_xaxes(range=[opened_at - margin, end + margin], type="date")
    order = [*names, *lanes]
    figure.update_yaxes(
        categoryorder="array", categoryarray=order[::-1], range=[-0.6, len(order) - 0.4],
        tickfont={"color": theme.INK, "size": 14},
    )  # fmt: skip
    return figure


def lanes_of(events: Sequence[Mapping[str, Any]]) -> dict[str, list[Mapping[str, Any]]]:
    """Events by system, in the order in which the systems spoke; the names stand apart from milestones."""
    found: dict[str, list[Mapping[str, Any]]] = {}
    for row in events:
        system = row["System"] or row["Platform"] or row["ServiceName"] or "unnamed"
        found.setdefault(f"{system} \N{RIGHTWARDS ARROW}", []).append(row)
    return found


def _lane(figure: go.Figure, lane: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """Draw what one system said; failures are crosses."""
    for failed, symbol, colour in (
        (False, "circle", theme.FAINT),
        (True, "x", theme.STATUS_COLOURS["stuck"]),
    ):
        mine = [row for row in rows if bool(row["Failed"]) is failed]
        if mine:
            figure.add_scatter(
                x=[row["Time"] for row in mine],
                y=[lane] * len(mine),
                mode="markers",
                marker={"symbol": symbol, "size": 9, "color": colour},
                showlegend=False,
                text=[escape(row["Event"]) for row in mine],
                hovertemplate="%{text}<br>%{x|%-d %b %Y %H:%M:%S}<extra>failed</extra>"
                if failed
                else "%{text}<br>%{x|%-d %b %Y %H:%M:%S}<extra>done</extra>",
            )


def _overrun(figure: go.Figure, name: str, one: Mapping[str, Any], now: datetime) -> None:
    """Draw the stretch between the due time and the moment it was met (or now)."""
    due, met = one["due_at"], one["met_at"]
    if due is None or one["state"] not in {"late", "met_late", "met", "due"}:
        return
    until = met or now
    late = until > due
    colour = ("#fcd68a" if met else "#f2a3a3") if late else "#c3ead9" if met else "#d0d9fb"
    word = "late" if late else "early" if met else "left"
    said = f"{_span(abs(until - due))} {word}"
    figure.add_scatter(
        x=[due, until],
        y=[name, name],
        mode="lines",
        line={"color": colour, "width": 9 if late else 5},
        showlegend=False,
        hoverinfo="skip",
    )
    if late:
        figure.add_annotation(
            x=until,
            y=name,
            xanchor="right",
            yshift=15,
            showarrow=False,
            text=f"<b>{said}</b>",
            font={"color": "#8a5a00" if met else "#8f1d1d", "size": 12.5},
        )
    figure.add_scatter(
        x=[due],
        y=[name],
        mode="markers",
        marker={"symbol": "line-ns", "size": 19, "line": {"width": 3, "color": theme.MUTED}},
        showlegend=False,
        hovertemplate=f"due %{{x|%-d %b %Y %H:%M}}<br>{said}<extra>{escape(name)}</extra>",
    )


def _dots(figure: go.Figure, name: str, one: Mapping[str, Any]) -> None:
    if one["met_at"] is None:
        return
    last = one["last_at"]
    if last is not None and last > one["met_at"]:
        figure.add_scatter(
            x=[one["met_at"], last],
            y=[name, name],
            mode="lines",
            line={"color": theme.STATE_COLOURS[one["state"]], "width": 3},
            opacity=0.5,
            showlegend=False,
            hoverinfo="skip",
        )
    times = f", {one['count']} times" if one["count"] > 1 else ""
    figure.add_scatter(
        x=[one["met_at"]],
        y=[name],
        mode="markers",
        marker={**_marker(one["state"]), "size": 16},
        showlegend=False,
        hovertemplate=f"met %{{x|%-d %b %Y %H:%M}}{times}<extra>{escape(name)}</extra>",
    )


def _marker(state: str) -> dict[str, Any]:
    return {"size": 13, "color": theme.STATE_COLOURS[state], "line": {"width": 2, "color": theme.PAPER}}


def waterfall(spans: pd.DataFrame, *, chosen: str = "") -> go.Figure:
    """The spans of one trace on a clock that starts with the first; those that decide how long it takes are
    underlined, repeated ones say which try they are.

    Args:
        spans: start, milliseconds, span, parent, name, service, status, message; in order of start.
        chosen: the span to point out.
    """
    spans = spans.assign(
        depth=_depths(spans["span"].tolist(), spans["parent"].tolist()), attempt=span_path.attempts(spans)
    )
    offset = (spans["start"] - spans["start"].min()).dt.total_seconds() * 1000
    services = list(dict.fromkeys(spans["service"]))
    rows = list(range(len(spans)))
    figure = blank(height=76 + _SPAN_ROW * len(spans), barmode="overlay")
    for position, service in enumerate(services):
        here = (spans["service"] == service).tolist()
        part = spans[here]
        failed = (part["status"] == "Error").tolist()
        figure.add_bar(
            y=[row for row, one in zip(rows, here, strict=True) if one],
            x=part["milliseconds"].clip(lower=0.5),
            base=offset[here],
            name=service,
            orientation="h",
            marker={
                "color": theme.SERVICE_COLOURS[position % len(theme.SERVICE_COLOURS)],
                "cornerradius": 4,
                "line": {
                    "color": theme.STATUS_COLOURS["stuck"],
                    "width": [2.5 if one else 0 for one in failed],
                },
            },
            text=[
                f"{duration:,.1f} ms{'  failed' if one else ''}{f'  try {number}' if number else ''}"
                for duration, one, number in zip(part["milliseconds"], failed, part["attempt"], strict=True)
            ],
            textposition="auto",
            insidetextfont={"color": "#fff", "size": 12},
            outsidetextfont={"color": theme.MUTED, "size": 12},
            constraintext="none",
            textangle=0,
            cliponaxis=False,
            customdata=part[["name", "status", "message"]].astype(str),
            hovertemplate="%{customdata[0]}<br>%{text}, %{customdata[1]} %{customdata[2]}<extra>"
            + escape(service)
            + "</extra>",
        )
    _critical(figure, spans)
    _span_names(figure, spans, chosen)
    figure.update_layout(bargap=0.22)
    figure.update_yaxes(showticklabels=False, showgrid=False, range=[len(spans) - 0.4, -0.6])
    figure.update_xaxes(ticksuffix=" ms", rangemode="tozero")
    return figure


def _critical(figure: go.Figure, spans: pd.DataFrame) -> None:
    """Underline the stretches that the trace was waiting for."""
    x: list[float | None] = []
    y: list[float | None] = []
    start = spans["start"].min()
    for row, begin, end in span_path.critical_path(spans):
        since, until = ((one - start).total_seconds() * 1000 for one in (begin, end))
        x += [since, until, None]
        y += [row + 0.43, row + 0.43, None]
    figure.add_scatter(
        x=x, y=y, mode="lines", name="Critical path", line={"color": theme.INK, "width": 3}, hoverinfo="skip"
    )


def _span_names(figure: go.Figure, spans: pd.DataFrame, chosen: str) -> None:
    """Write the names left of the bars, indented by depth: tick labels would be flush right."""
    names = [short(name) for name in spans["name"]]
    room = (
        max(len(name) * 7.2 + depth * _INDENT for name, depth in zip(names, spans["depth"], strict=True)) + 24
    )
    figure.update_layout(margin_l=min(room, 420))
    for row, (name, depth, span) in enumerate(zip(names, spans["depth"], spans["span"], strict=True)):
        figure.add_annotation(
            x=0, xref="paper", xanchor="left", xshift=depth * _INDENT - min(room, 420) + 6,
            y=row, showarrow=False,
            text=f"<b>{escape(name)}</b>" if span == chosen else escape(name),
            font={"color": theme.ACCENT if span == chosen else theme.INK},
        )  # fmt: skip


def _depths(spans: Sequence[str], parents: Sequence[str]) -> list[int]:
    """How deep each span hangs; a span whose parent is absent, or in a circle, starts at 0."""
    parent_of = dict(zip(spans, parents, strict=True))
    depths = []
    for span in spans:
        depth, here, seen = 0, span, {span}
        while (above := parent_of.get(here, "")) in parent_of and above not in seen:
            seen.add(above)
            depth, here = depth + 1, above
        depths.append(depth)
    return depths


def _span(length: timedelta) -> str:
    hours = length.total_seconds() / 3600
    unit, divisor = unit_of(hours)
    return f"{hours / divisor:,.1f} {unit}"


def _title(name: str) -> str:
    return name.replace("_", " ").replace("-", " ").capitalize()
