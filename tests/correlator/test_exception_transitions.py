"""For any order, batching and restarts of folding: the transitions of exceptions are those of a plain-Python
fold over the facts.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count, groupby
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st

from tests.correlator.facts import Said, World
from tests.correlator.fold_reference import Event, fold
from tests.correlator.fold_world import TABLES, Folding, at
from tests.correlator.reference import Level
from throughline.collector.store import Role, Store
from throughline.correlator.fold import fold_sql
from throughline.correlator.process import load_process
from throughline.correlator.worker import Correlator

EXAMPLES = int(os.environ.get("THROUGHLINE_FOLD_EXAMPLES", "1"))
GROUPS, STEPS = 25, 4
TENANTS = count(1)
PROCESS = load_process("""
process: watched
scope: "attr('billable') != 'false'"
keys: [deal, project]
milestones:
  - {name: won, event: won}
  - {name: created, event: created}
checks:
  - {name: has-plan, after: created, expect: "attr('plan') != 'bad'"}
  - {name: fine, expect: "attr('ok') != 'no'"}
""")
EXPECT = {
    f"attr('{name}') != '{value}'": lambda events, _, name=name, value=value: (
        next((found for one in reversed(events) if (found := one.attributes.get(name))), "") != value
    )
    for name, value in (("billable", "false"), ("plan", "bad"), ("ok", "no"))
}
STATEMENTS = len(fold_sql(PROCESS, TABLES, fresh=False).statements)
NAMES = ("opened", "resolved", "reopened")
Key = tuple[str, str, int]
"""(event or check, the name of it, its subject)."""


@dataclass
class History:
    """What the reference knows of one exception: when it opened and resolved, in turn."""

    turns: list[datetime] = field(default_factory=list)
    gone: bool = False

    def kinds(self) -> list[tuple[str, datetime]]:
        """The transitions by name."""
        return [(NAMES[0] if not n else NAMES[2 - n % 2], moment) for n, moment in enumerate(self.turns)]


class Reference:
    """The same in plain Python: one exception after another, event by event."""

    def __init__(self) -> None:
        """Nothing was noticed yet."""
        self.known: dict[Key, History] = {}

    def look(self, journeys: Mapping[int, Sequence[Event]]) -> None:
        """Notice what these journeys, all there are, say now."""
        living: set[Key] = set()
        for root, events in journeys.items():
            journey = fold(PROCESS, events, {}, EXPECT)
            if journey is None:
                continue
            for key, turns in _failures(events).items():
                self.known.setdefault(key, History()).turns = turns
                living.add(key)
            failing = {one["code"]: one["opened_at"] for one in journey.exceptions if one["kind"] == "check"}
            for check in PROCESS.checks:
                history = self.known.get(("check", check.name, root), History())
                if check.name in failing or history.turns:
                    _turn(history, failing.get(check.name), journey.last_event_at)
                    self.known["check", check.name, root] = history
                    living.add(("check", check.name, root))
        for key, history in self.known.items():
            history.gone = key not in living


def _failures(events: Sequence[Event]) -> dict[Key, list[datetime]]:
    """Every run of failures of one event on one subject, and the success that ended it."""
    found: dict[Key, list[datetime]] = {}
    for one in sorted(events, key=lambda event: event.moment):
        for subject in one.subjects:
            turns = found.setdefault(("event", one.event, subject), [])
            if one.failed == (len(turns) % 2 == 0):
                turns.append(one.time)
    return {key: turns for key, turns in found.items() if turns}


def _turn(history: History, since: datetime | None, latest: datetime) -> None:
    """A check that changes sides does so at the journey's latest event."""
    if since and len(history.turns) < 2:
        history.turns = [since]
    elif bool(since) != bool(len(history.turns) % 2):
        history.turns.append(max(latest, history.turns[-1] + timedelta(microseconds=1)))


