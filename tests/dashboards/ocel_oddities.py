"""A process in which everything occurs that the demo has not: each way in and to link, awkward texts."""

from __future__ import annotations

import json
from typing import Any

from tests.collector.edge_process import Edge
from tests.collector.otlp_samples import NOW, logs, traces
from throughline.correlator.process import Process, load_process

AWKWARD = "tab\t nul\0 quote\" ' \\ line\nend \u2028 ü 漢 😀 [1, 2"
SECOND = 1_000_000_000
BEGAN = NOW // SECOND * SECOND - 86_400 * SECOND + 123_456_789
TRACE = bytes(range(16))


def odd_process() -> Process:
    """Its definition: aliases, a placeholder of its own, a check that reads an attribute."""
    return load_process("""
process: oddities
keys:
  - [odd.order, legacy.order]
  - odd.item
  - odd.parcel
  - odd.bill
placeholders: {odd.item: [test]}
amount_of: object
milestones:
  - {name: object, event: object}
  - {name: map_type, event: map_type, within: {time: 90m, of: object}, undone_by: [undone]}
  - {name: billed, event: "Bill: sent > read", repeats: true}
completed_by: billed
checks:
  - {name: stage, after: object, expect: "attr('Stage') = 'A' AND attr('stage') = 'b'"}
""")


def send_oddities(edge: Edge) -> None:
    """Send all of it to an edge, in two requests and a batch of CloudEvents."""
    for path, body in (("/v1/traces", _spans()), ("/v1/logs", _logs())):
        edge.post(path, body, "application/x-protobuf").raise_for_status()
    edge.post(
        "/v1/events", json.dumps(_cloudevents()), "application/cloudevents-batch+json"
    ).raise_for_status()


def _span(number: int, parent: int, attributes: dict[str, Any], **more: Any) -> dict[str, Any]:
    parents = {"parent_span_id": _id(parent)} if parent else {}
    at = BEGAN + number * SECOND
    times = {"start_time_unix_nano": at, "end_time_unix_nano": at + 5}
    return {"trace_id": TRACE, "span_id": _id(number), "attributes": attributes, **times, **parents, **more}


def _id(number: int) -> bytes:
    return number.to_bytes(8, "big")


def _spans() -> bytes:
    """An order; below it, through a span that says nothing, an item that inherits it; one that failed."""
    order = {
        "business.event": "object",
        "business.key.odd.order": "o1",
        "Stage": "A",
        "business.amount": "12.50",
    }
    failed = {"business.event": "map_type", "business.key.odd.item": "i1", "exception.message": "from code"}
    context = {"business.context.key.odd.item": ["i1", "test"], "business.context.key.odd.bill": "n/a"}
    aliases = {"business.event": "object", "business.key.legacy.order": "L1", "business.key.odd.order": "o2"}
    return traces(
        _span(1, 0, order | {"business.currency": "EUR", "stage": "b", "ocel_id": "x", "": "nameless"}),
        _span(2, 1, {}),
        _span(3, 2, {"business.event": "map_type", "business.key.odd.item": "i1"}),
        _span(4, 2, failed, status={"code": 2, "message": "from status"}),
        _span(5, 0, {"business.key.odd.item": ["i2", "i3"], "business.key.odd.parcel": ["p1", "p2"]}),
        _span(6, 0, {"business.event": "passed on", "business.key.odd.parcel": "p3", **context}),
        _span(7, 0, aliases, links=[{"trace_id": TRACE, "span_id": _id(3)}]),
    )


def _logs() -> bytes:
    """Log records with and without an identity of their own; links, a cut, a link after it; awkward texts."""
    pair = ["odd.item:i2>odd.parcel:p1", "odd.item:i3>odd.parcel:p2"]
    two = {"business.key.odd.order": "o2", "business.key.odd.item": ["i2", "i3"]}
    bill = {"business.key.odd.parcel": "p1", "business.key.odd.bill": '["b1"]'}
    other = {
        "business.key.odd.item": "test",
        "business.key.odd.parcel": "p3",
        "business.key.other.thing": "t",
    }
    awkward = {
        "business.key.odd.order": AWKWARD, AWKWARD: AWKWARD, "number": 1.5,
        "business.subject": "odd.order", "business.accounting_date": "2026-02-28",
    }  # fmt: skip
    unknown = {"business.key.odd.item": "i1", "business.time.precision": "unknown"}
    refused = {"business.key.odd.parcel": "p2", "business.exception.code": "E7"}
    said: list[tuple[dict[str, Any], dict[str, Any]]] = [
        ({"business.event": "joined", **two}, {}),
        ({"business.link": pair}, {}),
        ({"business.link.cut": pair}, {}),
        ({"business.link": pair[:1], "business.link.reason": "a person says so"}, {}),
        (bill, {"event_name": "Bill: sent > read"}),
        ({"business.event": "undone", **unknown}, {}),
        ({"business.event": "refused", **refused}, {"severity_number": 21, "body": "said in the body"}),
        ({"business.event": "awkward", **awkward}, {}),
        ({"business.event": "below", "business.key.odd.bill": "b9"}, {"trace_id": TRACE, "span_id": _id(3)}),
        ({"business.event": "placeholder", **other}, {}),
    ]
    return logs(
        *(
            {"time_unix_nano": BEGAN + (60 + number) * SECOND, **more,
             "attributes": attributes | {"business.event.id": f"id {number}"}}
            for number, (attributes, more) in enumerate(said)
        ),
    )  # fmt: skip


def _cloudevents() -> list[dict[str, Any]]:
    common = {"specversion": "1.0", "source": "/shop", "time": "2026-02-28T23:59:59.123456789Z"}
    keys = {"business.key.odd.order": "o1", "business.key.odd.bill": ["b1", "b2"]}
    return [
        {
            **common,
            "id": "1",
            "type": "Bill: sent > read",
            "correlationid": "c",
            "data": {**keys, "free": [1]},
        },
        {**common, "id": "2", "type": "failed", "bamptxsstatus": "failed", "data": keys},
    ]
