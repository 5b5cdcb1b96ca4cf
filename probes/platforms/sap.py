"""SAP S/4HANA Cloud: CloudEvents from Event Mesh, with the handshake of CloudEvents' webhooks.

Notification events hold keys alone; amounts come with data events, or by OData.
Sources:
    https://cap.js.org/guides/messaging/s4
    https://developers.sap.com/tutorials/codejam-events-process-1-bah.html
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Final

from throughline.probes import vocabulary as v
from throughline.probes.platforms import cloudevents_http, shape
from throughline.probes.platforms.adapter import Connection, HookReply, HookRequest
from throughline.probes.platforms.build import UNKNOWN, Keys, Kind, build, facts_of, failure, when
from throughline.probes.platforms.credentials import require_secret, shown_sample
from throughline.probes.vocabulary import BusinessEvent, System

OPTIONS: Final[Mapping[str, str]] = {
    "org": "the system that all keys begin with; default: the last part of the source, as DEMOCLNT100",
}
REQUIRED: Final[tuple[str, ...]] = ()

EVENTS: Final[Mapping[str, str]] = {
    "billingdocument.created": v.INVOICE_POSTED,
    "billingdocument.cancelled": v.INVOICE_CREDITED,
    "salesorder.created": "sales_order.created",
    "salesorder.changed": "sales_order.updated",
    "salesorder.deleted": "sales_order.deleted",
    "businesspartner.created": v.CUSTOMER_CREATED,
    "businesspartner.changed": "customer.updated",
    # Not found in any published catalogue; understood if your system has them
    "customerproject.created": v.PROJECT_CREATED,
    "customerproject.changed": v.PROJECT_UPDATED,
    "enterpriseproject.created": v.PROJECT_CREATED,
    "enterpriseproject.changed": v.PROJECT_UPDATED,
}
"""Object and verb, in lower case -> what happened."""


OBJECTS: Final[Mapping[str, Kind]] = {
    "billingdocument": Kind(v.SAP_BILLING_DOCUMENT, "BillingDocument"),
    "salesorder": Kind("sap.sales_order", "SalesOrder"),
    "businesspartner": Kind(v.SAP_BUSINESS_PARTNER, "BusinessPartner"),
    "customerproject": Kind(v.SAP_PROJECT, "CustomerProject"),
    "enterpriseproject": Kind(v.SAP_PROJECT, "Project"),
}
PARENTS: Final[Mapping[str, str]] = {
    "CustomerProject": v.SAP_PROJECT,
    "Project": v.SAP_PROJECT,
    "SalesOrder": "sap.sales_order",
    "SalesDocument": "sap.sales_order",
    "SoldToParty": v.SAP_CUSTOMER,
    "Customer": v.SAP_CUSTOMER,
}
"""Members of data events that name other objects."""
FACTS: Final[Mapping[str, str]] = {
    "TransactionCurrency": "currency",
    "CompanyCode": "entity",
    "SoldToParty": "customer",
}
AMOUNTS: Final = ("TotalNetAmount", "TotalGrossAmount")
DATES: Final = ("BillingDocumentDate", "CreationDate")
FAILED: Final = frozenset({"failed", "rejected", "error"})
"""Verbs of failures."""
_TYPE: Final = re.compile(
    r"sap\.s4\.beh\.(?P<object>[a-z0-9_]+)\.v[0-9]+\.[A-Za-z0-9_]+\.(?P<verb>[A-Za-z0-9_]+)\.v[0-9]+"
)


def greet(request: HookRequest, connection: Connection) -> HookReply | None:  # noqa: ARG001 the same for all
    """Answer the OPTIONS request that precedes deliveries; None: it is none."""
    return cloudevents_http.handshake(request)


def verify(request: HookRequest, connection: Connection, now: datetime) -> None:  # noqa: ARG001 nothing is timed
    """Raise BadSignature unless one of the secrets is shown, by basic authentication as a rule."""
    require_secret(request, connection)


def parse(request: HookRequest, connection: Connection) -> list[BusinessEvent]:
    """The business events of the CloudEvents.  Raises: Unreadable."""
    events = cloudevents_http.cloud_events(request)
    return [_event(event, connection, request.received_at) for event in events]


def type_of(text: str) -> tuple[str, str]:
    """Object and verb of a type or topic, in lower case; a topic has slashes and often a prefix.

    Of a type that is not SAP's: the whole of it, and ''.
    """
    found = _TYPE.search(text.replace("/", "."))
    return (found["object"].lower(), found["verb"].lower()) if found else (text, "")


def _event(event: shape.Object, connection: Connection, received: datetime) -> BusinessEvent:
    what, verb = type_of(shape.needed(event, "type", "A CloudEvent"))
    source = shape.needed(event, "source", "A CloudEvent")
    data = cloudevents_http.data_of(event)
    keys = Keys(connection, connection.options.get("org") or source.rstrip("/").rpartition("/")[2], ("sap",))
    kind = OBJECTS.get(what)
    keys.add_named(data, PARENTS)
    if kind:
        keys.add(kind.namespace, data.get(kind.key))
    else:
        keys.add(f"sap.{what}" if verb else UNKNOWN, event.get("subject"))
        for name, value in data.items():
            if name.casefold() == what:
                keys.add(f"sap.{what}", value)
    name = EVENTS.get(f"{what}.{verb}", UNKNOWN)
    facts = facts_of(data, FACTS, AMOUNTS)
    facts["subject"] = kind.namespace if kind and kind.namespace in keys.found else None
    on = next((found for member in DATES if (found := shape.day(data.get(member)))), None)
    if name in {v.INVOICE_POSTED, v.INVOICE_CREDITED}:
        facts["accounting_date"] = on
        if shape.said(data.get("CancelledBillingDocument")):  # a cancellation is a document of its own
            name = v.INVOICE_CREDITED
            keys.found["sap.cancellation_document"] = keys.found.pop(v.SAP_BILLING_DOCUMENT, ())
            keys.add(v.SAP_BILLING_DOCUMENT, data["CancelledBillingDocument"])
    facts["time"], facts["precision"] = when(shape.moment(event.get("time")), on, received)
    if verb in FAILED:
        facts |= failure(shape.said(data.get("ErrorCode")) or verb, shape.said(data.get("ErrorMessage")))
    return build(
        connection,
        name,
        identity=f"{source}:{shape.needed(event, 'id', 'A CloudEvent')}",
        system=System.ERP,
        platform="sap",
        keys=keys,
        object_type=what,
        record=data,
        facts=facts,
        attributes={"type": shape.said(event.get("type"))},
    )


def sample(connection: Connection, now: datetime) -> HookRequest:
    """A request that says nothing, for a test of ourselves."""
    return shown_sample(connection, now)
