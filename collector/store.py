"""The facts store: ClickHouse, embedded (a chDB directory) or a server, behind one small class.

Every use names its role; each role has its own bounded pool of clients and its own limits of time and memory.
Values reach SQL only through ``{name:Type}`` parameters.
"""

from __future__ import annotations

import re
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from functools import partial
from importlib import resources
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from clickhouse_connect.driver.exceptions import ClickHouseError

from throughline.collector import migrations
from throughline.collector.engines import Embedded, Server, is_broken, store_error
from throughline.collector.pool import ClientPool, PoolClosedError, PoolTimeoutError
from throughline.probes.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import pandas as pd
    from clickhouse_connect.driver.client import Client
    from clickhouse_connect.driver.query import QueryResult

OLDEST_VERSION = (26, 2)
GIBIBYTE = 1024**3
TABLE_ALREADY_EXISTS = 57


class Role(StrEnum):
    """Who asks. A role's queries wait for one another at most; they never wait for another role's."""

    LOADER = "loader"
    CORRELATOR = "correlator"
    PAGES = "pages"
    ADHOC = "adhoc"
    ALERTS = "alerts"


@dataclass(frozen=True)
class RoleLimits:
    """Clients at once, and per query: wall-clock seconds, bytes of memory, threads of the engine."""

    clients: int
    seconds: int
    memory_bytes: int
    threads: int


DEFAULT_LIMITS: Mapping[Role, RoleLimits] = MappingProxyType(
    {
        Role.LOADER: RoleLimits(clients=4, seconds=60, memory_bytes=2 * GIBIBYTE, threads=1),
        Role.CORRELATOR: RoleLimits(clients=4, seconds=900, memory_bytes=4 * GIBIBYTE, threads=2),
        Role.PAGES: RoleLimits(clients=4, seconds=30, memory_bytes=GIBIBYTE, threads=2),
        Role.ADHOC: RoleLimits(clients=2, seconds=30, memory_bytes=GIBIBYTE, threads=2),
        Role.ALERTS: RoleLimits(clients=2, seconds=30, memory_bytes=GIBIBYTE, threads=1),
    }
)


@dataclass(frozen=True)
class StoreLimits:
    """What the store may take: the embedded engine's memory in all, and the limits of each role."""

    engine_memory_bytes: int = 6 * GIBIBYTE
    wait_seconds: float = 60.0
    roles: Mapping[Role, RoleLimits] = field(default_factory=lambda: DEFAULT_LIMITS)


