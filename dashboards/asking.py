"""Jobs that need the engine: ask the running one, or be the engine while none runs."""

from __future__ import annotations

import contextlib
import threading
import time
from typing import TYPE_CHECKING

from throughline.collector.control import ControlStore
from throughline.collector.store import Store
from throughline.dashboards.clock import utc_now
from throughline.dashboards.correlating import Correlating, holder
from throughline.dashboards.exclusive import FolderInUse, locked
from throughline.dashboards.kept import KeptThread, running
from throughline.dashboards.live_definitions import LiveDefinitions
from throughline.dashboards.live_mappings import LiveMappings
from throughline.probes.errors import ConfigurationError, ThroughlineError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from throughline.collector.control import Job
    from throughline.dashboards.engine_settings import EngineSettings

POLL_SECONDS = 0.2
BEAT_SECONDS = 4.0


@contextlib.contextmanager
def engine_at_work(settings: EngineSettings) -> Iterator[ControlStore]:
    """The control store, whose jobs an engine does during the block: the one that runs, or this process.

    Raises:
        ConfigurationError: there is nothing stored.
    """
    if settings.store is None and not settings.data.joinpath("store").exists():
        raise ConfigurationError(f"{settings.data} holds no events yet: name the right folder with --data.")
    with contextlib.ExitStack() as stack:
        control = ControlStore.open(settings.control_url)
        stack.callback(control.close)
        control.migrate()
        try:
            stack.enter_context(locked(settings.data))
        except FolderInUse:
            pass  # its engine does the work
        else:
            stack.enter_context(_engine_of_our_own(settings, control))
        yield control


@contextlib.contextmanager
def _engine_of_our_own(settings: EngineSettings, control: ControlStore) -> Iterator[None]:
    """Do the control store's jobs in this process."""
    with contextlib.closing(Store.open(settings.store_url)) as store:
        store.migrate()
        definitions = LiveDefinitions(settings.config, control)
        mappings = LiveMappings(settings.config, store)
        correlating = Correlating(
            store, control, definitions, holder=holder(settings), clock=utc_now, mappings=mappings
        )
        correlating.reload()
        stop = threading.Event()
        threads = [
            KeptThread("jobs", correlating.work, every=POLL_SECONDS, stop=stop),
            KeptThread("leases", correlating.beat, every=BEAT_SECONDS, stop=stop),
        ]
        try:
            with running(threads, stop, seconds=BEAT_SECONDS):
                yield
        finally:
            correlating.release()


def results(control: ControlStore, asked: list[Job], report: Callable[[str], None]) -> list[str]:
    """Wait for jobs and return what came of each.

    Raises:
        ThroughlineError: what the first that failed says.
    """
    jobs = follow(control, asked, report)
    for job in jobs:
        if job.state != "done":
            raise ThroughlineError(job.message)
    return [job.result for job in jobs]


def follow(control: ControlStore, asked: list[Job], report: Callable[[str], None]) -> list[Job]:
    """Wait for jobs to end and return them; `report` hears of progress."""
    while True:
        jobs = [found for job in asked if (found := control.job(job.id)) is not None]
        if all(job.state in ("done", "failed") for job in jobs):
            return jobs
        ended = sum(job.state in ("done", "failed") for job in jobs)
        current = next((job for job in jobs if job.state == "running"), None)
        doing = f"{current.process} {current.message}" if current else "waiting for the engine"
        report(f"{ended} of {len(jobs)} done; {doing}")
        time.sleep(POLL_SECONDS)
