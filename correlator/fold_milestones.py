"""The first steps of folding: which milestones each journey has reached, when, and with what amounts."""

from collections.abc import Iterator, Sequence

from throughline.correlator.definition import Process
from throughline.correlator.definition_parts import Milestone
from throughline.correlator.expression_parts import Term
from throughline.correlator.expression_scope import term_name
from throughline.correlator.fold_checks import green, green_steps, starts_of
from throughline.correlator.fold_input import DIMENSIONS, Rows, events, reached, undoing, undone
from throughline.correlator.journey_terms import objects_of, subjects_among
from throughline.correlator.sql_text import array, nested, plain

FAR = 10**18
_NEVER = 2**62


def milestones_sql(process: Process, rows: Rows, more: Sequence[str] = ()) -> str:
    """One row per journey: `met`, `known`, `met_at`, `last_at`, `judgeds`, `totals` and so on, arrays with an
    element for each milestone; `more` are further aggregates over the journey's events.
    """
    steps = [
        ([*_aggregates(process), *more], "GROUP BY Root"),
        *green_steps(process, rows),
        *plain(_withdrawn(process)),
        *plain(_milestones(process)),
    ]
    return nested(events(process, rows), steps)


def _aggregates(process: Process) -> list[str]:
    milestones = list(enumerate(process.milestones))
    amount = "(Owner, Nanos, EventId, assumeNotNull(Amount), toString(Currency), Day)"
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
        f"{array(f'countIf({reached(i)})' for i, _ in milestones)} AS seen_counts",
        f"{array(firsts)} AS seen_firsts",
        f"{array(f'maxIf(Last, {reached(i)})' for i, _ in milestones)} AS seen_lasts",
        f"{array(judged)} AS seen_judgeds",
        f"{array(amounts)} AS seen_amounts",
    ]
    if process.dropped_by:
        columns += ["countIf(drops) AS drop_count", "minIf(Micros, drops) AS dropped"]
    if undoing(process):
        columns.append("any(Reversed) AS reversed")
    if tracked := _tracked(process):
        columns.append(f"{array(_history(process, i) for i in tracked)} AS histories")
    columns += [
        f"uniqExactArray({objects_of(_mates(process, one))}) AS every{place}"
        for place, one in milestones
        if one.every
    ]
    return [*columns, *(f"{term.sql} AS {term.name}" for term in _terms(process))]


def _tracked(process: Process) -> list[int]:
    """The places of the milestones whose single occurrences are looked at."""
    return [
        place for place, one in enumerate(process.milestones) if one.undone_by or one.responds or one.every
    ]


def _mates(process: Process, milestone: Milestone) -> tuple[str, ...]:
    """The namespaces of the level of whose objects every one has to reach a milestone."""
    return process.levels[process.namespaces[milestone.every or ""][0]].namespaces


def _history(process: Process, index: int) -> str:
    """Its occurrences and undoings; of one that is only undone where the journey holds an undoing."""
    milestone = process.milestones[index]
    undo = undone(index) if milestone.undone_by else "0"
    whose = "Subjects"
    if milestone.every:
        whose = subjects_among(_mates(process, milestone))
    fact = f"({whose}, Nanos, EventId, {undo}, First, Last, Judged, Owner, Amount, toString(Currency), Day)"
    wanted = f"({reached(index)} OR {undo})"
    if milestone.every:
        wanted += f" AND notEmpty({whose})"
    elif not milestone.responds:
        wanted += " AND Reversed"
    return f"groupArrayIf({fact}, {wanted})"


def _nth(column: str, index: int, count: int) -> str:
    """The instant by which a milestone was reached so often."""
    if count == 1:
        return f"minIf({column}, {reached(index)})"
    return f"arraySort(groupArrayIf({column}, {reached(index)}))[{count}]"


def _terms(process: Process) -> list[Term]:
    scope = [process.in_scope] if process.in_scope else []
    found = {term.name: term for one in [*process.expectations.values(), *scope] for term in one.terms}
    found |= {term.name: term for term in entitled(process).values()}
    return [found[name] for name in sorted(found)]


def entitled(process: Process) -> dict[str, Term]:
    """The rows of each entitlement: what expressions ask for as well, under the same name."""
    return {name: Term(term_name(sql), sql) for name, sql in process.entitled.items()}


