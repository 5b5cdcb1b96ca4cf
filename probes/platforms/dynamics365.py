"""Dynamics 365 Finance: business events over HTTPS, or through Event Grid in either of its schemas.

Amounts are in the accounting currency of the legal entity, which the events do not name.
Sources:
    https://github.com/MicrosoftDocs/dynamics-365-unified-operations-public
        articles/fin-ops-core/dev-itpro/business-events/ (home-page.md, business-events-dev-doc.md)
    https://github.com/MicrosoftDocs/azure-docs articles/event-grid/ (webhook-event-delivery.md)
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Final

from throughline.probes import vocabulary as v
from throughline.probes.platforms import cloudevents_http, shape
from throughline.probes.platforms.adapter import Connection, HookReply, HookRequest, Unreadable
from throughline.probes.platforms.build import UNKNOWN, Keys, build, failure, first, put, when
from throughline.probes.platforms.credentials import require_secret, shown_sample
from throughline.probes.vocabulary import BusinessEvent, System

OPTIONS: Final[Mapping[str, str]] = {
    "currency": "the accounting currency, for the events name none",
    "currency.<legal entity>": "the accounting currency of one legal entity, as `currency.USMF: USD`",
    "event.<BusinessEventId>": "what another business event means here, as `payment.applied`",
}
REQUIRED: Final[tuple[str, ...]] = ()

EVENTS: Final[Mapping[str, str]] = {
    "CustFreeTextInvoicePosted": v.INVOICE_POSTED,
    "SalesInvoicePosted": v.INVOICE_POSTED,
    # Ids to be compared with the catalogue of your environment: the documentation names the events, not them
    "ProjInvoicePosted": v.INVOICE_POSTED,
    "CustPaymentPosted": v.PAYMENT_APPLIED,
    "CustomerPaymentPosted": v.PAYMENT_APPLIED,
    "PaymentPosted": v.PAYMENT_APPLIED,
    "CustTransactionWrittenOff": "invoice.written_off",
    "CustCollectionsStatusChanged": "collection.status_changed",
}
"""BusinessEventId without its ending `BusinessEvent` -> what happened."""
KEYS: Final[Mapping[str, str]] = {
    "InvoiceId": v.D365_INVOICE,
    "InvoiceIds": v.D365_INVOICE,
    "InvoiceAccount": v.D365_CUSTOMER,
    "CustomerAccount": v.D365_CUSTOMER,
    "ProjId": v.D365_PROJECT,
    "ProjectId": v.D365_PROJECT,
    "PaymentId": v.D365_PAYMENT,
    "PaymentReference": v.D365_PAYMENT,
    "Voucher": "d365.voucher",
    "SalesId": "d365.sales_order",
}
"""Member -> namespace; the legal entity makes each unique."""
SUBJECTS: Final[Mapping[str, str]] = {v.INVOICE_POSTED: v.D365_INVOICE, v.PAYMENT_APPLIED: v.D365_PAYMENT}
AMOUNTS: Final = ("InvoiceAmount", "PaymentAmount", "AmountMST", "Amount")
DATES: Final = ("InvoiceDate", "PaymentDate", "TransDate")
VALIDATION: Final = "Microsoft.EventGrid.SubscriptionValidationEvent"
DEAD_LETTER: Final = {
    "deadLetterReason": "dead_letter.reason",
    "deliveryAttempts": "dead_letter.attempts",
    "lastDeliveryOutcome": "dead_letter.outcome",
}
"""What Event Grid adds to events that it gave up: the event happened all the same."""
_SUFFIX: Final = "BusinessEvent"
_FAILED: Final = ("Failed", "Error", "Rejected")


def greet(request: HookRequest, connection: Connection) -> HookReply | None:  # noqa: ARG001 the same for all
    """Answer Event Grid's handshake, in either schema; None: the request is none."""
    if request.headers.get("aeg-event-type", "").casefold() != "subscriptionvalidation":
        return cloudevents_http.handshake(request)
    try:
        events = shape.objects(shape.json_value(request.body), "An event")
    except Unreadable:
        return None  # nobody is known yet, so nothing of it is kept
    codes = [shape.said(shape.part(event, "data").get("validationCode")) for event in events]
    if len(events) != 1 or events[0].get("eventType") != VALIDATION or not codes[0]:
        return None
    said = json.dumps({"validationResponse": codes[0]}).encode()
    return HookReply(body=said, content_type="application/json")


