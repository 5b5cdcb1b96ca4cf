"""emit() and business_event(): what leaves the process."""

from __future__ import annotations

import asyncio
import logging
import re
import threading
from collections.abc import AsyncIterator, Generator, Iterator
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from opentelemetry import trace
from opentelemetry._logs import SeverityNumber
from opentelemetry.trace import StatusCode

from tests.probes.conftest import Observed, observe
from throughline.probes import BusinessEvent, Facts, carry_keys
from throughline.probes.errors import InvalidFact
from throughline.probes.guard import RAISE_VARIABLE

WON = datetime(2026, 3, 2, 9, 30, 0, 123456, tzinfo=UTC)


class RefusedError(Exception):
    """A failure of the host that carries a code."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def test_an_event_is_a_log_record_in_the_current_span(seen: Observed) -> None:
    """The record has the event's name and time, the span's identity and every fact under its attribute."""
    with seen.tracers.get_tracer("host").start_as_current_span("request") as span:
        seen.probe.emit(
            "invoice.posted",
            keys={"netsuite.invoice": "TSTDRV1/INV-1", "certinia.billing_event": ["b1", "b2"]},
            subject="netsuite.invoice",
            links=[("certinia.project:p1", "certinia.timecard:t1")],
            time=WON,
            precision="day",
            accounting_date=date(2026, 3, 31),
            id="evt-1",
            system="erp",
            platform="netsuite",
            connection="main",
            amount=Decimal("1234.50"),
            currency="eur",
            customer="Contoso",
            entity="DE01",
            region="EMEA",
            service_line="advisory",
            run_id="r1",
            run_url="https://ipaas.example.com/r1",
            idempotency_key="i1",
            payload_ref="s3://x",
            replay_id="rp1",
            attributes={"billing_schedule": "monthly", "lines": 3},
        )
    record = seen.records[0].log_record
    assert record.event_name == "invoice.posted"
    assert record.timestamp == 1_772_443_800_123_456_000
    assert record.severity_number is SeverityNumber.INFO
    assert (record.trace_id, record.span_id) == (
        span.get_span_context().trace_id,
        span.get_span_context().span_id,
    )
    assert seen.attributes() == {
        "business.event": "invoice.posted",
        "business.event.id": "evt-1",
        "business.key.netsuite.invoice": "TSTDRV1/INV-1",
        "business.key.certinia.billing_event": ("b1", "b2"),
        "business.subject": "netsuite.invoice",
        "business.link": ("certinia.project:p1>certinia.timecard:t1",),
        "business.time.precision": "day",
        "business.accounting_date": "2026-03-31",
        "business.system": "erp",
        "business.platform": "netsuite",
        "business.connection": "main",
        "business.amount": "1234.50",
        "business.currency": "EUR",
        "business.customer": "Contoso",
        "business.entity": "DE01",
        "business.region": "EMEA",
        "business.service_line": "advisory",
        "business.run.id": "r1",
        "business.run.url": "https://ipaas.example.com/r1",
        "business.idempotency_key": "i1",
        "business.payload.ref": "s3://x",
        "business.replay.id": "rp1",
        "billing_schedule": "monthly",
        "lines": 3,
    }


def test_keys_go_on_the_current_span(seen: Observed) -> None:
    """The span carries the keys, not the event: a span with an event would be a second event."""
    with seen.tracers.get_tracer("host").start_as_current_span("request"):
        seen.probe.emit("project.created", keys={"crm.deal": "d1", "psa.project": ["p1", "p2"]}, amount=5)
    assert seen.span_attributes("request") == {
        "business.key.crm.deal": "d1",
        "business.key.psa.project": ("p1", "p2"),
    }


def test_events_of_one_span_that_disagree_leave_no_key_to_inherit(seen: Observed) -> None:
    """A loop over timecards in one span keeps the common project there, and no timecard."""
    with seen.tracers.get_tracer("host").start_as_current_span("batch"):
        for card in ("t1", "t2", "t1"):
            seen.probe.emit("time.approved", keys={"psa.project": "p1", "psa.timecard": card})
    assert seen.span_attributes("batch") == {
        "business.key.psa.project": "p1",
        "business.key.psa.timecard": (),
    }
    assert [seen.attributes(n)["business.key.psa.timecard"] for n in range(3)] == ["t1", "t2", "t1"]


def test_each_emission_has_its_own_identity(seen: Observed) -> None:
    """Without an identity of the emitter, each emission gets a random UUID."""
    for _ in range(50):
        seen.probe.emit("project.created", keys={"crm.deal": "d1"})
    ids = {seen.attributes(number)["business.event.id"] for number in range(50)}
    assert len(ids) == 50
    shape = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
    assert all(shape.fullmatch(identity) for identity in ids)


def test_a_whole_business_event_is_emitted(seen: Observed) -> None:
    """`emit()` takes a BusinessEvent; keyword arguments overrule its fields."""
    event = BusinessEvent(event="deal.won", keys={"crm.deal": "d1"}, amount="7", currency="EUR", time=WON)
    seen.probe.emit(event, amount="8")
    assert seen.records[0].log_record.event_name == "deal.won"
    assert seen.attributes()["business.amount"] == "8"
    assert seen.attributes()["business.currency"] == "EUR"


def test_defaults_of_a_probe_hold_for_every_event() -> None:
    """Facts given to the probe are on each event, unless the event knows better."""
    seen = observe(system="crm", platform="salesforce")
    seen.probe.emit("deal.won", keys={"crm.deal": "d1"}, platform="hubspot")
    assert seen.attributes()["business.system"] == "crm"
    assert seen.attributes()["business.platform"] == "hubspot"


def test_a_failed_event_is_an_error_record(seen: Observed) -> None:
    """`exception=` says class, code and message; facts overrule them."""
    seen.probe.emit("invoice.posted", exception=RefusedError("TAX_CODE", "no tax code"), keys={"a.b": "1"})
    assert seen.records[0].log_record.severity_number is SeverityNumber.ERROR
    assert seen.records[0].log_record.body == "no tax code"
    assert seen.attributes()["business.exception.class"] == "technical"
    assert seen.attributes()["business.exception.code"] == "TAX_CODE"
    seen.probe.emit("invoice.posted", exception=ValueError("x"), exception_class="business")
    assert seen.attributes()["business.exception.class"] == "business"
    assert seen.attributes()["business.exception.code"] == "ValueError"
    seen.probe.emit("invoice.posted", failed=True)
    assert seen.records[2].log_record.severity_number is SeverityNumber.ERROR


def test_a_block_is_an_event_with_a_span_of_its_own(seen: Observed) -> None:
    """The block's span is named like the event, holds its keys, and is the record's span."""
    with seen.probe.business_event("project.created", keys={"crm.deal": "d1"}) as event:
        inside = trace.get_current_span().get_span_context().span_id
        event.add(keys={"psa.project": "p1"}, amount=10)
    assert seen.records[0].log_record.span_id == inside
    assert seen.span_attributes("project.created") == {
        "business.key.crm.deal": "d1",
        "business.key.psa.project": "p1",
    }
    assert seen.attributes()["business.amount"] == "10"


def test_keys_told_later_add_up(seen: Observed) -> None:
    """`add()` unites the keys of a namespace; of other facts the last counts."""
    with seen.probe.business_event("billing.released", keys={"psa.timecard": "t1"}, currency="EUR") as event:
        event.add(keys={"psa.timecard": ["t2", "t1"]}, currency="USD")
    assert seen.attributes()["business.key.psa.timecard"] == ("t1", "t2")
    assert seen.attributes()["business.currency"] == "USD"


def test_a_failing_block_is_a_failed_event_and_raises_on(seen: Observed) -> None:
    """The host's exception passes unchanged; the record is an error, and so is the span."""
    raised = RefusedError("E42", "no tax code")
    with (
        pytest.raises(RefusedError) as caught,
        seen.probe.business_event("invoice.posted", keys={"erp.invoice": "i1"}, exception_class="remote"),
    ):
        raise raised
    assert caught.value is raised
    assert seen.records[0].log_record.severity_number is SeverityNumber.ERROR
    assert seen.attributes()["business.exception.class"] == "remote"
    assert seen.attributes()["business.exception.code"] == "E42"
    assert seen.attributes()["exception.message"] == "no tax code"
    (span,) = seen.spans
    assert span.status.status_code is StatusCode.ERROR
    assert span.status.description == "no tax code"
    assert [event.name for event in span.events] == ["exception"]
    assert "RefusedError" in str((span.events[0].attributes or {})["exception.stacktrace"])


