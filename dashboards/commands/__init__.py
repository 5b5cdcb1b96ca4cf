"""The verbs of the command line, and how any of them fails: one sentence, non-zero exit.

Every verb imports what it needs when it runs: the edge must stay without chDB and Streamlit, and help quick.
"""

from __future__ import annotations

import sys
from importlib.metadata import version
from typing import Annotated

import typer

from throughline.dashboards.commands.ask import doctor, journey, rebuild
from throughline.dashboards.commands.connections import connections
from throughline.dashboards.commands.dead_letters import dead_letters
from throughline.dashboards.commands.exchange import export_ocel, import_ocel
from throughline.dashboards.commands.library import check, picture, rollback, versions
from throughline.dashboards.commands.look_back import as_of, close
from throughline.dashboards.commands.mapping import mapping, suggest_keys
from throughline.dashboards.commands.replaying import replay
from throughline.dashboards.commands.rules import test
from throughline.dashboards.commands.serve import demo, edge, engine, up
from throughline.dashboards.commands.subscriptions import subscriptions
from throughline.dashboards.commands.what_if import backtest, diff
from throughline.probes.errors import ThroughlineError

VERBS = (
    up, demo, edge, engine, check, test, picture, versions, rollback, rebuild, diff, backtest, as_of, close,
    journey, replay, suggest_keys, export_ocel, import_ocel, subscriptions, doctor,
)  # fmt: skip

GROUPS = {"connections": connections, "dead-letters": dead_letters, "mapping": mapping}
"""Verbs that have verbs of their own."""

app = typer.Typer(
    name="throughline",
    help="Business journeys between CRM, PSA and ERP: capture, link, watch.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
for verb in VERBS:
    app.command()(verb)
for name, group in GROUPS.items():
    app.add_typer(group, name=name)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"throughline {version('throughline')}")
        raise typer.Exit


@app.callback()
def root(
    _version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Business journeys between CRM, PSA and ERP: capture, link, watch."""


def run() -> None:
    """Run the verb of the command line; an expected failure is one sentence on stderr and exit code 1."""
    try:
        app(prog_name="throughline")
    except ThroughlineError as error:
        sys.exit(str(error))
