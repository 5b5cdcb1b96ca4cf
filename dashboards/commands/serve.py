"""Verbs that run the platform: up, demo, edge, engine."""

from __future__ import annotations

import logging
import os
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from throughline.dashboards.commands.options import INTAKE, MONEY, PAGES, STORES, takes
from throughline.dashboards.environment import standing
from throughline.dashboards.supervisor import Child, Supervisor, follow_supervisor
from throughline.probes.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable

Seed = Annotated[int, typer.Option(envvar="THROUGHLINE_SEED", help="What the simulated firm draws from.")]


@takes(*STORES, *PAGES, *INTAKE, *MONEY)
def up() -> None:
    """Run the platform: intake and engine, each restarted alone; Ctrl-C drains and stops."""
    _log("up")
    from throughline.collector.auth import Access, require_safe_bind
    from throughline.collector.settings import load_settings
    from throughline.dashboards.engine_settings import EngineSettings

    intake, pages = load_settings(), EngineSettings.load()
    require_safe_bind(pages.host, Access.load(pages.config, os.environ))  # once, before both children say so
    ready = (
        f"ready: pages and API on http://{pages.host}:{pages.port}, OTLP on "
        f"http://{intake.host}:{intake.otlp_http} (HTTP) and {intake.host}:{intake.otlp_grpc} (gRPC), "
        f"data in {pages.data.resolve()}"
    )
    raise typer.Exit(platform(lambda: typer.echo(ready)).run())


@takes("data", "config", "host", *INTAKE)
def edge() -> None:
    """Run intake alone: OTLP and CloudEvents into the spool."""
    _log("edge")
    on_ready = follow_supervisor(os.environ)
    from throughline.collector.edge import run
    from throughline.collector.settings import load_settings

    run(load_settings(), on_ready=on_ready)


@takes(*STORES, *PAGES, *MONEY)
def engine() -> None:
    """Run the engine alone: load the spool, correlate, serve pages and API."""
    _log("engine")
    on_ready = follow_supervisor(os.environ)
    from throughline.dashboards.engine import run_engine
    from throughline.dashboards.engine_settings import EngineSettings

    run_engine(EngineSettings.load(), on_ready=on_ready)


@takes("data", "port", *INTAKE)
def demo(*, seed: Seed = 1) -> None:
    """Run the platform with a simulated firm: weeks of history, then live. Without --data nothing is kept."""
    from throughline.dashboards.demonstration import demonstrate

    with standing(THROUGHLINE_LOG_LEVEL=os.environ.get("THROUGHLINE_LOG_LEVEL", "WARNING")):
        _log("demo")
        raise typer.Exit(demonstrate(seed, keep=bool(os.environ.get("THROUGHLINE_DATA"))))


def platform(on_ready: Callable[[], None]) -> Supervisor:
    """A supervisor over the edge and the engine, with the settings of this process's environment."""
    program = (sys.executable, "-m", "throughline.dashboards.cli")
    children = [Child(name, (*program, name), dict(os.environ)) for name in ("edge", "engine")]
    return Supervisor(children, on_ready=on_ready)


def _log(process: str) -> None:
    """Log to stderr, each line with the process that it is from."""
    level = os.environ.get("THROUGHLINE_LOG_LEVEL", "INFO").upper()
    if level not in logging.getLevelNamesMapping():
        raise ConfigurationError(f"THROUGHLINE_LOG_LEVEL is {level}: choose DEBUG, INFO, WARNING or ERROR.")
    logging.basicConfig(level=level, format=f"%(asctime)s {process} %(levelname)s %(message)s")
    for noisy in ("httpx", "alembic"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