def test_a_succeeding_block_has_no_exception_facts(seen: Observed) -> None:
    """Exception facts given beforehand say what a failure would be; a success has none."""
    with seen.probe.business_event("invoice.posted", exception_class="remote", exception_code="X"):
        pass
    assert not [name for name in seen.attributes() if "exception" in name]


def test_a_block_on_the_current_span(seen: Observed) -> None:
    """`own_span=False` opens none: the keys go on the current span, whose status tells of a failure."""
    with (
        seen.tracers.get_tracer("host").start_as_current_span("request", set_status_on_exception=False),
        pytest.raises(ValueError, match="bad"),
        seen.probe.business_event("project.created", keys={"crm.deal": "d1"}, own_span=False),
    ):
        raise ValueError("bad")
    (span,) = seen.spans
    assert span.name == "request"
    assert (span.attributes or {})["business.key.crm.deal"] == "d1"
    assert span.status.status_code is StatusCode.ERROR


def test_a_decorated_function(seen: Observed) -> None:
    """`arguments`, `result` and `mishap` tell what the call and its outcome say about the event."""

    def asked(deal: str, **_: object) -> Facts:
        return {"keys": {"crm.deal": deal}}

    def told(project: str) -> Facts:
        return {"keys": {"psa.project": project}}

    def blamed(error: BaseException) -> Facts:
        return {"exception_class": "business", "exception_code": type(error).__name__.upper()}

    @seen.probe.business_event("project.created", arguments=asked, result=told, mishap=blamed, system="psa")
    def create(deal: str, *, refuse: bool = False) -> str:
        """Create a project."""
        if refuse:
            raise KeyError(deal)
        return f"{deal}-project"

    assert create("d1") == "d1-project"
    assert create.__doc__ == "Create a project."
    assert seen.attributes()["business.key.crm.deal"] == "d1"
    assert seen.attributes()["business.key.psa.project"] == "d1-project"
    with pytest.raises(KeyError):
        create("d2", refuse=True)
    assert seen.attributes()["business.exception.class"] == "business"
    assert seen.attributes()["business.exception.code"] == "KEYERROR"
    assert seen.attributes()["business.system"] == "psa"
    assert len(seen.records) == 2


