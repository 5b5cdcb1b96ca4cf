"""Migrated, empty stores for tests, without migrating each: a directory is copied, a database is emptied."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from functools import cached_property
from itertools import count
from pathlib import Path
from typing import Any

from throughline.collector.store import Role, Store

LEDGER = "SELECT Number, Name FROM schema_migrations ORDER BY Number"
SCHEMA = (
    "SELECT name, replaceAll(create_table_query, concat(database, '.'), '') FROM system.tables"
    " WHERE database = currentDatabase() AND NOT startsWith(name, '.') ORDER BY name"
)
TOUCHED = (
    "SELECT name FROM system.tables WHERE database = currentDatabase() AND name != 'schema_migrations'"
    " AND (engine = 'Memory' OR name IN (SELECT table FROM system.parts WHERE database = currentDatabase()))"
)
"""Tables with parts, also with ones that are no longer active: insert tokens are forgotten with them."""
Rows = Sequence[Sequence[Any]]


def rows(store: Store, sql: str) -> Rows:
    """Return the rows of a query."""
    answer: Rows = store.query(sql, role=Role.PAGES).result_rows
    return answer


class Stores:
    """Gives stores of either engine; template and databases are made when first needed."""

    def __init__(self, folder: Path, port: Callable[[], int]) -> None:
        """`folder` is for the template, `port` tells where a ClickHouse answers over HTTP."""
        self._folder = folder
        self._port = port
        self._idle: list[str] = []
        self._numbers = count(1)
        self._migrated: tuple[Rows, Rows] | None = None

    @contextmanager
    def url(self, engine: str, folder: Path) -> Iterator[str]:
        """Yield where a migrated, empty store is; until the end of the block it is nobody else's."""
        if engine == "embedded":
            yield str(self.directory(folder / "store"))
        else:
            yield from self._database()

    @contextmanager
    def store(self, engine: str, folder: Path) -> Iterator[Store]:
        """Yield an open store, closed at the end of the block."""
        with self.url(engine, folder) as url, closing(Store.open(url)) as store:
            yield store

    def directory(self, place: Path) -> Path:
        """Make an embedded store at `place`. Its links are relative, and must stay links."""
        shutil.copytree(self._template, place, symlinks=True)
        return place

    @cached_property
    def _template(self) -> Path:
        template = self._folder / "template"
        with closing(Store.open(template)) as store:
            store.migrate()
        assert not any(link.readlink().is_absolute() for link in template.rglob("*") if link.is_symlink())
        return template

    def _database(self) -> Iterator[str]:
        """Lend a database. It comes back only if emptying it leaves exactly what a migration makes."""
        if self._idle:
            url = self._idle.pop()
        else:
            url = f"http://default:@127.0.0.1:{self._port()}/test_{next(self._numbers)}"
            with closing(Store.open(url)) as store:
                store.migrate()
                self._migrated = self._migrated or (rows(store, SCHEMA), rows(store, LEDGER))
        yield url
        with closing(Store.open(url)) as store:
            if (rows(store, SCHEMA), rows(store, LEDGER)) == self._migrated:
                for (name,) in rows(store, TOUCHED):
                    store.command(f"TRUNCATE TABLE `{name}`", role=Role.LOADER)
                self._idle.append(url)
