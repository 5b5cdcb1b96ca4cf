"""`throughline versions` and `rollback`: which definitions have counted, and an earlier one again."""

from __future__ import annotations

import contextlib
import getpass
from typing import TYPE_CHECKING

from throughline.collector.control import ControlStore
from throughline.collector.definition_history import Activation, DefinitionHistory
from throughline.dashboards.clock import utc_now
from throughline.probes.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from throughline.dashboards.engine_settings import EngineSettings

_SHORTEST = 4
"""Digits of a hash that are enough to name it."""


def versions(settings: EngineSettings, process: str) -> list[Activation]:
    """The activations of a process, the present one first.

    Raises:
        ConfigurationError: no definition of this process has counted.
    """
    with _history(settings) as history:
        return _known(history, process)


def roll_back(settings: EngineSettings, process: str, to: str | None) -> Activation:
    """Let an earlier definition count again: the one before, or one by its version or the first digits of its
    hash. It counts until the files say something else than now.

    Raises:
        ConfigurationError: there is none, or it counts already.
    """
    with _history(settings) as history:
        known = _known(history, process)
        present = known[0]
        wanted = _wanted(known, to)
        if wanted is None:
            there = ", ".join(f"{one.version} ({one.hash[:8]})" for one in known)
            raise ConfigurationError(
                f"{process} has no earlier version {to or ''} to go back to; there are {there}."
            )
        if wanted.hash == present.hash:
            raise ConfigurationError(f"Version {wanted.version} of {process} counts already.")
        files = present.over or present.hash
        over = "" if wanted.hash == files else files
        history.add(process, wanted.version, wanted.hash, wanted.source, utc_now(), by=_who(), over=over)
        return history.of(process)[0]


@contextlib.contextmanager
def _history(settings: EngineSettings) -> Iterator[DefinitionHistory]:
    with contextlib.closing(ControlStore.open(settings.control_url)) as control:
        control.migrate()
        yield DefinitionHistory(control)


def _known(history: DefinitionHistory, process: str) -> list[Activation]:
    found = history.of(process)
    if not found:
        there = ", ".join(sorted(history.present())) or "none: start the platform first, or name --data"
        raise ConfigurationError(f"No definition of {process} has counted here; there are {there}.")
    return found


def _wanted(known: list[Activation], to: str | None) -> Activation | None:
    if to is None:
        return next((one for one in known if one.hash != known[0].hash), None)
    by_hash = [one for one in known if len(to) >= _SHORTEST and one.hash.startswith(to)]
    by_version = [one for one in known if to == str(one.version)]
    return next(iter(by_version or by_hash), None)


def _who() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "somebody"