async def test_a_decorated_coroutine_and_concurrent_blocks(seen: Observed) -> None:
    """Each of many tasks that run at once has its own event, span and facts."""

    @seen.probe.business_event("time.approved", arguments=lambda card: {"keys": {"psa.timecard": card}})
    async def approve(card: str) -> str:
        with seen.tracers.get_tracer("host").start_as_current_span(f"inner {card}"):
            await asyncio.sleep(0)
        return card

    async def block(card: str) -> None:
        async with seen.probe.business_event("time.checked", keys={"psa.timecard": card}) as event:
            await asyncio.sleep(0)
            event.add(attributes={"card": card})

    cards = [f"t{number}" for number in range(30)]
    assert await asyncio.gather(*(approve(card) for card in cards)) == cards
    await asyncio.gather(*(block(card) for card in cards))
    approved = {span.context.span_id: span for span in seen.spans if span.name == "time.approved"}
    for span in seen.spans:
        if span.name.startswith("inner "):
            assert span.parent is not None
            outer = approved[span.parent.span_id]
            assert (outer.attributes or {})["business.key.psa.timecard"] == span.name.removeprefix("inner ")
    checked = [seen.attributes(n) for n in range(30, 60)]
    assert all(found["business.key.psa.timecard"] == found["card"] for found in checked)
    assert {found["card"] for found in checked} == set(cards)


async def test_cancelling_a_coroutine_is_a_failure(seen: Observed) -> None:
    """A cancelled operation did not do what the event says; the cancellation goes on."""

    @seen.probe.business_event("invoice.posted", keys={"erp.invoice": "i1"})
    async def post() -> None:
        await asyncio.sleep(3600)

    task = asyncio.create_task(post())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert seen.attributes()["business.exception.code"] == "CancelledError"


def test_a_decorated_generator_is_one_event_when_exhausted(seen: Observed) -> None:
    """Its span is current only while its body runs; sent and returned values pass through."""

    @seen.probe.business_event("cards.exported", result=lambda total: {"amount": total})
    def export(count: int) -> Generator[int, None, int]:
        for number in range(count):
            seen.probe.emit("card.exported", keys={"psa.timecard": str(number)})
            yield number
        return count

    found = []
    for number in export(3):
        assert trace.get_current_span() is trace.INVALID_SPAN
        found.append(number)
    assert found == [0, 1, 2]
    names = [record.log_record.event_name for record in seen.records]
    assert names == ["card.exported"] * 3 + ["cards.exported"]
    assert len({record.log_record.span_id for record in seen.records}) == 1
    assert seen.attributes()["business.amount"] == "3"


