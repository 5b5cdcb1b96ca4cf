"""How generated SQL is put together."""

from collections.abc import Iterable

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
