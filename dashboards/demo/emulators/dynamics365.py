"""Dynamics 365 Finance: business events over HTTPS, or through Event Grid in one of its two schemas."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, ClassVar, Literal

from throughline.dashboards.demo.emulators.emulator import (
    HOUR,
    MINUTE,
    PUBLIC_URL,
    SECOND,
    Delivery,
    Emulator,
    Fact,
    Item,
    milliseconds,
    uuid_of,
)
from throughline.probes import vocabulary as v
from throughline.probes.platforms.adapter import HookRequest

IDS = {
    v.INVOICE_POSTED: "SalesInvoicePostedBusinessEvent",
    v.INVOICE_CREDITED: "SalesInvoicePostedBusinessEvent",
    v.PAYMENT_APPLIED: "CustPaymentPostedBusinessEvent",
}
EVENT_GRID_RETRIES = (
    10 * SECOND, 30 * SECOND, MINUTE, 5 * MINUTE, 10 * MINUTE, 30 * MINUTE, *([HOUR] * 22),
)  # fmt: skip
"""Thirty attempts within 24 hours; after that the event is gone, unless dead-lettering is on."""
FIRST_CONTROL_NUMBER = 5_637_000_000


@dataclass(frozen=True, slots=True)
class Dynamics365(Emulator):
    """Invoices and payments; over HTTPS three tries one second apart, then the error log."""

    platform: ClassVar[str] = "dynamics365"
    says: ClassVar[frozenset[str]] = frozenset(IDS)
    retries: ClassVar[tuple[timedelta, ...]] = (SECOND, SECOND)
    kinds: ClassVar[tuple[str, ...]] = tuple(sorted(set(IDS.values())))
    channel: Literal["https", "event_grid", "cloud_events"] = "https"
    currencies: dict[str, str] = field(default_factory=lambda: {"US01": "USD", "DE01": "EUR"})

    def options(self) -> dict[str, str]:
        """The accounting currencies, which the events do not name."""
        return {f"currency.{entity}": currency for entity, currency in self.currencies.items()}

    def key(self, fact: Fact, role: str) -> str:
        """Legal entity and number."""
        return f"{fact.entity}/{fact.ids[role]}"

    def items(self, fact: Fact, rng: random.Random) -> list[Item]:
        """The business event; a credit note is an invoice below zero."""
        at = milliseconds(fact.time)
        event: dict[str, Any] = {
            "BusinessEventId": IDS[fact.event],
            "BusinessEventLegalEntity": fact.entity,
            "ContextRecordSubject": "",
            "ControlNumber": FIRST_CONTROL_NUMBER + rng.randrange(10**6),
            "EventId": uuid_of(rng).upper(),
            "EventTime": f"/Date({at})/",
            "EventTimeIso8601": fact.time.strftime("%Y-%m-%dT%H:%M:%S.%f0Z"),
            "InitiatingUserAADObjectId": "{11111111-2222-3333-4444-555555555555}",
            "LegalEntity": fact.entity,
            "MajorVersion": 0,
            "MinorVersion": 0,
            "ParentContextRecordSubjects": [],
        }
        event |= self.references(fact)
        amount = float(fact.amount or 0)
        if "project" in fact.ids:
            event["ProjId"] = fact.ids["project"]
        if fact.event == v.PAYMENT_APPLIED:
            event |= {"PaymentReference": fact.ids["payment"], "InvoiceId": fact.ids["invoice"]}
            event |= {"PaymentAmount": amount, "CustomerAccount": fact.customer}
        else:
            signed = -amount if fact.event == v.INVOICE_CREDITED else amount
            event |= {"InvoiceId": fact.ids["invoice"], "InvoiceAmount": signed, "InvoiceTaxAmount": 0.0}
            event |= {
                "InvoiceAccount": fact.customer,
                "InvoiceDate": f"/Date({at // 86_400_000 * 86_400_000})/",
            }
        return [Item(event, (fact,), fact.time)]

    def schedule(self) -> tuple[timedelta, ...]:
        """That of the channel."""
        return self.retries if self.channel == "https" else EVENT_GRID_RETRIES

    def body(self, delivery: Delivery) -> bytes:
        """The event as the channel wraps it."""
        (event,) = delivery.message.items
        if self.channel == "https":
            return json.dumps(event).encode()
        identity, kind = event["EventId"].lower(), event["BusinessEventId"]
        if self.channel == "cloud_events":
            return json.dumps({
                "specversion": "1.0", "id": identity, "source": "/subscriptions/demo", "type": kind,
                "time": event["EventTimeIso8601"], "datacontenttype": "application/json", "data": event,
            }).encode()  # fmt: skip
        return json.dumps([{
            "id": identity, "topic": "/subscriptions/demo", "subject": "", "eventType": kind,
            "eventTime": event["EventTimeIso8601"], "data": event, "dataVersion": "1", "metadataVersion": "1",
        }]).encode()  # fmt: skip

    def headers(self, delivery: Delivery, body: bytes, url: str, at: datetime) -> dict[str, str]:
        """Nothing secret: that is in the URL."""
        if self.channel == "cloud_events":
            return {"content-type": "application/cloudevents+json; charset=utf-8"}
        return {"content-type": "application/json"} | (
            {"aeg-event-type": "Notification"} if self.channel == "event_grid" else {}
        )

    def path(self) -> str:
        """The endpoint URL, kept in Azure Key Vault, holds the secret."""
        return f"/hooks/{self.platform}/{self.id}?token={self.secret.decode()}"

    def handshake(self, at: datetime, *, url: str = PUBLIC_URL) -> HookRequest | None:
        """What Event Grid asks before it delivers; None: the channel asks nothing."""
        if self.channel == "cloud_events":
            headers = {"webhook-request-origin": "eventgrid.azure.net", "webhook-request-rate": "120"}
            return HookRequest("OPTIONS", url + self.path(), headers, b"", at)
        if self.channel == "https":
            return None
        code = {"validationCode": "512d38b6-demo", "validationUrl": "https://example.invalid/validate"}
        body = json.dumps([{
            "id": "e1", "topic": "/subscriptions/demo", "subject": "", "data": code,
            "eventType": "Microsoft.EventGrid.SubscriptionValidationEvent",
            "eventTime": at.isoformat(), "metadataVersion": "1", "dataVersion": "1",
        }]).encode()  # fmt: skip
        headers = {"content-type": "application/json", "aeg-event-type": "SubscriptionValidation"}
        return HookRequest("POST", url + self.path(), headers, body, at)
