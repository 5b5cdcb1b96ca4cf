"""A replay as text: what one would do, or does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rich.console import Console

MARKS = {"green": "ok", "amber": "look", "red": "NO"}


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
