"""A sampler that drops spans is heard of, once."""

from __future__ import annotations

import logging

import pytest
from opentelemetry import context, trace
from opentelemetry.context import Context
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, TraceState

from tests.probes.conftest import Observed
from throughline.probes import Probe, emit
from throughline.probes.sampling import kept


def parent(state: str, *, remote: bool = True) -> Context:
    """The context of a caller whose tracestate holds an `ot` entry."""
    told = SpanContext(1, 2, remote, TraceFlags(1), TraceState([("ot", state)]))
    return trace.set_span_in_context(NonRecordingSpan(told))


@pytest.mark.parametrize(
    ("entry", "share"),
    [("", 1), ("th:0", 1), ("th:c", 0.25), ("rv:1a;th:8", 0.5), ("th:zz", 1), ("xth:8", 1)],
)
def test_the_threshold_is_read(entry: str, share: float) -> None:
    """The rejection threshold is a fraction in hexadecimal; what says nothing keeps everything."""
    assert kept(entry) == share


def test_a_threshold_is_said_once(seen: Observed, caplog: pytest.LogCaptureFixture) -> None:
    """A trace that was sampled on the way: one warning with the share, however many events."""
    tracer = seen.tracers.get_tracer("host")
    with caplog.at_level(logging.WARNING, "throughline.probes"):
        for state in ("th:0", "th:c", "th:c"):
            with tracer.start_as_current_span("request", context=parent(state)):
                seen.probe.emit("deal.won", keys={"crm.deal": "d1"})
                with seen.probe.business_event("deal.checked"):
                    pass
    assert [record.getMessage()[:53] for record in caplog.records] == [
        "throughline: a sampler keeps 0.25 of the traces (ot=t"
    ]
    assert len(seen.records) == 6


def test_dropped_spans_are_said_once(seen: Observed, caplog: pytest.LogCaptureFixture) -> None:
    """A span that its sampler dropped: one warning, and the event leaves all the same."""
    dropping = Probe(TracerProvider(sampler=ALWAYS_OFF, shutdown_on_exit=False), seen.probe._providers[1])
    with caplog.at_level(logging.WARNING, "throughline.probes"):
        for _ in range(2):
            with dropping.business_event("deal.won", keys={"crm.deal": "d1"}):
                dropping.emit("deal.checked", keys={"crm.deal": "d1"})
    assert [record.getMessage()[:35] for record in caplog.records] == ["throughline: a sampler drops spans;"]
    assert len(seen.records) == 4


def test_no_tracing_is_no_sampling(caplog: pytest.LogCaptureFixture) -> None:
    """Without providers, and below a remote parent alone, there is nothing to warn of."""
    with caplog.at_level(logging.WARNING, "throughline.probes"):
        emit("deal.won", keys={"crm.deal": "d1"})
        token = context.attach(parent("th:c"))
        emit("deal.won", keys={"crm.deal": "d1"})
        context.detach(token)
    assert not caplog.records
