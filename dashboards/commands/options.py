"""Options that several verbs share. A given option becomes its environment variable THROUGHLINE_<OPTION>:
settings are read from the environment alone, by this process and by the ones that it starts.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

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
AccessToken = Annotated[
    str | None,
    typer.Option(
        "--token",
        envvar="THROUGHLINE_TOKEN",
        help="Token for the API, if tokens are configured.",
        show_default=False,
    ),
]


def apply(**options: object) -> None:
    """Put the given options (not None) into the environment under their names."""
    for name, value in options.items():
        if value is not None:
            os.environ[f"THROUGHLINE_{name.upper()}"] = str(value)