def test_a_generator_closed_early_says_nothing(seen: Observed) -> None:
    """Whoever stops reading half-way has not exported everything; an exception inside is a failure."""

    @seen.probe.business_event("cards.exported")
    def export() -> Iterator[int]:
        yield 1
        raise ValueError("broken")

    reading = export()
    next(reading)
    reading.close()  # type: ignore[attr-defined]
    assert not seen.records
    with pytest.raises(ValueError, match="broken"):
        list(export())
    assert seen.attributes()["business.exception.code"] == "ValueError"


async def test_a_decorated_async_generator(seen: Observed) -> None:
    """As a generator: one event once it is exhausted."""

    @seen.probe.business_event("cards.exported", keys={"psa.project": "p1"})
    async def export() -> AsyncIterator[int]:
        for number in range(3):
            await asyncio.sleep(0)
            yield number

    assert [number async for number in export()] == [0, 1, 2]
    assert [record.log_record.event_name for record in seen.records] == ["cards.exported"]
    reading = export()
    await anext(reading)
    await reading.aclose()  # type: ignore[attr-defined]
    assert len(seen.records) == 1


def test_one_scope_in_many_threads(seen: Observed) -> None:
    """A scope that several threads enter at once keeps their facts apart."""
    scope = seen.probe.business_event("time.approved")
    ready = threading.Barrier(8)

    def enter(card: str) -> None:
        for _ in range(20):
            with scope as event:
                ready.wait()
                event.add(keys={"psa.timecard": card}, attributes={"card": card})

    threads = [threading.Thread(target=enter, args=(f"t{number}",)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(seen.records) == 160
    by_span = {span.context.span_id: dict(span.attributes or {}) for span in seen.spans}
    for number, record in enumerate(seen.records):
        found = seen.attributes(number)
        assert found["business.key.psa.timecard"] == found["card"]
        assert by_span[record.log_record.span_id or 0]["business.key.psa.timecard"] == found["card"]


def test_baggage_keys_are_context_keys(seen: Observed) -> None:
    """Keys in baggage are on spans and events as context keys; an event's own key replaces them."""
    with (
        carry_keys({"crm.deal": "d1", "psa.project": ["p1", "p2"]}),
        seen.probe.business_event("time.approved", keys={"psa.project": "p9"}),
    ):
        pass
    assert seen.attributes()["business.context.key.crm.deal"] == "d1"
    assert "business.context.key.psa.project" not in seen.attributes()
    assert seen.attributes()["business.key.psa.project"] == "p9"
    assert seen.span_attributes("time.approved")["business.context.key.psa.project"] == ("p1", "p2")


def test_our_attributes_survive_too_many_of_the_host(seen: Observed) -> None:
    """OpenTelemetry keeps 128 attributes and drops the oldest: those of the host go first."""
    seen.probe.emit(
        "deal.won",
        keys={f"ns{number}": str(number) for number in range(60)},
        attributes={f"host.{number}": number for number in range(500)},
        customer="Contoso",
    )
    found = seen.attributes()
    assert len(found) <= 128
    assert found["business.customer"] == "Contoso"
    assert all(found[f"business.key.ns{number}"] == str(number) for number in range(60))


def test_wrong_calls_are_said_once(seen: Observed, caplog: pytest.LogCaptureFixture) -> None:
    """An unknown fact is logged once, and the event goes out without it."""
    with caplog.at_level(logging.WARNING, "throughline.probes"):
        for _ in range(5):
            seen.probe.emit("deal.won", amout=5, keys={"crm.deal": "d1"})  # type: ignore[call-arg]
    assert len(seen.records) == 5
    assert [record.getMessage() for record in caplog.records] == [
        "throughline: there is no fact named 'amout'; the host carries on"
    ]


def test_under_the_test_switch_wrong_calls_raise(seen: Observed, monkeypatch: pytest.MonkeyPatch) -> None:
    """With THROUGHLINE_PROBES_RAISE the host's own tests find wrong calls."""
    monkeypatch.setenv(RAISE_VARIABLE, "1")
    with pytest.raises(InvalidFact, match="amout"):
        seen.probe.emit("deal.won", amout=5)  # type: ignore[call-arg]
    with pytest.raises(InvalidFact, match="needs a name"):
        seen.probe.emit("  ")
    with pytest.raises(InvalidFact, match="10\\^32"):
        seen.probe.emit("deal.won", amount=float("nan"))
