"""Kantata OX (formerly Mavenlink): the feed `subscribed_events`, which is polled, for nothing is pushed.

`feed` reads pages of it from bytes, as from a file.  A poller of your own may also post pages to the hook of
a connection, with its secret.  Events are kept nine days, come minutes late, in no order and more than once.
Sources:
    https://developer.kantata.com/kantata/specification/events/get-subscribed-events
    https://developer.kantata.com/tag/Events/
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from throughline.probes import vocabulary as v
from throughline.probes.platforms import shape
from throughline.probes.platforms.adapter import Connection, HookRequest, Unreadable
from throughline.probes.platforms.build import UNKNOWN, Keys, build, labels, option, put
from throughline.probes.platforms.credentials import require_secret, shown_sample
from throughline.probes.vocabulary import BusinessEvent, System

OPTIONS: Final[Mapping[str, str]] = {
    "account": "the id of the Kantata account, which all keys begin with",
    "invoiced_by": "kantata (default), or erp where another system posts invoices: an invoice here then is "
    "what was released for billing, and milestones here are not",
    "approved_statuses": "statuses that mean approved, separated by commas; default: approved",
    "rejected_statuses": "default: rejected",
    "released_statuses": "statuses of milestones that may be billed; default: released, complete, completed",
}
REQUIRED: Final = ("account",)

NAMESPACES: Final[Mapping[str, str]] = {
    "workspace": v.KANTATA_WORKSPACE,
    "time_entry": v.KANTATA_TIME_ENTRY,
    "invoice": v.KANTATA_INVOICE,
    "expense": v.KANTATA_EXPENSE,
    "timesheet": "kantata.timesheet",
    "expense_report": "kantata.expense_report",
    "billing_milestone": "kantata.billing_milestone",
    "project_accounting_record": "kantata.project_accounting_record",
}
"""Object of an event type -> where its ids are keys."""
EVENTS: Final[Mapping[str, str]] = {
    "workspace:created": v.PROJECT_CREATED,
    "workspace:updated": v.PROJECT_UPDATED,
    "workspace:deleted": v.PROJECT_DELETED,
    "invoice:created": v.INVOICE_POSTED,
    "invoice:deleted": v.INVOICE_CREDITED,
}
"""Event type -> what happened; other types of known objects are `<object>.<verb>`."""
STATUSES: Final[Mapping[str, Mapping[str, str]]] = {
    "timesheet": {"approved": v.TIME_APPROVED, "rejected": v.TIME_REJECTED, "left": v.TIME_UNAPPROVED},
    "expense_report": {
        "approved": v.EXPENSE_APPROVED,
        "rejected": v.EXPENSE_REJECTED,
        "left": v.EXPENSE_UNAPPROVED,
    },
    "billing_milestone": {"released": v.BILLING_RELEASED},
}
"""What a new status means; `left`: it was approved before."""
INVOICED_ELSEWHERE: Final[Mapping[str, str]] = {
    v.INVOICE_POSTED: v.BILLING_RELEASED,
    v.INVOICE_CREDITED: v.BILLING_REVERTED,
    v.BILLING_RELEASED: "billing_milestone.updated",
}
PARENTS: Final[Mapping[str, str]] = {
    "workspace_id": v.KANTATA_WORKSPACE,
    "workspace_ids": v.KANTATA_WORKSPACE,
    "invoice_id": v.KANTATA_INVOICE,
    "time_entry_ids": v.KANTATA_TIME_ENTRY,
    "expense_ids": v.KANTATA_EXPENSE,
    "expense_report_id": "kantata.expense_report",
    "timesheet_id": "kantata.timesheet",
}
"""Field -> the objects that it names."""
SUBJECTS: Final[Mapping[str, str]] = {
    "timesheet": v.KANTATA_TIME_ENTRY,
    "expense_report": v.KANTATA_EXPENSE,
}
"""What an event is about where that is its members: approving a report approves its lines."""
AMOUNTS: Final = (
    "total",
    "amount",
    "total_in_cents",
    "amount_in_cents",
    "balance_in_cents",
    "price_in_cents",
)
ATTRIBUTES: Final[Mapping[str, str]] = {
    "title": "name",
    "status": "status",
    "billable": "billable",
    "external_reference": "external_reference",
    "date_performed": "work_date",
    "start_date": "start_date",
}
CENTS: Final = 100
USUAL: Final[Mapping[str, tuple[str, ...]]] = {
    "approved": ("approved",),
    "rejected": ("rejected",),
    "released": ("released", "complete", "completed"),
}


def verify(request: HookRequest, connection: Connection, now: datetime) -> None:  # noqa: ARG001 nothing is timed
    """Raise BadSignature unless your poller shows one of the secrets: Kantata itself calls nobody."""
    require_secret(request, connection)


def parse(request: HookRequest, connection: Connection) -> list[BusinessEvent]:
    """The events of the pages in the body.  Raises: Unreadable."""
    return feed(request.body, connection)


def feed(content: bytes, connection: Connection) -> list[BusinessEvent]:
    """The events of a page of the feed, or of a list of pages: each once, in the order in which it happened.

    Raises: Unreadable.
    """
    account = option(connection, "account", OPTIONS["account"])
    found: dict[str, BusinessEvent] = {}
    for page in shape.objects(shape.json_value(content), "A page of the feed"):
        for said in _said(page):
            event = _event(said, page, connection, account)
            found[event.id or ""] = event
    return sorted(found.values(), key=lambda event: (event.time, event.id))


def _said(page: shape.Object) -> list[shape.Object]:
    """The events of a page: an object by id, as the API gives them, or a list."""
    events = page.get("subscribed_events")
    if isinstance(events, dict):
        events = list(events.values())
    if not isinstance(events, list):
        raise Unreadable("A page of the feed has subscribed_events.")
    return shape.objects(events, "An event of the feed")


def _event(said: shape.Object, page: shape.Object, connection: Connection, account: str) -> BusinessEvent:
    what = "An event of the feed"
    number, kind = shape.needed(said, "id", what), shape.needed(said, "event_type", what)
    noun, _, verb = kind.partition(":")
    now, before = shape.part(said, "current_payload"), shape.part(said, "previous_payload")
    reference = shape.part(said, "subject_ref")
    own = shape.said(reference.get("id")) or shape.said(now.get("id")) or shape.said(before.get("id"))
    subject = shape.part(shape.part(page, shape.said(reference.get("key"))), own)
    record = {**subject, **before, **now}
    keys = Keys(connection, account, ("kantata",))
    namespace = NAMESPACES.get(noun, f"kantata.{noun}")
    keys.add(namespace, own)
    keys.add_named(record, PARENTS)
    facts = _facts(record, noun)
    about = SUBJECTS.get(noun, namespace)
    facts["subject"] = about if about in keys.found and noun in NAMESPACES else None
    facts["time"] = shape.moment(said.get("subject_changed_at")) or shape.moment(said.get("created_at"))
    if facts["time"] is None:
        raise Unreadable("An event of the feed has subject_changed_at or created_at.")
    return build(
        connection,
        _happened(noun, verb, said, connection),
        identity=f"kantata:{account}:{number}",
        system=System.PSA,
        platform="kantata",
        keys=keys,
        object_type=noun,
        record=record,
        facts=facts,
        attributes={
            "type": kind,
            "feed_created_at": shape.said(said.get("created_at")),
            **{here: shape.said(record.get(name)) for name, here in ATTRIBUTES.items()},
        },
    )


def _happened(noun: str, verb: str, said: shape.Object, connection: Connection) -> str:
    if noun not in NAMESPACES:
        return UNKNOWN
    meanings = STATUSES.get(noun, {})
    event = EVENTS.get(f"{noun}:{verb}", f"{noun}.{verb or 'updated'}")
    now, before = _statuses(said)
    if meanings and verb == "updated" and now and now != before:
        of = {name: labels(connection, f"{name}_statuses", usual) for name, usual in USUAL.items()}
        left = meanings.get("left", event) if before in of["approved"] else event
        event = next((meanings[name] for name in USUAL if name in meanings and now in of[name]), left)
    if connection.options.get("invoiced_by") == "erp":
        event = INVOICED_ELSEWHERE.get(event, event)
    return event


def _statuses(said: shape.Object) -> tuple[str, str]:
    """The status after and before, in lower case; '' if it is not said."""
    change = shape.part(said, "payload_changes").get("status")
    both = change if isinstance(change, list) and len(change) == 2 else ["", ""]  # noqa: PLR2004 old and new
    before, now = (
        (shape.said(shape.part(said, side).get("status")) or shape.said(changed)).casefold()
        for side, changed in zip(("previous_payload", "current_payload"), both, strict=True)
    )
    return now, before


def _facts(record: shape.Object, noun: str) -> dict[str, Any]:
    facts: dict[str, Any] = {}
    name = next((name for name in AMOUNTS if record.get(name) is not None), "")
    value = shape.amount(record.get(name))
    if value is not None and name.endswith("_in_cents"):
        unit = record.get("currency_base_unit")
        units = unit if isinstance(unit, int) and not isinstance(unit, bool) and unit > 0 else CENTS
        value = shape.amount(Decimal(value) / units)
    facts["amount"] = value
    put(facts, "currency", record.get("currency"))
    if noun == "invoice":
        put(facts, "accounting_date", record.get("invoice_date"), shape.day)
    return facts


def sample(connection: Connection, now: datetime) -> HookRequest:
    """A request that says nothing, for a test of ourselves."""
    return shown_sample(connection, now)
