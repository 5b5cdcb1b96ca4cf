"""The first steps of folding: which milestones each journey has reached, when, and with what amounts."""

from collections.abc import Sequence

from throughline.correlator.definition import Process
from throughline.correlator.expression_parts import Term
from throughline.correlator.fold_input import Rows, events, reached, undoing, undone
from throughline.correlator.sql_text import array, nested, plain

FAR = 10**18
DIMENSIONS = ("Customer", "Entity", "Region", "ServiceLine")


def milestones_sql(process: Process, rows: Rows, more: Sequence[str] = ()) -> str:
    """One row per journey: `met`, `known`, `met_at`, `last_at`, `judgeds`, `totals` and so on, arrays with an
    element for each milestone; `more` are further aggregates over the journey's events.
    """
    steps = [
        ([*_aggregates(process), *more], "GROUP BY Root"),
        *plain(_withdrawn(process)),
        *plain(_milestones(process)),
    ]
    return nested(events(process, rows), steps)


def _aggregates(process: Process) -> list[str]:
    milestones = list(enumerate(process.milestones))
    amount = "(Owner, Nanos, EventId, assumeNotNull(Amount), toString(Currency))"
    amounts = (f"groupArrayIf({amount}, {reached(i)} AND isNotNull(Amount))" for i, _ in milestones)
    firsts = (_nth("First", i, one.at_least) for i, one in milestones)
    judged = (_nth("Judged", i, one.at_least) if one.judged else "0" for i, one in milestones)
    columns = [
        "Root",
        "any(RootLevel) AS root_level",
        "count() AS event_count",
        "min(Micros) AS opened",
        "max(Micros) AS last_event",
        *(f"argMaxIf({name}, Moment, {name} != '') AS latest_{name}" for name in DIMENSIONS),
        f"{array(f'countIf({reached(i)})' for i, _ in milestones)} AS seen",
        f"{array(firsts)} AS seen_first",
        f"{array(f'maxIf(Last, {reached(i)})' for i, _ in milestones)} AS seen_last",
        f"{array(judged)} AS seen_judged",
        f"{array(amounts)} AS seen_amounts",
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
        columns += ["any(Reversed) AS reversed", f"{array(histories)} AS histories"]
    return [*columns, *(f"{term.sql} AS {term.name}" for term in _terms(process))]


def _nth(column: str, index: int, count: int) -> str:
    """The instant by which a milestone was reached so often."""
    if count == 1:
        return f"minIf({column}, {reached(index)})"
    return f"arraySort(groupArrayIf({column}, {reached(index)}))[{count}]"


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
        "seen_first": "arraySort(arrayMap(x -> x.5, remaining[{}]))[{}]",
        "seen_last": "arrayMax(x -> x.6, remaining[{}])",
        "seen_judged": "arraySort(arrayMap(x -> x.7, remaining[{}]))[{}]",
        "seen_amounts": "arrayMap(x -> (x.8, x.2, x.3, assumeNotNull(x.9), x.10), "
        "arrayFilter(x -> isNotNull(x.9), remaining[{}]))",
    }
    undoable = [index for index, one in enumerate(process.milestones) if one.undone_by]

    def left_of(seen: str, index: int) -> str:
        return replaced[seen].format(undoable.index(index) + 1, process.milestones[index].at_least)

    def either(seen: str) -> str:
        return array(
            f"if(reversed, {left_of(seen, index)}, {seen}[{index + 1}])"
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


def _milestones(process: Process) -> list[list[str]]:
    """Instants and amounts of each milestone."""
    needed = array(str(one.at_least) for one in process.milestones)
    amount = "accurateCastOrNull(arraySum(x -> toDecimal256(x.4, 6), l), 'Decimal(38, 6)')"
    return [
        [
            f"arrayMap((c, n) -> c >= n, counts, {needed}) AS met",
            f"arrayMap((c, n, f) -> c >= n AND f < {FAR // 2}, counts, {needed}, firsts) AS known",
            "arrayMap(a -> arrayCompact(x -> x.1, arrayReverseSort(a)), amounts) AS latest",
        ],
        [
            f"arrayMap((m, k, f) -> multiIf(k, f, m, f - {FAR}, 0), met, known, firsts) AS met_at",
            f"arrayMap((m, l) -> multiIf(NOT m, 0, l < -{FAR // 2}, l + {FAR}, l), met, lasts) AS last_at",
            "arrayMap(l -> arrayDistinct(arrayMap(x -> x.5, l)), latest) AS held",
            "arraySum(met) AS met_count",
        ],
        [
            "arrayMap(c -> if(length(c) > 1, 'mixed', c[1]), held) AS currencies",
            f"arrayMap((c, l) -> if(length(c) = 1, {amount}, NULL), held, latest) AS totals",
            "arrayMap(reached -> met_count > reached, arrayCumSum(met)) AS later_met",
        ],
    ]
