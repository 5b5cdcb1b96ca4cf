"""Reading reference tables: `tables/*.csv`, each row valid from a day to a day."""

from __future__ import annotations

import csv
import hashlib
import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from pathlib import Path

from throughline.correlator import reference_kinds as kinds
from throughline.correlator import yaml_lines
from throughline.correlator.problems import InvalidFile, Problem

FOLDER = "tables"
MOST_ROWS = 500_000
_MOST_PROBLEMS = 20


class InvalidTable(InvalidFile):
    """A reference table can't be used; correct the lines that the message names."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One row: what `key` means from `valid_from` to `valid_to`, both included."""

    key: str
    valid_from: date
    valid_to: date
    values: Mapping[str, str]


@dataclass(frozen=True)
class ReferenceTable:
    """A table that can be used."""

    name: str
    entries: tuple[Entry, ...]
    columns: tuple[str, ...] = ()
    """What can be looked up."""
    keys: int = 1
    """How many columns its key has."""

    @cached_property
    def content_hash(self) -> str:
        """Thirty-two hex digits that change when what the table says does, and only then."""
        rows = sorted(
            (one.key, one.valid_from.isoformat(), one.valid_to.isoformat(), sorted(one.values.items()))
            for one in self.entries
        )
        return hashlib.sha256(json.dumps([self.name, rows]).encode()).hexdigest()[:32]


@dataclass(frozen=True, slots=True)
class LoadedTables:
    """The tables that can be used, by name; what was wrong with the others, and their names."""

    tables: Mapping[str, ReferenceTable] = field(default_factory=dict)
    errors: tuple[InvalidFile, ...] = ()
    broken: frozenset[str] = frozenset()


def load_tables(config_dir: Path | None) -> LoadedTables:
    """Read `<config_dir>/tables/*.csv`; none is shipped."""
    found: dict[str, ReferenceTable] = {}
    errors: list[InvalidFile] = []
    broken: set[str] = set()
    for path in sorted((config_dir / FOLDER).glob("*.csv")) if config_dir else ():
        try:
            found[path.stem] = load_table(path)
        except InvalidTable as error:
            errors.append(error)
            broken.add(path.stem)
    return LoadedTables(found, tuple(errors), frozenset(broken))


def load_table(path: Path) -> ReferenceTable:
    """Read one table; its kind is its name.

    Raises:
        InvalidTable: with the problems found, the first twenty of them.
    """
    try:
        text = yaml_lines.text_of(path).removeprefix("\ufeff")
    except yaml_lines.BadYamlError as error:
        raise InvalidTable([Problem(str(path), 1, "the file is not UTF-8 text; save it as UTF-8")]) from error
    except OSError as error:
        raise InvalidTable([Problem(str(path), 1, f"the file can't be read: {error.strerror}")]) from error
    return read_table(path.stem, text, str(path))


def read_table(name: str, text: str, file: str) -> ReferenceTable:
    """Read a table from its text. Raises: InvalidTable."""
    reader = _Reading(name, file)
    entries = reader.entries(text)
    if reader.problems:
        raise InvalidTable(sorted(reader.problems, key=lambda one: one.line)[:_MOST_PROBLEMS])
    return ReferenceTable(name, tuple(entries), tuple(reader.columns), max(len(reader.keys), 1))


class _Reading:
    """Reads one file and notes what is wrong with it."""

    def __init__(self, name: str, file: str) -> None:
        self.problems: list[Problem] = []
        self.columns: list[str] = []
        self.keys: list[str] = []
        self._name, self._file = name, file

    def entries(self, text: str) -> list[Entry]:
        rows = self._rows(text)
        header = next(rows, None)
        if header is None:
            self._say(1, "the file is empty: its first row names the columns")
            return []
        columns = self._columns(*header)
        if self.problems:
            return []
        found = []
        for line, cells in rows:
            if len(cells) == len(columns):
                found.append((line, self._entry(columns, line, cells)))
            else:
                count = f"{len(cells)} cells under {len(columns)} columns"
                self._say(line, f"{count}; put quotes around text with a comma")
        if len(found) > MOST_ROWS:
            self._say(MOST_ROWS, f"a table has at most {MOST_ROWS:,} rows; leave out what is no longer asked")
        self._overlaps(found)
        return [entry for _, entry in found]

    def _rows(self, text: str) -> Iterator[tuple[int, list[str]]]:
        """Rows that are not empty, each with the line it begins in."""
        reader = csv.reader(text.splitlines(keepends=True), strict=True)
        while True:
            line = reader.line_num + 1
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                self._say(line, f"this is no valid CSV: {error}")
                return
            if any(cell.strip() for cell in cells):
                yield line, [cell.strip() for cell in cells]

    def _columns(self, line: int, header: Sequence[str]) -> list[kinds.Column]:
        known = kinds.KINDS.get(self._name)
        names, self.keys = kinds.split_header(self._name, header)
        self.columns = [name for name in names if name not in ("valid_from", "valid_to")]
        if known is None and not kinds.NAME.fullmatch(self._name):
            self._say(1, f"'{self._name}' is no name of a table: use letters a-z, digits and _")
            return []
        if len(names) == 1 and ";" in names[0]:
            self._say(line, "the columns are separated by semicolons; separate them by commas")
            return []
        for sentence in kinds.wrong_columns(self._name, names):
            self._say(line, sentence)
        by_name = {one.name: one for one in known or kinds.free_columns(names, self.keys)}
        return [by_name.get(name, kinds.Column(name)) for name in names]

    def _entry(self, columns: Sequence[kinds.Column], line: int, cells: Sequence[str]) -> Entry:
        given = {one.name: one.of("") for one in kinds.KINDS.get(self._name, ()) if not one.needed}
        for column, cell in zip(columns, cells, strict=True):
            try:
                given[column.name] = column.read(cell)
            except ValueError as error:
                self._say(line, f"{column.name}: {error}")
                given[column.name] = ""
        start = given.pop("valid_from", "") or kinds.FIRST_DAY.isoformat()
        end = given.pop("valid_to", "") or kinds.LAST_DAY.isoformat()
        if end < start:
            self._say(line, f"valid_to {end} lies before valid_from {start}")
        if self._name == kinds.RATES and given["from"] and given["from"] == given["to"]:
            self._say(line, f"the rate of {given['from']} to itself is always 1; remove the row")
        key = kinds.key_of(self._name, given, self.keys)
        return Entry(key, date.fromisoformat(start), date.fromisoformat(end), given)

    def _overlaps(self, found: Sequence[tuple[int, Entry]]) -> None:
        """A row without an end is valid until the next of its key begins; one with an end must end before."""
        ordered = sorted(found, key=lambda one: (one[1].key, one[1].valid_from, one[0]))
        for (line, one), (later_line, later) in itertools.pairwise(ordered):
            if one.key != later.key:
                continue
            open_ended = one.valid_to == kinds.LAST_DAY and one.valid_from < later.valid_from
            if not open_ended and later.valid_from <= one.valid_to:
                self._say(
                    max(line, later_line),
                    f"'{later.key}' from {later.valid_from} overlaps line {min(line, later_line)}: "
                    "end one before the other begins (valid_to), or remove one",
                )

    def _say(self, line: int, sentence: str) -> None:
        self.problems.append(Problem(self._file, line, sentence))
