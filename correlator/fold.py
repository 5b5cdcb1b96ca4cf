"""Folding: a definition becomes the SQL that turns a journey's events into its state and its exceptions.

One pass over the events of the changed journeys, one GROUP BY journey. Instants are microseconds since 1970 (Int64) until the
last step. An event of unknown time is moved by `_FAR`, so that a known one wins wherever there is one.

1. events      one row per (journey, event): what counts for which milestone.
2. aggregates  one row per journey: count, first, last of each milestone; amounts; terms of expressions.
3. withdrawn   milestones with `undone_by`, in journeys that hold such an event: what is left of the occurrences.
4. milestones  instants, due times, amounts.
5. states      milestone states, then checks, then the journey.

Milestone `i` of the definition has columns m<i>_count, m<i>_first and so on.
"""

import re
from dataclasses import dataclass

from throughline.correlator.definition import Milestone, Process
from throughline.correlator.expressions import Term, quoted
from throughline.correlator.fold_exceptions import EVENT_EXCEPTIONS, exceptions_sql
from throughline.correlator.fold_input import FRESH, events, live, reached, scanned

_FAR = 10**18
_NEVER = 2**62
_MICROS = 1_000_000
_STATES = {"pending": 0, "met": 1, "met_late": 2, "skipped": 3, "unknown_start": 4}
_DIMENSIONS = ("Customer", "Entity", "Region", "ServiceLine")


@dataclass(frozen=True, slots=True)
class FoldSql:
    """The statements of one fold, to be run in the order of `statements`.

    Every one takes tenant, process, generation and version; a `fresh` one also lo and hi, the first and last root of a chunk.
    `version` must be one that no earlier attempt has used. The two that remove what has vanished are empty when fresh.
    """

    journeys: str
    exceptions: str
    vanished_journeys: str = ""
    vanished_exceptions: str = ""

    @property
    def statements(self) -> tuple[str, ...]:
        """All of them that do something, in order."""
        every = (self.journeys, self.exceptions, self.vanished_journeys, self.vanished_exceptions)
        return tuple(one for one in every if one)


def fold_sql(process: Process, *, source: str, fresh: bool) -> FoldSql:
    """Generate the statements.

    `source` is a table whose column Root lists the changed journeys (live). With `fresh`, `journey_events` holds one row per
    (journey, event) and `journey_state` holds nothing of this generation yet: the roots from lo to hi are folded.
    """
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", source):
        raise ValueError(f"'{source}' is no table name")
    rows = FRESH if fresh else live(source)
    journeys, exceptions = _journeys(process, rows), exceptions_sql(process, rows)
    if fresh:
        return FoldSql(journeys, exceptions)
    return FoldSql(
        journeys,
        exceptions,
        _vanished("journey_state", "Root", source),
        _vanished("exception_state", "Root, ExceptionId", source),
    )


def _vanished(table: str, key: str, source: str) -> str:
    """Rows of the changed journeys that this version did not write again."""
    return f"""INSERT INTO {table}
SELECT * REPLACE ({{version:UInt64}} AS Version, 1 AS Deleted)
FROM (
    SELECT * FROM {table}
    WHERE Tenant = {{tenant:String}} AND Process = {{process:String}} AND Generation = {{generation:UInt32}}
        AND Root IN (SELECT Root FROM {source})
    ORDER BY Version DESC LIMIT 1 BY {key}
)
WHERE Version < {{version:UInt64}} AND Deleted = 0"""


def _journeys(process: Process, rows: str) -> str:
    steps = events(process, rows)
    for columns, closing in (
        (_aggregates(process), "GROUP BY Root"),
        (["*", *_withdrawn(process)], ""),
        (["*", *_milestones(process)], ""),
        (["*", *_states(process)], ""),
    ):
        steps = f"SELECT\n{_listed(columns)}\nFROM (\n{_indented(steps)}\n)\n{closing}".rstrip()
    scope = process.in_scope
    inner = f"SELECT * FROM (\n{_indented(steps)}\n)\nWHERE {scope.sql}" if scope else steps
    columns = _final(process)
    return f"""INSERT INTO journey_state (
    Tenant, Process, Generation,
{_listed([f"`{name}`" for name in columns])}
)
SELECT
    {{tenant:String}}, {{process:String}}, {{generation:UInt32}},
{_listed([f"{sql} AS out_{name.replace('.', '_')}" for name, sql in columns.items()])}
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
{_indented(EVENT_EXCEPTIONS(process, rows), 8)}
    )
    GROUP BY Root
) AS failing ON folded.Root = failing.Root"""


