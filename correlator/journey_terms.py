"""What expressions over a journey are computed from: aggregates over its events, the state of its objects.

The state of an object is what each system said of it last, field by field: of the events about it, the latest
that carries the field counts; one that carries it empty takes the value back, a failed one says nothing.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from throughline.correlator.expression_parts import (
    EVENT_COLUMNS,
    NUMBER,
    OVER,
    TEXT,
    attribute,
    quoted,
)

if TYPE_CHECKING:
    from collections.abc import Collection

FIELD_COLUMNS = {
    "amount": ("ifNull(toString(Amount), '')", "isNotNull(Amount)"),
    "currency": ("toString(Currency)", "Currency != ''"),
    "customer": ("Customer", "Customer != ''"),
    "entity": ("toString(Entity)", "Entity != ''"),
    "region": ("toString(Region)", "Region != ''"),
    "service_line": ("toString(ServiceLine)", "ServiceLine != ''"),
}
_SAID_BY = ("said_by", "toString(if(System != '', System, Platform))")
_MOST_SHOWN = 5


@dataclass(frozen=True, slots=True)
class StateFunction:
    """A function over what is said of a field: its result's type and its text; `{0}` is what is said as
    (object, system, moment, value), latest first, `{1}` the number of the level's objects.
    """

    result: str
    sql: str


_LATEST_OF_EACH = "arrayFilter((x, n) -> n = 1, {0}, arrayEnumerateUniq(arrayMap(x -> x.1, {0})))"
_VALUES = "arrayDistinct(arrayMap(x -> (x.1, x.4), arrayFilter(x -> x.4 != '', {0})))"
STATE_FUNCTIONS = {
    "latest": StateFunction(TEXT, "{0}[1].4"),
    "total": StateFunction(
        NUMBER,
        "round(toFloat64(arraySum(arrayMap(x -> toDecimal256(ifNull(toDecimal128OrNull(x.4, 6), 0), 6), "
        + _LATEST_OF_EACH
        + "))), 6)",
    ),
    "differing": StateFunction(
        NUMBER, f"toFloat64(arrayCount(n -> n = 2, arrayEnumerateUniq(arrayMap(x -> x.1, {_VALUES}))))"
    ),
    "duplicated": StateFunction(
        NUMBER, f"toFloat64(arrayCount(n -> n > 1, arrayEnumerateUniq(arrayMap(x -> x.2, {_VALUES}))))"
    ),
    "missing": StateFunction(
        NUMBER, f"({{1}} - toFloat64(length(arrayDistinct(arrayMap(x -> x.1, {_VALUES})))))"
    ),
}


def objects_of(namespaces: Collection[str]) -> str:
    """The objects that an event names under one of these namespaces."""
    listed = ", ".join(quoted(one) for one in namespaces)
    return f"arrayMap(o -> o.2, arrayFilter(o -> o.1 IN ({listed}), Objects))"


def count_objects(namespaces: Collection[str]) -> str:
    """The aggregate that counts a journey's objects under these namespaces."""
    return f"toFloat64(uniqExactArray({objects_of(namespaces)}){OVER})"


def systems_of(namespaces: Collection[str]) -> str:
    """The aggregate that tells under which of these namespaces a journey has objects."""
    listed = ", ".join(quoted(one) for one in namespaces)
    found = f"arrayMap(o -> toString(o.1), arrayFilter(o -> o.1 IN ({listed}), Objects))"
    return f"arraySort(groupUniqArrayArray({found}){OVER})"


def subjects_among(namespaces: Collection[str]) -> str:
    """The subjects of an event under one of these namespaces, each once."""
    return f"arrayIntersect(Subjects, {objects_of(namespaces)})"


def said(namespaces: Collection[str], field: str, system: str) -> tuple[str, tuple[tuple[str, str], ...]]:
    """The aggregate of what each system (or one) said last of a field of these objects, latest first; and the
    columns that it needs beside each event: they are the same for many fields.

    Of each object and system the greatest (moment, value) is kept.
    """
    carried = (attribute(field), f"mapContains(Attributes, {quoted(field)})")
    value, present = FIELD_COLUMNS.get(field, carried)
    subjects = subjects_among(namespaces)
    about = f"about_{hashlib.sha256(subjects.encode()).hexdigest()[:12]}"
    rows = f"arrayMap(o -> (o, {_SAID_BY[0]}, Moment, {value}), {about})"
    narrowed = f" AND {_SAID_BY[0]} = {quoted(system)}" if system else ""
    every = f"arrayReverseSort(groupArrayArrayIf({rows}, Failed = 0 AND {present}{narrowed}){OVER})"
    last = f"arrayReverseSort(x -> x.3, arrayCompact(x -> (x.1, x.2), {every}))"
    return last, (_SAID_BY, (about, subjects))


def told(field: str, term: str, silent: str = "") -> str:
    """What is said of a field, in words: `tax_code: crm DE19, erp DE0`. `silent` are the namespaces of the
    objects, named if nothing is said: a level is called by one of its namespaces, and they may be of another.
    """
    shown = f"arraySlice({term}, 1, {_MOST_SHOWN})"
    words = f"arrayMap(x -> concat(x.2, ' ', if(x.4 = '', 'nothing', x.4)), {shown})"
    nothing = quoted(f"{field}: nothing is said")
    if silent:
        nothing = f"concat({nothing}, ' of ', arrayStringConcat({silent}, ', '))"
    something = f"concat({quoted(f'{field}: ')}, arrayStringConcat(arrayDistinct({words}), ', '))"
    return f"if(empty({term}), {nothing}, {something})"


def numeric_aggregate(base: str, value: str, condition: str) -> str:
    """A sum, minimum, maximum or average over the events that meet a condition; amounts are added exactly."""
    if base == "sum":
        exact = value == EVENT_COLUMNS["amount"][1]
        added = "toDecimal256(Amount, 6)" if exact else value
        return f"round(toFloat64(ifNull(sumIf({added}, {condition}){OVER}, 0)), 6)"
    return f"round({base}OrNullIf({value}, {condition}){OVER}, 6)"
