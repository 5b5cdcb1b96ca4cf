"""Expressions in definitions: SQL that is parsed, allow-listed and typed, then written anew from validated
parts.

Nothing of what a person wrote reaches the engine as text: names are looked up in the tables below, literals
are escaped, everything else is refused. Every function is total: no accepted expression can fail over any
row. Numbers are Float64; sums and differences are rounded to six decimals, as amounts are.

Two kinds. Over one event (`where`), a name is that event's. Over a journey (`scope`, `expect`), a name is
the journey's, and `attr`, `keys`, what is said of its objects and aggregates become terms, computed once per
journey beside the other aggregates.
"""

import math
from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from types import MappingProxyType

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from throughline.correlator.definition_tables import Table
from throughline.correlator.entitlements import FUNCTIONS as ENTITLEMENT_FUNCTIONS
from throughline.correlator.entitlements import told as told_entitlement
from throughline.correlator.expression_parts import (
    AGGREGATES,
    EVENT_COLUMNS,
    FUNCTIONS,
    JOURNEY_COLUMNS,
    NUMBER,
    OVER,
    TEXT,
    TRUTH,
    Expression,
    ExpressionError,
    Term,
    attribute,
    latest_term,
    quoted,
)
from throughline.correlator.expression_scope import Scope, only, shown, text_of
from throughline.correlator.journey_terms import (
    STATE_FUNCTIONS,
    count_objects,
    numeric_aggregate,
    said,
    systems_of,
    told,
)
from throughline.correlator.parts import unknown

__all__ = ["Expression", "ExpressionError", "Term", "compile_journey", "compile_where"]

_LONGEST = 2_000
_DEEPEST = 40

_COMPARISONS: dict[type[exp.Expr], str] = {
    exp.EQ: "=", exp.NEQ: "!=", exp.LT: "<", exp.LTE: "<=", exp.GT: ">", exp.GTE: ">=",
}  # fmt: skip
_ARITHMETIC: dict[type[exp.Expr], str] = {
    exp.Add: "round({} + {}, 6)",
    exp.Sub: "round({} - {}, 6)",
    exp.Mul: "({} * {})",
    exp.Div: "({} / nullIf({}, 0))",
    exp.Mod: "({} % nullIf({}, 0))",
}
_SPELLINGS = {"startswith": "starts_with", "endswith": "ends_with"}


_NO_TABLES: Mapping[str, Table] = MappingProxyType({})
_Typed = tuple[str, str]


def compile_where(text: str, tables: Mapping[str, Table] = _NO_TABLES) -> Expression:
    """Compile a predicate over one event; it may look these tables up.

    Raises:
        ExpressionError: it is no predicate, or holds something that is not allowed.
    """
    return _compiled(text, Scope(EVENT_COLUMNS, tables=tables))


def compile_journey(
    text: str,
    levels: Iterable[Iterable[str]],
    tables: Mapping[str, Table] = _NO_TABLES,
    entitled: Mapping[str, str] | None = None,
) -> Expression:
    """Compile a predicate over a journey; it may name the namespaces of these levels, look tables up, and
    name entitlements, of which `entitled` holds the rows.

    Raises:
        ExpressionError: it is no predicate, or holds something that is not allowed.
    """
    mates = {name: tuple(level) for level in map(tuple, levels) for name in level}
    return _compiled(text, Scope(JOURNEY_COLUMNS, mates, tables, entitled or {}, journey=True))


def _compiled(text: str, scope: Scope) -> Expression:
    if len(text) > _LONGEST:
        raise ExpressionError(f"an expression may have {_LONGEST} characters, this one has {len(text)}")
    try:
        kind, sql = _typed(_parsed(text), scope, 0)
    except RecursionError as error:
        raise ExpressionError("the expression is nested too deeply") from error
    if kind != TRUTH:
        raise ExpressionError(f"the expression is a {kind}; it must be a statement that is true or false")
    terms, details = tuple(scope.terms.values()), tuple(dict.fromkeys(scope.details))
    lookups = tuple(scope.lookups.values()), tuple(scope.event_lookups.values())
    return Expression(f"ifNull({sql}, 0)", terms, frozenset(scope.attributes), details, *lookups)


def _parsed(text: str) -> exp.Expr:
    try:
        statements = sqlglot.parse(f"SELECT {text}", read="clickhouse")
    except (SqlglotError, ValueError) as error:
        first = str(error).split("\n")[0].split(". Line")[0]
        raise ExpressionError(f"this is no expression: {first}") from error
    statement = statements[0] if len(statements) == 1 else None
    if not isinstance(statement, exp.Select):
        raise ExpressionError("this is no single expression")
    if (
        any(value for name, value in statement.args.items() if name != "expressions")
        or len(statement.expressions) != 1
    ):
        raise ExpressionError("only one expression may stand here, no query, no list")
    found: exp.Expr = statement.expressions[0]
    return found


