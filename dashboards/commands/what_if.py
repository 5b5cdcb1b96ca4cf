"""Verbs that ask what if: diff, backtest."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from throughline.dashboards.commands.options import STORES, Tenant, takes
from throughline.dashboards.commands.rules import RULES
from throughline.probes.errors import ConfigurationError

Definition = Annotated[
    str, typer.Argument(help="File of a definition, or id of a process in use.", show_default=False)
]
AsJson = Annotated[bool, typer.Option("--json", help="The whole answer, as the API gives it.")]

WIDTH = 200
"""Columns: a terminal wraps longer lines better than a table does."""


@takes(*STORES)
def diff(
    before: Definition, after: Definition, *, tenant: Tenant = "default", as_json: AsJson = False
) -> None:
    """Show which stored journeys would differ under another definition of their process."""
    from throughline.dashboards.comparing import diff as run_diff
    from throughline.dashboards.engine_settings import EngineSettings

    with Console(stderr=True).status("comparing") as status:
        found = run_diff(EngineSettings.load(), tenant, before, after, report=status.update)
    _show(found, as_json=as_json, changes=True)


@takes(*STORES)
def backtest(
    file: Annotated[
        Path | None, typer.Argument(help="File of a definition; without it --process.", show_default=False)
    ] = None,
    rules: Annotated[
        Path | None, typer.Argument(help="After `rules`: a file of alert rules.", show_default=False)
    ] = None,
    *,
    process: Annotated[str | None, typer.Option(help="Id of the process in use.", show_default=False)] = None,
    since: Annotated[str, typer.Option(help="Journeys opened since: 90d, or a time.")] = "90d",
    until: Annotated[
        str | None, typer.Option(help="Only events before it count; default: all.", show_default=False)
    ] = None,
    changes: Annotated[
        list[str] | None,
        typer.Option("--set", help="Change one field: paid.within=30d. Repeat for more.", show_default=False),
    ] = None,
    tenant: Tenant = "default",
    as_json: AsJson = False,
) -> None:
    """Show what a stored period would have been like under a changed definition.

    `backtest rules FILE` shows what alert rules would have done: when, how often, for which journeys.
    """
    if str(file) == RULES:
        from throughline.dashboards.commands.rules import backtest_rules

        backtest_rules(rules, since=since, until=until, tenant=tenant, as_json=as_json)
        return
    if rules is not None:
        raise ConfigurationError("Name one definition, or rules: throughline backtest rules FILE")
    from throughline.dashboards.comparing import backtest as run_backtest
    from throughline.dashboards.engine_settings import EngineSettings

    with Console(stderr=True).status("comparing") as status:
        found = run_backtest(
            EngineSettings.load(),
            tenant,
            file,
            process,
            changes or [],
            since=since,
            until=until,
            report=status.update,
        )
    _show(found, as_json=as_json, changes=False)


def _show(found: dict[str, Any], *, as_json: bool, changes: bool) -> None:
    from throughline.dashboards.comparison_text import render_changes, render_figures

    if as_json:
        typer.echo(json.dumps(found, indent=2))
        return
    console = Console(width=WIDTH)
    render_figures(found, console)
    if changes:
        render_changes(found, console)
