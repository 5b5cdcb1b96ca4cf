"""Where tickets are opened: the file as it is now, or its last valid text."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from throughline.correlator.problems import InvalidFile
from throughline.correlator.tickets.places import TICKETS_FILE, Places, parse_places

if TYPE_CHECKING:
    from pathlib import Path

    from throughline.collector.control import ControlStore

log = logging.getLogger(__name__)

EVERY_TENANT = ""


class LiveTickets:
    """Reads the file again when it has changed; its last valid text outlives a restart."""

    def __init__(self, config: Path | None, control: ControlStore) -> None:
        self._config, self._control = config, control
        self._seen: str | None = None
        self._first = True
        self.places = Places()

    def reload(self) -> None:
        """Take over what has changed; a file that breaks changes nothing and is logged.

        Raises: ControlError; the next call tries again.
        """
        text = self._text()
        if text == self._seen and not self._first:
            return
        first, self._first, self._seen = self._first, False, text
        if text is None or self._config is None:
            self.places = Places()
            return
        try:
            self.places = parse_places(self._config / TICKETS_FILE)
        except InvalidFile as error:
            log.error("%s stays as it was:\n%s", TICKETS_FILE, error)  # noqa: TRY400 - a sentence each
            kept = self._control.cursor(EVERY_TENANT, f"file {TICKETS_FILE}") if first else None
            self.places = parse_places(kept) if kept else self.places
            return
        self._control.set_cursor(EVERY_TENANT, f"file {TICKETS_FILE}", text)

    def _text(self) -> str | None:
        try:
            return (self._config / TICKETS_FILE).read_text(encoding="utf-8") if self._config else None
        except (OSError, UnicodeDecodeError):
            return None
