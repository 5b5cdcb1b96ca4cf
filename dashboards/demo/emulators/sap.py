"""SAP S/4HANA Cloud: CloudEvents that a queue of Event Mesh pushes until they are taken."""

from __future__ import annotations

import base64
import json
import random
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, ClassVar

from throughline.dashboards.demo.emulators.emulator import (
    HOUR,
    MINUTE,
    PUBLIC_URL,
    Delivery,
    Emulator,
    Fact,
    Item,
    number,
    uuid_of,
)
from throughline.probes import vocabulary as v
from throughline.probes.platforms.adapter import HookRequest

TYPES = {
    v.INVOICE_POSTED: "sap.s4.beh.billingdocument.v1.BillingDocument.Created.v1",
    v.CUSTOMER_CREATED: "sap.s4.beh.businesspartner.v1.BusinessPartner.Created.v1",
}


@dataclass(frozen=True, slots=True)
class Sap(Emulator):
    """Billing documents and business partners; delivery at least once (QoS 1)."""

    platform: ClassVar[str] = "sap"
    says: ClassVar[frozenset[str]] = frozenset(TYPES)
    retries: ClassVar[tuple[timedelta, ...]] = (*([15 * MINUTE] * 4), *([30 * MINUTE] * 4), *([HOUR] * 24))
    """About every 15 minutes, then slower."""
    secret: bytes = b"event-mesh:emulator-secret"
    kinds: ClassVar[tuple[str, ...]] = ("billingdocument", "businesspartner")
    custom: ClassVar[str] = "YY1_{}"
    system: str = "DEMOCLNT100"

    def key(self, fact: Fact, role: str) -> str:
        """System and number; projects have names."""
        name = fact.ids[role]
        return f"{self.system}/{name if role == 'project' else number(name, 8)}"

    def items(self, fact: Fact, rng: random.Random) -> list[Item]:
        """A data event: keys alone would have no amount."""
        data: dict[str, Any] = {"BusinessPartner": str(number(fact.customer or "1"))}
        if fact.event == v.INVOICE_POSTED:
            data = {
                "BillingDocument": str(number(fact.ids["invoice"], 8)),
                "TotalNetAmount": str(fact.amount or "0"),
                "TransactionCurrency": fact.currency,
                "CompanyCode": fact.entity,
                "BillingDocumentDate": fact.time.date().isoformat(),
            }
            if "project" in fact.ids:
                data["CustomerProject"] = fact.ids["project"]
        data |= self.references(fact)
        event = {
            "specversion": "1.0",
            "type": TYPES[fact.event],
            "source": f"/default/sap.s4.beh/{self.system}",
            "id": uuid_of(rng),
            "time": fact.time.isoformat().replace("+00:00", "Z"),
            "datacontenttype": "application/json",
            "data": data,
        }
        if rng.random() < 0.3:  # noqa: PLR2004 queues also forward topics
            event["type"] = "demo/ce/" + TYPES[fact.event].replace(".", "/")
        return [Item(event, (fact,), fact.time)]

    def body(self, delivery: Delivery) -> bytes:
        """The event, structured."""
        (event,) = delivery.message.items
        return json.dumps(event).encode()

    def headers(self, delivery: Delivery, body: bytes, url: str, at: datetime) -> dict[str, str]:
        """Basic authentication."""
        shown = base64.b64encode(self.secret).decode()
        return {
            "content-type": "application/cloudevents+json",
            "authorization": f"Basic {shown}",
            "x-qos": "1",
        }

    def handshake(self, at: datetime, *, url: str = PUBLIC_URL) -> HookRequest:
        """What is asked before the first delivery."""
        headers = {"webhook-request-origin": "eventmesh.example.com"}
        return HookRequest("OPTIONS", url + self.path(), headers, b"", at)
