"""What an expression comes to whatever the events say: always true, never true, or it depends."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import sqlglot
from sqlglot import exp
from sqlglot.optimizer.simplify import simplify

_FLIPPED: dict[type[exp.Expr], type[exp.Expr]] = {
    exp.LT: exp.GT,
    exp.GT: exp.LT,
    exp.LTE: exp.GTE,
    exp.GTE: exp.LTE,
    exp.EQ: exp.EQ,
}
_MOST = 64
"""Alternatives looked at; of an expression with more nothing is said."""


@dataclass(slots=True)
class _Limits:
    """What the parts of one alternative leave a value: one of some, between bounds, each included or not."""

    among: set[str] | None = None
    low: tuple[float, bool] = (float("-inf"), False)
    high: tuple[float, bool] = (float("inf"), False)
    unlike: set[str] = field(default_factory=set)

    def nothing_left(self) -> bool:
        """Whether no value is left."""
        if self.among is not None and not self.among - self.unlike:
            return True
        return self.low[0] > self.high[0] or (self.low[0] == self.high[0] and (self.low[1] or self.high[1]))


def always(text: str) -> bool | None:
    """True or False if a valid expression comes to that by its constants alone, else None.

    Raises: nothing; what sqlglot can't simplify depends.
    """
    try:
        tree = simplify(sqlglot.parse_one(f"SELECT {text}", read="clickhouse").expressions[0])
        if isinstance(tree, exp.Boolean):
            return bool(tree.this)
        alternatives = _alternatives(tree)
    except (sqlglot.errors.SqlglotError, RecursionError, ValueError):
        return None
    if alternatives and all(_contradiction(parts) for parts in alternatives):
        return False
    return None


def _alternatives(node: exp.Expr) -> list[list[exp.Expr]]:
    """The parts that have to hold together, for each way in which the whole may hold.

    Raises: ValueError if there are too many.
    """
    node = node.unnest()
    if isinstance(node, exp.Or):
        return _alternatives(node.left) + _alternatives(node.right)
    if isinstance(node, exp.And):
        left, right = _alternatives(node.left), _alternatives(node.right)
        if len(left) * len(right) > _MOST:
            raise ValueError("too many alternatives")
        return [[*one, *other] for one in left for other in right]
    return [[node]]


def _contradiction(parts: Iterable[exp.Expr]) -> bool:
    limits: dict[str, _Limits] = {}
    for part in parts:
        if isinstance(part, exp.Boolean) and not part.this:
            return True
        _narrow(limits, part)
    return any(one.nothing_left() for one in limits.values())


def _narrow(limits: dict[str, _Limits], part: exp.Expr) -> None:
    if isinstance(part, exp.In) and all(isinstance(one, exp.Literal) for one in part.expressions):
        _among(_of(limits, part.this), {str(one.this) for one in part.expressions})
        return
    if isinstance(part, exp.NEQ) and isinstance(part.right, exp.Literal):
        _of(limits, part.left).unlike.add(str(part.right.this))
        return
    if not isinstance(part, tuple(_FLIPPED)) or not isinstance(part, exp.Binary):
        return
    kind: type[exp.Expr] = type(part)
    left, right = part.left, part.right
    if isinstance(left, exp.Literal):
        left, right, kind = right, left, _FLIPPED[kind]
    if not isinstance(right, exp.Literal) or isinstance(left, exp.Literal):
        return
    found = _of(limits, left)
    if kind is exp.EQ:
        _among(found, {str(right.this)})
    if right.is_string:
        return
    value = float(right.this)
    if kind in {exp.GT, exp.GTE, exp.EQ}:
        found.low = max(found.low, (value, kind is exp.GT))
    if kind in {exp.LT, exp.LTE, exp.EQ}:
        found.high = min(found.high, (value, kind is exp.LT), key=lambda one: (one[0], not one[1]))


def _of(limits: dict[str, _Limits], node: exp.Expr) -> _Limits:
    return limits.setdefault(node.sql(dialect="clickhouse").lower(), _Limits())


def _among(limits: _Limits, values: set[str]) -> None:
    limits.among = values if limits.among is None else limits.among & values
