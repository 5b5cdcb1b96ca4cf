"""The engine process: loads the spool into the store, correlates, and serves pages and API.

Wired by hand, in this order: port, lock, store, control store, loader, correlating loop, pages. Everything is
released in the opposite order.
"""

from __future__ import annotations

import contextlib
import logging
import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import uvicorn

from throughline.collector.control import ControlStore
from throughline.collector.live_access import RELOAD_SECONDS, LiveAccess
from throughline.collector.loader import Loader
from throughline.collector.store import Store
from throughline.dashboards.alert_settings import AlertSettings
from throughline.dashboards.alerting import Alerting
from throughline.dashboards.app import create_app
from throughline.dashboards.clock import utc_now
from throughline.dashboards.correlating import Correlating, holder
from throughline.dashboards.counting import Counting
from throughline.dashboards.deps import Deps
from throughline.dashboards.engine_metrics import EngineMetrics
from throughline.dashboards.engine_settings import from_environment
from throughline.dashboards.exclusive import listening, locked
from throughline.dashboards.kept import KeptThread, running
from throughline.dashboards.live_definitions import LiveDefinitions
from throughline.dashboards.live_routing import LiveRouting
from throughline.dashboards.live_rules import LiveRules
from throughline.dashboards.live_tables import LiveTables
from throughline.dashboards.settings import DashboardSettings

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterator

    from throughline.dashboards.engine_settings import EngineSettings

ALERTS_SECONDS = 1.0
BEAT_SECONDS = 4.0
STOP_SECONDS = 7.0
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")

log = logging.getLogger(__name__)


def run_engine(settings: EngineSettings, *, on_ready: Callable[[], None]) -> None:
    """Run until SIGTERM or SIGINT.

    Raises:
        ThroughlineError: what keeps the engine from starting, in one sentence.
    """
    access = LiveAccess(settings.host, settings.config, os.environ)
    pages = from_environment(DashboardSettings)
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(listening(settings.host, settings.port, "--port"))
        stack.enter_context(locked(settings.data))
        store = Store.open(settings.store_url)
        stack.callback(store.close)
        store.migrate()
        control = ControlStore.open(settings.control_url)
        stack.callback(control.close)
        control.migrate()
        correlating = Correlating(
            store,
            control,
            LiveDefinitions(settings.config, control),
            holder=holder(settings),
            clock=utc_now,
        )
        tables = LiveTables(settings.config, store, pages.reporting_currency)
        alerts, rules, metrics = (
            from_environment(AlertSettings),
            LiveRules(settings.config, control),
            EngineMetrics(),
        )
        alerting = Alerting(
            store,
            control,
            rules,
            alerts,
            metrics,
            spool=settings.data / "spool",
            holder=holder(settings),
            clock=utc_now,
        )
        counting = Counting(store, metrics, alerts, utc_now)
        stack.enter_context(marked(control, holder(settings), correlating))
        stack.enter_context(
            working(settings, store, correlating, access, tables, alerting=alerting, counting=counting)
        )
        deps = Deps(
            store=store,
            access=lambda: access.current,
            spool=settings.data / "spool",
            processes=lambda: correlating.processes,
            settings=pages,
            clock=utc_now,
            control=control,
            rules=lambda: rules.current,
            metrics=metrics,
        )
        _Server(create_app(deps), on_ready).run([listener])


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


@contextlib.contextmanager
def working(
    settings: EngineSettings,
    store: Store,
    correlating: Correlating,
    access: LiveAccess,
    tables: LiveTables,
    *,
    alerting: Alerting,
    counting: Counting,
) -> Iterator[None]:
    """Run the loader, the correlating loop, alerts, the look at tokens and tables on threads of their own."""
    stop = threading.Event()
    loader = Loader(store, settings.data / "spool")
    routing = LiveRouting(settings.config, store, utc_now)
    correlating.reload()
    threads = [
        KeptThread("loader", lambda: loader.run(stop), every=0.1, stop=stop),
        KeptThread("correlator", correlating.turn, every=settings.correlate_every_seconds, stop=stop),
        KeptThread("jobs", correlating.work, every=0.25, stop=stop),
        KeptThread("leases", correlating.beat, every=BEAT_SECONDS, stop=stop),
        KeptThread("tokens", access.reload, every=RELOAD_SECONDS, stop=stop),
        KeptThread("routing", routing.reload, every=RELOAD_SECONDS, stop=stop),
        KeptThread("tables", lambda: tables.reload(utc_now()), every=RELOAD_SECONDS, stop=stop),
        KeptThread("alerts", alerting.turn, every=ALERTS_SECONDS, stop=stop),
        KeptThread("alert leases", alerting.beat, every=BEAT_SECONDS, stop=stop),
        KeptThread("metrics", counting.turn, every=counting.every, stop=stop),
    ]
    try:
        with running(threads, stop, seconds=STOP_SECONDS, late=_cut_off):
            yield
    finally:
        correlating.release()
        alerting.release()


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
