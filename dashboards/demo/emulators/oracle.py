"""Oracle Fusion Cloud ERP: business events that a flow in Oracle Integration forwards with a signature."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import ClassVar
from xml.sax.saxutils import quoteattr

from throughline.dashboards.demo.emulators.emulator import MINUTE, Delivery, Emulator, Fact, Item, number
from throughline.probes import vocabulary as v
from throughline.probes.platforms.credentials import sign

CODES = {
    v.INVOICE_POSTED: "ReceivablesInvoiceCompleted",
    v.INVOICE_CREDITED: "ReceivablesInvoiceIncompleted",
    v.PAYMENT_APPLIED: "ReceivablesInvoicePaid",
}


@dataclass(frozen=True, slots=True)
class Oracle(Emulator):
    """Receivables; retried ten times within six hours, as a third party says."""

    platform: ClassVar[str] = "oracle"
    says: ClassVar[frozenset[str]] = frozenset(CODES)
    retries: ClassVar[tuple[timedelta, ...]] = (MINUTE, 5 * MINUTE, 10 * MINUTE, *([45 * MINUTE] * 7))
    kinds: ClassVar[tuple[str, ...]] = tuple(CODES.values())
    org: str = "fusion-demo"

    def options(self) -> dict[str, str]:
        """The environment."""
        return {"org": self.org}

    def key(self, fact: Fact, role: str) -> str:
        """Environment and id."""
        return f"{self.org}/{number(fact.ids[role], 15)}"

    def items(self, fact: Fact, rng: random.Random) -> list[Item]:
        """Old and new values; deliveries of one instance of the flow are the same event."""
        code, name = CODES[fact.event], fact.ids["invoice"]
        new = {
            "CustomerTransactionId": str(number(name, 15)),
            "TransactionNumber": name,
            "TransactionDate": fact.time.date().isoformat(),
            "LastUpdateDate": fact.time.isoformat(),
            "BusinessUnit": fact.entity,
            "BillToCustomerName": fact.customer,
            "InvoiceCurrencyCode": fact.currency,
            "EnteredAmount": str(fact.amount or ""),
            "InvoiceStatus": "Closed" if fact.event == v.PAYMENT_APPLIED else "Open",
        }
        new |= self.references(fact)
        if "project" in fact.ids:
            new["ProjectId"] = str(number(fact.ids["project"], 15))
        members = "".join(
            f"<{key}><newValue value={quoteattr(value)}/><oldValue/></{key}>"
            for key, value in new.items()
            if value
        )
        xml = f"<onEvent><{code}Info>{members}</{code}Info></onEvent>"
        return [Item((xml, f"{rng.getrandbits(40)}"), (fact,), fact.time)]

    def body(self, delivery: Delivery) -> bytes:
        """The XML."""
        ((xml, _),) = delivery.message.items
        return str(xml).encode()

    def headers(self, delivery: Delivery, body: bytes, url: str, at: datetime) -> dict[str, str]:
        """The signature of time and body."""
        seconds = str(int(at.timestamp()))
        signature = f"t={seconds},v1={sign(self.secret, seconds, body)}"
        ((_, instance),) = delivery.message.items
        headers = {"content-type": "application/xml", "x-oic-instance-id": instance}
        return {**headers, "x-probe-signature": signature}
