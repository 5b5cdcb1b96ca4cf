"""Who the simulated firm is: systems, entities, customers, and what goes wrong there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from throughline.probes.vocabulary import (
    INVOICE_POSTED,
    PROJECT_CREATED,
    ExceptionClass,
    System,
)

SALESFORCE_ORG: Final = "00D5e000000demo"
HUBSPOT_PORTAL: Final = "8812345"
NETSUITE_ACCOUNT: Final = "TSTDRV1234567"


@dataclass(frozen=True, slots=True)
class Service:
    """One simulated service: how it names itself, and the facts of all its events."""

    name: str
    system: System
    platform: str


SERVICES: Final = {
    service.system.value: service
    for service in (
        Service("crm-listener", System.CRM, "boomi"),
        Service("integration-flows", System.MIDDLEWARE, "boomi"),
        Service("psa-connector", System.PSA, "boomi"),
        Service("erp-connector", System.ERP, "boomi"),
    )
}
"""The middleware's services, by the system that each speaks for; platforms speak for themselves."""


@dataclass(frozen=True, slots=True)
class Entity:
    """A legal entity, where it works and in what money; working hours are UTC, end exclusive."""

    code: str
    region: str
    currency: str
    opens: int
    closes: int


ENTITIES: Final = (
    Entity("DE01", "EMEA", "EUR", 7, 16),
    Entity("UK01", "EMEA", "GBP", 8, 17),
    Entity("US01", "AMER", "USD", 14, 23),
    Entity("US02", "AMER", "USD", 15, 23),
    Entity("SG01", "APAC", "SGD", 1, 10),
)
SERVICE_LINES: Final = ("advisory", "implementation", "managed services", "training")
CUSTOMERS: Final = (
    "Adventure Works", "Alpine Ski House", "Bellows College", "Blue Yonder Airlines", "City Power & Light",
    "Coho Winery", "Contoso", "Fabrikam", "Fourth Coffee", "Graphic Design Institute", "Humongous Insurance",
    "Litware", "Lucerne Publishing", "Margie's Travel", "Munson's Pickles", "Northwind Traders",
    "Proseware", "Relecloud", "School of Fine Art", "Southridge Video", "Tailspin Toys", "Trey Research",
    "VanArsdel", "Wide World Importers", "Wingtip Toys", "Woodgrove Bank",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Cause:
    """Why a hop fails: the same cause hits several journeys."""

    event: str
    exception_class: ExceptionClass
    code: str
    message: str
    entity: str | None = None
    """The entity it happens to; None: any."""


TAX_CODE: Final = Cause(
    INVOICE_POSTED,
    ExceptionClass.BUSINESS,
    "TAX_CODE_MISSING",
    "Tax code missing for entity DE01",
    "DE01",
)
NAMELESS: Final = Cause(
    PROJECT_CREATED,
    ExceptionClass.BUSINESS,
    "CUSTOMER_NAME_MISSING",
    "customer.name is missing in the payload",
    "US01",
)
EXPIRED: Final = Cause(
    INVOICE_POSTED,
    ExceptionClass.TECHNICAL,
    "TOKEN_EXPIRED",
    "401 from the ERP: the access token of integration-flows has expired",
    "US01",
)
UNKNOWN_OUTCOME: Final = Cause(
    INVOICE_POSTED,
    ExceptionClass.REMOTE,
    "ERP_TIMEOUT",
    "No answer from the ERP within 120 s: nobody knows whether the invoice was posted",
    "SG01",
)
TAKEN: Final = Cause(
    INVOICE_POSTED,
    ExceptionClass.BUSINESS,
    "DUPLICATE_EXTERNAL_ID",
    "A draft in the ERP holds this external id already",
    "US02",
)
TIMEOUT: Final = Cause(
    INVOICE_POSTED,
    ExceptionClass.TECHNICAL,
    "ETIMEDOUT",
    "Read timed out after 120 s: POST /app/site/hosting/restlet.nl",
)
ROW_LOCK: Final = Cause(
    PROJECT_CREATED,
    ExceptionClass.REMOTE,
    "UNABLE_TO_LOCK_ROW",
    "unable to obtain exclusive access to this record or 1 records",
)
TEMPLATE: Final = Cause(
    PROJECT_CREATED,
    ExceptionClass.BUSINESS,
    "TEMPLATE_NOT_FOUND",
    "No project template for service line managed services in entity UK01",
    "UK01",
)
