"""Keys cross HTTP: a real client and a real server, instrumented by hand with the standard propagators."""

from __future__ import annotations

import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

from opentelemetry import context, propagate

from tests.listening import Quiet, listening
from tests.probes.conftest import Observed
from throughline.probes import carry_keys


@contextmanager
def serving(seen: Observed) -> Iterator[str]:
    """A service that continues the caller's trace and does some work."""

    class Service(Quiet):
        def answer(self) -> None:
            token = context.attach(propagate.extract(self.said()))
            try:
                with (
                    seen.tracers.get_tracer("there").start_as_current_span("POST /invoices"),
                    seen.probe.business_event("invoice.posted", keys={"erp.invoice": self.path[1:]}),
                ):
                    self.send_response(204)
                    self.end_headers()
            finally:
                context.detach(token)

    # The end waits for what is recorded after the answers.
    with listening(Service, join=True) as address:
        yield address


def call(url: str) -> None:
    """Post, with what the standard propagators say of the current context."""
    headers: dict[str, str] = {}
    propagate.inject(headers)
    with urllib.request.urlopen(urllib.request.Request(url, method="POST", headers=headers)) as answer:  # noqa: S310
        assert answer.status == 204


def test_keys_cross_http(seen: Observed) -> None:
    """What is done there for a deal here carries the deal as context key, in the same trace; then no more."""
    tracer = seen.tracers.get_tracer("here")
    with serving(seen) as url:
        with (
            carry_keys({"crm.deal": "org/ü 1;,=", "psa.project": ["p1", "p2"]}),
            tracer.start_as_current_span("c"),
        ):
            call(f"{url}/i1")
        call(f"{url}/i2")
    # Each is recorded after its answer has left, so on a busy machine the second may be the first.
    records = {
        str((one.log_record.attributes or {})["business.key.erp.invoice"]): one.log_record
        for one in seen.records
    }
    first, second = (dict(records[invoice].attributes or {}) for invoice in ("i1", "i2"))
    assert first["business.context.key.crm.deal"] == "org/ü 1;,="
    assert first["business.context.key.psa.project"] == ("p1", "p2")
    assert not [name for name in second if name.startswith("business.context.")]
    (client,) = [span for span in seen.spans if span.name == "c"]
    ours = client.context.trace_id
    assert records["i1"].trace_id == ours
    (served,) = (
        span for span in seen.spans if span.name == "POST /invoices" and span.context.trace_id == ours
    )
    assert (served.attributes or {})["business.context.key.crm.deal"] == "org/ü 1;,="
