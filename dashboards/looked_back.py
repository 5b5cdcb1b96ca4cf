"""`throughline as-of` and `throughline close`: from what is written on the command line to an answer."""

from __future__ import annotations

import getpass
import json
from typing import TYPE_CHECKING, Any

from throughline.dashboards.asking import engine_at_work, follow, results
from throughline.dashboards.clock import utc_now
from throughline.dashboards.looking_back import Close, ask_as_of, ask_to_close
from throughline.probes.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable

    from throughline.collector.control import ControlStore, Job
    from throughline.dashboards.engine_settings import EngineSettings


def as_of(
    settings: EngineSettings, tenant: str, process: str | None, at: str, *, report: Callable[[str], None]
) -> list[dict[str, Any]]:
    """What was known at a time, of one process or of every one.

    Raises:
        ThroughlineError: in one sentence.
    """
    with engine_at_work(settings) as control:
        now = utc_now()
        asked = [ask_as_of(control, tenant, one, at, now) for one in _processes(control, process)]
        return [json.loads(one) for one in results(control, asked, report)]


def close(
    settings: EngineSettings,
    tenant: str,
    process: str | None,
    *,
    entity: str,
    period: str,
    reason: str,
    report: Callable[[str], None],
) -> list[Job]:
    """Close a period, of one process or of every one; returns the jobs, done or failed.

    Raises:
        ThroughlineError: in one sentence.
    """
    wanted = Close(entity=entity, period=period, by=getpass.getuser(), reason=reason)
    with engine_at_work(settings) as control:
        now = utc_now()
        asked = [ask_to_close(control, tenant, one, wanted, now) for one in _processes(control, process)]
        return follow(control, asked, report)


def _processes(control: ControlStore, process: str | None) -> list[str]:
    """The processes that are meant. Raises: ConfigurationError."""
    known = sorted(control.definitions())
    if process is None:
        return known
    if process not in known:
        raise ConfigurationError(f"No process is called {process}; there are {', '.join(known)}.")
    return [process]
