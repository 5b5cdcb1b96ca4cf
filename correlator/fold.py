"""Folding: a definition becomes the SQL that turns a journey's events into its state and its exceptions.

One pass over the events of the changed journeys, one GROUP BY journey. Instants are microseconds since 1970
(Int64) until the last step. An event of unknown time is moved by `_FAR`, so that a known one wins wherever
there is one.

1. events      one row per (journey, event): what counts for which milestone.
2. aggregates  one row per journey: count, first, last of each milestone; amounts; terms of expressions.
3. withdrawn   milestones with `undone_by`, in journeys that hold such an event: what is left of the
   occurrences.
4. milestones  instants, due times, amounts.
5. states      milestone states, then checks, then the journey.

Milestone `i` of the definition has columns m<i>_count, m<i>_first and so on.
"""

# ruff: noqa: S608 - this module is the one place where SQL is generated, from validated parts

import re
from collections.abc import Iterable
from dataclasses import dataclass

from throughline.correlator import business_clock
from throughline.correlator.definition import Process
from throughline.correlator.durations import Duration
from throughline.correlator.expression_parts import Term, quoted
from throughline.correlator.fold_exceptions import event_exceptions, exceptions_sql
from throughline.correlator.fold_input import FRESH, Rows, events, live, reached, take, undoing, undone

_FAR = 10**18
_NEVER = 2**62
_MICROS = 1_000_000
_STATES = {"pending": 0, "met": 1, "met_late": 2, "skipped": 3, "unknown_start": 4}
_DIMENSIONS = ("Customer", "Entity", "Region", "ServiceLine")


@dataclass(frozen=True, slots=True)
class FoldSql:
    """The statements of one fold, to be run in the order of `statements`.

    Every one takes tenant, process, generation and version; a `fresh` one also lo and hi, the first and last
    root of a chunk. `version` must be one that no earlier attempt has used. What takes the current events and
    what removes the vanished are empty when fresh.
    """

    take: str
    journeys: str
    exceptions: str
    vanished_journeys: str = ""
    vanished_exceptions: str = ""

    @property
    def statements(self) -> tuple[str, ...]:
        """All of them that do something, in order."""
        every = (self.take, self.journeys, self.exceptions, self.vanished_journeys, self.vanished_exceptions)
        return tuple(one for one in every if one)


def fold_sql(process: Process, *, source: str, rows: str, fresh: bool) -> FoldSql:
    """Generate the statements.

    `source` is a table whose column Root lists the changed journeys, `rows` an empty one with the columns of
    `folding` in scratch.sql (live). With `fresh`, `journey_events`
    holds one row per (journey, event) and `journey_state` holds nothing of this generation yet: the roots
    from lo to hi are folded.
    """
    for name in (source, rows):
        if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
            raise ValueError(f"'{name}' is no table name")
    read = FRESH if fresh else live(source, rows)
    journeys, exceptions = _journeys(process, read), exceptions_sql(process, read)
    if fresh:
        return FoldSql("", journeys, exceptions)
    return FoldSql(
        take(source, rows),
        journeys,
        exceptions,
        _vanished("journey_state", "Root", source),
        _vanished("exception_state", "Root, ExceptionId", source),
    )


def _vanished(table: str, key: str, source: str) -> str:
    """Rows of the changed journeys that this version did not write again."""
    return f"""INSERT INTO {table} (Tenant, Process, Generation, {key}, Version, Deleted)
SELECT {{tenant:String}}, {{process:String}}, {{generation:UInt32}}, {key}, {{version:UInt64}}, 1
FROM (
    SELECT {key}, Version, Deleted FROM {table}
    WHERE Tenant = {{tenant:String}} AND Process = {{process:String}} AND Generation = {{generation:UInt32}}
        AND Root IN (SELECT Root FROM {source})
    ORDER BY Version DESC LIMIT 1 BY {key}
)
WHERE Version < {{version:UInt64}} AND Deleted = 0"""


