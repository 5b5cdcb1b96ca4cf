"""`routing.yaml`: what is read, what is refused with its line, and what counts while the file changes."""

from __future__ import annotations

import logging
import os
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count
from pathlib import Path

import pytest

from throughline.collector.store import Role, Store
from throughline.correlator.routing import InvalidRouting, Routing, load_routing, parse_routing
from throughline.dashboards.live_routing import LiveRouting

GOOD = """
routes:
  - match: {class: remote, code: [E1, E2], amount_at_least: 10000.5}
    owner: integration
    severity: high
  - {owner: operations, runbook: https://wiki/any}
"""


def test_rules_are_read_in_order(tmp_path: Path) -> None:
    """One value stands for a list; what is left out matches anything; without a file there is no rule."""
    assert [rule.row() for rule in parse_routing(GOOD).routes] == [
        ({"class": ["remote"], "code": ["E1", "E2"]}, Decimal("10000.5"), "integration", "high", ""),
        ({}, None, "operations", "", "https://wiki/any"),
    ]
    docs = (Path(__file__).parents[2] / "docs" / "how-to-exceptions.md").read_text()
    (example,) = (text for text in docs.split("```") if text.startswith("yaml\n# routing.yaml"))
    assert len(parse_routing(example.removeprefix("yaml")).routes) == 4
    assert load_routing(tmp_path) == load_routing(None) == Routing()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("- owner: x", "<text>:1: routing is a mapping that begins with `routes:`"),
        ("routes:\n  - {owner: x, match: {clas: remote}}", ":2: unknown field 'clas'"),
        ("routes:\n\n  - {owner: x,\n     match: {class: remot}}", "did you mean 'remote'?"),
        ("routes:\n  - {owner: x, match: {code: []}}", "name at least one value"),
        ("routes:\n  - {owner: x, match: {code: }}", "`routes[1].match.code` must be a list, not empty"),
        ("routes:\n  - {owner: x, match: {code: 17}}", "put quotes around it"),
        ("routes:\n  - {owner: x, match: {fingerprint: abc}}", "16 small hexadecimal digits, not 'abc'"),
        ("routes:\n  - {match: {code: E1}}", ":2: `routes[1]` needs the field 'owner'"),
        ("routes:\n  - {owner: x, severity: hgih}", "did you mean 'high'?"),
        ("routes:\n  - owner: x\n  - owner: y", ":3: no exception reaches this rule"),
    ],
)
def test_a_mistake_is_told_with_its_line(text: str, says: str) -> None:
    """And with what to write instead."""
    with pytest.raises(InvalidRouting) as error:
        parse_routing(text)
    assert says in str(error.value)


def test_a_changed_file_counts_and_a_broken_one_changes_nothing(
    embedded_store: Store, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The rules in the store are those of the last valid content."""
    clock = (datetime(2026, 3, 1, tzinfo=UTC) + timedelta(seconds=number) for number in count())
    live = LiveRouting(tmp_path, embedded_store, lambda: next(clock))
    file = tmp_path / "routing.yaml"

    def after(text: str | None) -> int:
        if text is None:
            file.unlink()
        else:
            file.write_text(text)
            moment = next(clock).timestamp()
            os.utime(file, (moment, moment))
        live.reload()
        live.reload()
        sql = "SELECT length(Rules) FROM exception_routing FINAL"
        return int(embedded_store.query(sql, role=Role.PAGES).result_rows[0][0])

    assert after(GOOD) == 2
    with caplog.at_level(logging.ERROR):
        assert after("routes: [{match: {}}]") == 2
    assert caplog.text.count("needs the field 'owner'") == 1
    assert after(GOOD.replace("https://wiki/any", "https://wiki/all")) == 2
    assert after(None) == 0
