"""Due times in folding: plain time is a sum; a statement of its own computes the others before, as rows."""

# ruff: noqa: S608 - this module is the one place where SQL is generated, from validated parts

from collections.abc import Mapping

from throughline.correlator import business_clock
from throughline.correlator.business_clock import NO_STOPS, NOTHING_TOLD, Clock
from throughline.correlator.definition import Process
from throughline.correlator.definition_parts import CUT_OFF, Check, Pause, Within
from throughline.correlator.durations import Duration
from throughline.correlator.expression_parts import Lookup, latest
from throughline.correlator.fold_cycle import period_steps
from throughline.correlator.fold_input import Rows, Tables, texts
from throughline.correlator.fold_lookup import lookup_steps
from throughline.correlator.fold_milestones import milestones_sql
from throughline.correlator.sql_text import Step, array, nested

_MICROS = 1_000_000


def due_sql(process: Process, rows: Rows, tables: Tables) -> tuple[str, ...]:
    """The statements that fill the table `due` with the due times that are no sums; none where all are."""
    counted = business_clock.counted(process)
    if not counted:
        return ()
    first = {place: clock[0] for place in counted if (clock := process.clock_at(place))}
    first_of = {name: clock[0] for name in first.values() if (clock := _responds_to(process, name))}
    wanted = {*first.values(), *first_of.values()}
    derived = [one for one in process.milestones if one.name in wanted]
    wanted |= {one.after for each in derived for one in process.statements_of(each) if one.after}
    starting = tuple(one for one in process.milestones if one.name in wanted)
    narrow = process.model_copy(update={"milestones": starting or process.milestones[:1]})
    told = {place: one.told_by for place, one in counted.items() if one.told_by}
    tabled = {place: one for place, one in counted.items() if one.table}
    paused = {place: one.paused for place, one in counted.items() if one.paused}
    more = [f"{latest(name)} AS told{place}" for place, name in told.items()]
    more += [
        f"{latest(name)} AS by{place}_{nth}"
        for place, one in tabled.items()
        for nth, name in enumerate(one.by)
        if business_clock.told_by(name) is None
    ]
    more += [f"{_turns(one)} AS turns{place}" for place, one in paused.items()]
    clocks = {}
    for place, one in counted.items():
        since = f"if(told{place} = '', NULL, toInt64(0))" if one.until else _since(process, narrow, place)
        clocks[place] = Clock(
            since,
            f"told{place}" if place in told or place in tabled else NOTHING_TOLD,
            f"stops{place}" if place in paused else NO_STOPS,
        )
    turns: list[Step] = [
        (["*", *(f"{_edges(f'turns{place}')} AS edges{place}" for place in paused)], ""),
        (["*", *(f"{_stops(f'edges{place}')} AS stops{place}" for place in paused)], ""),
    ]
    steps: list[Step] = [
        *(turns if paused else ()),
        *period_steps(process, tables.period),
        (["Root", f"{business_clock.calendar_number(process)} AS calendar", "*"], ""),
        *lookup_steps(
            _lookup(process, place, one, f"ifNull({_since(process, narrow, place)}, 0)")
            for place, one in tabled.items()
        ),
        (["Root", "calendar", f"{business_clock.asked(process, clocks)} AS asked"], ""),
    ]
    journeys = nested(milestones_sql(narrow, rows, more), steps)
    found = business_clock.due_rows(process, journeys)
    return f"TRUNCATE TABLE {tables.due}", f"INSERT INTO {tables.due} (Root, Place, Due, Why)\n{found}"


def _lookup(process: Process, place: int, within: Within, since: str) -> Lookup:
    """The time that a table says: the row that is valid on the local day on which the clock starts."""
    columns = (business_clock.told_by(name) or f"by{place}_{nth}" for nth, name in enumerate(within.by))
    content = process.tables[within.table or ""].content
    day = business_clock.local_day(process, since)
    return Lookup(f"told{place}", content, within.column or "", tuple(columns), day)


