"""One deal of the simulated firm: says what happens to it, as the systems would."""

from __future__ import annotations

import hashlib
import random
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from throughline.dashboards.demo.catalog import (
    CUSTOMERS,
    ENTITIES,
    HUBSPOT_PORTAL,
    NETSUITE_ACCOUNT,
    SALESFORCE_ORG,
    SERVICE_LINES,
    Cause,
    Entity,
)
from throughline.probes import vocabulary as v
from throughline.probes.vocabulary import BusinessEvent, KeysOf

_SATURDAY = 5
_HOURLY_RATE = 150


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedEvent:
    """One business event (or, without a name, evidence) and how it is brought to the platform."""

    event: BusinessEvent
    journeys: tuple[str, ...]
    """Roots, as `namespace:value`, of the journeys that it belongs to."""
    service: str
    """The system that says it: crm, middleware, psa or erp."""
    via: tuple[str, ...] = ()
    """Systems that the call passes before, outermost first."""
    trace: str
    """Events of one trace label share a trace, each below the one sent before it."""
    seconds: float
    """How long the hop took."""
    sent: datetime
    """When it reaches the platform; the order of sending."""
    copies: int = 1
    """How often it is emitted, with the same identity."""
    resent: bool = False
    """Whether the request that carries it is sent twice."""
    baggage: Mapping[str, str] = field(default_factory=dict)
    """Keys that the caller passes on, by namespace."""

    @property
    def time(self) -> datetime:
        """When it happens."""
        if self.event.time is None:
            raise ValueError("a planned event has a time")
        return self.event.time


def working(moment: datetime, entity: Entity, rng: random.Random) -> datetime:
    """The moment, or a while after the entity opens next."""
    if moment.weekday() < _SATURDAY and entity.opens <= moment.hour < entity.closes:
        return moment
    day = moment if moment.hour < entity.opens else moment + timedelta(days=1)
    while day.weekday() >= _SATURDAY:
        day += timedelta(days=1)
    opening = day.replace(hour=entity.opens, minute=0, second=0, microsecond=0)
    return opening + timedelta(minutes=rng.uniform(1, 90))


