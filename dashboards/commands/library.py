"""Verbs about definitions: check, picture."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from throughline.dashboards.commands.options import Tenant, takes
from throughline.probes.errors import ConfigurationError

if TYPE_CHECKING:
    from throughline.correlator.definition import Process

Wanted = Annotated[str, typer.Argument(help="File of a definition, or id of a process.", show_default=False)]


Folder = Annotated[Path, typer.Argument(help="Folder of configuration files.", show_default=False)]


@takes("data", "store", "control")
def check(
    folder: Folder,
    *,
    tenant: Tenant = "default",
    strict: Annotated[bool, typer.Option("--strict", help="Warnings count as errors.")] = False,
) -> None:
    """Validate a folder of configuration files, with --data or --store also against what is stored there."""
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
    against = f" against events since {seen.since}" if seen else ""
    problems, warnings = len(found.errors), len(found.warnings)
    typer.echo(
        f"{len(found.processes)} processes, {found.tokens} tokens, {problems} problems, {warnings} warnings{against}"
    )
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
