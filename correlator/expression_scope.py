"""What expressions are compiled with: the names that may stand in one, and what one has asked for so far."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import TYPE_CHECKING

from sqlglot import exp
from sqlglot.errors import SqlglotError

from throughline.correlator.expression_parts import ExpressionError, Term

if TYPE_CHECKING:
    from collections.abc import Mapping

# Arguments of sqlglot nodes that carry no meaning of their own.
_IGNORED_ARGUMENTS = frozenset({"big_int", "ignore_nulls", "typed", "safe", "binary"})


@dataclass(slots=True)
class Scope:
    """`columns` are the names, `levels` each namespace with all of its level, empty over one event;
    `entitled` the rows of each entitlement.
    """

    columns: Mapping[str, tuple[str, str]]
    levels: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    entitled: Mapping[str, str] = field(default_factory=dict)
    journey: bool = False
    terms: dict[str, Term] = field(default_factory=dict)
    attributes: set[str] = field(default_factory=set)
    details: list[str] = field(default_factory=list)

    def term(self, sql: str) -> str:
        """The name under which an aggregate is computed, once however often it is asked for."""
        name = term_name(sql)
        self.terms[name] = Term(name, sql)
        return name

    def level(self, namespace: str) -> tuple[str, ...]:
        """The namespaces of this one's level. Raises: ExpressionError for an unknown one."""
        if namespace not in self.levels:
            close = get_close_matches(namespace, self.levels, n=1)
            hint = f"; did you mean '{close[0]}'?" if close else ""
            raise ExpressionError(f"'{namespace}' is no namespace of `keys`{hint}")
        return self.levels[namespace]


def term_name(sql: str) -> str:
    """The name of an aggregate."""
    return f"term_{hashlib.sha256(sql.encode()).hexdigest()[:12]}"


def only(node: exp.Expr, *names: str) -> None:
    """Refuse a node that carries more than these arguments."""
    extra = [name for name, value in node.args.items() if value and name not in names]
    if set(extra) - _IGNORED_ARGUMENTS:
        raise ExpressionError(f"`{shown(node)}` is not allowed in an expression")


def shown(node: exp.Expr) -> str:
    """A node as it was written, for messages."""
    try:
        return node.sql(dialect="clickhouse")[:80]
    except (SqlglotError, ValueError, RecursionError):
        return type(node).__name__


def text_of(node: exp.Expr | None) -> str:
    """The text that a literal holds. Raises: ExpressionError if it is none."""
    if not isinstance(node, exp.Literal) or not node.is_string:
        raise ExpressionError("a text in single quotes is needed here")
    text = str(node.this)
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ExpressionError("a text holds characters that are not Unicode") from error
    return text
