"""One deal of the simulated firm: says what happens to it, as the systems would."""

from __future__ import annotations

import hashlib
import json
import random
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from throughline.dashboards.demo.catalog import (
    CUSTOMERS,
    ENTITIES,
    NAMELESS,
    SERVICE_LINES,
    Cause,
    Entity,
)
from throughline.dashboards.demo.systems import ids_of, key, says, systems_of
from throughline.probes import vocabulary as v
from throughline.probes.vocabulary import BusinessEvent, KeysOf

PROJECT_REQUESTED = "project.requested"
INVOICE_REQUESTED = "invoice.requested"
"""What the middleware says itself before it calls."""
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
    onward: tuple[str, ...] = ()
    """Systems that the call goes on to."""
    connection: str = ""
    """The platform that says it by a webhook of its own; empty: the middleware says it, through the SDK."""
    ids: Mapping[str, str] = field(default_factory=dict)
    """The names of the platform's records, by role."""
    payload: str = ""
    """What the middleware sent and has stored, for a replay."""
    mended: tuple[PlannedEvent, ...] = ()
    """Of a failure: what happens once it is done again, its own success first."""

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
        self.runs = systems_of(self.entity.code)
        self.customer = rng.choice(CUSTOMERS)
        self.service_line = rng.choice(SERVICE_LINES)
        self.billable = True
        self.amount = Decimal(rng.randrange(8, 400)) * 500
        self.namespace: str = self.runs.deal
        self._names: dict[str, str] = {}
        self.opportunity = self.record("crm", "opportunity")
        self.project = self.record("psa", "project")
        self.events: list[PlannedEvent] = []
        self.timecards: list[str] = []
        self.billings: list[str] = []
        self.invoices: list[str] = []
        self._said = 0

    def record(self, service: str, role: str, suffix: str = "") -> str:
        """The key of a record of this deal, by which its platform will name it."""
        name = f"{self.label}{suffix}"
        found = key(self.runs.connection(service), role, name, self.entity.code)
        self._names[found] = name
        return found

    @property
    def root(self) -> str:
        """The root object of the journey, as `namespace:value`."""
        return f"{self.namespace}:{self.opportunity}"

    def orphaned(self) -> None:
        """Let the journey start at its project."""
        self.namespace = self.runs.project
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
        onward: tuple[str, ...] = (),
        payload: Mapping[str, Any] | None = None,
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
        told = BusinessEvent(event=event, time=at, keys=keys, **{**facts, **more})
        connection = self.runs.connection(service)
        ids = ids_of(connection, keys, self._names)
        planned = PlannedEvent(
            event=told,
            journeys=(self.root,) if journeys is None else journeys,
            service=service,
            via=via,
            trace=trace or f"{self.label}/{self._said}",
            seconds=self.rng.uniform(0.05, 4.0) if drawn else 1.0,
            sent=at,
            baggage=baggage or {},
            onward=onward,
            payload=json.dumps(payload, ensure_ascii=False) if payload else "",
            connection=connection if says(connection, told, ids) else "",
            ids=ids,
        )
        self.events.append(planned)
        return planned

    def closed_won(self, at: datetime, **more: Any) -> datetime:
        """The opportunity is won in the CRM. HubSpot says no amount; the middleware reads the deal for it."""
        attributes = {
            "billable": str(self.billable).lower(),
            "stage": "Closed Won",
            **more.pop("attributes", {}),
        }
        keys = {self.namespace: self.opportunity, **more.pop("keys", {})}
        facts: dict[str, Any] = {"amount": self.amount, "attributes": attributes, **more}
        self.say("crm", v.OPPORTUNITY_CLOSED_WON, at, keys, trace=f"{self.label}/won", **facts)
        if self.namespace == v.HUBSPOT_DEAL:
            self.say(
                "middleware", v.OPPORTUNITY_CLOSED_WON, at + timedelta(seconds=2), keys,
                via=("crm",), trace=f"{self.label}/won", drawn=False, **facts,
            )  # fmt: skip
        return at

    def lost(self, at: datetime) -> datetime:
        """The opportunity is lost."""
        self.say("crm", v.OPPORTUNITY_LOST, at, {self.namespace: self.opportunity}, amount=self.amount)
        return at

    def project_created(self, at: datetime, **more: Any) -> datetime:
        """The middleware has the PSA create the project, and the PSA says that it has."""
        self.say(
            "middleware", PROJECT_REQUESTED, at - timedelta(seconds=3), {self.namespace: self.opportunity},
            via=("crm",), trace=f"{self.label}/won", onward=("psa",), drawn=False,
            baggage={self.namespace: self.opportunity},
        )  # fmt: skip
        keys = {self.namespace: self.opportunity, self.runs.project: self.project, **more.pop("keys", {})}
        self.say(
            "psa", v.PROJECT_CREATED, at, keys,
            via=("middleware",), trace=f"{self.label}/won",
            attributes={"billing_schedule": "monthly", "billable": str(self.billable).lower()}, **more,
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
        self.say("psa", v.PROJECT_UPDATED, at, {self.runs.project: self.project}, drawn=False,
                 attributes=ready)  # fmt: skip

    def project_failed(self, at: datetime, cause: Cause, *, kept: bool = False) -> datetime:
        """The PSA refuses the project, which has no key yet. `kept`: the middleware stores what it sent."""
        payload = {
            "flow": "opportunity-to-project",
            "source": self.opportunity,
            "customer": {"name": "" if cause.code == NAMELESS.code else self.customer},
            "entity": self.entity.code,
            "serviceLine": self.service_line,
            "amount": str(self.amount),
        }
        self.say(
            "psa", v.PROJECT_CREATED, at, {self.namespace: self.opportunity},
            via=("crm", "middleware"), trace=f"{self.label}/won", amount=self.amount,
            payload=payload if kept else None, **_failed(cause),
        )  # fmt: skip
        return at

    def time_approved(self, at: datetime, hours: int = 40) -> datetime:
        """One more timecard is approved."""
        card = self.record("psa", "timecard", str(len(self.timecards) + 1))
        self.timecards.append(card)
        self._card(v.TIME_APPROVED, at, card, hours)
        return at

    def time_taken_back(self, at: datetime, again: datetime, hours: int = 40) -> datetime:
        """The last timecard is unapproved, then approved again."""
        self._card(v.TIME_UNAPPROVED, at, self.timecards[-1], hours)
        self._card(v.TIME_APPROVED, again, self.timecards[-1], hours)
        return again

    def _card(self, event: str, at: datetime, card: str, hours: int) -> None:
        keys = {self.runs.project: self.project, self.runs.timecard: card}
        worth = Decimal(hours * _HOURLY_RATE)
        self.say(
            "psa", event, at, keys,
            subject=self.runs.timecard, amount=worth, attributes={"hours": hours},
        )  # fmt: skip

    def billing_released(self, at: datetime, amount: Decimal | None = None) -> datetime:
        """The timecards that are not billed yet go into a billing event."""
        billing = self.next_billing()
        self.billings.append(billing)
        keys: dict[str, Any] = {self.runs.project: self.project, self.runs.billing: billing}
        if self.timecards:
            keys[self.runs.timecard] = tuple(self.timecards)
        self.say(
            "psa", v.BILLING_RELEASED, at, keys,
            subject=self.runs.billing, amount=amount or self.amount, trace=f"{billing}/bill",
        )  # fmt: skip
        return at

    def next_billing(self) -> str:
        """The key of what is released next."""
        role = "billing" if self.runs.billing == v.CERTINIA_BILLING_EVENT else "invoice"
        return self.record("psa", role, f"B{len(self.billings) + 1}")

    def next_invoice(self) -> str:
        """The number under which the middleware will post the next invoice."""
        number = self.record("erp", "invoice", f"I{len(self.invoices) + 1}")
        self.invoices.append(number)
        return number

    def invoice_posted(self, at: datetime, invoice: str, amount: Decimal | None = None) -> datetime:
        """The ERP posts the invoice for the last billing event."""
        self._asked(INVOICE_REQUESTED, at)
        self._invoice(v.INVOICE_POSTED, at, invoice, amount=amount or self.amount, accounting_date=at.date())
        return at

    def invoice_failed(self, at: datetime, invoice: str, cause: Cause, *, kept: bool = False) -> datetime:
        """The ERP refuses to post the invoice. `kept`: the middleware stores what it sent."""
        payload = {
            "flow": "billing-to-invoice",
            "source": self.billings[-1],
            "externalId": invoice.rpartition("/")[2],
            "customer": {"name": self.customer},
            "entity": self.entity.code,
            "amount": str(self.amount),
            "currency": self.entity.currency,
        }
        stored = payload if kept else None
        self._invoice(
            v.INVOICE_POSTED, at, invoice, amount=self.amount, payload=stored, **_failed(cause)
        )  # fmt: skip
        return at

    def invoice_credited(self, at: datetime, invoice: str) -> datetime:
        """The ERP credits the invoice in full."""
        self._invoice(v.INVOICE_CREDITED, at, invoice, amount=self.amount, accounting_date=at.date())
        return at

    def _asked(self, event: str, at: datetime) -> None:
        """The middleware asks the ERP for something."""
        self.say(
            "middleware", event, at - timedelta(seconds=3), {self.runs.billing: tuple(self.billings)},
            trace=f"{self.billings[-1]}/bill", onward=("erp",), drawn=False,
        )  # fmt: skip

    def _invoice(self, event: str, at: datetime, invoice: str, **more: Any) -> None:
        keys = {self.runs.billing: tuple(self.billings), self.runs.invoice: invoice}
        self.say(
            "erp", event, at, keys,
            via=("middleware",), subject=self.runs.invoice, trace=f"{self.billings[-1]}/bill", **more,
        )  # fmt: skip

    def paid(self, at: datetime, invoice: str, **more: Any) -> datetime:
        """The customer's payment is applied to the invoice; Oracle does not say by which receipt."""
        keys = {self.runs.invoice: invoice}
        if self.runs.payment != v.ORACLE_RECEIPT:
            keys[self.runs.payment] = self._payment(f"P{len(self.invoices)}")
        more.setdefault("amount", self.amount)
        subject = next(reversed(keys))
        self.say("erp", v.PAYMENT_APPLIED, at, keys, subject=subject, precision="day", **more)
        return at

    def _payment(self, suffix: str) -> str:
        if self.runs.payment == v.SAP_PAYMENT:  # SAP tells no payments: the bank's file does
            return f"SG1CLNT100/{self.label}{suffix}"
        return self.record("erp", "payment", suffix)

    def cancelled(self, at: datetime) -> datetime:
        """The project is cancelled."""
        keys = {self.runs.project: self.project}
        self.say("psa", v.PROJECT_CANCELLED, at, keys, subject=self.runs.project)
        return at

    @contextmanager
    def once_mended(self) -> Iterator[None]:
        """What is told inside happens only when the failure told last is done again."""
        until = len(self.events)
        yield
        after = tuple(self.events[until:])
        del self.events[until:]
        self.events[-1] = replace(self.events[-1], mended=after)


def _failed(cause: Cause) -> dict[str, Any]:
    return {
        "failed": True,
        "exception_class": cause.exception_class,
        "exception_code": cause.code,
        "exception_message": cause.message,
    }
