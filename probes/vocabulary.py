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
LINK_ACTOR: Final = "business.link.actor"

# Where it happened
SYSTEM: Final = "business.system"
PLATFORM: Final = "business.platform"
CONNECTION: Final = "business.connection"
MAPPING: Final = "business.mapping"

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
    EVENT, EVENT_ID, SUBJECT, LINK, LINK_CUT, LINK_REASON, LINK_ACTOR, SYSTEM, PLATFORM, CONNECTION, MAPPING,
    AMOUNT, CURRENCY, CUSTOMER, ENTITY, REGION, SERVICE_LINE, TIME_PRECISION, ACCOUNTING_DATE,
    EXCEPTION_CLASS, EXCEPTION_CODE, RUN_ID, RUN_URL, IDEMPOTENCY_KEY, PAYLOAD_REF, PAYLOAD, REPLAY_ID,
)  # fmt: skip
"""All of ours, apart from the two prefixes."""

# What people do to links on the journey page; Throughline alone says it
LINK_ADDED: Final = "link.added"
LINK_REMOVED: Final = "link.removed"
LINK_UNDONE: Final = "link.undone"

# Business facts of the shipped processes; any other string is as good
OPPORTUNITY_CLOSED_WON: Final = "opportunity.closed_won"
OPPORTUNITY_LOST: Final = "opportunity.lost"
OPPORTUNITY_REOPENED: Final = "opportunity.reopened"
PROJECT_CREATED: Final = "project.created"
PROJECT_CANCELLED: Final = "project.cancelled"
PROJECT_DELETED: Final = "project.deleted"
PROJECT_UPDATED: Final = "project.updated"
PROJECT_CLOSED: Final = "project.closed"
PROJECT_REOPENED: Final = "project.reopened"
TIME_APPROVED: Final = "time.approved"
TIME_UNAPPROVED: Final = "time.unapproved"
TIME_REJECTED: Final = "time.rejected"
BILLING_RELEASED: Final = "billing.released"
BILLING_REVERTED: Final = "billing.reverted"
INVOICE_POSTED: Final = "invoice.posted"
INVOICE_CREDITED: Final = "invoice.credited"
PAYMENT_APPLIED: Final = "payment.applied"
PAYMENT_REVERSED: Final = "payment.reversed"
ACCOUNT_WON: Final = "account.won"
ACCOUNT_MERGED: Final = "account.merged"
ACCOUNT_LOST: Final = "account.lost"
CREDIT_APPROVED: Final = "credit.approved"
CREDIT_DECLINED: Final = "credit.declined"
CREDIT_EXPIRED: Final = "credit.expired"
CUSTOMER_CREATED: Final = "customer.created"
CUSTOMER_DELETED: Final = "customer.deleted"
BILLING_SCHEDULE_UPDATED: Final = "billing_schedule.updated"
EXPENSE_SUBMITTED: Final = "expense.submitted"
EXPENSE_RECALLED: Final = "expense.recalled"
EXPENSE_APPROVED: Final = "expense.approved"
EXPENSE_UNAPPROVED: Final = "expense.unapproved"
EXPENSE_REJECTED: Final = "expense.rejected"
RESOURCE_REQUESTED: Final = "resource.requested"
RESOURCE_REQUEST_CANCELLED: Final = "resource.request_cancelled"
ASSIGNMENT_CREATED: Final = "assignment.created"
ASSIGNMENT_UPDATED: Final = "assignment.updated"
ASSIGNMENT_RELEASED: Final = "assignment.released"
ASSIGNMENT_SOFTENED: Final = "assignment.softened"
SCHEDULE_PUBLISHED: Final = "schedule.published"
FORECAST_UPDATED: Final = "forecast.updated"
COST_POSTED: Final = "cost.posted"
COST_REVERSED: Final = "cost.reversed"
ACTUALS_RETURNED: Final = "actuals.returned"
REVENUE_RECOGNISED: Final = "revenue.recognised"
REVENUE_REVERSED: Final = "revenue.reversed"
REVENUE_SCHEDULED: Final = "revenue.scheduled"
WIP_MEASURED: Final = "wip.measured"
FINANCIALS_RETURNED: Final = "financials.returned"

EVENTS: Final = (
    OPPORTUNITY_CLOSED_WON, OPPORTUNITY_LOST, OPPORTUNITY_REOPENED, PROJECT_CREATED, PROJECT_CANCELLED,
    PROJECT_DELETED, PROJECT_UPDATED, PROJECT_CLOSED, PROJECT_REOPENED, TIME_APPROVED, TIME_UNAPPROVED,
    TIME_REJECTED, BILLING_RELEASED, BILLING_REVERTED, INVOICE_POSTED, INVOICE_CREDITED, PAYMENT_APPLIED,
    PAYMENT_REVERSED, ACCOUNT_WON, ACCOUNT_MERGED, ACCOUNT_LOST, CREDIT_APPROVED, CREDIT_DECLINED,
    CREDIT_EXPIRED, CUSTOMER_CREATED, CUSTOMER_DELETED, BILLING_SCHEDULE_UPDATED, EXPENSE_SUBMITTED,
    EXPENSE_RECALLED, EXPENSE_APPROVED, EXPENSE_UNAPPROVED, EXPENSE_REJECTED, RESOURCE_REQUESTED,
    RESOURCE_REQUEST_CANCELLED, ASSIGNMENT_CREATED, ASSIGNMENT_UPDATED, ASSIGNMENT_RELEASED,
    ASSIGNMENT_SOFTENED, SCHEDULE_PUBLISHED, FORECAST_UPDATED, COST_POSTED, COST_REVERSED,
    ACTUALS_RETURNED, REVENUE_RECOGNISED, REVENUE_REVERSED, REVENUE_SCHEDULED, WIP_MEASURED,
    FINANCIALS_RETURNED,
)  # fmt: skip

