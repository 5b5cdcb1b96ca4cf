"""The facts of items that are due, read together with those of the items after them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from throughline.correlator.replay.facts import FactsReader

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from throughline.collector.store import Store
    from throughline.correlator.replay.facts import Facts
    from throughline.correlator.replay.ledger import Ledger
    from throughline.correlator.replay.records import Item, Replay

AHEAD = 500
"""Items whose facts are read at once; they are as old as the turn when they are sent."""


class Ahead:
    """What one turn knows of exceptions, by replay."""

    def __init__(self, store: Store, ledger: Ledger) -> None:
        self._store = store
        self._ledger = ledger
        self._known: dict[str, dict[str, Facts | None]] = {}

    def forget(self) -> None:
        """A new turn reads anew."""
        self._known.clear()

    def facts(self, replay: Replay, due: Sequence[Item], now: datetime) -> Mapping[str, Facts | None]:
        """The facts by exception, those of all due items among them; None of what is gone."""
        known = self._known.setdefault(replay.id, {})
        if any(item.exception not in known for item in due):
            asked = (item.exception for item in (*due, *self._ledger.due(replay, now, AHEAD)))
            new = list(dict.fromkeys(one for one in asked if one not in known))
            found = {one.id: one for one in FactsReader(self._store, replay.tenant, now).by_id(new)}
            known |= dict.fromkeys(new) | found
        return known
