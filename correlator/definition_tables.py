"""Reference tables that a definition names: kept with it as a hash, so that a table that changes is a
definition that changes, and every result says by which rows it was made.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field, StrictStr

from throughline.correlator.durations import Deadline, Duration, parse_time
from throughline.correlator.parts import Part, Path, Positive, Text, unknown
from throughline.correlator.reference_files import FOLDER, InvalidTable, ReferenceTable, load_table
from throughline.correlator.reference_kinds import RATES

if TYPE_CHECKING:
    from pathlib import Path as FilePath

    from throughline.correlator.definition import Process
    from throughline.correlator.definition_parts import Within

MOST_TIMES = 200
"""Different times that a column may hold."""

_LOOKUP = re.compile(r"""\blookup(?:_latest)?\s*\(\s*'([a-z][a-z0-9_]*)'""", re.IGNORECASE)


class Table(Part):
    """A reference table as it was when the definition was read: `content` is the hash of its rows, `times`
    are the different times that a column holds, by the columns that `within` names.
    """

    content: Text
    rows: Annotated[int, Field(ge=0)]
    keys: Positive = 1
    columns: tuple[StrictStr, ...] = ()
    times: Mapping[StrictStr, tuple[StrictStr, ...]] = Field(default_factory=dict)


Known = Mapping[str, ReferenceTable | Table]


class TableFiles(Mapping[str, ReferenceTable | Table]):
    """The tables of a folder, each read when it is first asked for; those of `present` count where the folder
    has none.
    """

    def __init__(self, config: FilePath | None, present: Known | None = None) -> None:
        self._folder = config / FOLDER if config else None
        self._present = present or {}
        self._read: dict[str, ReferenceTable] = {}

    def __getitem__(self, name: str) -> ReferenceTable | Table:
        """Raises: KeyError; InvalidTable where the file is wrong."""
        path = self._folder / f"{name}.csv" if self._folder else None
        if path is None or not path.is_file():
            return self._present[name]
        if name not in self._read:
            self._read[name] = load_table(path)
        return self._read[name]

    def __iter__(self) -> Iterator[str]:
        files = self._folder.glob("*.csv") if self._folder else ()
        return iter(sorted({*self._present, *(path.stem for path in files)}))

    def __len__(self) -> int:
        return len(list(iter(self)))

    @property
    def read(self) -> Mapping[str, ReferenceTable]:
        """The tables that were read from files so far."""
        return self._read


def own_tables(tree: Mapping[str, Any], known: Known) -> dict[str, dict[str, Any]]:
    """What a definition, not validated yet, needs of the tables that it names; of what is known.

    Raises: ValueError where a table can't be used.
    """
    columns: dict[str, set[str]] = {name: set() for name in _looked_up(tree)}
    for within in _each(tree, "milestones", "within"):
        if isinstance(within, dict) and isinstance(name := within.get("table"), str):
            columns.setdefault(name, set()).add(str(within.get("column")))
    found = {}
    for name, timed in sorted(columns.items()):
        if name == RATES:
            continue
        try:
            found[name] = _kept(known[name], timed)
        except KeyError:
            continue
        except InvalidTable as error:
            message = f"the reference table '{name}' can't be used: {error.problems[0]}"
            raise ValueError(message) from error
    return found


def table_findings(process: Process, known: Known) -> list[tuple[Path, str]]:
    """What is wrong with the tables that clocks name."""
    findings: list[tuple[Path, str]] = []
    for place, one in enumerate(process.milestones):
        within, path = one.within, ("milestones", place, "within")
        if within is None or within.table is None:
            continue
        table = process.tables.get(within.table)
        if table is None or within.table == RATES:
            others = set(known) - {RATES}
            findings.append(((*path, "table"), unknown(within.table, others, "reference table")))
        elif within.column not in table.columns:
            findings.append(((*path, "column"), unknown(within.column or "", table.columns, "column")))
        elif len(within.by) != table.keys:
            sentence = f"the key of '{within.table}' has {table.keys} column(s), `by` names {len(within.by)}"
            findings.append(((*path, "by"), sentence))
        else:
            findings += [((*path, "column"), one) for one in _time_findings(within, table)]
    return findings


def times_of(process: Process, within: Within) -> list[Duration | Deadline]:
    """Every time that may count for a milestone; none where an attribute says it."""
    if within.table is None:
        return [due for due, _ in within.rules]
    table = process.tables[within.table]
    return [parse_time(text) for text in table.times[within.column or ""]]


def _kept(table: ReferenceTable | Table, timed: set[str]) -> dict[str, Any]:
    if isinstance(table, Table):
        return table.model_dump()
    held: dict[str, set[str]] = {name: set() for name in sorted(timed) if name in table.columns}
    for entry in table.entries:
        for name, cells in held.items():
            if cell := entry.values.get(name, ""):
                cells.add(cell)
    return {
        "content": table.content_hash,
        "rows": len(table.entries),
        "keys": table.keys,
        "columns": table.columns,
        "times": {name: tuple(sorted(cells)[: MOST_TIMES + 1]) for name, cells in held.items()},
    }


def _time_findings(within: Within, table: Table) -> Iterator[str]:
    column = within.column or ""
    if column not in table.times:
        file = f"tables/{within.table}.csv"
        yield f"it was not read which times '{within.column}' holds; the file {file} is needed"
        return
    texts = table.times[column]
    if len(texts) > MOST_TIMES:
        yield f"'{within.column}' holds more than {MOST_TIMES} different times; is it the right column?"
        return
    for text in texts:
        try:
            due = parse_time(text)
        except ValueError as error:
            yield f"the table '{within.table}': {error}"
            continue
        if isinstance(due, Deadline) and within.paused:
            sentence = f"'{text}' is a deadline: no clock runs that `paused` could stop"
            yield f"the table '{within.table}': {sentence}"


def _looked_up(tree: Mapping[str, Any]) -> set[str]:
    texts = [tree.get("scope"), *_each(tree, "milestones", "where"), *_each(tree, "checks", "expect")]
    return {name for text in texts if isinstance(text, str) for name in _LOOKUP.findall(text)}


def _each(tree: Mapping[str, Any], field: str, inner: str) -> Iterator[Any]:
    parts = tree.get(field)
    for part in parts if isinstance(parts, (list, tuple)) else ():
        if isinstance(part, dict):
            yield part.get(inner)
