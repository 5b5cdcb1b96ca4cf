"""What folding reads: one row per (journey, event), with what each event counts for."""

# ruff: noqa: S608 - this module is the one place where SQL is generated, from validated parts

import re
from collections.abc import Callable
from dataclasses import dataclass

from throughline.correlator import business_clock
from throughline.correlator.definition import Process
from throughline.correlator.expression_parts import Lookup, quoted
from throughline.correlator.fold_lookup import lookup_steps
from throughline.correlator.sql_text import nested
from throughline.probes.vocabulary import ACCOUNTING_DATE

DIMENSIONS = ("Customer", "Entity", "Region", "ServiceLine")

_FAR = 10**18

_PROCESS = "Tenant = {tenant:String} AND Process = {process:String} AND Generation = {generation:UInt32}"

TARGETS = "Tenant = {tenant:String} AND (Process, Generation) IN {targets:Array(Tuple(String, UInt32))}"
"""The generations of all processes that are folded at once."""

_COLUMNS = (
    "Root, RootLevel, EventId, Time, Event, Failed, System, Platform, Connection, Subjects, Objects, "
    "Amount, Currency, Customer, Entity, Region, ServiceLine, TimePrecision, "
    "ExceptionClass, ExceptionCode, ExceptionMessage, Attributes"
)


@dataclass(frozen=True, slots=True)
class Tables:
    """The working tables of a fold: `source` lists the changed journeys by Root, the others have the columns
    of their names in scratch.sql.
    """

    source: str
    folding: str
    period: str
    due: str

    @classmethod
    def of(cls, resolve: Callable[[str], str], lane: str = "") -> "Tables":
        """Those of a workspace; in a second lane another process may be folded at the same time."""
        own = (resolve(f"@{name}{lane}") for name in ("period", "due"))
        return cls(resolve("@to_fold"), resolve("@folding"), *own)

    def __post_init__(self) -> None:
        """Refuse what is no name."""
        for name in (self.source, self.folding, self.period, self.due):
            if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
                raise ValueError(f"'{name}' is no table name")


@dataclass(frozen=True, slots=True)
class Rows:
    """Where the events to fold stand: a table, a condition on it, one on their journeys' stored state, and
    one on the transitions of the journeys' checks.
    """

    table: str
    condition: str
    journeys: str
    checks: str

    def select(self, columns: str = _COLUMNS, more: str = "") -> str:
        """The events, narrowed by `more`."""
        return f"SELECT {columns} FROM {self.table} WHERE {self.condition}{more}"


_CHECKS = "Tenant = {tenant:String} AND Process = {process:String} AND Subject"
_FRESH_ROOTS = f"{_PROCESS} AND Root BETWEEN {{lo:UInt64}} AND {{hi:UInt64}}"

FRESH = Rows(
    "journey_events",
    f"{_FRESH_ROOTS} AND Deleted = 0",
    _FRESH_ROOTS,
    f"{_CHECKS} BETWEEN {{lo:UInt64}} AND {{hi:UInt64}}",
)
"""A rebuild: each event stands once in journey_events."""


def live(tables: Tables) -> Rows:
    """The live path: the journeys of `source`; their current events were taken into `folding`."""
    source = f"IN (SELECT Root FROM {tables.source})"
    taken = "Process = {process:String}"
    return Rows(tables.folding, taken, f"{_PROCESS} AND Root {source}", f"{_CHECKS} {source}")


def take(tables: Tables) -> str:
    """Take the current events of the journeys of `source`, of whatever process, into `folding`."""
    return f"""INSERT INTO {tables.folding} (Process, {_COLUMNS})
SELECT Process, {_COLUMNS}
FROM (
    SELECT Process, {_COLUMNS}, Deleted
    FROM journey_events
    WHERE {TARGETS} AND Root IN (SELECT Root FROM {tables.source})
    ORDER BY Version DESC LIMIT 1 BY Root, EventId
)
WHERE Deleted = 0"""


