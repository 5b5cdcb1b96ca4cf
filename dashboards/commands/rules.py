"""Verbs about alert rules: `check rules` and `test rules`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from throughline.probes.errors import ConfigurationError

RULES = "rules"
RuleFiles = Annotated[
    list[Path] | None,
    typer.Argument(help="Files of alert rules, after `rules`; default: all.", show_default=False),
]


def check_rules(files: list[Path]) -> None:
    """Validate files of rules and try their SELECTs on an empty store; exit code 1 if any is wrong."""
    from throughline.dashboards.rule_checks import check_files

    found = check_files(files or _configured())
    for line in found.problems:
        typer.echo(line, err=True)
    for name, rules in found.files.items():
        typer.echo(f"{name}: {rules} rules")
    typer.echo(f"{sum(found.files.values())} rules, {len(found.problems)} problems")
    if found.problems:
        raise typer.Exit(1)


def test(
    what: Annotated[str, typer.Argument(help="What to test: `rules`.", metavar="rules")],
    files: Annotated[list[Path], typer.Argument(help="Files of rule tests.", show_default=False)],
) -> None:
    """Run unit tests of alert rules: given rows of views, the alerts that must fire."""
    if what != RULES:
        raise ConfigurationError("Only rules have tests: throughline test rules FILE...")
    from throughline.dashboards.rule_checks import run_files

    passed, failures = run_files(files)
    for line in failures:
        typer.echo(line, err=True)
    typer.echo(f"{passed} tests passed, {len(failures)} failures")
    if failures:
        raise typer.Exit(1)


def backtest_rules(file: Path | None, *, since: str, until: str | None, tenant: str, as_json: bool) -> None:
    """Show what the rules of a file, or a shipped file by its name, would have done."""
    import json

    from throughline.dashboards.rule_backtests import backtested, lines

    if file is None:
        raise ConfigurationError("Name a file: throughline backtest rules FILE --since 90d")
    with Console(stderr=True).status("evaluating") as status:
        found = backtested(file, tenant, since=since, until=until, report=status.update)
    if as_json:
        typer.echo(json.dumps(found, default=str, indent=2))
        return
    for line in lines(found):
        typer.echo(line)


def _configured() -> list[Path]:
    """The files of the configuration folder, or of `rules` here; else the shipped ones."""
    from throughline.correlator.alerts.rule_files import FOLDER, SHIPPED

    config = os.environ.get("THROUGHLINE_CONFIG")
    folder = Path(config) / FOLDER if config else Path(FOLDER)
    return sorted(folder.glob("*.yaml")) or sorted(SHIPPED.glob("*.yaml"))
