"""Questions to the API of a running platform, for verbs of the command line."""

from __future__ import annotations

from typing import Any

import httpx

from throughline.dashboards.engine_settings import EngineSettings
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
        raise unreachable(api, error) from error
    return answer_of(response)


def unreachable(api: str, error: httpx.TransportError) -> ThroughlineError:
    """What to say when no platform answers."""
    return ThroughlineError(
        f"Nothing answers at {api} ({error}): start throughline up, or name its --host and --port."
    )


def answer_of(response: httpx.Response) -> dict[str, Any]:
    """The answer of the API. Raises: ThroughlineError, with its own words, if it refuses."""
    if response.is_success:
        answer: dict[str, Any] = response.json()
        return answer
    try:
        problem = response.json()
        words = problem.get("detail") or problem.get("title")
    except ValueError:
        words = response.reason_phrase
    raise ThroughlineError(f"The platform answers {response.status_code}: {words}")
