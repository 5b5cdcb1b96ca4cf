"""Billing cycles: which period work belongs to, when it is cut off, and what of it is not billed by then."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from random import Random
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.correlator.calendars import load_calendar, load_periods
from tests.correlator.fold_reference import Event
from tests.correlator.fold_world import Folding, at
from throughline.collector.store import Role, Store
from throughline.correlator.calendar_files import InvalidCalendar
from throughline.correlator.calendar_tables import CalendarTables
from throughline.correlator.period_calendar import PeriodCalendar
from throughline.correlator.process import InvalidProcess, load_process

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from throughline.correlator.definition import Process

DAY = timedelta(days=1)
NAMESPACES = ("certinia.project", "kantata.workspace")
BERLIN = "Europe/Berlin"
OFFICE = load_calendar(
    "{calendar: office, time_zone: Europe/Berlin, hours: {mon-fri: '09:00-17:00'}, "
    "holidays: {also: [2026-04-06]}}"
)
PROCESS = """
process: time-to-billing
keys: [timecard, invoice]
calendar: office
cycle: {per: [certinia.project, kantata.workspace], calendar: billing, at: work_date}
amount_of: approved
milestones:
  - name: approved
    event: time.approved
    within: {time: 1 business day, of: cut_off}
    undone_by: time.unapproved
  - name: invoiced
    event: invoice.posted
    within: {time: 5 business days, of: cut_off}
    on_late: stuck
    undone_by: invoice.credited
