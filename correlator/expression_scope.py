"""What expressions are compiled with: the names that may stand in one, and what one has asked for so far."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import TYPE_CHECKING

from sqlglot import exp
from sqlglot.errors import SqlglotError

from throughline.correlator.expression_parts import OVER, ExpressionError, Lookup, Term

if TYPE_CHECKING:
    from collections.abc import Mapping

    from throughline.correlator.definition_tables import Table

# Arguments of sqlglot nodes that carry no meaning of their own.
_IGNORED_ARGUMENTS = frozenset({"big_int", "ignore_nulls", "typed", "safe", "binary"})


@dataclass(slots=True)
class Scope:
    """`columns` are the names, `levels` each namespace with all of its level, empty over one event;
    `entitled` the rows of each entitlement.
    """

    columns: Mapping[str, tuple[str, str]]
    levels: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    tables: Mapping[str, Table] = field(default_factory=dict)
    entitled: Mapping[str, str] = field(default_factory=dict)
    journey: bool = False
    terms: dict[str, Term] = field(default_factory=dict)
    attributes: set[str] = field(default_factory=set)
    details: list[str] = field(default_factory=list)
    lookups: dict[str, Lookup] = field(default_factory=dict)
    event_lookups: dict[str, Lookup] = field(default_factory=dict)

    def term(self, sql: str, beside: tuple[tuple[str, str], ...] = ()) -> str:
        """The name under which an aggregate is computed, once however often it is asked for; `beside` are the
        columns that it needs beside each event.
        """
        name = term_name(sql)
        self.terms[name] = Term(name, sql, beside)
        return name

    def lookup(self, table: str, column: str, keys: tuple[str, ...], *, latest: bool) -> str:
        """The name of the column that a look-up adds. It is as of the day (UTC) of the event, or of the
        journey's first; the `latest` row counts on every day. Raises: ExpressionError.
        """
        found = self.tables.get(table)
        if found is None:
            raise ExpressionError(f"there is no reference table '{table}'; put it into tables/{table}.csv")
        if column not in found.columns:
            close = get_close_matches(column, found.columns, n=1)
            hint = f"did you mean '{close[0]}'?" if close else f"there are {', '.join(found.columns)}"
            raise ExpressionError(f"'{column}' is no column of the reference table '{table}'; {hint}")
        if len(keys) != found.keys:
            raise ExpressionError(f"the key of '{table}' has {found.keys} column(s), not {len(keys)}")
        day = None
        if not latest:
            instant = self.term(f"min(Micros){OVER}") if self.journey else ""
            day = f"toDate32(fromUnixTimestamp64Micro({instant}, 'UTC'))" if instant else "toDate32(Time)"
        hashed = hashlib.sha256(repr((table, column, keys, day)).encode()).hexdigest()[:12]
        name = f"found_{hashed}"
        self.lookups[name] = Lookup(name, found.content, column, keys, day)
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
