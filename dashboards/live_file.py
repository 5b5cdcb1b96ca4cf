"""One file of the configuration as it is now, or its last valid text.

The control store keeps that text, so that it counts after a restart too.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Generic, TypeVar

from throughline.correlator.problems import InvalidFile

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from throughline.collector.control import ControlStore

log = logging.getLogger(__name__)

EVERY_TENANT = ""
Content = TypeVar("Content")


class LiveFile(Generic[Content]):
    """Reads the file again when it has changed; `current` is what it says."""

    def __init__(
        self,
        config: Path | None,
        name: str,
        parse: Callable[[Path | str], Content],
        control: ControlStore,
        *,
        without: Content,
    ) -> None:
        """`parse` reads a file or a text, and raises InvalidFile; `without` a file that counts."""
        self.current = without
        self._config = config
        self._name = name
        self._kept = f"file {name}"
        self._parse = parse
        self._control = control
        self._without = without
        self._seen: str | None = None
        self._first = True

    def reload(self) -> None:
        """Take over what has changed; a file that breaks changes nothing and is logged.

        Raises: ControlError; the next call tries again.
        """
        text = self._text()
        if text == self._seen and not self._first:
            return
        if text is None or self._config is None:
            self.current = self._without
        else:
            self.current = self._read(self._config / self._name, text)
        self._first, self._seen = False, text

    def _read(self, file: Path, text: str) -> Content:
        try:
            found = self._parse(file)
        except InvalidFile as error:
            log.error("%s stays as it was:\n%s", self._name, error)  # noqa: TRY400 - a sentence each
            return self._last() if self._first else self.current
        self._control.set_cursor(EVERY_TENANT, self._kept, text)
        return found

    def _last(self) -> Content:
        """What was valid before the restart; what a new release takes no more is as if there was none."""
        last = self._control.cursor(EVERY_TENANT, self._kept)
        try:
            return self._parse(last) if last else self.current
        except InvalidFile:
            return self.current

    def _text(self) -> str | None:
        try:
            return (self._config / self._name).read_text(encoding="utf-8") if self._config else None
        except (OSError, UnicodeDecodeError):
            return None