def _typed(node: exp.Expr, scope: Scope, depth: int) -> _Typed:
    """Compile one node: its type and its text."""
    if depth > _DEEPEST:
        raise ExpressionError("the expression is nested too deeply")
    for kind, handler in _HANDLERS:
        if isinstance(node, kind):
            return handler(node, scope, depth + 1)
    if isinstance(node, (exp.Func, exp.Anonymous)):
        return _function(node, scope, depth + 1)
    raise ExpressionError(f"`{shown(node)}` is not allowed in an expression")


def _want(node: exp.Expr, kind: str, scope: Scope, depth: int) -> str:
    found, sql = _typed(node, scope, depth)
    if found != kind:
        hint = "; number(…) reads a number from text" if (found, kind) == (TEXT, NUMBER) else ""
        raise ExpressionError(f"`{shown(node)}` is {found} where {kind} is needed{hint}")
    return sql


def _column(node: exp.Column, scope: Scope, _depth: int) -> _Typed:
    only(node, "this")
    name = node.name.lower()
    if name not in scope.columns or not isinstance(node.this, exp.Identifier):
        close = get_close_matches(name, scope.columns, n=1)
        hint = (
            f"did you mean '{close[0]}'?" if close else f"known are {', '.join(scope.columns)} and attr('…')"
        )
        raise ExpressionError(f"there is no field '{node.name}' here; {hint}")
    return scope.columns[name]


def _literal(node: exp.Literal, _scope: Scope, _depth: int) -> _Typed:
    if node.is_string:
        return TEXT, quoted(text_of(node))
    try:
        value = float(node.this)
    except ValueError:
        value = math.inf
    if not math.isfinite(value):
        raise ExpressionError(f"`{node.this}` is no number")
    return NUMBER, f"toFloat64({value!r})"


def _boolean(node: exp.Boolean, _scope: Scope, _depth: int) -> _Typed:
    return TRUTH, "1" if node.this else "0"


def _paren(node: exp.Paren, scope: Scope, depth: int) -> _Typed:
    only(node, "this")
    return _typed(node.this, scope, depth)


def _connector(node: exp.Connector, scope: Scope, depth: int) -> _Typed:
    only(node, "this", "expression")
    word = "AND" if isinstance(node, exp.And) else "OR"
    left, right = _want(node.left, TRUTH, scope, depth), _want(node.right, TRUTH, scope, depth)
    return TRUTH, f"({left} {word} {right})"


def _not(node: exp.Not, scope: Scope, depth: int) -> _Typed:
    only(node, "this")
    return TRUTH, f"(NOT {_want(node.this, TRUTH, scope, depth)})"


def _comparison(node: exp.Binary, scope: Scope, depth: int) -> _Typed:
    only(node, "this", "expression")
    kind, left = _typed(node.left, scope, depth)
    return TRUTH, f"({left} {_COMPARISONS[type(node)]} {_want(node.right, kind, scope, depth)})"


def _arithmetic(node: exp.Binary, scope: Scope, depth: int) -> _Typed:
    only(node, "this", "expression")
    left, right = _want(node.left, NUMBER, scope, depth), _want(node.right, NUMBER, scope, depth)
    return NUMBER, _ARITHMETIC[type(node)].format(left, right)


def _negative(node: exp.Neg, scope: Scope, depth: int) -> _Typed:
    only(node, "this")
    return NUMBER, f"(-{_want(node.this, NUMBER, scope, depth)})"


def _among(node: exp.In, scope: Scope, depth: int) -> _Typed:
    only(node, "this", "expressions")
    kind, left = _typed(node.this, scope, depth)
    if not node.expressions or not all(isinstance(one, (exp.Literal, exp.Neg)) for one in node.expressions):
        raise ExpressionError("IN needs a list of values in parentheses")
    return TRUTH, f"({left} IN ({', '.join(_want(one, kind, scope, depth) for one in node.expressions)}))"


def _between(node: exp.Between, scope: Scope, depth: int) -> _Typed:
    only(node, "this", "low", "high")
    kind, value = _typed(node.this, scope, depth)
    low, high = (_want(node.args[bound], kind, scope, depth) for bound in ("low", "high"))
    return TRUTH, f"({value} BETWEEN {low} AND {high})"


