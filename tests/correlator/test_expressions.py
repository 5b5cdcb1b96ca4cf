"""Expressions: what is allowed means what it says; nothing else gets through, whatever is tried."""

from __future__ import annotations

import re
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.correlator.fold_reference import Event
from tests.correlator.fold_world import Folding, at
from throughline.collector.store import Role, Store
from throughline.correlator.expression_parts import (
    EVENT_COLUMNS,
    OVER,
    Expression,
    ExpressionError,
    quoted,
)
from throughline.correlator.expressions import compile_journey, compile_where
from throughline.correlator.process import load_process

EVENTS = [
    Event(
        1,
        "won",
        at(),
        amount=Decimal("0.1"),
        currency="EUR",
        region="EMEA",
        attributes={"plan": "a", "hours": "7.5"},
    ),
    Event(
        2,
        "won",
        at(hours=1),
        amount=Decimal("0.2"),
        currency="EUR",
        attributes={"plan": "b", "hours": "many"},
    ),
    Event(
        3,
        "won",
        at(hours=2),
        failed=True,
        amount=Decimal(50),
        currency="EUR",
        objects=(("deal", 1), ("job", 2)),
    ),
    Event(4, "noted", at(hours=3), attributes={"plan": "", "empty": ""}, objects=(("deal", 1), ("job", 3))),
]
HOLDS = [
    "attr('plan') = 'b'",  # the latest that is not empty
    "attr('absent') = ''",
    "keys('job') = 2 and keys('deal') = 1",
    "amount = 0.2 and currency = 'EUR' and region = 'EMEA'",
    "sum(amount) = 50.3",
    "sumIf(amount, not failed) = 0.3",
    "count() = 4 and countIf(event = 'won') = 3 and count(distinct event) = 2",
    "max(amount) = 50 and min(amount) < 0.2 and avgIf(amount, not failed) = 0.15",
    "uniqIf(attr('plan'), event = 'won' and not failed) = 2",
    "sum(number(attr('hours'))) = 7.5",
    "minIf(amount, event = 'noted') is null",
    "not coalesce(minIf(amount, event = 'noted') > 0, false)",
    "0.1 + 0.2 = 0.3",
    "1 / 0 is null and 5 % 2 = 1 and -2 < 1",
    "if(region = 'EMEA', 1, 2) = 1",
    "coalesce(minIf(amount, failed and not failed), 9) = 9",
    "region like 'EM%' and region ilike 'em__' and region not like 'X%'",
    "lower(region) in ('emea', 'amer') and upper(region) not in ('x')",
    "startsWith(region, 'EM') and endsWith(region, 'A') and contains(region, 'ME') and length(region) = 4",
    "amount between 0.1 and 0.3 and round(abs(-1.26), 1) = 1.3 and floor(1.7) = 1 and ceil(1.2) = 2",
    "least(3, 2) = 2 and greatest(3, 2) = 3 and trim(' a ') = 'a' and empty('') and true",
    "'it''s' = 'it\\'s' and '{x:String}%;--' != ''",
]


def test_what_expressions_mean(store: Store) -> None:
    """Each of these holds over one journey, so as a check it raises nothing; its negation raises an
    exception.
    """
    checks = [f"{{name: yes-{i}, expect: {_yaml(text)}}}" for i, text in enumerate(HOLDS)]
    checks += [f"{{name: no-{i}, expect: {_yaml(f'not ({text})')}}}" for i, text in enumerate(HOLDS)]
    process = load_process(
        "process: probe\nkeys: [deal, job]\namount_of: won\nmilestones: [{name: won, event: won}]\n"
        f"checks: [{', '.join(checks)}]",
    )
    folding = Folding(store, process)
    folding.put({1: EVENTS})
    folding.fold([1])
    assert {one["Code"] for one in folding.exceptions() if one["Kind"] == "check"} == {
        f"no-{index}" for index in range(len(HOLDS))
    }


REFUSED = [
    "(select 1) = 1", "amount in (select 1)", "exists(select 1)", "amount > 1 from system.tables",
    "1; drop table keys",
    "amount > 1 union all select 1", "amount > 1 settings x = 1", "amount > 1 format Null",
    "amount > 1 into outfile 'x'",
    "file('x') = 'a'", "url('http://x') = 'a'", "sleep(3) = 0", "dictGet('a', 'b', 1) = 1",
    "getSetting('a') = 'b'",
    "currentUser() = 'a'", "system.tables.name = 'a'", "t.amount > 1", "tenant = 'other'",
    "Tenant = 'other'", "* ", "",
    "amount", "'text'", "1", "amount > 1 as x", "1 = 1, 2 = 2", "x -> 1", "{tenant:String} = 'a'",
    "attr({tenant:String}) = 'a'",
    "attr(concat('a', 'b')) = 'a'", "attr('a', 'b') = 'c'", "attr() = ''", "keys('nothing') = 1",
    "keys(region) = 1",
    "count() over () > 1", "sum(sum(amount)) > 1", "amount::String = 'a'", "cast(amount as String) = 'a'",
    "[1][1] = 1",
    "(1, 2) = (1, 2)", "amount = 'a'", "region > 1", "region + 1 = 2", "attr('x') like '\\\\'", "1e999 > 1",
    "now() > 1",
    "throwIf(1) = 0", "amount > (", "not amount", "if(1, 2, 3) = 2", "round(amount, 9) = 1",
    "interval 1 day > 1",
    "case when true then 1 else 0 end = 1", "sum(distinct amount) > 1", "countIf() > 1",
    "arrayJoin([1, 2]) = 1",
    "amount > 1 /* */ ) or (1 = 1", "true) or (true", "materialize(1) = 1", "@@x = 1", "?", "$1 = 1",
    "not " * 60 + "true",
    "(" * 300 + "true" + ")" * 300, "true and " * 400 + "true",
]  # fmt: skip