completed_by: invoiced
"""
PERIODS = {
    "month": "{every: month}",
    "month to the 25th": "{every: month, last_day: 25}",
    "week": "{every: week, last_day: fri}",
    "half-month": "{every: half-month}",
    "told": "{every: month, last_day: {attribute: cutoff_day, default: 20}}",
    "single days": "{ends: [2026-01-31, 2026-03-10, 2026-03-24, 2026-04-30]}",
}


def billing(periods: str, zone: str = BERLIN) -> PeriodCalendar:
    """A calendar of these periods."""
    return load_periods(f"{{calendar: billing, time_zone: {zone}, periods: {periods}}}")


def process_with(periods: PeriodCalendar) -> Process:
    """The definition above, with these periods."""
    return load_process(PROCESS, calendars={"office": OFFICE, "billing": periods})


def is_last(day: date, name: str, told: str) -> bool:
    """Whether a period ends with this day."""
    last = (day + DAY).day == 1
    if name == "week":
        return day.weekday() == 4
    if name == "half-month":
        return last or day.day == 15
    if name == "single days":
        return day.isoformat() in ("2026-01-31", "2026-03-10", "2026-03-24", "2026-04-30")
    wanted = {"month": 31, "month to the 25th": 25}.get(name, 20)
    if name == "told" and told.isdigit() and 1 <= int(told) <= 31:
        wanted = int(told)
    return day.day == wanted or (last and day.day < wanted)


def expected(events: Sequence[Event], name: str, zone: ZoneInfo) -> tuple[Any, ...]:
    """Object, first and last day and cut-off of a journey, day by day."""
    ordered = sorted(events, key=lambda one: one.moment)

    def told(attribute: str) -> str:
        return next((text for one in reversed(ordered) if (text := one.attributes.get(attribute))), "")

    project = next((f"{name}:{value}" for name in NAMESPACES if (value := told(f"business.key.{name}"))), "")
    day, work = ordered[0].time.astimezone(zone).date(), told("work_date")
    if work:
        try:
            day = date.fromisoformat(work)
        except ValueError:
            return project, None, None, None
    last = first = day
    while not is_last(last, name, told("cutoff_day")):
        last += DAY
    while not is_last(first - DAY, name, told("cutoff_day")):
        first -= DAY
    end = datetime.combine(last + DAY, datetime.min.time(), tzinfo=zone) - timedelta(microseconds=1)
    return project, first, last, end


@pytest.mark.parametrize("name", PERIODS)
@given(seed=st.integers(0, 2**32), zone=st.sampled_from([BERLIN, "America/Sao_Paulo", "Pacific/Apia"]))
@settings(max_examples=1, deadline=None, suppress_health_check=list(HealthCheck), phases=[Phase.generate])
def test_periods_equal_the_reference(embedded_store: Store, name: str, seed: int, zone: str) -> None:
    """For weeks, half-months, months to any day, days that journeys tell, and single days."""
    draw = Random(seed)
    process = process_with(billing(PERIODS[name], zone))
    CalendarTables(embedded_store).provide(process)
    folding = Folding(embedded_store, process, f"{name}-{seed}-{zone}")
    choices = {
        "work_date": ["", "2026-02-28", "2026-03-25", "2026-03-26", "soon", "2026-02-31"],
        "cutoff_day": ["", "", "5", "31", "0", "many"],
        "business.key.certinia.project": ["P1", "P2", ""],
        "business.key.kantata.workspace": ["W1", "", ""],
    }
    journeys = {
        root: [
            Event(
                draw.randrange(1, 2**64),
                "time.approved",
                at(hours=draw.randrange(-24 * 28, 24 * 50)),
                attributes={key: draw.choice(values) for key, values in choices.items()},
            )
            for _ in range(draw.randrange(1, 4))
        ]
        for root in range(1000, 1060)
    }
    folding.put(journeys)
    folding.fold(list(journeys))
    found = {root: _period(row) for root, row in folding.journeys().items()}
    assert found == {root: expected(events, name, ZoneInfo(zone)) for root, events in journeys.items()}


def _period(row: Mapping[str, Any]) -> tuple[Any, ...]:
    return row["CycleObject"], row["PeriodFirst"], row["PeriodLast"], row["CutOffAt"]


def time(day: str, hours: str, amount: int, currency: str = "EUR", project: str = "P1") -> Event:
    """Approved time of one timecard."""
    instant = datetime.fromisoformat(f"{day}T{hours}:00+00:00")
    attributes = {"work_date": day, "business.key.certinia.project": project}
    return Event(
        hash((day, hours, amount, project)) % 2**64, "time.approved", instant, amount=Decimal(amount),
        currency=currency, subjects=(amount,), attributes=attributes,
    )  # fmt: skip


def other(event: str, instant: str, subject: int) -> Event:
    """Something else that happened to it."""
    when = datetime.fromisoformat(instant + "+00:00")
    return Event(hash((event, instant, subject)) % 2**64, event, when, subjects=(subject,))


# What of approved time is in a posted invoice five business days after the cut-off of its month: March is cut
# off on Tuesday 31 March 2026, Easter Monday is no business day: on Wednesday 8 April at 17:00 (15:00 UTC).
JOURNEYS = {
    # billed in time
    1: [time("2026-03-03", "10:00", 1000), other("invoice.posted", "2026-04-02T10:00", 1000)],
    # billed too late
    2: [time("2026-03-04", "10:00", 200), other("invoice.posted", "2026-04-09T10:00", 200)],
    # not billed
    3: [time("2026-03-05", "10:00", 30)],
    # billed, credited and billed again
    4: [
        time("2026-03-06", "10:00", 4),
        other("invoice.posted", "2026-04-02T10:00", 4),
        other("invoice.credited", "2026-04-03T10:00", 4),
        other("invoice.posted", "2026-04-07T10:00", 4),
    ],
    # billed and credited
    5: [
        time("2026-03-09", "10:00", 50),
        other("invoice.posted", "2026-04-02T10:00", 50),
        other("invoice.credited", "2026-04-03T10:00", 50),
    ],
    # approval withdrawn: nothing to bill, and overdue for approval
    6: [time("2026-03-10", "10:00", 600), other("time.unapproved", "2026-03-11T10:00", 600)],
    # of another currency
    7: [time("2026-03-11", "10:00", 7000, "USD")],
    # approved in April, worked in March: March
    8: [Event(8, "time.approved", datetime(2026, 4, 1, 9, tzinfo=UTC), amount=Decimal(8), currency="EUR",
              subjects=(8,), attributes={"work_date": "2026-03-31", "business.key.certinia.project": "P1"})],
    # of the next period
    9: [time("2026-04-01", "10:00", 90)],
    # of another project
    10: [time("2026-03-12", "10:00", 11, project="P2"), other("invoice.posted", "2026-03-30T10:00", 11)],
}  # fmt: skip


def test_what_is_not_billed_in_time(embedded_store: Store) -> None:
    """The flagship question, by hand: of each project's month, what is billed, what is overdue, in money."""
    process = process_with(billing("{every: month}"))
    CalendarTables(embedded_store).provide(process)
    folding = Folding(embedded_store, process, "flagship")
    folding.put(JOURNEYS)
    folding.fold(list(JOURNEYS))
    folding.activate()

    def cycles(now: str) -> dict[tuple[str, str], tuple[Any, ...]]:
        sql = (
            "SELECT object, toString(first_day), status, journeys, completed, overdue, amount, "
            "completed_amount, overdue_amount "
            f"FROM cycles_at(tenant = 'flagship', now = toDateTime64('{now}', 6, 'UTC'))"
        )
        rows = embedded_store.query(sql, role=Role.ADHOC).result_rows
        return {(row[0], row[1][:7]): tuple(_euros(one) for one in row[2:]) for row in rows}

    before, after = cycles("2026-03-20 12:00:00"), cycles("2026-04-08 15:00:00.000001")
    # the withdrawn 600 are no amount any more; 4 was billed again
    assert after["certinia.project:P1", "2026-03"] == (
        "late", 8, 3, 5, {"EUR": 1292, "USD": 7000}, {"EUR": 1204}, {"EUR": 88, "USD": 7000},
    )  # fmt: skip
    assert after["certinia.project:P2", "2026-03"] == ("complete", 1, 1, 0, {"EUR": 11}, {"EUR": 11}, {})
    assert after["certinia.project:P1", "2026-04"] == ("open", 1, 0, 0, {"EUR": 90}, {}, {})
    assert before["certinia.project:P1", "2026-03"][0] == "open"
    dues = {row["milestones"]["invoiced"]["DueAt"] for row in folding.journeys().values()}
    assert dues == {datetime(2026, 4, 8, 15, tzinfo=UTC), datetime(2026, 5, 7, 15, tzinfo=UTC)}


