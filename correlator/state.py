"""The correlator's own rows in the store: versions, watermarks, generations."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from throughline.collector.store import Role, Store
from throughline.correlator.link import worker_statements

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from throughline.correlator.definition import Process

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

PROCESS_TABLES = (
    "keys", "objects", "edges", "edges_down", "claims", "event_state", "object_events", "journey_events",
    "dirty_journeys", "journey_state", "exception_state",
)  # fmt: skip
"""Tables partitioned by process and generation."""


@dataclass(frozen=True)
class Progress:
    """How far a tenant is correlated: the last version used, and up to when everything is taken."""

    version: int
    watermark: datetime
    stragglers: int


@dataclass(frozen=True)
class Active:
    """The generation of a process that readers see."""

    generation: int
    definition_hash: str
    version: int


class State:
    """Reads and writes those rows."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._queries = worker_statements()

    def ask(self, name: str, **parameters: object) -> Sequence[Sequence[Any]]:
        """Run a named query of worker.sql."""
        rows: Sequence[Sequence[Any]] = self._store.query(
            self._queries[name], parameters, role=Role.CORRELATOR
        ).result_rows
        return rows

    def clock(self) -> datetime:
        """The store's clock: inbox rows are stamped by it."""
        return utc(self.ask("clock")[0][0])

    def progress(self, tenant: str) -> Progress:
        """What was stored last."""
        version, watermark, stragglers = self.ask("progress", tenant=tenant)[0]
        return Progress(int(version), utc(watermark), int(stragglers))

    def reserve(self, tenant: str, last: Progress) -> int:
        """Take a version before anything is written under it: an attempt that dies keeps it for itself."""
        self.store_progress(tenant, Progress(last.version + 1, last.watermark, last.stragglers))
        return last.version + 1

    def store_progress(self, tenant: str, progress: Progress) -> None:
        """Store how far a tenant is."""
        row = (tenant, progress.version, progress.watermark, progress.stragglers)
        self._insert("correlation_progress", row, "Tenant", "Version", "Watermark", "Stragglers")

    def folded(self, tenant: str, generations: Mapping[str, int]) -> dict[str, Any]:
        """Up to which version the marked journeys of some processes are folded, as parameters."""
        rows = self.ask("folded", tenant=tenant)
        found = {(str(name), int(generation)): int(version) for name, generation, version in rows}
        folded = [found.get(pair, 0) for pair in generations.items()]
        return {
            "targets": list(generations.items()),
            "processes": list(generations),
            "folded": folded,
            "least": min(folded, default=0),
        }

    def store_folded(self, tenant: str, generations: Mapping[str, int], version: int) -> None:
        """Store that all journeys marked up to a version are folded."""
        rows = [(tenant, process, generation, version) for process, generation in generations.items()]
        columns = ("Tenant", "Process", "Generation", "Version")
        self._store.insert_rows("fold_progress", rows, columns, role=Role.CORRELATOR)

    def active(self, tenant: str) -> dict[str, Active]:
        """The active generation of each process."""
        rows = self.ask("active", tenant=tenant)
        return {str(row[0]): Active(int(row[1]), str(row[2]), int(row[3])) for row in rows}

    def next_generation(self, process: str) -> int:
        """A generation that no tenant uses: partitions hold one tenant's each."""
        return int(self.ask("last_generation", process=process)[0][0]) + 1

    def activate(self, tenant: str, process: Process, generation: int, now: datetime) -> None:
        """Make a generation the one readers see; drop the tenant's others but the previous one."""
        previous = self.active(tenant).get(process.id)
        version = previous.version + 1 if previous else 1
        definition = (process.definition_hash, process.version)
        row = (tenant, process.id, generation, *definition, now, version)
        columns = ("Tenant", "Process", "Generation", "DefinitionHash", "DefinitionVersion", "ActivatedAt")
        self._remember(tenant, process, now)
        self._insert("generations", row, *columns, "Version")
        kept = {generation, previous.generation if previous else generation}
        mine = {int(found) for (found,) in self.ask("generations_of", tenant=tenant, process=process.id)}
        self.drop_generations(process.id, lambda number: number in mine - kept)

    def _remember(self, tenant: str, process: Process, now: datetime) -> None:
        """Keep the definition that counts from now on, for whoever looks back."""
        row = (tenant, process.id, now, process.definition_hash, process.version)
        columns = ("Tenant", "Process", "ActivatedAt", "DefinitionHash", "DefinitionVersion", "Source")
        self._insert("definition_history", (*row, process.model_dump_json(by_alias=True)), *columns)

    def drop_generations(self, process: str, unwanted: Callable[[int], bool]) -> None:
        """Drop the partitions of a process's unwanted generations."""
        for table in PROCESS_TABLES:
            for (partition,) in self.ask("partitions", table=table):
                name, number = str(partition).strip("()").rsplit(",", 1)
                if name.strip("'") == process and unwanted(int(number)):
                    drop = f"ALTER TABLE {table} DROP PARTITION {partition}"
                    self._store.command(drop, role=Role.CORRELATOR)

    def _insert(self, table: str, row: tuple[object, ...], *columns: str) -> None:
        self._store.insert_rows(table, [row], columns, role=Role.CORRELATOR)


def utc(value: datetime) -> datetime:
    """A time as the store gives it, with its zone."""
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