def _event(draw: Random, group: int) -> Event:
    names = draw.sample(["plan", "ok", "billable"], draw.choice([0, 1, 1, 2]))
    values = {"plan": ["bad", "good"], "ok": ["no", "yes"], "billable": ["true", "true", "false"]}
    subjects = [group * 10 + 1, group * 10 + 2]
    return Event(
        id=draw.randrange(1, 2**128),
        event=draw.choice(["won", "created", "noted"]),
        time=at(minutes=draw.randrange(300), microseconds=draw.randrange(3)),
        failed=draw.random() < 0.45,
        subjects=tuple(draw.sample(subjects, draw.choice([1, 1, 2]))),
        message=draw.choice(["no answer", "bad value 'x'"]),
        attributes={name: draw.choice(values[name]) for name in names},
    )


class Firm:
    """Journeys that gain and lose events. Those of a group share their subjects: each has all its events."""

    def __init__(self, store: Store, draw: Random) -> None:
        """Draw which groups have two journeys."""
        self.draw, self.folding = draw, Folding(store, PROCESS, f"watched-{next(TENANTS)}")
        self.groups = {
            g: [g * 10 + 1000, *([g * 10 + 1001] if draw.random() < 0.4 else [])] for g in range(GROUPS)
        }
        self.journeys: dict[int, list[Event]] = {root: [] for roots in self.groups.values() for root in roots}

    def change(self) -> list[int]:
        """Add and remove some events; the roots of the journeys that changed."""
        come: dict[int, list[Event]] = {}
        leave: dict[int, list[Event]] = {}
        for group, roots in self.groups.items():
            what = self.draw.random()
            new = [_event(self.draw, group) for _ in range(self.draw.randrange(4))] if what < 0.6 else []
            present = next((self.journeys[root] for root in roots if self.journeys[root]), [])
            old = self.draw.sample(present, self.draw.randrange(len(present) + 1)) if what > 0.75 else []
            for root in roots:
                alone = what > 0.9 and root == roots[0]  # this journey alone loses everything
                missing = [one for one in present if one not in self.journeys[root]]
                here = self.journeys[root]
                leave[root] = here[:] if alone else [one for one in old if one in here]
                come[root] = [] if alone else [*new, *(one for one in missing if one not in old)]
        changed = [root for root in self.journeys if come[root] or leave[root]]
        self.folding.put({root: leave[root] for root in changed}, deleted=True)
        self.folding.put({root: come[root] for root in changed})
        for root in changed:
            kept = [one for one in self.journeys[root] if one not in leave[root]]
            self.journeys[root] = sorted([*kept, *come[root]], key=lambda one: one.moment)
        return changed

    def history(self, known: Mapping[Key, History]) -> dict[Key, History]:
        """What is stored, in the terms of the reference; nothing was written twice."""
        keys = sorted(known)
        ids = self._rows(
            "SELECT arrayMap(k -> sipHash64({tenant:String}, {process:String}, k.1, k.2, k.3), arrayZip("
            "{kinds:Array(String)}, {names:Array(String)}, {subjects:Array(UInt64)}))",
            kinds=[key[0] for key in keys],
            names=[key[1] for key in keys],
            subjects=[key[2] for key in keys],
        )[0][0]
        named = dict(zip(ids, keys, strict=True))
        rows = self._rows(
            "SELECT ExceptionId, Kind, toString(Origin), toUnixTimestamp64Nano(At), EventId, "
            "groupArray((Version, Withdrawn)) FROM exception_transitions "
            "WHERE Tenant = {tenant:String} AND Process = {process:String} GROUP BY ALL ORDER BY 4, 5"
        )
        found: dict[Key, History] = {}
        for identity, kind, _, nanos, _, versions in rows:
            states = [withdrawn for _, withdrawn in sorted(versions)]
            assert [state for state, _ in groupby(states)] == states, "nothing is noticed twice"
            if states[-1]:
                continue
            history = found.setdefault(named[identity], History())
            if kind == "gone":
                assert not history.gone
                history.gone = True
            else:
                moment = at() + timedelta(microseconds=nanos // 1000 - int(at().timestamp()) * 10**6)
                history.turns.append(moment)
                assert history.kinds()[-1] == (kind, moment), "opened, resolved, reopened, resolved, ..."
        return found

    def _rows(self, sql: str, **parameters: object) -> Sequence[Sequence[Any]]:
        scope = {"tenant": self.folding.tenant, "process": PROCESS.id, **parameters}
        rows: Sequence[Sequence[Any]] = self.folding.store.query(sql, scope, role=Role.PAGES).result_rows
        return rows


@given(seed=st.integers(0, 2**32))
@example(seed=101)  # a pass dies between removing an exception and noticing it
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.explicit, Phase.generate],
)
def test_transitions_equal_the_reference(embedded_store: Store, seed: int) -> None:
    """Live, with passes that die after any statement and are repeated; a rebuild notices nothing again."""
    draw = Random(seed)
    firm, reference = Firm(embedded_store, draw), Reference()
    unfolded: set[int] = set()
    for _ in range(STEPS):
        unfolded.update(firm.change())
        if draw.random() < 0.5:
            done = draw.randrange(1, STATEMENTS + 1)
            firm.folding.fold(sorted(unfolded), die_after=done)
            if done > STATEMENTS - 2:  # it has noticed everything before it died
                reference.look(firm.journeys)
        if draw.random() < 0.7:
            firm.folding.fold(sorted(unfolded))
            unfolded.clear()
            reference.look(firm.journeys)
            assert firm.history(reference.known) == reference.known
    firm.folding.fold(sorted(unfolded))
    reference.look(firm.journeys)
    before = firm.history(reference.known)
    assert before == reference.known
    open_ones = [key for key, one in before.items() if len(one.turns) % 2 and not one.gone]
    assert {kind for kind, _, _ in open_ones} == {"event", "check"}

    firm.folding.put(firm.journeys, generation=2)
    firm.folding.rebuild(generation=2)
    assert firm.history(reference.known) == before
    exceptions = [_comparable(firm.folding.exceptions(generation)) for generation in (1, 2)]
    assert exceptions[0] == exceptions[1]


