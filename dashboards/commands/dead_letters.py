"""Verbs about dead letters: list, show, retry. They ask the API of a running platform."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from throughline.dashboards.commands.options import PAGES, AccessToken, takes

dead_letters = typer.Typer(
    help="What was acknowledged and could not be stored; webhooks are read again after a fix.",
    no_args_is_help=True,
)
Connection = Annotated[str, typer.Option(help="Only those of a connection.", show_default=False)]


@dead_letters.command("list")
@takes(*PAGES)
def listed(
    *,
    every: Annotated[bool, typer.Option("--all", help="Those that were read again too.")] = False,
    reason: Annotated[str, typer.Option(help="Only those of a reason.", show_default=False)] = "",
    connection: Connection = "",
    limit: Annotated[int, typer.Option(min=1, max=500, help="How many, newest first.")] = 50,
    token: AccessToken = None,
) -> None:
    """List dead letters that wait for a fix."""
    from rich.console import Console
    from rich.table import Column, Table

    from throughline.dashboards.api_client import ask

    wanted = {"reason": reason, "connection": connection, "limit": limit}
    page = ask("GET", "/dead-letters", token, wanted if every else {**wanted, "state": "open"})
    whole = Column("id", no_wrap=True, min_width=32)
    table = Table(whole, "received", "reason", "connection", "state", "detail", box=None)
    for one in page["items"]:
        table.add_row(
            one["id"], one["received_at"][:19], one["reason"], one["connection"], one["state"], one["detail"]
        )
    Console().print(table if table.row_count else "There is none.")
    if page["next"]:
        typer.echo(f"These are the newest {limit}; there are more.")


@dead_letters.command()
@takes(*PAGES)
def show(
    letter: Annotated[str, typer.Argument(help="Id of a letter.", show_default=False)],
    *,
    token: AccessToken = None,
) -> None:
    """Show a dead letter whole, and what came of reading it again."""
    from throughline.dashboards.api_client import ask

    typer.echo(json.dumps(ask("GET", f"/dead-letters/{letter}", token), indent=2, ensure_ascii=False))


@dead_letters.command()
@takes(*PAGES)
def retry(
    letters: Annotated[list[str] | None, typer.Argument(help="Ids of letters.", show_default=False)] = None,
    *,
    every: Annotated[bool, typer.Option("--all", help="All webhooks that wait.")] = False,
    connection: Connection = "",
    token: AccessToken = None,
) -> None:
    """Read webhooks again, with the code and the connections of now; repeats are harmless."""
    from throughline.dashboards.api_client import ask

    several = every or bool(connection and not letters)
    wanted = {"ids": letters or [], "all": several, "connection": connection}
    found = ask("POST", "/dead-letters/retry", token, json=wanted)["items"]
    for one in found:
        events = f"{one['events']} events" if one["outcome"] == "stored" else one["detail"]
        typer.echo(f"{one['id']}: {one['outcome']}, {events}")
    stored = sum(one["outcome"] == "stored" for one in found)
    typer.echo(f"{stored} of {len(found)} letters were read")
    if stored < len(found):
        raise typer.Exit(1)
