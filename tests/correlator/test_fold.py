"""Folding: what a journey's events come to. Every state and rule by hand, on both engines."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from tests.correlator.fold_reference import Event
from tests.correlator.fold_world import Folding, at
from throughline.collector.store import Role, Store
from throughline.correlator.fold_input import Tables
from throughline.correlator.process import InvalidProcess, load_process
from throughline.dashboards.reader import JourneyFilter, Reader

PROCESS = load_process("""
process: probe
owner: everyone
keys: [deal, project, invoice]
amount_of: posted
milestones:
  - {name: won, event: won, owner: sales}
  - {name: created, event: created, within: {time: 4h, of: won}, on_late: stuck}
  - {name: approved, event: approved, optional: true, within: {time: 1h, of: created}, undone_by: unapproved}
  - {name: noted, event: noted}
  - name: posted
    event: posted
    where: "amount > 0"
    within: {time: 1d, of: approved.last}
    undone_by: credited
  - {name: paid, event: paid, within: {time: 30d, of: posted}}
completed_by: paid
dropped_by: [lost]
checks:
  - {name: has-plan, after: created, expect: "attr('plan') in ('', 'good')", blocking: true, owner: pmo}
""")


def _states(journey: Mapping[str, Any]) -> str:
    return " ".join(one["State"] for one in journey["milestones"].values())


def test_milestone_states(store: Store) -> None:
    """Each state a milestone can be stored in, and what the journey waits for."""
    folding = Folding(store, PROCESS)
    won = Event(1, "won", at())
    journeys = {
        1: [won],
        2: [won, Event(2, "created", at(hours=4))],
        3: [won, Event(2, "created", at(hours=4, microseconds=1))],
        4: [won, Event(2, "noted", at(hours=1))],
        5: [Event(1, "won", at(), precision="unknown")],
        6: [Event(1, "won", at(), precision="unknown"), Event(2, "won", at(hours=1))],
        7: [Event(1, "won", at(), failed=True)],
        8: [won, Event(2, "posted", at(hours=2), amount=Decimal(0), currency="EUR")],
        9: [won, Event(2, "created", at(days=9), precision="unknown")],
        10: [Event(1, "approved", at()), Event(2, "approved", at(hours=5))],
        11: [won, Event(2, "created", at(hours=1)), Event(3, "approved", at(hours=9))],
        12: [Event(1, "paid", at())],
        13: [
            won,
            Event(2, "lost", at(hours=2)),
            Event(3, "lost", at(hours=1)),
            Event(4, "lost", at(), failed=True),
        ],
    }
    folding.put(journeys)
    folding.fold(list(journeys))
    found = folding.journeys()
    assert {root: _states(one) for root, one in found.items()} == {
        1: "met pending pending pending pending pending",
        2: "met met pending pending pending pending",  # on the very instant it was due
        3: "met met_late pending pending pending pending",
        4: "met pending skipped met pending pending",  # passed by: skipped if optional or without a due time
        5: "met unknown_start pending pending pending pending",
        6: "met pending pending pending pending pending",
        7: "pending pending pending pending pending pending",  # a failed event reaches nothing
        8: "met pending pending pending pending pending",  # `where` does not hold
        9: "met met pending pending pending pending",  # an unknown time is never late
        10: "skipped skipped met pending pending pending",
        11: "met met met pending pending pending",  # optional: never late
        12: "skipped skipped skipped skipped skipped met",  # completed: nothing is waited for
        13: "met pending pending pending pending pending",
    }
    due = {root: (one["StuckAt"], one["LateAt"]) for root, one in found.items()}
    assert due[1] == (at(hours=4), None)
    assert due[2] == (None, None)
    assert due[6] == (at(hours=5), None)
    assert due[10] == (None, at(days=1, hours=5)), "`.last` runs from the last occurrence"
    assert due[12] == (None, None)
    assert found[1]["milestones"]["created"]["DueAt"] == at(hours=4)
    assert found[6]["milestones"]["won"]["MetAt"] == at(hours=1), "a known time wins over an unknown one"
    assert (found[10]["milestones"]["approved"]["Count"], found[10]["milestones"]["approved"]["LastAt"]) == (
        2,
        at(hours=5),
    )
    assert (found[12]["CompletedAt"], found[1]["CompletedAt"]) == (at(), None)
    assert (found[13]["DroppedAt"], found[1]["DroppedAt"]) == (at(hours=1), None)
    assert (found[13]["OpenedAt"], found[13]["LastEventAt"], found[13]["Events"]) == (at(), at(hours=2), 4)


def test_a_fact_known_by_its_day_is_in_time_on_the_day_it_was_due(store: Store) -> None:
    """Due on Monday at 13:00: a date of Monday is in time, a date of Tuesday is late."""
    folding = Folding(store, PROCESS)
    won = Event(1, "won", at())
    journeys = {
        1: [won, Event(2, "created", at(hours=14), precision="day")],
        2: [won, Event(2, "created", at(hours=15), precision="day")],
    }
    folding.put(journeys)
    folding.fold(list(journeys))
    assert {root: one["milestones"]["created"]["State"] for root, one in folding.journeys().items()} == {
        1: "met", 2: "met_late",
    }  # fmt: skip


def test_undoing_cancels_what_was_before_on_the_same_object(store: Store) -> None:
    """Count, instants and amounts follow what is left; with nothing left the journey is open again."""
    folding = Folding(store, PROCESS)

    def posted(number: int, hours: int, subject: int, amount: int, currency: str = "EUR") -> Event:
        return Event(
            number, "posted", at(hours=hours), subjects=(subject,), amount=Decimal(amount), currency=currency
        )

    credited = Event(90, "credited", at(hours=5), subjects=(7,))
    journeys = {
        1: [posted(1, 1, 7, 100), posted(2, 2, 8, 50), credited],
        2: [posted(1, 1, 7, 100), credited, posted(3, 6, 7, 80)],
        3: [posted(1, 1, 7, 100), credited],
        4: [
            posted(1, 1, 7, 100),
            posted(2, 2, 7, 120),
            posted(3, 3, 8, 1),
        ],  # an object's latest amount counts, once
        5: [posted(1, 1, 7, 100), posted(2, 2, 8, 100, "USD")],
        6: [
            posted(1, 5, 7, 100),
            Event(2, "credited", at(hours=5), subjects=(7,)),
        ],  # one instant: event ids decide
        7: [Event(1, "posted", at(), subjects=(7, 8), amount=Decimal(9), currency="EUR"), credited],
        8: [posted(1, 1, 7, 100), Event(9, "credited", at(hours=5), subjects=(7,), failed=True)],
        9: [
            replace(posted(1, 1, 7, 100), attributes={"business.accounting_date": "2026-02-28"}),
            posted(2, 30, 8, 1),
        ],  # the accounting date decides on the day of an amount, else the day it happened
    }
    folding.put(journeys)
    folding.fold(list(journeys))
    found = folding.journeys()
    posts = {root: one["milestones"]["posted"] for root, one in found.items()}
    assert {
        root: (one["Count"], one["MetAt"], one["Amount"], one["Currency"]) for root, one in posts.items()
    } == {
        1: (1, at(hours=2), Decimal(50), "EUR"),
        2: (1, at(hours=6), Decimal(80), "EUR"),
        3: (0, None, None, ""),
        4: (3, at(hours=1), Decimal(121), "EUR"),
        5: (2, at(hours=1), None, "mixed"),
        6: (0, None, None, ""),
        7: (1, at(), Decimal(9), "EUR"),  # stands while one of its objects does
        8: (1, at(hours=1), Decimal(100), "EUR"),
        9: (2, at(hours=1), Decimal(101), "EUR"),
    }
    assert (found[4]["Amount"], found[4]["Currency"]) == (Decimal(121), "EUR")
    objects = found[5]["AmountObjects"]
    assert sorted(tuple(one.values()) if isinstance(one, dict) else tuple(one) for one in objects) == [
        (7, Decimal(100), "EUR"), (8, Decimal(100), "USD"),
    ]  # fmt: skip
    assert sorted(found[9]["AmountDays"]) == [date(2026, 2, 28), date(2026, 3, 3)]


def test_undoing_reopens_a_completed_journey(store: Store) -> None:
    """`completed_by` met and then undone: not completed, and late from its due time on."""
    process = load_process("""
