"""Salesforce: outbound messages, or change events as a relay of the Pub/Sub API forwards them."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, ClassVar, Literal
from xml.sax.saxutils import escape

from throughline.dashboards.demo.emulators.emulator import (
    HOUR,
    MINUTE,
    SECOND,
    Delivery,
    Emulator,
    Fact,
    Item,
    milliseconds,
    uuid_of,
)
from throughline.probes import vocabulary as v
from throughline.probes.platforms.salesforce_channels import long_id

STAGES = {v.OPPORTUNITY_CLOSED_WON: "Closed Won", v.OPPORTUNITY_LOST: "Closed Lost",
          v.OPPORTUNITY_REOPENED: "Negotiation"}  # fmt: skip
FIELDS = (
    "Id",
    "ChangeEventHeader",
    "StageName",
    "IsClosed",
    "IsWon",
    "Amount",
    "CurrencyIsoCode",
    "LastModifiedDate",
)
"""Of the Avro schema, in its order: bitmaps count them."""
SCHEMA = {
    "type": "record",
    "name": "OpportunityChangeEvent",
    "fields": [{"name": name, "type": ["null", "string"]} for name in FIELDS],
}


PREFIXES = {
    "opportunity": "006", "project": "a3P", "timecard": "a3T", "expense": "a3E", "billing": "a0B",
}  # fmt: skip
"""Role -> the first letters of the record's id."""


def record_id(prefix: str, name: str) -> str:
    """The 18 letters of a record's id."""
    return long_id(f"{prefix}{name:0>12}")


@dataclass(frozen=True, slots=True)
class ChangeRelay(Emulator):
    """Change events of an organisation, relayed as JSON arrays; a relay replays for 72 hours."""

    batch: ClassVar[int] = 25
    retries: ClassVar[tuple[timedelta, ...]] = (SECOND, 10 * SECOND, MINUTE, 10 * MINUTE, *([HOUR] * 71))
    org: str = "00D5e000000demo"
    custom: ClassVar[str] = "{}__c"

    def options(self) -> dict[str, str]:
        """The organisation."""
        return {"org": self.org}

    def key(self, fact: Fact, role: str) -> str:
        """Organisation and record."""
        return f"{long_id(self.org)}/{record_id(PREFIXES[role], fact.ids[role])}"

    def change(
        self,
        entity: str,
        record: str,
        kind: str,
        fields: Mapping[str, Any],
        *,
        fact: Fact,
        rng: random.Random,
    ) -> dict[str, Any]:
        """One change event, with the names of its changed fields decoded."""
        at = milliseconds(fact.time)
        changed = [*fields, "LastModifiedDate"] if kind == "UPDATE" else []
        header = {
            "entityName": entity,
            "recordIds": [record],
            "changeType": kind,
            "changeOrigin": "",
            "transactionKey": uuid_of(rng),
            "sequenceNumber": 1,
            "commitTimestamp": at,
            "commitNumber": rng.getrandbits(40),
            "commitUser": record_id("005", "demo"),
            "nulledFields": [],
            "diffFields": [],
            "changedFields": changed,
        }
        payload = {"ChangeEventHeader": header, **fields, "LastModifiedDate": at}
        topic = f"/data/{entity.removesuffix('__c')}{'__' if entity.endswith('__c') else ''}ChangeEvent"
        return {"topic": topic, "replayId": f"{rng.getrandbits(64):016x}", "payload": payload}

    def body(self, delivery: Delivery) -> bytes:
        """An array of events."""
        return json.dumps(list(delivery.message.items)).encode()

    def headers(self, delivery: Delivery, body: bytes, url: str, at: datetime) -> dict[str, str]:
        """The relay's secret."""
        return {"content-type": "application/json", "authorization": f"Bearer {self.secret.decode()}"}


