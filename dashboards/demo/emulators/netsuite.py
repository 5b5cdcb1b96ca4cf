"""NetSuite: the shipped user event script, which posts once and tries nothing again."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar

from throughline.dashboards.demo.emulators.emulator import Delivery, Emulator, Fact, Item
from throughline.probes import vocabulary as v
from throughline.probes.platforms.credentials import sign

SAYINGS: dict[str, tuple[str, str, str]] = {
    v.PROJECT_CREATED: ("job", "create", "project"),
    v.TIME_APPROVED: ("timebill", "approve", "timecard"),
    v.INVOICE_POSTED: ("invoice", "create", "invoice"),
    v.INVOICE_CREDITED: ("creditmemo", "create", "credit"),
    v.PAYMENT_APPLIED: ("customerpayment", "create", "payment"),
}
"""Record type, event type, role of the record's id."""


@dataclass(frozen=True, slots=True)
class NetSuite(Emulator):
    """Projects, time, invoices and payments of one account."""

    platform: ClassVar[str] = "netsuite"
    says: ClassVar[frozenset[str]] = frozenset(SAYINGS)
    kinds: ClassVar[tuple[str, ...]] = tuple(kind for kind, _, _ in SAYINGS.values())
    custom: ClassVar[str] = "custbody_{}"
    account: str = "1234567_SB1"

    def options(self) -> dict[str, str]:
        """The account."""
        return {"account": self.account}

    def key(self, fact: Fact, role: str) -> str:
        """Account and internal id."""
        return f"{self.account}/{fact.ids[role]}"

    def items(self, fact: Fact, rng: random.Random) -> list[Item]:
        """The record after it was submitted; one that could not be has an error."""
        kind, done, role = SAYINGS[fact.event]
        fields: dict[str, Any] = {
            "tranid": fact.ids[role],
            "trandate": fact.time.date().isoformat(),
            "currency": {"id": "1", "refName": fact.currency},
            "subsidiary": {"id": "2", "refName": fact.entity},
            "externalid": f"{role}-{fact.ids[role]}",
        }
        fields |= self.references(fact)
        if fact.customer:
            fields["entity"] = {"id": "401", "refName": fact.customer}
        if fact.amount is not None:
            fields["total"] = float(fact.amount)
        if role != "project" and "project" in fact.ids:
            fields["job"] = {"id": fact.ids["project"], "refName": "Project"}
        if role in {"payment", "credit"}:
            fields["applied"] = [{"id": fact.ids["invoice"]}]
        said: dict[str, Any] = {
            "type": "netsuite.record.afterSubmit",
            "recordType": kind,
            "recordId": fact.ids[role],
            "eventType": done,
            "account": self.account,
            "ts": int(fact.time.timestamp()),
            "fields": fields,
        }
        if fact.error:
            said["error"] = {"code": fact.error, "message": f"{kind} {fact.ids[role]}: {fact.error}"}
        return [Item(said, (fact,), fact.time)]

    def body(self, delivery: Delivery) -> bytes:
        """The record."""
        (said,) = delivery.message.items
        return json.dumps(said, separators=(",", ":")).encode()

    def headers(self, delivery: Delivery, body: bytes, url: str, at: datetime) -> dict[str, str]:
        """The signature of time and body."""
        seconds = str(int(at.timestamp()))
        signature = f"t={seconds},v1={sign(self.secret, seconds, body)}"
        return {"content-type": "application/json", "x-probe-signature": signature}
