"""Every runbook that a shipped rule names is there to read, for whoever may read."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urljoin, urlsplit

import pytest

from tests.dashboards.conftest import ACCESS
from tests.dashboards.test_pages import visit
from tests.test_docs import text
from throughline.collector.auth import Access
from throughline.correlator.alerts import own
from throughline.correlator.alerts.rule_files import load_rules
from throughline.correlator.alerts.runbook import runbooks
from throughline.dashboards.deps import Deps

if TYPE_CHECKING:
    from pathlib import Path

    from throughline.collector.store import Store

PUBLIC = "https://tl.example.com/"


@pytest.fixture
def deps(module_store: Store, tmp_path: Path) -> Deps:
    """An open platform in which nothing has happened."""
    return Deps(store=module_store, access=Access, spool=tmp_path, processes=tuple)


def test_every_runbook_of_a_shipped_rule_is_there(deps: Deps) -> None:
    """A rule has one, its address is that of the page, and the page shows it; none is there for nothing."""
    groups = [*load_rules(None).groups, own.OWN]
    rules = [ready.rule for group in groups for ready in group.rules]
    rows = [line for line in text("how-to-alerts.md").splitlines() if line.startswith("|")]
    named = set()
    for rule in rules:
        alert, address = rule.alert, urlsplit(urljoin(PUBLIC, rule.annotations["runbook_url"]))
        assert (address.netloc, address.path) == ("tl.example.com", "/runbook"), alert
        (name,) = parse_qs(address.query)["name"]
        assert f"/{name}.md)" in next(row for row in rows if f"`{alert}`" in row)
        named.add(name)
    assert named == set(runbooks())
    for name in named:
        title, _, steps = runbooks()[name].partition("\n")
        app, html = visit(deps, "runbook.py", name=name)
        assert f'<p class="tl-title">{title.removeprefix("# ")}</p>' in html
        assert [one.value for one in app.markdown] == [steps.strip()]


def test_runbooks_are_for_whoever_may_read(deps: Deps) -> None:
    """Without a token there is the form; a name that is none gets the list."""
    _, html = visit(replace(deps, access=lambda: ACCESS), "runbook.py", name="hub-keys")
    assert "Sign in" in html
    assert "Hub keys" not in html
    _, html = visit(deps, "runbook.py", name="<none>")
    assert "None is called &lt;none&gt;" in html
    assert all(f'href="/runbook?name={name}"' in html for name in runbooks())
