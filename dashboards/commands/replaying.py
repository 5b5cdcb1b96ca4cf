"""Verbs that do again what failed: replay."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from throughline.dashboards.commands.options import PAGES, AccessToken, takes

Exceptions = Annotated[list[str] | None, typer.Argument(help="Ids of exceptions.", show_default=False)]


@takes(*PAGES)
def replay(
    exceptions: Exceptions = None,
    *,
    kind: Annotated[
        str, typer.Option(help="resubmit, repair, redrive, rerun, compensate, fix_at_source or dismiss.")
    ] = "resubmit",
    reason: Annotated[str, typer.Option(help="Why; audits show it.")],
    target: Annotated[str, typer.Option(help="A target of targets.yaml.")] = "",
    fingerprint: Annotated[str, typer.Option(help="All open exceptions of this cause.")] = "",
    payload: Annotated[
        Path | None, typer.Option(help="File with the payload of a repair; - for standard input.")
    ] = None,
    override: Annotated[bool, typer.Option(help="Go on in spite of red checks.")] = False,
    dry_run: Annotated[bool, typer.Option(help="Only say what it would do.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="The API's answer as it is.")] = False,
    token: AccessToken = None,
) -> None:
    """Do again what failed, on a running platform; says what speaks against it and who must approve."""
    from throughline.dashboards.api_client import ask
    from throughline.dashboards.replay_text import render

    body: dict[str, Any] = {
        "exceptions": exceptions or [],
        "fingerprint": fingerprint,
        "kind": kind,
        "target": target,
        "payload": _text(payload),
        "reason": reason,
        "override": override,
        "dry_run": dry_run,
    }
    answer = ask("POST", "/replays", token, json=body)
    if as_json:
        typer.echo(json.dumps(answer, indent=2))
    else:
        render(answer, Console())
    if answer["state"] == "refused":
        raise typer.Exit(1)


def _text(payload: Path | None) -> str:
    if payload is None:
        return ""
    return sys.stdin.read() if str(payload) == "-" else payload.read_text(encoding="utf-8")