def _aggregates(process: Process) -> list[str]:
    columns = [
        "Root",
        "any(RootLevel) AS root_level",
        "count() AS event_count",
        "min(Micros) AS opened",
        "max(Micros) AS last_event",
        *(f"argMaxIf({name}, Moment, {name} != '') AS latest_{name}" for name in _DIMENSIONS),
    ]
    if process.dropped_by:
        columns += ["countIf(drops) AS drop_count", "minIf(Micros, drops) AS dropped"]
    if scanned(process):
        columns.append("any(Reversed) AS reversed")
    for index, one in enumerate(process.milestones):
        hit = reached(index)
        columns += [
            f"countIf({hit}) AS m{index}_seen",
            f"minIf(First, {hit}) AS m{index}_seen_first",
            f"maxIf(Last, {hit}) AS m{index}_seen_last",
            f"groupArrayIf((Owner, Nanos, EventId, assumeNotNull(Amount), toString(Currency)), "
            f"{hit} AND isNotNull(Amount)) AS m{index}_seen_amounts",
        ]
        if _judged(one):
            columns.append(f"minIf(Judged, {hit}) AS m{index}_seen_judged")
        if one.undone_by:
            columns.append(
                "groupArrayIf((Subjects, Nanos, EventId, "
                f"u{index}, First, Last, Judged, Owner, Amount, toString(Currency)), "
                f"Reversed AND ({hit} OR u{index})) AS m{index}_history",
            )
    return [*columns, *(f"{term.sql} AS {term.name}" for term in _terms(process))]


def _judged(milestone: Milestone) -> bool:
    return milestone.within is not None and not milestone.optional


def _terms(process: Process) -> list[Term]:
    scope = [process.in_scope] if process.in_scope else []
    found = {term.name: term for one in [*process.expectations.values(), *scope] for term in one.terms}
    return [found[name] for name in sorted(found)]


def _withdrawn(process: Process) -> list[str]:
    """What is left of each milestone: an occurrence counts while one of its subject objects has no later undoing event.

    Occurrences and undoings are laid out per subject object, latest first; each occurrence sees the last undoing before it
    in that order (arrayFill), and goes if that is one of its own object.
    """
    columns: list[str] = []
    for index, one in enumerate(process.milestones):
        seen = f"m{index}_seen"
        if not one.undone_by:
            columns += [f"{seen}{part} AS m{index}{part or '_count'}" for part in ("", "_first", "_last", "_amounts")]
            if _judged(one):
                columns.append(f"{seen}_judged AS m{index}_judged")
            continue
        columns += [
            "arrayReverseSort(arrayFlatten(arrayMap(e -> arrayMap(s -> "
            "(s, e.2, e.3, e.4, e.5, e.6, e.7, e.8, e.9, e.10), if(empty(e.1), [0], e.1)), "
            f"m{index}_history))) AS m{index}_laid_out",
            "arrayCompact(x -> x.3, arraySort(x -> x.3, arrayFilter((x, u) -> x.4 = 0 AND NOT (u.4 = 1 AND u.1 = x.1), "
            f"m{index}_laid_out, arrayFill(x -> x.4 = 1, m{index}_laid_out)))) AS m{index}_left",
            f"if(reversed, length(m{index}_left), {seen}) AS m{index}_count",
            f"if(reversed, arrayMin(x -> x.5, m{index}_left), {seen}_first) AS m{index}_first",
            f"if(reversed, arrayMax(x -> x.6, m{index}_left), {seen}_last) AS m{index}_last",
            f"if(reversed, arrayMap(x -> (x.8, x.2, x.3, assumeNotNull(x.9), x.10), "
            f"arrayFilter(x -> isNotNull(x.9), m{index}_left)), {seen}_amounts) AS m{index}_amounts",
        ]
        if _judged(one):
            columns.append(f"if(reversed, arrayMin(x -> x.7, m{index}_left), {seen}_judged) AS m{index}_judged")
    return columns


def _milestones(process: Process) -> list[str]:
    """Instants and amounts of each milestone, and when it is due."""
    columns: list[str] = []
    for index in range(len(process.milestones)):
        one = f"m{index}"
        columns += [
            f"{one}_count > 0 AS {one}_met",
            f"{one}_met AND {one}_first < {_FAR // 2} AS {one}_known",
            f"if({one}_known, {one}_first, {one}_first - {_FAR}) AS {one}_met_at",
            f"if({one}_known, {one}_last, {one}_last + {_FAR}) AS {one}_last_at",
            f"arrayCompact(x -> x.1, arrayReverseSort({one}_amounts)) AS {one}_latest",
            f"arrayDistinct(arrayMap(x -> x.5, {one}_latest)) AS {one}_currencies",
            f"multiIf(length({one}_currencies) > 1, 'mixed', {one}_currencies[1]) AS {one}_currency",
            f"if(length({one}_currencies) = 1, accurateCastOrNull(arraySum(x -> toDecimal256(x.4, 6), {one}_latest), "
            f"'Decimal(38, 6)'), NULL) AS {one}_amount",
        ]
    names = [one.name for one in process.milestones]
    for index, one in enumerate(process.milestones):
        clock = process.clock_of(one)
        if one.within is None or clock is None or one.optional:
            columns.append(f"CAST(NULL, 'Nullable(Int64)') AS m{index}_due")
            continue
        start, last = f"m{names.index(clock[0])}", clock[1]
        due = f"{start}_{'last' if last else 'met'}_at + {one.within.duration.seconds * _MICROS}"
        columns.append(f"if({start}_known, {due}, NULL) AS m{index}_due")
    return columns