class Store:
    """Facts: query, insert, migrate. Safe to use from many threads at once."""

    def __init__(self, engine: Embedded | Server, limits: StoreLimits) -> None:
        self._engine = engine
        self._pools = {
            role: ClientPool(
                partial(engine.connect, role_settings(of)),
                size=of.clients,
                wait_seconds=limits.wait_seconds,
                broken=is_broken,
            )
            for role, of in limits.roles.items()
        }

    @classmethod
    def open(cls, url: str | Path, *, limits: StoreLimits | None = None) -> Store:
        """Open a chDB directory (a path) or a server (``http(s)://user:password@host:port/database``).

        Raises: StoreError, one sentence that says what to do, when another process holds the directory, the
        server cannot be reached or is older than 26.2.
        """
        limits = limits or StoreLimits()
        text = str(url)
        engine: Embedded | Server
        if text.startswith(("http://", "https://")):
            engine = Server(text)
        else:
            engine = Embedded(Path(text), memory_bytes=limits.engine_memory_bytes)
        store = cls(engine, limits)
        try:
            engine.open()
            store._refuse_old_engine()
        except BaseException:
            store.close()
            raise
        return store

    def query(
        self,
        sql: str,
        parameters: Mapping[str, Any] | None = None,
        *,
        role: Role,
        settings: Mapping[str, Any] | None = None,
    ) -> QueryResult:
        """Run one SELECT; ``.result_rows`` and ``.column_names`` hold the answer. Raises: StoreError."""
        with self._client(role) as client:
            return client.query(sql, parameters=_given(parameters), settings=_given(settings))

    def frame(
        self,
        sql: str,
        parameters: Mapping[str, Any] | None = None,
        *,
        role: Role,
        settings: Mapping[str, Any] | None = None,
    ) -> pd.DataFrame:
        """Run one SELECT into a DataFrame. Raises: StoreError."""
        with self._client(role) as client:
            return client.query_df(sql, parameters=_given(parameters), settings=_given(settings))

    def command(
        self,
        sql: str,
        parameters: Mapping[str, Any] | None = None,
        *,
        role: Role,
        settings: Mapping[str, Any] | None = None,
    ) -> None:
        """Run one statement that returns no rows (DDL, INSERT ... SELECT). Raises: StoreError."""
        with self._client(role) as client:
            client.command(sql, parameters=_given(parameters), settings=_given(settings))

    def insert_bytes(
        self,
        table: str,
        columns: Sequence[str] | None,
        body: bytes,
        *,
        fmt: str,
        settings: Mapping[str, Any] | None = None,
        role: Role,
    ) -> None:
        """Insert a body that is already in format ``fmt``. Raises: StoreError."""
        with self._client(role) as client:
            client.raw_insert(table, columns, body, settings=_given(settings), fmt=fmt)

    def insert_rows(
        self, table: str, rows: Sequence[Sequence[Any]], columns: Sequence[str], *, role: Role
    ) -> None:
        """Insert a few Python rows (never on a hot path). Raises: StoreError."""
        if not rows:
            return
        with self._client(role) as client:
            client.insert(table, rows, column_names=columns)

    def migrate(self) -> int:
        """Bring the schema up to this version and return the number of migrations that ran.

        Raises: StoreError when the store was written by a newer version or a statement fails.
        """
        self.command(migrations.LEDGER, role=Role.LOADER)
        rows = self.query("SELECT Number FROM schema_migrations", role=Role.LOADER).result_rows
        done = {int(row[0]) for row in rows}
        known = migrations.shipped()
        newest = max(done, default=0)
        if newest > known[-1].number:
            message = (
                f"the store has schema {newest:04d}, this version knows {known[-1].number:04d}: "
                "install the newer version of Throughline that wrote it"
            )
            raise StoreError(message, permanent=True)
        missing = [migration for migration in known if migration.number not in done]
        for migration in missing:
            self._apply(migration)
        views = migrations.views()
        sql = "SELECT Name FROM schema_migrations WHERE Number = 0 ORDER BY AppliedAt DESC LIMIT 1"
        if missing or self.query(sql, role=Role.LOADER).result_rows != [(views.name,)]:
            self._apply(views)
        return len(missing)

    def close(self) -> None:
        """Close every client; the embedded engine's directory is free afterwards."""
        for pool in self._pools.values():
            pool.close()
        self._engine.close()

    def _apply(self, migration: migrations.Migration) -> None:
        for position, statement in enumerate(migration.statements, start=1):
            try:
                self.command(statement, role=Role.LOADER)
            except StoreError as error:
                if error.code == TABLE_ALREADY_EXISTS:  # this statement ran before a death
                    continue
                message = f"migration {migration.number:04d}_{migration.name}, statement {position}: {error}"
                raise StoreError(message, permanent=error.permanent, code=error.code) from error
        row = (migration.number, migration.name)
        self.insert_rows("schema_migrations", [row], ["Number", "Name"], role=Role.LOADER)

    def _refuse_old_engine(self) -> None:
        text = str(self.query("SELECT version()", role=Role.LOADER).result_rows[0][0])
        numbers = re.match(r"(\d+)\.(\d+)", text)
        if numbers is None or (int(numbers[1]), int(numbers[2])) < OLDEST_VERSION:
            oldest = ".".join(map(str, OLDEST_VERSION))
            message = f"ClickHouse {text} is too old: upgrade the server to {oldest} or later"
            raise StoreError(message, permanent=True)

    @contextmanager
    def _client(self, role: Role) -> Iterator[Client]:
        try:
            with self._pools[role].client() as client:
                yield client
        except ClickHouseError as error:
            raise store_error(error) from error
        except PoolTimeoutError as error:
            message = f"the store is busy: {error} for role {role.value}; retry later"
            raise StoreError(message, permanent=False) from error
        except PoolClosedError as error:
            raise StoreError(str(error), permanent=True) from error


def role_settings(of: RoleLimits) -> dict[str, Any]:
    """Return the settings every query of a role runs with."""
    return {
        "max_execution_time": of.seconds,
        "max_memory_usage": of.memory_bytes,
        "max_threads": of.threads,
        "session_timezone": "UTC",
        # The server's own default since 26.x: it acknowledges and deduplicates differently.
        "async_insert": 0,
        # Merging replaced rows is for merges: at each insert it takes four times as long as writing them.
        "optimize_on_insert": 0,
        # Compiling to machine code gains nothing on large blocks and takes a tenth of small statements' time.
        "compile_expressions": 0,
        "compile_aggregate_expressions": 0,
        "compile_sort_description": 0,
        # Looking for chains of comparisons takes a third of the planning of large statements; there are none.
        "optimize_and_compare_chain": 0,
    }


def load_queries(package: str, name: str) -> dict[str, str]:
    """Read ``<package>/sql/<name>.sql``: blocks headed by ``-- name --``, each one statement.

    Raises: ValueError when a block has no name, no text or the name of another.
    """
    text = (resources.files(package) / "sql" / f"{name}.sql").read_text(encoding="utf-8")
    parts = re.split(r"^-- ([a-z][a-z0-9_]*) --[ \t]*$", text, flags=re.MULTILINE)
    if any(line and not line.startswith("--") for line in parts[0].splitlines()):
        message = f"{name}.sql: text before the first `-- name --`"
        raise ValueError(message)
    queries: dict[str, str] = {}
    for block, body in zip(parts[1::2], parts[2::2], strict=True):
        if block in queries or not body.strip():
            message = f"{name}.sql: block {block} is empty or used twice"
            raise ValueError(message)
        queries[block] = body.strip().removesuffix(";")
    return queries


def _given(values: Mapping[str, Any] | None) -> dict[str, Any] | None:
    return dict(values) if values else None
