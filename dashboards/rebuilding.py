"""`throughline rebuild`: have the engine rebuild processes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from throughline.dashboards.asking import engine_at_work, follow
from throughline.dashboards.clock import utc_now
from throughline.dashboards.correlating import REBUILD
from throughline.probes.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable

    from throughline.collector.control import Job
    from throughline.dashboards.engine_settings import EngineSettings


def rebuild(
    settings: EngineSettings, tenant: str, process: str | None, *, report: Callable[[str], None]
) -> list[Job]:
    """Rebuild one process or every process of a tenant and return the ended jobs; `report` hears of progress.

    Raises:
        ConfigurationError: there is nothing to rebuild, or no process of that name.
    """
    with engine_at_work(settings) as control:
        known = sorted(control.definitions())
        if process is not None and process not in known:
            raise ConfigurationError(f"No process is called {process}; there are {', '.join(known)}.")
        asked = [
            control.enqueue_job(REBUILD, tenant, name, utc_now()) for name in known if process in (None, name)
        ]
        return follow(control, asked, report)
