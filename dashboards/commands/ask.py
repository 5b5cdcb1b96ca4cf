"""Verbs that look and repair: rebuild, journey, doctor."""

from __future__ import annotations

import json
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from throughline.dashboards.commands.options import INTAKE, PAGES, STORES, AccessToken, Tenant, takes

Process = Annotated[
    str | None, typer.Argument(help="Id of a process; without it: every process.", show_default=False)
]
Wanted = Annotated[
    str, typer.Argument(help="Id of a journey, or a key as namespace:value.", show_default=False)
]


@takes(*STORES)
def rebuild(process: Process = None, *, tenant: Tenant = "default") -> None:
    """Link and fold a process again from all stored events, beside the old result, then swap."""
    from throughline.dashboards.engine_settings import EngineSettings
    from throughline.dashboards.rebuilding import rebuild as run_rebuild

    console = Console(stderr=True)
    with console.status("rebuilding") as status:
        jobs = run_rebuild(EngineSettings.load(), tenant, process, report=status.update)
    for job in jobs:
        typer.echo(f"{job.process}: {job.state}. {job.message}")
    if any(job.state != "done" for job in jobs):
        raise typer.Exit(1)


@takes(*PAGES)
def journey(
    wanted: Wanted,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="The API's answer as it is.")] = False,
    token: AccessToken = None,
) -> None:
    """Show a journey of a running platform: its milestones and events."""
    from throughline.dashboards.engine_settings import EngineSettings
    from throughline.dashboards.journey_text import fetch, render

    settings = EngineSettings.load()
    found = fetch(f"http://{settings.host}:{settings.port}/api/v1", wanted, token)
    if as_json:
        typer.echo(json.dumps(found, indent=2))
        return
    console = Console()
    for one in found:
        render(one, console)


@takes(*STORES, *PAGES, *INTAKE)
def doctor() -> None:
    """Look at versions, ports, folders and stores, and say what is wrong."""
    from throughline.collector.settings import load_settings
    from throughline.dashboards.diagnosis import diagnose
    from throughline.dashboards.engine_settings import EngineSettings

    intake = load_settings()
    ports = {"--otlp-http": intake.otlp_http, "--otlp-grpc": intake.otlp_grpc}
    findings = diagnose(EngineSettings.load(), ports)
    table = Table(box=None, show_header=False)
    for finding in findings:
        table.add_row("ok" if finding.fine else "WRONG", finding.subject, finding.sentence)
    Console().print(table)
    if not all(finding.fine for finding in findings):
        raise typer.Exit(1)
