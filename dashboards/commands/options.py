"""Options that several verbs share. While a verb runs, a given option is its variable THROUGHLINE_<OPTION>:
settings are read from the environment alone, by this process and by the ones that it starts.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from throughline.dashboards.environment import standing

Data = Annotated[
    Path | None,
    typer.Option(envvar="THROUGHLINE_DATA", help="Folder for everything stored.", show_default=False),
]
StoreUrl = Annotated[
    str | None,
    typer.Option(
        "--store",
        envvar="THROUGHLINE_STORE",
        help="ClickHouse server, http(s)://user:password@host:8123/database; default: embedded.",
        show_default=False,
    ),
]
ControlUrl = Annotated[
    str | None,
    typer.Option(
        "--control",
        envvar="THROUGHLINE_CONTROL",
        help="Control store, postgresql://user:password@host/database; default: a file.",
        show_default=False,
    ),
]
Config = Annotated[
    Path | None,
    typer.Option(envvar="THROUGHLINE_CONFIG", help="Folder of configuration files.", show_default=False),
]
Host = Annotated[
    str | None,
    typer.Option(
        envvar="THROUGHLINE_HOST",
        help="Address to listen on; default 127.0.0.1, any other needs tokens.",
        show_default=False,
    ),
]
Port = Annotated[
    int | None,
    typer.Option(envvar="THROUGHLINE_PORT", help="Port of pages and API; default 8501.", show_default=False),
]
OtlpHttp = Annotated[
    int | None,
    typer.Option(
        envvar="THROUGHLINE_OTLP_HTTP", help="Port of OTLP over HTTP; default 4318.", show_default=False
    ),
]
OtlpGrpc = Annotated[
    int | None,
    typer.Option(
        envvar="THROUGHLINE_OTLP_GRPC", help="Port of OTLP over gRPC; default 4317.", show_default=False
    ),
]
Tenant = Annotated[str, typer.Option(envvar="THROUGHLINE_TENANT", help="Whose journeys.")]
AccessToken = Annotated[
    str | None,
    typer.Option(
        "--token",
        envvar="THROUGHLINE_TOKEN",
        help="Token, if tokens are configured.",
        show_default=False,
    ),
]
ReportingCurrency = Annotated[
    str | None,
    typer.Option(
        envvar="THROUGHLINE_REPORTING_CURRENCY",
        help="ISO 4217 code in which figures are shown; default: their own.",
        show_default=False,
    ),
]
OPTIONS: dict[str, object] = {
    "data": Data,
    "store": StoreUrl,
    "control": ControlUrl,
    "config": Config,
    "host": Host,
    "port": Port,
    "otlp_http": OtlpHttp,
    "otlp_grpc": OtlpGrpc,
    "reporting_currency": ReportingCurrency,
}
STORES = ("data", "store", "control", "config")
PAGES = ("host", "port")
INTAKE = ("otlp_http", "otlp_grpc")
MONEY = ("reporting_currency",)


def takes(*names: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a verb the options of these names; they stand in the environment while it runs."""

    def decorate(verb: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(verb)
        def run(**given: Any) -> None:
            shared = {name: given.pop(name) for name in names}
            wanted = {name: str(value) for name, value in shared.items() if value is not None}
            with standing(**{f"THROUGHLINE_{name.upper()}": value for name, value in wanted.items()}):
                verb(**given)

        own = inspect.signature(verb, eval_str=True).parameters.values()
        shared = [
            inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=OPTIONS[name])
            for name in names
        ]
        parameters = sorted([*own, *shared], key=lambda one: one.kind)
        # Typer reads both; the order is that of --help.
        run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        run.__annotations__ = {one.name: one.annotation for one in parameters}
        return run

    return decorate
