"""The kinds of reference tables: their columns, and what may stand in a cell."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from difflib import get_close_matches

from throughline.correlator.currencies import CURRENCIES

RATES, ENTITIES, OWNERS, CUSTOMERS = "exchange_rates", "entities", "owners", "customers"
KEY_SEPARATOR, KEY_MARK = "|", "*"
FIRST_DAY, LAST_DAY = date(1900, 1, 1), date(2299, 12, 31)
NAME = re.compile("[a-z][a-z0-9_]*")
_RATE = re.compile(r"[0-9]{1,12}(?:\.[0-9]{1,12})?")
_COLUMN = re.compile(r"[A-Za-z][A-Za-z0-9_ .-]*")
_YES, _NO = frozenset({"yes", "true", "1"}), frozenset({"no", "false", "0", ""})


def _text(cell: str) -> str:
    return cell


def _part(cell: str) -> str:
    if KEY_SEPARATOR in cell:
        message = f"'{cell}' holds {KEY_SEPARATOR}, which stands between the columns of a key"
        raise ValueError(message)
    return cell


def _currency(cell: str) -> str:
    if cell and cell not in CURRENCIES:
        hint = f"; did you mean '{cell.upper()}'?" if cell.upper() in CURRENCIES else ""
        message = f"'{cell}' is no currency code of ISO 4217, such as EUR{hint}"
        raise ValueError(message)
    return cell


def _day(cell: str) -> str:
    if not cell:
        return cell
    try:
        found = date.fromisoformat(cell)
    except ValueError:
        found = date.min
    if not FIRST_DAY <= found <= LAST_DAY or cell != found.isoformat():
        message = f"'{cell}' is no day from 1900 on; write 2026-01-31"
        raise ValueError(message)
    return cell


def _rate(cell: str) -> str:
    if not _RATE.fullmatch(cell) or not cell.strip("0."):
        message = f"'{cell}' is no rate above 0 with at most 12 decimals; write 1.0832, with a point"
        raise ValueError(message)
    return cell


def _flag(cell: str) -> str:
    if cell.lower() in _YES:
        return "yes"
    if cell.lower() in _NO:
        return ""
    message = f"'{cell}' must be yes or no"
    raise ValueError(message)


def _source(cell: str) -> str:
    return cell.lower() or "other"


@dataclass(frozen=True, slots=True)
class Column:
    """A column: how its cells are read, and whether each needs one."""

    name: str
    of: Callable[[str], str] = _text
    needed: bool = False

    def read(self, cell: str) -> str:
        """A cell as it is stored. Raises: ValueError, with what to write instead."""
        if self.needed and not cell:
            raise ValueError("this cell must not be empty")
        return self.of(cell)


_VALID = (Column("valid_from", _day), Column("valid_to", _day))
KINDS: Mapping[str, tuple[Column, ...]] = {
    RATES: (
        Column("from", _currency, needed=True),
        Column("to", _currency, needed=True),
        Column("rate", _rate, needed=True),
        Column("valid_from", _day, needed=True),
        Column("valid_to", _day),
        Column("source", _source),
    ),
    ENTITIES: (
        Column("entity", needed=True),
        Column("name"),
        Column("currency", _currency),
        Column("parent"),
        *_VALID,
    ),
    OWNERS: (Column("owner", needed=True), Column("team"), Column("person"), Column("channel"), *_VALID),
    CUSTOMERS: (
        Column("customer", needed=True),
        Column("canonical"),
        Column("group"),
        Column("intercompany", _flag),
        *_VALID,
    ),
}
"""The tables whose columns mean something to us. In any other table the first column is the key."""


def free_columns(names: Sequence[str], keys: Sequence[str]) -> Iterator[Column]:
    """The columns of a table of no known kind; no cell of a key is empty."""
    days = {one.name: one for one in _VALID}
    for name in names:
        is_key = name in keys
        of = _part if is_key and len(keys) > 1 else _text
        yield days.get(name, Column(name, of, needed=is_key))


def wrong_columns(table: str, names: Sequence[str]) -> Iterator[str]:
    """What is wrong with a header, as sentences."""
    known = [one.name for one in KINDS.get(table, ())]
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield f"the column '{name}' stands twice"
    for name in names:
        if known and name not in known:
            close = get_close_matches(name, known, n=1)
            hint = f"did you mean '{close[0]}'?" if close else f"known are {', '.join(known)}"
            yield f"unknown column '{name}'; {hint}"
        elif not _COLUMN.fullmatch(name):
            yield f"'{name}' is no name of a column: begin with a letter"
    for column in KINDS.get(table, ()):
        if column.needed and column.name not in names:
            yield f"the column '{column.name}' is missing; known are {', '.join(known)}"
    if not known and names[:1] in (["valid_from"], ["valid_to"]):
        yield "the first column is the key that is looked up; put it before valid_from and valid_to"


def split_header(table: str, names: Sequence[str]) -> tuple[list[str], list[str]]:
    """The names of columns and, of a table of no known kind, those of its key: the first, and all marked."""
    if table in KINDS:
        return list(names), []
    days = {one.name for one in _VALID}
    plain = [name if name[:-1] in days else name.removesuffix(KEY_MARK).strip() for name in names]
    marked = (name for place, name in enumerate(plain) if place == 0 or names[place].endswith(KEY_MARK))
    return plain, list(dict.fromkeys(marked))


def key_of(table: str, given: Mapping[str, str], keys: Sequence[str]) -> str:
    """What a row is about: no two rows of one key are valid at once."""
    if table == RATES:
        return f"{given['from']}>{given['to']} {given['source']}"
    names = [KINDS[table][0].name] if table in KINDS else keys
    return KEY_SEPARATOR.join(given[name] for name in names)
