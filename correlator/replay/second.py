"""A second effect of one replay: something was done twice. An event like any other opens an exception."""

from __future__ import annotations

from typing import TYPE_CHECKING

from throughline.collector.saying import say
from throughline.correlator.replay.facts import FactsReader
from throughline.probes.vocabulary import BusinessEvent, ExceptionClass

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from throughline.collector.store import Store
    from throughline.correlator.replay.records import Item

CODE = "duplicate_effect"


def report(store: Store, tenant: str, items: Sequence[Item], now: datetime) -> None:
    """Say of each item that its event has happened twice. Said again it counts once. Raises: StoreError."""
    known = {one.id: one for one in FactsReader(store, tenant, now).by_id([item.exception for item in items])}
    events = []
    for item in items:
        facts = known.get(item.exception)
        namespace, _, value = facts.subject_name.partition(":") if facts else ("", "", "")
        if facts is None or not value:
            continue
        events.append(
            BusinessEvent(
                event=item.event,
                keys={namespace: value},
                subject=namespace,
                id=f"second-effect/{item.name}",
                time=now,
                system="throughline",
                failed=True,
                exception_class=ExceptionClass.BUSINESS,
                exception_code=CODE,
                exception_message=f"{item.event} has happened twice since the replay {item.name}.",
                customer=facts.customer,
                entity=facts.entity,
                region=facts.region,
            )
        )
    if events:
        say(store, tenant, events, now)
