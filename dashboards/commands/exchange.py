"""Verbs that exchange event logs with other tools: export-ocel, import-ocel."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from throughline.dashboards.commands.options import AccessToken, Tenant, takes

LogFile = Annotated[
    Path, typer.Argument(help="An OCEL 2.0 log; its suffix says the format.", show_default=False)
]
ProcessId = Annotated[
    str,
    typer.Option("--process", envvar="THROUGHLINE_PROCESS", help="Id of a process.", show_default=False),
]
To = Annotated[str, typer.Option(envvar="THROUGHLINE_TO", help="Address of the intake, OTLP over HTTP.")]
LogName = Annotated[
    str | None,
    typer.Option(
        "--name",
        envvar="THROUGHLINE_NAME",
        help="What makes the ids of its events its own; default: the file's name without suffix.",
        show_default=False,
    ),
]


@takes("data", "store")
def export_ocel(file: LogFile, *, process: ProcessId, tenant: Tenant = "default") -> None:
    """Write the events and objects of a process as an OCEL 2.0 log, .json or .sqlite."""
    from throughline.dashboards.engine_settings import EngineSettings
    from throughline.dashboards.ocel.exchange import export_log

    console = Console(stderr=True)
    with console.status("exporting") as status:
        done = export_log(EngineSettings.load(), tenant, process, file, status.update)
    typer.echo(f"{file}: {done.events} events and evidence, {done.objects} objects of {process}")


def import_ocel(
    file: LogFile, *, to: To = "http://127.0.0.1:4318", token: AccessToken = None, name: LogName = None
) -> None:
    """Send an OCEL 2.0 log to the intake; sent again it adds nothing. Says what could not be carried."""
    from throughline.dashboards.clock import utc_now
    from throughline.dashboards.ocel.exchange import import_log
    from throughline.dashboards.ocel.sending import Intake

    console = Console(stderr=True)
    with console.status("importing") as status, closing(Intake(to, token)) as intake:
        done = import_log(file, intake, utc_now(), status.update, name=name)
    typer.echo(f"{done.sent.events} events and {done.sent.evidence} pieces of evidence sent to {to}")
    named = (one if kind == one else f"{one} ({kind})" for kind, one in done.namespaces.items())
    typer.echo(f"  key namespaces: {', '.join(named)}")
    if done.tally.derived:
        typer.echo(f"  {done.tally.derived} relations and values of objects follow from the events")
    for reason, count in done.tally.missing.items():
        example = done.tally.examples[reason]
        typer.echo(f"  not carried: {count} {reason}" + (f", such as {example}" if example else ""))
