"""What systems say of a journey's objects, milestones that checks or every object of a level reach: by hand,
and against plain Python for any events.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.correlator.fold_reference import Event
from tests.correlator.fold_world import Folding, at
from throughline.collector.store import Store
from throughline.correlator.process import InvalidProcess, load_process

EXAMPLES = int(os.environ.get("THROUGHLINE_FOLD_EXAMPLES", "2"))

TEXT = """
process: probe
keys: [deal, [project, job], invoice]
milestones:
  - {name: won, event: won}
  - {name: created, event: created, undone_by: deleted}
  - {name: activated, checks: [planned, same, single], within: {time: 2d, of: won}, on_late: stuck}
  - {name: kickoff, event: kickoff, within: {time: 4h, of: activated, paused: {by: hold, until: resume}}}
  - name: delivered
    event: delivered
    every: project
    undone_by: reopened
    within: {time: 1d, of: activated}
checks:
  - {name: planned, after: created, expect: "missing('project', 'plan') = 0", blocking: true}
  - {name: same, after: created, agree: [entity, tax_code], of: project}
  - {name: single, expect: "duplicated('project', 'order') = 0"}
  - name: total
    after: created
    expect: "abs(total('invoice', 'amount') - number(latest('deal', 'contract', 'crm'))) <= 10"
