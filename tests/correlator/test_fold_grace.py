"""Checks with grace, and journeys that a closing by hand releases: by the views that people read, at any
clock.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.correlator.calendars import load_calendar
from tests.correlator.fold_reference import Event
from tests.correlator.fold_world import Folding, at
from throughline.collector.control import ControlStore
from throughline.collector.exception_acts import About, Case, ExceptionActs
from throughline.collector.store import Role, Store, load_queries
from throughline.correlator.calendar_tables import CalendarTables
from throughline.correlator.link import expand
from throughline.correlator.process import InvalidProcess, load_process

OFFICE = load_calendar("""
calendar: office
time_zone: Europe/Berlin
hours: {mon-fri: ["09:00-12:00", "13:00-18:00"]}
""")
TEXT = """
process: graced
keys: [deal]
calendar: office
milestones:
  - {name: won, event: won}
  - {name: created, event: created}
checks:
  - {name: planned, after: created, grace: 30m, expect: "attr('plan') = 'yes'", blocking: true}
  - {name: staffed, after: created, grace: 2 business hours, expect: "attr('team') != ''"}
"""
PROCESS = load_process(TEXT, calendars={"office": OFFICE})
STATE = """
SELECT lower(hex(Root)) AS root, any(Status) AS status, any(OpenExceptions) AS open,
    arraySort(groupArrayIf((e.code, e.status), e.code != '')) AS found
FROM journey_rows_at(tenant = {tenant:String}, now = {now:DateTime64(6, 'UTC')}) AS j
LEFT JOIN exceptions_at(tenant = {tenant:String}, now = {now:DateTime64(6, 'UTC')}) AS e
    ON e.journeys[1] = j.Id
GROUP BY j.Root AS Root
"""
TRANSITIONS = """
SELECT Subject, Kind, toDateTime64(At, 6, 'UTC') FROM (
    SELECT * FROM exception_transitions WHERE Tenant = {tenant:String} AND Origin != 'person'
    ORDER BY Version DESC LIMIT 1 BY Subject, ExceptionId, Kind, Origin, At, EventId, Act)
WHERE Withdrawn = 0 ORDER BY Subject, At, Kind
"""
PLANNED, STAFFED = at(minutes=30), at(hours=2)  # 9:00 UTC is 10:00 in Berlin: two business hours end at 12:00
BOTH = {"plan": "yes", "team": "a"}


def event(number: int, name: str, minutes: float, **facts: str) -> Event:
    """An event so long after 9:00 UTC."""
    return Event(number, name, at(minutes=minutes), attributes=facts)


class Watched:
    """A tenant's journeys as people see them."""

    def __init__(self, store: Store, tenant: str) -> None:
        """Begin with three journeys whose projects were created at 9:00; the second was planned at 9:10."""
        self.store, self.folding = store, Folding(store, PROCESS, tenant)
        CalendarTables(store).provide(PROCESS)
        self.folding.activate()
        self.put({root: [event(root, "created", 0)] for root in (1, 2, 3)})
        self.put({2: [event(20, "noted", 10, **BOTH)]})
        self.put({3: [event(30, "noted", 60, **BOTH)]})

    def put(self, journeys: dict[int, list[Event]]) -> None:
        """New events, folded at once."""
        self.folding.put(journeys)
        self.folding.fold(list(journeys))

    def seen(self, root: int, now: datetime) -> tuple[str, int, dict[str, str]]:
        """A journey at a clock: its status, its open exceptions, and the status of each by its check."""
        rows = self._rows(STATE, now=_text(now))
        ((_, status, count, found),) = [row for row in rows if int(row[0], 16) == root]
        return status, int(count), dict(found)

    def transitions(self) -> list[tuple[int, str, datetime]]:
        """What was noted of exceptions."""
        return [(int(subject), str(kind), moment) for subject, kind, moment in self._rows(TRANSITIONS)]

    def side(self, now: datetime) -> dict[str, int]:
        """Journeys by status as comparisons and looks back see them, who fold each journey once."""
        self.store.command("OPTIMIZE TABLE journey_state FINAL", role=Role.CORRELATOR)
        queries = load_queries("throughline.correlator", "compare")
        sql = expand(queries["statuses"], queries, {})
        given = {"process": PROCESS.id, "generation": 1, "sticking_generation": [], "unheard_generation": []}
        return {str(status): int(count) for status, count in self._rows(sql, now=_text(now), **given)}

    def _rows(self, sql: str, **more: object) -> Sequence[Sequence[Any]]:
        given = {"tenant": self.folding.tenant, **more}
        return self.store.query(sql, given, role=Role.CORRELATOR).result_rows


