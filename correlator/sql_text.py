"""How generated SQL is put together."""

from collections.abc import Callable, Iterable

from throughline.correlator.expression_parts import quoted

Step = tuple[list[str], str]
"""Columns to select from what the steps before gave, and what stands behind that: nothing, or a clause."""


def nested(inner: str, steps: Iterable[Step]) -> str:
    """Steps around a query, each reading the one before."""
    for columns, closing in steps:
        inner = f"SELECT\n{listed(columns)}\nFROM (\n{indented(inner)}\n)\n{closing}".rstrip()
    return inner


def plain(steps: Iterable[list[str]]) -> list[Step]:
    """Steps that add columns."""
    return [(["*", *columns], "") for columns in steps]


def array(items: Iterable[str]) -> str:
    """An array of these expressions."""
    return f"[{', '.join(items)}]"


def listed(columns: list[str]) -> str:
    """Columns, one a line."""
    return ",\n".join(f"    {column}" for column in columns)


def indented(text: str, spaces: int = 4) -> str:
    """Every line further right."""
    return "\n".join(" " * spaces + line for line in text.split("\n"))


def midnight(day: str, zone: str) -> str:
    """When a day begins in a time zone, in microseconds since 1970."""
    return f"toUnixTimestamp64Micro(toDateTime64({day}, 6, {quoted(zone)}))"


def told_instant(told: str, of_day: Callable[[str], str]) -> str:
    """The instant that a text names, in microseconds since 1970: of a day what `of_day` makes of it, NULL if
    nobody can read it.
    """
    day = f"toDate32OrNull({told})"
    is_day = f"match({told}, '^\\\\d{{4}}-\\\\d\\\\d-\\\\d\\\\d$')"
    exists = f"ifNull(toString({day}) = {told}, 0)"  # 31 February is read, as something else
    instant = f"toUnixTimestamp64Micro(parseDateTime64BestEffortOrNull({told}, 6, 'UTC'))"
    return f"if({is_day}, if({exists}, {of_day(f'ifNull({day}, toDate32(0))')}, NULL), {instant})"