def verify(request: HookRequest, connection: Connection, now: datetime) -> None:  # noqa: ARG001 nothing is timed
    """Raise BadSignature unless one of the secrets is shown, in the URL as a rule: nothing is signed."""
    require_secret(request, connection)


def parse(request: HookRequest, connection: Connection) -> list[BusinessEvent]:
    """The business events, however they were wrapped.  Raises: Unreadable."""
    return [
        _event(content, envelope, connection, request.received_at)
        for content, envelope in _unwrapped(request)
    ]


def _unwrapped(request: HookRequest) -> Iterator[tuple[dict[str, Any], shape.Object]]:
    """Each business event and what it came in: nothing, Event Grid's schema, CloudEvents, or Dataverse."""
    if "ce-id" in request.headers:
        for event in cloudevents_http.cloud_events(request):
            yield _business(cloudevents_http.data_of(event)), event
        return
    for item in shape.objects(shape.json_value(request.body), "An event"):
        if "BusinessEventId" in item:
            yield dict(item), {}
        elif "eventType" in item or "specversion" in item:
            yield _business(cloudevents_http.data_of(item)), item
        else:
            yield _business(item), {}


def _business(data: shape.Object) -> dict[str, Any]:
    """The business event inside; Dataverse puts it among the input parameters of its execution context."""
    if "BusinessEventId" not in data and isinstance(data.get("InputParameters"), list):
        for parameter in data["InputParameters"]:
            value = parameter.get("value") if isinstance(parameter, dict) else None
            if isinstance(value, str) and "BusinessEventId" in value:
                value = shape.json_value(value.encode())
            if isinstance(value, dict) and "BusinessEventId" in value:
                return value
    return dict(data)


def _event(
    content: dict[str, Any], envelope: shape.Object, connection: Connection, received: datetime
) -> BusinessEvent:
    kind = shape.said(content.get("BusinessEventId"))
    identity = shape.said(content.get("EventId")) or shape.said(envelope.get("id"))
    if not identity:
        raise Unreadable("A business event has an EventId.")
    entity = shape.said(content.get("BusinessEventLegalEntity")) or shape.said(content.get("LegalEntity"))
    if kind and not entity:  # two companies have the same numbers
        raise Unreadable("A business event has a BusinessEventLegalEntity.")
    keys = Keys(connection, entity, ("d365",))
    event = connection.options.get(f"event.{kind}") or EVENTS.get(kind.removesuffix(_SUFFIX), UNKNOWN)
    for name, namespace in KEYS.items():  # the InvoiceId of an unknown event may be a vendor's
        keys.add(f"d365.{name.casefold()}" if event == UNKNOWN else namespace, content.get(name))
    facts: dict[str, Any] = {"entity": entity}
    put(facts, "customer", content.get("InvoiceAccount") or content.get("CustomerAccount"))
    put(facts, "amount", first(content, AMOUNTS), shape.amount)
    if "amount" in facts:
        put(facts, "currency", connection.options.get(f"currency.{entity}"))
    if event == v.INVOICE_POSTED and str(facts.get("amount", "")).startswith("-"):
        event, facts["amount"] = v.INVOICE_CREDITED, str(facts["amount"])[1:]  # a credit note is one below 0
    subject = SUBJECTS.get(v.INVOICE_POSTED if event == v.INVOICE_CREDITED else event)
    facts["subject"] = subject if subject in keys.found else None
    facts["accounting_date"] = next((day for name in DATES if (day := shape.day(content.get(name)))), None)
    moment = shape.moment(content.get("EventTimeIso8601")) or shape.moment(content.get("EventTime"))
    moment = moment or shape.moment(envelope.get("eventTime") or envelope.get("time"))
    facts["time"], facts["precision"] = when(moment, facts["accounting_date"], received)
    if kind.removesuffix(_SUFFIX).endswith(_FAILED):
        message = shape.said(content.get("ErrorMessage")) or shape.said(content.get("Message"))
        facts |= failure(shape.said(content.get("ErrorCode")) or kind, message)
    attributes = {here: shape.said(envelope.get(name)) for name, here in DEAD_LETTER.items()}
    attributes["control_number"] = shape.said(content.get("ControlNumber"))
    return build(
        connection,
        event,
        identity=f"d365:{identity}",
        system=System.ERP,
        platform="dynamics365",
        keys=keys,
        object_type=kind or shape.said(envelope.get("eventType") or envelope.get("type")),
        record=content,
        facts=facts,
        attributes=attributes,
    )


def sample(connection: Connection, now: datetime) -> HookRequest:
    """A request that says nothing, for a test of ourselves."""
    return shown_sample(connection, now)