def _journeys(process: Process, rows: Rows) -> str:
    """The statement for journey_state. Its steps stay apart in the plan: merged, they take a third longer."""
    steps = events(process, rows)
    for columns, closing in (
        (_aggregates(process), "GROUP BY Root"),
        *_plain(_withdrawn(process)),
        *_plain(_milestones()),
        *business_clock.steps(process, {place: instant for place, (_, instant) in _clocks(process).items()}),
        *_plain([_due(process), *_states(process)]),
    ):
        steps = f"SELECT\n{_listed(columns)}\nFROM (\n{_indented(steps)}\n)\n{closing}".rstrip()
    scope = process.in_scope
    inner = f"SELECT * FROM (\n{_indented(steps)}\n)\nWHERE {scope.sql}" if scope else steps
    final = _final(process)
    return f"""INSERT INTO journey_state (
    Tenant, Process, Generation,
{_listed([f"`{name}`" for name in final])}
)
SELECT
    {{tenant:String}}, {{process:String}}, {{generation:UInt32}},
{_listed([f"{sql} AS out_{name.replace('.', '_')}" for name, sql in final.items()])}
FROM (
{_indented(inner)}
) AS folded
LEFT JOIN (
    SELECT
        Root,
        countIf(Resolved IS NULL) AS open_events,
        countIf(Resolved IS NULL AND Blocking) AS blocking_events,
        minIf(Opened, Resolved IS NULL AND Blocking) AS blocked_since
    FROM (
{_indented(event_exceptions(process, rows), 8)}
    )
    GROUP BY Root
) AS failing ON folded.Root = failing.Root
SETTINGS query_plan_merge_expressions = 0"""


def _plain(steps: Iterable[list[str]]) -> list[business_clock.Step]:
    """Steps that add columns."""
    return [(["*", *columns], "") for columns in steps]


def _aggregates(process: Process) -> list[str]:
    milestones = list(enumerate(process.milestones))
    amount = "(Owner, Nanos, EventId, assumeNotNull(Amount), toString(Currency))"
    amounts = (f"groupArrayIf({amount}, {reached(i)} AND isNotNull(Amount))" for i, _ in milestones)
    judged = (f"minIf(Judged, {reached(i)})" if one.allowed else "0" for i, one in milestones)
    columns = [
        "Root",
        "any(RootLevel) AS root_level",
        "count() AS event_count",
        "min(Micros) AS opened",
        "max(Micros) AS last_event",
        *(f"argMaxIf({name}, Moment, {name} != '') AS latest_{name}" for name in _DIMENSIONS),
        f"{_array(f'countIf({reached(i)})' for i, _ in milestones)} AS seen",
        f"{_array(f'minIf(First, {reached(i)})' for i, _ in milestones)} AS seen_first",
        f"{_array(f'maxIf(Last, {reached(i)})' for i, _ in milestones)} AS seen_last",
        f"{_array(judged)} AS seen_judged",
        f"{_array(amounts)} AS seen_amounts",
    ]
    if process.dropped_by:
        columns += ["countIf(drops) AS drop_count", "minIf(Micros, drops) AS dropped"]
    if undoing(process):
        fact = "(Subjects, Nanos, EventId, {}, First, Last, Judged, Owner, Amount, toString(Currency))"
        histories = (
            f"groupArrayIf({fact.format(undone(i))}, Reversed AND ({reached(i)} OR {undone(i)}))"
            for i, one in milestones
            if one.undone_by
        )
        columns += ["any(Reversed) AS reversed", f"{_array(histories)} AS histories"]
    return [*columns, *(f"{term.sql} AS {term.name}" for term in _terms(process))]


def _terms(process: Process) -> list[Term]:
    scope = [process.in_scope] if process.in_scope else []
    found = {term.name: term for one in [*process.expectations.values(), *scope] for term in one.terms}
    return [found[name] for name in sorted(found)]


