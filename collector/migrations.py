"""Numbered SQL migrations: ``sql/migrations/NNNN_what.sql``, append-only, applied in order of number.

ClickHouse has no transactional DDL. So every statement must be repeatable (``IF NOT EXISTS``,
``OR REPLACE``): a file is recorded in ``schema_migrations`` once all of it ran, and after a death in its
middle it runs again. Views hold nothing: ``sql/views/*.sql`` are changed in place and made anew, all of them,
when a table or one of them has changed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from hashlib import sha256
from importlib import resources
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from importlib.resources.abc import Traversable

PACKAGE = "throughline.collector"
VIEWS = (
    "journeys", "cycles", "exceptions", "events", "risks", "reference", "relations", "entitlements", "alerts",
    "replays", "outlooks",
)  # fmt: skip
"""The files of the views; a later one may read the views of earlier ones."""
_FILE = re.compile(r"(\d{4})_([a-z0-9_]+)\.sql")
# What a semicolon may hide in: comments, string literals, quoted identifiers. Of the rest much at once.
_TOKEN = re.compile(
    r"--[^\n]*"
    r"|/\*.*?\*/"
    r"|'(?:[^'\\]|\\.|'')*'"
    r'|"(?:[^"\\]|\\.|"")*"'
    r"|`(?:[^`\\]|\\.|``)*`"
    r"|[^-/'\"`;]+|.",
    re.DOTALL,
)

LEDGER = (
    "CREATE TABLE IF NOT EXISTS schema_migrations (Number UInt32, Name String,"
    " AppliedAt DateTime64(6, 'UTC') DEFAULT now64(6)) ENGINE = MergeTree ORDER BY Number"
    " SETTINGS fsync_after_insert = 1, fsync_part_directory = 1"
)


@dataclass(frozen=True)
class Migration:
    """One file: its number, its name and its statements in order."""

    number: int
    name: str
    statements: tuple[str, ...]


def shipped() -> tuple[Migration, ...]:
    """Return every migration of this version, lowest number first."""
    return load(resources.files(PACKAGE) / "sql" / "migrations")


def views() -> Migration:
    """Return all views of this version; the name tells their content, the number is 0."""
    folder = resources.files(PACKAGE) / "sql" / "views"
    text = "\n".join((folder / f"{name}.sql").read_text(encoding="utf-8") for name in VIEWS)
    return Migration(0, f"views_{sha256(text.encode()).hexdigest()[:12]}", tuple(split_statements(text)))


def load(directory: Traversable) -> tuple[Migration, ...]:
    """Read the migrations of one directory.

    Raises: ValueError on a bad name, a number used twice or an empty file.
    """
    found: dict[int, Migration] = {}
    for file in sorted(directory.iterdir(), key=lambda entry: entry.name):
        if not file.name.endswith(".sql"):
            continue
        match = _FILE.fullmatch(file.name)
        if match is None:
            message = f"{file.name}: a migration is named NNNN_what.sql"
            raise ValueError(message)
        number = int(match[1])
        if number in found:
            message = f"{file.name}: number {number} is taken by {found[number].name}"
            raise ValueError(message)
        statements = tuple(split_statements(file.read_text(encoding="utf-8")))
        if not statements:
            message = f"{file.name}: no statement in it"
            raise ValueError(message)
        found[number] = Migration(number, match[2], statements)
    return tuple(found[number] for number in sorted(found))


def split_statements(text: str) -> Iterator[str]:
    """Split at semicolons outside comments, literals and quoted identifiers; comments are left out."""
    parts: list[str] = []
    for match in _TOKEN.finditer(text):
        piece = match[0]
        if piece == ";":
            if statement := "".join(parts).strip():
                yield statement
            parts = []
        elif piece.startswith(("--", "/*")):
            parts.append(" ")
        else:
            parts.append(piece)
    if statement := "".join(parts).strip():
        yield statement
