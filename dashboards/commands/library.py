"""Verbs about definitions: picture."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from throughline.dashboards.commands.options import takes
from throughline.probes.errors import ConfigurationError

if TYPE_CHECKING:
    from throughline.correlator.definition import Process

Wanted = Annotated[
    str, typer.Argument(help="File of a definition, or id of a process.", show_default=False)
]


@takes("config")
def picture(
    wanted: Wanted,
    *,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="File to write; default: stdout.", show_default=False)
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
