"""Pages of the emulated systems: a record, a run, and what a person can change in the source."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING

from throughline.dashboards.demo.middleware_http import Answer

if TYPE_CHECKING:
    from throughline.dashboards.demo.middleware import Failing

STYLE = """
body{font:15px/1.5 system-ui,sans-serif;max-width:46rem;margin:3rem auto;padding:0 1rem;color:#1c2733}
h1{font-size:1.4rem} p{color:#51606f}
pre{background:#f3f5f8;padding:1rem;border-radius:8px;overflow:auto}
ul{list-style:none;padding:0}
li{display:flex;gap:1rem;align-items:center;justify-content:space-between}
li{border-top:1px solid #dde3ea;padding:.7rem 0}
button{font:inherit;padding:.4rem .9rem;border:0;border-radius:8px}
button{background:#1f5fbf;color:#fff;cursor:pointer}
"""


def listed(failing: Sequence[Failing]) -> Answer:
    """What can be changed in the emulated systems."""
    return _page("The systems of the simulated firm", _mends(failing))


def record(connection: str, name: str, failing: Sequence[Failing]) -> Answer:
    """One record, which a deep link opens."""
    about = f"<p>The record <b>{escape(name)}</b>, as {escape(connection)} would show it.</p>"
    return _page(f"{connection}: {name}", about + _mends(failing))


def run_page(one: Failing) -> Answer:
    """A run of the middleware."""
    event = one.planned.event
    said = f"<p>{escape(event.event)}: <b>{escape(one.code)}</b> {escape(event.exception_message or '')}</p>"
    kept = one.planned.payload
    shown = (
        f"<pre>{escape(json.dumps(json.loads(kept), indent=2))}</pre>"
        if kept
        else "<p>No payload is kept.</p>"
    )
    done = "<p>It was done again.</p>" if one.done else ""
    return _page(f"Run {event.run_id}", said + shown + done)


def _mends(failing: Sequence[Failing]) -> str:
    counted = Counter((one.mend, one.code, one.entity) for one in failing if one.mend)
    if not counted:
        return "<p>Nothing waits for a change here.</p>"
    rows = "".join(
        f"<li><span>{escape(what)}<br><small>{count} {escape(code)}</small></span>"
        f'<form method="post" action="/systems/mend"><input type="hidden" name="code" value="{escape(code)}">'
        f'<input type="hidden" name="entity" value="{escape(entity)}">'
        f"<button>{escape(what)}</button></form></li>"
        for (what, code, entity), count in sorted(counted.items())
    )
    return f"<p>What waits for a change in the source:</p><ul>{rows}</ul>"


def _page(title: str, content: str) -> Answer:
    head = f'<!doctype html><meta charset="utf-8"><title>{escape(title)}</title><style>{STYLE}</style>'
    return Answer(200, f"{head}<h1>{escape(title)}</h1>{content}")
