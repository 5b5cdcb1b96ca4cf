"""What a small firm sold, and how far each engagement came: weeks of history with every kind of trouble."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

NOW = datetime(2026, 11, 20, 15, 0, tzinfo=UTC)
PROCESS = "opportunity-to-invoice"
ORG = "00D5e000001"
MILESTONES = ("closed_won", "project_created", "time_approved", "invoice_posted", "paid")
EVENTS = ("opportunity.closed_won", "project.created", "time.approved", "invoice.posted", "payment.applied")
SOURCES = (
    ("crm", "salesforce", "salesforce-emea", "opportunity-sync"),
    ("psa", "certinia", "certinia-prod", "project-provisioner"),
    ("psa", "certinia", "certinia-prod", "timecard-approvals"),
    ("erp", "netsuite", "netsuite-group", "invoice-poster"),
    ("erp", "netsuite", "netsuite-group", "cash-application"),
)
NAMESPACES = (
    "salesforce.opportunity",
    "certinia.project",
    "certinia.timecard",
    "netsuite.invoice",
    "netsuite.payment",
)
CUSTOMERS = (
    "Halden Robotics",
    "Northwind Energy",
    "Aurelia Health",
    "Bergmann Logistik",
    "Cobalt Insurance",
    "Delacroix & Fils",
    "Everglade Foods",
    "Fjord Shipping",
    "Granite Bank",
    "Helios Solar",
    "Iris Biotech",
    "Juniper Retail",
)
PLACES = (("DE01", "EMEA", "EUR"), ("FR02", "EMEA", "EUR"), ("US01", "AMER", "USD"), ("UK01", "EMEA", "GBP"))
LINES = ("Advisory", "Implementation", "Managed services")
FAILURES = (
    (
        "project.created",
        "remote",
        "UNABLE_TO_LOCK_ROW",
        "Certinia: unable to obtain exclusive access to this record",
    ),
    (
        "invoice.posted",
        "business",
        "INVALID_TAX_CODE",
        "NetSuite: tax code VAT_DE_19 is not valid for subsidiary US01",
    ),
    ("project.created", "technical", "TIMEOUT", "Gateway timed out after 30 s"),
)


def engagement(index: int, now: datetime, chance: random.Random) -> dict[str, Any]:
    """Decide what happened to one engagement; it becomes rows once its keys are hashed."""
    entity, region, currency = chance.choice(PLACES)
    opened = now - timedelta(days=84) * (1 - (index / 220) ** 0.8) - timedelta(hours=chance.random() * 20)
    gaps = (
        timedelta(0),
        timedelta(hours=min(chance.lognormvariate(0.7, 0.8), 30)),
        timedelta(days=6 + chance.random() * 9),
        timedelta(days=1 + chance.random() * 7),
        timedelta(days=8 + chance.random() * 28),
    )
    fate = chance.random()
    stops = 1 if fate < 0.05 else 3 if fate < 0.13 else 5
    times: list[datetime] = []
    at = opened
    for gap in gaps[:stops]:
        at += gap
        if at > now:
            break
        times.append(at)
    dropped = opened + timedelta(days=3) if 0.13 <= fate < 0.16 and opened < now - timedelta(days=4) else None
    if dropped:
        times = [one for one in times if one < dropped]
    failure = chance.choice(FAILURES) if fate < 0.05 or 0.2 < fate < 0.3 else None
    return {
        "index": index,
        "opened": opened,
        "times": times,
        "dropped": dropped,
        "failure": failure,
        "entity": entity,
        "region": region,
        "currency": currency,
        "customer": chance.choice(CUSTOMERS),
        "line": chance.choice(LINES),
        "amount": Decimal(chance.randrange(18_000, 420_000, 500)),
        "keys": [
            (namespace, _value(namespace, entity, index)) for namespace in NAMESPACES[: max(len(times), 1)]
        ],
    }


def _value(namespace: str, entity: str, index: int) -> str:
    patterns = {
        "salesforce.opportunity": f"{ORG}/006{index:06}",
        "certinia.project": f"{ORG}/a1B{index:06}",
        "certinia.timecard": f"{ORG}/a2T{index:06}",
        "netsuite.invoice": f"{entity}/INV-{10_000 + index}",
        "netsuite.payment": f"{entity}/PAY-{50_000 + index}",
    }
    return patterns[namespace]