def _responds_to(process: Process, name: str) -> tuple[str, bool] | None:
    found = next((one for one in process.milestones if one.name == name and one.responds), None)
    return process.clock_of(found) if found else None


def due_steps(process: Process, due: str) -> list[Step]:
    """The steps that add `due` (when each milestone is due), `untold` (whether that can't be told),
    `stopped` (whether its clock stands still) and, of checks with `grace`, `graces` (when that is over).
    """
    counted = business_clock.counted(process)
    size = len(process.milestones)
    when, untold, stopped = ["NULL"] * size, ["0"] * size, ["0"] * size
    for place, one in enumerate(process.milestones):
        clock = process.clock_of(one)
        if not one.judged:
            continue
        if clock and clock[0] != CUT_OFF:
            start = [other.name for other in process.milestones].index(clock[0]) + 1
            untold[place] = f"met[{start}] AND NOT known[{start}]"
        if place in counted:
            row = _row(place)
            when[place] = _told_due(place)
            untold[place] = f"{untold[place]} OR {row}.3 = {business_clock.NOT_TOLD}"
            stopped[place] = f"{row}.3 = {business_clock.STOPPED}"
        elif isinstance(one.judged.due, Duration):
            when[place] = f"{_since(process, process, place)} + {one.judged.due.seconds * _MICROS}"
    columns = [
        f"CAST({array(when)}, 'Array(Nullable(Int64))') AS due",
        f"{array(untold)} AS untold",
        f"{array(stopped)} AS stopped",
    ]
    if any(one.grace for one in process.checks):
        graces = (_grace(process, place, one, counted) for place, one in enumerate(process.checks, size))
        columns.append(f"CAST({array(graces)}, 'Array(Nullable(Int64))') AS graces")
    if not counted:
        return [(["*", *columns], "")]
    dues = f"SELECT Root, groupArray((Place, Due, Why)) AS dues FROM {due} GROUP BY Root"
    joined = f"AS s LEFT ANY JOIN ({dues}) AS d ON s.Root = d.Root"
    return [(["s.*", "d.dues AS dues"], joined), (["*", *columns], "")]


def _grace(process: Process, place: int, check: Check, counted: Mapping[int, Within]) -> str:
    if not check.waits:
        return "NULL"
    if place in counted:
        return _told_due(place)
    due = check.waits.due
    return f"{_since(process, process, place)} + {due.seconds * _MICROS if isinstance(due, Duration) else 0}"


def _row(place: int) -> str:
    return f"arrayFirst(x -> x.1 = {place}, dues)"


def _told_due(place: int) -> str:
    return f"if({_row(place)}.2 = 0, NULL, {_row(place)}.2)"


def _since(process: Process, narrow: Process, place: int) -> str:
    """The SQL of the instant that starts the clock of a milestone, over the milestones of `narrow`; NULL
    before, or at an unknown time.
    """
    name, last = process.clock_at(place) or ("", False)
    if name == CUT_OFF:
        return "cut_off"
    start = [one.name for one in narrow.milestones].index(name) + 1
    return f"if(known[{start}], {'last_at' if last else 'met_at'}[{start}], NULL)"


def _turns(pause: Pause) -> str:
    """The events that stop a clock (0) and let it go on (1); those of unknown time do neither."""
    turn = f"(Nanos, EventId, toUInt8(Event IN ({texts(pause.until)})))"
    every = f"Event IN ({texts((*pause.by, *pause.until))})"
    return f"groupArrayIf({turn}, Failed = 0 AND TimePrecision != 'unknown' AND {every})"


def _edges(turns: str) -> str:
    """Of turns in a row that say the same only the first counts."""
    return f"arrayCompact(x -> x.3, arraySort({turns}))"


def _stops(edges: str) -> str:
    """The instants at which a clock stopped and went on, in turn."""
    return f"arrayMap(x -> intDiv(x.1, 1000), if({edges}[1].3 = 1, arrayPopFront({edges}), {edges}))"
