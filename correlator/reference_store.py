"""Reference tables in the store: each content written once, the one that counts known by its hash."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC
from typing import TYPE_CHECKING, Any

from throughline.collector.store import Role, Store, load_queries

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from throughline.correlator.reference_files import LoadedTables, ReferenceTable

SQL = load_queries("throughline.correlator", "reference")
EVERY_TENANT = ""
_VERSION = ["Tenant", "Name", "LoadedAt", "Content", "Entries"]


@dataclass(frozen=True, slots=True)
class Content:
    """What a table held at a time: the hash of it, since when, how many rows."""

    content: str
    since: datetime
    entries: int


class ReferenceStore:
    """Writes tables and what is made of exchange rates. Whatever is written twice is the same twice."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def publish(self, loaded: LoadedTables, now: datetime) -> list[str]:
        """Let what was read count from now on, and return the names of the tables that changed. One that is
        broken stays as it was; one without a file counts no longer. Raises: StoreError.
        """
        before = self.contents(EVERY_TENANT, now)
        changed = []
        for name, table in loaded.tables.items():
            if name not in before or before[name].content != table.content_hash:
                self.keep(table)
                self._count_from(now, name, table.content_hash, len(table.entries))
                changed.append(name)
        for name in before.keys() - loaded.tables.keys() - loaded.broken:
            self._count_from(now, name, "", 0)
            changed.append(name)
        return sorted(changed)

    def contents(self, tenant: str, now: datetime) -> dict[str, Content]:
        """Return what the tables held at a time, by name. Raises: StoreError."""
        moment = now.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")
        rows = self._store.query(
            SQL["contents"], {"tenant": tenant, "now": moment}, role=Role.PAGES
        ).result_rows
        return {str(name): Content(str(content), since, int(count)) for name, content, since, count in rows}

    def provide(self, rates: str, target: str) -> None:
        """Have ready what every currency was worth in `target` by the rates of this content, which are
        computed when first asked for. Raises: StoreError.
        """
        asked = {"content": rates, "target": target}
        if self._number("known_factors", asked):
            return
        if not self._number("known_quotes", {"content": rates}):
            self._store.command(SQL["quotes"], {"content": rates}, role=Role.CORRELATOR)
        self._store.command(SQL["factors"], asked, role=Role.CORRELATOR)

    def keep(self, table: ReferenceTable) -> None:
        """Have the rows of a table in the store, whether or not it counts. Raises: StoreError."""
        content = table.content_hash
        if self._number("stored", {"content": content}) == len(table.entries):
            return
        names = ["Content", "Key", "ValidFrom", "ValidTo", "Values"]
        rows = [(content, one.key, one.valid_from, one.valid_to, dict(one.values)) for one in table.entries]
        self._store.insert_rows("reference_rows", rows, names, role=Role.CORRELATOR)

    def _count_from(self, now: datetime, name: str, content: str, entries: int) -> None:
        row = (EVERY_TENANT, name, now, content, entries)
        self._store.insert_rows("reference_versions", [row], _VERSION, role=Role.CORRELATOR)

    def _number(self, query: str, parameters: Mapping[str, Any]) -> int:
        rows = self._store.query(SQL[query], parameters, role=Role.CORRELATOR).result_rows
        return int(rows[0][0])
