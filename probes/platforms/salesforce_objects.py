"""From changes of Salesforce records to business events, by a table of object types.

A change is what its `moments` say; else it is named by what was done to the record.  Values that are not
empty count as known even if they did not change: enriched channels bring parents that way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from throughline.probes.platforms import shape
from throughline.probes.platforms.adapter import Connection
from throughline.probes.platforms.build import UNKNOWN, Keys, build, failure, labels, put
from throughline.probes.platforms.salesforce_channels import PUBLISH, RECORD_ID, STATE, Change, long_id
from throughline.probes.vocabulary import EVENTS, BusinessEvent, ExceptionClass, System

GAP: Final = "record.gap"
"""The event, always failed, of a change that Salesforce could not describe: read the record again."""
PLATFORMS: Final = ("salesforce", "certinia")
"""Platforms whose keys the organisation makes unique."""
FAILED: Final = frozenset({"failed", "failure", "error", "rejected"})
"""What a platform event says in its status if something went wrong; compared without regard to case."""
STATUS_FIELDS: Final = ("Status__c", "Status")
CODE_FIELDS: Final = ("ExceptionType", "Error_Code__c", "ErrorCode__c", "Error__c")
MESSAGE_FIELDS: Final = ("Message", "Error_Message__c", "ErrorMessage__c", "Message__c")
RUN_FIELD: Final = "AsyncApexJobId"
_DONE: Final = {"CREATE": "created", "UPDATE": "updated", "DELETE": "deleted", "UNDELETE": "updated",
                STATE: "updated"}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Moment:
    """A field that got one of these values is this event."""

    field: str
    values: tuple[str, ...]
    """Compared without regard to case; booleans are `true` and `false`."""
    event: str
    option: str = ""
    """Option of the connection that replaces the values: several, separated by commas."""
    on_create: bool = True
    """Whether a record may be born with it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectRule:
    """What the changes of one object type mean."""

    platform: str
    system: System
    namespace: str
    noun: str
    """`<noun>.created`, `.updated` and `.deleted` are what is done to it."""
    parents: Mapping[str, str] = field(default_factory=dict)
    """Field that holds the id of another record -> its namespace."""
    facts: Mapping[str, str] = field(default_factory=dict)
    """Field -> fact of a BusinessEvent."""
    attributes: Mapping[str, str] = field(default_factory=dict)
    """Field -> attribute."""
    values: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Field -> what its values (lower case) are called here; others are kept as they are."""
    moments: tuple[Moment, ...] = ()
    judge: Callable[[Change, Connection], tuple[str, ...]] | None = None
    """Asked before the moments."""


def events(
    changes: Iterable[Change], connection: Connection, rules: Mapping[str, ObjectRule]
) -> list[BusinessEvent]:
    """The events of the changes; object types without a rule are `unknown`."""
    found: list[BusinessEvent] = []
    for change in changes:
        rule = rules.get(change.object_type)
        if change.kind == PUBLISH:
            found.append(_published(change, connection))
        elif change.kind.startswith("GAP_"):
            found += _gap(change, connection, rule)
        elif rule is None:
            found.append(_event(change, connection, None, UNKNOWN, identity=change.id))
        else:
            for place, event in enumerate(_happened(change, connection, rule)):
                identity = change.id if place == 0 else f"{change.id}:{event}"
                found.append(_event(change, connection, rule, event, identity=identity))
    return found


def _happened(change: Change, connection: Connection, rule: ObjectRule) -> tuple[str, ...]:
    found = rule.judge(change, connection) if rule.judge else ()
    is_new = change.kind == "CREATE"
    if change.kind in {"CREATE", "UPDATE", STATE}:
        found += tuple(
            moment.event
            for moment in rule.moments
            if (moment.on_create or not is_new)
            and change.set_to(moment.field).casefold() in labels(connection, moment.option, moment.values)
        )
    done = f"{rule.noun}.{_DONE.get(change.kind, 'updated')}"
    if is_new and done in EVENTS:
        found = (done, *found)
    return tuple(dict.fromkeys(found)) or (done,)


def _event(
    change: Change,
    connection: Connection,
    rule: ObjectRule | None,
    event: str,
    *,
    identity: str,
    more: Mapping[str, Any] | None = None,
) -> BusinessEvent:
    """One event of one change, with all that is known of its record."""
    keys = Keys(connection, change.org, PLATFORMS)
    namespace = rule.namespace if rule else _namespace(change.object_type)
    keys.add(namespace, change.record)
    facts: dict[str, Any] = {"time": change.time, "precision": change.precision, **(more or {})}
    attributes: dict[str, object] = {"change_type": change.kind, **change.attributes}
    if rule:
        facts["subject"] = namespace if change.record else None
        for name, parent in rule.parents.items():
            keys.add(parent, long_id(change.value(name)))
        for name, fact in rule.facts.items():
            put(facts, fact, change.fields.get(name), _READERS.get(fact, shape.said))
        for name, attribute in rule.attributes.items():
            said = change.value(name)
            attributes[attribute] = rule.values.get(name, {}).get(said.casefold(), said)
    return build(
        connection,
        event,
        identity=identity,
        system=rule.system if rule else System.CRM,
        platform=rule.platform if rule else "salesforce",
        keys=keys,
        object_type=change.object_type,
        record=change.fields,
        facts=facts,
        attributes=attributes,
    )


_READERS: Final[Mapping[str, Callable[[object], Any]]] = {
    "amount": shape.amount,
    "accounting_date": shape.day,
}


def _gap(change: Change, connection: Connection, rule: ObjectRule | None) -> list[BusinessEvent]:
    """What was done is known, what it changed is not: the first is an event, the second a failure."""
    done = f"{rule.noun}.{_DONE.get(change.kind.removeprefix('GAP_'), '')}" if rule else ""
    more = failure(
        change.kind,
        f"Salesforce could not say what changed in {change.object_type} {change.record or '(many)'}: "
        "read it again.",
    )
    gap = _event(change, connection, rule, GAP, identity=change.id, more=more)
    if rule and change.record and done in EVENTS:
        return [_event(change, connection, rule, done, identity=f"{change.id}:{done}"), gap]
    return [gap]


def _published(change: Change, connection: Connection) -> BusinessEvent:
    """A platform event: its fields are the customer's, so `objects` of the connection says what it means."""
    keys = Keys(connection, change.org, PLATFORMS)
    for name, value in change.fields.items():
        said = shape.said(value)
        if name.removesuffix("__c").casefold().endswith("id") and RECORD_ID.fullmatch(said):
            keys.add(_namespace(name.removesuffix("__c").removesuffix("Id").removesuffix("_")), long_id(said))
    keys.found.pop("salesforce.createdby", None)
    facts: dict[str, Any] = {"time": change.time}
    code = _first(change, CODE_FIELDS)
    status = _first(change, STATUS_FIELDS)
    threw = bool(change.value("ExceptionType"))
    if threw or status.casefold() in FAILED:
        kind = ExceptionClass.TECHNICAL if threw else ExceptionClass.REMOTE
        facts |= failure(code or status, _first(change, MESSAGE_FIELDS), kind)
        put(facts, "run_id", change.fields.get(RUN_FIELD))
    return build(
        connection,
        UNKNOWN,
        identity=change.id,
        system=System.CRM,
        platform="salesforce",
        keys=keys,
        object_type=change.object_type,
        record=change.fields,
        facts=facts,
        attributes={"status": status, **change.attributes},
    )


def _first(change: Change, names: Iterable[str]) -> str:
    return next((said for name in names if (said := change.value(name))), "")


def _namespace(object_type: str) -> str:
    """Where the keys of an object type without a rule go."""
    return f"salesforce.{object_type.removesuffix('__c').casefold()}"