def _is(node: exp.Is, scope: Scope, depth: int) -> _Typed:
    only(node, "this", "expression")
    if not isinstance(node.expression, exp.Null):
        raise ExpressionError("IS can only be followed by NULL or NOT NULL")
    _, value = _typed(node.this, scope, depth)
    return TRUTH, f"isNull({value})"


def _like(node: exp.Binary, scope: Scope, depth: int) -> _Typed:
    only(node, "this", "expression", "negate")
    pattern = text_of(node.expression)
    if "\\" in pattern:
        raise ExpressionError("a LIKE pattern can't hold a backslash")
    name = "ilike" if isinstance(node, exp.ILike) else "like"
    negated = "NOT " if node.args.get("negate") else ""
    return TRUTH, f"({negated}{name}({_want(node.this, TEXT, scope, depth)}, {quoted(pattern)}))"


def _if(node: exp.If, scope: Scope, depth: int) -> _Typed:
    only(node, "this", "true", "false")
    if node.args.get("false") is None:
        raise ExpressionError("if(…) needs three arguments: condition, value, other value")
    condition = _want(node.this, TRUTH, scope, depth)
    kind, value = _typed(node.args["true"], scope, depth)
    return kind, f"if({condition}, {value}, {_want(node.args['false'], kind, scope, depth)})"


def _choice(node: exp.Func, scope: Scope, depth: int) -> _Typed:
    only(node, "this", "expressions")
    word = {exp.Coalesce: "coalesce", exp.Least: "least", exp.Greatest: "greatest"}[type(node)]
    kind, first = _typed(node.this, scope, depth)
    if word != "coalesce" and kind != NUMBER:
        raise ExpressionError(f"{word}(…) compares numbers, not {kind}")
    return (
        kind,
        f"{word}({', '.join([first, *(_want(one, kind, scope, depth) for one in node.expressions)])})",
    )


def _round(node: exp.Round, scope: Scope, depth: int) -> _Typed:
    only(node, "this", "decimals")
    digits = node.args.get("decimals")
    if digits is not None and (not isinstance(digits, exp.Literal) or digits.this not in list("0123456")):
        raise ExpressionError("round(…) takes 0 to 6 decimals")
    return NUMBER, f"round({_want(node.this, NUMBER, scope, depth)}, {digits.this if digits else 0})"


def _function(node: exp.Func, scope: Scope, depth: int) -> _Typed:
    name = (node.name if isinstance(node, (exp.Anonymous, exp.CombinedAggFunc)) else node.sql_name()).lower()
    if isinstance(node, (exp.Anonymous, exp.CombinedAggFunc)):
        only(node, "this", "expressions")
        arguments = node.expressions
    else:
        only(node, "this", "expression", "expressions")
        arguments = [one for one in (node.args.get("this"), node.args.get("expression")) if one is not None]
        arguments += node.expressions
    name = {"approx_distinct": "uniq", "count_if": "countif"}.get(name, _SPELLINGS.get(name, name))
    if name.removesuffix("if") in AGGREGATES:
        return _aggregate(name, arguments, scope, depth)
    if name == "attr":
        return TEXT, _attr(arguments, scope)
    if name in ("lookup", "lookup_latest"):
        return TEXT, _lookup(name, arguments, scope, depth)
    if name == "keys" or name in STATE_FUNCTIONS:
        return _objects(name, arguments, scope)
    if name in ENTITLEMENT_FUNCTIONS:
        return NUMBER, _entitled(name, arguments, scope)
    if name not in FUNCTIONS:
        own = ("attr", "lookup", "lookup_latest", "keys", "if", "coalesce", "round", "least", "greatest")
        known = [*FUNCTIONS, *own, *STATE_FUNCTIONS, *ENTITLEMENT_FUNCTIONS, *AGGREGATES]
        close = get_close_matches(name, known, n=1)
        hint = f"; did you mean '{close[0]}'?" if close else f"; allowed are {', '.join(known)}"
        raise ExpressionError(f"the function '{name}' is not allowed{hint}")
    kinds, result, pattern = FUNCTIONS[name]
    if len(arguments) != len(kinds):
        raise ExpressionError(f"{name}(…) takes {len(kinds)} argument(s), not {len(arguments)}")
    texts = [_want(one, kind, scope, depth) for one, kind in zip(arguments, kinds, strict=True)]
    return result, pattern.format(*texts)


def _attr(arguments: list[exp.Expr], scope: Scope) -> str:
    name = text_of(arguments[0] if len(arguments) == 1 else None)
    scope.attributes.add(name)
    return scope.term(latest_term(name)) if scope.journey else attribute(name)


