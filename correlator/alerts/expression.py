"""What a rule's SELECT reads and gives, told from its text alone."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache

from sqlglot import exp

from throughline.correlator.sql_guard import QueryRefused, guard, parsed

CORRELATED = frozenset(
    {"journeys", "milestones", "cycles", "exceptions", "events", "risks", "replays", "likely_late"}
)
"""Views that are true only up to where correlation has come. Replays: what was correlated verifies them."""
EVENTS = "events"
VALUE = "value"
_CLOCKS = frozenset({"now", "now64"})
_UNITS = {
    "SECOND": timedelta(seconds=1),
    "MINUTE": timedelta(minutes=1),
    "HOUR": timedelta(hours=1),
    "DAY": timedelta(days=1),
    "WEEK": timedelta(weeks=1),
}
LABEL = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
RESERVED = frozenset({"alertname"})


@dataclass(frozen=True, slots=True)
class Expression:
    """`columns` are those of the answer in order, `tables` what is read, `names` every name that is used and
    `literals` every text; `starred`: all columns of something are read. `looks_back`: it reads events of so
    long ago at most; None if it reads none, or others too.
    """

    text: str
    columns: tuple[str, ...]
    tables: frozenset[str]
    names: frozenset[str]
    literals: frozenset[str]
    starred: bool
    looks_back: timedelta | None

    @property
    def correlated(self) -> bool:
        """Whether the answer rests on correlated journeys."""
        return bool(self.tables & CORRELATED)


@lru_cache(maxsize=4_096)
def read(text: str, *, wanted: tuple[str, ...] = (VALUE,)) -> Expression:
    """Check a SELECT and tell what it reads and gives; it must give the `wanted` columns, others are labels.

    Raises: QueryRefused, with a sentence.
    """
    guard(text, set_clock=True)
    query = parsed(text)
    columns = tuple(query.named_selects)
    starred = any(not isinstance(node.parent, exp.Count) for node in query.find_all(exp.Star))
    if "*" in columns or any(not name for name in columns):
        raise QueryRefused("name the columns: each is a label, and `value` is the number")
    for name in wanted:
        if name not in columns:
            raise QueryRefused(f"a column must be called `{name}`, such as `count() AS {name}`")
    for name in columns:
        if columns.count(name) > 1:
            raise QueryRefused(f"two columns are called '{name}'")
        if not LABEL.fullmatch(name) or name in RESERVED:
            raise QueryRefused(f"'{name}' cannot be a label: give the column another name with AS")
    common = {one.alias for one in query.find_all(exp.CTE)}
    return Expression(
        text,
        columns,
        frozenset(one.name for one in query.find_all(exp.Table)) - common,
        frozenset(one.name for one in query.find_all(exp.Identifier)),
        frozenset(one.this for one in query.find_all(exp.Literal) if one.is_string),
        starred,
        _looks_back(query),
    )


def _looks_back(query: exp.Query) -> timedelta | None:
    """The widest of what bounds each place where events are read: `time > now() - INTERVAL 6 HOUR`."""
    found = [
        _bound_of(table)
        for table in query.find_all(exp.Table)
        if table.name == EVENTS and isinstance(table.parent, exp.From | exp.Join)
    ]
    bounds = [one for one in found if one is not None]
    return max(bounds) if bounds and len(bounds) == len(found) else None


def _bound_of(table: exp.Table) -> timedelta | None:
    """The narrowest interval that a conjunct of the WHERE around a table holds its column `time` to."""
    select = table.parent_select
    plain = select is not None and isinstance(table.parent, exp.From) and not select.args.get("joins")
    if select is None or not plain or "time" in {one.alias for one in select.expressions}:
        return None
    where = select.args.get("where")
    conjuncts = (
        where.this.flatten() if where and isinstance(where.this, exp.And) else [where.this] if where else []
    )
    found = [
        _interval(one.expression)
        for one in conjuncts
        if isinstance(one, exp.GT | exp.GTE)
        and isinstance(one.this, exp.Column)
        and one.this.name == "time"
        and one.this.table in {"", table.alias_or_name}
    ]
    return min((one for one in found if one is not None), default=None)


def _interval(given: exp.Expr) -> timedelta | None:
    """The length of `now() - INTERVAL 6 HOUR`."""
    if not isinstance(given, exp.Sub) or not isinstance(given.expression, exp.Interval):
        return None
    clock, interval = given.this, given.expression
    if not (isinstance(clock, exp.Anonymous) and clock.name.lower() in _CLOCKS and not clock.expressions):
        return None
    unit = _UNITS.get(interval.unit.name.upper() if interval.unit else "")
    number = interval.this.name if isinstance(interval.this, exp.Literal) else ""
    return unit * int(number) if unit and number.isdecimal() else None