@dataclass(frozen=True, slots=True)
class Salesforce(ChangeRelay):
    """Opportunities, over one of the two channels."""

    platform: ClassVar[str] = "salesforce"
    says: ClassVar[frozenset[str]] = frozenset(STAGES)
    kinds: ClassVar[tuple[str, ...]] = ("Opportunity",)
    batch: ClassVar[int] = 100
    retries: ClassVar[tuple[timedelta, ...]] = (
        SECOND, 10 * SECOND, MINUTE, 5 * MINUTE, 15 * MINUTE, HOUR, *([2 * HOUR] * 11),
    )  # fmt: skip
    """Backoff up to two hours, for 24 hours."""
    channel: Literal["change_events", "outbound_messages"] = "change_events"

    def speaks(self) -> frozenset[str]:
        """The state of a record does not say that it was closed before."""
        without = {v.OPPORTUNITY_REOPENED} if self.channel == "outbound_messages" else set()
        return self.says - without

    def schedule(self) -> tuple[timedelta, ...]:
        """That of the channel."""
        return ChangeRelay.retries if self.channel == "change_events" else self.retries

    def most(self) -> int:
        """That of the channel."""
        return ChangeRelay.batch if self.channel == "change_events" else self.batch

    def items(self, fact: Fact, rng: random.Random) -> list[Item]:
        """A change of the opportunity's stage; outbound messages say the state of a record."""
        won = fact.event == v.OPPORTUNITY_CLOSED_WON
        closed = fact.event != v.OPPORTUNITY_REOPENED
        record = record_id("006", fact.ids["opportunity"])
        fields: dict[str, Any] = {"StageName": STAGES[fact.event], "IsClosed": closed, "IsWon": won}
        amount: dict[str, Any] = dict(self.references(fact))
        if fact.amount is not None:
            amount |= {"Amount": float(fact.amount), "CurrencyIsoCode": fact.currency}
        if self.channel == "outbound_messages":
            said = {"Id": record, **fields, **amount, "LastModifiedDate": fact.time.isoformat()}
            return [Item(_notification(said, uuid_of(rng)[:12].replace("-", "")), (fact,), fact.time)]
        event = self.change("Opportunity", record, "UPDATE", fields, fact=fact, rng=rng)
        event["payload"] |= {"Id": None, **amount}  # enriched, so known though unchanged
        if rng.random() < 0.5:  # noqa: PLR2004 a relay either decodes or forwards the schema
            names = [*fields, "LastModifiedDate"]
            event["payload"]["ChangeEventHeader"]["changedFields"] = [bitmap(names)]
            event["schema"] = SCHEMA
        return [Item(event, (fact,), fact.time)]

    def body(self, delivery: Delivery) -> bytes:
        """SOAP or JSON."""
        if self.channel == "change_events":
            return json.dumps(list(delivery.message.items)).encode()
        return envelope(self.org, delivery.message.items)

    def headers(self, delivery: Delivery, body: bytes, url: str, at: datetime) -> dict[str, str]:
        """The relay's secret; that of outbound messages is in the URL."""
        if self.channel == "change_events":
            return {"content-type": "application/json", "authorization": f"Bearer {self.secret.decode()}"}
        return {"content-type": "text/xml; charset=utf-8", "soapaction": '""'}

    def path(self) -> str:
        """The endpoint URL of the outbound message holds the secret."""
        path = f"/hooks/{self.platform}/{self.id}"
        return path if self.channel == "change_events" else f"{path}?token={self.secret.decode()}"


def bitmap(names: Sequence[str]) -> str:
    """The bitmap of fields of SCHEMA."""
    return f"0x{sum(1 << FIELDS.index(name) for name in names):X}"


def _notification(fields: Mapping[str, Any], name: str) -> str:
    members = "".join(
        f"<sf:{key}>{escape(str(value).lower() if isinstance(value, bool) else str(value))}</sf:{key}>"
        for key, value in fields.items()
    )
    return (
        f"<Notification><Id>{record_id('04l', name)}</Id>"
        '<sObject xsi:type="sf:Opportunity" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" '
        f'xmlns:sf="urn:sobject.enterprise.soap.sforce.com">{members}</sObject></Notification>'
    )


def envelope(org: str, notifications: Sequence[str]) -> bytes:
    """The SOAP message of notifications."""
    return (
        '<?xml version="1.0" encoding="UTF-8"?>'
        '<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/"><soapenv:Body>'
        '<notifications xmlns="http://soap.sforce.com/2005/09/outbound">'
        f"<OrganizationId>{org}</OrganizationId><ActionId>04kDEMO0000001</ActionId>"
        '<SessionId xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:nil="true"/>'
        "<EnterpriseUrl>https://demo.my.salesforce.com/services/Soap/c/62.0</EnterpriseUrl>"
        "<PartnerUrl>https://demo.my.salesforce.com/services/Soap/u/62.0</PartnerUrl>"
        f"{''.join(notifications)}</notifications></soapenv:Body></soapenv:Envelope>"
    ).encode()
