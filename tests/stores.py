"""Migrated, empty stores for tests, without migrating each: a directory is copied, a database is emptied.

To start an embedded engine costs more than most tests do with it. So a test process keeps one running, and
empties it between the tests that borrow it. An engine knows one directory: whoever opens another calls
`make_way` before, unless `directory` or `at` gave it.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from functools import cached_property
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

from throughline.collector.engines import Embedded
from throughline.collector.store import Role, Store, StoreLimits

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

LEDGER = "SELECT Number, Name FROM schema_migrations ORDER BY Number"
WORKING = "^(live|rebuild|rebuild_disk)_[0-9a-f]{8}_"
"""A correlator's working tables are named by their columns, and emptied by it before use: they may stay."""
SCHEMA = (
    "SELECT name, replaceAll(create_table_query, concat(database, '.'), '') FROM system.tables"
    f" WHERE database = currentDatabase() AND NOT startsWith(name, '.') AND NOT match(name, '{WORKING}')"
    " ORDER BY name"
)
TOUCHED = (
    "SELECT name FROM system.tables WHERE database = currentDatabase() AND name != 'schema_migrations'"
    " AND (engine IN ('Memory', 'Join') AND total_rows > 0"
    " OR name IN (SELECT table FROM system.parts WHERE database = currentDatabase()))"
)
"""Tables with parts, also with ones that are no longer active: insert tokens are forgotten with them."""
Rows = Sequence[Sequence[Any]]
Files = dict[str, tuple[int, int]]


def rows(store: Store, sql: str) -> Rows:
    """Return the rows of a query."""
    answer: Rows = store.query(sql, role=Role.LOADER).result_rows
    return answer


class Stores:
    """Gives stores; the template, the kept engine and databases are made when first needed."""

    def __init__(self, folder: Path, port: Callable[[], int]) -> None:
        """`folder` is for template and kept stores, `port` tells where a ClickHouse answers over HTTP."""
        self._folder = folder
        self._port = port
        self._numbers = count(1)
        self._databases: list[str] = []
        self._directories: list[tuple[Path, Files]] = []
        self._kept: tuple[Path, Client] | None = None
        self._migrated: tuple[Rows, Rows] | None = None

    @contextmanager
    def url(self, engine: str) -> Iterator[str]:
        """Yield where a migrated, empty store is; until the end of the block it is nobody else's.

        `embedded` is in the engine that this process keeps, `http` in one behind HTTP.
        """
        yield from self._directory() if engine == "embedded" else self._database()

    @contextmanager
    def store(self, engine: str) -> Iterator[Store]:
        """Yield an open store, closed at the end of the block."""
        with self.url(engine) as url, closing(Store.open(url)) as store:
            yield store

    @contextmanager
    def at(self, place: Path) -> Iterator[Store]:
        """Yield an open embedded store in a directory of its own, for who looks for it there."""
        with closing(Store.open(self.directory(place))) as store:
            yield store

    def directory(self, place: Path) -> Path:
        """Make an embedded store at `place`. Its links are relative, and must stay links."""
        shutil.copytree(self._template, place, symlinks=True)
        self.make_way()
        return place

    def make_way(self) -> None:
        """Stop the kept engine, so that this process may open a directory of its own."""
        if self._kept is not None:
            self._kept[1].close()
            self._kept = None

    @cached_property
    def _template(self) -> Path:
        template = self._folder / "template"
        self.make_way()
        with closing(Store.open(template)) as store:
            store.migrate()
            self._migrated = self._migrated or made(store)
        assert not any(link.readlink().is_absolute() for link in template.rglob("*") if link.is_symlink())
        return template

    def _directory(self) -> Iterator[str]:
        """Lend a directory whose engine stays; it comes back as a database does."""
        if self._directories:
            place, files = self._directories.pop()
        else:
            place = self.directory(self._folder / f"kept_{next(self._numbers)}")
            files = definitions(place)
        if self._kept is None or self._kept[0] != place:
            self.make_way()
            engine = Embedded(place, memory_bytes=StoreLimits().engine_memory_bytes)
            self._kept = place, engine.connect({})
        yield str(place)
        if self._emptied(str(place), known=definitions(place) == files):
            self._directories.append((place, definitions(place)))

    def _database(self) -> Iterator[str]:
        """Lend a database. It comes back only if emptying it leaves exactly what a migration makes."""
        if self._databases:
            url = self._databases.pop()
        else:
            url = f"http://default:@127.0.0.1:{self._port()}/test_{next(self._numbers)}"
            with closing(Store.open(url)) as store:
                store.migrate()
                self._migrated = self._migrated or made(store)
        yield url
        if self._emptied(url, known=False):
            self._databases.append(url)

    def _emptied(self, url: str, *, known: bool) -> bool:
        """Empty a store; whether it holds exactly what a migration makes. `known`: it has the same tables."""
        assert self._migrated is not None
        with closing(Store.open(url)) as store:
            if rows(store, LEDGER) != self._migrated[1]:
                return False
            if not known and rows(store, SCHEMA) != self._migrated[0]:
                return False
            for (name,) in rows(store, TOUCHED):
                store.command(f"TRUNCATE TABLE `{name}`", role=Role.LOADER)
        return True


def made(store: Store) -> tuple[Rows, Rows]:
    """What migrating has made."""
    return rows(store, SCHEMA), rows(store, LEDGER)


def definitions(place: Path) -> Files:
    """The files that define what is in a directory: to ask the engine for all takes a tenth of a second."""
    found = (place / "metadata" / "default").glob("*.sql")
    return {
        file.name: (file.stat().st_mtime_ns, file.stat().st_ino)
        for file in found
        if not re.match(WORKING, file.name)
    }
