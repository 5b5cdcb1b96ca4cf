"""Sealed segments to durable rows: what the engine side of intake costs. ``python -m bench.ingest``."""

from __future__ import annotations

import random
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from bench.rows import Row
from throughline.collector.loader import Loader
from throughline.collector.spool import SpoolWriter
from throughline.collector.store import Role, Store

Value = str | int | float | bool
Attributes = Callable[[random.Random], Mapping[str, Value]]

SEGMENTS, REQUESTS, SPANS = 8, 80, 500
EVENTS = ("opportunity.closed_won", "project.created", "time.approved", "invoice.posted")
RESOURCE = {
    "service.version": "1.4.2",
    "telemetry.sdk.language": "python",
    "telemetry.sdk.name": "opentelemetry",
    "telemetry.sdk.version": "1.45.2",
}


def put(attributes: Any, values: Mapping[str, Value]) -> None:
    """Add attributes to a message."""
    for key, value in values.items():
        attribute = attributes.add(key=key)
        kind = {bool: "bool_value", int: "int_value", float: "double_value"}.get(type(value), "string_value")
        setattr(attribute.value, kind, value)


def request(rng: random.Random, spans: int, start: int, attributes: Attributes) -> bytes:
    """Return spans of random ids, five to a trace, each with attributes of its own."""
    message = ExportTraceServiceRequest()
    resource = message.resource_spans.add()
    name = rng.choice(["crm-sync", "psa-bridge", "erp-poster", "billing", "gateway"])
    put(
        resource.resource.attributes,
        {"service.name": name, "host.name": f"node-{rng.randrange(8)}"} | RESOURCE,
    )
    scope = resource.scope_spans.add()
    scope.scope.name = "bench"
    trace = parent = b""
    for at in range(spans):
        if at % 5 == 0:
            trace, parent = rng.randbytes(16), b""
        begin = start + at * 1000
        span = scope.spans.add(
            trace_id=trace,
            span_id=rng.randbytes(8),
            parent_span_id=parent,
            name=rng.choice(["POST /orders", "sync opportunity", "create project", "SELECT invoices"]),
            kind=rng.randrange(1, 6),
            start_time_unix_nano=begin,
            end_time_unix_nano=begin + rng.randrange(10**6, 10**9),
        )
        parent = span.span_id
        put(span.attributes, attributes(rng))
        span.status.code = 1
    return bytes(message.SerializeToString())


def six(rng: random.Random) -> dict[str, Value]:
    """Return the six attributes of the experiment before the project; every span is a business event."""
    number = rng.getrandbits(40)
    return {
        "business.event": rng.choice(EVENTS),
        "business.key.opportunity": f"006{number:010x}",
        "business.key.project": f"P{number:010x}",
        "business.amount": rng.randrange(10**7) / 100,
        "http.response.status_code": 200,
        "region": "EMEA",
    }


def twelve(rng: random.Random) -> dict[str, Value]:
    """Return twelve attributes, most of them unique; a fifth of the spans are business events."""
    return http(rng) | (business(rng) if rng.random() < 0.2 else technical(rng))


def http(rng: random.Random) -> dict[str, Value]:
    """Return six attributes of an HTTP call."""
    return {
        "http.request.method": rng.choice(["GET", "POST", "PUT"]),
        "http.response.status_code": rng.choice([200, 200, 201, 404, 500]),
        "url.full": f"https://api.example.com/v2/objects/{rng.getrandbits(64):016x}",
        "server.address": f"api{rng.randrange(20)}.example.com",
        "server.port": 443,
        "network.peer.address": f"10.{rng.randrange(256)}.{rng.randrange(256)}.{rng.randrange(256)}",
    }


def business(rng: random.Random) -> dict[str, Value]:
    """Return six attributes of a business event."""
    number = rng.getrandbits(40)
    return {
        "business.event": rng.choice(EVENTS),
        "business.key.salesforce.opportunity": f"00D5e/006{number:010x}",
        "business.key.certinia.project": f"ORG/P{number:010x}",
        "business.amount": rng.randrange(10**7) / 100,
        "business.currency": "EUR",
        "business.system": "crm",
    }


def technical(rng: random.Random) -> dict[str, Value]:
    """Return six attributes of anything else."""
    return {
        "thread.id": rng.randrange(10**6),
        "code.function.name": f"handler_{rng.randrange(40)}",
        "messaging.message.id": f"{rng.getrandbits(128):032x}",
        "retry": rng.random() < 0.1,
        "queue.depth": rng.random() * 100,
        "app.user": f"user-{rng.randrange(10**5)}",
    }


def fill(directory: Path, seed: int, attributes: Attributes) -> None:
    """Write sealed segments of unique data."""
    directory.mkdir()
    rng = random.Random(seed)
    for _ in range(SEGMENTS):
        writer = SpoolWriter(directory, segment_bytes=1 << 30, segment_age_seconds=3600, limit_bytes=1 << 40)
        for _ in range(REQUESTS):
            now = time.time_ns()
            writer.append("traces", "default", SPANS, request(rng, SPANS, now, attributes), now)
        writer.close()


def load(store: Store, directory: Path, workers: int) -> tuple[float, float]:
    """Load everything; returns seconds of wall clock and of processor, merges included."""
    loader = Loader(store, directory, workers=workers)
    stop = threading.Event()
    thread = threading.Thread(target=loader.run, args=(stop,))
    wall, processor = time.perf_counter(), time.process_time()
    thread.start()
    while loader.total.segments < SEGMENTS:
        time.sleep(0.005)
    spent = time.perf_counter() - wall, time.process_time() - processor
    stop.set()
    thread.join()
    return spent


def run() -> list[Row]:
    """Measure spans of six attributes, which the budget is about, and rich ones of twelve."""
    return [*measure("", six, 100_000, 75_000), *measure(", rich spans of 12 attributes", twelve, None, None)]


def measure(what: str, attributes: Attributes, wall_budget: int | None, core_budget: int | None) -> list[Row]:
    """Measure one and two workers, each on segments of its own, into one store."""
    spans = SEGMENTS * REQUESTS * SPANS
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        store = Store.open(Path(folder) / "store")
        try:
            store.migrate()
            for workers in (1, 2):
                fill(Path(folder) / f"spool{workers}", workers, attributes)
                wall, processor = load(store, Path(folder) / f"spool{workers}", workers)
                name = f"segments to durable rows, {workers} worker(s){what}"
                rows.append(rate(name, spans / wall, "spans/s", wall_budget if workers > 1 else None))
                rows.append(rate(f"{name}, merges included", spans / processor, "spans/core-s", core_budget))
            [[size]] = store.query(
                "SELECT sum(bytes_on_disk) / (SELECT count() FROM otel_traces) FROM system.parts"
                " WHERE active AND database = currentDatabase()",
                role=Role.PAGES,
            ).result_rows
            rows.append(rate(f"disk per span, all tables{what}", float(size), "bytes", None))
        finally:
            store.close()
    return rows


def rate(name: str, value: float, unit: str, least: float | None) -> Row:
    """Return a row whose budget is a lower bound."""
    budget = None if least is None else f">= {least:,.0f}"
    return Row(name=name, value=value, unit=unit, budget=budget, ok=None if least is None else value >= least)


if __name__ == "__main__":
    for row in run():
        sys.stdout.write(f"{row}\n")
