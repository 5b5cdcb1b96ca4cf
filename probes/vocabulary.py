"""The vocabulary: every attribute and event name that Throughline understands, spelled once.

A span or log record with `business.event` (for a log record its EventName serves) is a **business event**;
one with keys alone is **evidence**.  Anything else stays queryable as an attribute.
docs/reference-vocabulary.md explains each.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Final

# What happened, and to what
EVENT: Final = "business.event"
EVENT_ID: Final = "business.event.id"
KEY_PREFIX: Final = "business.key."
CONTEXT_KEY_PREFIX: Final = "business.context.key."
SUBJECT: Final = "business.subject"
LINK: Final = "business.link"
LINK_CUT: Final = "business.link.cut"
LINK_REASON: Final = "business.link.reason"

# Where it happened
SYSTEM: Final = "business.system"
PLATFORM: Final = "business.platform"
CONNECTION: Final = "business.connection"

# Dimensions
AMOUNT: Final = "business.amount"
CURRENCY: Final = "business.currency"
CUSTOMER: Final = "business.customer"
ENTITY: Final = "business.entity"
REGION: Final = "business.region"
SERVICE_LINE: Final = "business.service_line"

# When
TIME_PRECISION: Final = "business.time.precision"
ACCOUNTING_DATE: Final = "business.accounting_date"

# What went wrong
EXCEPTION_CLASS: Final = "business.exception.class"
EXCEPTION_CODE: Final = "business.exception.code"
EXCEPTION_TYPE: Final = "exception.type"  # OpenTelemetry's own
EXCEPTION_MESSAGE: Final = "exception.message"  # OpenTelemetry's own
EXCEPTION_STACKTRACE: Final = "exception.stacktrace"  # OpenTelemetry's own

# What a replay needs
RUN_ID: Final = "business.run.id"
RUN_URL: Final = "business.run.url"
IDEMPOTENCY_KEY: Final = "business.idempotency_key"
PAYLOAD_REF: Final = "business.payload.ref"
PAYLOAD: Final = "business.payload"
REPLAY_ID: Final = "business.replay.id"

ATTRIBUTES: Final = (
    EVENT, EVENT_ID, SUBJECT, LINK, LINK_CUT, LINK_REASON, SYSTEM, PLATFORM, CONNECTION, AMOUNT, CURRENCY,
    CUSTOMER, ENTITY, REGION, SERVICE_LINE, TIME_PRECISION, ACCOUNTING_DATE, EXCEPTION_CLASS, EXCEPTION_CODE,
    RUN_ID, RUN_URL, IDEMPOTENCY_KEY, PAYLOAD_REF, PAYLOAD, REPLAY_ID,
)  # fmt: skip
"""All of ours, apart from the two prefixes."""

# Business facts of the shipped processes; any other string is as good
OPPORTUNITY_CLOSED_WON: Final = "opportunity.closed_won"
OPPORTUNITY_LOST: Final = "opportunity.lost"
PROJECT_CREATED: Final = "project.created"
PROJECT_CANCELLED: Final = "project.cancelled"
TIME_APPROVED: Final = "time.approved"
TIME_UNAPPROVED: Final = "time.unapproved"
BILLING_RELEASED: Final = "billing.released"
INVOICE_POSTED: Final = "invoice.posted"
INVOICE_CREDITED: Final = "invoice.credited"
PAYMENT_APPLIED: Final = "payment.applied"

EVENTS: Final = (
    OPPORTUNITY_CLOSED_WON, OPPORTUNITY_LOST, PROJECT_CREATED, PROJECT_CANCELLED, TIME_APPROVED,
    TIME_UNAPPROVED, BILLING_RELEASED, INVOICE_POSTED, INVOICE_CREDITED, PAYMENT_APPLIED,
)  # fmt: skip

# Key namespaces of the shipped processes; any other string is as good
SALESFORCE_OPPORTUNITY: Final = "salesforce.opportunity"
HUBSPOT_DEAL: Final = "hubspot.deal"
CERTINIA_PROJECT: Final = "certinia.project"
KANTATA_WORKSPACE: Final = "kantata.workspace"
NETSUITE_JOB: Final = "netsuite.job"
CERTINIA_TIMECARD: Final = "certinia.timecard"
CERTINIA_BILLING_EVENT: Final = "certinia.billing_event"
NETSUITE_INVOICE: Final = "netsuite.invoice"
NETSUITE_PAYMENT: Final = "netsuite.payment"


class System(StrEnum):
    """Usual values of `business.system`; any other string is as good."""

    CRM = "crm"
    PSA = "psa"
    ERP = "erp"
    MIDDLEWARE = "middleware"


class TimePrecision(StrEnum):
    """How well the time of an event is known (`business.time.precision`)."""

    EXACT = "exact"
    DAY = "day"
    APPROXIMATE = "approximate"
    UNKNOWN = "unknown"


class ExceptionClass(StrEnum):
    """Who can mend a failure (`business.exception.class`)."""

    TECHNICAL = "technical"
    REMOTE = "remote"
    BUSINESS = "business"


KeysOf = Mapping[str, str | Iterable[str]]


def key(namespace: str) -> str:
    """The attribute that holds a key of the namespace."""
    return KEY_PREFIX + namespace


def context_key(namespace: str) -> str:
    """The attribute that holds a key of the namespace that came by W3C Baggage."""
    return CONTEXT_KEY_PREFIX + namespace


@dataclass(frozen=True, slots=True, kw_only=True)
class BusinessEvent:
    """One business event, as a probe or a platform adapter knows it; `None` and empty mean "not known".

    The field names are the keyword arguments of `emit()`.
    """

    event: str
    keys: KeysOf = field(default_factory=dict)
    context_keys: KeysOf = field(default_factory=dict)
    subject: str | None = None
    links: Iterable[tuple[str, str]] = ()
    """Pairs of `namespace:value`: (parent, child)."""
    cuts: Iterable[tuple[str, str]] = ()
    """Pairs that are not parent and child, whatever else says so."""
    link_reason: str | None = None
    time: datetime | None = None
    """When it happened; default: now."""
    precision: TimePrecision | str | None = None
    accounting_date: date | None = None
    id: str | None = None
    """The emitter's own identity of the event; default: a new UUID per emission."""
    system: System | str | None = None
    platform: str | None = None
    connection: str | None = None
    amount: Decimal | float | str | None = None
    currency: str | None = None
    customer: str | None = None
    entity: str | None = None
    region: str | None = None
    service_line: str | None = None
    failed: bool = False
    exception_class: ExceptionClass | str | None = None
    exception_code: str | None = None
    exception_message: str | None = None
    run_id: str | None = None
    run_url: str | None = None
    idempotency_key: str | None = None
    payload_ref: str | None = None
    replay_id: str | None = None
    attributes: Mapping[str, object] = field(default_factory=dict)
    """Anything else worth keeping, by attribute name."""