def reached(index: int) -> str:
    """The column that says whether an event reaches milestone `index`."""
    return f"r{index}"


def undone(index: int) -> str:
    """The column that says whether an event undoes milestone `index`."""
    return f"u{index}"


def undoing(process: Process) -> set[str]:
    """The events that undo a milestone."""
    return {event for one in process.milestones for event in one.undone_by}


def events(process: Process, rows: Rows) -> str:
    """Step 1: the events with their instants, and what each counts for.

    First and Last stand far behind and far before every known instant if the time is unknown. Judged is what
    lateness is judged by: of a fact known by its day, the start of that day where it happened, so that it is
    in time on the day it was due. Moment is (time, event id) as one number: tuples take three times as long
    to compare.
    """
    positive = f"bitXor(toUInt64(Nanos), {2**63})"  # in the order of time, before 1970 too
    columns = [
        "*",
        "toUnixTimestamp64Nano(Time) AS Nanos",
        "intDiv(Nanos, 1000) AS Micros",
        f"if(TimePrecision = 'unknown', Micros + {_FAR}, Micros) AS First",
        f"if(TimePrecision = 'unknown', Micros - {_FAR}, Micros) AS Last",
        f"if(TimePrecision = 'day', {business_clock.day_begins(process)}, First) AS Judged",
        f"bitOr(bitShiftLeft(toUInt256({positive}), 128), toUInt256(EventId)) AS Moment",
        "arrayMin(Subjects) AS Owner",
        f"{_day(process)} AS Day",
    ]
    for index, one in enumerate(process.milestones):
        where = process.wheres.get(one.name)
        narrowed = f" AND {where.sql}" if where else ""
        reaches = f"Failed = 0 AND Event IN ({texts(one.events)}){narrowed}" if one.events else "0"
        columns.append(f"({reaches}) AS {reached(index)}")
        if one.undone_by:
            columns.append(f"(Failed = 0 AND Event IN ({texts(one.undone_by)})) AS {undone(index)}")
    columns += [f"{sql} AS {name}" for name, sql in _beside(process).items()]
    if process.dropped_by:
        columns.append(f"(Failed = 0 AND Event IN ({texts(process.dropped_by)})) AS drops")
    if names := sorted(undoing(process)):
        found = rows.select("Root", f" AND Event IN ({texts(names)})")
        columns.append(f"Root IN ({found}) AS Reversed")
    listed = ",\n".join(f"    {column}" for column in columns)
    found = nested(rows.select(), lookup_steps(_lookups(process)))
    return f"SELECT\n{listed}\nFROM (\n{found}\n)"


def _lookups(process: Process) -> list[Lookup]:
    """What is looked up beside each event."""
    whole = [*process.expectations.values(), *([process.in_scope] if process.in_scope else [])]
    of_events = [one for each in process.wheres.values() for one in each.lookups]
    return [*of_events, *(one for each in whole for one in each.event_lookups)]


def _beside(process: Process) -> dict[str, str]:
    """The columns that aggregates need beside each event, by name."""
    whole = [*process.expectations.values(), *([process.in_scope] if process.in_scope else [])]
    return {name: sql for each in whole for term in each.terms for name, sql in term.beside}


def _day(process: Process) -> str:
    """The day whose exchange rate an amount is converted by, where amounts are the journey's.

    Most events tell none: reading a day from an empty text takes as long as a fifth of all of folding.
    """
    if not process.amount_of:
        return "toDate32(Time)"
    told = f"Attributes[{quoted(ACCOUNTING_DATE)}]"
    read = f"ifNull(toDate32OrNull(substring({told}, 1, 10)), toDate32(Time))"
    return f"if({told} = '', toDate32(Time), {read})"


def texts(several: tuple[str, ...] | list[str]) -> str:
    """Several texts as SQL literals."""
    return ", ".join(quoted(text) for text in several)
