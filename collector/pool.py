"""Bounded pools of engine clients: one client per use, never shared while busy.

A query on a busy chDB handle waits for the query before it (48 s behind a long one, measured), so every use
takes a client of its own and a role never holds more than its bound.
"""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from clickhouse_connect.driver.client import Client


class PoolTimeoutError(Exception):
    """Every client of this role is busy; the message says for how long we waited."""


class PoolClosedError(Exception):
    """The pool is closed: the process is stopping."""


class ClientPool:
    """At most ``size`` clients, opened when first needed and reused last in, first out.

    ``wait_seconds`` bounds the wait for a free client. A client whose use ended with an error that ``broken``
    recognises (a lost connection) is closed and replaced by a new one at the next use.
    """

    def __init__(
        self,
        connect: Callable[[], Client],
        *,
        size: int,
        wait_seconds: float,
        broken: Callable[[BaseException], bool],
    ) -> None:
        self._connect = connect
        self._wait_seconds = wait_seconds
        self._broken = broken
        self._places = threading.BoundedSemaphore(size)
        self._lock = threading.Lock()
        self._idle: list[Client] = []
        self._closed = False

    @contextmanager
    def client(self) -> Iterator[Client]:
        """Lend one client. Raises: PoolTimeoutError, PoolClosedError, or whatever opening one raises."""
        if not self._places.acquire(timeout=self._wait_seconds):
            message = f"no free client within {self._wait_seconds:g} s"
            raise PoolTimeoutError(message)
        try:
            client = self._take()
            try:
                yield client
            except BaseException as error:
                if self._broken(error):
                    client.close()
                else:
                    self._give_back(client)
                raise
            self._give_back(client)
        finally:
            self._places.release()

    def close(self) -> None:
        """Close idle clients; a client in use is closed when its use ends."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for client in idle:
            client.close()

    def _take(self) -> Client:
        with self._lock:
            if self._closed:
                message = "the store is closed"
                raise PoolClosedError(message)
            if self._idle:
                return self._idle.pop()
        return self._connect()

    def _give_back(self, client: Client) -> None:
        with self._lock:
            if not self._closed:
                self._idle.append(client)
                return
        client.close()