process: reopening
keys: [deal]
milestones: [{name: sent, event: sent}, {name: paid, event: paid, within: 2d, undone_by: reversed}]
completed_by: [paid]
""")
    folding = Folding(store, process)
    events = [Event(1, "sent", at()), Event(2, "paid", at(days=1))]
    folding.put({1: events})
    folding.fold([1])
    assert folding.journeys()[1]["CompletedAt"] == at(days=1)
    folding.put({1: [Event(3, "reversed", at(days=3))]})
    folding.fold([1])
    found = folding.journeys()[1]
    assert (found["CompletedAt"], found["LateAt"], _states(found)) == (None, at(days=2), "met pending")


def test_exceptions(store: Store) -> None:
    """Failures open, the next success on the same object resolves, a later failure opens anew; checks come
    and go.
    """
    folding = Folding(store, PROCESS)

    def fails(number: int, hours: int, subject: int = 7, event: str = "created", message: str = "") -> Event:
        return Event(number, event, at(hours=hours), failed=True, subjects=(subject,), message=message)

    def works(number: int, hours: int, subject: int = 7) -> Event:
        return Event(number, "created", at(hours=hours), subjects=(subject,))

    journeys = {
        1: [fails(1, 1), fails(2, 2, message="no answer")],
        2: [fails(1, 1), fails(2, 2), works(3, 3), works(4, 4)],
        3: [fails(1, 1), works(2, 2), fails(3, 3), fails(4, 4)],
        4: [fails(1, 1), works(2, 2, subject=8)],
        5: [fails(1, 1, event="other")],
        6: [works(1, 1)],
    }
    folding.put(journeys)
    folding.fold(list(journeys))
    found = {one["Root"]: one for one in folding.exceptions()}
    assert {
        root: (
            one["OpenedAt"],
            one["ResolvedAt"],
            one["Occurrences"],
            one["FirstEventId"],
            one["LastEventId"],
        )
        for root, one in found.items()
    } == {
        1: (at(hours=1), None, 2, 1, 2),
        2: (at(hours=1), at(hours=3), 2, 1, 2),
        3: (at(hours=3), None, 2, 3, 4),
        4: (at(hours=1), None, 1, 1, 1),
        5: (at(hours=1), None, 1, 1, 1),
    }
    one = found[1]
    parts = ("Milestone", "Severity", "Blocking", "Class", "Owner", "Message")
    assert [one[part] for part in parts] == ["created", "high", 1, "technical", "everyone", "no answer"]
    other = found[5]
    assert (other["Milestone"], other["Severity"], other["Blocking"]) == ("", "medium", 0)
    assert one["ExceptionId"] == found[2]["ExceptionId"], (
        "one object, one event: one exception, under each journey"
    )
    assert one["ExceptionId"] != other["ExceptionId"]
    journeys_found = folding.journeys()
    assert {root: (one["BlockedAt"], one["OpenExceptions"]) for root, one in journeys_found.items()} == {
        1: (at(hours=1), 1), 2: (None, 0), 3: (at(hours=3), 1), 4: (at(hours=1), 1),
        5: (None, 1), 6: (None, 0),
    }  # fmt: skip

    folding.put({6: [Event(2, "other", at(hours=2), attributes={"plan": "bad"})]})
    folding.fold([6])
    check = next(one for one in folding.exceptions() if one["Root"] == 6)
    assert (check["Kind"], check["Code"], check["OpenedAt"], check["Owner"]) == (
        "check",
        "has-plan",
        at(hours=1),
        "pmo",
    )
    assert folding.journeys()[6]["BlockedAt"] == at(hours=1)
    folding.put({6: [Event(3, "other", at(hours=3), attributes={"plan": "good"})]})
    folding.fold([6])
    (check,) = (one for one in folding.exceptions() if one["Root"] == 6)
    assert (check["OpenedAt"], check["ResolvedAt"]) == (at(hours=1), at(hours=3)), "it holds again: resolved"
    assert folding.journeys()[6]["BlockedAt"] is None


SAME_CAUSE = [
    ("Project 4711 not found", "Project 12 not found"),
    ("no customer 'Acme Ltd'", "no customer 'Bolt'"),
    (
        "id 0b1c2d3e-0000-4000-8000-00000000abcd is locked",
        "id ffffffff-aaaa-bbbb-cccc-dddddddddddd is locked",
    ),
    ("006Dn00000ABCde is closed", "006Xk00000ZZZzz is closed"),
    ("took 1,234.50 EUR", "took 7 EUR"),
]
OTHER_CAUSE = [
    ("timeout after 30s", "refused"),
    ("can't reach it, don't retry", "can't read it, don't retry"),
]


def test_fingerprints(store: Store) -> None:
    """Messages that differ in ids, numbers and quoted values have one cause; others do not."""
    folding = Folding(store, PROCESS)
    pairs = [*SAME_CAUSE, *OTHER_CAUSE]
    messages = dict(enumerate((text for pair in pairs for text in pair), start=1))
    folding.put(
        {root: [Event(root, "won", at(), failed=True, message=text)] for root, text in messages.items()}
    )
    folding.fold(list(messages))
    prints = {one["Root"]: one["Fingerprint"] for one in folding.exceptions()}
    same = [prints[2 * index + 1] == prints[2 * index + 2] for index in range(len(pairs))]
    assert same == [True] * len(SAME_CAUSE) + [False] * len(OTHER_CAUSE)


def test_what_vanishes(store: Store) -> None:
    """A journey that lost its events, or left the scope, goes, with its exceptions; others stay untouched."""
    process = load_process("""
