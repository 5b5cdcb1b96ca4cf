"""Verbs that look back: as-of, close."""

from __future__ import annotations

import json
from typing import Annotated

import typer
from rich.console import Console

from throughline.dashboards.commands.options import STORES, Tenant, takes
from throughline.dashboards.commands.what_if import WIDTH, AsJson

Process = Annotated[
    str | None, typer.Option(help="Id of a process; without it: every process.", show_default=False)
]


@takes(*STORES)
def as_of(
    at: Annotated[str, typer.Argument(help="A date, a time, or a length back from now: 7d.")],
    *,
    process: Process = None,
    tenant: Tenant = "default",
    as_json: AsJson = False,
) -> None:
    """Show what was known at a time, and what is known of that time now."""
    from throughline.dashboards.engine_settings import EngineSettings
    from throughline.dashboards.looked_back import as_of as run_as_of
    from throughline.dashboards.looking_text import render

    with Console(stderr=True).status("looking back") as status:
        found = run_as_of(EngineSettings.load(), tenant, process, at, report=status.update)
    if as_json:
        typer.echo(json.dumps(found, indent=2))
        return
    console = Console(width=WIDTH)
    for one in found:
        render(one, console)


@takes(*STORES)
def close(
    *,
    entity: Annotated[str, typer.Option(help="The legal entity, as in business.entity.")],
    period: Annotated[str, typer.Option(help="2026-03, 2026-Q1 or 2026.")],
    process: Process = None,
    reason: Annotated[str, typer.Option(help="Why; needed to close a period again.")] = "",
    tenant: Tenant = "default",
) -> None:
    """Store the figures and journeys of an entity and period as they stand, for good."""
    from throughline.dashboards.engine_settings import EngineSettings
    from throughline.dashboards.looked_back import close as run_close

    with Console(stderr=True).status("closing") as status:
        what = {"entity": entity, "period": period, "reason": reason}
        jobs = run_close(EngineSettings.load(), tenant, process, **what, report=status.update)
    for job in jobs:
        typer.echo(f"{job.process}: {job.message}" + (f" as {job.id}" if job.state == "done" else ""))
    if all(job.state != "done" for job in jobs):
        raise typer.Exit(1)
