"""Who is told of alerts: the file as it is now, or its last valid text, which survives a restart."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from throughline.collector.stamps import stamps
from throughline.correlator.alerts.rule_files import calendars_of
from throughline.correlator.notify.channels import (
    CHANNELS_FILE,
    Channels,
    InvalidChannels,
    load_channels,
    parse_channels,
)

if TYPE_CHECKING:
    from pathlib import Path

    from throughline.collector.control import ControlStore

_KEPT = f"file {CHANNELS_FILE}"
log = logging.getLogger(__name__)


class LiveChannels:
    """Reads the file again when it, or a calendar, has changed."""

    def __init__(self, config: Path | None, control: ControlStore) -> None:
        self.current = Channels()
        self._config = config
        self._control = control
        self._seen: object = None

    def reload(self) -> None:
        """Take over what has changed; a file that breaks changes nothing and is logged.

        Raises: ControlError; the next call tries again.
        """
        seen = stamps(self._files())
        if seen == self._seen:
            return
        first, self._seen = self._seen is None, seen
        try:
            self.current = load_channels(self._config)
        except InvalidChannels as error:
            log.error("Alerts are told as before:\n%s", error)  # noqa: TRY400
            kept = self._control.cursor("", _KEPT) if first else None
            if kept:
                self.current = parse_channels(kept, calendars=calendars_of(self._config))
            return
        path = self._config / CHANNELS_FILE if self._config else None
        if path is not None and path.exists():
            self._control.set_cursor("", _KEPT, path.read_text(encoding="utf-8"))

    def _files(self) -> list[Path]:
        if self._config is None:
            return []
        return [self._config / CHANNELS_FILE, *(self._config / "calendars").glob("*.yaml")]
