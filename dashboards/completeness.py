"""How complete and how fresh a tenant's data are: counted from the spool, the raw tables and the
correlator's watermark.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from throughline.collector.spool import pending
from throughline.collector.store import Role, Store, load_queries
from throughline.correlator.mapping_store import MappingStore

SQL = load_queries("throughline.dashboards", "status")
SIGNALS = {"traces": "spans", "logs": "logs", "metrics": "metrics", "events": "events"}


def completeness(store: Store, spool: Path, tenant: str, now: datetime) -> dict[str, Any]:
    """Return the numbers of `/status`. Received = loaded by now plus still in the spool."""
    waiting, spool_bytes = _spooled(spool, tenant)
    loaded = {SIGNALS.get(signal, signal): int(items) for signal, items in _rows(store, "received", tenant)}
    stored = {signal: int(rows) for signal, rows in _rows(store, "stored", tenant)}
    until, oldest, dead_letters = _rows(store, "correlated", tenant)[0]
    hubs, detached, looped = _rows(store, "linking", tenant)[0]
    rules = MappingStore(store).states(tenant)
    return {
        "received": {name: loaded.get(name, 0) + waiting.get(name, 0) for name in SIGNALS.values()},
        "stored": {name: stored.get(name, 0) for name in SIGNALS.values()},
        "spool_bytes": spool_bytes,
        "correlated_until": _utc(until),
        "lag_seconds": round(max((now - _utc(oldest)).total_seconds(), 0.0), 3) if oldest else 0.0,
        "dead_letters": int(dead_letters),
        "hub_keys": int(hubs),
        "ambiguous_links": int(_rows(store, "ambiguous", tenant)[0][0] or 0),
        "detached": int(detached),
        "looped": int(looped),
        "unheard": [
            {"event": event, "since": _utc(since), "reason": reason}
            for event, since, reason in _rows(store, "gaps", tenant)
        ],
        "mappings": {
            "rules": len(rules),
            "quarantined": sum(one.quarantined for one in rules),
            "events": sum(one.mapped for one in rules),
        },
    }


def active_generations(store: Store, tenant: str) -> dict[str, dict[str, Any]]:
    """Return the generation of each process that readers see."""
    names = ("Process", "Generation", "DefinitionHash", "DefinitionVersion", "ActivatedAt")
    return {row[0]: dict(zip(names, row, strict=True)) for row in _rows(store, "generations", tenant)}


def _spooled(directory: Path, tenant: str) -> tuple[dict[str, int], int]:
    """Items of the tenant that wait, by signal, and the bytes of all that wait."""
    if not directory.is_dir():
        return {}, 0
    waiting: dict[str, int] = {}
    for (owner, signal), items in pending(directory).items():
        if owner == tenant:
            waiting[SIGNALS.get(signal, signal)] = items
    total = 0
    for path in directory.iterdir():
        try:
            total += path.stat().st_size
        except FileNotFoundError:  # loaded and deleted meanwhile
            continue
    return waiting, total


def _rows(store: Store, query: str, tenant: str) -> list[Any]:
    return list(store.query(SQL[query], {"tenant": tenant}, role=Role.PAGES).result_rows)


def _utc(value: datetime) -> datetime:
    return value.replace(tzinfo=UTC) if value is not None and value.tzinfo is None else value
