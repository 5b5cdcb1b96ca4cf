"""Audit: who did what, when and why; narrowed by the address, taken away as CSV or Parquet."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import streamlit as st

from throughline.dashboards.audit import ABOUT, MEDIA, Audit, AuditFilter, Format, TooMany, refresh
from throughline.dashboards.pages import address, parts
from throughline.dashboards.pages.main import current
from throughline.dashboards.reader import Reader

if TYPE_CHECKING:
    from throughline.dashboards.reader import Row
    from throughline.dashboards.session import Session

_LISTED = 200
_DAYS = {"1": "the last day", "7": "the last week", "30": "the last 30 days", "": "ever"}
_WHO = {"": "People and platform", "people": "People only"}


def page() -> None:
    """Draw the list that the address asks for."""
    session = current()
    refresh(session.deps.store, session.deps.control)
    audit = Audit(Reader(session.deps.store, session.principal.tenant, session.now))
    st.html(
        parts.title(
            "Audit",
            "Who did what, when and why; append-only, newest first &nbsp;·&nbsp; "
            + parts.text(f"as of {session.now:%H:%M:%S} UTC"),
        )
    )
    wanted = _filters(session)
    rows = audit.acts(wanted, limit=_LISTED + 1)
    if not rows:
        st.html(parts.empty("Nobody did anything that matches", "Choose another time, or everything."))
        return
    more = f"the latest {_LISTED}; a file has all" if len(rows) > _LISTED else f"{len(rows):,}"
    st.html(parts.heading("Acts", more))
    st.html(
        parts.table(
            ["When", "Who", "What", "To what", "Why", "Details"],
            [_line(session, row) for row in rows[:_LISTED]],
            whole=[0],
        )
    )
    _exports(audit, wanted)


def _filters(session: Session) -> AuditFilter:
    columns = st.columns(5)
    people = address.choose(columns[0], "Who", ["people"], "who", shown=lambda one: _WHO.get(one, one))
    about = address.choose(columns[1], "About", ABOUT, "about", shown=lambda one: one or "Anything")
    days = address.choose(
        columns[2],
        "When",
        [one for one in _DAYS if one],
        "days",
        shown=lambda one: _DAYS.get(one, f"{one} days"),
    )
    actor = address.search(columns[3], "Name", "actor", hint="who did it")
    identity = address.search(columns[4], "Id", "id", hint="of a replay, an exception")
    since = session.now - timedelta(days=int(days)) if days.isdecimal() and len(days) < 5 else None  # noqa: PLR2004
    return AuditFilter(
        actor=actor.strip(),
        about=about if about in ABOUT else "",
        id=identity.strip(),
        since=since,
        people=people == "people",
    )


def _line(session: Session, row: Row) -> list[str]:
    return [
        parts.text(parts.when(row["at"], seconds=True)),
        parts.strong(row["actor"] or "nobody"),
        parts.text(row["what"].replace("_", " ")),
        parts.soft(row["about"])
        + _named(row)
        + (parts.soft(session.title(row["process"])) if row["process"] else ""),
        parts.text(row["reason"][:300]),
        parts.text(row["detail"][:200]),
    ]


def _named(row: Row) -> str:
    if row["about"] in {"replay", "replay item"}:
        return parts.link(row["id"], parts.href("/replays", id=row["id"].partition(".")[0]), strong=False)
    if row["about"] == "link":
        return parts.keys(row["id"].split(">", 1))
    return parts.text(row["id"])


def _exports(audit: Audit, wanted: AuditFilter) -> None:
    left, right, _ = st.columns([1, 1, 4])
    kinds: tuple[tuple[Format, str], ...] = (("csv", "Download CSV"), ("parquet", "Download Parquet"))
    for place, (kind, label) in zip((left, right), kinds, strict=True):
        if place.button(label, key=f"export_{kind}", width="stretch"):
            try:
                body = audit.export(wanted, kind)
            except TooMany as error:
                st.error(str(error))
                continue
            st.download_button(f"Save audit.{kind}", body, f"audit.{kind}", MEDIA[kind], key=f"save_{kind}")


if __name__ == "__main__":
    page()
