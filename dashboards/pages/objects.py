"""What the systems say: the fields of a journey's objects side by side, and where they disagree."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from throughline.dashboards import theme
from throughline.dashboards.pages import parts
from throughline.dashboards.reader import Row

_SHOWN = 40
_TECHNICAL = (
    "client.", "cloud.", "cloudevents.", "code.", "container.", "db.", "deployment.", "error.", "exception.",
    "host.", "http.", "messaging.", "net.", "network.", "os.", "otel.", "process.", "rpc.", "server.",
    "service.", "telemetry.", "thread.", "url.", "user_agent.",
)  # fmt: skip
"""Prefixes of OpenTelemetry's own attributes: they tell of a call, not of an object."""


def show(said: Sequence[Row]) -> None:
    """Draw the section: a row for each object and field, a column for each system; differing ones first."""
    fields: dict[tuple[str, str], dict[str, Row]] = {}
    for row in said:
        if row["value"] and not row["name"].startswith(_TECHNICAL):
            fields.setdefault((row["key"], row["name"]), {})[row["system"] or "unnamed"] = row
    if not fields:
        return
    differing = {place for place, by_system in fields.items() if _differ(by_system)}
    systems = sorted({system for by_system in fields.values() for system in by_system})
    label = f"{len(differing):,} of {len(fields):,} fields differ between systems" if differing else ""
    st.html(parts.heading("What the systems say", label or "no two systems disagree"))
    order = sorted(fields, key=lambda place: (place not in differing, -len(fields[place]), place))
    objects = len({key for key, _ in fields})
    with st.expander(f"{len(fields):,} fields of {objects:,} objects", expanded=bool(differing)):
        st.html(
            parts.table(
                ["Object", "Field", *systems, ""],
                [_line(one, fields[one], systems, differs=one in differing) for one in order[:_SHOWN]],
            )
        )
        if len(order) > _SHOWN:
            rest = f"The first {_SHOWN} of {len(order):,}; GET /api/v1/objects has all of one object."
            st.html(parts.soft(rest))


def _differ(by_system: dict[str, Row]) -> bool:
    return len({row["value"] for row in by_system.values()}) > 1


def _line(
    place: tuple[str, str], by_system: dict[str, Row], systems: Sequence[str], *, differs: bool
) -> list[str]:
    key, field = place
    cells = [_cell(by_system.get(system)) for system in systems]
    mark = parts.pill("Differs", theme.STATUS_COLOURS["late"]) if differs else ""
    return [f'<span class="tl-key">{parts.text(key)}</span>', parts.strong(field), *cells, mark]


def _cell(row: Row | None) -> str:
    if row is None:
        return parts.soft(parts.NOTHING)
    return parts.text(row["value"][:120]) + parts.soft(f"{row['event']}, {parts.when(row['time'])}")
