"""NetSuite: what the customer's own user event script posts after a record was submitted.

NetSuite pushes nothing by itself; `deploy/netsuite/throughline_user_event.js` is the script that does.
Its body and its signature are ours; the kinds of events are NetSuite's.
Source: https://docs.oracle.com/en/cloud/saas/netsuite/ns-online-help/section_4407992281.html
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from throughline.probes import vocabulary as v
from throughline.probes.platforms import netsuite_rest, shape
from throughline.probes.platforms.adapter import Connection, HookRequest, PlatformCall, Unreadable
from throughline.probes.platforms.build import UNKNOWN, Keys, build, failure, first, put
from throughline.probes.platforms.credentials import require_signature, signed_sample
from throughline.probes.vocabulary import BusinessEvent, ExceptionClass, System

OPTIONS: Final[Mapping[str, str]] = {
    "account": "the only account that may send, as 1234567_SB1; default: any that knows the secret",
    **netsuite_rest.OPTIONS,
}
REQUIRED: Final[tuple[str, ...]] = ()


@dataclass(frozen=True, slots=True)
class Kind:
    """What is done to records of a type."""

    namespace: str
    noun: str
    events: Mapping[str, str]
    """`eventType` -> what happened; others are `<noun>.<eventType>`."""
    approved: str = ""
    """What happened when `approvalstatus` becomes approved without the event type saying so."""
    rejected: str = ""
    void: str = ""
    """What happened when an edit turns the memo into Void."""


_EDITS: Final = ("edit", "xedit")
RECORDS: Final[Mapping[str, Kind]] = {
    "job": Kind(
        v.NETSUITE_JOB,
        "project",
        {"create": v.PROJECT_CREATED, "edit": v.PROJECT_UPDATED, "xedit": v.PROJECT_UPDATED,
         "delete": v.PROJECT_DELETED},
    ),
    "invoice": Kind(
        v.NETSUITE_INVOICE,
        "invoice",
        {"create": v.INVOICE_POSTED, "approve": v.INVOICE_POSTED, "delete": v.INVOICE_CREDITED},
        approved=v.INVOICE_POSTED,
        void=v.INVOICE_CREDITED,
    ),
    "creditmemo": Kind("netsuite.credit_memo", "credit_memo", {"create": v.INVOICE_CREDITED}),
    "customerpayment": Kind(
        v.NETSUITE_PAYMENT,
        "payment",
        {"create": v.PAYMENT_APPLIED, "delete": v.PAYMENT_REVERSED},
        void=v.PAYMENT_REVERSED,
    ),
    "timebill": Kind(
        "netsuite.timebill",
        "time",
        {"approve": v.TIME_APPROVED, "reject": v.TIME_REJECTED},
        approved=v.TIME_APPROVED,
        rejected=v.TIME_REJECTED,
    ),
    "expensereport": Kind(
        "netsuite.expense_report",
        "expense",
        {"create": v.EXPENSE_SUBMITTED, "approve": v.EXPENSE_APPROVED, "reject": v.EXPENSE_REJECTED},
        approved=v.EXPENSE_APPROVED,
        rejected=v.EXPENSE_REJECTED,
    ),
    "customer": Kind(
        v.NETSUITE_CUSTOMER,
        "customer",
        {"create": v.CUSTOMER_CREATED, "edit": "customer.updated", "xedit": "customer.updated",
         "delete": v.CUSTOMER_DELETED},
    ),
    "salesorder": Kind("netsuite.sales_order", "sales_order", {"create": "sales_order.created"}),
}  # fmt: skip
"""Record type -> what is done to it."""
PARENTS: Final[Mapping[str, str]] = {
    "job": v.NETSUITE_JOB,
    "project": v.NETSUITE_JOB,
    "entity": v.NETSUITE_CUSTOMER,
    "applied": v.NETSUITE_INVOICE,
}
"""Field -> the record that it names; `applied`: the invoices that a payment or a credit is applied to."""
AMOUNTS: Final = ("total", "payment", "amount")
ATTRIBUTES: Final[Mapping[str, str]] = {
    "tranid": "number",
    "memo": "memo",
    "status": "status",
    "hours": "hours",
    "billable": "billable",
    "jobbillingtype": "billing_type",
}
CODES: Final[Mapping[str, ExceptionClass]] = {
    "SSS_REQUEST_TIME_EXCEEDED": ExceptionClass.TECHNICAL,
    "SSS_REQUEST_LIMIT_EXCEEDED": ExceptionClass.TECHNICAL,
    "SSS_USAGE_LIMIT_EXCEEDED": ExceptionClass.TECHNICAL,
    "UNEXPECTED_ERROR": ExceptionClass.REMOTE,
    "RCRD_HAS_BEEN_CHANGED": ExceptionClass.REMOTE,
}
"""Who can mend an error, by its code; of others people can: the data are wrong."""
_MAX_TS: Final = shape.LAST_MS // 1000
_CURRENCY: Final = re.compile(r"[A-Z]{3}")


def verify(request: HookRequest, connection: Connection, now: datetime) -> None:
    """Check the script's signature over time and body.  Raises: BadSignature, StaleRequest."""
    require_signature(request, connection, now)