"""
PROCESS = load_process(TEXT)
PROJECT, JOB, OTHER, DEAL, INVOICE, SECOND = 11, 12, 13, 1, 21, 22


def event(name: str, hours: float, objects: dict[int, str], **facts: Any) -> Event:
    """An event about these objects, by their namespaces."""
    named = tuple((namespace, number) for number, namespace in objects.items())
    attributes = {
        key: facts.pop(key) for key in list(facts) if key in ("plan", "tax_code", "order", "contract")
    }
    identity = hash((name, hours, tuple(objects), tuple(attributes.items()))) % 2**64
    return Event(
        identity,
        name,
        at(hours=hours),
        subjects=tuple(objects),
        objects=named,
        attributes=attributes,
        **facts,
    )


def deal(hours: float, **facts: Any) -> Event:
    """The deal is won."""
    return event("won", hours, {DEAL: "deal"}, system="crm", **facts)


def project(name: str, hours: float, number: int = PROJECT, **facts: Any) -> Event:
    """Something happens to a project."""
    facts.setdefault("system", "psa")
    return event(name, hours, {number: "project"}, **facts)


def _failing(row: dict[str, Any]) -> set[str]:
    return {one["Name"] if isinstance(one, dict) else one[0] for one in row["FailedChecks"]}


def test_a_project_is_activated_when_its_checks_hold(embedded_store: Store) -> None:
    """Created is not activated: that is the instant of the last fact that its checks waited for."""
    planned = project("planned", 5, plan="monthly")
    journeys = {
        # never planned: nothing said about the tax code of a single project disagrees
        1: [deal(0), project("created", 1)],
        2: [deal(0), project("created", 1), planned],
        # the same facts came in another order, by time
        3: [planned, project("created", 7), deal(0)],
        # two systems disagree from 3 to 9
        4: [deal(0), project("created", 1, plan="x", entity="DE01"),
            project("booked", 3, entity="DE02", system="erp"),
            project("booked", 9, entity="DE01", system="erp")],
        # disagreed first, and the first system has given up its opinion since
        5: [deal(0), project("created", 1, plan="x", tax_code="A"),
            project("booked", 0, tax_code="B", system="erp"), project("changed", 6, tax_code="")],
        # a second project for the same order
        6: [deal(0), project("created", 1, plan="x", order="9"),
            project("created", 2, OTHER, plan="x", order="9")],
        # created, activated, deleted
        7: [deal(0), project("created", 1, plan="x"), project("deleted", 30)],
        # a failed attempt says nothing
        8: [deal(0), project("created", 1), project("planned", 2, plan="x", failed=True)],
        # the same project under its other system's name
        9: [deal(0), project("created", 1), event("booked", 4, {PROJECT: "job"}, plan="x", system="erp")],
    }  # fmt: skip
    folding = Folding(embedded_store, PROCESS, "activation")
    folding.put(journeys)
    folding.fold(list(journeys))
    found = folding.journeys()
    assert {root: row["milestones"]["activated"]["MetAt"] for root, row in found.items()} == {
        1: None, 2: at(hours=5), 3: at(hours=7), 4: at(hours=1), 5: at(hours=6), 6: at(hours=1), 7: None,
        8: None, 9: at(hours=4),
    }  # fmt: skip
    assert found[2]["milestones"]["kickoff"]["DueAt"] == at(hours=9)
    assert found[2]["milestones"]["delivered"]["DueAt"] == at(hours=29)
    assert found[1]["StuckAt"] == at(hours=48)
    assert {root: _failing(row) - {"total"} for root, row in found.items()} == {
        1: {"planned"}, 2: set(), 3: set(), 4: set(), 5: set(), 6: {"single"}, 7: set(), 8: {"planned"},
        9: set(),
    }  # fmt: skip


def test_an_exception_says_what_the_systems_say(embedded_store: Store) -> None:
    """What is compared, who says what, and that nothing is said."""
    journeys = {
        1: [
            deal(0, contract="1000"),
            project("created", 1, entity="DE01", plan="x"),
            project("booked", 2, entity="FR02", system="erp"),
            event("posted", 3, {INVOICE: "invoice"}, system="erp", amount=Decimal("400.5")),
            event("posted", 4, {INVOICE: "invoice"}, system="erp", amount=Decimal(500)),
            event("posted", 5, {SECOND: "invoice"}, system="erp", amount=Decimal(480)),
        ]
    }
    folding = Folding(embedded_store, PROCESS, "said")
    folding.put(journeys)
    folding.fold([1])
    messages = {row["Code"]: row["Message"] for row in folding.exceptions()}
    assert messages == {
        "same-entity": "same-entity does not hold: differing('project', 'entity') = 0; "
        "entity: erp FR02, psa DE01",
        "total": "total does not hold: "
        "abs(total('invoice', 'amount') - number(latest('deal', 'contract', 'crm'))) <= 10; "
        "amount: erp 480, erp 500; contract: crm 1000",
    }


def test_an_exception_says_which_system_is_silent(embedded_store: Store) -> None:
    """A check names a level by one of its systems; what it finds may be in another one."""
    journeys = {
        1: [deal(0), event("created", 1, {JOB: "job"})],
        2: [deal(0), event("created", 1, {JOB: "job"}, plan="x")],
        3: [deal(0), project("created", 1), event("created", 2, {JOB: "job"})],
    }
    folding = Folding(embedded_store, PROCESS, "silent")
    folding.put(journeys)
    folding.fold(list(journeys))
    messages = {row["Root"]: row["Message"] for row in folding.exceptions() if row["Code"] == "planned"}
    said = "planned does not hold: missing('project', 'plan') = 0; plan: nothing is said of"
    assert messages == {1: f"{said} job", 3: f"{said} job, project"}


def test_every_object_counts(embedded_store: Store) -> None:
    """Met when the last project is delivered; a new one, or one that is reopened, takes that back."""
    both = [deal(0), project("created", 1), project("created", 2, OTHER)]
    first, second = project("delivered", 5), project("delivered", 8, OTHER)
    journeys = {
        1: [*both, first],
        2: [*both, first, second, project("delivered", 9)],
        3: [*both, first, second, project("reopened", 6)],
        4: [*both, first, second, project("reopened", 6), project("delivered", 12)],
        5: [*both, first, second, project("created", 20, 15)],
        6: [deal(0), event("delivered", 3, {DEAL: "deal"})],
        7: [*both, event("delivered", 4, {PROJECT: "project", OTHER: "project"})],
    }
    folding = Folding(embedded_store, PROCESS, "every")
    folding.put(journeys)
    folding.fold(list(journeys))
    found = {root: row["milestones"]["delivered"] for root, row in folding.journeys().items()}
    assert {root: (one["Count"], one["MetAt"], one["LastAt"]) for root, one in found.items()} == {
        1: (1, None, None),
        2: (2, at(hours=8), at(hours=9)),
        3: (1, None, None),
        4: (2, at(hours=12), at(hours=12)),
        5: (2, None, None),
        6: (0, None, None),
        7: (2, at(hours=4), at(hours=4)),
    }


def _said(events: Sequence[Event], level: set[str], field: str, system: str = "") -> list[tuple[Any, ...]]:
    """(object, system, value), latest first."""
    latest: dict[tuple[int, str], tuple[Any, ...]] = {}
    for one in sorted(events, key=lambda one: one.moment):
        value = getattr(one, field) if hasattr(one, field) else one.attributes.get(field)
        absent = value is None or (hasattr(one, field) and value == "")
        if one.failed or absent or (system and one.system != system):
            continue
        for number in {
            number for namespace, number in one.objects if namespace in level and number in one.subjects
        }:
            latest[number, one.system] = (one.moment, number, one.system, value)
    return [one[1:] for one in sorted(latest.values(), key=lambda one: one[0], reverse=True)]


def _objects(events: Iterable[Event], level: set[str]) -> set[int]:
    return {number for one in events for namespace, number in one.objects if namespace in level}


def _holds(events: Sequence[Event]) -> dict[str, bool]:
    level = {"project", "job"}
    values = {
        field: {(one[0], one[2]) for one in _said(events, level, field) if one[2] != ""}
        for field in ("plan", "entity", "tax_code", "order")
    }
    newest: dict[int, Any] = {}
    for number, _, value in _said(events, {"invoice"}, "amount"):
        newest.setdefault(number, value)
    contract = next((value for *_, value in _said(events, {"deal"}, "contract", "crm")), "")

    def one_each(pairs: set[tuple[int, str]]) -> bool:
        return len(pairs) == len({number for number, _ in pairs})

    return {
        "planned": _objects(events, level) == {number for number, _ in values["plan"]},
        "same-entity": one_each(values["entity"]),
        "same-tax_code": one_each(values["tax_code"]),
        "single": len(values["order"]) == len({value for _, value in values["order"]}),
        "total": contract != "" and abs(sum(newest.values(), Decimal(0)) - Decimal(contract)) <= 10,
    }


def _standing(events: Sequence[Event], name: str, undone_by: str) -> list[tuple[Event, int]]:
    """Occurrences of an event, by subject, that nothing has undone."""
    good = [one for one in events if not one.failed]
    return [
        (one, subject)
        for one in good
        if one.event == name
        for subject in one.subjects
        if not any(
            other.event == undone_by and subject in other.subjects and other.moment > one.moment
            for other in good
        )
    ]


def _expected(events: Sequence[Event]) -> dict[str, Any]:
    ordered = sorted(events, key=lambda one: one.moment)
    created = sorted(one.time for one, _ in _standing(events, "created", "deleted"))
    activated: datetime | None = None
    for place, one in enumerate(ordered):
        so_far = ordered[: place + 1]
        seen = any(other.event == "created" and not other.failed for other in so_far)
        held = _holds(so_far)
        if (
            created
            and seen
            and all(held[name] for name in ("planned", "same-entity", "same-tax_code", "single"))
        ):
            activated = max(one.time, created[0])
            break
    level = {"project", "job"}
    done = [(one, number) for one, number in _standing(events, "delivered", "reopened")
            if any(named == number and namespace in level for namespace, named in one.objects)]  # fmt: skip
    firsts = {number: min(one.time for one, other in done if other == number) for _, number in done}
    delivered = max(firsts.values()) if firsts and set(firsts) == _objects(events, level) else None
    judged = {name for name, held in _holds(events).items() if not held and (created or name == "single")}
    return {
        "activated": activated,
        "due": activated + timedelta(days=1) if activated else None,
        "delivered": delivered,
        "count": len(firsts),
        "failing": judged,
    }


def _event(draw: Random) -> Event:
    kinds = [(DEAL, "deal"), (PROJECT, "project"), (PROJECT, "job"), (OTHER, "project"), (INVOICE, "invoice")]
    subjects = dict(draw.sample(kinds, draw.choice([1, 1, 1, 2])))
    facts = {
        name: draw.choice(["x", "x", "y", ""])
        for name in draw.sample(["plan", "tax_code", "order"], draw.choice([0, 1, 2]))
    }
    if draw.random() < 0.2:
        facts["contract"] = draw.choice(["100", "5", ""])
    name = draw.choice(
        ["won", "created", "created", "deleted", "delivered", "delivered", "reopened", "noted"]
    )
    return Event(
        draw.randrange(1, 2**64), name, at(hours=draw.randrange(40)), failed=draw.random() < 0.1,
        subjects=tuple(subjects),
        objects=tuple((namespace, number) for number, namespace in subjects.items()),
        amount=draw.choice([None, Decimal(5), Decimal("95.5")]), entity=draw.choice(["", "", "DE", "FR"]),
        attributes=facts, system=draw.choice(["crm", "psa", "erp"]),
    )  # fmt: skip


@given(seed=st.integers(0, 2**32))
@settings(
    max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck), phases=[Phase.generate]
)
def test_checks_equal_the_reference(embedded_store: Store, seed: int) -> None:
    """For any events in any order, live and fresh."""
    draw = Random(seed)
    journeys = {root: [_event(draw) for _ in range(draw.randrange(1, 12))] for root in range(1000, 1120)}
    folding = Folding(embedded_store, PROCESS, f"any-{seed}")
    folding.put(journeys)
    folding.fold(list(journeys))
    folding.put(journeys, generation=2)
    folding.rebuild(2)
    wanted = {root: _expected(events) for root, events in journeys.items()}
    for generation in (1, 2):
        found = {}
        for root, row in folding.journeys(generation).items():
            activated, delivered = row["milestones"]["activated"], row["milestones"]["delivered"]
            found[root] = {
                "activated": activated["MetAt"],
                "due": delivered["DueAt"],
                "delivered": delivered["MetAt"],
                "count": delivered["Count"],
                "failing": _failing(row),
            }
        wrong = [root for root in wanted if found[root] != wanted[root]]
        assert not [
            (journeys[root], found[root], wanted[root])
            for root in sorted(wrong, key=lambda one: len(journeys[one]))[:1]
        ]


@pytest.mark.parametrize(
    ("good", "bad", "sentence"),
    [
        (
            "checks: [planned, same, single]",
            "checks: [planed]",
            "there is no check 'planed'; did you mean 'planned'?",
        ),
        ("checks: [planned, same, single]", "checks: [single]", "is judged `after` a milestone"),
        ("checks: [planned, same, single]", "checks: [single], event: x", "either `event` or `checks`"),
        ("every: project", "every: projekt", "there is no namespace 'projekt'; did you mean 'project'?"),
        ("every: project", "every: project\n    at_least: 2", "`every` goes with neither"),
        ("agree: [entity, tax_code], of: project", "agree: [entity]", "`of` the namespace of the objects"),
        ("agree: [entity, tax_code], of: project", "agree: [entity], of: projct", "'projct' is no namespace"),
        ("missing('project', 'plan') = 0", "amount > 0", "known at its end only"),
        ("missing('project', 'plan') = 0", "latest('project') = ''", "takes a namespace, a field"),
        (
            "checks: [planned, same, single], within",
            "checks: [planned], undone_by: x, within",
            "has no `undone_by`",
        ),
    ],
)
def test_what_is_wrong_is_said(good: str, bad: str, sentence: str) -> None:
    """With the line, and what to write."""
    with pytest.raises(InvalidProcess) as error:
        load_process(TEXT.replace(good, bad, 1))
    assert sentence in str(error.value)
