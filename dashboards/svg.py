"""What pictures are drawn with: text, boxes and lines as SVG. Every value is escaped here."""

from __future__ import annotations

import textwrap
from html import escape

from throughline.dashboards import theme

_SANS = "Helvetica Neue, Helvetica, Arial, sans-serif"
_MONO = "DejaVu Sans Mono, Menlo, Consolas, monospace"
_SANS_WIDTH, _MONO_WIDTH = 0.56, 0.61
"""How wide a letter is on average, in sizes."""


class Drawing:
    """Collects elements; `y` is how far down they reach, in pixels."""

    def __init__(self, width: int) -> None:
        """Begin an empty picture of this width."""
        self.width = width
        self.y = 0.0
        self._parts: list[str] = []

    def text(
        self,
        x: float,
        y: float,
        words: str,
        *,
        size: float = 12,
        colour: str = theme.INK,
        bold: bool = False,
        mono: bool = False,
        end: bool = False,
        middle: bool = False,
    ) -> None:
        """Write one line with its baseline at `y`; `end` or `middle` if `x` is that of it, not its begin."""
        style = f'font-size="{size:g}" fill="{colour}"'
        style += ' font-weight="600"' if bold else ""
        style += f' font-family="{_MONO}"' if mono else ""
        style += ' text-anchor="end"' if end else ' text-anchor="middle"' if middle else ""
        self._parts.append(f'<text x="{x:g}" y="{y:g}" {style}>{escape(words)}</text>')

    def box(
        self,
        x: float,
        y: float,
        width: float,
        height: float,
        *,
        fill: str = theme.PAPER,
        line: str = theme.LINE,
        dashed: bool = False,
        radius: float = 8,
    ) -> None:
        """Draw a box with round corners."""
        dash = ' stroke-dasharray="5 4"' if dashed else ""
        self._parts.append(
            f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="{radius:g}" '
            f'fill="{fill}" stroke="{line}"{dash}/>'
        )

    def pill(self, x: float, y: float, words: str, colour: str, *, end: bool = False) -> float:
        """Write a word on a coloured ground, its middle at `y`; returns how wide it is."""
        width = width_of(words, 11) + 14
        left = x - width if end else x
        self._parts.append(
            f'<rect x="{left:g}" y="{y - 9:g}" width="{width:g}" height="18" rx="9" fill="{colour}" '
            'fill-opacity=".12"/>'
        )
        self.text(left + width / 2, y + 4, words, size=11, colour=colour, bold=True, middle=True)
        return width

    def arrow(self, path: str, colour: str, *, dashed: bool = False) -> None:
        """Draw a line along an SVG path, with a head at its end."""
        dash = ' stroke-dasharray="4 3"' if dashed else ""
        self._parts.append(
            f'<path d="{path}" fill="none" stroke="{colour}" stroke-width="1.5" '
            f'marker-end="url(#head-{colour[1:]})"{dash}/>'
        )

    def dot(self, x: float, y: float, colour: str) -> None:
        """Draw a small disc."""
        self._parts.append(f'<circle cx="{x:g}" cy="{y:g}" r="3.5" fill="{colour}"/>')

    def finished(self, title: str) -> str:
        """Return the picture; `title` is what is read aloud instead of it."""
        height = round(self.y)
        body = "\n".join(self._parts)
        heads = "".join(
            f'<marker id="head-{colour}" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" '
            'markerHeight="7" '
            f'orient="auto"><path d="M0 0.5 L7.5 4 L0 7.5 Z" fill="#{colour}"/></marker>'
            for colour in sorted({one[1:] for one in (theme.FAINT, theme.ACCENT, theme.MUTED)})
        )
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {self.width} {height}" '
            f'width="{self.width}" height="{height}" role="img" font-family="{_SANS}">\n'
            f"<title>{escape(title)}</title>\n<defs>{heads}</defs>\n"
            f'<rect width="{self.width}" height="{height}" fill="{theme.GROUND}"/>\n{body}\n</svg>\n'
        )


def width_of(words: str, size: float, *, mono: bool = False) -> float:
    """About how wide a text is, in pixels."""
    return len(words) * size * (_MONO_WIDTH if mono else _SANS_WIDTH)


def wrapped(words: str, width: float, size: float, *, mono: bool = False) -> list[str]:
    """Break a text into lines that fit into a width."""
    most = int(width / (size * (_MONO_WIDTH if mono else _SANS_WIDTH)))
    return textwrap.wrap(" ".join(words.split()), most, break_on_hyphens=False) or [""]
