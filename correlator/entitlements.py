"""Entitlements: what a contract grants for a period, and what of it is used, left and overdrawn.

Events of the journey grant a quantity from a first to a last day; others use it up on a day. It is derived in
one expression over the journey's events, for the column `Entitlements` and for what checks say about it:

1. Grants of the same days are one period; its quantity is their sum, its rate the last one said.
2. Of each object the last event counts: a use, or one that undoes it. An event about several objects counts
   once, for the first of them.
3. A use belongs to the period that covers its day; of several to the one that ends first, then began first.
   Uses outside of all periods make a row of their own, with nothing granted.
4. With `carry_over` what is left of a period is added to the next one, in the order of their ends.
"""

from collections.abc import Collection
from typing import Annotated

from pydantic import BeforeValidator, Field, StrictBool

from throughline.correlator.expression_parts import OVER, attribute, quoted
from throughline.correlator.journey_terms import objects_of
from throughline.correlator.parts import Events, Name, Namespace, Part, Text, several

ROW = (
    "First Date32, Last Date32, Granted Decimal(38, 6), Carried Decimal(38, 6), Used Decimal(38, 6), "
    "Left Decimal(38, 6), Overdrawn Decimal(38, 6), Value Nullable(Decimal(38, 6)), Currency String"
)
"""What is said of each period."""

_SUM = "toFloat64(arraySum(arrayMap(x -> {}, {{}})))"
FUNCTIONS = {
    "granted": _SUM.format("x.3"),
    "used": _SUM.format("x.5"),
    "overdrawn": _SUM.format("x.7"),
    "overdrawn_value": _SUM.format("ifNull(x.8, 0)"),
}
"""Functions over an entitlement in expressions, all numbers over all periods; `{}` is the rows."""


class Grant(Part):
    """Events that grant, with the attributes that hold how much, the first and last day, and the price of
    one unit more.
    """

    events: Annotated[Events, Field(alias="event", min_length=1)]
    quantity: Text
    first: Text = "first_day"
    last: Text = "last_day"
    rate: Text | None = None


class Use(Part):
    """Events that use it up, with the attributes that hold how much, and the day; without `on` the UTC day of
    the event. The last event counts of each object of these namespaces (`of`), else of each subject.
    """

    events: Annotated[Events, Field(alias="event", min_length=1)]
    quantity: Text
    on: Text | None = None
    of: Annotated[tuple[Namespace, ...], BeforeValidator(several)] = ()
    undone_by: Events = ()


class Entitlement(Part):
    """A quantity that is granted for periods and used up in them."""

    name: Name
    granted: Grant
    used: Use
    carry_over: StrictBool = False

    @property
    def attributes(self) -> frozenset[str]:
        """The attributes that it reads."""
        named = (*self.granted.model_dump(exclude={"events"}).values(), self.used.quantity, self.used.on)
        return frozenset(name for name in named if name)

    def sql(self, namespaces: Collection[str]) -> str:
        """The rows of its periods, as an aggregate over the events of a journey; `namespaces` are those of
        the objects that are used up.
        """
        carried = "arrayPopBack(arrayPushFront(arrayCumSumNonNegative(arrayMap((a, b) -> a - b, ga, ua)), 0))"
        if not self.carry_over:
            carried = f"arrayMap(a -> {_ZERO}, ga)"
        rows = _let({"ca": carried}, f"arrayConcat({_ROWS}, {_OUTSIDE})")
        sums = _let({"ga": _GRANTED, "ra": _RATES, "ua": _USED}, rows)
        text = _let({"p": _PERIODS, "s": "arrayReverseSort(x -> x.2, u)"}, _let({"w": _COUNTED}, sums))
        rows = _let({"g": self._grants(), "u": self._uses(namespaces)}, text)
        return f"CAST({rows}, 'Array(Tuple({ROW}))')"

    def _grants(self) -> str:
        first, last = _day(self.granted.first), _day(self.granted.last)
        quantity = _number(self.granted.quantity)
        rate = _number(self.granted.rate) if self.granted.rate else "toDecimal64OrNull('', 6)"
        said = ", ".join(f"assumeNotNull({one})" for one in (first, last, quantity))
        readable = f"ifNull({first} <= {last} AND isNotNull({quantity}), 0)"
        found = f"({said}, {rate}, toString(Currency), Moment)"
        return f"groupArrayIf({found}, {_happened(self.granted.events)} AND {readable}){OVER}"

    def _uses(self, namespaces: Collection[str]) -> str:
        whose = "Owner"
        if namespaces:
            named = objects_of(namespaces)
            whose = f"if(empty({named}), Owner, arrayMin({named}))"
        undone = f"Event IN ({_texts(self.used.undone_by)})" if self.used.undone_by else "0"
        day = f"ifNull({_day(self.used.on)}, toDate32(Time))" if self.used.on else "toDate32(Time)"
        found = f"({whose}, Moment, {undone}, {day}, ifNull({_number(self.used.quantity)}, 0))"
        return f"groupArrayIf({found}, {_happened((*self.used.events, *self.used.undone_by))}){OVER}"