def _text(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%d %H:%M:%S.%f")


@pytest.fixture(scope="module")
def control(tmp_path_factory: pytest.TempPathFactory) -> ControlStore:
    """A control store of its own."""
    path: Path = tmp_path_factory.mktemp("grace") / "control.db"
    store = ControlStore.open(path)
    store.migrate()
    return store


def test_a_check_counts_when_its_grace_is_over(embedded_store: Store) -> None:
    """Not before, in nothing that people see; a fact in time leaves no trace; live = rebuild."""
    watched = Watched(embedded_store, "grace")
    early, between, late = at(minutes=29), at(minutes=31), at(hours=2, minutes=1)
    assert watched.seen(1, early) == ("in_flight", 0, {"planned": "pending", "staffed": "pending"})
    assert watched.seen(1, between) == ("stuck", 1, {"planned": "open", "staffed": "pending"})
    assert watched.seen(1, late) == ("stuck", 2, {"planned": "open", "staffed": "open"})
    assert watched.seen(2, late) == ("in_flight", 0, {})
    assert watched.seen(3, late) == ("in_flight", 0, {"planned": "resolved"})
    assert watched.side(early) == {"in_flight": 3}
    assert watched.side(late) == {"in_flight": 2, "stuck": 1}
    noted = watched.transitions()
    assert noted == [
        (1, "opened", PLANNED), (1, "opened", STAFFED), (3, "opened", PLANNED), (3, "resolved", at(hours=1)),
    ]  # fmt: skip
    events = {1: [event(1, "created", 0)], 2: [event(2, "created", 0), event(20, "noted", 10, **BOTH)],
              3: [event(3, "created", 0), event(30, "noted", 60, **BOTH)]}  # fmt: skip
    live = watched.folding.facts()
    watched.folding.put(events, generation=2)
    watched.folding.rebuild(generation=2)
    assert watched.folding.facts(generation=2) == live
    assert watched.transitions() == noted


def test_a_closing_releases_the_journey_until_it_happens_again(
    embedded_store: Store, control: ControlStore
) -> None:
    """At every clock: before it, after it, once it is taken back. A snooze releases nothing."""
    watched = Watched(embedded_store, "release")
    acts = ExceptionActs(control)
    (planned,) = [one for one in watched.folding.exceptions() if (one["Root"], one["Code"]) == (1, "planned")]
    about = About("release", f"{planned['ExceptionId']:016x}", "graced", 1, "")

    def act(kind: str, case: Case, hours: float) -> Case:
        done = acts.act(about, kind, case, actor="ann", note="", now=at(hours=hours))  # type: ignore[arg-type]
        assert done
        acts.copy(embedded_store)
        return done

    snoozed = act("snoozed", Case(snoozed_until=at(days=9)), 2)
    assert watched.seen(1, at(hours=3))[0] == "stuck"
    closing = Case(
        snoozed.revision, closed_at=at(hours=4), closed_by="ann", reason="fixed", seen_until=PLANNED
    )
    closed = act("closed", closing, 4)
    assert [watched.seen(1, at(hours=hours))[0] for hours in (3, 5)] == ["stuck", "in_flight"]
    assert [watched.side(at(hours=hours)).get("stuck", 0) for hours in (3, 5)] == [1, 0]
    watched.put({1: [event(11, "noted", 6 * 60, **BOTH)]})
    watched.put({1: [event(12, "noted", 7 * 60, plan="no")]})
    assert watched.seen(1, at(hours=8))[0] == "stuck"  # it held, and then did not: that is another time
    assert watched.side(at(hours=8)).get("stuck", 0) == 1
    again = Case(
        closed.revision, closed_at=at(hours=9), closed_by="ann", reason="fixed", seen_until=at(hours=7)
    )
    closed = act("closed", again, 9)
    assert watched.seen(1, at(hours=10))[0] == "in_flight"
    act("reopened", Case(closed.revision), 11)
    assert [watched.seen(1, at(hours=hours))[0] for hours in (10, 12)] == ["in_flight", "stuck"]


@pytest.mark.parametrize(
    ("check", "sentence"),
    [
        ("{name: a, expect: 'amount > 0', grace: 2h}", "`grace` runs from a milestone: name it with `after`"),
        ("{name: a, expect: 'amount > 0', after: won, grace: soon}", "'soon' is no time span"),
    ],
)
def test_what_is_wrong_is_said(check: str, sentence: str) -> None:
    """With what to write instead."""
    with pytest.raises(InvalidProcess) as error:
        load_process(f"{TEXT}  - {check}\n", calendars={"office": OFFICE})
    assert sentence in str(error.value)


def test_grace_is_part_of_the_definition() -> None:
    """And its business time asks for a calendar's rows, where no milestone does."""
    without = load_process(TEXT.replace("grace: 30m, ", ""), calendars={"office": OFFICE})
    assert without.definition_hash != PROCESS.definition_hash
    assert timedelta(seconds=PROCESS.checks[0].waits.due.seconds) == timedelta(minutes=30)  # type: ignore[union-attr]
