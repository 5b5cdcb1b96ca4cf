"""Outlooks against a count in plain Python; silence below fifty; calibration by hand."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.dashboards.conftest import Client
from tests.dashboards.definition import definition
from throughline.collector.auth import OPEN_PRINCIPAL, Access
from throughline.collector.store import Role, Store
from throughline.correlator.alerts.asking import Limits, rows
from throughline.dashboards import outlook
from throughline.dashboards.api.models import Outlook
from throughline.dashboards.deps import Deps
from throughline.dashboards.foreseeing import foresee
from throughline.dashboards.likely import Likely, late_ages, likely
from throughline.dashboards.outlook import Curve, Outlooks, calibrated
from throughline.dashboards.queries import Kept
from throughline.dashboards.reader import JourneyFilter, Reader

NOW = datetime(2026, 6, 1, tzinfo=UTC)
ALLOWED = timedelta(hours=10)
PROCESS = definition()
HOUR = 3_600_000_000
Row = dict[str, Any]


@dataclass(frozen=True)
class Past:
    """A journey that was won at a time, and whose project came after so long, or never."""

    root: int
    entity: str
    region: str
    won: datetime
    took: timedelta | None

    @property
    def in_time(self) -> bool:
        """Whether it kept its promise."""
        return self.took is not None and self.took <= ALLOWED

    def waited(self, clock: datetime) -> timedelta:
        """How long it had been without its project, by a clock."""
        return min(self.took or timedelta.max, clock - self.won)

    def reached(self, age: timedelta, clock: datetime = NOW) -> bool:
        """Whether it was once as old without its project, as far as is known at a time."""
        return self.waited(clock) > age


def past(count: int, places: list[tuple[str, str]], seed: int = 3) -> list[Past]:
    """Journeys of the last months; a tenth never gets its project."""
    chance = random.Random(seed)
    return [
        Past(
            1 + number,
            *places[number % len(places)],
            NOW - timedelta(hours=20 + chance.randrange(2000), minutes=chance.randrange(60)),
            None if chance.random() < 0.1 else timedelta(minutes=chance.randrange(1, 1100)),
        )
        for number in range(count)
    ]


def write(store: Store, tenant: str, journeys: list[Past], process: str = PROCESS.id) -> None:
    """Store journeys as the fold would have."""
    columns = (
        "Tenant", "Process", "Generation", "Root", "OpenedAt", "LastEventAt", "Entity", "Region",
        "Milestones.Name", "Milestones.State", "Milestones.MetAt", "Milestones.LastAt", "Milestones.DueAt",
        "Milestones.Count", "Milestones.Amount", "Milestones.Currency", "Version",
    )  # fmt: skip
    rows = []
    for one in journeys:
        met = one.won + one.took if one.took is not None else None
        met = met if met and met <= NOW else None
        state = "pending" if met is None else "met" if one.in_time else "met_late"
        rows.append(
            (
                tenant, process, 1, one.root, one.won, met or one.won, one.entity, one.region,
                ["closed_won", "project_created"], ["met", state], [one.won, met], [one.won, met],
                [None, one.won + ALLOWED], [1, int(met is not None)], [None, None], ["", ""], 1,
            )
        )  # fmt: skip
    store.insert_rows("journey_state", rows, columns, role=Role.LOADER)
    names = ("Tenant", "Process", "Generation", "ActivatedAt", "Version")
    store.insert_rows("generations", [(tenant, process, 1, NOW, 1)], names, role=Role.LOADER)


def outlook_of(store: Store, tenant: str, root: int) -> Row | None:
    """The outlook of the project of one journey."""
    journey = Reader(store, tenant, NOW).journey(root)
    assert journey is not None
    found = Outlooks(store, Kept(60), tenant, NOW).of(PROCESS, journey)
    assert found.keys() <= {"project_created"}
    return found.get("project_created")


def test_share_is_that_of_comparable_journeys_of_the_age(embedded_store: Store) -> None:
    """Entity, else region, else process; calibrated as a walk through the past in plain Python is."""
    places = [("DE01", "EMEA")] * 6 + [("US01", "AMER"), ("FR02", "EMEA"), ("UK01", "")]
    journeys = past(450, places)
    waiting = [
        Past(1001 + number, entity, region, NOW - timedelta(hours=hours), None)
        for number, (entity, region, hours) in enumerate(
            [("DE01", "EMEA", 1), ("DE01", "EMEA", 8), ("FR02", "AMER", 3), ("XX", "EMEA", 5), ("XX", "", 9)]
        )
    ]
    write(embedded_store, "many", journeys + waiting)
    grouped = [
        ("entity DE01", "DE01", ""), ("entity DE01", "DE01", ""), ("process", "", ""),
        ("region EMEA", "", "EMEA"), ("process", "", ""),
    ]  # fmt: skip
    predictions = walked(journeys)
    for few in ("FR02", "US01"):  # so that a journey of FR02 in AMER is compared with all of the process
        assert sum(old.took is not None for old in journeys if old.entity == few) < outlook.FEWEST
    for one, (group, entity, region) in zip(waiting, grouped, strict=True):
        age = NOW - one.won
        pool = [old for old in journeys if entity in {"", old.entity} and region in {"", old.region}]
        assert sum(old.took is not None for old in pool) >= outlook.FEWEST
        reached = [old for old in pool if old.reached(age)]
        said = outlook_of(embedded_store, "many", one.root)
        assert said is not None
        made = sum(old.in_time for old in reached)
        assert (said["in_time"], said["based_on"], said["group"]) == (made, len(reached), group)
        assert said["likely_late"] == (made / len(reached) < 0.5)
        check_trust(said, predictions)
    assert outlook_of(embedded_store, "many", journeys[0].root) is None
    outlooks = Outlooks(embedded_store, Kept(60), "many", NOW)
    said_of = {one.root: outlook_of(embedded_store, "many", one.root) or {} for one in waiting}
    late = [one for one in waiting if said_of[one.root]["likely_late"]]
    assert late
    listed = Reader(embedded_store, "many", NOW).journeys(
        JourneyFilter(likely_late=True), limit=500, likely=likely(outlooks, [PROCESS])
    )
    newest = sorted(late, key=lambda one: one.won, reverse=True)
    assert [row["Root"] for row in listed] == [one.root for one in newest]
    check_view(embedded_store, said_of, likely(outlooks, [PROCESS]))


def check_view(store: Store, said_of: dict[int, Row], known: Likely) -> None:
    """The view says what the list's filter does, by any clock; and nothing of a process that is gone."""
    assert likely_late(store, "many", NOW) == {}
    assert [foresee(store, "many", [PROCESS], NOW) for _ in range(2)] == [1, 0]
    found = likely_late(store, "many", NOW)
    assert found == {
        (root, "project_created"): said["group"] for root, said in said_of.items() if said["likely_late"]
    }
    assert len(set(found.values())) > 1
    numbers = set()
    for hours in (0, 3, 20):
        clock = NOW + timedelta(hours=hours)
        listed = listed_late(store, "many", clock, known)
        assert {root for root, _ in likely_late(store, "many", clock)} == listed
        numbers.add(len(listed))
    assert len(numbers) > 1
    assert foresee(store, "many", [], NOW + timedelta(hours=1)) == 1
    assert likely_late(store, "many", NOW) == {}


