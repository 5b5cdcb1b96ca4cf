"""Dynamics 365 Finance: business events over HTTPS and through Event Grid."""

import json

import pytest

from tests.probes.platforms.cases import NOW, Case, cases, check, connection, request
from throughline.probes.platforms import dynamics365
from throughline.probes.platforms.adapter import Adapter, Unreadable

CASES = cases("dynamics365")
VALIDATION = (
    b'[{"id":"e1","topic":"/subscriptions/demo","subject":"","data":{"validationCode":"512d38b6-demo",'
    b'"validationUrl":"https://example.invalid/validate?id=512d38b6-demo"},"eventType":'
    b'"Microsoft.EventGrid.SubscriptionValidationEvent","eventTime":"2025-10-09T08:53:20Z",'
    b'"metadataVersion":"1","dataVersion":"1"}]'
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_payload(case: Case) -> None:
    """Each payload is the events that stand beside it."""
    assert isinstance(dynamics365, Adapter)
    check(dynamics365, case)


def test_an_event_is_the_same_whatever_wrapped_it() -> None:
    """HTTPS, both schemas of Event Grid, binary CloudEvents and Dataverse carry one identity."""
    wrapped = [case for case in CASES if case.name.startswith("invoice_")]
    found = {event.id for case in wrapped for event in dynamics365.parse(case.request, case.connection)}
    assert len(wrapped) == 5
    assert found == {"d365:3F2504E0-4F89-41D3-9A0C-0305E82C3301"}


def test_event_grid_is_answered_with_its_code() -> None:
    """The handshake of the Event Grid schema wants 200 and the code."""
    answer = dynamics365.greet(
        request(VALIDATION, aeg_event_type="SubscriptionValidation"), connection("dynamics365")
    )
    assert answer is not None
    assert (answer.status, answer.content_type) == (200, "application/json")
    assert json.loads(answer.body) == {"validationResponse": "512d38b6-demo"}


def test_cloud_events_are_allowed_to_the_origin_that_asks() -> None:
    """The handshake of the CloudEvents schema is an OPTIONS request."""
    asked = request(
        b"", method="OPTIONS", webhook_request_origin="eventgrid.azure.net", webhook_request_rate="120"
    )
    answer = dynamics365.greet(asked, connection("dynamics365"))
    assert answer is not None
    assert answer.headers == {
        "WebHook-Allowed-Origin": "eventgrid.azure.net",
        "WebHook-Allowed-Rate": "*",
        "Allow": "POST",
    }


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"[1]", b"{}", b'[{"data":{"validationCode":7}}]', VALIDATION[:-1]]
)
def test_what_is_no_handshake_is_not_answered(body: bytes) -> None:
    """Nobody is known before the handshake, so nothing is echoed and nothing fails."""
    asked = request(body, aeg_event_type="SubscriptionValidation")
    assert dynamics365.greet(asked, connection("dynamics365")) is None
    assert dynamics365.greet(request(body), connection("dynamics365")) is None


def test_an_event_of_the_catalogue_can_be_named() -> None:
    """Environments have more business events than the table: an option says what one means."""
    body = (
        b'{"BusinessEventId":"ContosoReceiptBusinessEvent","EventId":"e9","BusinessEventLegalEntity":"USMF",'
        b'"EventTimeIso8601":"2025-10-09T08:53:20.1234567Z","PaymentId":"P1","Currency":"X","Amount":10}'
    )
    options = {"event.ContosoReceiptBusinessEvent": "payment.applied", "currency": "EUR"}
    (event,) = dynamics365.parse(request(body), connection("dynamics365", options=options))
    assert (event.event, event.currency, event.subject) == ("payment.applied", "EUR", "d365.payment")
    assert event.keys == {"d365.payment": "USMF/P1"}
    assert event.time == NOW.replace(hour=8, minute=53, second=20, microsecond=123456)


@pytest.mark.parametrize("missing", ["EventId", "BusinessEventLegalEntity"])
def test_an_event_without_identity_is_unreadable(missing: str) -> None:
    """Without its id it could not be told from another, without its company nor could its keys."""
    event = {"BusinessEventId": "X", "EventId": "e1", "BusinessEventLegalEntity": "USMF", "InvoiceId": "1"}
    del event[missing]
    with pytest.raises(Unreadable, match=missing):
        dynamics365.parse(request(json.dumps(event).encode()), connection("dynamics365"))