def parse(request: HookRequest, connection: Connection) -> list[BusinessEvent]:
    """The event of a record, or of several in an array.  Raises: Unreadable."""
    records = shape.objects(shape.json_value(request.body), "A record")
    return [_event(record, connection) for record in records]


def _event(said: shape.Object, connection: Connection) -> BusinessEvent:
    what = "A record of NetSuite"
    account, kind_name = (
        shape.needed(said, "account", what),
        shape.needed(said, "recordType", what).casefold(),
    )
    record, done = shape.needed(said, "recordId", what), shape.needed(said, "eventType", what).casefold()
    ours = connection.options.get("account", "")
    if ours and ours.casefold() != account.casefold():
        raise Unreadable(f"The record is of account {account}, not of {ours}.")
    seconds = said.get("ts")
    if not isinstance(seconds, int) or isinstance(seconds, bool) or not 0 < seconds <= _MAX_TS:
        raise Unreadable("The ts of a record is its time in seconds since 1970.")
    fields = {name.casefold(): value for name, value in shape.part(said, "fields").items()}
    kind = RECORDS.get(kind_name)
    keys = Keys(connection, account, ("netsuite",))
    for name, namespace in PARENTS.items():
        keys.add(namespace, [_id(one) for one in _members(fields.get(name))])
    namespace = kind.namespace if kind else f"netsuite.{kind_name}"
    keys.add(namespace, record)
    facts = _facts(fields)
    facts |= {"time": datetime.fromtimestamp(seconds, UTC), "subject": namespace if kind else None}
    if kind_name == "creditmemo" and v.NETSUITE_INVOICE in keys.found:
        facts["subject"] = v.NETSUITE_INVOICE
    error = shape.part(said, "error")
    if error:
        code = shape.said(error.get("code")) or UNKNOWN
        facts |= failure(code, shape.said(error.get("message")), CODES.get(code, ExceptionClass.BUSINESS))
    event = _happened(kind, done, fields, said.get("changed")) if kind else UNKNOWN
    modified = shape.said(said.get("lastModified")) or str(seconds)
    attributes = {here: _name(fields.get(name)) for name, here in ATTRIBUTES.items()}
    return build(
        connection,
        event,
        identity=f"netsuite:{account}:{kind_name}:{record}:{modified}:{'failed' if error else event}",
        system=System.ERP,
        platform="netsuite",
        keys=keys,
        object_type=kind_name,
        record={name: _name(value) or value for name, value in shape.part(said, "fields").items()},
        facts=facts,
        attributes={"change_type": done, **attributes},
    )


def _happened(kind: Kind, done: str, fields: Mapping[str, Any], changed: object) -> str:
    """What happened to a record of the kind.

    Args:
        kind: of the record.
        done: the event type.
        fields: of the record, as it is now; names in lower case.
        changed: names of those that an edit changed; anything else than a list: not known, so all.
    """
    names = {shape.said(name).casefold() for name in changed} if isinstance(changed, list) else None
    approval = _name(fields.get("approvalstatus")).casefold()
    if done in _EDITS:
        if (
            kind.void
            and _name(fields.get("memo")).casefold() == "void"
            and (names is None or "memo" in names)
        ):
            return kind.void
        if names is not None and "approvalstatus" in names:
            found = {"approved": kind.approved, "rejected": kind.rejected}.get(approval)
            if found:
                return found
    if done == "create" and kind.approved == v.INVOICE_POSTED and approval == "pending approval":
        return f"{kind.noun}.created"  # it is posted when it is approved
    return kind.events.get(done) or f"{kind.noun}.{'updated' if done in _EDITS else done}"


def _facts(fields: Mapping[str, Any]) -> dict[str, Any]:
    facts: dict[str, Any] = {}
    put(facts, "amount", first(fields, AMOUNTS), shape.amount)
    currency = _name(fields.get("currency"))
    put(facts, "currency", currency if _CURRENCY.fullmatch(currency) else None)
    put(facts, "entity", _name(fields.get("subsidiary")))
    put(facts, "customer", _name(fields.get("entity")))
    put(facts, "accounting_date", fields.get("trandate"), shape.day)
    put(facts, "idempotency_key", fields.get("externalid"))
    return facts


def _members(value: object) -> list[object]:
    return value if isinstance(value, list) else [value]


def _id(value: object) -> object:
    """The id of a reference as REST writes it, `{"id", "refName"}`; else the value itself."""
    return value.get("id") if isinstance(value, dict) else value


def _name(value: object) -> str:
    """The name of such a reference, else its id, else the value itself."""
    if isinstance(value, dict):
        return shape.said(value.get("refName")) or shape.said(value.get("id"))
    return shape.said(value)


def sample(connection: Connection, now: datetime) -> HookRequest:
    """A request that says nothing, for a test of ourselves."""
    return signed_sample(connection, now)


def calls(connection: Connection) -> list[PlatformCall]:
    """What the test of a connection asks NetSuite itself."""
    return netsuite_rest.calls(connection)
