"""The connections in force while files change: those of the file now; if it broke, its last valid content."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path

from throughline.collector.connections import (
    CONNECTIONS_FILE,
    load_connections,
    secret_files,
)
from throughline.collector.stamps import Stamp, stamp
from throughline.probes.errors import ConfigurationError

log = logging.getLogger(__name__)


class LiveConnections:
    """Holds the `Connections` and replaces them when a file has changed; users ask `current`."""

    def __init__(self, config: Path | None, environ: Mapping[str, str], *, lenient: bool = False) -> None:
        """Read the file; `lenient` as in `load_connections`.

        Raises: InvalidConnections.
        """
        self._config = config
        self._environ = environ
        self._lenient = lenient
        self.current = load_connections(config, environ, lenient=lenient)
        self._seen = self._stamps()

    def reload(self) -> None:
        """Read again if the file or that of a secret changed; a file that breaks changes nothing."""
        seen = self._stamps()
        if seen == self._seen:
            return
        self._seen = seen
        try:
            self.current = load_connections(self._config, self._environ, lenient=self._lenient)
        except ConfigurationError as error:
            log.error("The connections stay as they were: %s", error)  # noqa: TRY400
        else:
            log.info("Read %d connections", len(self.current.by_id))
            self._seen = self._stamps()  # with the secrets' files of now

    def _stamps(self) -> tuple[Stamp | None, ...]:
        files = [self._config / CONNECTIONS_FILE] if self._config else []
        return tuple(stamp(file) for file in [*files, *secret_files(self.current)])
