"""Which platforms an entity of the firm runs, what they call its records, and which of them can say an event.

What a platform says comes as its own webhook. What none of them can say (a failed hop, an invoice over
several projects, a payment of a system that tells none) the middleware says, through the SDK.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Final

from throughline.dashboards.demo.catalog import HUBSPOT_PORTAL, NETSUITE_ACCOUNT, SALESFORCE_ORG
from throughline.dashboards.demo.emulators.certinia import Certinia
from throughline.dashboards.demo.emulators.dynamics365 import Dynamics365
from throughline.dashboards.demo.emulators.emulator import Emulator, Fact, Faults
from throughline.dashboards.demo.emulators.hubspot import HubSpot
from throughline.dashboards.demo.emulators.kantata import Kantata
from throughline.dashboards.demo.emulators.netsuite import NetSuite
from throughline.dashboards.demo.emulators.oracle import Oracle
from throughline.dashboards.demo.emulators.salesforce import Salesforce
from throughline.dashboards.demo.emulators.sap import Sap
from throughline.probes import vocabulary as v
from throughline.probes.vocabulary import BusinessEvent

TROUBLE: Final = Faults(unanswered=0.06, delayed=0.1)
"""Answers get lost, so that a platform says it again; messages are late. Nothing is lost for good."""
WHO: Final = (v.CUSTOMER, v.REGION, v.SERVICE_LINE)
"""What the firm added to the records of those platforms that let it."""
_DEAL = (v.ENTITY, "billable", *WHO)
_PROJECT = (
    v.SUBJECT, v.ENTITY, v.AMOUNT, "billable", "billing_type", "billing_schedule", "budget",
    "project_manager", "created_by", "hours", *WHO,
)  # fmt: skip
_BILLED = (v.CERTINIA_BILLING_EVENT,)

EMULATED: Final[Mapping[str, Emulator]] = {
    one.id: one
    for one in (
        Salesforce(
            id="salesforce", org=SALESFORCE_ORG, faults=TROUBLE, refers=(v.HUBSPOT_DEAL,), tells=_DEAL
        ),
        Certinia(
            id="certinia", org=SALESFORCE_ORG, faults=TROUBLE, tells=_PROJECT,
            refers=(v.CERTINIA_TIMECARD, v.HUBSPOT_DEAL, v.KANTATA_WORKSPACE, v.NETSUITE_JOB),
        ),
        NetSuite(id="netsuite", account=NETSUITE_ACCOUNT, faults=TROUBLE, refers=_BILLED, tells=WHO),
        Oracle(id="oracle-us02", org="fusion-us02", faults=TROUBLE, refers=_BILLED, tells=WHO),
        Sap(id="sap-sg01", system="SG1CLNT100", faults=TROUBLE, refers=_BILLED, tells=WHO),
        HubSpot(id="hubspot-uk01", portal=int(HUBSPOT_PORTAL), faults=TROUBLE),
        Kantata(
            id="kantata-uk01", account="771", faults=TROUBLE, tells=_PROJECT,
            refers=(v.KANTATA_TIME_ENTRY, v.HUBSPOT_DEAL),
        ),
        Dynamics365(
            id="dynamics-uk01", currencies={"UK01": "GBP"}, faults=TROUBLE, refers=(v.KANTATA_INVOICE,),
            tells=WHO,
        ),
    )
}  # fmt: skip
"""The platforms by the id of their connection."""

OPTIONS: Final[Mapping[str, Mapping[str, str]]] = {
    "certinia": {"invoiced_by": "none"},
    "hubspot-uk01": {"entity": "UK01", "region": "EMEA", "currency": "GBP"},
    "kantata-uk01": {"invoiced_by": "erp"},
}
"""What the connections say besides what the emulators ask for."""


@dataclass(frozen=True, slots=True)
class Systems:
    """The ids of the connections of an entity's three systems, and where keys of its records are."""

    crm: str
    psa: str
    erp: str

    def connection(self, service: str) -> str:
        """The connection of a system by the word for it; '' for the middleware, which is none."""
        return {"crm": self.crm, "psa": self.psa, "erp": self.erp}.get(service, "")

    @property
    def deal(self) -> str:
        """The namespace of deals."""
        return v.HUBSPOT_DEAL if self.crm == "hubspot-uk01" else v.SALESFORCE_OPPORTUNITY

    @property
    def project(self) -> str:
        """The namespace of projects."""
        return v.KANTATA_WORKSPACE if self.psa == "kantata-uk01" else v.CERTINIA_PROJECT

    @property
    def timecard(self) -> str:
        """The namespace of approved time."""
        return v.KANTATA_TIME_ENTRY if self.psa == "kantata-uk01" else v.CERTINIA_TIMECARD

    @property
    def billing(self) -> str:
        """The namespace of what the PSA releases to be invoiced."""
        return v.KANTATA_INVOICE if self.psa == "kantata-uk01" else v.CERTINIA_BILLING_EVENT

    @property
    def invoice(self) -> str:
        """The namespace of invoices."""
        return INVOICES[self.erp][0]

    @property
    def payment(self) -> str:
        """The namespace of payments."""
        return INVOICES[self.erp][1]


INVOICES: Final = {
    "netsuite": (v.NETSUITE_INVOICE, v.NETSUITE_PAYMENT),
    "dynamics-uk01": (v.D365_INVOICE, v.D365_PAYMENT),
    "oracle-us02": (v.ORACLE_INVOICE, v.ORACLE_RECEIPT),
    "sap-sg01": (v.SAP_BILLING_DOCUMENT, v.SAP_PAYMENT),
}
GROUP: Final = Systems("salesforce", "certinia", "netsuite")
RUNS: Final = {
    "UK01": Systems("hubspot-uk01", "kantata-uk01", "dynamics-uk01"),
    "US02": Systems("salesforce", "certinia", "oracle-us02"),
    "SG01": Systems("salesforce", "certinia", "sap-sg01"),
}
"""Entities that run something else than the group's systems."""


