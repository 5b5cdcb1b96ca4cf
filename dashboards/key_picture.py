"""The key graph of a journey as a picture: a column for each level, the root on the left."""

from __future__ import annotations

from typing import TYPE_CHECKING

from throughline.dashboards import theme
from throughline.dashboards.svg import Drawing, width_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from throughline.dashboards.reader import Row

_BOX, _HEIGHT, _GAP, _BETWEEN, _EDGE = 216, 46, 14, 74, 16
MOST_IN_COLUMN = 12
"""Objects of one level that are drawn; the table below the picture has all."""


def key_picture(nodes: Sequence[Row], edges: Sequence[Row]) -> str:
    """Return the SVG; what a person linked is drawn in colour."""
    columns: dict[int, list[Row]] = {}
    for node in nodes:
        columns.setdefault(node["level"], []).append(node)
    order = sorted(columns)
    drawing = Drawing(2 * _EDGE + len(order) * _BOX + max(0, len(order) - 1) * _BETWEEN)
    places: dict[str, tuple[float, float]] = {}
    rows = max(min(len(found), MOST_IN_COLUMN) for found in columns.values())
    for column, level in enumerate(order):
        found = columns[level]
        x = _EDGE + column * (_BOX + _BETWEEN)
        for row, node in enumerate(found[:MOST_IN_COLUMN]):
            places[node["name"]] = (x, _EDGE + row * (_HEIGHT + _GAP))
        if len(found) > MOST_IN_COLUMN:
            below = _EDGE + MOST_IN_COLUMN * (_HEIGHT + _GAP) + 12
            drawing.text(x, below, f"and {len(found) - MOST_IN_COLUMN:,} more", colour=theme.MUTED)
    for edge in edges:
        _edge(drawing, places, edge)
    for node in nodes:
        if node["name"] in places:
            _box(drawing, *places[node["name"]], node)
    more = any(len(found) > MOST_IN_COLUMN for found in columns.values())
    drawing.y = 2 * _EDGE + rows * (_HEIGHT + _GAP) - _GAP + (30 if more else 0)
    return drawing.finished(f"{len(nodes)} objects and {len(edges)} links of this journey")


def by_hand(edge: Row) -> Row | None:
    """What a person said, if one linked these."""
    return next((one for one in edge["evidence"] if one["actor"]), None)


def _edge(drawing: Drawing, places: dict[str, tuple[float, float]], edge: Row) -> None:
    if edge["parent"] not in places or edge["child"] not in places:
        return
    (from_x, from_y), (to_x, to_y) = places[edge["child"]], places[edge["parent"]]
    middle, colour = _HEIGHT / 2, theme.ACCENT if by_hand(edge) else theme.FAINT
    if from_x == to_x:
        path = f"M{from_x + _BOX} {from_y + middle} q 30 {(to_y - from_y) / 2} 0 {to_y - from_y}"
    else:
        start, end = from_x, to_x + _BOX
        half = (start - end) / 2
        path = (
            f"M{start} {from_y + middle} C{start - half} {from_y + middle} "
            f"{end + half} {to_y + middle} {end} {to_y + middle}"
        )
    drawing.arrow(path, colour, dashed=edge["rule"] == "inherited")


def _box(drawing: Drawing, x: float, y: float, node: Row) -> None:
    namespace, _, value = node["name"].partition(":")
    drawing.box(x, y, _BOX, _HEIGHT, line=theme.ACCENT if node["root"] else theme.LINE)
    drawing.text(x + 10, y + 17, namespace, size=10.5, colour=theme.MUTED)
    room = _BOX - 20
    while width_of(value, 12, mono=True) > room:
        value = value[:-2].rstrip("…") + "…"
    drawing.text(x + 10, y + 35, value, mono=True)
    others = len(node["keys"]) - 1
    if others:
        drawing.text(x + _BOX - 10, y + 17, f"+{others} key{'s' if others > 1 else ''}", size=10, end=True)
