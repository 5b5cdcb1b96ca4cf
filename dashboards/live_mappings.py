"""The mappings that count: those of the files; for a file that broke, its last valid version."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from throughline.collector.stamps import stamps
from throughline.correlator.mapping_files import FOLDER, PRESETS, load_mappings
from throughline.correlator.mapping_store import MappingStore

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from throughline.collector.store import Store
    from throughline.correlator.mapping_sql import Named

log = logging.getLogger(__name__)


class LiveMappings:
    """Reads the files again when one of them has changed. The last valid version stands in the store, so
    that it counts after a restart too.
    """

    def __init__(self, config: Path | None, store: Store) -> None:
        self._config = config
        self._mappings = MappingStore(store)
        self._seen: object = None

    def reload(self, now: datetime) -> list[Named] | None:
        """Publish what the files say, and return the rules, if any file differs from the last time.

        A remembered mapping that no file defines, while some file is broken, stays as it was.
        Raises: StoreError; the next call tries again.
        """
        folders = [PRESETS] + ([self._config / FOLDER] if self._config else [])
        seen = stamps(path for folder in folders for path in folder.glob("*.yaml"))
        if seen == self._seen:
            return None
        loaded = load_mappings(self._config)
        found = {one.mapping: one for one in loaded.mappings}
        for error in loaded.errors:
            log.error("%s", error)
        kept = (
            [one for one in self._mappings.remembered() if one.mapping not in found] if loaded.errors else []
        )
        for one in kept:
            log.error("the mapping %s stays as it was", one.mapping)
        rules = self._mappings.publish([*found.values(), *kept], now)
        self._seen = seen
        return rules
