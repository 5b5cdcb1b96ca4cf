"""Folding: a definition becomes the SQL that turns a journey's events into its state and its exceptions.

One pass over the events of the changed journeys, one GROUP BY journey. Instants are microseconds since 1970
(Int64) until the last step. An event of unknown time is moved by `FAR`, so that a known one wins wherever
there is one.

1. events      one row per (journey, event): what counts for which milestone.
2. aggregates  one row per journey: count, first, last of each milestone; amounts; terms of expressions.
3. withdrawn   milestones with `undone_by`, in journeys that hold such an event: what is left of the
   occurrences.
4. milestones  instants and amounts.
5. due times   plain time is a sum; what clocks in business time, clocks that stop and attributes say, a
   statement of its own has put into rows before (`business_clock.py`).
6. states      milestone states, then checks, then the journey.

Milestone `i` of the definition has columns m<i>_count, m<i>_first and so on.
"""

# ruff: noqa: S608 - this module is the one place where SQL is generated, from validated parts

from collections.abc import Collection
from dataclasses import dataclass

from throughline.correlator.definition import Process
from throughline.correlator.expression_parts import Lookup, quoted
from throughline.correlator.fold_checks import failing_checks
from throughline.correlator.fold_cycle import object_sql, period_sql, period_steps
from throughline.correlator.fold_due import due_sql, due_steps
from throughline.correlator.fold_exceptions import EXCEPTION_ID, checks_sql, event_exceptions, failures_sql
from throughline.correlator.fold_input import DIMENSIONS, FRESH, TARGETS, Rows, Tables, live, take, undoing
from throughline.correlator.fold_lookup import lookup_steps
from throughline.correlator.fold_milestones import entitled, milestones_sql
from throughline.correlator.fold_transitions import transitions_sql
from throughline.correlator.sql_text import array, indented, listed, nested, plain

_NEVER = 2**62
_STATES = {"pending": 0, "met": 1, "met_late": 2, "skipped": 3, "unknown_start": 4}


_EVENT_ID = EXCEPTION_ID.format("'event', Event, Subject")
_CHECK_ID = EXCEPTION_ID.format("'check', x.1, folded.Root")


@dataclass(frozen=True, slots=True)
class FoldSql:
    """The statements of one fold, to be run in the order of `statements`.

    Every one takes tenant, process, generation and version; a `fresh` one also lo and hi, the first and last
    root of a chunk. `version` must be one that no earlier attempt has used. What takes the current events,
    what removes the vanished and what notices transitions are empty when fresh; else they take `processes`
    and `targets`, pairs of process and generation, and do so for all processes at once.
    """

    take: str
    clocks: tuple[str, ...]
    journeys: str
    failures: str
    """Those of failed events."""
    checks: str
    """Those of checks that do not hold, and that did not once."""
    vanished_journeys: str = ""
    vanished_exceptions: str = ""
    transitions: tuple[str, ...] = ()
    """To be left out where no changed journey has or had an exception."""

    @property
    def statements(self) -> tuple[str, ...]:
        """All of them that do something, in order."""
        written = (
            self.journeys,
            self.failures,
            self.checks,
            self.vanished_journeys,
            self.vanished_exceptions,
        )
        return tuple(one for one in (self.take, *self.clocks, *written, *self.transitions) if one)


@dataclass(frozen=True, slots=True)
class Seen:
    """Whether the events at hand undo others, and whether any has failed: else the journeys' statement can do
    without looking for that. Planning it takes longer than folding a few journeys.
    """

    undone: bool = True
    failed: bool = True

    @classmethod
    def of(cls, process: Process, failed: int, events: Collection[str]) -> "Seen":
        """By what happened, and how many of it failed."""
        return cls(undone=not undoing(process).isdisjoint(events), failed=failed > 0)


EVERYTHING = Seen()


def fold_sql(process: Process, tables: Tables, *, fresh: bool, seen: Seen = EVERYTHING) -> FoldSql:
    """Generate the statements.

    Live, the journeys that `tables.source` lists are folded, and `tables.folding` is empty. With `fresh`
    the roots from lo to hi are: `journey_events` holds one row per (journey, event) and `journey_state`
    nothing of this generation yet.
    """
    if not seen.undone:
        kept = tuple(one.model_copy(update={"undone_by": ()}) for one in process.milestones)
        process = process.model_copy(update={"milestones": kept})
    rows = FRESH if fresh else live(tables)
    clocks = (*period_sql(process, rows, tables.period), *due_sql(process, rows, tables))
    failures = event_exceptions(process, rows) if seen.failed else ""
    journeys = _journeys(process, rows, tables, failures)
    exceptions = failures_sql(process, rows), checks_sql(process, rows)
    if fresh:
        return FoldSql("", clocks, journeys, *exceptions)
    return FoldSql(
        take(tables),
        clocks,
        journeys,
        *exceptions,
        _vanished("journey_state", "Root", tables.source),
        _vanished("exception_state", "Root, Subject, ExceptionId", tables.source),
        transitions_sql(tables.source),
    )


