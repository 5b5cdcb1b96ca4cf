"""Runbook: what to do when an alert fires that is shipped."""

from __future__ import annotations

import streamlit as st

from throughline.correlator.alerts.runbook import link, runbooks
from throughline.dashboards.pages import parts
from throughline.dashboards.pages.main import current


def page() -> None:
    """Draw the runbook that the address names, or the list of all."""
    current()
    known = runbooks()
    name = st.query_params.get("name", "")
    back = f"{parts.link('All alerts', '/alerts')} &nbsp;·&nbsp; {parts.link('All runbooks', '/runbook')}"
    if name in known:
        title, _, text = known[name].partition("\n")
        st.html(parts.title(title.removeprefix("# "), back))
        st.markdown(text)
        return
    st.html(parts.title("Runbooks", back))
    if name:
        advice = f"None is called {parts.text(name)}; these there are."
        st.html(parts.empty("There is no such runbook", advice))
    titles = {one: text.partition("\n")[0].removeprefix("# ") for one, text in known.items()}
    st.html(parts.table(["When"], [[parts.link(title, f"/{link(one)}")] for one, title in titles.items()]))


if __name__ == "__main__":
    page()
