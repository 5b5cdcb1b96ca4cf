"""The process definitions that count: those of the files; for a file that broke, its last valid version;
where a person has rolled one back, the earlier one, until its file says something else.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import ValidationError

from throughline.collector.definition_history import DefinitionHistory
from throughline.collector.stamps import stamps
from throughline.correlator.calendar_files import SHIPPED as SHIPPED_CALENDARS
from throughline.correlator.process import SHIPPED, Process, load_processes
from throughline.correlator.reference_files import FOLDER

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    from throughline.collector.control import ControlStore
    from throughline.collector.definition_history import Activation
    from throughline.correlator.reference_files import ReferenceTable


@dataclass(frozen=True, slots=True)
class Loaded:
    """What one reading gave: processes to use, ids whose content is new, sentences about what is wrong, and
    the reference tables whose rows the processes need in the store.
    """

    processes: tuple[Process, ...]
    changed: tuple[str, ...]
    problems: tuple[str, ...]
    tables: tuple[ReferenceTable, ...] = ()


class LiveDefinitions:
    """Reads the files again when one of them has changed."""

    def __init__(self, config: Path | None, control: ControlStore) -> None:
        self._config = config
        self._control = control
        self._history = DefinitionHistory(control)
        self._seen: tuple[object, ...] | None = None

    def reload(self, now: datetime) -> Loaded | None:
        """Read everything if any file, or what was rolled back, differs from the last time; None otherwise.

        1. A valid definition counts at once and is remembered in the control store, unless a person has put
           another one over exactly this one.
        2. A remembered process that no file defines any more, while some file is broken, stays as it was.
        3. Without a broken file it was taken away, and no longer counts.
        """
        present = self._history.present()
        put_over = {one.process: one.number for one in present.values() if one.over}
        seen = (stamps(self._files()), put_over)
        if seen == self._seen:
            return None
        loaded = load_processes(self._config)
        valid = [_counting(one, present.get(one.id)) for one in loaded.processes]
        remembered = self._remembered(valid) if loaded.errors else []
        kept = [_counting(one, present.get(one.id)) for one in remembered]
        processes = sorted([*valid, *kept], key=lambda process: process.id)
        changed = [process.id for process in processes if self._activate(process, present, now)]
        problems = [str(error) for error in loaded.errors]
        problems += [f"{process.id} stays at version {process.version}" for process in kept]
        self._seen = seen
        return Loaded(tuple(processes), tuple(changed), tuple(problems), tuple(loaded.tables.values()))

    def read_again(self) -> None:
        """Have the next call read everything: what this one gave could not be used."""
        self._seen = None

    def _activate(self, process: Process, present: Mapping[str, Activation], now: datetime) -> bool:
        """Remember a definition that counts; whether it is a new one."""
        content, last = process.definition_hash, present.get(process.id)
        if last is None or last.hash != content:
            self._history.add(process.id, process.version, content, _text(process), now)
        return self._control.activate_definition(process.id, process.version, content, _text(process), now)

    def _remembered(self, valid: Sequence[Process]) -> list[Process]:
        known = {process.id for process in valid}
        kept = []
        for definition in self._control.definitions().values():
            if definition.process in known:
                continue
            try:
                kept.append(Process.model_validate_json(definition.source))
            except ValidationError:
                continue  # written by a version that knew other fields
        return kept

    def _files(self) -> list[Path]:
        folders = [SHIPPED, SHIPPED_CALENDARS]
        if self._config is not None:
            folders += [self._config / "processes", self._config / "calendars"]
        files = [path for folder in folders for path in folder.glob("*.yaml")]
        return [*files, *((self._config / FOLDER).glob("*.csv") if self._config else ())]


def _counting(process: Process, last: Activation | None) -> Process:
    """The definition of a file, or the one that was put over it."""
    if last is None or last.over != process.definition_hash:
        return process
    try:
        return Process.model_validate_json(last.source)
    except ValidationError:
        return process  # written by a version that knew other fields


def _text(process: Process) -> str:
    return process.model_dump_json(by_alias=True)
