"""Oracle Fusion Cloud ERP: business events that a flow in Oracle Integration (OIC) forwards, as XML.

Each member has `newValue` and `oldValue` with a `value`.  The events have no id of their own: it is derived.
Sources:
    https://docs.oracle.com/en/cloud/paas/integration-cloud/erp-adapter/trigger-request-page.html
    https://docs.oracle.com/en/cloud/saas/financials/25c/farfa/Enable_Business_Events.html
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Final

from throughline.probes import vocabulary as v
from throughline.probes.platforms import shape
from throughline.probes.platforms.adapter import Connection, HookRequest, Unreadable
from throughline.probes.platforms.build import UNKNOWN, Keys, Kind, build, facts_of, failure, option, when
from throughline.probes.platforms.credentials import (
    SIGNATURE_HEADER,
    require_secret,
    require_signature,
    signed_sample,
)
from throughline.probes.vocabulary import BusinessEvent, System

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

OPTIONS: Final[Mapping[str, str]] = {"org": "what all keys begin with: the name of your Fusion environment"}
REQUIRED: Final = ("org",)
INSTANCE_HEADER: Final = "x-oic-instance-id"
"""Header that the flow sets to its instance id: it tells two equal changes apart."""

EVENTS: Final[Mapping[str, str]] = {
    "ReceivablesInvoiceCompleted": v.INVOICE_POSTED,
    "ReceivablesInvoiceIncompleted": v.INVOICE_CREDITED,
    "ReceivablesInvoicePaid": v.PAYMENT_APPLIED,
}
"""BusinessEventCode -> what happened."""


OBJECTS: Final[Mapping[str, Kind]] = {
    "ReceivablesInvoice": Kind(v.ORACLE_INVOICE, "CustomerTransactionId"),
    "ReceivablesReceipt": Kind(v.ORACLE_RECEIPT, "ReceiptId"),
}
"""Beginning of the code -> the object."""
PARENTS: Final[Mapping[str, str]] = {
    "ProjectId": v.ORACLE_PROJECT,
    "ReceiptId": v.ORACLE_RECEIPT,
    "BillToCustomerNumber": v.ORACLE_CUSTOMER_ACCOUNT,
}
FACTS: Final[Mapping[str, str]] = {
    "BusinessUnit": "entity",
    "BillToCustomerName": "customer",
    "InvoiceCurrencyCode": "currency",
}
ATTRIBUTES: Final[Mapping[str, str]] = {"TransactionNumber": "number", "InvoiceStatus": "status"}
AMOUNTS: Final = ("EnteredAmount", "InvoiceAmount", "ReceiptAmount")
TIMES: Final = ("LastUpdateDate", "EventTime")
DATES: Final[Mapping[str, str]] = {
    "ReceivablesInvoiceCompleted": "TransactionDate",
    "ReceivablesInvoicePaid": "ReceiptDate",
}
"""BusinessEventCode -> the day on which it happened, if no time is said."""
FAILED: Final = ("Failed", "Rejected", "Error")
_ENDINGS: Final = ("Info", "Payload", "Event")
_NUMBER: Final = "TransactionNumber"


def verify(request: HookRequest, connection: Connection, now: datetime) -> None:
    """Check the signature that the flow makes; a flow that cannot sign shows a secret.

    Raises: BadSignature, StaleRequest.
    """
    if SIGNATURE_HEADER in request.headers:
        require_signature(request, connection, now)
    else:
        require_secret(request, connection)


def parse(request: HookRequest, connection: Connection) -> list[BusinessEvent]:
    """The events of the XML.  Raises: Unreadable."""
    scope = option(connection, "org", OPTIONS["org"])
    root = shape.xml_root(request.body)
    infos = list(_infos(root))
    if not infos and len(root):
        raise Unreadable("An event of Oracle Fusion has members with newValue and oldValue.")
    return [_event(code, info, connection, scope, request) for code, info in infos]


def _infos(root: Element) -> Iterator[tuple[str, Element]]:
    """The elements that hold members, each with its event code."""
    for element in root.iter():
        if any(next(shape.children(member, "newValue"), None) is not None for member in element):
            code = shape.local(element.tag)
            for ending in _ENDINGS:
                code = code.removesuffix(ending)
            yield code, element


def _values(info: Element, side: str) -> dict[str, str]:
    """The value of each member on one side; those without are left out."""
    found = {}
    for member in info:
        value = next(shape.children(member, side), None)
        said = "" if value is None else (value.get("value") or value.text or "").strip()
        if said:
            found[shape.local(member.tag)] = said
    return found


def _identity(code: str, key: str, new: Mapping[str, str], instance: str) -> str:
    """Code, primary key, hash of the new values, and the instance of the flow if it says it."""
    content = "\n".join(f"{name}={value}" for name, value in sorted(new.items()))
    return f"oracle:{code}:{key}:{hashlib.sha256(content.encode()).hexdigest()[:32]}:{instance}".rstrip(":")


def _event(
    code: str, info: Element, connection: Connection, scope: str, request: HookRequest
) -> BusinessEvent:
    new, old = _values(info, "newValue"), _values(info, "oldValue")
    known = {**old, **new}
    keys = Keys(connection, scope, ("oracle",))
    keys.add_named(known, PARENTS)
    kind = next((kind for start, kind in OBJECTS.items() if code.startswith(start)), None)
    primary = shape.said(known.get(kind.key)) if kind else ""
    if not primary and kind and shape.said(known.get(_NUMBER)):  # numbers are unique within a business unit
        primary = f"{shape.said(known.get('BusinessUnit'))}/{shape.said(known.get(_NUMBER))}".strip("/")
    if kind:
        keys.add(kind.namespace, primary)
    else:
        ids = {name: value for name, value in known.items() if name.endswith("Id")}
        primary = next(iter(ids.values()), "")
        for name, value in ids.items():  # an InvoiceId of Payables is none of Receivables
            keys.add(f"oracle.{name.casefold()}", value)
    facts = facts_of(known, FACTS, AMOUNTS)
    facts["subject"] = kind.namespace if kind and primary else None
    moment = next((shape.moment(known[name]) for name in TIMES if name in known), None)
    on = shape.day(known.get(DATES.get(code, "")))
    facts["time"], facts["precision"] = when(moment, on, request.received_at)
    facts["accounting_date"] = on
    if code.endswith(FAILED):
        facts |= failure(known.get("ErrorCode") or code, known.get("ErrorMessage", ""))
    attributes = {here: shape.said(known.get(name)) for name, here in ATTRIBUTES.items()}
    instance = request.headers.get(INSTANCE_HEADER, "")
    return build(
        connection,
        EVENTS.get(code, UNKNOWN),
        identity=_identity(code, primary, new, instance),
        system=System.ERP,
        platform="oracle",
        keys=keys,
        object_type=code,
        record=known,
        facts={**facts, "run_id": instance},
        attributes=attributes,
    )


def sample(connection: Connection, now: datetime) -> HookRequest:
    """A request that says nothing, for a test of ourselves."""
    return signed_sample(connection, now, b"<onEvent/>", "application/xml")
