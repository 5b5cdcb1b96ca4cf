"""`throughline mapping` and `throughline suggest-keys`: from the command line to an answer."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import httpx

from throughline.correlator.mapping_files import load_mapping
from throughline.correlator.mapping_store import quarantine
from throughline.dashboards.asking import engine_at_work, results
from throughline.dashboards.clock import utc_now
from throughline.dashboards.mapping_jobs import Asked
from throughline.dashboards.questions import moment
from throughline.probes.errors import ThroughlineError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from throughline.dashboards.engine_settings import EngineSettings


def run(
    settings: EngineSettings,
    tenant: str,
    kind: str,
    file: Path | None,
    *,
    since: str,
    report: Callable[[str], None],
) -> dict[str, Any]:
    """Have the engine do a job about mappings; `file` holds the mapping.

    Raises:
        ThroughlineError: in one sentence, or one for each line of a file that is wrong.
    """
    mapping = load_mapping(file) if file else None
    with engine_at_work(settings) as control:
        now = utc_now()
        asked = Asked(since=moment(since, now), mapping=mapping)
        subject = mapping.mapping if mapping else ""
        job = control.enqueue_job(kind, tenant, subject, now, payload=asked.text())
        (result,) = results(control, [job], report)
    answer: dict[str, Any] = json.loads(result)
    return answer


def quarantined(api: str, token: str | None) -> list[str]:
    """Ask a running platform for the mapping rules that are quarantined; a sentence for each.

    Raises:
        ThroughlineError: it does not answer, or refuses.
    """
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    try:
        response = httpx.get(f"{api}/mappings", headers=headers, timeout=30)
    except httpx.TransportError as error:
        raise ThroughlineError(f"Nothing answers at {api} ({error}): name its --host and --port.") from error
    if response.status_code in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN):
        raise ThroughlineError("The platform wants a token to say how mappings do: set THROUGHLINE_TOKEN.")
    if not response.is_success:
        raise ThroughlineError(f"The platform answers {response.status_code} when asked about mappings.")
    return [
        quarantine(one["rule"], "of this token" if token else "default", one["error"])
        for one in response.json()["items"]
        if one["state"] == "quarantined"
    ]
