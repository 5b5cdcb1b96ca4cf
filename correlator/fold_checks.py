"""Checks in folding: what does not hold, and when all that a milestone asks for held first."""

# ruff: noqa: S608 - this module is the one place where SQL is generated, from validated parts

from throughline.correlator.definition import Process
from throughline.correlator.definition_parts import Milestone
from throughline.correlator.expression_parts import Term, quoted
from throughline.correlator.fold_input import DIMENSIONS, Rows, events, reached
from throughline.correlator.fold_lookup import lookup_steps
from throughline.correlator.sql_text import Step, array, nested

_SO_FAR = "(PARTITION BY Root ORDER BY Moment ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)"


def failing_checks(process: Process) -> str:
    """The statements that do not hold: name, since when that counts (where there is a grace, when that is
    over), whether blocking, whether it fails, what is said.
    """
    names = [one.name for one in process.milestones]
    checks = []
    each = [(place, one) for place, check in enumerate(process.checks, 1) for one in check.each()]
    for place, check in each:
        after = names.index(check.after) + 1 if check.after else None
        judged, since = (f"met[{after}]", f"met_at[{after}]") if after else ("1", "opened")
        if check.grace:
            since = f"ifNull(graces[{place}], {since})"
        expected = process.expectations[check.name]
        told = f"arrayStringConcat({array(expected.details)}, '; ')" if expected.details else "''"
        fails = f"{judged} AND NOT {expected.sql}"
        checks.append(f"({quoted(check.name)}, {since}, {int(check.blocking)}, {fails}, {told})")
    if not checks:
        return "CAST([], 'Array(Tuple(String, Int64, UInt8, UInt8, String))')"
    return f"arrayFilter(x -> x.4, {array(checks)})"


def green_steps(process: Process, rows: Rows) -> list[Step]:
    """The step that adds, for each milestone of checks, `green<i>`: whether all of them have held at some
    event, and `green_at<i>`: at which first.

    What the journey looked like at an event is what the events up to it say, by time: each aggregate is taken
    over them once more, as a window.
    """
    derived = [(place, one) for place, one in enumerate(process.milestones) if one.checks]
    if not derived:
        return []
    terms: dict[str, Term] = {}
    conditions, starts, lookups = {}, set(), []
    for place, one in derived:
        expected = [process.expectations[statement.name] for statement in process.statements_of(one)]
        terms |= {term.name: term for each in expected for term in each.terms}
        lookups += [one for each in expected for one in each.lookups]
        starts |= set(starts_of(process, one))
        holds = [each.sql for each in expected]
        holds += [f"so_{reached(start)}" for start in starts_of(process, one)]
        conditions[place] = " AND ".join([*holds, "TimePrecision != 'unknown'"])
    so_far = [f"{term.over(_SO_FAR)} AS {name}" for name, term in sorted(terms.items())]
    so_far += [f"argMaxIf({one}, Moment, {one} != '') OVER {_SO_FAR} AS So{one}" for one in DIMENSIONS]
    so_far += [f"max({reached(start)}) OVER {_SO_FAR} AS so_{reached(start)}" for start in sorted(starts)]
    at_events = f"SELECT Root, Micros, TimePrecision, {', '.join(so_far)} FROM ({events(process, rows)})"
    renamed = ", ".join(f"So{one} AS {one}" for one in DIMENSIONS)
    columns = ", ".join(
        f"max(holds{place}) AS green{place}, minIf(Micros, holds{place}) AS green_at{place}"
        for place in conditions
    )
    looked_up = nested(f"SELECT *, {renamed} FROM ({at_events})", lookup_steps(lookups))
    held = ", ".join(f"({holds}) AS holds{place}" for place, holds in conditions.items())
    found = f"SELECT Root, {columns} FROM (SELECT Root, Micros, {held} FROM ({looked_up})) GROUP BY Root"
    added = [f"g.{name}{place} AS {name}{place}" for place in conditions for name in ("green", "green_at")]
    return [(["s.*", *added], f"AS s LEFT ANY JOIN ({found}) AS g ON s.Root = g.Root")]


def starts_of(process: Process, milestone: Milestone) -> list[int]:
    """The places of the milestones after which the checks of this one are judged."""
    after = {one.after for one in process.statements_of(milestone)}
    return [place for place, one in enumerate(process.milestones) if one.name in after]


def green(name: str, place: int, counts: list[str], firsts: list[str]) -> str:
    """What a milestone of checks comes to, in the terms of occurrences. `counts` say whether the milestones
    before it are still met, `firsts` since when.
    """
    since = f"arrayMax({array([f'green_at{place}', *firsts])})"
    if name == "counts":
        return f"toUInt64({' AND '.join([f'green{place}', *counts])})"
    return "[]" if name == "amounts" else since
