"""A replay as text: asked of the API of a running platform."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx
from rich.table import Table

from throughline.dashboards.journey_text import answer_of, unreachable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rich.console import Console

MARKS = {"green": "ok", "amber": "look", "red": "NO"}


def ask(api: str, body: Mapping[str, Any], token: str | None) -> dict[str, Any]:
    """Ask for a replay. Raises: ThroughlineError, when the platform does not answer or refuses."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    with httpx.Client(base_url=api, headers=headers, timeout=60) as client:
        try:
            return answer_of(client.post("/replays", json=dict(body)))
        except httpx.TransportError as error:
            raise unreachable(api, error) from error


def render(answer: Mapping[str, Any], console: Console) -> None:
    """Print what was planned: its reach, who must approve it, and what speaks against single items."""
    money = ", ".join(f"{amount} {currency}" for currency, amount in answer["amounts"].items()) or "no money"
    stored = "dry run, nothing is stored" if answer["dry_run"] else answer["id"]
    console.print(f"[bold]{answer['kind']}[/bold] {stored}: [bold]{answer['state']}[/bold] {answer['note']}")
    console.print(f"  {len(answer['items'])} exceptions, {answer['journeys']} journeys, {money}")
    if answer["need"] != "none":
        console.print(f"  approval: {answer['need'].replace('_', ' ')} until {answer['expires_at']}")
    table = Table("exception", "state", "check", "", "", box=None, padding=(0, 2))
    for item in answer["items"]:
        for number, check in enumerate(item["preflight"]):
            first = (item["exception"], item["state"]) if number == 0 else ("", "")
            table.add_row(*first, check["check"], MARKS[check["result"]], check["reason"])
    console.print(table)
    if answer["diff"]:
        console.print(answer["diff"], highlight=False, markup=False)
