"""One question to the API of a running platform, for verbs of the command line."""

from __future__ import annotations

from typing import Any

import httpx

from throughline.dashboards.engine_settings import EngineSettings
from throughline.dashboards.journey_text import answer_of
from throughline.probes.errors import ThroughlineError

TIMEOUT_SECONDS = 120


def ask(
    method: str, path: str, token: str | None, parameters: dict[str, Any] | None = None, *, json: Any = None
) -> dict[str, Any]:
    """Return the answer. Raises: ThroughlineError, when nothing answers or the platform refuses."""
    settings = EngineSettings.load()
    api = f"http://{settings.host}:{settings.port}/api/v1"
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    try:
        response = httpx.request(
            method, api + path, params=parameters, json=json, headers=headers, timeout=TIMEOUT_SECONDS
        )
    except httpx.TransportError as error:
        raise ThroughlineError(
            f"Nothing answers at {api} ({error}): start throughline up, or name its --host and --port."
        ) from error
    return answer_of(response)
