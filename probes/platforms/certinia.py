"""Certinia (FinancialForce): its objects live in a Salesforce organisation and come over its channels.

Labels such as `Approved` can be changed per organisation: the options replace them.
Sources:
    https://help.certinia.com/TechnicalReference/2025.3/ProfessionalServicesAutomation/Schema/pse__Billing_Event__c.htm
    https://help.certinia.com/TechnicalReference/2023.3/ProfessionalServicesAutomation/Schema/Timecard__c.htm
    https://help.certinia.com/TechnicalReference/2025.3/Accounting/Schema/c2g__codaInvoice__c.htm
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from throughline.probes import vocabulary as v
from throughline.probes.platforms import salesforce_channels
from throughline.probes.platforms.adapter import Connection, HookReply, HookRequest
from throughline.probes.platforms.credentials import shown_sample
from throughline.probes.platforms.salesforce_channels import Change
from throughline.probes.platforms.salesforce_objects import Moment, ObjectRule, events
from throughline.probes.vocabulary import BusinessEvent, System

BILLING_EVENT, SALES_INVOICE = "pse__Billing_Event__c", "c2g__codaInvoice__c"
OPTIONS: Final[Mapping[str, str]] = {
    "org": "the Salesforce organisation's id (00D...), which all keys begin with",
    "invoiced_by": f"the object that is the invoice: {BILLING_EVENT} (default), {SALES_INVOICE}, or none "
    "where another ERP posts invoices; else they count twice",
    "approved_statuses": "statuses that mean approved, separated by commas; default: Approved",
    "submitted_statuses": "default: Submitted",
    "rejected_statuses": "default: Rejected",
    "draft_statuses": "statuses of time and expenses taken back; default: Saved, Draft",
    "cancelled_stages": "project stages that mean cancelled; default: Canceled, Cancelled",
    "closed_stages": "project stages that mean closed; default: Closed, Completed",
}
REQUIRED: Final = ("org",)


def _invoiced(change: Change, connection: Connection) -> tuple[str, ...]:
    """Invoiced or no longer: a milestone only of the object that is the invoice here."""
    is_event = change.object_type == BILLING_EVENT
    said = change.set_to("pse__Invoiced__c" if is_event else "c2g__InvoiceStatus__c").casefold()
    is_invoice = connection.options.get("invoiced_by", BILLING_EVENT) == change.object_type
    if not is_invoice or change.kind in {"DELETE", "UNDELETE"}:
        return ()
    if said == ("true" if is_event else "complete"):
        return (v.INVOICE_POSTED,)
    undone = change.kind == "UPDATE" and said == ("false" if is_event else "discarded")
    return (v.INVOICE_CREDITED,) if undone else ()


def _status(field: str, approved: str, rejected: str, submitted: str, back: str) -> tuple[Moment, ...]:
    """What the usual statuses of time and expenses mean."""
    return (
        Moment(field, ("Approved",), approved, "approved_statuses"),
        Moment(field, ("Rejected",), rejected, "rejected_statuses"),
        Moment(field, ("Submitted",), submitted, "submitted_statuses"),
        Moment(field, ("Saved", "Draft"), back, "draft_statuses", on_create=False),
    )


def _psa(namespace: str, noun: str, **more: object) -> ObjectRule:
    return ObjectRule(
        platform="certinia", system=System.PSA, namespace=namespace, noun=noun, **more,  # type: ignore[arg-type]
    )  # fmt: skip


_IN_PROJECT: Final = {"pse__Project__c": v.CERTINIA_PROJECT}
_CURRENCY: Final = {"CurrencyIsoCode": "currency"}
_EXPENSES: Final = _status(
    "pse__Status__c", v.EXPENSE_APPROVED, v.EXPENSE_REJECTED, v.EXPENSE_SUBMITTED, v.EXPENSE_RECALLED
)
OBJECTS: Final[Mapping[str, ObjectRule]] = {
    "pse__Proj__c": _psa(
        v.CERTINIA_PROJECT,
        "project",
        parents={"pse__Opportunity__c": v.SALESFORCE_OPPORTUNITY, "pse__Account__c": v.SALESFORCE_ACCOUNT},
        facts=_CURRENCY,
        attributes={
            "Name": "name",
            "CurrencyIsoCode": "currency",
            "pse__Billing_Type__c": "billing_type",
            "pse__Is_Billable__c": "billable",
            "pse__Project_Manager__c": "project_manager",
            "pse__Stage__c": "stage",
            "pse__Start_Date__c": "start_date",
        },
        values={
            "pse__Billing_Type__c": {
                "time and materials": "time_and_materials",
                "fixed price": "fixed_fee",
                "milestone": "milestone",
                "recurring": "recurring",
            }
        },
        moments=(
            Moment("pse__Stage__c", ("Canceled", "Cancelled"), v.PROJECT_CANCELLED, "cancelled_stages"),
            Moment("pse__Stage__c", ("Closed", "Completed"), v.PROJECT_CLOSED, "closed_stages"),
        ),
    ),
    "pse__Timecard_Header__c": _psa(  # submitted and approved here, billed by its splits
        v.CERTINIA_TIMECARD,
        "timecard",
        parents=_IN_PROJECT,
        facts=_CURRENCY,
        attributes={
            "pse__Status__c": "status",
            "pse__Total_Hours__c": "hours",
            "pse__Start_Date__c": "start_date",
            "pse__End_Date__c": "work_date",
            "pse__Resource__c": "resource",
            "pse__Billable__c": "billable",
        },
        moments=_status(
            "pse__Status__c", v.TIME_APPROVED, v.TIME_REJECTED, "time.submitted", v.TIME_UNAPPROVED
        ),
    ),
    "pse__Timecard__c": _psa(
        "certinia.timecard_split",
        "timecard_split",
        parents={
            "pse__Timecard_Header__c": v.CERTINIA_TIMECARD,
            "pse__Project__c": v.CERTINIA_PROJECT,
            "pse__Billing_Event_Item__c": "certinia.billing_event_item",
        },
        attributes={"pse__Approved__c": "approved", "pse__Billed__c": "billed"},
    ),
    "pse__Expense_Report__c": _psa(
        "certinia.expense_report",
        "expense_report",
        parents=_IN_PROJECT,
        facts=_CURRENCY,
        attributes={"pse__Status__c": "status"},
        moments=_EXPENSES,
    ),
    "pse__Expense__c": _psa(  # one line of a report
        v.CERTINIA_EXPENSE,
        "expense",
        parents={"pse__Expense_Report__c": "certinia.expense_report", "pse__Project__c": v.CERTINIA_PROJECT},
        facts={"pse__Amount__c": "amount", "CurrencyIsoCode": "currency"},
        attributes={
            "pse__Status__c": "status",
            "pse__Billable__c": "billable",
            "pse__Expense_Date__c": "expense_date",
        },
        moments=_EXPENSES,
    ),
    "pse__Milestone__c": _psa(
        "certinia.milestone",
        "project_milestone",
        parents=_IN_PROJECT,
        attributes={"pse__Status__c": "status"},
    ),
    "pse__Miscellaneous_Adjustment__c": _psa(
        "certinia.miscellaneous_adjustment",
        "miscellaneous_adjustment",
        parents=_IN_PROJECT,
        attributes={"pse__Status__c": "status"},
    ),
    BILLING_EVENT: _psa(  # generated, then released, then invoiced
        v.CERTINIA_BILLING_EVENT,
        "billing_event",
        parents={"pse__Project__c": v.CERTINIA_PROJECT, "pse__Invoice_Number__c": "certinia.invoice"},
        facts={
            "pse__Summary_Amount__c": "amount",
            "CurrencyIsoCode": "currency",
            "pse__Invoice_Date__c": "accounting_date",
        },
        attributes={"pse__Status__c": "status", "pse__Event_Key__c": "event_key"},
        moments=(
            Moment("pse__Is_Released__c", ("true",), v.BILLING_RELEASED),
            Moment("pse__Is_Released__c", ("false",), v.BILLING_REVERTED, on_create=False),
        ),
        judge=_invoiced,
    ),
    "pse__Billing_Event_Item__c": _psa(
        "certinia.billing_event_item",
        "billing_event_item",
        parents={"pse__Billing_Event__c": v.CERTINIA_BILLING_EVENT, "pse__Project__c": v.CERTINIA_PROJECT},
        facts={"pse__Amount__c": "amount", "CurrencyIsoCode": "currency"},
    ),
    "fferpcore__BillingDocument__c": _psa(
        "certinia.billing_document",
        "billing_document",
        parents={"fferpcore__Account__c": v.SALESFORCE_ACCOUNT},
        attributes={"fferpcore__DocumentStatus__c": "status"},
        moments=(Moment("fferpcore__DocumentStatus__c", ("Complete",), "billing_document.completed"),),
    ),
    SALES_INVOICE: ObjectRule(
        platform="certinia",
        system=System.ERP,
        namespace="certinia.sales_invoice",
        noun="sales_invoice",
        parents={
            "c2g__Account__c": v.SALESFORCE_ACCOUNT,
            "c2g__BillingDocument__c": "certinia.billing_document",
            "c2g__Transaction__c": "certinia.transaction",
        },
        facts={
            "c2g__InvoiceTotal__c": "amount",
            "CurrencyIsoCode": "currency",
            "c2g__InvoiceDate__c": "accounting_date",
        },
        attributes={"c2g__InvoiceStatus__c": "status", "c2g__PaymentStatus__c": "payment_status"},
        judge=_invoiced,
    ),
}


def verify(request: HookRequest, connection: Connection, now: datetime) -> None:  # noqa: ARG001 nothing is timed
    """Raise BadSignature unless a secret is shown and, for outbound messages, the organisation is ours."""
    salesforce_channels.check(request, connection)


def parse(request: HookRequest, connection: Connection) -> list[BusinessEvent]:
    """The events of an outbound message or of relayed events.  Raises: Unreadable."""
    return events(salesforce_channels.changes(request, connection), connection, OBJECTS)


def reply(request: HookRequest, connection: Connection) -> HookReply:  # noqa: ARG001 the same for all
    """Acknowledge: outbound messages come again until they hear exactly this."""
    return salesforce_channels.acknowledge(request)


def sample(connection: Connection, now: datetime) -> HookRequest:
    """A request that says nothing, for a test of ourselves."""
    return shown_sample(connection, now)
