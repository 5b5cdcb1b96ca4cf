"""The alert rules that count: those of the files; for a file that broke, its last valid version, which the
control store keeps over a restart.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING

from throughline.collector.stamps import stamps
from throughline.correlator.alerts.rule_files import (
    FOLDER,
    SHIPPED,
    InvalidRules,
    LoadedRules,
    ReadyFile,
    calendars_of,
    load_rules,
    parse_rules,
)
from throughline.correlator.alerts.written import PREFIX, WrittenRules
from throughline.correlator.calendar_files import SHIPPED as SHIPPED_CALENDARS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from throughline.collector.control import ControlStore

_KEPT = "rules"
log = logging.getLogger(__name__)


class LiveRules:
    """Reads the files again when one of them has changed."""

    def __init__(self, config: Path | None, control: ControlStore) -> None:
        self.current = LoadedRules()
        self._config = config
        self._control = control
        self._seen: object = None
        self._written = WrittenRules(control)
        self._parsed: dict[tuple[str, str], ReadyFile | None] = {}

    def of(self, tenant: str) -> LoadedRules:
        """The rules of one tenant: those of the files, and those that its people wrote and enabled. One whose
        group is in a file by now waits until it has another name. Raises: ControlError.
        """
        files = dict(self.current.files)
        taken = {group.name for group in self.current.groups}
        for one in self._written.latest(tenant):
            file = self._read(one.name, one.text) if one.enabled else None
            if file is not None and not any(group.name in taken for group in file.groups):
                files[file.path] = file
                taken.update(group.name for group in file.groups)
        return LoadedRules(files, self.current.errors)

    def _read(self, name: str, text: str) -> ReadyFile | None:
        key = (name, text)
        if key not in self._parsed:
            try:
                read = parse_rules(text, calendars=calendars_of(self._config))
                self._parsed[key] = read.called(f"{PREFIX}{name}")
            except InvalidRules as error:
                log.error("the rule %s cannot be read any more: %s", name, error)  # noqa: TRY400
                self._parsed[key] = None
        return self._parsed[key]

    def reload(self) -> bool:
        """Read everything if any file differs from the last time; whether it did. Raises: ControlError."""
        seen = stamps(self._files())
        if seen == self._seen:
            return False
        loaded = load_rules(self._config, last={**self._remembered(), **self.current.files})
        for error in loaded.errors:
            log.error("%s\nthe last valid version of the file stays in force", error)
        broken = {problem.file for error in loaded.errors for problem in error.problems}
        for name, file in loaded.files.items():
            if file.path not in broken and Path(file.path).parent != SHIPPED:
                self._control.set_cursor("", f"{_KEPT}/{name}", Path(file.path).read_text(encoding="utf-8"))
        self.current = loaded
        self._parsed.clear()  # calendars may have changed
        self._seen = seen
        return True

    def _remembered(self) -> dict[str, ReadyFile]:
        """The last valid versions of files that are there but may have broken while nothing ran."""
        found = {}
        for path in (self._config / FOLDER).glob("*.yaml") if self._config else ():
            text = self._control.cursor("", f"{_KEPT}/{path.name}")
            if text is None:
                continue
            try:
                read = parse_rules(text, calendars=calendars_of(self._config))
                found[path.name] = read.called(str(path))
            except InvalidRules:
                continue  # written by a version that knew other fields
        return found

    def _files(self) -> Iterator[Path]:
        folders = [SHIPPED, SHIPPED_CALENDARS]
        if self._config is not None:
            folders += [self._config / FOLDER, self._config / "calendars"]
        return (path for folder in folders for path in folder.glob("*.yaml"))
