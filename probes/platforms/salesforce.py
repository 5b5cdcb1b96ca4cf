"""Salesforce: outbound messages (SOAP), change events (CDC) and platform events relayed as JSON.

Records of packages inside the organisation are understood too: those of Certinia by its own table.
Source: https://developer.salesforce.com/docs/atlas.en-us.change_data_capture.meta/change_data_capture/
and, for outbound messages, the sources in `salesforce_channels.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from throughline.probes import vocabulary as v
from throughline.probes.platforms import certinia, salesforce_channels, shape
from throughline.probes.platforms.adapter import Connection, HookReply, HookRequest
from throughline.probes.platforms.build import labels
from throughline.probes.platforms.credentials import shown_sample
from throughline.probes.platforms.salesforce_channels import Change
from throughline.probes.platforms.salesforce_objects import ObjectRule, events
from throughline.probes.vocabulary import BusinessEvent, System

OPTIONS: Final[Mapping[str, str]] = {
    "org": "the organisation's id (00D...), which all keys begin with; messages of others are refused",
    "won_stages": "stages that mean won, separated by commas, where IsWon is not sent; default: Closed Won",
    "lost_stages": "stages that mean lost; default: Closed Lost",
}
REQUIRED: Final = ("org",)


def _opportunity(change: Change, connection: Connection) -> tuple[str, ...]:
    """Won, lost or reopened; stage names are the customer's own, so IsWon is believed first."""
    touched = [name for name in ("StageName", "IsWon", "IsClosed") if change.set_to(name)]
    if not touched or change.kind in {"DELETE", "UNDELETE"}:
        return ()
    stage = change.value("StageName").casefold()
    won, closed = shape.truth(change.fields.get("IsWon")), shape.truth(change.fields.get("IsClosed"))
    if won is True or (won is None and stage in labels(connection, "won_stages", ("Closed Won",))):
        return (v.OPPORTUNITY_CLOSED_WON,)
    if change.kind == "UPDATE" and change.set_to("IsClosed") == "false":
        return (v.OPPORTUNITY_REOPENED,)
    lost = stage in labels(connection, "lost_stages", ("Closed Lost",)) or (won is False and closed is True)
    return (v.OPPORTUNITY_LOST,) if lost else ()


OBJECTS: Final[Mapping[str, ObjectRule]] = {
    "Opportunity": ObjectRule(
        platform="salesforce",
        system=System.CRM,
        namespace=v.SALESFORCE_OPPORTUNITY,
        noun="opportunity",
        parents={"AccountId": v.SALESFORCE_ACCOUNT},
        facts={"Amount": "amount", "CurrencyIsoCode": "currency"},
        attributes={
            "StageName": "stage",
            "Type": "opportunity_type",
            "CloseDate": "close_date",
            "Name": "name",
        },
        values={"Type": {"amendment": "amendment", "renewal": "renewal"}},  # processes compare in lower case
        judge=_opportunity,
    ),
    "Account": ObjectRule(
        platform="salesforce",
        system=System.CRM,
        namespace=v.SALESFORCE_ACCOUNT,
        noun="account",
        facts={"Name": "customer", "CurrencyIsoCode": "currency"},
        attributes={"Name": "legal_name", "BillingCountry": "country"},
    ),
}


def verify(request: HookRequest, connection: Connection, now: datetime) -> None:  # noqa: ARG001 nothing is timed
    """Raise BadSignature unless a secret is shown and, for outbound messages, the organisation is ours."""
    salesforce_channels.check(request, connection)


def parse(request: HookRequest, connection: Connection) -> list[BusinessEvent]:
    """The events of an outbound message or of relayed events.  Raises: Unreadable."""
    rules = {**certinia.OBJECTS, **OBJECTS}
    return events(salesforce_channels.changes(request, connection), connection, rules)


def reply(request: HookRequest, connection: Connection) -> HookReply:  # noqa: ARG001 the same for all
    """Acknowledge: outbound messages come again until they hear exactly this."""
    return salesforce_channels.acknowledge(request)


def sample(connection: Connection, now: datetime) -> HookRequest:
    """A request that says nothing, for a test of ourselves."""
    return shown_sample(connection, now)
