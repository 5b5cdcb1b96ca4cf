"""Telemetry of others becomes journeys by a mapping file alone: live, backwards, through deaths."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from tests.correlator import train_ticket
from throughline.collector.store import Role, Store
from throughline.correlator.mapper import Mapper
from throughline.correlator.mapping_files import load_mapping
from throughline.correlator.mapping_preview import preview
from throughline.correlator.mapping_store import MappingStore
from throughline.correlator.process import load_process
from throughline.correlator.worker import Correlator

if TYPE_CHECKING:
    from collections.abc import Sequence

    from throughline.correlator.mapping_sql import Named

NOW = datetime(2026, 5, 4, tzinfo=UTC)
STEPS = ("edges", "events", "progress")
TRAIN = load_mapping(train_ticket.MAPPING)
TOO_LARGE = load_mapping("""
mapping: a-bad-one
rules:
  - name: too-large
    match: {name: {regex: "((x{100}){100}){100}"}}
    set: {event: never}
""")


class Died(Exception):
    """Where a test kills."""


@pytest.fixture(scope="module")
def mapped(embedded_store: Store) -> Store:
    """The same spans of three tenants: mapped live in parts, mapped backwards, mapped through deaths."""
    store = embedded_store
    rules = MappingStore(store).publish([TOO_LARGE, TRAIN], NOW)
    live = Mapper(store)
    live.use(only(rules, "live"))
    live.turn()
    rows = train_ticket.spans("live")
    for part in (rows[5000:], rows[:2000], rows[2000:5000]):  # parents after their children, traces torn
        train_ticket.insert(store, part)
        live.turn()
    train_ticket.insert(store, train_ticket.spans("stored"))
    made = Mapper(store).apply("stored", only(rules, "stored"), "train-ticket", train_ticket.FIRST)
    assert sum(made.values()) == 60
    train_ticket.insert(store, [row for row in train_ticket.spans("mortal") if "Controller" in str(row[4])])
    for step in STEPS:
        mortal = Mapper(store, checkpoint=_dies_at(step))
        mortal.use(only(rules, "mortal"))
        with pytest.raises(Died):
            mortal.turn()
    survivor = Mapper(store)
    survivor.use(only(rules, "mortal"))
    survivor.turn()
    assert survivor.turn() == 0
    return store


def only(rules: Sequence[Named], tenant: str) -> list[Named]:
    """The rules for one tenant."""
    return [replace(one, tenants=(tenant,)) for one in rules]


def _dies_at(step: str) -> Any:
    """A checkpoint that raises before a step."""

    def die(reached: str) -> None:
        if reached == step:
            raise Died

    return die


def ask(store: Store, sql: str, **parameters: object) -> list[tuple[Any, ...]]:
    """Rows of a query."""
    return [tuple(row) for row in store.query(sql, parameters, role=Role.ADHOC).result_rows]


def events(store: Store, tenant: str) -> list[tuple[Any, ...]]:
    """The business events of a tenant, apart from what differs between tenants."""
    return ask(
        store,
        "SELECT TraceId, SpanId, Event, Keys, Platform, Connection, Attributes FROM business_events"
        " WHERE Tenant = {tenant:String} ORDER BY TraceId, SpanId",
        tenant=tenant,
    )


def test_live_backwards_and_deaths_give_the_same_rows_once(mapped: Store) -> None:
    """Each matched span is one event, whichever way it was mapped; inbox and edges hold each once."""
    live = events(mapped, "live")
    assert Counter(row[2] for row in live) == {
        "booking.requested": 16, "booking.checked": 16, "booking.ordered": 16, "booking.assured": 12,
    }  # fmt: skip
    assert live == events(mapped, "stored") == events(mapped, "mortal")
    requested = next(row for row in live if row[2] == "booking.requested")
    assert requested[3] == [{"Namespace": "train.booking", "Value": requested[0]}]
    assert requested[5].startswith("ts-preserve-")
    assert requested[6]["business.mapping"] == "train-ticket/requested"
    for table in ("event_inbox", "span_edges"):
        what = "EventId, ContentHash" if table == "event_inbox" else "Span, IsEvent"
        where = "1" if table == "event_inbox" else "IsEvent"
        sql = f"SELECT count(), uniqExact({what}) FROM {table} WHERE {where} GROUP BY Tenant"
        assert ask(mapped, sql) == [(60, 60)] * 3


def test_journeys_follow_alike(mapped: Store) -> None:
    """Live and backwards lead to the same journeys; what has no key has it from the span above."""
    correlator = Correlator(mapped, [load_process(train_ticket.PROCESS)])
    found = {}
    for tenant in ("live", "stored"):
        correlator.tick(tenant, NOW)
        found[tenant] = ask(
            mapped,
            "SELECT root, groupArray((name, state, met_at, count)) FROM"
            " (SELECT m.name AS name, m.state AS state, m.met_at AS met_at, m.count AS count, j.root AS root"
            " FROM milestones_at(tenant = {tenant:String}, now = {now:DateTime64(6)}) AS m"
            " INNER JOIN journeys_at(tenant = {tenant:String}, now = {now:DateTime64(6)}) AS j"
            " ON j.id = m.journey ORDER BY name) GROUP BY root ORDER BY root",
            tenant=tenant,
            now=NOW,
        )
    assert len(found["live"]) == 16
    assert found["live"] == found["stored"]
    met = Counter(name for _, steps in found["live"] for name, state, *_ in steps if state == "met")
    assert met == {"requested": 16, "checked": 16, "ordered": 16, "assured": 12}


def test_a_rule_that_fails_is_quarantined_alone(mapped: Store) -> None:
    """It is shown with the engine's reason; the others count what they made."""
    bad, requested, *_ = MappingStore(mapped).states("live")
    assert (bad.rule, bad.quarantined, bad.mapped) == ("a-bad-one/too-large", True, 0)
    assert "invalid repetition size" in bad.error
    assert (requested.rule, requested.quarantined, requested.mapped) == ("train-ticket/requested", False, 16)


