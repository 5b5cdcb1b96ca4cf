"""The two engines behind the store: chDB in a directory, ClickHouse behind a URL; and what errors mean."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

import clickhouse_connect
from clickhouse_connect.driver.exceptions import ClickHouseError, OperationalError, ProgrammingError
from clickhouse_connect.driver.httputil import get_pool_manager
from filelock import FileLock, Timeout

from throughline.probes.errors import StoreError

if TYPE_CHECKING:
    from pathlib import Path

    from clickhouse_connect.driver.client import Client

DEFAULT_PORTS = {"http": 8123, "https": 8443}
UNKNOWN_DATABASE = 81
# Codes after which the same statement may succeed later: limits, disks, replicas, networks, rights.
RETRYABLE = frozenset({
    3, 74, 75, 76, 96, 159, 164, 198, 202, 203, 209, 210, 225, 236, 241, 242, 243, 252, 254, 279, 285, 286,
    290, 305, 319, 364, 394, 415, 425, 439, 497, 499, 594, 659, 667, 668, 692, 999, 1000, 1001, 1002,
})  # fmt: skip
_CONNECT_SECONDS = 5
_ANSWER_SECONDS = 1000


class Embedded:
    """chDB over one directory, held by one process at a time (``<directory>.lock``)."""

    def __init__(self, directory: Path, *, memory_bytes: int) -> None:
        self._directory = directory.absolute()
        self._memory_bytes = memory_bytes
        self._lock = FileLock(f"{self._directory}.lock")

    def open(self) -> None:
        """Take the directory. Raises: StoreError when another process holds it or it cannot be written."""
        try:
            self._directory.mkdir(parents=True, exist_ok=True)
            self._lock.acquire(timeout=0)
        except Timeout as error:
            message = (
                f"the data directory {self._directory} is in use by another process: stop that one or choose "
                "another directory with --data"
            )
            raise StoreError(message, permanent=True) from error
        except OSError as error:
            reason = error.strerror
            message = f"cannot use the data directory {self._directory}: {reason}; choose another with --data"
            raise StoreError(message, permanent=True) from error

    def connect(self, settings: dict[str, Any]) -> Client:
        """Open one more handle. Raises: StoreError when this process holds another directory open."""
        options = {
            "max_server_memory_usage": self._memory_bytes,
            "mark_cache_size": self._memory_bytes // 16,
            "uncompressed_cache_size": 0,
            "mmap_cache_size": 0,
        }
        try:
            return clickhouse_connect.get_client(
                interface="chdb",
                path=str(self._directory),
                settings=settings,
                chdb_options=options,
                tz_mode="aware",
            )
        except ProgrammingError as error:
            message = f"cannot open the data directory {self._directory}: {_plain(error)}"
            raise StoreError(message, permanent=True) from error

    def close(self) -> None:
        """Let the directory go."""
        self._lock.release()


class Server:
    """A ClickHouse server behind ``http(s)://user:password@host:port/database``."""

    def __init__(self, url: str) -> None:
        try:
            parts = urlsplit(url)
            port = parts.port or DEFAULT_PORTS[parts.scheme]
        except ValueError as error:
            message = "the store URL is not valid: use http(s)://user:password@host:port/database"
            raise StoreError(message, permanent=True) from error
        if not parts.hostname:
            message = "the store URL names no host: use http(s)://user:password@host:port/database"
            raise StoreError(message, permanent=True)
        self._database = unquote(parts.path.strip("/")) or "default"
        self._address = f"{parts.hostname}:{port}"
        self._pool = get_pool_manager(maxsize=32)
        self._arguments: dict[str, Any] = {
            "interface": parts.scheme,
            "host": parts.hostname,
            "port": port,
            "username": unquote(parts.username or "default"),
            "password": unquote(parts.password or ""),
            "connect_timeout": _CONNECT_SECONDS,
            "send_receive_timeout": _ANSWER_SECONDS,
            "autogenerate_session_id": False,
            "form_encode_query_params": True,
            "compress": False,
            "tz_mode": "aware",
            "pool_mgr": self._pool,
        }

    def open(self) -> None:
        """Reach the server and create the database if it is missing. Raises: StoreError."""
        try:
            self.connect({}).close()
        except ClickHouseError as error:
            if error_code(error) != UNKNOWN_DATABASE:
                raise self._unusable(error) from error
            self._create_database()

    def connect(self, settings: dict[str, Any]) -> Client:
        """Open one more client. Raises: ClickHouseError."""
        return clickhouse_connect.get_client(**self._arguments, database=self._database, settings=settings)

    def close(self) -> None:
        """Close idle connections."""
        self._pool.clear()

    def _create_database(self) -> None:
        try:
            client = clickhouse_connect.get_client(**self._arguments, database="default")
            try:
                name = self._database.replace("`", "``")
                client.command(f"CREATE DATABASE IF NOT EXISTS `{name}`")
            finally:
                client.close()
        except ClickHouseError as error:
            raise self._unusable(error) from error

    def _unusable(self, error: ClickHouseError) -> StoreError:
        code = error_code(error)
        plain = _plain(error)
        if code is None:
            message = f"cannot reach ClickHouse at {self._address}: start it or correct --store ({plain})"
            return StoreError(message, permanent=False)
        message = f"ClickHouse at {self._address} refuses us: correct --store or the user's rights ({plain})"
        return StoreError(message, permanent=code not in RETRYABLE, code=code)


def error_code(error: ClickHouseError) -> int | None:
    """Return the engine's own code, or None when the engine was not reached or did not say."""
    code = getattr(error, "code", None)
    if code is not None:
        return int(code)
    match = re.search(r"\bCode: (\d+)\.", str(error))
    return int(match[1]) if match else None


def is_broken(error: BaseException) -> bool:
    """Whether the client that raised this must be thrown away: the connection is in an unknown state."""
    return not isinstance(error, ClickHouseError) or error_code(error) is None


def store_error(error: ClickHouseError) -> StoreError:
    """Turn an engine's or network's error into ours. Network errors are never permanent."""
    code = error_code(error)
    permanent = not isinstance(error, OperationalError) if code is None else code not in RETRYABLE
    return StoreError(_plain(error), permanent=permanent, code=code)


def _plain(error: ClickHouseError) -> str:
    """Return the message on one line, without what the transport and the version add."""
    text = re.sub(r"\(version [^)]*\)|\(for url [^)]*\)|\(in file/uri [^)]*\)", "", str(error))
    text = re.sub(r"\s+", " ", text.rpartition("server response:")[2]).strip()
    return re.sub(r"^(Code: \d+\. DB::Exception: )+", r"\1", text)[:1000]