class Death(Exception):
    """The process ends here."""


def test_the_correlator_notices_nothing_twice(embedded_store: Store) -> None:
    """Passes and rebuilds that die anywhere, and come again: each transition once, noticed when it was."""
    world = World(embedded_store, "noticing", [Level(("shop.order",))])

    def noticed() -> list[tuple[Any, ...]]:
        table = "exception_transitions WHERE Tenant = 'noticing'"
        sql = f"SELECT Kind, NoticedAt, Withdrawn FROM {table} ORDER BY At"
        return [tuple(row) for row in embedded_store.query(sql, role=Role.PAGES).result_rows]

    def dying(step: str) -> Callable[[str], None]:
        def check(reached: str) -> None:
            if reached == step:
                raise Death

        return check

    world.tick()
    world.say(Said("a", "happened", 1, ("shop.order:1",), failed=True))
    for step in ("transitions", "fold_progress"):
        with pytest.raises(Death):
            world.tick(checkpoint=dying(step))
    first = noticed()
    assert [kind for kind, _, _ in first] == ["opened"]
    world.restart()
    world.tick()
    world.correlator = Correlator(embedded_store, [world.process], checkpoint=dying("activate"))
    with pytest.raises(Death):
        world.rebuild()
    assert noticed() == first
    world.restart()
    again = Said("c", "happened", 3, ("shop.order:1",), failed=True)
    world.say(Said("b", "happened", 2, ("shop.order:1",)), again)
    world.rebuild()
    assert [(kind, withdrawn) for kind, _, withdrawn in noticed()] == [
        ("opened", 0), ("resolved", 0), ("reopened", 0),
    ]  # fmt: skip
    assert noticed()[:1] == first


def _comparable(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    return [{k: v for k, v in row.items() if k not in ("Generation", "Version")} for row in rows]
