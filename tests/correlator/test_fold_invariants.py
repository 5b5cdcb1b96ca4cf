"""For any events: the folded journeys equal the plain-Python reference, live and fresh, in one step or
several.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from decimal import Decimal
from itertools import count
from random import Random
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.correlator.fold_reference import Event
from tests.correlator.fold_world import Folding, at, expected
from throughline.collector.store import Store
from throughline.correlator.process import load_process

EXAMPLES = int(os.environ.get("THROUGHLINE_FOLD_EXAMPLES", "4"))
JOURNEYS = 150
TENANTS = count(1)

PROCESS = load_process("""
process: probe
owner: everyone
scope: "attr('billable') != 'false'"
keys: [deal, project, invoice]
amount_of: won
milestones:
  - {name: won, event: won, owner: sales}
  - {name: created, event: created, within: {time: 4h, of: won}, on_late: stuck}
  - {name: approved, event: approved, optional: true, within: 2h, undone_by: [unapproved, reverted]}
  - {name: noted, event: [noted, other], at_least: 2, within: {time: 4h, of: won}, undone_by: reverted}
  - name: posted
    event: posted
    where: "amount > 0"
    within: {time: 3h, of: approved.last}
    undone_by: credited
  - {name: updated, event: created, responds: true, within: {time: 6h, of: won.last}}
  - name: again
    event: [approved, noted]
    at_least: 2
    responds: true
    within: {time: 9h, of: created}
    undone_by: unapproved
  - {name: checked, event: posted, within: {time: 1d, of: paid}}
  - {name: paid, event: paid, within: {time: 5h, of: posted}, undone_by: reverted}
completed_by: [posted, paid]
dropped_by: [lost]
checks:
  - {name: has-plan, after: created, expect: "attr('plan') != ''", blocking: true, severity: high, owner: pmo}
  - {name: one-project, expect: "keys('project') <= 1"}
  - name: not-over
    after: posted
    expect: "sumIf(amount, event = 'posted' and not failed) <= amount"
    class: technical
""")

WHERE = {"amount > 0": lambda event: event.amount is not None and event.amount > 0}


def _attribute(events: Sequence[Event], name: str) -> str:
    return next((value for one in reversed(events) if (value := one.attributes.get(name))), "")


def _posted(events: Sequence[Event]) -> Decimal:
    return sum(
        (one.amount or Decimal(0) for one in events if one.event == "posted" and not one.failed), Decimal(0)
    )


EXPECT = {
    "attr('billable') != 'false'": lambda events, _: _attribute(events, "billable") != "false",
    "attr('plan') != ''": lambda events, _: _attribute(events, "plan") != "",
    "keys('project') <= 1": lambda events, _: (
        len({o for e in events for ns, o in e.objects if ns == "project"}) <= 1
    ),
    "sumIf(amount, event = 'posted' and not failed) <= amount": lambda events, amount: (
        amount is not None and _posted(events) <= amount
    ),
}

NAMES = (
    "won",
    "created",
    "approved",
    "unapproved",
    "noted",
    "posted",
    "credited",
    "reverted",
    "paid",
    "lost",
    "other",
)
AMOUNTS = (None, None, Decimal(-1), Decimal("0.1"), Decimal("0.2"), Decimal("100.5"))


def _event(draw: Random) -> Event:
    projects = draw.sample([1, 2], draw.choice([0, 0, 1, 1, 2]))
    names = draw.sample(["plan", "billable"], draw.choice([0, 0, 1, 2]))
    return Event(
        id=draw.choice([draw.randrange(1, 2**128), draw.randrange(1, 1000)]),
        event=draw.choice(NAMES),
        time=at(hours=draw.randrange(60) / 2, microseconds=draw.choice([0, 0, 1])),
        failed=draw.random() < 0.2,
        subjects=tuple(draw.sample([1, 2, 3], draw.choice([1, 1, 2]))),
        objects=tuple(("project", project) for project in projects),
        amount=draw.choice(AMOUNTS),
        currency=draw.choice(["EUR", "EUR", "EUR", "EUR", "USD", ""]),
        customer=draw.choice(["", "Acme", "Bolt"]),
        region=draw.choice(["", "EMEA"]),
        precision=draw.choice(["exact", "exact", "exact", "day", "unknown", "approximate"]),
        klass=draw.choice(["", "remote"]),
        code=draw.choice(["", "E1"]),
        message=draw.choice(["no answer", "bad value 'x'"]),
        attributes={name: draw.choice(["", "x", "x", "false"]) for name in names},
    )


def _journeys(draw: Random) -> dict[int, list[Event]]:
    """Many journeys at once: one statement folds them all, and small ones say best what is wrong."""
    found = {}
    for root in range(1000, 1000 + JOURNEYS):
        events = {one.id: one for one in (_event(draw) for _ in range(draw.randrange(14)))}
        found[root] = list(events.values())
    return found


def _differences(
    found: dict[int, Any], wanted: dict[int, Any], journeys: dict[int, list[Event]]
) -> list[object]:
    """The shortest journey that differs: its events, and the two results."""
    wrong = [root for root in journeys if found.get(root) != wanted.get(root)]
    if not wrong:
        return []
    root = min(wrong, key=lambda one: len(journeys[one]))
    return [sorted(journeys[root], key=lambda one: one.moment), found.get(root), wanted.get(root)]


@given(seed=st.integers(0, 2**32))
@settings(
    max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck), phases=[Phase.generate]
)
def test_folding_equals_the_reference(embedded_store: Store, seed: int) -> None:
    """Live folding, live folding after some events left, and a fresh rebuild all equal the reference."""
    draw = Random(seed)
    folding = Folding(embedded_store, PROCESS, f"tenant-{next(TENANTS)}")
    first = _journeys(draw)
    folding.put(first)
    folding.fold(list(first))
    assert _differences(folding.facts(), expected(PROCESS, first, WHERE, EXPECT), first) == []

    remaining = {
        root: draw.randrange(len(events) + 1) for root, events in first.items() if draw.random() < 0.3
    }
    after = {root: events[: remaining.get(root, len(events))] for root, events in first.items()}
    leaving = {root: first[root][number:] for root, number in remaining.items()}
    folding.put(leaving, deleted=True)
    folding.fold(list(leaving))
    assert _differences(folding.facts(), expected(PROCESS, after, WHERE, EXPECT), after) == []

    folding.put(after, generation=2)
    folding.rebuild(generation=2)
    assert _differences(folding.facts(generation=2), folding.facts(), after) == []
