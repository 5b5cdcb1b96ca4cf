"""The reference tables that count: those of the files; for a file that broke, its last valid version."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from throughline.collector.stamps import stamps
from throughline.correlator.reference_files import FOLDER, load_tables
from throughline.correlator.reference_kinds import RATES
from throughline.correlator.reference_store import EVERY_TENANT, ReferenceStore

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from throughline.collector.store import Store

log = logging.getLogger(__name__)


class LiveTables:
    """Reads the files again when one of them has changed. The last valid version stands in the store, so
    that it counts after a restart too.
    """

    def __init__(self, config: Path | None, store: Store, reporting_currency: str) -> None:
        self._config = config
        self._reference = ReferenceStore(store)
        self._currency = reporting_currency
        self._seen: object = None

    def reload(self, now: datetime) -> None:
        """Publish what the files say if any differs from the last time. Raises: StoreError."""
        seen = stamps((self._config / FOLDER).glob("*.csv") if self._config else ())
        if seen == self._seen:
            return
        loaded = load_tables(self._config)
        for error in loaded.errors:
            log.error("%s; the last valid version stays in force", error)
        for name in self._reference.publish(loaded, now):
            log.info("the reference table %s has changed", name)
        rates = self._reference.contents(EVERY_TENANT, now).get(RATES)
        if self._currency and rates:
            self._reference.provide(rates.content, self._currency)
        self._seen = seen
