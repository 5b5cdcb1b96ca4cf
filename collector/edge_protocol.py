"""HTTP connections that can't be held open for nothing: slow, endless and too many ones are closed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEADER_BYTES = 64 * 1024
HEADER_SECONDS = 15.0
LEFTOVER_SECONDS = 15.0  # for the rest of a body whose request was answered already
SWEEP_SECONDS = 3.0


class EdgeProtocol(HttpToolsProtocol):
    """uvicorn's protocol, which by itself waits for headers forever and takes any number of them."""

    max_connections = 2_000
    waiting_since: float | None  # monotonic: when the request that is being received began
    header_bytes: int
    headers_done: bool

    def connection_made(self, transport: Any) -> None:
        """Take the connection unless there are too many."""
        super().connection_made(transport)
        self.waiting_since = time.monotonic()
        self.header_bytes = 0
        self.headers_done = False
        if len(self.connections) > self.max_connections:
            transport.close()

    def data_received(self, data: bytes) -> None:
        """Feed the parser; count what arrives before the headers are complete."""
        if self.waiting_since is None:
            self.waiting_since = time.monotonic()
        self.header_bytes += len(data)
        super().data_received(data)
        if not self.headers_done and self.header_bytes > HEADER_BYTES and not self.transport.is_closing():
            self.transport.write(b"HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\n\r\n")
            self.transport.close()

    def on_headers_complete(self) -> None:
        """The body follows."""
        self.headers_done = True
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """The next request may take its time."""
        super().on_message_complete()
        self.waiting_since = None
        self.header_bytes = 0
        self.headers_done = False

    def overdue(self, now: float) -> bool:
        """Whether this connection only holds resources."""
        if self.waiting_since is None:
            return False
        waited = now - self.waiting_since
        if not self.headers_done:
            return waited > HEADER_SECONDS
        return bool(self.cycle.response_complete and waited > LEFTOVER_SECONDS)


async def sweep(connections: Iterable[Any]) -> None:
    """Close overdue connections, until cancelled."""
    while True:
        await asyncio.sleep(SWEEP_SECONDS)
        now = time.monotonic()
        for connection in list(connections):
            if isinstance(connection, EdgeProtocol) and connection.overdue(now):
                connection.transport.close()
