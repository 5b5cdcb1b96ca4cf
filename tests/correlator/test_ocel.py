"""A public log of 22,367 events (orders, items, packages, customers) through the real correlator.

What must come out is worked out here from the log itself; that all tables equal the reference comes on top.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from datetime import datetime
from itertools import count, pairwise, product
from pathlib import Path
from typing import Any

import pytest

from tests.correlator.facts import EPOCH, Said, World, process_of
from tests.correlator.reference import Key, Level, Pair
from throughline.collector.store import Store

LOG = Path(__file__).parents[3] / "shared/data/ocel/orders.jsonl.gz"
NAMESPACES = {
    "orders": "orders.order",
    "items": "items.item",
    "packages": "packages.package",
    "customers": "customers.customer",
}
MILESTONES = (
    "[{name: placed, event: place order}, {name: confirmed, event: confirm order}, "
    "{name: paid, event: pay order}, {name: delivered, event: package delivered, repeats: true}]"
)
BATCH = 6000
TENANTS = count(1)

pytestmark = pytest.mark.skipif(not LOG.exists(), reason="the public log is not part of the distribution")


@pytest.fixture(scope="module")
def rows() -> list[dict[str, Any]]:
    """The log, one dict per event."""
    with gzip.open(LOG, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def said(rows: list[dict[str, Any]], columns: tuple[str, ...]) -> Iterator[Said]:
    """Events with keys of some columns."""
    for row in rows:
        time = datetime.fromisoformat(row["time"])
        keys = tuple(f"{NAMESPACES[column]}:{value}" for column in columns for value in row[column])
        yield Said(f"event-{row['id']}", row["activity"], int((time - EPOCH).total_seconds()), keys)


def correlated(store: Store, rows: list[dict[str, Any]], columns: tuple[str, ...]) -> World:
    """A tenant that has taken the log live, batch by batch."""
    levels = [Level((NAMESPACES[column],)) for column in columns]
    world = World(store, f"ocel-{next(TENANTS)}", levels, process_of(levels, "orders", milestones=MILESTONES))
    events = list(said(rows, columns))
    for start in range(0, len(events), BATCH):
        world.say(*events[start : start + BATCH])
        world.tick()
    return world


def pairs_of(rows: list[dict[str, Any]], columns: tuple[str, ...]) -> tuple[set[Pair], int]:
    """(pairs that some event states clearly, occurrences of pairs that events leave open)."""
    clear: set[Pair] = set()
    left_open = 0
    for row in rows:
        named: list[list[Key]] = [
            [(NAMESPACES[column], value) for value in row[column]] for column in columns if row[column]
        ]
        for upper, lower in pairwise(named):
            if len(upper) == 1 or len(lower) == 1:
                clear |= set(product(upper, lower))
            else:
                left_open += len(upper) * len(lower)
    return clear, left_open


def test_orders_items_and_packages_are_2000_journeys(
    embedded_store: Store, rows: list[dict[str, Any]]
) -> None:
    """No orphan; items belong to the orders that were placed with them; no pair is linked on suspicion."""
    columns = ("orders", "items", "packages")
    world = correlated(embedded_store, rows, columns)
    result = world.check()
    clear, left_open = pairs_of(rows, columns)
    assert {root for root, _value in result.journeys} == {"orders.order"}
    assert len(result.journeys) == 2000
    assert result.named("orphan") == set()
    placed, _none = pairs_of([row for row in rows if row["activity"] == "place order"], columns)
    assert {pair for pair in result.edges if pair[1][0] == "items.item"} == placed
    assert result.edges == clear
    assert sum(result.ambiguous_links.values()) == left_open == 105_058
    world.close()


def test_busy_customers_are_hubs_and_join_nothing(embedded_store: Store, rows: list[dict[str, Any]]) -> None:
    """16 of 17 customers have more than 100 orders; the orders stay 2,000 journeys."""
    world = correlated(embedded_store, rows, ("orders", "customers"))
    result = world.check()
    customers = {key for key in result.objects if key[0] == "customers.customer"}
    assert len(customers) == 17
    assert len(result.named("hub")) == 16
    assert result.named("hub") < customers
    assert len(result.journeys) == 2000
    assert result.named("orphan") == set()
    world.close()
