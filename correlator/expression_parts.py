"""What expressions are made of: names, functions, types, literals."""

from dataclasses import dataclass

_ESCAPED = "\\'{}%;\x7f"

TEXT, NUMBER, TRUTH = "text", "number", "true or false"

EVENT_COLUMNS = {
    "event": (TEXT, "toString(Event)"),
    "system": (TEXT, "toString(System)"),
    "platform": (TEXT, "toString(Platform)"),
    "connection": (TEXT, "toString(Connection)"),
    "amount": (NUMBER, "toFloat64(Amount)"),
    "currency": (TEXT, "toString(Currency)"),
    "customer": (TEXT, "Customer"),
    "entity": (TEXT, "toString(Entity)"),
    "region": (TEXT, "toString(Region)"),
    "service_line": (TEXT, "toString(ServiceLine)"),
    "failed": (TRUTH, "(Failed = 1)"),
}
JOURNEY_COLUMNS = {
    name: EVENT_COLUMNS[name]
    for name in ("amount", "currency", "customer", "entity", "region", "service_line")
}
AGGREGATES = ("count", "sum", "min", "max", "avg", "uniq")
# name -> types of the arguments, type of the result, text
FUNCTIONS: dict[str, tuple[tuple[str, ...], str, str]] = {
    "lower": ((TEXT,), TEXT, "lowerUTF8({})"),
    "upper": ((TEXT,), TEXT, "upperUTF8({})"),
    "trim": ((TEXT,), TEXT, "trimBoth({})"),
    "length": ((TEXT,), NUMBER, "toFloat64(lengthUTF8({}))"),
    "empty": ((TEXT,), TRUTH, "({} = '')"),
    "starts_with": ((TEXT, TEXT), TRUTH, "startsWith({}, {})"),
    "ends_with": ((TEXT, TEXT), TRUTH, "endsWith({}, {})"),
    "contains": ((TEXT, TEXT), TRUTH, "(position({}, {}) > 0)"),
    "number": ((TEXT,), NUMBER, "toFloat64(toDecimal128OrNull({}, 6))"),
    "abs": ((NUMBER,), NUMBER, "abs({})"),
    "floor": ((NUMBER,), NUMBER, "floor({})"),
    "ceil": ((NUMBER,), NUMBER, "ceil({})"),
}


class ExpressionError(ValueError):
    """An expression is not allowed; the sentence says which part."""


OVER = "\0"
"""Stands behind each aggregate function of a term; no literal can hold it."""


@dataclass(frozen=True, slots=True)
class Term:
    """An aggregate over a journey's events, under the name by which the expression refers to it. `beside` are
    columns that it needs beside each event, as pairs of name and SQL.
    """

    name: str
    text: str
    beside: tuple[tuple[str, str], ...] = ()

    @property
    def sql(self) -> str:
        """Over all events of a group."""
        return self.text.replace(OVER, "")

    def over(self, window: str) -> str:
        """Over the events of a window."""
        return self.text.replace(OVER, f" OVER {window}")


@dataclass(frozen=True, slots=True)
class Lookup:
    """A look-up in a reference table (`content` is the hash of its rows) under the name by which the
    expression refers to it: `keys` and `day` are SQL; without a day the last row of the key counts.
    """

    name: str
    content: str
    column: str
    keys: tuple[str, ...]
    day: str | None


@dataclass(frozen=True, slots=True)
class Expression:
    """A compiled expression: ClickHouse text that is 0 or 1 for every row, never NULL.

    `details` are SQL too: what is said about the fields that it compares, as texts. `lookups` are needed
    where it stands, `event_lookups` beside each event, for its terms.
    """

    sql: str
    terms: tuple[Term, ...] = ()
    attributes: frozenset[str] = frozenset()
    details: tuple[str, ...] = ()
    lookups: tuple[Lookup, ...] = ()
    event_lookups: tuple[Lookup, ...] = ()


def attribute(name: str) -> str:
    """An event's attribute, '' where it has none."""
    return f"Attributes[{quoted(name)}]"


def latest(name: str, order: str = "Moment") -> str:
    """The latest value of an attribute that is not empty; `order` is by what."""
    return f"argMaxIf({attribute(name)}, {order}, {attribute(name)} != '')"


def latest_term(name: str) -> str:
    """The same as a term."""
    return latest(name) + OVER


def quoted(text: str) -> str:
    """A ClickHouse string literal of this text, whatever it holds."""
    escaped = (
        f"\\x{ord(one):02x}"
        if one in "{}%;\x7f" or ord(one) < ord(" ")
        else f"\\{one}"
        if one in _ESCAPED
        else one
        for one in text
    )
    return f"'{''.join(escaped)}'"