# Key namespaces of the shipped processes; any other string is as good
SALESFORCE_OPPORTUNITY: Final = "salesforce.opportunity"
SALESFORCE_ACCOUNT: Final = "salesforce.account"
HUBSPOT_DEAL: Final = "hubspot.deal"
HUBSPOT_COMPANY: Final = "hubspot.company"
CERTINIA_PROJECT: Final = "certinia.project"
CERTINIA_TIMECARD: Final = "certinia.timecard"
CERTINIA_BILLING_EVENT: Final = "certinia.billing_event"
CERTINIA_EXPENSE: Final = "certinia.expense"
CERTINIA_RESOURCE_REQUEST: Final = "certinia.resource_request"
CERTINIA_ASSIGNMENT: Final = "certinia.assignment"
KANTATA_WORKSPACE: Final = "kantata.workspace"
KANTATA_TIME_ENTRY: Final = "kantata.time_entry"
KANTATA_INVOICE: Final = "kantata.invoice"
KANTATA_CLIENT: Final = "kantata.client"
KANTATA_EXPENSE: Final = "kantata.expense"
KANTATA_RESOURCE_REQUEST: Final = "kantata.resource_request"
KANTATA_ASSIGNMENT: Final = "kantata.assignment"
NETSUITE_JOB: Final = "netsuite.job"
NETSUITE_INVOICE: Final = "netsuite.invoice"
NETSUITE_PAYMENT: Final = "netsuite.payment"
NETSUITE_CUSTOMER: Final = "netsuite.customer"
NETSUITE_CUSTOMER_SUBSIDIARY: Final = "netsuite.customer_subsidiary"
NETSUITE_FORECAST: Final = "netsuite.forecast"
NETSUITE_REVENUE_PLAN: Final = "netsuite.revenue_plan"
D365_PROJECT: Final = "d365.project"
D365_INVOICE: Final = "d365.invoice"
D365_PAYMENT: Final = "d365.payment"
D365_PARTY: Final = "d365.party"
D365_CUSTOMER: Final = "d365.customer"
D365_RESOURCE_REQUEST: Final = "d365.resource_request"
D365_BOOKING: Final = "d365.booking"
D365_FORECAST: Final = "d365.forecast"
D365_REVENUE_SCHEDULE: Final = "d365.revenue_schedule"
ORACLE_PROJECT: Final = "oracle.project"
ORACLE_INVOICE: Final = "oracle.invoice"
ORACLE_RECEIPT: Final = "oracle.receipt"
ORACLE_PARTY: Final = "oracle.party"
ORACLE_CUSTOMER_ACCOUNT: Final = "oracle.customer_account"
ORACLE_FORECAST: Final = "oracle.forecast"
ORACLE_REVENUE_LINE: Final = "oracle.revenue_line"
SAP_PROJECT: Final = "sap.project"
SAP_BILLING_DOCUMENT: Final = "sap.billing_document"
SAP_PAYMENT: Final = "sap.payment"
SAP_BUSINESS_PARTNER: Final = "sap.business_partner"
SAP_CUSTOMER: Final = "sap.customer"
SAP_FORECAST: Final = "sap.forecast"
SAP_REVENUE_ITEM: Final = "sap.revenue_item"

NAMESPACES: Final = (
    SALESFORCE_OPPORTUNITY, SALESFORCE_ACCOUNT, HUBSPOT_DEAL, HUBSPOT_COMPANY, CERTINIA_PROJECT,
    CERTINIA_TIMECARD, CERTINIA_BILLING_EVENT, CERTINIA_EXPENSE, CERTINIA_RESOURCE_REQUEST,
    CERTINIA_ASSIGNMENT, KANTATA_WORKSPACE, KANTATA_TIME_ENTRY, KANTATA_INVOICE, KANTATA_CLIENT,
    KANTATA_EXPENSE, KANTATA_RESOURCE_REQUEST, KANTATA_ASSIGNMENT, NETSUITE_JOB, NETSUITE_INVOICE,
    NETSUITE_PAYMENT, NETSUITE_CUSTOMER, NETSUITE_CUSTOMER_SUBSIDIARY, NETSUITE_FORECAST,
    NETSUITE_REVENUE_PLAN, D365_PROJECT, D365_INVOICE, D365_PAYMENT, D365_PARTY, D365_CUSTOMER,
    D365_RESOURCE_REQUEST, D365_BOOKING, D365_FORECAST, D365_REVENUE_SCHEDULE, ORACLE_PROJECT,
    ORACLE_INVOICE, ORACLE_RECEIPT, ORACLE_PARTY, ORACLE_CUSTOMER_ACCOUNT, ORACLE_FORECAST,
    ORACLE_REVENUE_LINE, SAP_PROJECT, SAP_BILLING_DOCUMENT, SAP_PAYMENT, SAP_BUSINESS_PARTNER,
    SAP_CUSTOMER, SAP_FORECAST, SAP_REVENUE_ITEM,
)  # fmt: skip


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
