"""Migrated, empty stores for tests, without migrating each: a directory is copied, a database is emptied.

To start an embedded engine costs more than most tests do with it. So a test process keeps one running, and
empties it between the tests that borrow it. An engine knows one directory: whoever opens another calls
`make_way` before, unless `directory` or `at` gave it.
"""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import cached_property
from itertools import count
from pathlib import Path
from typing import Any

from throughline.collector.store import Role, Store

LEDGER = "SELECT Number, Name FROM schema_migrations ORDER BY Number"
WORKING = "^(live|rebuild|rebuild_disk)_[0-9a-f]{8}_"
"""A correlator's working tables are named by their columns, and emptied by it before use: they may stay."""
SCHEMA = (
    "SELECT name, replaceAll(create_table_query, concat(database, '.'), '') FROM system.tables"
    f" WHERE database = currentDatabase() AND NOT startsWith(name, '.') AND NOT match(name, '{WORKING}')"
    " ORDER BY name"
)
TABLES = (
    "SELECT name, toString(uuid), toUnixTimestamp(metadata_modification_time) FROM system.tables"
    f" WHERE database = currentDatabase() AND NOT startsWith(name, '.') AND NOT match(name, '{WORKING}')"
    " ORDER BY name"
)
"""As long as this is the same, so are all definitions, which take a tenth of a second to read."""
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


@dataclass
class Kept:
    """A store that is lent again and again: where it is, and what tells whether its tables are the same."""

    url: str
    store: Store
    tables: object = None

    @contextmanager
    def lent(self) -> Iterator[Kept]:
        """Close the store if the block breaks off: nobody else could open an embedded one."""
        try:
            yield self
        except BaseException:
            self.store.close()
            raise


class Stores:
    """Gives stores; the template, the kept engine and databases are made when first needed."""

    def __init__(self, folder: Path, port: Callable[[], int]) -> None:
        """`folder` is for template and kept stores, `port` tells where a ClickHouse answers over HTTP."""
        self._folder = folder
        self._port = port
        self._numbers = count(1)
        self._databases: list[Kept] = []
        self._running: Kept | None = None
        self._directories: list[Path] = []
        self._migrated: tuple[Rows, Rows] | None = None

    @contextmanager
    def url(self, engine: str) -> Iterator[str]:
        """Yield where a migrated, empty store is, for who opens it; until the end it is nobody else's."""
        if engine == "embedded":
            yield str(self.directory(self._folder / f"own_{next(self._numbers)}"))
        else:
            with self._database() as kept:
                yield kept.url

    @contextmanager
    def store(self, engine: str) -> Iterator[Store]:
        """Yield a migrated, empty, open store; until the end of the block it is nobody else's.

        `embedded` is in the engine that this process keeps, `http` in one behind HTTP.
        """
        with self._embedded() if engine == "embedded" else self._database() as kept:
            yield kept.store

    @contextmanager
    def at(self, place: Path) -> Iterator[Store]:
        """Yield an open embedded store in a directory of its own, for who looks for it there."""
        with closing(Store.open(self.directory(place))) as store:
            yield store

    def directory(self, place: Path) -> Path:
        """Make an embedded store at `place`. Its links are relative, and must stay links."""
        self.make_way()
        shutil.copytree(self._template, place, symlinks=True)
        return place

    def make_way(self) -> None:
        """Stop the kept engine, so that this process may open a directory of its own."""
        if self._running is not None:
            self._running.store.close()
            self._directories.append(Path(self._running.url))
            self._running = None

    @cached_property
    def _template(self) -> Path:
        template = self._folder / "template"
        with closing(Store.open(template)) as store:
            store.migrate()
            self._migrated = self._migrated or made(store)
        assert not any(link.readlink().is_absolute() for link in template.rglob("*") if link.is_symlink())
        return template

    @contextmanager
    def _embedded(self) -> Iterator[Kept]:
        """Lend the store that runs; it comes back as a database does."""
        kept, self._running = self._running, None
        if kept is None:
            place = self._directories.pop() if self._directories else None
            place = place or self.directory(self._folder / f"kept_{next(self._numbers)}")
            kept = Kept(str(place), Store.open(place), definitions(place))
        with kept.lent():
            yield kept
        found = definitions(Path(kept.url))
        if self._emptied(kept, known=found == kept.tables):
            kept.tables = found
            self._running = kept

    @contextmanager
    def _database(self) -> Iterator[Kept]:
        """Lend a database. It comes back only if emptying it leaves exactly what a migration makes."""
        if self._databases:
            kept = self._databases.pop()
        else:
            url = f"http://default:@127.0.0.1:{self._port()}/test_{next(self._numbers)}"
            kept = Kept(url, Store.open(url))
            kept.store.migrate()
            self._migrated = self._migrated or made(kept.store)
        since = int(time.time())
        with kept.lent():
            yield kept
        self._reopen(kept)
        found = rows(kept.store, TABLES)
        earlier = all(changed < since for *_, changed in found)
        if self._emptied(kept, known=earlier and found == kept.tables):
            kept.tables = found
            self._databases.append(kept)

    def _emptied(self, kept: Kept, *, known: bool) -> bool:
        """Empty a store, or close it if it is not what a migration makes. `known`: it has the same tables."""
        assert self._migrated is not None
        self._reopen(kept)
        ledger = rows(kept.store, LEDGER)
        if ledger == self._migrated[1] and (known or rows(kept.store, SCHEMA) == self._migrated[0]):
            for (name,) in rows(kept.store, TOUCHED):
                kept.store.command(f"TRUNCATE TABLE `{name}`", role=Role.LOADER)
            return True
        kept.store.close()
        return False

    @staticmethod
    def _reopen(kept: Kept) -> None:
        """A test may have closed the store that it was given."""
        if kept.store._pools[Role.LOADER]._closed:
            kept.store = Store.open(kept.url)


def made(store: Store) -> tuple[Rows, Rows]:
    """What migrating has made."""
    return rows(store, SCHEMA), rows(store, LEDGER)


def definitions(place: Path) -> Files:
    """The files that define what is in a directory, in which tables have neither identity nor time."""
    found = (place / "metadata" / "default").glob("*.sql")
    return {
        file.name: (file.stat().st_mtime_ns, file.stat().st_ino)
        for file in found
        if not re.match(WORKING, file.name)
    }