def _vanished(table: str, key: str, source: str) -> str:
    """Rows of the changed journeys that this version did not write again."""
    return f"""INSERT INTO {table} (Tenant, Process, Generation, {key}, Version, Deleted)
SELECT {{tenant:String}}, Process, Generation, {key}, {{version:UInt64}}, 1
FROM (
    SELECT Process, Generation, {key}, Version, Deleted FROM {table}
    WHERE {TARGETS} AND Root IN (SELECT Root FROM {source})
    ORDER BY Version DESC LIMIT 1 BY {key}
)
WHERE Version < {{version:UInt64}} AND Deleted = 0"""


def _journeys(process: Process, rows: Rows, tables: Tables, failures: str) -> str:
    """The statement for journey_state; `failures` are the exceptions of events, empty if there are none. Its
    steps stay apart in the plan: merged, they take a third longer. A rebuild reads journey after journey, and
    needs no hash table of them all: a third less.
    """
    states = _states(process)
    named, judged = states[:2], states[2:]
    steps = nested(
        milestones_sql(process, rows, object_sql(process)),
        [
            *period_steps(process, tables.period),
            *due_steps(process, tables.due),
            *plain(named),
            *lookup_steps(_lookups(process)),
            *plain(judged),
        ],
    )
    scope = process.in_scope
    inner = f"SELECT * FROM (\n{indented(steps)}\n)\nWHERE {scope.sql}" if scope else steps
    final = _final(process)
    return f"""INSERT INTO journey_state (
    Tenant, Process, Generation,
{listed([f"`{name}`" for name in final])}
)
SELECT
    {{tenant:String}}, {{process:String}}, {{generation:UInt32}},
{listed([f"{sql} AS out_{name.replace('.', '_')}" for name, sql in final.items()])}
FROM (
{indented(inner if failures else f"SELECT *, {_NO_FAILURES} FROM ({inner})")}
) AS folded{_with_failures(failures) if failures else ""}
SETTINGS query_plan_merge_expressions = 0, optimize_aggregation_in_order = 1"""


_NO_FAILURES = (
    "toUInt64(0) AS open_events, toUInt64(0) AS blocking_events, toInt64(0) AS blocked_since, "
    "CAST([], 'Array(Tuple(UInt64, Int64, Int64))') AS blocking_rows"
)


def _with_failures(failures: str) -> str:
    """The join that adds the failures of each journey."""
    return f"""
LEFT JOIN (
    SELECT
        Root,
        countIf(Resolved IS NULL) AS open_events,
        countIf(Resolved IS NULL AND Blocking) AS blocking_events,
        minIf(Opened, Resolved IS NULL AND Blocking) AS blocked_since,
        groupArrayIf(({_EVENT_ID}, Opened, intDiv(latest.1, 1000)), Resolved IS NULL AND Blocking)
            AS blocking_rows
    FROM (
{indented(failures, 8)}
    )
    GROUP BY Root
) AS failing ON folded.Root = failing.Root"""


def _lookups(process: Process) -> list[Lookup]:
    """What is looked up of each journey."""
    every = [*process.expectations.values(), *([process.in_scope] if process.in_scope else [])]
    return [one for each in every for one in each.lookups]


def _states(process: Process) -> list[list[str]]:
    """Milestone states, then what waits, then what expressions may name, then checks."""
    names = [one.name for one in process.milestones]
    ends = [names.index(name) + 1 for name in process.completed_by]
    state = (
        f"multiIf(m AND k AND ifNull(j > d, 0), {_STATES['met_late']}, m, {_STATES['met']}, "
        f"completed OR (isNull(d) AND later AND NOT still), {_STATES['skipped']}, "
        f"u, {_STATES['unknown_start']}, {_STATES['pending']})"
    )
    lists = "met, known, judgeds, due, later_met, untold, stopped"
    waits = array(
        str(0 if not one.judged else 1 if one.on_late == "stuck" else 2) for one in process.milestones
    )
    amount, currency = "CAST(NULL, 'Nullable(Decimal(38, 6))')", "''"
    if process.amount_of:
        index = names.index(process.amount_of) + 1
        amount, currency = f"totals[{index}]", f"currencies[{index}]"
    earliest = (
        f"arrayMin((s, d, w) -> if(s = 0 AND w = {{}}, ifNull(d, {_NEVER}), {_NEVER}), states, due, {waits})"
    )
    return [
        [
            f"{' AND '.join(f'met[{end}]' for end in ends) or '0'} AS completed",
            f"arrayMax({array(f'met_at[{end}]' for end in ends) if ends else '[0]'}) AS completed_at",
        ],
        [
            f"arrayMap((m, k, j, d, later, u, still) -> {state}, {lists}) AS states",
            f"{amount} AS Amount",
            f"{currency} AS Currency",
            *(f"latest_{name} AS {name}" for name in DIMENSIONS),
        ],
        [
            f"{earliest.format(1)} AS stuck_at",
            f"{earliest.format(2)} AS late_at",
            f"{failing_checks(process)} AS failing_checks",
        ],
        [f"arrayMin(x -> if(x.3, x.2, {_NEVER}), failing_checks) AS check_blocked"],
    ]


