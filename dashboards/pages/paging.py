"""Lists over several pages: where a page begins stands in the address, as the API's cursor."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import streamlit as st

from throughline.dashboards.api.cursor import Cursor, decode, encode
from throughline.dashboards.api.problems import Problem
from throughline.dashboards.pages import parts

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from throughline.dashboards.session import Session


@dataclass(frozen=True)
class Paging:
    """A list: `filters` are what it was asked for, `kept` the members of the address that name them."""

    session: Session
    page: str
    filters: Mapping[str, str]
    kept: Sequence[str]

    def position(self) -> Cursor | None:
        """After what the page begins; None at the top, and where the filters have changed since."""
        given = st.query_params.get("after")
        if not given:
            return None
        try:
            return decode(given, tenant=self.session.principal.tenant, filters=self._asked())
        except Problem:
            return None

    def links(self, back: str, on: str, last: tuple[datetime, str] | None) -> parts.Html:
        """The way back to the top, and on behind the moment and id of `last`, if more follows."""
        state = {name: st.query_params.get(name, "") for name in self.kept}
        top = parts.link(back, parts.href(self.page, **state)) if self.position() else ""
        more = ""
        if last:
            cursor = Cursor(self.session.now, *last)
            after = encode(cursor, tenant=self.session.principal.tenant, filters=self._asked())
            more = parts.link(on, parts.href(self.page, **state, after=after))
        return f'<div class="tl-nav"><span>{top}</span><span>{more}</span></div>'

    def _asked(self) -> dict[str, str]:
        return {"list": self.page, **self.filters}
