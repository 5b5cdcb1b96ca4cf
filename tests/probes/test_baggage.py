"""Keys that travel in W3C Baggage, over the wire format that other services read."""

from __future__ import annotations

import pytest
from opentelemetry import baggage, context
from opentelemetry.baggage.propagation import W3CBaggagePropagator
from opentelemetry.context import Context

from tests.probes.conftest import Observed
from throughline.probes import carry_keys, with_keys
from throughline.probes import vocabulary as v
from throughline.probes.baggage import context_keys


def test_keys_cross_a_service_boundary(seen: Observed) -> None:
    """Keys put into baggage here are context keys of a span there, whatever characters they hold."""
    keys = {"crm.deal": "00D5e/006 ü,;=%", "psa.project": ["p1", "p2"]}
    headers: dict[str, str] = {}
    W3CBaggagePropagator().inject(headers, with_keys(keys, Context()))
    arrived = W3CBaggagePropagator().extract(headers, Context())
    seen.tracers.get_tracer("there").start_span("request", context=arrived).end()
    assert seen.span_attributes("request") == {
        "business.context.key.crm.deal": "00D5e/006 ü,;=%",
        "business.context.key.psa.project": ("p1", "p2"),
    }


def test_other_baggage_is_left_alone(seen: Observed) -> None:
    """Only `business.key.*` becomes a context key; the rest stays in the baggage."""
    parent = baggage.set_baggage("tenant", "acme", Context())
    grown = with_keys({"crm.deal": "d1"}, parent)
    assert baggage.get_baggage("tenant", grown) == "acme"
    assert context_keys(grown) == {"business.context.key.crm.deal": "d1"}
    seen.tracers.get_tracer("host").start_span("plain", context=parent).end()
    assert seen.span_attributes("plain") == {}


def test_what_a_replay_causes_says_so(seen: Observed) -> None:
    """`business.replay.id` of the caller's baggage stands on every event and span below; one told wins."""
    arrived = W3CBaggagePropagator().extract({"baggage": "business.replay.id=rp1.2,tenant=acme"}, Context())
    token = context.attach(arrived)
    try:
        seen.probe.emit("invoice.posted", keys={"erp.invoice": "1"})
        seen.probe.emit("invoice.posted", keys={"erp.invoice": "2"}, replay_id="rp9.1")
        seen.tracers.get_tracer("host").start_span("flow").end()
    finally:
        context.detach(token)
    seen.probe.emit("invoice.posted", keys={"erp.invoice": "3"})
    assert [seen.attributes(place).get(v.REPLAY_ID) for place in range(3)] == ["rp1.2", "rp9.1", None]
    assert {seen.attributes(place)[v.EVENT] for place in range(3)} == {"invoice.posted"}
    assert seen.span_attributes("flow") == {v.REPLAY_ID: "rp1.2"}


def test_carried_keys_end_with_the_block() -> None:
    """After the block the baggage is what it was, also when the block raises."""
    before = context.get_current()
    with carry_keys({"crm.deal": "d1"}):
        assert context_keys() == {"business.context.key.crm.deal": "d1"}
    with pytest.raises(KeyError), carry_keys({"crm.deal": "d1"}):
        raise KeyError
    assert context.get_current() == before
    assert context_keys() == {}
