"""Looks for the effects of replays: what waits for one, and what may still show one too late or twice."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from throughline.correlator.replay.ledger import MOST_READ, Ledger
from throughline.correlator.replay.records import WORKER
from throughline.correlator.replay.verify import effects

if TYPE_CHECKING:
    from throughline.collector.control import ControlStore
    from throughline.collector.store import Store
    from throughline.correlator.replay.records import Item
    from throughline.correlator.replay.verify import Effect

VERIFY_EVERY = timedelta(seconds=2)
LATE_EVERY = timedelta(minutes=1)


class Verifying:
    """`look` is called in each turn of the worker."""

    def __init__(
        self,
        store: Store,
        control: ControlStore,
        now: datetime,
        *,
        report: Callable[[str, Sequence[Item], datetime], None],
        checkpoint: Callable[[str], None],
    ) -> None:
        """`report` is told of second effects. `checkpoint` is called before each step: a test dies there."""
        self._store = store
        self._control = control
        self._ledger = Ledger(control)
        self._report = report
        self._checkpoint = checkpoint
        self._looked_until: Item | None = None
        self._looked_late_until: Item | None = None
        self._looked_at = self._looked_late_at = datetime.min.replace(tzinfo=now.tzinfo)

    def look(self, now: datetime) -> None:
        """Look for effects, late ones and second ones less often; then see which deadlines have passed.

        Never for more than some at once: the next look goes on where this one ended.
        """
        if now - self._looked_at < VERIFY_EVERY:
            return
        self._looked_at = now
        waiting = self._ledger.unsettled(self._looked_until)
        self._looked_until = waiting[-1] if len(waiting) == MOST_READ else None
        if now - self._looked_late_at >= LATE_EVERY:
            late = self._ledger.settled_lately(now, self._looked_late_until)
            self._looked_late_until = late[-1] if len(late) == MOST_READ else None
            if self._looked_late_until is None:
                self._looked_late_at = now
            waiting += late
        for tenant in sorted({item.tenant for item in waiting}):
            mine = [item for item in waiting if item.tenant == tenant]
            found = effects(self._store, tenant, mine, now)
            with self._control.together():
                self._judge(mine, found, now)
            for item in mine:
                effect = found.get(item.name)
                if item.state == "verified" and effect is not None and effect.repeated > 1:
                    self._tell_duplicate(item, now)

    def _judge(self, waiting: Sequence[Item], found: Mapping[str, Effect], now: datetime) -> None:
        """Note what came of items that are not verified yet."""
        for item in waiting:
            self._checkpoint("verify")
            effect = found.get(item.name)
            if item.state == "verified":
                continue
            if effect is not None:
                self._ledger.move(
                    item, "verified", now, actor=WORKER, reason=f"{item.event} arrived.",
                    outcome=effect.outcome, verified_by=effect.event, uncertain=False, claimed_until=None,
                )  # fmt: skip
            elif item.state == "accepted" and item.verify_until is not None and now > item.verify_until:
                reason = "Nothing has happened within its time."
                self._ledger.move(item, "unverified", now, actor=WORKER, reason=reason)

    def _tell_duplicate(self, item: Item, now: datetime) -> None:
        """Open an exception for a second effect, then remember that it was done: told twice counts once."""
        self._report(item.tenant, [item], now)
        reason = "A second effect: an exception was opened."
        self._ledger.move(item, "verified", now, actor=WORKER, reason=reason, duplicated=True)