def likely_late(store: Store, tenant: str, now: datetime) -> dict[tuple[int, str], str]:
    """What rules read: the group that each journey and milestone is compared with."""
    found = rows(store, tenant, "SELECT * FROM likely_late", now, most=500, limits=Limits())
    assert all(one["due_at"] >= now for one in found)
    return {(int(one["journey"], 16), one["milestone"]): one["compared_with"] for one in found}


def listed_late(store: Store, tenant: str, now: datetime, known: Likely) -> set[int]:
    """What the filter of the list finds."""
    wanted = JourneyFilter(likely_late=True)
    return {row["Root"] for row in Reader(store, tenant, now).journeys(wanted, limit=500, likely=known)}


def test_the_view_and_the_list_agree_for_every_kind_of_clock(embedded_store: Store) -> None:
    """From the first and last occurrence, the beginning and the cut-off; some have not begun, some ended."""
    chance = random.Random(5)

    def at(*hours: int) -> datetime | None:
        return NOW + timedelta(hours=chance.randrange(*hours)) if chance.random() < 0.8 else None

    columns = (
        "Tenant", "Process", "Generation", "Root", "OpenedAt", "CutOffAt", "CompletedAt", "Entity", "Region",
        "Milestones.Name", "Milestones.State", "Milestones.MetAt", "Milestones.LastAt", "Milestones.DueAt",
        "Milestones.Count", "Milestones.Amount", "Milestones.Currency", "Version",
    )  # fmt: skip
    names, none = ["a", "b", "c", "d", "e"], [None] * 5
    lines = [
        (
            "clocks", "p", 1, root, NOW - timedelta(hours=chance.randrange(40)), at(-40, 0),
            NOW if root % 9 == 0 else None, chance.choice(["", "DE01"]), chance.choice(["", "EMEA", "AMER"]),
            names, [chance.choice(["pending", "pending", "met"]) for _ in names], [at(-40, 0), *none[1:]],
            [at(-20, 0), *none[1:]], [at(-5, 40) for _ in names], [1, 0, 0, 0, 0], none, [""] * 5, 1,
        )
        for root in range(1, 200)
    ]  # fmt: skip
    embedded_store.insert_rows("journey_state", lines, columns, role=Role.LOADER)
    active = ("Tenant", "Process", "Generation", "ActivatedAt", "Version")
    embedded_store.insert_rows("generations", [("clocks", "p", 1, NOW, 1)], active, role=Role.LOADER)
    clocks = [("b", "a", "first"), ("c", "a", "last"), ("d", "", "opened"), ("e", "", "cut_off")]
    groups = [
        (name, kind, value, [(since, since + 8 * HOUR) for since in (chance.randrange(20) * HOUR, 25 * HOUR)])
        for name in names[1:]
        for kind, value in (("entity", "DE01"), ("region", "EMEA"), ("process", ""))
        if chance.random() < 0.8
    ]
    known = Likely(
        tuple(("p", *one) for one in clocks),
        tuple(("p", *one[:3]) for one in groups),
        tuple(("p", *one[:3], *span) for one in groups for span in one[3]),
    )
    row = ("clocks", "p", NOW, clocks, groups)
    fields = ("Tenant", "Process", "KnownAt", "Clocks", "Groups")
    embedded_store.insert_rows("late_ages", [row], fields, role=Role.LOADER)
    found = likely_late(embedded_store, "clocks", NOW)
    assert {root for root, _ in found} == listed_late(embedded_store, "clocks", NOW, known)
    assert {name for _, name in found} == set(names[1:])
    assert {"entity DE01", "region EMEA", "process"} == set(found.values())


