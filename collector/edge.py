"""The edge process: receives, spools, acknowledges. Knows nothing of what happens behind the spool."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import uvicorn
import uvloop
from filelock import FileLock, Timeout

from throughline.collector.app import EdgeApp
from throughline.collector.edge_metrics import EdgeMetrics
from throughline.collector.edge_protocol import EdgeProtocol, sweep
from throughline.collector.heavy import Heavy
from throughline.collector.intake import Intake
from throughline.collector.limits import Budget
from throughline.collector.live_access import RELOAD_SECONDS, LiveAccess
from throughline.collector.live_connections import LiveConnections
from throughline.collector.otlp_grpc import make_server
from throughline.collector.settings import EdgeSettings, load_settings
from throughline.collector.spool import SpoolWriter, recover
from throughline.probes.errors import ConfigurationError, ThroughlineError

log = logging.getLogger(__name__)

LOCK_FILE = "edge.lock"
KEEP_ALIVE_SECONDS = 75


def run(
    settings: EdgeSettings,
    *,
    fsync: Callable[[int], None] = os.fsync,
    on_ready: Callable[[], None] = lambda: None,
) -> None:
    """Serve until SIGTERM or SIGINT, then drain; `on_ready` is called once requests are taken.

    Raises: ConfigurationError, when it can't start.
    """
    access = LiveAccess(settings.host, settings.config, os.environ)
    connections = LiveConnections(settings.config, os.environ)
    settings.spool.mkdir(parents=True, exist_ok=True)
    try:
        with (
            FileLock(settings.data / LOCK_FILE, blocking=False),
            asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
        ):
            runner.run(_serve(settings, access, connections, fsync, on_ready))
    except Timeout as error:
        raise ConfigurationError(
            f"Another edge uses the data directory {settings.data}: stop it, or set THROUGHLINE_DATA to "
            "another one."
        ) from error


async def _serve(
    settings: EdgeSettings,
    access: LiveAccess,
    connections: LiveConnections,
    fsync: Callable[[int], None],
    on_ready: Callable[[], None],
) -> None:
    """Open in order, serve, close in reverse."""
    os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")  # processes for heavy requests never use gRPC
    # Tried first: gRPC itself only writes to its log that a port is taken.
    _listening_socket(settings.host, settings.otlp_grpc, "THROUGHLINE_OTLP_GRPC").close()
    with _listening_socket(settings.host, settings.otlp_http, "THROUGHLINE_OTLP_HTTP") as listener:
        metrics = EdgeMetrics()
        metrics.corrupt.set(_recover(settings.spool))
        writer = SpoolWriter(
            settings.spool,
            segment_bytes=settings.segment_bytes,
            segment_age_seconds=settings.segment_age_seconds,
            limit_bytes=settings.spool_limit_bytes,
            fsync=fsync,
        )
        heavy = Heavy(processes=settings.heavy_processes, memory_bytes=settings.heavy_memory_bytes)
        with ThreadPoolExecutor(2, "decompress") as executor, contextlib.closing(writer):
            budget = Budget(settings.in_flight_bytes)
            intake = Intake(settings, access.current, writer, budget, heavy, metrics, executor)
            try:
                await _listen(settings, intake, access, connections, listener, on_ready=on_ready)
            finally:
                await heavy.close()


async def _listen(
    settings: EdgeSettings,
    intake: Intake,
    access: LiveAccess,
    connections: LiveConnections,
    listener: socket.socket,
    *,
    on_ready: Callable[[], None],
) -> None:
    """Serve both ports until a signal, then stop taking and let requests finish."""
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    grpc_server = make_server(intake)
    grpc_port = _bind_grpc(grpc_server, settings)
    http_server = _http_server(settings, intake, connections)
    http_server.on_ready = on_ready
    await grpc_server.start()
    serving = asyncio.create_task(http_server.serve(sockets=[listener]))
    helpers = [
        asyncio.create_task(sweep(http_server.server_state.connections)),
        asyncio.create_task(_follow_files(access, connections, intake)),
    ]
    http_port = listener.getsockname()[1]
    log.info(
        "Intake listens on http://%s:%d (OTLP/HTTP, CloudEvents, webhooks) and %s:%d (OTLP/gRPC)",
        settings.host, http_port, settings.host, grpc_port,
    )  # fmt: skip
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait([stopping, serving], return_when=asyncio.FIRST_COMPLETED)
    intake.draining = True
    http_server.should_exit = True
    await asyncio.gather(grpc_server.stop(settings.drain_seconds), serving)
    for task in [*helpers, stopping]:
        task.cancel()
    log.info("Intake stopped; everything acknowledged is in the spool")


class _Server(uvicorn.Server):
    """uvicorn without its signal handlers: one signal stops both servers here."""

    on_ready: Callable[[], None]

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Tell when requests are answered."""
        await super().startup(sockets)
        self.on_ready()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _http_server(settings: EdgeSettings, intake: Intake, connections: LiveConnections) -> _Server:
    protocol = type("EdgeProtocol", (EdgeProtocol,), {"max_connections": settings.max_connections})
    config = uvicorn.Config(
        EdgeApp(intake, lambda: connections.current),
        http=protocol,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=int(settings.drain_seconds) or 1,
        log_level=logging.WARNING,
    )
    return _Server(config)


def _recover(spool: Path) -> int:
    """Seal what an earlier life left; return the bad stretches."""
    report = recover(spool)
    for bad in report.torn:
        log.info("Cut a torn tail of %d bytes from segment %s", bad.length, bad.segment)
    for bad in report.corrupt:
        log.error("Segment %s is damaged: %d bytes at %d", bad.segment, bad.length, bad.offset)
    return len(report.corrupt)


def _listening_socket(host: str, port: int, variable: str) -> socket.socket:
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host.strip("[]"), port))
        listener.listen(2048)
    except OSError as error:
        listener.close()
        raise _cannot_listen(host, port, variable, error) from error
    return listener


def _bind_grpc(server: object, settings: EdgeSettings) -> int:
    host = settings.host.strip("[]")
    address = f"[{host}]" if ":" in host else host
    try:
        return int(server.add_insecure_port(f"{address}:{settings.otlp_grpc}"))  # type: ignore[attr-defined]
    except RuntimeError as error:
        reason = OSError(errno.EADDRINUSE, "in use")
        raise _cannot_listen(settings.host, settings.otlp_grpc, "THROUGHLINE_OTLP_GRPC", reason) from error


def _cannot_listen(host: str, port: int, variable: str, error: OSError) -> ConfigurationError:
    if error.errno == errno.EADDRINUSE:
        return ConfigurationError(
            f"Port {port} on {host} is in use: stop the program that listens there or set {variable} "
            "to a free port."
        )
    return ConfigurationError(
        f"Can't listen on {host}:{port} ({error.strerror}): set THROUGHLINE_HOST to an address of this "
        f"machine or {variable} to a port you may use."
    )


async def _follow_files(access: LiveAccess, connections: LiveConnections, intake: Intake) -> None:
    """Keep to the tokens and connections that count now, until cancelled."""
    while True:
        await asyncio.sleep(RELOAD_SECONDS)
        access.reload()
        connections.reload()
        intake.access = access.current


def main() -> None:
    """Run the edge alone, configured by the environment."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    try:
        run(load_settings())
    except ThroughlineError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