def _entitlements(process: Process) -> dict[str, str]:
    """The column of what is granted and used, where the process has such."""
    rows = [
        f"arrayMap(x -> ({quoted(name)}, {', '.join(f'x.{part}' for part in range(1, 10))}), {term.name})"
        for name, term in entitled(process).items()
    ]
    return {"Entitlements": f"arrayConcat({', '.join(rows)})"} if rows else {}


def _instant(sql: str) -> str:
    return f"fromUnixTimestamp64Micro({sql}, 'UTC')"


_BLOCKING_EVENTS = f"arrayMap(x -> (x.1, {_instant('x.2')}, {_instant('x.3')}), blocking_rows)"
_BLOCKING_CHECKS = (
    f"arrayMap(x -> ({_CHECK_ID}, {_instant('x.2')}, {_instant('x.2')}), "
    "arrayFilter(x -> x.3, failing_checks))"
)


def _maybe(condition: str, sql: str) -> str:
    """An instant or NULL; what lies under a NULL is a readable instant too, for clients that look."""
    return f"if({condition}, {_instant(f'if({condition}, {sql}, 0)')}, NULL)"


def _final(process: Process) -> dict[str, str]:
    """The columns of journey_state."""
    names = [one.name for one in process.milestones]
    amounts = f"latest[{names.index(process.amount_of) + 1}]" if process.amount_of else "[]"
    blocked_event = f"if(blocking_events > 0, blocked_since, {_NEVER})"
    blocked = f"least(if(empty(failing_checks), {_NEVER}, check_blocked), {blocked_event})"
    instants = "arrayMap((m, t) -> " + _maybe("m", "t") + ", met, {})"
    return {
        "Root": "folded.Root",
        "RootLevel": "root_level",
        "Orphan": "root_level > 0",
        "DefinitionVersion": str(process.version),
        "OpenedAt": _instant("opened"),
        "LastEventAt": _instant("last_event"),
        "CompletedAt": _maybe("completed", "completed_at"),
        "DroppedAt": _maybe("drop_count > 0", "dropped") if process.dropped_by else "NULL",
        "StuckAt": _maybe(f"stuck_at < {_NEVER}", "stuck_at"),
        "LateAt": _maybe(f"late_at < {_NEVER}", "late_at"),
        "BlockedAt": _maybe(f"{blocked} < {_NEVER}", blocked),
        "Blocking": f"arrayConcat({_BLOCKING_EVENTS}, {_BLOCKING_CHECKS})",
        "Amount": "Amount",
        "Currency": "Currency",
        "AmountObjects": f"arrayMap(x -> (x.1, x.4, x.5), {amounts})" if process.amount_of else "[]",
        "AmountDays": f"arrayMap(x -> x.6, {amounts})" if process.amount_of else "[]",
        **{name: name for name in DIMENSIONS},
        "CycleObject": "cycle_object" if process.cycle else "''",
        "PeriodFirst": "if(isNull(cut_off), NULL, period_first)" if process.cycle else "NULL",
        "PeriodLast": "if(isNull(cut_off), NULL, period_last)" if process.cycle else "NULL",
        "CutOffAt": _maybe("isNotNull(cut_off)", "assumeNotNull(cut_off)") if process.cycle else "NULL",
        "Events": "event_count",
        "OpenExceptions": "open_events + length(failing_checks)",
        "FailedChecks": f"arrayMap(x -> (x.1, {_instant('x.2')}), failing_checks)",
        "CheckDetails": "arrayMap(x -> x.5, failing_checks)",
        **_entitlements(process),
        "Milestones.Name": array(quoted(name) for name in names),
        "Milestones.State": "CAST(states, 'Array(Int8)')",
        "Milestones.MetAt": instants.format("met_at"),
        "Milestones.LastAt": instants.format("last_at"),
        "Milestones.DueAt": f"arrayMap(d -> {_instant('d')}, due)",
        "Milestones.Count": "counts",
        "Milestones.Amount": "totals",
        "Milestones.Currency": "currencies",
        "Version": "{version:UInt64}",
        "Deleted": "0",
    }
