"""A journey as text: asked from the API of a running platform."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx
from rich.table import Table

from throughline.dashboards.api_client import answer_of, unreachable
from throughline.probes.errors import ThroughlineError

if TYPE_CHECKING:
    from rich.console import Console

SHOWN = 20


def fetch(api: str, wanted: str, token: str | None) -> list[dict[str, Any]]:
    """Return the journeys that an id, or a key as `namespace:value`, means: mostly one.

    Raises:
        ThroughlineError: the platform does not answer, refuses, or knows no such journey.
    """
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    with httpx.Client(base_url=api, headers=headers, timeout=30) as client:
        try:
            if ":" not in wanted:
                return _by_id(client, wanted)
            found = answer_of(client.get("/journeys", params={"key": wanted, "limit": SHOWN}))["items"]
            if not found:
                raise ThroughlineError(f"No journey has the key {wanted}; keys are namespace:value.")
            return [one for item in found for one in _by_id(client, item["id"])]
        except httpx.TransportError as error:
            raise unreachable(api, error) from error


def _by_id(client: httpx.Client, journey: str) -> list[dict[str, Any]]:
    response = client.get(f"/journeys/{journey}")
    if response.status_code == httpx.codes.MULTIPLE_CHOICES:
        return [one for into in response.json()["absorbed_into"] for one in _by_id(client, into)]
    return [answer_of(response)]


def render(journey: dict[str, Any], console: Console) -> None:
    """Print one journey."""
    money = " ".join(str(journey[part]) for part in ("amount", "currency") if journey.get(part))
    console.print(
        f"[bold]{journey['process']}[/bold] {journey['id']}: [bold]{journey['status']}[/bold] {money}"
    )
    console.print("  " + ", ".join(journey["keys"]), highlight=False)
    milestones = Table("milestone", "state", "met", "due", "count", box=None, padding=(0, 2))
    for name, milestone in journey["milestones"].items():
        cells = (milestone["state"], milestone["met_at"], milestone["due_at"], milestone["count"])
        milestones.add_row(name, *("" if cell is None else str(cell) for cell in cells))
    console.print(milestones)
    events = Table("time", "event", "system", "status", "keys", box=None, padding=(0, 2))
    for event in journey["events"]:
        where = event["platform"] or event["system"]
        events.add_row(event["time"], event["event"], where, event["status"], ", ".join(event["keys"]))
    console.print(events)