def _states(process: Process) -> list[str]:
    names = [one.name for one in process.milestones]
    ends = [names.index(name) for name in process.completed_by]
    columns = [
        f"{' AND '.join(f'm{end}_met' for end in ends) or '0'} AS completed",
        f"greatest({', '.join(['0', *(f'm{end}_met_at' for end in ends)])}) AS completed_at",
    ]
    for index, one in enumerate(process.milestones):
        me, clock = f"m{index}", process.clock_of(one)
        later = " OR ".join([f"m{after}_met" for after in range(index + 1, len(names))]) or "0"
        choices = [f"{me}_met", str(_STATES["met"])]
        if _judged(one):
            choices = [f"{me}_known AND ifNull({me}_judged > {me}_due, 0)", str(_STATES["met_late"]), *choices]
        choices += [f"completed OR (isNull({me}_due) AND ({later}))", str(_STATES["skipped"])]
        if clock and _judged(one):
            start = f"m{names.index(clock[0])}"
            choices += [f"{start}_met AND NOT {start}_known", str(_STATES["unknown_start"])]
        columns.append(f"multiIf({', '.join(choices)}, {_STATES['pending']}) AS {me}_state")
    for name in ("stuck", "late"):
        waiting = [
            f"if(m{index}_state = 0, ifNull(m{index}_due, {_NEVER}), {_NEVER})"
            for index, one in enumerate(process.milestones)
            if _judged(one) and one.on_late == name
        ]
        columns.append(f"least({', '.join([str(_NEVER), *waiting])}) AS {name}_at")
    return [*columns, *_journey_columns(process, names), *_check_columns(process, names)]


def _journey_columns(process: Process, names: list[str]) -> list[str]:
    """What expressions over a journey may name, under the names they use."""
    amount, currency = "CAST(NULL, 'Nullable(Decimal(38, 6))')", "''"
    if process.amount_of:
        index = names.index(process.amount_of)
        amount, currency = f"m{index}_amount", f"m{index}_currency"
    return [
        f"{amount} AS Amount",
        f"{currency} AS Currency",
        *(f"latest_{name} AS {name}" for name in _DIMENSIONS),
    ]


def _check_columns(process: Process, names: list[str]) -> list[str]:
    failing, blocking = [], []
    for index, check in enumerate(process.checks):
        after = f"m{names.index(check.after)}" if check.after else None
        since = f"{after}_met_at" if after else "opened"
        judged = f"{after}_met AND " if after else ""
        one = f"if({judged}NOT {process.expectations[check.name].sql}, [({quoted(check.name)}, {since})], [])"
        failing.append(f"{one} AS check_{index}")
        if check.blocking:
            blocking.append(f"if(empty(check_{index}), {_NEVER}, check_{index}[1].2)")
    together = ", ".join(f"check_{index}" for index in range(len(process.checks)))
    return [
        *failing,
        f"{f'arrayConcat({together})' if together else 'CAST([], $$Array(Tuple(String, Int64))$$)'} AS failing_checks",
        f"least({', '.join([str(_NEVER), *blocking])}) AS check_blocked",
    ]


def _instant(sql: str) -> str:
    return f"fromUnixTimestamp64Micro({sql}, 'UTC')"


def _maybe(condition: str, sql: str) -> str:
    return f"if({condition}, {_instant(sql)}, NULL)"


def _final(process: Process) -> dict[str, str]:
    """The columns of journey_state."""
    count = len(process.milestones)
    names = [one.name for one in process.milestones]

    def every(pattern: str) -> str:
        return f"[{', '.join(pattern.format(f'm{index}') for index in range(count))}]"

    amounts = f"m{names.index(process.amount_of)}_latest" if process.amount_of else "[]"
    blocked = f"least(check_blocked, if(blocking_events > 0, blocked_since, {_NEVER}))"
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
        "Milestones.Name": f"[{', '.join(quoted(name) for name in names)}]",
        "Milestones.State": f"CAST({every('{}_state')}, 'Array(Int8)')",
        "Milestones.MetAt": every(_maybe("{0}_met", "{0}_met_at")),
        "Milestones.LastAt": every(_maybe("{0}_met", "{0}_last_at")),
        "Milestones.DueAt": every(_instant("{0}_due")),
        "Milestones.Count": every("{}_count"),
        "Milestones.Amount": every("{}_amount"),
        "Milestones.Currency": every("{}_currency"),
        "Version": "{version:UInt64}",
        "Deleted": "0",
    }


def _listed(columns: list[str]) -> str:
    return ",\n".join(f"    {column}" for column in columns)


def _indented(text: str, spaces: int = 4) -> str:
    return "\n".join(" " * spaces + line for line in text.split("\n"))