def walked(journeys: list[Past]) -> list[tuple[float, bool]]:
    """What would have been said at a quarter, a half and three quarters of the time, and what happened."""
    latest = sorted(journeys, key=lambda one: (-one.won.timestamp(), one.root))[: outlook.SAMPLES]
    predictions = []
    for one in latest:
        for part in (0.25, 0.5, 0.75):
            age = ALLOWED * part
            at = one.won + age
            if not one.reached(age):
                continue
            known = [old for old in journeys if old.won + ALLOWED < at]
            for same in ("entity", "region", ""):
                value = getattr(one, same) if same else "all"
                pool = [old for old in known if not same or getattr(old, same) == value]
                done = [old for old in pool if old.took is not None and old.won + old.took <= at]
                reached = [old for old in pool if old.reached(age, at)]
                if value and len(done) >= outlook.FEWEST and reached:
                    predictions.append((sum(old.in_time for old in reached) / len(reached), one.in_time))
                    break
    return predictions


def check_trust(said: Row, predictions: list[tuple[float, bool]]) -> None:
    """The calibration beside a share is that of the predictions of the same fifth."""
    fifth = min(int(said["share"] * 5), 4)
    alike = [happened for share, happened in predictions if min(int(share * 5), 4) == fifth]
    trust = said["calibrated"]
    assert bool(alike) == (trust is not None)
    if trust is not None:
        assert (trust["predictions"], trust["predictions_in_all"]) == (len(alike), len(predictions))
        assert trust["observed"] == pytest.approx(sum(alike) / len(alike))
        squares = [(share - happened) ** 2 for share, happened in predictions]
        assert trust["brier"] == pytest.approx(sum(squares) / len(squares))


