"""What a rule's SELECT reads and gives, told from its text alone."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from sqlglot import exp

from throughline.correlator.sql_guard import QueryRefused, guard, parsed

CORRELATED = frozenset({"journeys", "milestones", "cycles", "exceptions", "events", "risks"})
"""Views that are true only up to where correlation has come."""
VALUE = "value"
LABEL = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
RESERVED = frozenset({"alertname"})


@dataclass(frozen=True, slots=True)
class Expression:
    """`columns` are those of the answer in order, `tables` what is read, `names` every name that is used and
    `literals` every text; `starred`: all columns of something are read.
    """

    text: str
    columns: tuple[str, ...]
    tables: frozenset[str]
    names: frozenset[str]
    literals: frozenset[str]
    starred: bool

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
    )
