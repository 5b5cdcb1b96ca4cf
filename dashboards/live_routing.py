"""The routing rules in force: those of `routing.yaml` now; if it broke, its last valid content, which the
store keeps.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from throughline.collector.stamps import Stamp, stamp
from throughline.collector.store import Role, Store
from throughline.correlator.routing import ROUTING_FILE, InvalidRouting, Routing, load_routing

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from pathlib import Path

log = logging.getLogger(__name__)


class LiveRouting:
    """Brings the rules to the store, where the views find them, whenever the file has changed."""

    def __init__(self, config: Path | None, store: Store, clock: Callable[[], datetime]) -> None:
        self._config = config
        self._store = store
        self._clock = clock
        self._seen: Stamp | None = (0, 0)  # no file looks like this: the first look reads it

    def reload(self) -> None:
        """Read the file if it differs from the last time; one that breaks changes nothing and is logged.

        Raises: StoreError; the next call tries again.
        """
        seen = stamp(self._config / ROUTING_FILE) if self._config else None
        if seen == self._seen:
            return
        try:
            publish(self._store, load_routing(self._config), self._clock())
        except InvalidRouting as error:
            log.error("The routing of exceptions stays as it was:\n%s", error)  # noqa: TRY400
        self._seen = seen


def publish(store: Store, routing: Routing, now: datetime) -> None:
    """Make these rules the ones that count, for every tenant."""
    row = ("", [rule.row() for rule in routing.routes], int(now.timestamp() * 1_000_000))
    store.insert_rows("exception_routing", [row], ("Tenant", "Rules", "Version"), role=Role.CORRELATOR)