async def test_nothing_is_said_below_fifty_completions(
    embedded_store: Store, client: Client, tmp_path: Path
) -> None:
    """Forty-nine that have met it say nothing, fifty do; those that never did are no completions."""
    for tenant, count in (("few", 49), (OPEN_PRINCIPAL.tenant, 50)):
        done = [
            Past(number, "DE01", "EMEA", NOW - timedelta(hours=100 + number), timedelta(hours=5))
            for number in range(1, count + 1)
        ]
        never = [Past(500 + number, "DE01", "EMEA", NOW - timedelta(days=9), None) for number in range(30)]
        waiting = Past(900, "DE01", "EMEA", NOW - timedelta(hours=2), None)
        older = Past(901, "DE01", "EMEA", NOW - timedelta(hours=8), None)
        write(embedded_store, tenant, [*done, *never, waiting, older])
    assert outlook_of(embedded_store, "few", 900) is None
    deps = Deps(
        store=embedded_store, access=Access, spool=tmp_path, processes=lambda: (PROCESS,), clock=lambda: NOW
    )
    async with client(deps, None) as http:
        milestones = (await http.get(f"/v1/journeys/{900:016x}")).json()["milestones"]
        listed = (await http.get("/v1/journeys?outlook=likely_late")).json()["items"]
    assert [one["id"] for one in listed] == [f"{901:016x}"]  # whoever had waited so long never made it
    late = listed[0]["milestones"]["project_created"]["outlook"]
    assert (late["in_time"], late["based_on"], late["likely_late"]) == (0, 30, True)
    assert milestones["closed_won"].get("outlook") is None
    said = milestones["project_created"]["outlook"]
    assert (said["in_time"], said["based_on"], said["share"]) == (50, 80, 50 / 80)
    assert (said["group"], said["likely_late"]) == ("entity DE01", False)
    assert Outlook.model_validate(said).based_on == 80


@given(st.lists(st.integers(0, 40)), st.lists(st.integers(0, 40)))
def test_ages_at_which_a_milestone_is_likely_late(made: list[int], missed: list[int]) -> None:
    """Exactly those at which the share of a curve says so."""
    curve = Curve(sorted(made), sorted(missed))
    spans = list(late_ages(curve))
    for age in range(42):
        in_time, reached = curve.at(age)
        wanted = reached > 0 and in_time / reached < outlook.LIKELY_LATE
        assert any(since <= age < until for since, until in spans) == wanted


def test_calibration_by_hand() -> None:
    """Two fifths of one milestone: 4 predictions of 0.3, of which 1 came true; 6 of 0.9, of which 5 did."""
    low = (1 * 0.7**2 + 3 * 0.3**2) / 4
    high = (5 * 0.1**2 + 1 * 0.9**2) / 6
    found = calibrated([("paid", 1, 4, 0.3, 0.25, low), ("paid", 4, 6, 0.9, 5 / 6, high)])
    assert found["paid"]["predictions"] == 10
    assert found["paid"]["brier"] == pytest.approx(0.162)
    assert found["paid"]["fifths"][4] == {"predictions": 6, "said": 0.9, "observed": 5 / 6}
