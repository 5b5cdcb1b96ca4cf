"""Certinia: change events of its Salesforce objects; equal changes of one second become one event."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from typing import Any, ClassVar

from throughline.dashboards.demo.emulators.emulator import Fact, Item
from throughline.dashboards.demo.emulators.salesforce import PREFIXES, ChangeRelay, record_id
from throughline.probes import vocabulary as v

Saying = tuple[str, str, str, dict[str, Any]]
"""Object, role of its id, kind of change, fields that changed."""

SAYINGS: dict[str, tuple[Saying, ...]] = {
    v.PROJECT_CREATED: (("pse__Proj__c", "project", "CREATE", {"pse__Is_Billable__c": True}),),
    v.PROJECT_UPDATED: (("pse__Proj__c", "project", "UPDATE", {}),),
    v.PROJECT_CANCELLED: (("pse__Proj__c", "project", "UPDATE", {"pse__Stage__c": "Canceled"}),),
    v.TIME_APPROVED: (
        ("pse__Timecard_Header__c", "timecard", "UPDATE", {"pse__Status__c": "Approved"}),
    ),
    v.TIME_UNAPPROVED: (
        ("pse__Timecard_Header__c", "timecard", "UPDATE", {"pse__Status__c": "Saved"}),
    ),
    v.EXPENSE_APPROVED: (
        ("pse__Expense__c", "expense", "UPDATE", {"pse__Status__c": "Approved"}),
    ),
    v.BILLING_RELEASED: (
        ("pse__Billing_Event__c", "billing", "UPDATE", {"pse__Is_Released__c": True}),
    ),
    v.INVOICE_POSTED: (("pse__Billing_Event__c", "billing", "UPDATE", {"pse__Invoiced__c": True}),),
}  # fmt: skip
PARENTS = {"opportunity": "pse__Opportunity__c", "project": "pse__Project__c"}
AMOUNTS = {"billing": "pse__Summary_Amount__c", "expense": "pse__Amount__c"}


@dataclass(frozen=True, slots=True)
class Certinia(ChangeRelay):
    """Projects, time, expenses and billing events."""

    platform: ClassVar[str] = "certinia"
    says: ClassVar[frozenset[str]] = frozenset(SAYINGS)
    kinds: ClassVar[tuple[str, ...]] = tuple({saying[0] for said in SAYINGS.values() for saying in said})

    def items(self, fact: Fact, rng: random.Random) -> list[Item]:
        """The changes that tell the fact, with the parents that an enriched channel adds."""
        found = []
        for entity, role, kind, changed in SAYINGS[fact.event]:
            event = self.change(
                entity, record_id(PREFIXES[role], fact.ids[role]), kind, changed, fact=fact, rng=rng
            )
            known: dict[str, Any] = {"CurrencyIsoCode": fact.currency}
            known |= self.references(fact)
            for parent, name in PARENTS.items():
                if parent in fact.ids and parent != role:
                    known[name] = record_id(PREFIXES[parent], fact.ids[parent])
            if fact.amount is not None and role in AMOUNTS:
                known[AMOUNTS[role]] = float(fact.amount)
            event["payload"] |= known
            found.append(Item(event, (fact,), fact.time))
        return found

    def merged(self, items: list[Item]) -> list[Item]:
        """Merge what is equal but for the record, within a second of one transaction."""
        found: dict[str, Item] = {}
        for item in items:
            payload = dict(item.content["payload"])
            header = payload.pop("ChangeEventHeader")
            payload.pop("LastModifiedDate")
            same = json.dumps(
                [header["entityName"], header["changeType"], header["commitTimestamp"] // 1000, payload]
            )
            if header["changeType"] != "UPDATE" or same not in found:
                found[same if header["changeType"] == "UPDATE" else header["transactionKey"]] = item
                continue
            first = found[same].content["payload"]["ChangeEventHeader"]["recordIds"]
            first += [record for record in header["recordIds"] if record not in first]
            found[same] = Item(found[same].content, found[same].facts + item.facts, found[same].at)
        return list(found.values())
