"""The billing period of each journey, as rows: a statement of its own computes them, the others read them."""

# ruff: noqa: S608 - this module is the one place where SQL is generated, from validated parts

from throughline.correlator.definition import Process
from throughline.correlator.expression_parts import latest, quoted
from throughline.correlator.fold_input import Rows
from throughline.correlator.period_calendar import LAST_OF_MONTH, PeriodCalendar
from throughline.correlator.sql_text import Step, midnight, told_instant

_BY_TIME = "(Time, EventId)"


def period_sql(process: Process, rows: Rows, period: str) -> tuple[str, ...]:
    """The statements that fill the table `period`; none without a cycle.

    The period is that of the instant that the cycle's attribute tells (of a day, its midnight), or of the
    journey's first event; none if nobody can read the attribute.
    """
    if not process.cycle or not process.periods:
        return ()
    told = latest(process.cycle.at, _BY_TIME) if process.cycle.at else "''"
    day = latest(told_by, _BY_TIME) if (told_by := process.periods.periods.told_by) else "''"
    zone = process.periods.time_zone
    begun = told_instant("told", lambda day: midnight(day, zone))
    at = f"if(told = '', opened, ifNull({begun}, -1))"
    hashed = quoted(process.periods.content_hash)
    found = f"""INSERT INTO {period} (Root, CutOff, First, Last)
SELECT s.Root, p.CutOff, p.First, p.Last
FROM (
    SELECT Root, {_variant(process.periods)} AS variant, {at} AS at
    FROM (
        SELECT Root, min(toUnixTimestamp64Micro(Time)) AS opened, {told} AS told, {day} AS told_day
        FROM ({rows.select("Root, Time, EventId, Attributes")})
        GROUP BY Root
    )
) AS s
ASOF INNER JOIN (
    SELECT Variant, Start, First, Last, CutOff FROM calendar_periods WHERE Calendar = {hashed} GROUP BY ALL
) AS p ON s.variant = p.Variant AND s.at >= p.Start
WHERE s.at <= p.CutOff"""
    return f"TRUNCATE TABLE {period}", found


def period_steps(process: Process, period: str) -> list[Step]:
    """The steps that add `cut_off` (microseconds since 1970; NULL outside of all periods), `period_first` and
    `period_last`.
    """
    if not process.periods:
        return []
    cut_off = "if(p.CutOff = 0, NULL, p.CutOff) AS cut_off"
    columns = [cut_off, "p.First AS period_first", "p.Last AS period_last"]
    return [(["s.*", *columns], f"AS s LEFT ANY JOIN {period} AS p ON s.Root = p.Root")]


def object_sql(process: Process) -> list[str]:
    """The aggregate `cycle_object`: the object that the journey's period is of, as `namespace:value`."""
    if not process.cycle:
        return []
    known = [
        f"{value} != '', concat({quoted(f'{namespace}:')}, {value})"
        for namespace, attribute in process.cycle.keys.items()
        for value in [latest(attribute)]
    ]
    return [f"multiIf({', '.join(known)}, '') AS cycle_object"]


def _variant(calendar: PeriodCalendar) -> str:
    if not calendar.periods.told_by:
        return "toUInt8(0)"
    day = "toUInt8OrZero(told_day)"
    return f"if({day} BETWEEN 1 AND {LAST_OF_MONTH}, {day}, toUInt8({calendar.default_variant}))"