def _withdrawn(process: Process) -> list[list[str]]:
    """What is left of each milestone: an occurrence counts while one of its subject objects has no later
    undoing event.

    1. Occurrences and undoings are laid out per subject object, latest first.
    2. Each occurrence sees the last undoing before it in that order (arrayFill), and goes if that is one of
       its own object.
    3. Where the journey holds an undoing, what is left replaces what was seen.
    4. Of a milestone that responds, what is left counts from its clock's start on.
    """
    tracked = _tracked(process)
    if not tracked:
        return [[f"{_remaining(process, name)} AS {name}" for name in _LEFT]]
    fact = "(s, e.2, e.3, e.4, e.5, e.6, e.7, e.8, e.9, e.10, e.11)"
    laid_out = f"arrayFlatten(arrayMap(e -> arrayMap(s -> {fact}, if(empty(e.1), [0], e.1)), h))"
    left = "arrayFilter((x, u) -> x.4 = 0 AND NOT (u.4 = 1 AND u.1 = x.1), l, arrayFill(x -> x.4 = 1, l))"
    each_once = array(str(int(process.milestones[place].every is None)) for place in tracked)
    steps = [
        [f"arrayMap(h -> arrayReverseSort({laid_out}), histories) AS laid_out"],
        [f"arrayMap(l -> arraySort(x -> x.3, {left}), laid_out) AS left_over"],
        [f"arrayMap((l, o) -> if(o, arrayCompact(x -> x.3, l), l), left_over, {each_once}) AS remaining"],
    ]
    if not any(one.responds for one in process.milestones):
        return [*steps, [f"{_remaining(process, name)} AS {name}" for name in _LEFT]]
    return [
        *steps,
        [f"{_remaining(process, name)} AS all_{name}" for name in _LEFT],
        [f"{responding} AS answers{place}" for place, responding in _answers(process)],
        [f"{_answered(process, name)} AS {name}" for name in _LEFT],
    ]


def _remaining(process: Process, name: str) -> str:
    return array(_remains(process, name, place) for place in range(len(process.milestones)))


def _remains(process: Process, name: str, place: int) -> str:
    """What was seen of a milestone, replaced by what remains where occurrences are looked at."""
    one, seen, tracked = process.milestones[place], f"seen_{name}[{place + 1}]", _tracked(process)
    if one.checks:
        starts = starts_of(process, one)
        still = [f"{_remains(process, 'counts', start)} >= {_needed(process, start)}" for start in starts]
        return green(name, place, still, [_remains(process, "firsts", start) for start in starts])
    if place not in tracked:
        return seen
    shape = (_LEFT_OF_EVERY if one.every else _LEFT)[name]
    left = shape.format(f"remaining[{tracked.index(place) + 1}]", one.at_least)
    return left if one.responds or one.every else f"if(reversed, {left}, {seen})"


def _needed(process: Process, place: int) -> str:
    """How many occurrences meet a milestone."""
    one = process.milestones[place]
    return f"greatest(every{place}, 1)" if one.every else str(one.at_least)


_LEFT = {
    "counts": "length({0})",
    "firsts": "arraySort(arrayMap(x -> x.5, {0}))[{1}]",
    "lasts": "arrayMax(x -> x.6, {0})",
    "judgeds": "arraySort(arrayMap(x -> x.7, {0}))[{1}]",
    "amounts": "arrayMap(x -> (x.8, x.2, x.3, assumeNotNull(x.9), x.10, x.11), "
    "arrayFilter(x -> isNotNull(x.9), {0}))",
}
"""What occurrences come to: how many, the first (of at least so many), the last, judged by, their amounts."""

_FIRST_OF_EACH = "arrayFilter((x, n) -> n = 1, {0}, arrayEnumerateUniq(arrayMap(x -> x.1, {0})))"
_LEFT_OF_EVERY = {
    "counts": "length(arrayDistinct(arrayMap(x -> x.1, {0})))",
    "firsts": f"arrayMax(x -> x.5, {_FIRST_OF_EACH.format('arraySort(x -> x.5, {0})')})",
    "lasts": _LEFT["lasts"],
    "judgeds": f"arrayMax(x -> x.7, {_FIRST_OF_EACH.format('arraySort(x -> x.7, {0})')})",
    "amounts": f"arrayDistinct({_LEFT['amounts']})",
}
"""The same where every object counts: how many have it, when the last of them had it first."""


def _answers(process: Process) -> Iterator[tuple[int, str]]:
    """Of each milestone that responds the occurrences from its clock's start on; all if that is unknown."""
    names = [one.name for one in process.milestones]
    for place, one in enumerate(process.milestones):
        clock = process.clock_of(one)
        if not one.responds or clock is None:
            continue
        start = names.index(clock[0]) + 1
        met = f"all_counts[{start}] >= {process.milestones[start - 1].at_least}"
        instant = f"all_{'lasts' if clock[1] else 'firsts'}[{start}]"
        unknown = f"abs({instant}) >= {FAR // 2}"
        since = f"multiIf(NOT ({met}), {_NEVER}, {unknown}, -{_NEVER}, {instant})"
        yield place, f"arrayFilter(x -> x.5 >= {since}, remaining[{_tracked(process).index(place) + 1}])"


def _answered(process: Process, name: str) -> str:
    return array(
        _LEFT[name].format(f"answers{place}", one.at_least) if one.responds else f"all_{name}[{place + 1}]"
        for place, one in enumerate(process.milestones)
    )


def _milestones(process: Process) -> list[list[str]]:
    """Instants and amounts of each milestone."""
    needed = array(_needed(process, place) for place in range(len(process.milestones)))
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
