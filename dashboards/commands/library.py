"""Verbs about definitions: check, picture, versions, rollback."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from throughline.dashboards.commands.options import Tenant, takes
from throughline.dashboards.commands.rules import RULES, RuleFiles, check_rules
from throughline.probes.errors import ConfigurationError

if TYPE_CHECKING:
    from throughline.correlator.definition import Process

Wanted = Annotated[str, typer.Argument(help="File of a definition, or id of a process.", show_default=False)]


ProcessId = Annotated[str, typer.Argument(metavar="PROCESS", help="Id of a process.", show_default=False)]
CheckedFolder = Annotated[
    Path, typer.Argument(help="Folder of configuration files; or `rules`.", show_default=False)
]


@takes("data", "store", "control")
def check(
    folder: CheckedFolder,
    files: RuleFiles = None,
    *,
    tenant: Tenant = "default",
    strict: Annotated[bool, typer.Option("--strict", help="Warnings count as errors.")] = False,
) -> None:
    """Validate a folder of configuration files, with --data or --store also against what is stored there.

    `check rules [FILE...]` validates files of alert rules and tries their SELECTs.
    """
    if str(folder) == RULES:
        check_rules(files or [])
        return
    if files:
        raise ConfigurationError("Name one folder, or files of rules: throughline check rules FILE...")
    from throughline.dashboards.checking import check as checked
    from throughline.dashboards.checking import survey
    from throughline.dashboards.engine_settings import EngineSettings

    seen = None
    if any(os.environ.get(f"THROUGHLINE_{name}") for name in ("DATA", "STORE")):
        seen = survey(EngineSettings.load(), tenant, lambda _: None)
    found = checked(folder, seen)
    for line in (*found.errors, *found.warnings):
        typer.echo(line, err=True)
    for process in found.processes:
        typer.echo(f"{process.id} version {process.version}: {len(process.milestones)} milestones")
        for notice in process.notices:
            typer.echo(f"  note: {notice}")
    for name, rows in found.tables.items():
        typer.echo(f"table {name}: {rows} rows")
    against = f" against events since {seen.since}" if seen else ""
    problems, warnings = len(found.errors), len(found.warnings)
    places = f"{found.connections} connections, {found.routes} routes, {found.targets} targets"
    kinds = f"{found.mappings} mappings, {found.alerts} alert rules"
    counted = f"{len(found.processes)} processes, {kinds}, {places}, {found.tokens} tokens"
    if found.subscriptions:
        counted += f", {found.subscriptions} subscriptions"
    typer.echo(f"{counted}, {problems} problems, {warnings} warnings{against}")
    if problems or (strict and warnings):
        raise typer.Exit(1)


@takes("config")
def picture(
    wanted: Wanted,
    *,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="File to write; default: stdout.", show_default=False),
    ] = None,
) -> None:
    """Draw a process definition as SVG: objects, milestones, clocks, what undoes them, checks."""
    from throughline.dashboards.engine_settings import EngineSettings
    from throughline.dashboards.process_picture import picture as drawn

    text = drawn(_definition(wanted, EngineSettings.load().config))
    if output is None:
        typer.echo(text, nl=False)
        return
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(f"{output} can't be written: {error.strerror}.") from error
    typer.echo(str(output))


@takes("data", "control")
def versions(process: ProcessId) -> None:
    """List the versions of a definition that have counted, the present one first."""
    from rich.console import Console
    from rich.table import Table

    from throughline.dashboards.engine_settings import EngineSettings
    from throughline.dashboards.versions import versions as all_versions

    table = Table("version", "definition", "counted from", "activated by", box=None)
    for one in all_versions(EngineSettings.load(), process):
        by = f"{one.activated_by} (rolled back)" if one.over else one.activated_by
        table.add_row(str(one.version), one.hash[:12], f"{one.activated_at:%Y-%m-%d %H:%M:%S} UTC", by)
    Console(width=120).print(table)


@takes("data", "control")
def rollback(
    process: ProcessId,
    *,
    to: Annotated[
        str | None,
        typer.Option(help="Version, or digits of its hash; default: the one before.", show_default=False),
    ] = None,
) -> None:
    """Let an earlier version of a definition count again, until its file says something else."""
    from throughline.dashboards.engine_settings import EngineSettings
    from throughline.dashboards.versions import roll_back

    found = roll_back(EngineSettings.load(), process, to)
    typer.echo(
        f"{process}: version {found.version} ({found.hash[:12]}) counts again. The engine takes it over "
        "within seconds, or when it starts: by the kept result, or a rebuild beside the present one."
    )


def _definition(wanted: str, config: Path | None) -> Process:
    """Read a file, or a process by its id: one of the configured, else one of the shipped."""
    from throughline.correlator.process import load_processes
    from throughline.dashboards.questions import from_file

    path = Path(wanted)
    if path.is_file():
        return from_file(path, (), config)
    loaded = load_processes(config)
    known = {one.id: one for one in loaded.processes}
    if wanted in known:
        return known[wanted]
    for error in loaded.errors:
        raise error
    raise ConfigurationError(f"{wanted} is neither a file nor a process; there are {', '.join(known)}.")
