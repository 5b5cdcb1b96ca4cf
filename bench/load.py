"""Unique OTLP requests, serialised before the clock runs.

A few requests are built in full; every further one is such a request with fresh trace ids, span ids and order
keys: these have a fixed length and are written over the old ones.
"""

from __future__ import annotations

import random
import re
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import ScopeSpans, Span

from throughline.probes import vocabulary

if TYPE_CHECKING:
    from pathlib import Path

PROCESS = """
process: bench-orders
version: 1
title: Orders of the benchmark
owner: nobody
keys: [bench.order, bench.item]
milestones:
  - {name: placed, event: order.placed}
  - {name: shipped, event: item.shipped, within: {time: 2d, of: placed}}
completed_by: shipped
"""
SPANS_PER_TRACE = 10
TRACES_PER_JOURNEY = 10
SERVICES = (
    "checkout",
    "pricing",
    "billing-sync",
    "crm-webhook",
    "erp-adapter",
    "mapper",
    "queue",
    "notifier",
)
ROUTES = ("/orders", "/orders/{id}", "/invoices", "/projects/{id}/time", "/sync", "/customers/search")

Bytes = npt.NDArray[np.uint8]
Offsets = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Places:
    """Where the ids of one kind stand in a request, and which of the distinct ones stands there."""

    offsets: Offsets
    numbers: Offsets
    count: int
    length: int

    @classmethod
    def find(cls, body: bytes, mark: bytes, length: int) -> Places:
        """Ids are a mark and a number in decimal digits, together `length` bytes."""
        found = [
            (match.start(), int(match[1]))
            for match in re.finditer(mark + rb"(\d{%d})" % (length - len(mark)), body)
        ]
        offsets, numbers = np.array(found, dtype=np.int64).reshape(-1, 2).T
        return cls(offsets, numbers, int(numbers.max(initial=-1)) + 1, length)

    def fill(self, body: Bytes, values: Bytes) -> None:
        """Write the values, one row for each distinct id, over the old ones."""
        body[self.offsets[:, None] + np.arange(self.length)] = values[self.numbers]


@dataclass(frozen=True)
class Request:
    """One request ready to send, and the order keys that it places."""

    body: bytes
    orders: list[str]
    spans: int


class Load:
    """Makes requests of `spans` spans each. One trace in ten holds a journey of two events.

    Two loads into one platform need different seeds (0 to 999).
    """

    def __init__(self, seed: int, *, spans: int, templates: int = 8) -> None:
        self._seed = seed
        self._numbers = np.random.default_rng(seed)
        self._spans = spans
        draw = random.Random(seed)
        self._templates = [_template(draw, spans) for _ in range(templates)]
        self._made = 0

    def request(self) -> Request:
        """Return the next request; no id in it was ever used before."""
        raw, traces, spans, orders = self._templates[self._made % len(self._templates)]
        body = raw.copy()
        traces.fill(body, self._random(traces))
        spans.fill(body, self._random(spans))
        keys = [f"{self._seed:03d}{self._made:06d}-{number:06d}" for number in range(orders.count)]
        orders.fill(body, np.frombuffer("".join(keys).encode(), dtype=np.uint8).reshape(-1, orders.length))
        self._made += 1
        return Request(body.tobytes(), keys, self._spans)

    def _random(self, places: Places) -> Bytes:
        return self._numbers.integers(1, 256, (places.count, places.length), dtype=np.uint8)


def _template(draw: random.Random, spans: int) -> tuple[Bytes, Places, Places, Places]:
    message = ExportTraceServiceRequest()
    by_service = {service: _scope(message, service) for service in SERVICES}
    now = time.time_ns()
    for number in range(spans):
        service = draw.choice(SERVICES)
        _fill_span(by_service[service].spans.add(), draw, number, now)
    body = message.SerializeToString()
    places = (Places.find(body, b"TT", 16), Places.find(body, b"SS", 8), Places.find(body, b"OO", 16))
    return np.frombuffer(body, dtype=np.uint8), *places


def _scope(message: ExportTraceServiceRequest, service: str) -> ScopeSpans:
    resource = message.resource_spans.add()
    for name, value in (
        ("service.name", service),
        ("service.version", "4.2.1"),
        ("deployment.environment.name", "bench"),
        ("host.name", f"{service}-7c9d"),
        ("telemetry.sdk.language", "python"),
    ):
        resource.resource.attributes.add(key=name).value.string_value = value
    scope: ScopeSpans = resource.scope_spans.add()
    scope.scope.name = f"bench.{service}"
    return scope


def _fill_span(span: Span, draw: random.Random, number: int, now: int) -> None:
    trace, position = divmod(number, SPANS_PER_TRACE)
    span.trace_id = b"TT%014d" % trace
    span.span_id = b"SS%06d" % number
    if position:
        span.parent_span_id = b"SS%06d" % (number - draw.randrange(position) - 1)
    route = draw.choice(ROUTES)
    span.name = f"POST {route}"
    span.kind = Span.SPAN_KIND_SERVER
    span.start_time_unix_nano = now + number * 1000
    span.end_time_unix_nano = span.start_time_unix_nano + draw.randrange(1_000_000, 900_000_000)
    strings = {
        "http.request.method": "POST",
        "http.route": route,
        "url.path": f"/v2/{draw.getrandbits(48):012x}",
        "server.address": "shop.example.com",
        "user_agent.original": "Mozilla/5.0 (X11; Linux x86_64)",
        "enduser.id": f"user-{draw.randrange(50_000)}",
    }
    if trace % TRACES_PER_JOURNEY == 0:
        strings |= _business(position, trace // TRACES_PER_JOURNEY)
    for name, value in strings.items():
        span.attributes.add(key=name).value.string_value = value
    span.attributes.add(key="http.response.status_code").value.int_value = 200
    span.attributes.add(key="messaging.message.body.size").value.int_value = draw.randrange(100_000)


def _business(position: int, journey: int) -> dict[str, str]:
    """The first span of a trace places an order, the last ships its item."""
    order = f"OO{journey:014d}"
    if position == 0:
        return {
            vocabulary.EVENT: "order.placed",
            vocabulary.KEY_PREFIX + "bench.order": order,
            vocabulary.AMOUNT: "1250.00",
            vocabulary.CURRENCY: "EUR",
        }
    if position == SPANS_PER_TRACE - 1:
        return {
            vocabulary.EVENT: "item.shipped",
            vocabulary.KEY_PREFIX + "bench.order": order,
            vocabulary.KEY_PREFIX + "bench.item": f"{order}-1",
        }
    return {}


def write_config(folder: Path, *, shipped: bool = False) -> Path:
    """Write the process that the load belongs to, to be used alone or beside the shipped ones."""
    (folder / "processes").mkdir(parents=True)
    if not shipped:
        (folder / "processes" / "shipped.yaml").write_text("use: []\n")
    (folder / "processes" / "bench-orders.yaml").write_text(PROCESS)
    return folder