def test_a_changed_rule_counts_more_than_its_earlier_meaning(mapped: Store) -> None:
    """A rule and those behind it get greater numbers, others keep theirs; applied again, the new event wins.
    The sender's own attributes win over a mapping, and are filled up by it.
    """
    store = MappingStore(mapped)
    before = {one.name: one.revision for one in store.number([TOO_LARGE, TRAIN])}
    changed = load_mapping(train_ticket.MAPPING.replace("booking.assured", "booking.insured"))
    rules = store.number([TOO_LARGE, changed])
    after = {one.name: one.revision for one in rules}
    assert {name for name in after if after[name] != before[name]} == {"train-ticket/assured"}
    assert after["train-ticket/assured"] > max(before.values())
    mapper = Mapper(mapped)
    assert mapper.apply("stored", rules, "train-ticket", train_ticket.FIRST) == {
        "train-ticket/requested": 0, "train-ticket/checked": 0, "train-ticket/ordered": 0,
        "train-ticket/assured": 12,
    }  # fmt: skip
    winners = "argMax(Event, (Time, ContentHash))"
    sql = f"SELECT DISTINCT {winners} FROM business_events WHERE Tenant = 'stored' GROUP BY EventId"
    assert {row[0] for row in ask(mapped, sql)} == {
        "booking.requested", "booking.checked", "booking.ordered", "booking.insured",
    }  # fmt: skip
    own = {"business.event": "seat.wanted", "business.key.shop.seat": "7"}
    row = ("2023-01-29 09:00:00", "f" * 32, "e" * 16, "ts-security-service", "SecurityController.check", own)
    columns = ["Timestamp", "TraceId", "SpanId", "ServiceName", "SpanName", "SpanAttributes", "Tenant"]
    moment = datetime.fromisoformat(row[0]).replace(tzinfo=UTC)
    mapped.insert_rows("otel_traces", [(moment, *row[1:], "both")], columns, role=Role.LOADER)
    mapper.apply("both", rules, "train-ticket", train_ticket.FIRST)
    ((rows, event, mapping),) = ask(
        mapped,
        f"SELECT count(), {winners}, argMax(Attributes['business.mapping'], (Time, ContentHash))"
        " FROM business_events WHERE Tenant = 'both'",
    )
    assert (rows, event, mapping) == (2, "seat.wanted", "train-ticket/checked")


def test_preview_says_what_would_match(mapped: Store) -> None:
    """Counts, samples before and after, and names that were perhaps meant."""
    misspelt = train_ticket.MAPPING.replace("SecurityController.check}", "SecurityControler.check}")
    rules = MappingStore(mapped).number([load_mapping(misspelt)])
    requested, checked, *_ = preview(mapped, "live", rules, train_ticket.FIRST, NOW)
    assert (requested["matched"], requested["events"], requested["without_keys"]) == (16, 16, 0)
    sample = requested["samples"][0]
    assert sample["before"] == {}
    assert sample["after"]["business.key.train.booking"] == sample["trace_id"]
    assert checked["matched"] == 0
    assert checked["similar"][0] == {
        "service": "ts-security-service", "name": "SecurityController.check", "rows": 16,
    }  # fmt: skip
