"""How everything looks: one palette, for pages and figures alike. Statuses keep their colour everywhere."""

from __future__ import annotations

from collections.abc import Mapping

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
_SVG = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} 32" width="{width}" height="32">{inner}</svg>'
MARK = _SVG.format(width=32, inner=_LINE_OF_JOURNEY)
LOGO = _SVG.format(
    width=170,
    inner=f'{_LINE_OF_JOURNEY}<text x="40" y="22.5" font-family="Helvetica Neue, Helvetica, Arial, sans-serif" '
    f'font-size="19" font-weight="700" letter-spacing="-.3" fill="{INK}">Throughline</text>',
)

CSS = f"""<style>
[data-testid="stMainBlockContainer"]{{max-width:1320px;padding-top:5.2rem;padding-bottom:4rem}}
[data-testid="stHeader"]{{background:{PAPER};border-bottom:1px solid {LINE}}}
[data-testid="stElementContainer"]:has(>.stHtml>style:only-child){{display:none}}
[data-testid="stPlotlyChart"]{{background:{PAPER};border:1px solid {LINE};border-radius:14px;padding:6px 8px;overflow:hidden}}
.tl-title{{font-size:28px;font-weight:680;letter-spacing:-.4px;line-height:1.2;color:{INK};margin:0}}
.tl-sub{{color:{MUTED};margin:4px 0 0;font-size:15px}}
.tl-h{{font-size:17px;font-weight:650;color:{INK};margin:14px 0 0}}
.tl-h small{{font-weight:400;color:{MUTED};font-size:13.5px;margin-left:8px}}
.tl-cards{{display:grid;grid-template-columns:repeat(auto-fit,minmax(168px,1fr));gap:14px}}
.tl-card{{display:block;background:{PAPER};border:1px solid {LINE};border-radius:14px;padding:16px 18px 14px;color:{INK}!important;
text-decoration:none!important;transition:box-shadow .15s,transform .15s;position:relative;overflow:hidden}}
a.tl-card:hover{{box-shadow:0 6px 22px rgba(28,40,80,.10);transform:translateY(-1px)}}
.tl-card .l{{font-size:13px;color:{MUTED};display:flex;align-items:center;gap:7px;white-space:nowrap}}
.tl-card .v{{font-size:29px;font-weight:680;letter-spacing:-.6px;line-height:1.15;margin-top:6px;white-space:nowrap}}
.tl-card .d{{font-size:13px;color:{MUTED};margin-top:3px;white-space:nowrap;overflow:hidden;text-overflow:ellipsis}}
.tl-dot{{width:9px;height:9px;border-radius:50%;display:inline-block;flex:none}}
.tl-pill{{display:inline-flex;align-items:center;gap:6px;font-size:12.5px;font-weight:600;border-radius:999px;padding:2px 10px;
white-space:nowrap}}
.tl-panel{{background:{PAPER};border:1px solid {LINE};border-radius:14px;overflow:auto}}
.tl-table{{width:100%;border-collapse:collapse;font-size:14px;color:{INK}}}
.tl-table th{{text-align:left;font-weight:600;color:{MUTED};font-size:12.5px;padding:11px 14px;border-bottom:1px solid {LINE};
background:{PAPER};white-space:nowrap;position:sticky;top:0}}
.tl-table td{{padding:10px 14px;border-bottom:1px solid #f0f2f8;vertical-align:middle}}
.tl-table tr:last-child td{{border-bottom:0}}.tl-table tbody tr:hover td{{background:#f9faff}}
.tl-table .num{{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}}
.tl-table tr.on td{{background:#eef2ff}}
.tl-table a,.tl-nav a,.tl-empty a,.tl-who a{{font-weight:600;color:{ACCENT}!important;text-decoration:none!important}}
.tl-table a:hover,.tl-nav a:hover{{text-decoration:underline!important}}
.tl-table .nw{{white-space:nowrap}}
.tl-soft{{color:{MUTED};font-size:13px}}
.tl-mono{{font-family:"Source Code Pro",ui-monospace,monospace;font-size:12.5px;color:#3d4763}}
.tl-key{{font-family:"Source Code Pro",ui-monospace,monospace;font-size:12px;background:#f1f3fa;border-radius:6px;padding:2px 7px;
display:inline-block;margin:2px 4px 2px 0;color:#3d4763!important;white-space:nowrap;font-weight:400!important;
text-decoration:none!important}}
.tl-table a.tl-key{{color:#3d4763!important;font-weight:400}}.tl-table a.tl-key:hover,a.tl-key:hover{{background:#e4e9fb;text-decoration:none!important}}
.tl-who{{position:fixed;top:17px;right:64px;z-index:1000000;font-size:13.5px;color:{MUTED}}}
.tl-steps{{display:inline-flex;gap:4px;align-items:center}}
.tl-steps i{{width:20px;height:7px;border-radius:4px;display:inline-block}}
.tl-empty{{background:{PAPER};border:1px dashed #cfd6e6;border-radius:14px;padding:44px 28px;text-align:center;color:{MUTED}}}
.tl-empty b{{display:block;color:{INK};font-size:18px;margin-bottom:6px}}
.tl-empty code{{background:#eef1f8;border-radius:5px;padding:2px 7px;color:{INK}}}
.tl-facts{{display:flex;flex-wrap:wrap;gap:10px 30px;margin-top:14px}}
.tl-facts div{{font-size:14px}}.tl-facts span{{display:block;font-size:12.5px;color:{MUTED}}}
.tl-path{{display:flex;flex-wrap:wrap;align-items:center;gap:3px}}.tl-path em{{color:{FAINT};font-style:normal;font-size:12px;margin:0 3px}}
.tl-nav{{display:flex;justify-content:space-between;align-items:center;font-size:14px;color:{MUTED};padding:2px 4px}}
.tl-login{{max-width:400px;margin:9vh auto 0;background:{PAPER};border:1px solid {LINE};border-radius:16px;padding:32px 34px}}
.tl-login input{{width:100%;box-sizing:border-box;border:1px solid #cfd6e6;border-radius:9px;padding:10px 12px;font-size:15px;margin:8px 0 14px}}
.tl-login button{{width:100%;background:{ACCENT};color:#fff;border:0;border-radius:9px;padding:11px;font-size:15px;font-weight:600;cursor:pointer}}
.tl-bad{{color:#c92a2a;font-size:14px;margin:0 0 10px}}
</style>"""
