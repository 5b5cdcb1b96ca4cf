"""The script that Streamlit runs for every view: frame, login, navigation."""

from __future__ import annotations

import streamlit as st

from throughline.dashboards import session, theme
from throughline.dashboards.pages import parts
from throughline.probes.errors import Unauthorized

_LOGIN = """<form class="tl-login" method="post" action="/login">
<p class="tl-title" style="font-size:22px">Sign in</p>
<p class="tl-sub" style="margin-bottom:16px">Paste a token that may read.</p>
{problem}<label class="tl-soft" for="token">Token</label>
<input id="token" name="token" type="password" autocomplete="current-password" required autofocus>
<button type="submit">Continue</button></form>"""


def main() -> None:
    """Draw the frame and run the chosen page."""
    st.set_page_config(page_title="Throughline", page_icon=theme.MARK, layout="wide")
    st.html(theme.css())
    st.logo(theme.LOGO, size="large", link=None)
    token = st.context.cookies.get(session.COOKIE)
    pages = [
        st.Page("overview.py", title="Overview", icon=":material/monitoring:", default=True),
        st.Page("triage.py", title="Triage", icon=":material/medical_services:"),
        st.Page("alerts.py", title="Alerts", icon=":material/notifications:"),
        st.Page("rules.py", title="Rules", icon=":material/rule:"),
        st.Page("journeys.py", title="Journeys", icon=":material/route:"),
        st.Page("replays.py", title="Replays", icon=":material/replay:"),
        st.Page("billing.py", title="Billing", icon=":material/receipt_long:"),
        st.Page("as_known.py", title="Then and now", icon=":material/history:"),
        st.Page("closings.py", title="Closings", icon=":material/lock_clock:"),
        st.Page("audit.py", title="Audit", icon=":material/history_edu:"),
        st.Page("processes.py", title="Processes", icon=":material/schema:"),
        st.Page("journey.py", title="Journey", icon=":material/timeline:"),
        st.Page("runbook.py", title="Runbook", icon=":material/menu_book:", visibility="hidden"),
    ]
    try:
        who = session.enter(token).principal
    except Unauthorized as error:
        st.navigation(pages, position="hidden")
        problem = f'<p class="tl-bad">{parts.text(error)}</p>' if token else ""
        st.html(_LOGIN.format(problem=problem))
        return
    if not session.is_open():
        st.html(
            f'<div class="tl-who">{parts.text(who.name)} · {parts.text(who.tenant)} · '
            '<a href="/logout">Sign out</a></div>'
        )
    st.navigation(pages, position="top").run()


def current() -> session.Session:
    """Return the session of this run, for pages; one whose token was taken away starts over, at the form."""
    try:
        return session.enter(st.context.cookies.get(session.COOKIE))
    except Unauthorized:
        st.rerun()


if __name__ == "__main__":
    main()
