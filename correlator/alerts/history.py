"""Views as they stood at earlier times, for backtests: read once as known now, then asked for any time.

Journeys, milestones and exceptions are told from the times of their facts; other views take the time as far
as they do by themselves (`AS_KNOWN_NOW` names those that do not).
"""

from __future__ import annotations

import contextlib
import hashlib
from typing import TYPE_CHECKING, Any

from throughline.collector.store import Role, Store, load_queries
from throughline.correlator.alerts.asking import bound

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

SQL = load_queries("throughline.correlator", "backtest")
MADE = ("journeys", "milestones", "exceptions")
THEN = (*MADE, "events", "business_events")
"""What is told as it stood then."""
AS_KNOWN_NOW = ("cycles", "sources", "risks", "reference", "relations", "entitlements", "likely_late")
"""What is not: these show what is known now, at any time."""
_MEMORY_BYTES = 2 * 1024**3


class History:
    """One backtest's own; `owner` names its tables."""

    def __init__(self, store: Store, tenant: str, owner: str) -> None:
        self._store, self._tenant = store, tenant
        self._prefix = f"backtest_{hashlib.sha256(owner.encode()).hexdigest()[:10]}"

    @contextlib.contextmanager
    def read(self, until: datetime) -> Iterator[Mapping[str, str]]:
        """Read what is known, and yield the SELECTs that stand for views, until the end of the block.

        Raises: StoreError: it does not fit into memory, for example.
        """
        try:
            for name in MADE:
                self._drop(name)
                self._store.command(
                    f"CREATE TABLE {self._table(name)} ENGINE = Memory AS {SQL[f'make_{name}']}"
                    + (", " if "SETTINGS" in SQL[f"make_{name}"] else " SETTINGS ")
                    + f"max_memory_usage = {_MEMORY_BYTES}",
                    bound(self._tenant, until),
                    role=Role.ADHOC,
                )
            yield {name: self._text(name) for name in THEN}
        finally:
            for name in MADE:
                self._drop(name)

    def bad(self, since: datetime, until: datetime) -> dict[tuple[str, str], datetime]:
        """When each journey that turned out badly within a period did so first. While `read` lasts."""
        given = {
            "since": bound("", since)["now"],
            "until": bound("", until)["now"],
            "never": "2299-12-31 00:00:00.000000",
        }
        found: dict[tuple[str, str], Any] = {
            (str(process), str(journey)): at
            for process, journey, at in self._store.query(
                self._text("bad"), given, role=Role.ADHOC
            ).result_rows
        }
        return {key: at.replace(tzinfo=since.tzinfo) for key, at in found.items()}

    def _text(self, name: str) -> str:
        text = SQL[name]
        for made in MADE:
            text = text.replace(f"MADE_{made}", self._table(made))
        return text

    def _table(self, name: str) -> str:
        return f"{self._prefix}_{name}"

    def _drop(self, name: str) -> None:
        self._store.command(f"DROP TABLE IF EXISTS {self._table(name)} SYNC", role=Role.ADHOC)