def _withdrawn(process: Process) -> list[list[str]]:
    """What is left of each milestone: an occurrence counts while one of its subject objects has no later
    undoing event.

    1. Occurrences and undoings are laid out per subject object, latest first.
    2. Each occurrence sees the last undoing before it in that order (arrayFill), and goes if that is one of
       its own object.
    3. Where the journey holds an undoing, what is left replaces what was seen.
    """
    names = ("count", "first", "last", "judged", "amounts")
    if not undoing(process):
        return [
            [f"seen{'' if name == 'count' else f'_{name}'} AS {name}s" for name in names[:-1]]
            + ["seen_amounts AS amounts"]
        ]
    fact = "(s, e.2, e.3, e.4, e.5, e.6, e.7, e.8, e.9, e.10)"
    laid_out = f"arrayFlatten(arrayMap(e -> arrayMap(s -> {fact}, if(empty(e.1), [0], e.1)), h))"
    left = "arrayFilter((x, u) -> x.4 = 0 AND NOT (u.4 = 1 AND u.1 = x.1), l, arrayFill(x -> x.4 = 1, l))"
    replaced = {
        "seen": "length(remaining[{}])",
        "seen_first": "arrayMin(x -> x.5, remaining[{}])",
        "seen_last": "arrayMax(x -> x.6, remaining[{}])",
        "seen_judged": "arrayMin(x -> x.7, remaining[{}])",
        "seen_amounts": "arrayMap(x -> (x.8, x.2, x.3, assumeNotNull(x.9), x.10), "
        "arrayFilter(x -> isNotNull(x.9), remaining[{}]))",
    }
    undoable = [index for index, one in enumerate(process.milestones) if one.undone_by]

    def either(seen: str) -> str:
        return _array(
            f"if(reversed, {replaced[seen].format(undoable.index(index) + 1)}, {seen}[{index + 1}])"
            if index in undoable
            else f"{seen}[{index + 1}]"
            for index in range(len(process.milestones))
        )

    return [
        [f"arrayMap(h -> arrayReverseSort({laid_out}), histories) AS laid_out"],
        [f"arrayMap(l -> arrayCompact(x -> x.3, arraySort(x -> x.3, {left})), laid_out) AS remaining"],
        [
            f"{either('seen')} AS counts",
            f"{either('seen_first')} AS firsts",
            f"{either('seen_last')} AS lasts",
            f"{either('seen_judged')} AS judgeds",
            f"{either('seen_amounts')} AS amounts",
        ],
    ]


def _milestones() -> list[list[str]]:
    """Instants and amounts of each milestone."""
    amount = "accurateCastOrNull(arraySum(x -> toDecimal256(x.4, 6), l), 'Decimal(38, 6)')"
    return [
        [
            "arrayMap(c -> c > 0, counts) AS met",
            f"arrayMap((c, f) -> c > 0 AND f < {_FAR // 2}, counts, firsts) AS known",
            "arrayMap(a -> arrayCompact(x -> x.1, arrayReverseSort(a)), amounts) AS latest",
        ],
        [
            f"arrayMap((m, k, f) -> multiIf(k, f, m, f - {_FAR}, 0), met, known, firsts) AS met_at",
            f"arrayMap((m, k, l) -> multiIf(k, l, m, l + {_FAR}, 0), met, known, lasts) AS last_at",
            "arrayMap(l -> arrayDistinct(arrayMap(x -> x.5, l)), latest) AS held",
            "arraySum(met) AS met_count",
        ],
        [
            "arrayMap(c -> if(length(c) > 1, 'mixed', c[1]), held) AS currencies",
            f"arrayMap((c, l) -> if(length(c) = 1, {amount}, NULL), held, latest) AS totals",
            "arrayMap(reached -> met_count > reached, arrayCumSum(met)) AS later_met",
        ],
    ]


def _clocks(process: Process) -> dict[int, tuple[int, str]]:
    """Of each milestone that can be late, by its place: the milestone that starts its clock (counted from 1),
    and the SQL of that instant; NULL before, or at an unknown time.
    """
    names = [one.name for one in process.milestones]
    clocks = {}
    for place, one in enumerate(process.milestones):
        clock = process.clock_of(one)
        if one.allowed and clock:
            start, instants = names.index(clock[0]) + 1, "last_at" if clock[1] else "met_at"
            clocks[place] = start, f"if(known[{start}], {instants}[{start}], NULL)"
    return clocks


