"""What `throughline doctor` looks at. Nothing is changed; a store is opened only if it is there already."""

from __future__ import annotations

import contextlib
import importlib.metadata
import os
import platform
import shutil
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from throughline.collector.auth import Access, require_safe_bind
from throughline.collector.control import ControlStore
from throughline.collector.store import Role, Store
from throughline.correlator.mapping_files import load_mappings
from throughline.correlator.mapping_store import MappingStore
from throughline.correlator.process import load_processes
from throughline.correlator.routing import load_routing
from throughline.dashboards.exclusive import FolderInUse, listening, locked
from throughline.dashboards.mapping_verbs import quarantined
from throughline.probes.errors import StoreError, ThroughlineError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from throughline.dashboards.engine_settings import EngineSettings

GIBIBYTE = 1024**3
UNKNOWN_TABLE = 60
LEAST_FREE_BYTES = 2 * GIBIBYTE
PACKAGES = ("chdb-core", "clickhouse-connect", "streamlit", "opentelemetry-sdk", "protobuf", "sqlalchemy")


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at."""

    fine: bool
    subject: str
    sentence: str


def diagnose(settings: EngineSettings, intake_ports: dict[str, int]) -> list[Finding]:
    """Look at everything; `intake_ports` maps an option to its port."""
    runs = _in_use(settings.data)
    looks: list[tuple[str, Callable[[], str]]] = [
        ("versions", _versions),
        ("data folder", lambda: _folder(settings.data, runs=runs)),
        ("configuration", lambda: _configuration(settings)),
        ("store", lambda: _store(settings, runs=runs)),
        ("control store", lambda: _control(settings)),
        ("mappings", lambda: _mappings(settings, runs=runs)),
    ]
    for option, port in {"--port": settings.port, **intake_ports}.items():
        looks.append((f"port {port}", partial(_port, settings.host, port, option, runs=runs)))
    return [_look(subject, look) for subject, look in looks]


def _look(subject: str, look: Callable[[], str]) -> Finding:
    try:
        return Finding(fine=True, subject=subject, sentence=look())
    except ThroughlineError as error:
        return Finding(fine=False, subject=subject, sentence=str(error))


def _versions() -> str:
    parts = [
        f"throughline {importlib.metadata.version('throughline')}",
        f"Python {platform.python_version()}",
    ]
    for name in PACKAGES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            parts.append(f"{name} {importlib.metadata.version(name)}")
    return ", ".join(parts)


def _in_use(folder: Path) -> bool:
    if not folder.exists():
        return False
    try:
        with locked(folder):
            return False
    except FolderInUse:
        return True


def _folder(folder: Path, *, runs: bool) -> str:
    if not folder.exists():
        return f"{folder} does not exist yet; throughline up makes it"
    if not os.access(folder, os.W_OK):
        raise ThroughlineError(
            f"{folder} cannot be written: correct its permissions or choose another with --data."
        )
    free = shutil.disk_usage(folder).free
    if free < LEAST_FREE_BYTES:
        raise ThroughlineError(
            f"{folder} has {free / GIBIBYTE:.1f} GiB left: make room, or intake will stop."
        )
    state = "in use by a running engine" if runs else "not in use"
    return f"{folder}, {state}, {free / GIBIBYTE:.0f} GiB free"


def _configuration(settings: EngineSettings) -> str:
    if settings.config is not None and not settings.config.is_dir():
        raise ThroughlineError(f"{settings.config} is no folder: correct --config.")
    loaded = load_processes(settings.config)
    if loaded.errors:
        raise ThroughlineError("\n".join(str(error) for error in loaded.errors))
    mappings = load_mappings(settings.config)
    if mappings.errors:
        raise ThroughlineError("\n".join(str(error) for error in mappings.errors))
    load_routing(settings.config)
    access = Access.load(settings.config, os.environ)
    require_safe_bind(settings.host, access)
    who = "no tokens, loopback only" if access.open else f"{len(access.tokens)} tokens"
    return f"{len(loaded.processes)} processes, {who}"


def _store(settings: EngineSettings, *, runs: bool) -> str:
    if settings.store is None and runs:
        return "embedded, open in the running engine"
    if settings.store is None and not settings.data.joinpath("store").exists():
        return "embedded, made by the first throughline up"
    with contextlib.closing(Store.open(settings.store_url)) as store:
        version = store.query("SELECT version()", role=Role.ADHOC).result_rows[0][0]
    return f"{'embedded' if settings.store is None else 'server'}, ClickHouse {version}"


def _mappings(settings: EngineSettings, *, runs: bool) -> str:
    """Whether every mapping rule works; a running engine is asked, for it alone can read its store."""
    if settings.store is None and runs:
        base = f"http://{settings.host}:{settings.port}/api/v1"
        failed = quarantined(base, os.environ.get("THROUGHLINE_TOKEN"))
    elif settings.store is None and not settings.data.joinpath("store").exists():
        return "none in force yet"
    else:
        with contextlib.closing(Store.open(settings.store_url)) as store:
            try:
                failed = MappingStore(store).failed()
            except StoreError as error:
                if error.code != UNKNOWN_TABLE:
                    raise
                return "none in force yet: the store is of an earlier version"
    if failed:
        raise ThroughlineError("\n".join(failed))
    return "no rule is quarantined"


def _control(settings: EngineSettings) -> str:
    if settings.control is None and not settings.data.joinpath("control.db").exists():
        return "SQLite, made by the first throughline up"
    ControlStore.open(settings.control_url).close()
    return "SQLite" if settings.control is None else "PostgreSQL"


def _port(host: str, port: int, option: str, *, runs: bool) -> str:
    try:
        with listening(host, port, option):
            return "free"
    except ThroughlineError:
        if runs:
            return "in use, presumably by the running platform"
        raise