def systems_of(entity: str) -> Systems:
    """What an entity runs."""
    return RUNS.get(entity, GROUP)


def key(connection: str, role: str, name: str, entity: str) -> str:
    """The key of a record by which its platform's events will name it."""
    fact = Fact(event="", time=datetime.fromtimestamp(0, UTC), ids={role: name}, entity=entity)
    return EMULATED[connection].key(fact, role)


def says(connection: str, event: BusinessEvent, ids: Mapping[str, str]) -> bool:
    """Whether the platform can say the event: it knows such events, and its own records by their names."""
    emulator = EMULATED.get(connection)
    if emulator is None or event.failed or event.links or not _roles(connection, event.event) <= set(ids):
        return False
    if _said(connection, event.event) not in emulator.speaks():
        return False
    lists = {name for name, value in event.keys.items() if len(_texts(value)) > 1}
    return lists <= {v.CERTINIA_TIMECARD, v.KANTATA_TIME_ENTRY} & set(emulator.refers)


def fact_of(connection: str, event: BusinessEvent, ids: Mapping[str, str]) -> Fact:
    """The event in nobody's words, as the platform's emulator takes it; it has a time."""
    if event.time is None:
        raise ValueError("a fact has a time")
    details = {
        v.CUSTOMER: event.customer, v.REGION: event.region, v.SERVICE_LINE: event.service_line,
        v.ENTITY: event.entity, v.SUBJECT: event.subject or _subject(event),
        v.AMOUNT: None if event.amount is None else str(event.amount),
        **{name: str(value) for name, value in event.attributes.items()},
    }  # fmt: skip
    silent = connection == "hubspot-uk01"  # HubSpot tells amounts apart from stages
    return Fact(
        event=_said(connection, event.event),
        time=event.time,
        ids=ids,
        amount=None if silent or event.amount is None else _decimal(event),
        currency=event.currency or "USD",
        entity=event.entity or "",
        customer=event.customer or "",
        references={name: found for name, value in event.keys.items() if (found := _one_or_all(value))},
        details={name: value for name, value in details.items() if value},
    )


ROLES: Final[Mapping[str, str]] = {
    v.SALESFORCE_OPPORTUNITY: "opportunity",
    v.HUBSPOT_DEAL: "opportunity",
    v.CERTINIA_PROJECT: "project",
    v.KANTATA_WORKSPACE: "project",
    v.CERTINIA_TIMECARD: "timecard",
    v.KANTATA_TIME_ENTRY: "timecard",
    v.CERTINIA_BILLING_EVENT: "billing",
    v.KANTATA_INVOICE: "invoice",
    **{invoice: "invoice" for invoice, _ in INVOICES.values()},
    **{payment: "payment" for _, payment in INVOICES.values()},
}
"""Namespace -> the role in which emulators take the record's name."""
_ABOUT: Final = {"opportunity": "opportunity", "project": "project", "time": "timecard", "invoice": "invoice"}
"""First part of an event's name -> the role of what it is about."""


def ids_of(connection: str, keys: Mapping[str, object], names: Mapping[str, str]) -> dict[str, str]:
    """The names of the platform's own records among the keys, by role; `names` are those of known keys."""
    found: dict[str, str] = {}
    own = {"certinia": ("certinia", "salesforce"), "dynamics-uk01": ("d365",)}
    platforms = own.get(connection, (connection.partition("-")[0],))
    for namespace, value in keys.items():
        every = _texts(value)
        known = len(every) == 1 and every[0] in names and namespace in ROLES
        if known and namespace.partition(".")[0] in platforms:
            found[ROLES[namespace]] = names[every[0]]
    if "timecard" in found:
        found["timesheet"] = found["timecard"]
    if "invoice" in found:
        found["credit"] = f"C{found['invoice']}"
    return found


def _roles(connection: str, event: str) -> set[str]:
    """The roles without whose names the platform cannot say the event."""
    if event == v.BILLING_RELEASED:
        return {"invoice" if connection == "kantata-uk01" else "billing"}
    if event == v.PAYMENT_APPLIED:
        return {"invoice"} if connection == "oracle-us02" else {"invoice", "payment"}
    return {_ABOUT.get(event.partition(".")[0], "nothing that it knows")}


def _said(connection: str, event: str) -> str:
    """What the platform's emulator calls it: an invoice in Kantata is what the ERP is to invoice."""
    kantata = connection == "kantata-uk01" and event == v.BILLING_RELEASED
    return v.INVOICE_POSTED if kantata else event


def _subject(event: BusinessEvent) -> str | None:
    """A project's creation is about the deal that it is made for, as the failed try to create it was."""
    deals = [name for name in (v.SALESFORCE_OPPORTUNITY, v.HUBSPOT_DEAL) if name in event.keys]
    return deals[0] if event.event == v.PROJECT_CREATED and deals else None


def _texts(value: object) -> tuple[str, ...]:
    if isinstance(value, str):
        return (value,)
    return tuple(str(one) for one in value) if isinstance(value, Iterable) else ()


def _one_or_all(value: object) -> str | tuple[str, ...]:
    every = _texts(value)
    return every[0] if len(every) == 1 else every


def _decimal(event: BusinessEvent) -> Decimal:
    return Decimal(str(event.amount))
