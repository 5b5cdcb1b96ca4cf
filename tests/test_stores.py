"""A store that a test is given holds nothing of the tests before it."""

import pytest

from tests.stores import LEDGER, SCHEMA, Stores, rows
from throughline.collector.store import Role

COLUMNS = ["Tenant", "TraceId", "SpanId"]


@pytest.mark.parametrize("engine", ["embedded", "http"])
def test_rows_and_insert_tokens_are_forgotten(stores: Stores, engine: str) -> None:
    """The same insert under the same deduplication token is stored again, once."""
    for _ in range(3):
        with stores.store(engine) as store:
            for _ in range(2):
                store.insert_bytes(
                    "otel_traces",
                    COLUMNS,
                    b'{"Tenant": "default", "TraceId": "%s", "SpanId": "%s"}' % (b"a" * 32, b"b" * 16),
                    fmt="JSONEachRow",
                    settings={"insert_deduplication_token": "s"},
                    role=Role.LOADER,
                )
            assert rows(store, "SELECT count() FROM otel_traces") == [(1,)]
            assert rows(store, "SELECT count() FROM span_edges") == [(1,)]


CHANGES = (
    "DROP TABLE dead_letters",
    "CREATE TABLE more (x UInt8) ENGINE = Memory",
    "ALTER TABLE dead_letters ADD COLUMN More UInt8",
    "INSERT INTO schema_migrations (Number, Name) VALUES (9999, 'later')",
)


@pytest.mark.parametrize("engine", ["embedded", "http"])
def test_changed_schema_is_not_handed_on(stores: Stores, engine: str) -> None:
    """Whoever drops, adds or changes tables, or the ledger, does so for itself."""
    with stores.store(engine) as store:
        before = rows(store, SCHEMA), rows(store, LEDGER)
    for statement in CHANGES:
        with stores.store(engine) as store:
            store.command(statement, role=Role.LOADER)
    with stores.store(engine) as store:
        assert (rows(store, SCHEMA), rows(store, LEDGER)) == before