process: scoped
scope: "attr('billable') != 'false'"
keys: [deal]
milestones: [{name: won, event: won}]
""")
    folding = Folding(store, process)
    won, failed = Event(1, "won", at()), Event(2, "won", at(hours=1), failed=True)
    folding.put({1: [won, failed], 2: [won, failed], 3: [won, failed]})
    folding.fold([1, 2, 3])
    assert list(folding.journeys()) == [1, 2, 3]
    folding.put({1: [won, failed]}, deleted=True)
    folding.put({2: [Event(3, "noted", at(hours=2), attributes={"billable": "false"})]})
    folding.fold([1, 2])
    assert list(folding.journeys()) == [3]
    assert [one["Root"] for one in folding.exceptions()] == [3]
    folding.put({1: [won]})
    folding.fold([1])
    assert list(folding.journeys()) == [1, 3], "it comes back with its events"


def test_dimensions_and_hostile_text(store: Store) -> None:
    """Dimensions are the latest that is not empty; names are data, whatever they hold."""
    event = 'it\'s {x:String} \\ "done" %s; --\n/* é'
    process = load_process(f"process: odd\nkeys: [deal]\nmilestones: [{{name: odd, event: {_yaml(event)}}}]")
    folding = Folding(store, process)
    folding.put({1: [
        Event(1, event, at(), customer="Acme", region="EMEA", entity="E1"),
        Event(2, "x", at(hours=2), region="AMER"),
        Event(3, "x", at(hours=1), customer="Bolt", region="APAC", service_line="s"),
    ]})  # fmt: skip
    folding.fold([1])
    found = folding.journeys()[1]
    assert _states(found) == "met"
    assert (found["Customer"], found["Entity"], found["Region"], found["ServiceLine"]) == (
        "Bolt",
        "E1",
        "AMER",
        "s",
    )


def test_only_table_names_are_sources() -> None:
    """The name of the table of changed journeys can't carry SQL."""
    with pytest.raises(ValueError, match="no table name"):
        Tables("x) OR 1=1 --", "folding", "period", "due")


