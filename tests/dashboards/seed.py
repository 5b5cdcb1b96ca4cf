"""A small firm's journeys, written straight into the journey tables: weeks of history with every kind of
trouble in it.

`seed(store)` is deterministic: the same seed gives the same rows for the same clock.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from tests.dashboards.seed_firm import NAMESPACES, NOW, PROCESS, engagement
from tests.dashboards.seed_rows import JourneyRows
from throughline.collector.store import Role, Store


@dataclass
class Seeded:
    """What was written, for tests to aim at."""

    tenant: str
    journeys: list[dict[str, Any]] = field(default_factory=list)

    def first(self, status: str) -> dict[str, Any]:
        """The newest journey of a status."""
        return max((one for one in self.journeys if one["status"] == status), key=lambda one: one["opened"])


def seed(
    store: Store,
    *,
    tenant: str = "default",
    count: int = 220,
    now: datetime = NOW,
    process: str = PROCESS,
    generation: int = 1,
    active: bool = True,
    number: int = 7,
) -> Seeded:
    """Write `count` journeys of one tenant and return them."""
    chance = random.Random(f"{tenant}{number}")
    journeys = [engagement(index, now, chance) for index in range(count)]
    _Writer(store, tenant, process, generation, now).write(journeys, active=active)
    return Seeded(tenant, journeys)


class _Writer:
    """Puts the journeys of one tenant and generation into a store."""

    def __init__(self, store: Store, tenant: str, process: str, generation: int, now: datetime) -> None:
        self._store, self._tenant, self._process = store, tenant, process
        self._generation, self._now = generation, now

    def write(self, journeys: Sequence[dict[str, Any]], *, active: bool) -> None:
        """Hash every key in the engine, then insert all tables."""
        keys = sorted({key for journey in journeys for key in journey["keys"]})
        hashes = self._hashes(keys)
        rows: dict[str, list[dict[str, Any]]] = {}
        for key in keys:
            level = NAMESPACES.index(key[0])
            rows.setdefault("keys", []).append(
                {
                    "Key": hashes[key],
                    "Level": level,
                    "Rank": 0,
                    "Namespace": key[0],
                    "Value": key[1],
                    "Object": hashes[key],
                    "Alias": "none",
                }
            )
        for journey in journeys:
            objects = [hashes[key] for key in journey["keys"]]
            JourneyRows(self._tenant, self._now, journey, objects, rows).make()
        for table, members in rows.items():
            self._insert(table, members)
        if active:
            self._insert(
                "generations",
                [{"DefinitionHash": "seeded", "DefinitionVersion": 1, "ActivatedAt": self._now}],
                deleted=False,
            )
            self._plain("correlation_progress", [{"Version": 1, "Watermark": self._now, "Stragglers": 0}])

    def _hashes(self, keys: Sequence[tuple[str, str]]) -> dict[tuple[str, str], int]:
        result = self._store.query(
            "SELECT arrayMap((namespace, value) -> sipHash64({t:String}, {p:String}, namespace, value), "
            "{n:Array(String)}, {v:Array(String)})",
            {
                "t": self._tenant,
                "p": self._process,
                "n": [one[0] for one in keys],
                "v": [one[1] for one in keys],
            },
            role=Role.CORRELATOR,
        )
        return dict(zip(keys, result.result_rows[0][0], strict=True))

    def _insert(self, table: str, members: Sequence[dict[str, Any]], *, deleted: bool = True) -> None:
        if table in {"business_events", "otel_traces", "otel_traces_trace_id_ts", "exception_transitions"}:
            self._plain(table, members)
            return
        common = {"Process": self._process, "Generation": self._generation, "Version": self._generation}
        if deleted:
            common["Deleted"] = 0
        self._plain(table, [{**common, **one} for one in members])

    def _plain(self, table: str, members: Sequence[dict[str, Any]]) -> None:
        columns = ["Tenant", *members[0]]
        self._store.insert_rows(
            table, [[self._tenant, *one.values()] for one in members], columns, role=Role.LOADER
        )
