"""Whether it worked: the aimed event, on the same object, no error, first received after sending."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from throughline.collector.store import Role, Store
from throughline.correlator.replay.facts import QUERIES, FactsReader

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from throughline.correlator.replay.records import Item


@dataclass(frozen=True, slots=True)
class Effect:
    """What was seen of an item: caused by the replay, or only observed; the event's id; how often one source
    has said so.
    """

    outcome: str
    event: str
    repeated: int


def effects(store: Store, tenant: str, items: Sequence[Item], now: datetime) -> dict[str, Effect]:
    """The effects of items, by item name. Raises: StoreError."""
    found = _by_events(store, tenant, [item for item in items if item.event])
    return found | _by_facts(store, tenant, [item for item in items if item.name not in found], now)


def _by_events(store: Store, tenant: str, items: Sequence[Item]) -> dict[str, Effect]:
    wanted = [
        (item.name, int(item.subject), item.event, int(item.sent_at.timestamp() * 1_000_000), item.trace_id)
        for item in items
        if item.sent_at
    ]
    if not wanted:
        return {}
    subjects = sorted({subject for _, subject, *_ in wanted})
    parameters = {"tenant": tenant, "wanted": wanted, "subjects": subjects}
    rows = store.query(QUERIES["effects"], parameters, role=Role.PAGES).result_rows
    return {
        str(name): Effect("caused" if caused else "observed", str(event), int(repeated))
        for name, event, caused, repeated in rows
    }


def _by_facts(store: Store, tenant: str, items: Sequence[Item], now: datetime) -> dict[str, Effect]:
    """Of checks, which have no event: that they hold now."""
    checks = [item for item in items if not item.event and item.state != "verified"]
    known = {
        one.id: one for one in FactsReader(store, tenant, now).by_id([item.exception for item in checks])
    }
    return {
        item.name: Effect("observed", "", 1)
        for item in checks
        if item.exception not in known or not known[item.exception].failing
    }
