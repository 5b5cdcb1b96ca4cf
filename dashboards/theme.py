"""How everything looks: one palette, for pages and figures alike. Statuses keep their colour everywhere."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import resources

INK = "#16203a"
MUTED = "#66708a"
FAINT = "#9aa3b8"
LINE = "#e6e9f2"
GROUND = "#f6f7fb"
PAPER = "#ffffff"
ACCENT = "#3b5bdb"

STATUS_COLOURS: Mapping[str, str] = {
    "in_flight": "#4c6ef5",
    "late": "#f59f00",
    "stuck": "#e03131",
    "completed": "#12b886",
    "dropped": "#adb5c7",
}
STATUS_LABELS: Mapping[str, str] = {
    "in_flight": "In flight",
    "late": "Late",
    "stuck": "Stuck",
    "completed": "Completed",
    "dropped": "Dropped",
}
CYCLE_COLOURS: Mapping[str, str] = {
    "open": "#4c6ef5",
    "closing": "#845ef7",
    "late": "#e03131",
    "complete": "#12b886",
}
CYCLE_LABELS: Mapping[str, str] = {
    "open": "Open",
    "closing": "Closing",
    "late": "Late",
    "complete": "Complete",
}
STATE_COLOURS: Mapping[str, str] = {
    "met": "#12b886",
    "met_late": "#f59f00",
    "late": "#e03131",
    "due": "#4c6ef5",
    "pending": "#ced4e2",
    "skipped": "#adb5c7",
    "unknown_start": "#845ef7",
    "blind": "#495057",
}
STATE_LABELS: Mapping[str, str] = {
    "met": "Met",
    "met_late": "Met late",
    "late": "Late",
    "due": "Due",
    "pending": "Pending",
    "skipped": "Skipped",
    "unknown_start": "Start unknown",
    "blind": "Blind",
}
SERVICE_COLOURS = ("#4c6ef5", "#12b886", "#845ef7", "#f59f00", "#15aabf", "#e64980", "#82c91e", "#fd7e14")

STREAMLIT_OPTIONS: Mapping[str, object] = {
    "browser.gatherUsageStats": False,
    "server.headless": True,
    "server.fileWatcherType": "none",
    "server.runOnSave": False,
    "server.showEmailPrompt": False,
    "client.toolbarMode": "minimal",
    "client.showErrorDetails": "none",
    "client.showErrorLinks": False,
    "global.disableWidgetStateDuplicationWarning": True,
    "theme.base": "light",
    "theme.primaryColor": ACCENT,
    "theme.backgroundColor": GROUND,
    "theme.secondaryBackgroundColor": PAPER,
    "theme.textColor": INK,
    "theme.linkColor": ACCENT,
    "theme.linkUnderline": False,
    "theme.borderColor": LINE,
    "theme.baseRadius": "10px",
    "theme.showWidgetBorder": True,
    "theme.baseFontSize": 15,
}

_LINE_OF_JOURNEY = (
    f'<path d="M3 22 C 9 22, 10 10, 16 10 S 23 22, 29 22" fill="none" stroke="{ACCENT}" stroke-width="3.4" '
    f'stroke-linecap="round"/><circle cx="3.6" cy="22" r="3.3" fill="{ACCENT}"/>'
    f'<circle cx="16" cy="10" r="3.3" fill="#12b886"/><circle cx="28.6" cy="22" r="3.3" fill="{INK}"/>'
)
_SVG = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} 32" width="{width}" height="32">'
    "{inner}</svg>"
)
MARK = _SVG.format(width=32, inner=_LINE_OF_JOURNEY)
LOGO = _SVG.format(
    width=170,
    inner=f'{_LINE_OF_JOURNEY}<text x="40" y="22.5" '
    'font-family="Helvetica Neue, Helvetica, Arial, sans-serif" '
    f'font-size="19" font-weight="700" letter-spacing="-.3" fill="{INK}">Throughline</text>',
)

_COLOURS = {
    "ink": INK,
    "muted": MUTED,
    "faint": FAINT,
    "line": LINE,
    "ground": GROUND,
    "paper": PAPER,
    "accent": ACCENT,
}


def css() -> str:
    """Return the style sheet of pages, as an element."""
    colours = "".join(f"--{name}:{value};" for name, value in _COLOURS.items())
    rules = (resources.files("throughline.dashboards") / "pages" / "style.css").read_text(encoding="utf-8")
    return f"<style>:root{{{colours}}}\n{rules}</style>"
