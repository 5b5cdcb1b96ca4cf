"""A threshold that would have fired as often as wanted: for rules that end in `HAVING value > number`."""

from __future__ import annotations

import dataclasses
import operator
from typing import TYPE_CHECKING

from sqlglot import exp

from throughline.correlator.alerts.expression import VALUE
from throughline.correlator.alerts.states import Standing, Timing, step
from throughline.correlator.sql_guard import DIALECT, QueryRefused, parsed

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    from throughline.correlator.alerts.rule_files import Ready

MOST_CANDIDATES = 30
_SIGNS: Mapping[type[exp.Expr], tuple[str, Callable[[float, float], bool]]] = {
    exp.GT: (">", operator.gt),
    exp.GTE: (">=", operator.ge),
}


@dataclasses.dataclass(frozen=True, slots=True)
class Threshold:
    """What a rule compares its value with; `loosened` is the rule without that comparison."""

    sign: str
    number: float
    loosened: Ready

    def holds(self, value: float | None, number: float | None = None) -> bool:
        """Whether a value is beyond the threshold, or beyond another number."""
        compare = operator.gt if self.sign == ">" else operator.ge
        return value is not None and compare(value, self.number if number is None else number)


@dataclasses.dataclass(frozen=True, slots=True)
class Suggestion:
    """The least threshold that fires at most so often."""

    sign: str
    now: float
    suggested: float
    fires_per_week: float


def threshold_of(ready: Ready) -> Threshold | None:
    """The threshold of a rule; None where it has none, or another kind."""
    if ready.objective is not None or ready.rule.no_data != "ok":
        return None
    query = parsed(ready.rule.expr)
    having = query.args.get("having")
    if having is None:
        return None
    for node in having.find_all(exp.GT, exp.GTE):
        whole = node.parent is having or isinstance(node.parent, exp.And)
        named = isinstance(node.this, exp.Column) and node.this.name == VALUE
        if whole and named and isinstance(node.expression, exp.Literal) and not node.expression.is_string:
            sign, number = _SIGNS[type(node)][0], float(node.expression.name)
            node.replace(exp.true())
            rule = ready.rule.model_copy(update={"expr": query.sql(dialect=DIALECT)})
            try:
                loosened = dataclasses.replace(ready, rule=rule)
                _ = loosened.expression
            except QueryRefused:
                return None
            return Threshold(sign, number, loosened)
    return None


def suggest(
    threshold: Threshold,
    series: Sequence[Mapping[str, float]],
    times: Sequence[datetime],
    *,
    weeks: float,
    pages_per_week: float,
) -> Suggestion | None:
    """The least threshold, among the values that were seen, that would have fired at most so often."""
    seen = sorted({value for one in series for value in one.values()})
    if not seen:
        return None
    every = max(len(seen) // MOST_CANDIDATES, 1)
    for number in [*seen[::every], seen[-1]]:
        fires = _fired(threshold, number, series, times) / weeks
        if fires <= pages_per_week:
            return Suggestion(threshold.sign, threshold.number, number, round(fires, 2))
    return None


def _fired(
    threshold: Threshold, number: float, series: Sequence[Mapping[str, float]], times: Sequence[datetime]
) -> int:
    """How often it would have fired with this number, by the state machine of the evaluation."""
    rule = threshold.loosened.rule
    timing = Timing(rule.for_, rule.keep_firing_for)
    fired = 0
    for name in {name for one in series for name in one}:
        before: Standing | None = None
        for at, one in zip(times, series, strict=False):
            moved = step(timing, before, present=threshold.holds(one.get(name), number), held="", now=at)
            if moved is not None:
                fired += moved.after.state == "firing" and (before is None or before.state != "firing")
                before = moved.after
    return fired