def _yaml(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


SEVERAL = load_process("""
process: several
keys: [deal]
milestones:
  - {name: won, event: [deal.won, contract.signed]}
  - name: staffed
    event: person.assigned
    at_least: 2
    within: {time: 2h, of: won}
    undone_by: person.removed
  - {name: kicked_off, event: kicked.off}
completed_by: kicked_off
""")


def test_one_of_several_events_and_a_number_of_them(store: Store) -> None:
    """Any of the events will do; the second person counts, in time or late, unless one left again."""
    folding = Folding(store, SEVERAL)
    signed = Event(1, "contract.signed", at())
    ann = Event(2, "person.assigned", at(hours=1), subjects=(2,))
    bob = Event(3, "person.assigned", at(hours=2), subjects=(3,))
    late = Event(3, "person.assigned", at(hours=3), subjects=(3,))
    left = Event(4, "person.removed", at(hours=4), subjects=(2,))
    journeys = {
        1: [signed, ann],
        2: [signed, ann, bob],
        3: [signed, ann, late],
        4: [signed, ann, bob, left],
        5: [signed, ann, bob, left, Event(5, "person.assigned", at(hours=5), subjects=(4,))],
        6: [Event(9, "deal.won", at(hours=1)), signed],
    }
    folding.put(journeys)
    folding.fold(list(journeys))
    found = folding.journeys()
    staffed = {root: one["milestones"]["staffed"] for root, one in found.items()}
    assert {root: (one["State"], one["Count"], one["MetAt"]) for root, one in staffed.items()} == {
        1: ("pending", 1, None),
        2: ("met", 2, at(hours=2)),
        3: ("met_late", 2, at(hours=3)),
        4: ("pending", 1, None),
        5: ("met_late", 2, at(hours=5)),
        6: ("pending", 0, None),
    }
    assert found[6]["milestones"]["won"]["MetAt"] == at()


AMENDED = load_process("""
process: amended
keys: [project, deal]
amount_of: contracted
milestones:
  - {name: contracted, event: [deal.won, deal.amended], repeats: true}
  - name: updated
    event: [project.created, project.updated]
    within: {time: 2d, of: contracted.last}
    responds: true
completed_by: updated
""")


def test_a_change_order_asks_for_an_update(store: Store) -> None:
    """The contract value is original and amendments; the project's creation answers the first deal only."""
    folding = Folding(store, AMENDED)
    won = Event(1, "deal.won", at(), subjects=(7,), amount=Decimal(100), currency="EUR")
    created = Event(2, "project.created", at(days=1), subjects=(1,))
    order = Event(3, "deal.won", at(days=30), subjects=(8,), amount=Decimal(40), currency="EUR")
    more = Event(4, "deal.amended", at(days=40), subjects=(8,), amount=Decimal(55), currency="EUR")
    updated = Event(5, "project.updated", at(days=31), subjects=(1,))
    journeys = {
        1: [won, created],
        2: [won, created, order],
        3: [won, created, order, updated],
        4: [won, created, order, updated, more],
        5: [Event(2, "project.created", at(days=-1), subjects=(1,)), won],
    }
    folding.put(journeys)
    folding.fold(list(journeys))
    found = folding.journeys()
    shown = {
        root: (one["Amount"], one["milestones"]["updated"]["State"], one["milestones"]["updated"]["DueAt"])
        for root, one in found.items()
    }
    assert shown == {
        1: (100, "met", at(days=2)),
        2: (140, "pending", at(days=32)),
        3: (140, "met", at(days=32)),
        4: (155, "pending", at(days=42)),
        5: (100, "pending", at(days=2)),
    }
    assert found[3]["CompletedAt"] == at(days=31)
    assert found[4]["CompletedAt"] is None


@pytest.mark.parametrize("within", ["", ", within: {until: due}", ", within: {time: 1d, of: updated}"])
def test_a_response_needs_a_clock(within: str) -> None:
    """That starts at a milestone that is no response itself."""
    text = (
        "process: p\nkeys: [deal]\nmilestones:\n  - {name: won, event: won}\n"
        "  - {name: updated, event: updated, responds: true, within: {time: 1d, of: won}}\n"
        f"  - {{name: told, event: told, responds: true{within or ', optional: true'}}}\n"
    )
    with pytest.raises(InvalidProcess, match="a response needs a clock"):
        load_process(text)


def test_milestones_met_out_of_order_are_reported(store: Store) -> None:
    """Not refused: the journey is complete, and says which milestone came before an earlier one."""
    folding = Folding(store, SEVERAL, "out-of-order")
    folding.put({
        1: [Event(1, "deal.won", at(hours=3)), Event(2, "kicked.off", at(hours=1))],
        2: [Event(1, "deal.won", at(hours=1)), Event(2, "kicked.off", at(hours=1))],
    })  # fmt: skip
    folding.fold([1, 2])
    folding.activate()
    view = "milestones_at(tenant = 'out-of-order', now = now64(6))"
    sql = f"SELECT journey, name FROM {view} WHERE out_of_order"
    assert store.query(sql, role=Role.ADHOC).result_rows == [(f"{1:016x}", "kicked_off")]
    rows = Reader(store, "out-of-order", at(days=1)).journeys(JourneyFilter(), limit=9)
    states = ((row["Root"], name, one) for row in rows for name, one in row["milestones"].items())
    assert [(root, name) for root, name, one in states if one["out_of_order"]] == [(1, "kicked_off")]
    assert {row["Status"] for row in rows} == {"completed"}
