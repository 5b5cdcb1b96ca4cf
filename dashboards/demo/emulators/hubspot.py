"""HubSpot: webhooks of deals in batches, signed with version 3.

Source: https://developers.hubspot.com/docs/apps/developer-platform/build-apps/authentication/request-validation
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import random
import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import ClassVar

from throughline.dashboards.demo.emulators.emulator import (
    HOUR,
    MINUTE,
    Delivery,
    Emulator,
    Fact,
    Item,
    milliseconds,
    number,
)
from throughline.probes import vocabulary as v

STAGES = {v.OPPORTUNITY_CLOSED_WON: "closedwon", v.OPPORTUNITY_LOST: "closedlost"}
DECODED = {"%3A": ":", "%2F": "/", "%3F": "?", "%40": "@", "%21": "!", "%24": "$", "%27": "'", "%28": "(",
           "%29": ")", "%2A": "*", "%2C": ",", "%3B": ";"}  # fmt: skip
"""What HubSpot decodes in the query before it signs, and nothing else."""


def signature(secret: bytes, method: str, url: str, body: bytes, stamp: str) -> str:
    """Version 3: of method, URL, body and time."""
    path, mark, query = url.partition("#")[0].partition("?")
    plain = re.sub(r"%[0-9A-Fa-f]{2}", lambda found: DECODED.get(found[0].upper(), found[0]), query)
    source = f"{method}{path}{mark}{plain}".encode() + body + stamp.encode()
    return base64.b64encode(hmac.new(secret, source, hashlib.sha256).digest()).decode()


@dataclass(frozen=True, slots=True)
class HubSpot(Emulator):
    """Deals: stages, and changes of other properties between them."""

    platform: ClassVar[str] = "hubspot"
    says: ClassVar[frozenset[str]] = frozenset(STAGES)
    batch: ClassVar[int] = 100
    retries: ClassVar[tuple[timedelta, ...]] = (MINUTE, 5 * MINUTE, 30 * MINUTE, HOUR, *([3 * HOUR] * 6))
    """Ten, spread over 24 hours."""
    gap: ClassVar[timedelta] = timedelta(milliseconds=10)
    """At most ten requests at a time, each about 100 ms."""
    portal: int = 33
    app: int = 1160452

    def options(self) -> dict[str, str]:
        """The portal."""
        return {"portal": str(self.portal)}

    def key(self, fact: Fact, role: str) -> str:
        """Portal and object."""
        return f"{self.portal}/{number(fact.ids[role])}"

    def items(self, fact: Fact, rng: random.Random) -> list[Item]:
        """The change of stage, and now and then one of another property."""
        event = {
            "eventId": rng.randrange(1, 100_000),  # not unique, as HubSpot says itself
            "subscriptionId": 25,
            "portalId": self.portal,
            "appId": self.app,
            "occurredAt": milliseconds(fact.time),
            "subscriptionType": "deal.propertyChange",
            "attemptNumber": 0,
            "objectId": number(fact.ids["opportunity"]),
            "propertyName": "dealstage",
            "propertyValue": STAGES[fact.event],
            "changeSource": "CRM_UI",
        }
        found = [Item(event, (fact,), fact.time)]
        if fact.amount is not None:
            said = {"subscriptionId": 26, "propertyName": "amount", "propertyValue": str(fact.amount)}
            found.append(Item({**event, **said}, (), fact.time))
        return found

    def body(self, delivery: Delivery) -> bytes:
        """The batch, which says how often it was tried."""
        events = [{**event, "attemptNumber": delivery.attempt} for event in delivery.message.items]
        return json.dumps(events, separators=(",", ":")).encode()

    def headers(self, delivery: Delivery, body: bytes, url: str, at: datetime) -> dict[str, str]:
        """Time and signature."""
        stamp = str(milliseconds(at))
        return {
            "content-type": "application/json",
            "x-hubspot-request-timestamp": stamp,
            "x-hubspot-signature-v3": signature(self.secret, "POST", url, body, stamp),
        }