def _lookup(name: str, arguments: list[exp.Expr], scope: Scope, depth: int) -> str:
    if len(arguments) < 3:  # noqa: PLR2004 - see the sentence
        raise ExpressionError(f"{name}(…) takes a table and a column, as texts, and the key to look up")
    table, column, *keys = arguments
    texts = tuple(_want(one, TEXT, scope, depth) for one in keys)
    return scope.lookup(text_of(table), text_of(column), texts, latest=name == "lookup_latest")


def _objects(name: str, arguments: list[exp.Expr], scope: Scope) -> _Typed:
    """`keys` and the functions over what is said of a journey's objects."""
    if not scope.journey:
        raise ExpressionError(
            f"{name}(…) looks at objects of a journey; it can't stand in a statement over one event"
        )
    if name == "keys":
        namespace = text_of(arguments[0] if len(arguments) == 1 else None)
        scope.level(namespace)
        return NUMBER, scope.term(count_objects([namespace]))
    if len(arguments) not in (2, 3):
        raise ExpressionError(f"{name}(…) takes a namespace, a field and perhaps a system, as texts")
    level, about = scope.level(text_of(arguments[0])), text_of(arguments[1])
    system = text_of(arguments[2]) if len(arguments) == 3 else ""  # noqa: PLR2004 - see above
    scope.attributes.add(about)
    term = scope.term(*said(level, about, system))
    function = STATE_FUNCTIONS[name]
    counted = scope.term(count_objects(level)) if "{1}" in function.sql else ""
    scope.details.append(told(about, term, scope.term(systems_of(level)) if counted and level[1:] else ""))
    return function.result, function.sql.format(term, counted)


def _entitled(name: str, arguments: list[exp.Expr], scope: Scope) -> str:
    """A function over the periods of an entitlement."""
    entitlement = text_of(arguments[0] if len(arguments) == 1 else None)
    if entitlement not in scope.entitled:
        raise ExpressionError(unknown(entitlement, scope.entitled, "entitlement"))
    rows = scope.term(scope.entitled[entitlement])
    scope.details.append(told_entitlement(entitlement, rows))
    return ENTITLEMENT_FUNCTIONS[name].format(rows)


def _aggregate(name: str, arguments: list[exp.Expr], scope: Scope, depth: int) -> _Typed:
    if not scope.journey:
        raise ExpressionError(f"{name}(…) needs many events; it can't stand in a statement over one event")
    inner = Scope(EVENT_COLUMNS, tables=scope.tables)
    base, condition = name.removesuffix("if"), "1"
    arguments = (
        [one for one in arguments if not isinstance(one, exp.Star)] if base == "count" else list(arguments)
    )
    if name.endswith("if"):
        if not arguments:
            raise ExpressionError(f"{name}(…) needs a condition")
        condition = f"ifNull({_want(arguments.pop(), TRUTH, inner, depth)}, 0)"
    if base == "count" and len(arguments) == 1 and isinstance(arguments[0], exp.Distinct):
        base, arguments = "uniq", arguments[0].expressions
    if len(arguments) != (0 if base == "count" else 1):
        raise ExpressionError(f"{name}(…) has the wrong number of arguments")
    if base == "count":
        sql = f"toFloat64(countIf({condition}){OVER})"
    elif base == "uniq":
        sql = f"toFloat64(uniqExactIf({_typed(arguments[0], inner, depth)[1]}, {condition}){OVER})"
    else:
        sql = numeric_aggregate(base, _want(arguments[0], NUMBER, inner, depth), condition)
    scope.attributes |= inner.attributes
    scope.event_lookups |= inner.lookups
    return NUMBER, scope.term(sql)


_Handler = Callable[[exp.Expr, Scope, int], _Typed]
_HANDLERS: tuple[tuple[type[exp.Expr] | tuple[type[exp.Expr], ...], _Handler], ...] = (
    (exp.Column, _column),
    (exp.Literal, _literal),
    (exp.Boolean, _boolean),
    (exp.Paren, _paren),
    ((exp.And, exp.Or), _connector),
    (exp.Not, _not),
    (tuple(_COMPARISONS), _comparison),
    (tuple(_ARITHMETIC), _arithmetic),
    (exp.Neg, _negative),
    (exp.In, _among),
    (exp.Between, _between),
    (exp.Is, _is),
    ((exp.Like, exp.ILike), _like),
    (exp.If, _if),
    ((exp.Coalesce, exp.Least, exp.Greatest), _choice),
    (exp.Round, _round),
)  # type: ignore[assignment] # each handler takes the node class it is listed with