def _euros(value: Any) -> Any:
    return {key: int(amount) for key, amount in value.items()} if isinstance(value, dict) else value


@pytest.mark.parametrize(
    ("periods", "sentence"),
    [
        ("{every: month, last_day: fri}", "`last_day` is a weekday of a week, or a day (1 to 31) of a month"),
        ("{every: fortnight}", "`periods.every`"),
        ("{last_day: 3}", "say either `every` or the days of `ends`"),
        ("{ends: [2026-03-01, 2026-02-01]}", "`ends` goes from the earliest day to the latest"),
        ("{every: month, last_dya: 3}", "unknown field 'last_dya'"),
    ],
)
def test_what_is_wrong_with_periods_is_said(periods: str, sentence: str) -> None:
    """With the line, and what to write."""
    with pytest.raises(InvalidCalendar) as error:
        billing(periods)
    assert sentence in str(error.value)


@pytest.mark.parametrize(
    ("good", "bad", "sentence"),
    [
        ("calendar: billing", "calendar: biling", "there is no calendar 'biling'; did you mean 'billing'?"),
        ("calendar: billing", "calendar: office", "'office' has hours; one with `periods` is needed"),
        ("calendar: office", "calendar: billing", "has billing periods; one with `hours` is needed"),
        ("name: approved\n", "name: cut_off\n", "no milestone may be called 'cut_off'"),
        ("cycle: {", "# cycle: {", "there is no milestone 'cut_off'"),
    ],
)
def test_what_is_wrong_with_a_cycle_is_said(good: str, bad: str, sentence: str) -> None:
    """Likewise."""
    with pytest.raises(InvalidProcess) as error:
        load_process(
            PROCESS.replace(good, bad), calendars={"office": OFFICE, "billing": billing("{every: month}")}
        )
    assert sentence in str(error.value)
