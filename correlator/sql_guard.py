"""Make any SELECT safe to run for one tenant, or refuse it and say what is allowed.

The text is parsed, checked and written anew from the parsed form, so that the engine sees only what was
checked:

1. Exactly one SELECT (or UNION, INTERSECT, EXCEPT of some): no settings, output format, file or placeholder.
2. Every function is on the list of pure ones (`functions.py`); table functions are refused.
3. Common table expressions get new names, resolved by their scope: a name of ours or of the engine cannot
   be shadowed.
4. Every other table must be documented, and becomes a sub-select that holds the tenant's rows alone.
5. For rules, whatever asks for the present time gets the time of the evaluation.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError
from sqlglot.tokenizer_core import Token, TokenType

from throughline.correlator.functions import is_function, is_word
from throughline.probes.errors import ThroughlineError

DIALECT = "clickhouse"
CLOCK = "tenant = {tenant:String}, now = {now:DateTime64(6, 'UTC')}"
VIEWS = (
    "journeys",
    "milestones",
    "cycles",
    "exceptions",
    "events",
    "sources",
    "risks",
    "reference",
    "relations",
    "entitlements",
    "health",
    "alerts",
    "replays",
    "likely_late",
)
RAW_TABLES = (
    "otel_traces",
    "otel_logs",
    "otel_metrics_gauge",
    "otel_metrics_sum",
    "otel_metrics_summary",
    "otel_metrics_histogram",
    "otel_metrics_exponential_histogram",
    "otel_traces_trace_id_ts",
    "business_events",
    "span_edges",
    "dead_letters",
)
# Views that cost a join for some columns: they have a lighter twin for queries that never name one of these.
COSTLY: Mapping[str, frozenset[str]] = {
    "journeys": frozenset({"root"}),
    "events": frozenset({"keys", "attributes", "trace_id", "span_id", "received_at"}),
}
LONGEST = 50_000
_OPENING = frozenset({TokenType.L_PAREN})
_REFUSED_NODES: tuple[tuple[type[exp.Expr], str], ...] = (
    (exp.Placeholder, "parameters are not allowed: write the value"),
    (exp.Parameter, "parameters are not allowed: write the value"),
    (exp.Final, "FINAL is not needed: views show the latest rows"),
    (exp.TableSample, "SAMPLE is not allowed"),
    (exp.Into, "INTO is not allowed"),
    (exp.Lateral, "LATERAL is not allowed"),
    (exp.Unnest, "UNNEST is not allowed: use ARRAY JOIN"),
    (exp.Values, "VALUES is not allowed as a table"),
    (exp.Pivot, "PIVOT is not allowed"),
    (exp.Command, "only one SELECT is allowed"),
    (exp.DDL, "only one SELECT is allowed"),
    (exp.DML, "only one SELECT is allowed"),
)


class QueryRefused(ThroughlineError):
    """Only one SELECT over the documented views and tables may be run."""


def guard(sql: str, *, sources: Mapping[str, str] | None = None, set_clock: bool = False) -> str:
    """Return the query to run instead; it takes the parameters `tenant` and `now`.

    `sources` gives SELECTs of our own that stand for views, such as copies that several rules share. With
    `set_clock` functions that tell the present time tell `now`.

    Raises: QueryRefused, with a sentence that says what is allowed.
    """
    query = parsed(sql)
    for node in query.walk():
        _check(node)
    if set_clock:
        _set_clock(query)
    _Resolver(query, sources or {}).resolve()
    text = query.sql(
        dialect=DIALECT, identify=True, comments=False, unsupported_level=sqlglot.ErrorLevel.RAISE
    )
    _check_calls(text)
    return text


def parsed(sql: str) -> exp.Query:
    """Return the one SELECT that a text holds, not checked any further. Raises: QueryRefused."""
    if len(sql) > LONGEST:
        raise QueryRefused(f"the query is longer than {LONGEST:,} characters")
    try:
        statements = [one for one in sqlglot.parse(sql, read=DIALECT) if one is not None]
    except (SqlglotError, RecursionError) as error:
        raise QueryRefused(f"the query cannot be read: {_first_line(error)}") from error
    if len(statements) != 1 or not isinstance(statements[0], exp.Select | exp.SetOperation | exp.Subquery):
        raise QueryRefused("only one SELECT is allowed")
    return statements[0]


def _first_line(error: Exception) -> str:
    return (
        str(error).replace("\x1b[4m", "").replace("\x1b[0m", "").splitlines()[0] if str(error) else "too deep"
    )


def _check(node: exp.Expr) -> None:
    for kind, sentence in _REFUSED_NODES:
        if isinstance(node, kind):
            raise QueryRefused(sentence)
    if isinstance(node, exp.Query) and (node.args.get("settings") or node.args.get("format")):
        raise QueryRefused("SETTINGS and FORMAT are not allowed")
    if isinstance(node, exp.Identifier) and any(not c.isprintable() or c in '"`\\' for c in node.name):
        raise QueryRefused("names may not hold quotes, backslashes or control characters")
    if isinstance(node, exp.Anonymous | exp.AnonymousAggFunc | exp.CombinedAggFunc) and not is_function(
        node.name
    ):
        raise QueryRefused(f"the function {node.name} is not allowed: only pure functions over columns are")
    if isinstance(node, exp.In):
        _check_in(node)


def _set_clock(query: exp.Query) -> None:
    """Functions that tell the present time tell the parameter `now`."""
    for node in list(query.find_all(exp.Func)):
        name = node.name.lower() if isinstance(node, exp.Anonymous) else _CLOCKS.get(type(node), "")
        told = _TOLD.get(name)
        if told is not None:
            zone = node.expressions[:1] if name == "now" and isinstance(node, exp.Anonymous) else []
            text = told.format(f", {zone[0].sql(dialect=DIALECT)}" if zone else "")
            node.replace(sqlglot.parse_one(text, read=DIALECT))


_NOW = "{{now:DateTime64(6, 'UTC')}}"
_TOLD: Mapping[str, str] = {
    "now": f"toDateTime({_NOW}{{}})",
    "now64": _NOW,
    "nowinblock": f"toDateTime({_NOW})",
    "now64inblock": _NOW,
    "current_timestamp": f"toDateTime({_NOW})",
    "utctimestamp": f"toDateTime({_NOW})",
    "utc_timestamp": f"toDateTime({_NOW})",
    "today": f"toDate({_NOW})",
    "current_date": f"toDate({_NOW})",
    "curdate": f"toDate({_NOW})",
    "yesterday": f"(toDate({_NOW}) - 1)",
}
_CLOCKS: Mapping[type[exp.Expr], str] = {
    exp.CurrentTimestamp: "current_timestamp",
    exp.UtcTimestamp: "utctimestamp",
    exp.CurrentDate: "current_date",
}


def _check_in(node: exp.In) -> None:
    """The engine takes a bare name behind IN for a table."""
    members = node.expressions
    bare = node.args.get("field") is not None or node.args.get("unnest") is not None
    if bare or (len(members) == 1 and isinstance(members[0].unnest(), exp.Column | exp.Identifier | exp.Dot)):
        raise QueryRefused("after IN write values or a SELECT: x IN (SELECT id FROM journeys)")


def _check_calls(text: str) -> None:
    """Whatever the parser made of them: every name before a bracket must be a keyword, a type or a pure
    function.
    """
    tokens = sqlglot.tokenize(text, read=DIALECT)
    for before, token, after in _windows(tokens):
        if after.token_type not in _OPENING or not (token.text[:1].isalpha() or token.text[:1] == "_"):
            continue
        quoted = text[token.start] in '"`'
        named_by_us = before is not None and before.token_type == TokenType.ALIAS
        if token.token_type == TokenType.STRING or (named_by_us and not quoted):
            continue
        if quoted or not (is_word(token.text) or is_function(token.text) or token.text.endswith(OWN_VIEWS)):
            raise QueryRefused(f"{token.text}(...) is not allowed: only pure functions over columns are")


OWN_VIEWS = tuple(f"{name}_at" for view in VIEWS for name in (view, f"{view}_unnamed"))


def _windows(tokens: list[Token]) -> Iterator[tuple[Token | None, Token, Token]]:
    before: Token | None = None
    for token, after in itertools.pairwise(tokens):
        yield before, token, after
        before = token


class _Resolver:
    """Give each common table expression a name of its own and each documented table its tenant's
    sub-select.
    """

    def __init__(self, query: exp.Query, sources: Mapping[str, str]) -> None:
        self._query = query
        self._sources = sources
        self._numbers = itertools.count(1)
        names = {node.name for node in query.find_all(exp.Identifier)}
        starred = any(not isinstance(node.parent, exp.Count) for node in query.find_all(exp.Star))
        self._full = {view: starred or bool(columns & names) for view, columns in COSTLY.items()}

    def resolve(self) -> None:
        """Rewrite the query in place."""
        self._visit(self._query, {})

    def _visit(self, node: exp.Expr, known: Mapping[str, str]) -> None:
        """Depth first; `known` maps the common table expressions in scope to their new names."""
        scope = dict(known)
        clause = node.args.get("with_") if isinstance(node, exp.Query) else None
        if clause is not None:
            if clause.args.get("recursive"):
                raise QueryRefused("WITH RECURSIVE is not allowed")
            for common in clause.expressions:
                self._visit(common.this, scope)
                if not common.args.get("scalar"):
                    scope[common.alias] = f"tl_cte_{next(self._numbers)}"
                    common.args["alias"].set("this", exp.to_identifier(scope[common.alias]))
        for child in list(node.iter_expressions()):
            if child is clause:
                continue
            if isinstance(child, exp.Table):
                self._table(child, scope)
            else:
                self._visit(child, scope)

    def _table(self, table: exp.Table, scope: Mapping[str, str]) -> None:
        if not isinstance(table.this, exp.Identifier):
            raise QueryRefused(f"table functions are not allowed; {_offer()}")
        if table.args.get("db") or table.args.get("catalog"):
            raise QueryRefused(f"name tables without a database; {_offer()}")
        extra = {key for key, value in table.args.items() if value and key not in {"this", "alias", "joins"}}
        if extra:
            raise QueryRefused(f"{', '.join(sorted(extra))} is not allowed on a table")
        for join in table.args.get("joins") or ():
            self._visit(join, scope)
        name = table.name
        alias = table.alias or name
        if name in scope:
            table.set("this", exp.to_identifier(scope[name]))
            table.set("alias", exp.TableAlias(this=exp.to_identifier(alias)))
            return
        inner = sqlglot.parse_one(self._source(name), read=DIALECT)
        rewritten = exp.Subquery(this=inner, alias=exp.TableAlias(this=exp.to_identifier(alias)))
        rewritten.set("joins", table.args.get("joins"))
        table.replace(rewritten)

    def _source(self, name: str) -> str:
        if name in self._sources:
            return self._sources[name]
        if name in VIEWS:
            twin = "_unnamed" if name in COSTLY and not self._full[name] else ""
            return f"SELECT * FROM {name}{twin}_at({CLOCK})"  # noqa: S608 - one of VIEWS
        if name in RAW_TABLES:
            return f"SELECT * FROM {name} WHERE Tenant = {{tenant:String}}"  # noqa: S608 - one of RAW_TABLES
        raise QueryRefused(f"there is no table {name}; {_offer()}")


def _offer() -> str:
    return f"allowed are {', '.join(VIEWS + RAW_TABLES)}"