@pytest.mark.parametrize("text", REFUSED)
def test_what_is_refused(text: str) -> None:
    """Tables, queries, other functions, several statements, other types: each a sentence, never an
    accident.
    """
    with pytest.raises(ExpressionError):
        compile_journey(text, [["deal"]])
    with pytest.raises(ExpressionError):
        compile_where(text)


@pytest.mark.parametrize("text", ["count() > 1", "keys('deal') = 1", "sum(amount) > 1"])
def test_one_event_has_no_aggregates(text: str) -> None:
    """`where` sees one event only."""
    with pytest.raises(ExpressionError, match="over one event"):
        compile_where(text)


WORDS = [
    "amount", "region", "event", "failed", "attr('x')", "attr('{a:b}')", "keys('deal')", "count()",
    "latest('deal', '{x:y}')", "total('deal', 'amount', 'erp')", "differing('deal', 'x')",
    "missing('deal', 'x')", "duplicated('deal', 'a\\'b')",
    "sum(amount)", "1", "-2.5", "''",
    "'a'", "'it''s'", "'\\\\'", "'; DROP TABLE keys --'", "(", ")", ",", "and", "or", "not", "=", "!=", "<",
    ">", "+", "-", "*", "/",
    "in", "between", "like", "is null", "if(", "coalesce(", "number(", "lower(", "select", "from", "keys",
    "journey_state",
    "file('/etc/passwd')", "system", "tables", ".", ";", "--", "/*", "*/", "{tenant:String}", "`x`",
    '"y"', "::String", "@", "\x00", "é",
]  # fmt: skip
TOKEN = re.compile(
    r"'(?:[^'\\]|\\.)*'|term_[0-9a-f]{12}|[A-Za-z][A-Za-z0-9]*|[0-9]+(?:\.[0-9]+)?(?:e[+-]?[0-9]+)?"
    r"|->|!=|<=|>=|[()\[\],=<>+*/%. -]",
    re.DOTALL,
)
COLUMNS = {
    "Attributes",
    "Moment",
    "Objects",
    "Subjects",
    *(re.findall(r"[A-Z]\w*", " ".join(sql for _, sql in EVENT_COLUMNS.values()))),
}
FUNCTIONS = set(
    re.findall(
        r"\w+",
        "ifNull toFloat64 toString toDecimal256 toDecimal128OrNull round nullIf lowerUTF8 upperUTF8 trimBoth "
        "lengthUTF8 startsWith endsWith position abs floor ceil isNull like ilike if coalesce least greatest "
        "argMaxIf uniqExactArray uniqExactIf arrayMap arrayFilter countIf sumIf minOrNullIf maxOrNullIf "
        "avgOrNullIf AND OR NOT IN BETWEEN o x n groupArrayArrayIf arrayReverseSort arrayEnumerateUniq "
        "mapContains has arrayDistinct arrayCount arraySum length isNotNull",
    ),
)


def _foreign(compiled: Expression) -> set[str]:
    """Words of the compiled text that are neither columns nor allowed functions."""
    sql = " ".join([compiled.sql, *(term.sql for term in compiled.terms)])
    assert all(OVER in term.text and OVER not in term.sql for term in compiled.terms)
    rest = TOKEN.sub("", sql)
    words = {token for token in TOKEN.findall(sql) if token[0].isalpha() and not token.startswith("term_")}
    return {rest} - {""} | (words - COLUMNS - FUNCTIONS - {"Array"})


@given(st.lists(st.sampled_from(WORDS) | st.text(max_size=4), max_size=14).map(" ".join))
@settings(max_examples=600, deadline=None)
def test_nothing_foreign_gets_through(text: str) -> None:
    """Of any text, either a sentence comes back, or SQL made only of known columns, functions and
    literals.
    """
    for compile_one in (compile_where, lambda one: compile_journey(one, [["deal"]])):
        try:
            compiled = compile_one(text)
        except ExpressionError:
            continue
        else:
            assert _foreign(compiled) == set()


@given(text=st.text())
@settings(max_examples=150, deadline=None)
def test_literals_come_back_as_they_were(embedded_store: Store, text: str) -> None:
    """Quotes, backslashes, braces, control characters: the engine reads exactly the text."""
    sql = f"SELECT {quoted(text)}, {{p:UInt8}}"
    assert embedded_store.query(sql, {"p": 1}, role=Role.CORRELATOR).result_rows == [(text, 1)]


def _yaml(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
