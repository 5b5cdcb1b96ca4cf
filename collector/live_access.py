"""The tokens in force while files change: those of the files now; if a file broke, its last valid content."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path

from throughline.collector.auth import TOKENS_FILE, TOKENS_VARIABLE, Access, require_safe_bind
from throughline.collector.stamps import Stamp, stamp
from throughline.probes.errors import ConfigurationError

RELOAD_SECONDS = 2.0

log = logging.getLogger(__name__)


class LiveAccess:
    """Holds an `Access` and replaces it when a file has changed; whoever answers requests asks `current`."""

    def __init__(self, host: str, config: Path | None, environ: Mapping[str, str]) -> None:
        """Read the tokens for a server that listens on `host`.

        Raises: ConfigurationError, when they can't be read or do not suffice for that address.
        """
        self._host = host
        self._config = config
        self._environ = environ
        self._seen = self._stamps()
        self.current = self._load()

    def reload(self) -> None:
        """Read again if a file differs from the last time; a file that breaks changes nothing and is logged.

        The same holds for one without tokens while others than this machine reach the server.
        """
        seen = self._stamps()
        if seen == self._seen:
            return
        self._seen = seen
        try:
            self.current = self._load()
        except ConfigurationError as error:
            log.error("The tokens stay as they were: %s", error)  # noqa: TRY400
        else:
            log.info("Read %d tokens", len(self.current.tokens))

    def _load(self) -> Access:
        access = Access.load(self._config, self._environ)
        require_safe_bind(self._host, access)
        return access

    def _stamps(self) -> tuple[Stamp | None, ...]:
        mounted = self._environ.get(f"{TOKENS_VARIABLE}_FILE")
        files = [self._config / TOKENS_FILE] if self._config else []
        return tuple(stamp(file) for file in [*files, *([Path(mounted)] if mounted else [])])
