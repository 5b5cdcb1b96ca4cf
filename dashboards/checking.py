"""`throughline check`: the configuration of a folder, alone and against what a store has seen."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from throughline.collector.auth import Access
from throughline.collector.connections import load_connections
from throughline.correlator.alerts.rule_files import load_rules
from throughline.correlator.inventory import Inventory, against, take
from throughline.correlator.lint import lint
from throughline.correlator.mapping_files import load_mappings
from throughline.correlator.outbound.subscriptions import load_subscriptions
from throughline.correlator.process import SHIPPED, load_processes, places
from throughline.correlator.reference_files import load_tables
from throughline.correlator.replay.policy import load_policy
from throughline.correlator.replay.targets import load_targets
from throughline.correlator.routing import load_routing
from throughline.correlator.tickets.places import load_places
from throughline.dashboards.clock import utc_now
from throughline.dashboards.exclusive import FolderInUse, locked
from throughline.probes.errors import ConfigurationError, ThroughlineError

if TYPE_CHECKING:
    from collections.abc import Callable, Sized
    from datetime import datetime
    from pathlib import Path

    from throughline.correlator.definition import Process
    from throughline.correlator.parts import Path as Parts
    from throughline.dashboards.engine_settings import EngineSettings

LOOK_BACK = timedelta(days=90)


@dataclass(frozen=True, slots=True)
class Checked:
    """What was found, as lines `file:line: error: ...`, and what there is."""

    errors: tuple[str, ...]
    warnings: tuple[str, ...]
    processes: tuple[Process, ...]
    tables: dict[str, int]
    """Rows of each reference table."""
    routes: int
    targets: int
    tokens: int
    connections: int
    subscriptions: int
    mappings: int
    alerts: int
    """Alert rules, shipped ones and those made of objectives included."""


def check(folder: Path, seen: Inventory | None) -> Checked:
    """Validate a folder, look through its definitions, and compare them with what was seen.

    Raises:
        ConfigurationError: it is no folder.
    """
    if not folder.is_dir():
        raise ConfigurationError(
            f"{folder} is no folder: name the one that holds processes/ and tokens.yaml."
        )
    loaded = load_processes(folder)
    reference = load_tables(folder)
    mappings, rules = load_mappings(folder), load_rules(folder)
    wrong = (*loaded.errors, *reference.errors, *mappings.errors, *rules.errors)
    errors = [str(error) for error in wrong]
    warnings: list[str] = []
    tokens = _counted(errors, lambda: Access.load(folder, {}).tokens)
    routes = _counted(errors, lambda: load_routing(folder).routes)
    targets = _counted(errors, lambda: load_targets(folder).targets)
    _counted(errors, lambda: load_policy(folder).approvals)
    _counted(errors, lambda: load_places(folder).tickets)
    connections = _counted(errors, lambda: _connections(folder, warnings))
    subscriptions = _counted(errors, lambda: load_subscriptions(folder))
    for process in loaded.processes:
        place = places(loaded.files[process.id])
        found = lint(process)
        if seen is not None:
            found += against(process, seen, _own(place))
        for one in found:
            file, line = place(one.path)
            text = f"{file}:{line}: {one.severity}: {process.id}: {one.sentence}"
            (errors if one.severity == "error" else warnings).append(text)
    tables = {name: len(table.entries) for name, table in reference.tables.items()}
    return Checked(
        errors=tuple(errors),
        warnings=tuple(warnings),
        processes=loaded.processes,
        tables=tables,
        routes=routes,
        targets=targets,
        tokens=tokens,
        connections=connections,
        subscriptions=subscriptions,
        mappings=len(mappings.mappings),
        alerts=sum(len(group.rules) for group in rules.groups),
    )


def _connections(folder: Path, warnings: list[str]) -> Sized:
    """The connections; a secret that this machine lacks is a warning: it may be set where they are used."""
    found = load_connections(folder, os.environ, lenient=True)
    warnings += [line.replace(": connection", ": warning: connection", 1) for line in found.warnings]
    return found.by_id


def _counted(errors: list[str], load: Callable[[], Sized]) -> int:
    try:
        return len(load())
    except ThroughlineError as error:
        errors.append(str(error))
        return 0


def _own(place: Callable[[Parts], tuple[str, int]]) -> Callable[[Parts], bool]:
    """Whether a part of a definition stands in a file of one's own, not in a shipped one."""
    return lambda path: not place(path)[0].startswith(str(SHIPPED))


def survey(settings: EngineSettings, tenant: str, report: Callable[[str], None]) -> Inventory:
    """Ask the running engine what a tenant's events carry; without one, look into the store.

    Raises:
        ConfigurationError: there is no store.
        StoreError, ControlError.
    """
    if settings.store is None and not settings.data.joinpath("store").exists():
        raise ConfigurationError(f"{settings.data} holds no events yet: name the right folder with --data.")
    from throughline.collector.store import Store

    now = utc_now()
    try:
        with locked(settings.data), contextlib.closing(Store.open(settings.store_url)) as store:
            store.migrate()
            return take(store, tenant, now - LOOK_BACK)
    except FolderInUse:
        return _asked(settings, tenant, now, report)


def _asked(settings: EngineSettings, tenant: str, now: datetime, report: Callable[[str], None]) -> Inventory:
    from throughline.collector.control import ControlStore
    from throughline.dashboards.asking import results
    from throughline.dashboards.surveying import SURVEY

    with contextlib.closing(ControlStore.open(settings.control_url)) as control:
        control.migrate()
        payload = (now - LOOK_BACK).isoformat()
        asked = control.enqueue_job(SURVEY, tenant, "", now, payload=payload)
        (result,) = results(control, [asked], report)
    return Inventory.model_validate_json(result)
