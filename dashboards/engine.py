"""The engine process: loads the spool into the store, correlates, and serves pages and API.

Wired by hand, in this order: port, lock, control store, store, loader, correlating loop, pages. Everything is
released in the opposite order. Each part is imported when its turn comes: what keeps the engine from
starting is said at once.
"""

from __future__ import annotations

import contextlib
import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING

import uvicorn

from throughline.collector.live_access import LiveAccess
from throughline.collector.live_connections import LiveConnections
from throughline.dashboards import importing
from throughline.dashboards.clock import utc_now
from throughline.dashboards.exclusive import listening, locked
from throughline.dashboards.kept import running

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterator

    from throughline.collector.control import ControlStore
    from throughline.dashboards.correlating import Correlating
    from throughline.dashboards.engine_settings import EngineSettings

STOP_SECONDS = 7.0
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")

log = logging.getLogger(__name__)


def run_engine(settings: EngineSettings, *, on_ready: Callable[[], None]) -> None:
    """Run until SIGTERM or SIGINT.

    Raises:
        ThroughlineError: what keeps the engine from starting, in one sentence.
    """
    access = LiveAccess(settings.host, settings.config, os.environ)
    connections = LiveConnections(settings.config, os.environ, lenient=True)
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(listening(settings.host, settings.port, "--port"))
        stack.enter_context(locked(settings.data))
        with importing.much():
            from throughline.collector.control import ControlStore
            from throughline.collector.store import Store
        control = ControlStore.open(settings.control_url)
        stack.callback(control.close)
        control.migrate()
        store = Store.open(settings.store_url)
        stack.callback(store.close)
        store.migrate()
        with importing.much():
            from throughline.dashboards.app import create_app
            from throughline.dashboards.correlating import holder
            from throughline.dashboards.wiring import Wired
        wired = Wired(settings, store, control, access, connections)
        stack.enter_context(marked(control, holder(settings), wired.correlating))
        stack.callback(wired.release)
        loops = wired.loops()
        stack.enter_context(running(loops, wired.stop, seconds=STOP_SECONDS, late=_cut_off))
        _Server(create_app(wired.deps), on_ready).run([listener])


@contextlib.contextmanager
def marked(control: ControlStore, name: str, correlating: Correlating) -> Iterator[None]:
    """Note that this engine runs, and in the end that it stopped in order.

    If the one before did not, and the machine has started since, derived rows may be missing: they are not
    fsynced, but can be built again.
    """
    boot = BOOT_ID.read_text().strip() if BOOT_ID.exists() else ""
    before = control.mark_engine(name, boot, utc_now(), clean=False)
    if before is not None and not before.clean and before.boot_id != boot:
        count = correlating.rebuild_everything()
        log.warning("the machine stopped without warning: %d rebuilds are scheduled", count)
    yield
    control.mark_engine(name, boot, utc_now(), clean=True)


def _cut_off(names: list[str]) -> None:
    """End at once. Nothing is lost: what is half done is done again from the spool and the stored events."""
    log.warning("%s still works after %.0f s and is cut off", " and ".join(names), STOP_SECONDS)
    logging.shutdown()
    os._exit(0)


class _Server(uvicorn.Server):
    """Says when it serves."""

    def __init__(self, app: Callable[..., object], on_ready: Callable[[], None]) -> None:
        super().__init__(
            uvicorn.Config(app, log_level="warning", access_log=False, timeout_graceful_shutdown=2)
        )
        self._on_ready = on_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, then say so."""
        await super().startup(sockets)
        if self.started:
            self._on_ready()