def _due(process: Process) -> list[str]:
    """When each milestone is due, and whether its clock was started at an unknown time."""
    due, unknown = ["NULL"] * len(process.milestones), ["0"] * len(process.milestones)
    counted = business_clock.times(process)
    for place, (start, instant) in _clocks(process).items():
        unknown[place] = f"met[{start}] AND NOT known[{start}]"
        allowed = process.milestones[place].allowed
        if place in counted:
            due[place] = f"due{place}"
        elif isinstance(allowed, Duration):
            due[place] = f"{instant} + {allowed.seconds * _MICROS}"
    return [f"CAST({_array(due)}, 'Array(Nullable(Int64))') AS due", f"{_array(unknown)} AS unknown_start"]


def _states(process: Process) -> list[list[str]]:
    """Milestone states, then what waits, then what expressions may name, then checks."""
    names = [one.name for one in process.milestones]
    ends = [names.index(name) + 1 for name in process.completed_by]
    state = (
        f"multiIf(m AND k AND ifNull(j > d, 0), {_STATES['met_late']}, m, {_STATES['met']}, "
        f"completed OR (isNull(d) AND later), {_STATES['skipped']}, u, {_STATES['unknown_start']}, "
        f"{_STATES['pending']})"
    )
    lists = "met, known, judgeds, due, later_met, unknown_start"
    waits = _array(
        str(0 if not one.allowed else 1 if one.on_late == "stuck" else 2) for one in process.milestones
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
            f"arrayMax({_array(f'met_at[{end}]' for end in ends) if ends else '[0]'}) AS completed_at",
        ],
        [
            f"arrayMap((m, k, j, d, later, u) -> {state}, {lists}) AS states",
            f"{amount} AS Amount",
            f"{currency} AS Currency",
            *(f"latest_{name} AS {name}" for name in _DIMENSIONS),
        ],
        [
            f"{earliest.format(1)} AS stuck_at",
            f"{earliest.format(2)} AS late_at",
            f"{_failing_checks(process, names)} AS failing_checks",
        ],
        [f"arrayMin(x -> if(x.3, x.2, {_NEVER}), failing_checks) AS check_blocked"],
    ]


def _failing_checks(process: Process, names: list[str]) -> str:
    """The checks that do not hold: name, since when, whether blocking."""
    checks = []
    for check in process.checks:
        after = names.index(check.after) + 1 if check.after else None
        judged, since = (f"met[{after}]", f"met_at[{after}]") if after else ("1", "opened")
        fails = f"{judged} AND NOT {process.expectations[check.name].sql}"
        checks.append(f"({quoted(check.name)}, {since}, {int(check.blocking)}, {fails})")
    if not checks:
        return "CAST([], 'Array(Tuple(String, Int64, UInt8, UInt8))')"
    return f"arrayFilter(x -> x.4, {_array(checks)})"


def _array(items: Iterable[str]) -> str:
    return f"[{', '.join(items)}]"


def _instant(sql: str) -> str:
    return f"fromUnixTimestamp64Micro({sql}, 'UTC')"


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
        "Amount": "Amount",
        "Currency": "Currency",
        "AmountObjects": f"arrayMap(x -> (x.1, x.4, x.5), {amounts})" if process.amount_of else "[]",
        **{name: name for name in _DIMENSIONS},
        "Events": "event_count",
        "OpenExceptions": "open_events + length(failing_checks)",
        "FailedChecks": f"arrayMap(x -> (x.1, {_instant('x.2')}), failing_checks)",
        "Milestones.Name": _array(quoted(name) for name in names),
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


def _listed(columns: list[str]) -> str:
    return ",\n".join(f"    {column}" for column in columns)


def _indented(text: str, spaces: int = 4) -> str:
    return "\n".join(" " * spaces + line for line in text.split("\n"))