def told(name: str, rows: str) -> str:
    """The periods that are overdrawn, in words."""
    words = (
        "concat(toString(x.1), ' to ', toString(x.2), ' ', toString(x.5), ' used of ', toString(x.3 + x.4), "
        "', ', toString(x.7), ' overdrawn', "
        "if(isNull(x.8), '', concat(' = ', toString(assumeNotNull(x.8)), ' ', x.9)))"
    )
    over = f"arrayMap(x -> {words}, arrayFilter(x -> x.7 > 0, {rows}))"
    return f"concat({quoted(f'{name}: ')}, arrayStringConcat({over}, ', '))"


_ZERO = "toDecimal128(0, 6)"
_PERIODS = "arraySort(arrayDistinct(arrayMap(x -> (x.2, x.1), g)))"
"""(last, first) in the order of their ends."""
_COUNTED = (
    "arrayMap(x -> (arrayFirstIndex(q -> q.2 <= x.4 AND x.4 <= q.1, p), x.4, x.5), "
    "arrayFilter((x, n) -> n = 1 AND x.3 = 0, s, arrayEnumerateUniq(arrayMap(x -> x.1, s))))"
)
"""(number of the period or 0, day, quantity) of each use that counts."""
_GRANTED = (
    "arrayMap(q -> toDecimal128(arraySum(arrayMap(x -> x.3, arrayFilter(x -> (x.2, x.1) = q, g))), 6), p)"
)
_RATES = (
    "arrayMap(q -> arrayReverseSort(x -> x.6, arrayFilter(x -> (x.2, x.1) = q AND isNotNull(x.4), g))[1], p)"
)
_USED = (
    "arrayMap((q, i) -> toDecimal128(arraySum(arrayMap(x -> x.3, arrayFilter(x -> x.1 = i, w))), 6), "
    "p, arrayEnumerate(p))"
)
_ROWS = (
    "arrayMap((q, a, k, b, r) -> (q.2, q.1, a, k, b, "
    f"if(a + k > b, a + k - b, {_ZERO}), if(b > a + k, b - a - k, {_ZERO}), "
    f"accurateCastOrNull(toDecimal256(if(b > a + k, b - a - k, {_ZERO}), 6) * toDecimal256(r.4, 6), "
    "'Decimal(38, 6)'), r.5), p, ga, ca, ua, ra)"
)
_OUTSIDE = (
    f"arrayMap(o -> (arrayMin(x -> x.2, o), arrayMax(x -> x.2, o), {_ZERO}, {_ZERO}, "
    f"toDecimal128(arraySum(arrayMap(x -> x.3, o)), 6), {_ZERO}, "
    "toDecimal128(arraySum(arrayMap(x -> x.3, o)), 6), CAST(NULL, 'Nullable(Decimal(38, 6))'), ''), "
    "arrayFilter(o -> notEmpty(o), [arrayFilter(x -> x.1 = 0 AND x.3 != 0, w)]))"
)


def _let(values: dict[str, str], text: str) -> str:
    """`text` with names for values."""
    return f"arrayMap(({', '.join(values)}) -> {text}, {', '.join(f'[{one}]' for one in values.values())})[1]"


def _happened(events: tuple[str, ...]) -> str:
    return f"Failed = 0 AND Event IN ({_texts(events)})"


def _texts(events: tuple[str, ...]) -> str:
    return ", ".join(quoted(one) for one in events)


def _number(name: str) -> str:
    return f"toDecimal64OrNull({attribute(name)}, 6)"


def _day(name: str) -> str:
    return f"toDate32OrNull(substring({attribute(name)}, 1, 10))"
