"""One insert into a landing table: the spool's envelopes, decoded by the engine itself."""

from __future__ import annotations

from importlib import resources
from typing import TYPE_CHECKING, Any

from throughline.collector.spool_records import varint
from throughline.collector.store import Role, Store

if TYPE_CHECKING:
    from collections.abc import Sequence

    from throughline.collector.spool import Record, Segment

# CloudEvents reach us as log records, written by the edge.
TABLES = {
    "traces": ("landing_traces", "TracesEnvelope"),
    "logs": ("landing_logs", "LogsEnvelope"),
    "events": ("landing_logs", "LogsEnvelope"),
    "metrics": ("landing_metrics", "MetricsEnvelope"),
}
ONE_BLOCK = 1 << 40


class Landing:
    """Inserts requests with the settings that make a token mean the same rows for ever."""

    def __init__(self, store: Store, *, insert_seconds: int) -> None:
        """Read the message definitions once; ``insert_seconds`` bounds each insert."""
        self._store = store
        schema = (resources.files("throughline.collector") / "sql" / "otlp.proto").read_text(encoding="utf-8")
        self._settings: dict[str, Any] = {
            "format_schema_source": "string",
            "format_schema": schema,
            "input_format_protobuf_oneof_presence": 1,
            "deduplicate_blocks_in_dependent_materialized_views": 1,
            # One block per insert, whatever its size: a token stands for one block.
            "max_block_size": 1 << 24,
            "max_insert_block_size": ONE_BLOCK,
            "min_insert_block_size_rows": ONE_BLOCK,
            "min_insert_block_size_bytes": ONE_BLOCK,
            # Merges build them; until then a fresh part is searched whole.
            "materialize_skip_indexes_on_insert": 0,
            # Late data spread over decades: months since 1990.
            "max_partitions_per_insert_block": 0,
            "max_execution_time": insert_seconds,
        }

    def insert(self, segment: Segment, records: Sequence[Record], *, token: str) -> None:
        """Insert these requests of a segment under a token. Raises: StoreError."""
        parts = [part for record in records for part in (varint(len(record.envelope)), record.envelope)]
        self._insert(segment.signal, b"".join(parts), {"insert_deduplication_token": token})

    def check(self, signal: str) -> None:
        """Insert nothing, to see that schema, settings and views are sound. Raises: StoreError."""
        self._insert(signal, b"", {})

    def _insert(self, signal: str, body: bytes, settings: dict[str, Any]) -> None:
        table, message = TABLES[signal]
        settings = self._settings | {"format_schema_message_name": message} | settings
        self._store.insert_bytes(table, None, body, fmt="Protobuf", settings=settings, role=Role.LOADER)
