"""The verb about webhooks that are told of transitions: subscriptions."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from throughline.dashboards.commands.options import takes
from throughline.probes.errors import ConfigurationError


class Action(StrEnum):
    """What to do about subscriptions."""

    LIST = "list"
    TEST = "test"
    RESUME = "resume"


@takes("data", "control", "config")
def subscriptions(
    action: Annotated[Action, typer.Argument(help="What to do.")],
    identity: Annotated[
        str, typer.Argument(metavar="ID", help="Which one; test and resume need it.", show_default=False)
    ] = "",
) -> None:
    """List subscriptions and how they fare, send one a sample, or try again what failed."""
    from throughline.dashboards.engine_settings import EngineSettings
    from throughline.dashboards.subscribing import listed, resumed, tried

    settings = EngineSettings.load()
    if action is Action.LIST:
        for one in listed(settings):
            counts = f"{one['delivered']} delivered, {one['waiting']} waiting, {one['dead']} given up"
            typer.echo(f"{one['id']}: {one['state']}, {counts}, {one['skipped']} too old; {one['url']}")
        return
    if not identity:
        raise ConfigurationError(f"Name the subscription: throughline subscriptions {action} ID.")
    if action is Action.RESUME:
        typer.echo(f"{resumed(settings, identity)} messages are tried again now")
        return
    answer = tried(settings, identity)
    said = f"answered {answer.status}" if answer.status else "did not answer"
    typer.echo(f"{identity} {said}: {answer.text}" if answer.text else f"{identity} {said}")
    if not answer.accepted:
        raise typer.Exit(1)
