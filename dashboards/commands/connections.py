"""Verbs about connections: list, test."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from throughline.dashboards.commands.options import INTAKE, takes
from throughline.probes.errors import ConfigurationError

connections = typer.Typer(help="The systems that send webhooks.", no_args_is_help=True)


@connections.command("list")
@takes("config")
def listed() -> None:
    """List the connections of connections.yaml and the addresses that their platforms call."""
    from throughline.collector.connections import load_connections
    from throughline.collector.hooks import PREFIX, public_url
    from throughline.collector.settings import load_settings

    settings = load_settings()
    found = load_connections(settings.config, os.environ, lenient=True)
    host = f"{settings.host}:{settings.otlp_http}"
    for one in found.by_id.values():
        here = one.connection
        address = public_url(here, f"{PREFIX}{here.platform}/{here.id}", host)
        typer.echo(f"{here.id}: {here.platform}, tenant {one.tenant}, {address}")
    for line in found.warnings:
        typer.echo(line, err=True)


@connections.command()
@takes("config", "host", *INTAKE)
def test(
    name: Annotated[str, typer.Argument(help="Id of a connection.", show_default=False)],
) -> None:
    """Prove a connection: its secrets, its platform's API, and a signed sample through our own edge."""
    from throughline.collector.connections import load_connections
    from throughline.collector.settings import load_settings
    from throughline.dashboards.clock import utc_now
    from throughline.dashboards.connection_test import prove

    settings = load_settings()
    found = load_connections(settings.config, os.environ, lenient=True).by_id
    if name not in found:
        known = ", ".join(found) or "none; is --config right?"
        raise ConfigurationError(f"There is no connection {name!r}; there are {known}.")
    edge = f"http://{settings.host}:{settings.otlp_http}"
    marks = {True: "ok", False: "WRONG", None: "-"}
    fine = True
    for step in prove(found[name], edge, os.environ, utc_now()):
        typer.echo(f"{marks[step.fine]:6}{step.name}: {step.sentence}")
        fine = fine and step.fine is not False
    if not fine:
        raise typer.Exit(1)