class Deal:
    """Builds the events of one journey; each method takes when it happens and returns what it made."""

    def __init__(self, label: str, rng: random.Random, *, entity: Entity | None = None) -> None:
        """Draw a customer, an entity and an amount.

        Args:
            label: distinguishes all keys of this deal from those of any other; short, letters and digits.
            rng: every choice comes from it.
            entity: default: drawn.
        """
        self.label = label
        self.rng = rng
        self.entity = entity or rng.choice(ENTITIES)
        self.customer = rng.choice(CUSTOMERS)
        self.service_line = rng.choice(SERVICE_LINES)
        self.amount = Decimal(rng.randrange(8, 400)) * 500
        self.namespace: str = v.SALESFORCE_OPPORTUNITY
        self.opportunity = f"{SALESFORCE_ORG}/006{label}"
        self.project = f"{SALESFORCE_ORG}/a3P{label}"
        self.events: list[PlannedEvent] = []
        self.timecards: list[str] = []
        self.billings: list[str] = []
        self.invoices: list[str] = []
        self._said = 0

    @property
    def root(self) -> str:
        """The root object of the journey, as `namespace:value`."""
        return f"{self.namespace}:{self.opportunity}"

    def in_hubspot(self) -> None:
        """Let the deal live in HubSpot instead of Salesforce."""
        self.namespace = v.HUBSPOT_DEAL
        self.opportunity = f"{HUBSPOT_PORTAL}/9{self.label}"

    def orphaned(self) -> None:
        """Let the journey start at its project."""
        self.namespace = v.CERTINIA_PROJECT
        self.opportunity = self.project

    def after(self, moment: datetime, low: float, high: float) -> datetime:
        """A working moment, drawn between so many hours after another one."""
        return working(moment + timedelta(hours=self.rng.uniform(low, high)), self.entity, self.rng)

    def say(
        self,
        service: str,
        event: str,
        at: datetime,
        keys: KeysOf,
        *,
        via: tuple[str, ...] = (),
        trace: str | None = None,
        journeys: tuple[str, ...] | None = None,
        baggage: Mapping[str, str] | None = None,
        drawn: bool = True,
        **more: Any,
    ) -> PlannedEvent:
        """Add an event; `more` are fields of `BusinessEvent`, over the dimensions of the deal. How long its
        hop took is drawn, or not: then a seed's other choices stay as they are.
        """
        self._said += 1
        digest = hashlib.sha256(f"{self.label}/{self._said}".encode()).digest()[:16]
        facts: dict[str, Any] = {
            "id": str(uuid.UUID(bytes=digest, version=4)),
            "customer": self.customer,
            "entity": self.entity.code,
            "region": self.entity.region,
            "service_line": self.service_line,
            "currency": self.entity.currency,
        }
        if "middleware" in (*via, service):
            run = digest.hex()[:12]
            facts |= {"run_id": run, "run_url": f"https://ipaas.example.com/runs/{run}"}
        planned = PlannedEvent(
            event=BusinessEvent(event=event, time=at, keys=keys, **{**facts, **more}),
            journeys=(self.root,) if journeys is None else journeys,
            service=service,
            via=via,
            trace=trace or f"{self.label}/{self._said}",
            seconds=self.rng.uniform(0.05, 4.0) if drawn else 1.0,
            sent=at,
            baggage=baggage or {},
        )
        self.events.append(planned)
        return planned

    def closed_won(self, at: datetime, **more: Any) -> datetime:
        """The opportunity is won in the CRM."""
        attributes = {"billable": "true", "stage": "Closed Won", **more.pop("attributes", {})}
        keys = {self.namespace: self.opportunity, **more.pop("keys", {})}
        self.say(
            "crm", v.OPPORTUNITY_CLOSED_WON, at, keys,
            trace=f"{self.label}/won", amount=self.amount, attributes=attributes, **more,
        )  # fmt: skip
        return at

    def lost(self, at: datetime) -> datetime:
        """The opportunity is lost."""
        self.say("crm", v.OPPORTUNITY_LOST, at, {self.namespace: self.opportunity}, amount=self.amount)
        return at

    def project_created(self, at: datetime, **more: Any) -> datetime:
        """The middleware has the PSA create the project."""
        keys = {self.namespace: self.opportunity, v.CERTINIA_PROJECT: self.project, **more.pop("keys", {})}
        self.say(
            "psa", v.PROJECT_CREATED, at, keys,
            via=("middleware",), trace=f"{self.label}/won", attributes={"billing_schedule": "monthly"},
            baggage={self.namespace: self.opportunity}, **more,
        )  # fmt: skip
        self._set_up(at)
        return at

    def _set_up(self, created: datetime) -> None:
        """People complete the project some hours after its creation; of one in nine nobody thinks."""
        lot = hashlib.sha256(self.project.encode()).digest()
        if lot[0] % 9 == 0:
            return
        ready = {
            "billing_type": "time_and_materials",
            "billing_schedule": "monthly",
            "budget": str(self.amount * 4 // 5),
            "project_manager": f"pm-{lot[1] % 7 + 1}",
        }
        at = created + timedelta(hours=1 + lot[2] % 40)
        self.say("psa", v.PROJECT_UPDATED, at, {v.CERTINIA_PROJECT: self.project}, drawn=False,
                 attributes=ready)  # fmt: skip

    def project_failed(self, at: datetime, cause: Cause) -> datetime:
        """The PSA refuses the project; there is no project key yet."""
        self.say(
            "psa", v.PROJECT_CREATED, at, {self.namespace: self.opportunity},
            via=("middleware",), trace=f"{self.label}/won", **_failed(cause),
        )  # fmt: skip
        return at

    def time_approved(self, at: datetime, hours: int = 40) -> datetime:
        """One more timecard is approved."""
        card = f"{SALESFORCE_ORG}/a3T{self.label}{len(self.timecards) + 1}"
        self.timecards.append(card)
        self._card(v.TIME_APPROVED, at, card, hours)
        return at

    def time_taken_back(self, at: datetime, again: datetime, hours: int = 40) -> datetime:
        """The last timecard is unapproved, then approved again."""
        self._card(v.TIME_UNAPPROVED, at, self.timecards[-1], hours)
        self._card(v.TIME_APPROVED, again, self.timecards[-1], hours)
        return again

    def _card(self, event: str, at: datetime, card: str, hours: int) -> None:
        keys = {v.CERTINIA_PROJECT: self.project, v.CERTINIA_TIMECARD: card}
        worth = Decimal(hours * _HOURLY_RATE)
        self.say(
            "psa", event, at, keys,
            subject=v.CERTINIA_TIMECARD, amount=worth, attributes={"hours": hours},
        )  # fmt: skip

    def billing_released(self, at: datetime, amount: Decimal | None = None) -> datetime:
        """The timecards that are not billed yet go into a billing event."""
        billing = f"{SALESFORCE_ORG}/a3B{self.label}{len(self.billings) + 1}"
        self.billings.append(billing)
        keys: dict[str, Any] = {v.CERTINIA_PROJECT: self.project, v.CERTINIA_BILLING_EVENT: billing}
        if self.timecards:
            keys[v.CERTINIA_TIMECARD] = tuple(self.timecards)
        self.say(
            "psa", v.BILLING_RELEASED, at, keys,
            subject=v.CERTINIA_BILLING_EVENT, amount=amount or self.amount, trace=f"{billing}/bill",
        )  # fmt: skip
        return at

    def next_invoice(self) -> str:
        """The number under which the middleware will post the next invoice."""
        number = f"{NETSUITE_ACCOUNT}/INV-{self.label}-{len(self.invoices) + 1}"
        self.invoices.append(number)
        return number

    def invoice_posted(self, at: datetime, invoice: str, amount: Decimal | None = None) -> datetime:
        """The ERP posts the invoice for the last billing event."""
        self._invoice(v.INVOICE_POSTED, at, invoice, amount=amount or self.amount, accounting_date=at.date())
        return at

    def invoice_failed(self, at: datetime, invoice: str, cause: Cause) -> datetime:
        """The ERP refuses to post the invoice."""
        self._invoice(v.INVOICE_POSTED, at, invoice, amount=self.amount, **_failed(cause))
        return at

    def invoice_credited(self, at: datetime, invoice: str) -> datetime:
        """The ERP credits the invoice in full."""
        self._invoice(v.INVOICE_CREDITED, at, invoice, amount=self.amount, accounting_date=at.date())
        return at

    def _invoice(self, event: str, at: datetime, invoice: str, **more: Any) -> None:
        keys = {v.CERTINIA_BILLING_EVENT: tuple(self.billings), v.NETSUITE_INVOICE: invoice}
        self.say(
            "erp", event, at, keys,
            via=("middleware",), subject=v.NETSUITE_INVOICE, trace=f"{self.billings[-1]}/bill", **more,
        )  # fmt: skip

    def paid(self, at: datetime, invoice: str, **more: Any) -> datetime:
        """The customer's payment is applied to the invoice."""
        payment = f"{NETSUITE_ACCOUNT}/PAY-{invoice.rpartition('INV-')[2]}"
        keys = {v.NETSUITE_INVOICE: invoice, v.NETSUITE_PAYMENT: payment}
        more.setdefault("amount", self.amount)
        self.say("erp", v.PAYMENT_APPLIED, at, keys, subject=v.NETSUITE_PAYMENT, precision="day", **more)
        return at

    def cancelled(self, at: datetime) -> datetime:
        """The project is cancelled."""
        keys = {v.CERTINIA_PROJECT: self.project}
        self.say("psa", v.PROJECT_CANCELLED, at, keys, subject=v.CERTINIA_PROJECT)
        return at


def _failed(cause: Cause) -> dict[str, Any]:
    return {
        "failed": True,
        "exception_class": cause.exception_class,
        "exception_code": cause.code,
        "exception_message": cause.message,
    }
