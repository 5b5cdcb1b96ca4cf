"""What is valid and not meant: found in a definition alone, and in what a tenant's events carry."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from tests.correlator.library_stories import NOW, say
from tests.correlator.test_library import insert
from throughline.collector.store import Store
from throughline.correlator.inventory import Inventory, against, take
from throughline.correlator.lint import Finding, lint
from throughline.correlator.lint_constants import always
from throughline.correlator.process import load_process, load_processes, places
from throughline.correlator.worker import Correlator

GOOD = """\
process: probe
owner: me
keys: [deal, project, invoice]
amount_of: won
milestones:
  - {name: won, event: won}
  - {name: created, event: created, within: {time: 4h, of: won}, on_late: stuck}
  - {name: active, checks: [planned]}
  - {name: paid, event: paid, within: {time: 4d, of: created}, undone_by: reversed}
completed_by: paid
dropped_by: lost
checks:
  - {name: planned, after: created, expect: "missing('project', 'plan') = 0"}
"""


@pytest.mark.parametrize(
    ("text", "comes_to"),
    [
        ("1 = 2", False),
        ("not 'a' = 'b'", True),
        ("system = 'psa' and system = 'erp'", False),
        ("system = 'psa' or system = 'erp'", None),
        ("(system = 'a' and system = 'b') or failed", None),
        ("(system = 'a' and system = 'b') or 1 > 2", False),
        ("attr('x') in ('a', 'b') and attr('x') in ('c')", False),
        ("attr('x') in ('a', 'b') and attr('x') != 'a'", None),
        ("attr('x') = 'a' and attr('y') = 'b'", None),
        ("attr('x') = 'a' and attr('x') != 'a'", False),
        ("amount > 5 and 3 > amount", False),
        ("amount >= 3 and amount <= 3", None),
        ("amount > 3 and amount <= 3", False),
        ("amount = 3 and amount > 4", False),
        ("number(attr('x')) > 3", None),
    ],
)
def test_what_constants_come_to(text: str, comes_to: bool | None) -> None:
    """Always, never, or it depends."""
    assert always(text) is comes_to


@pytest.mark.parametrize(
    ("good", "bad", "line", "severity", "sentence"),
    [
        ("event: won}", "event: won, where: 'amount > 2 and amount < 1'}", 6, "error", "no event fulfils"),
        ("event: won}", "event: won, where: '1 = 1'}", 6, "warning", "every event fulfils the `where`"),
        ("dropped_by: lost", "dropped_by: paid", 9, "error", "its event ends the journey"),
        ("missing('project', 'plan') = 0", "1 = 2", 8, "error", "never reached: planned can't hold"),
        ("missing('project', 'plan') = 0", "1 = 1", 13, "warning", "always holds and finds nothing"),
        ("event: created,", "event: created, where: '1 = 2',", 8, "error", "it waits for 'created'"),
        ("event: created,", "event: created, where: '1 = 2',", 9, "error", "never late: its clock starts at"),
        ("event: created,", "event: created, where: '1 = 2',", 13, "error", "'planned' is never judged"),
        ("event: paid,", "event: paid, where: '1 = 2',", 10, "error", "no journey ever completes"),
        ("of: won}", "of: active}", 7, "warning", "which is expected after it"),
        ("event: paid,", "event: paid, optional: true,", 9, "warning", "take away `within`, or `optional`"),
        ("event: paid,", "event: paid, optional: true,", 10, "warning", "to complete, which is optional"),
        ("event: won}", "event: won, on_late: stuck}", 6, "warning", "can't be late without a time"),
        ("event: won}", "event: created}", 7, "warning", "exactly what reaches 'won'"),
        ("amount_of: won", "amount_of: active", 4, "error", "reached by checks and has no amount"),
        ("owner: me\n", "scope: '1 = 2'\n", 2, "error", "no journey fulfils `scope`"),
        ("owner: me\n", "\n", 7, "warning", "nobody owns 'created' when it is late"),
    ],
)  # fmt: skip
def test_what_is_not_meant_is_said(  # noqa: PLR0917 - a table
    tmp_path: Path, good: str, bad: str, line: int, severity: str, sentence: str
) -> None:
    """With its line; the good definition gives nothing."""
    assert lint(load_process(GOOD)) == []
    file = tmp_path / "probe.yaml"
    assert GOOD.count(good) == 1
    file.write_text(GOOD.replace(good, bad))
    place = places(file)
    found = [
        (place(one.path)[1], one.severity) for one in lint(load_process(file)) if sentence in one.sentence
    ]
    assert found == [(line, severity)]


def test_the_shipped_library_is_meant() -> None:
    """Nothing is found in any of it."""
    assert [lint(one) for one in load_processes(None).processes if lint(one)] == []


@pytest.fixture(scope="module")
def seen(embedded_store: Store) -> Inventory:
    """What the events of a tenant carry: invoices that nothing links; an older event does not count."""
    facts = [
        say("04-01T09:00", "won", "deal:1", money="5 EUR", plan="x"),
        say("04-02T09:00", "created", "deal:1 project:1"),
        say("04-03T09:00", "paid", "invoice:1", region="x"),
        say("01-02T09:00", "reversed", "invoice:1"),
    ]
    insert(embedded_store, "seen", [{**one.row, "Region": "EMEA"} for one in facts])
    Correlator(embedded_store, [load_process(GOOD)]).tick("seen", NOW)
    return take(embedded_store, "seen", NOW - timedelta(days=90))


def said(findings: list[Finding]) -> list[str]:
    """Sentences of warnings, shortened."""
    assert {one.severity for one in findings} <= {"warning"}
    return [one.sentence.split(" since 2026-01-20")[0].split(":")[0] for one in findings]


def test_what_no_event_carries_is_said(seen: Inventory) -> None:
    """Events, namespaces, attributes, values of calendars, and levels that nothing links."""
    assert said(against(load_process(GOOD), seen)) == [
        "invoice never links to the level above", "no event 'reversed'", "no event 'lost'",
    ]  # fmt: skip
    other = (
        GOOD.replace("project,", "[project, job],").replace("'plan'", "'plna'")
        + "calendar: {by: business.region, map: {APAC: de}}\n"
    )
    assert said(against(load_process(other), seen)) == [
        "no event", "no event 'reversed'", "no event 'lost'", "no event", "no event",
        "business.region EMEA has no calendar in `map`",
    ]  # fmt: skip
    sentences = " ".join(one.sentence for one in against(load_process(other), seen))
    for words in ("has a key job", "the attribute 'plna'", "has business.region 'APAC'", "'always' counts"):
        assert words in sentences
    entitled = load_process(
        GOOD
        + "entitlements: [{name: hours, granted: {event: given, quantity: many}, "
        + "used: {event: won, quantity: plan}}]"
    )
    before = {one.path for one in against(load_process(GOOD), seen)}
    places = {one.path for one in against(entitled, seen)} - before
    assert places == {("entitlements", 0), ("entitlements", 0, "granted")}
    # a shipped definition knows more systems than anybody has; without a root nothing else is said
    shipped = against(load_process(other), seen, lambda _: False)
    assert {"job" in one.sentence for one in shipped} == {False}
    (only,) = against(load_process(GOOD.replace("[deal,", "[dael,")), seen)
    assert "nothing with a key of the first level (dael)" in only.sentence
