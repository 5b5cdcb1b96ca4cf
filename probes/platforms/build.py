"""A platform's record as a BusinessEvent: keys with their scope, and what the connection calls the fields.

`connections.yaml` may say, by object type, what a field is called here:

    objects:
      Opportunity: {Project_Id__c: business.key.certinia.project, Billing__c: billing_type}

The name is that of a key (`business.key.<namespace>`), of a fact (`business.amount`, `business.entity`...)
or of an attribute; behind `=` may stand a template, as `business.key.sap.project = PRD/{}`.  What it says
wins over the adapter's table.  Options that every adapter here takes: `entity`, `region`, `service_line`,
`currency` where records do not say them, and `scope.<platform>`: what makes the keys of another platform
unique (`scope.netsuite: 1234567`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

from throughline.probes.encode import WRITERS
from throughline.probes.platforms import shape
from throughline.probes.platforms.adapter import Connection, Unreadable
from throughline.probes.vocabulary import KEY_PREFIX, BusinessEvent, ExceptionClass, System, TimePrecision

UNKNOWN: Final = "unknown"
"""The event of an object type, or of a change, that no table knows."""
OBJECT_TYPE: Final = "object_type"
"""Attribute: what the platform calls the kind of the record."""
DEFAULTS: Final = ("entity", "region", "service_line", "currency")
"""Facts that an option of the same name says for records that do not."""

_FACTS: Final = {attribute: name for name, (attribute, _) in WRITERS.items()}
_NOT_BY_FIELD: Final = frozenset({"id", "links", "cuts", "link_reason", "platform", "connection", "system"})


def option(connection: Connection, name: str, what: str) -> str:
    """An option that the platform cannot do without.

    Raises: Unreadable: it is missing; the request waits in the dead letters until it is there.
    """
    found = connection.options.get(name, "").strip()
    if not found:
        raise Unreadable(
            f"Connection {connection.id} lacks the option {name} ({what}): add it to connections.yaml, "
            "then retry the dead letters."
        )
    return found


def labels(connection: Connection, name: str, usual: Iterable[str]) -> frozenset[str]:
    """The values of an option, separated by commas, else the usual ones; in lower case."""
    values = connection.options[name].split(",") if name in connection.options else usual
    return frozenset(value.strip().casefold() for value in values)


@dataclass(frozen=True, slots=True)
class Kind:
    """Where the primary key of an object is."""

    namespace: str
    key: str


class Keys:
    """The keys of one event: each value gets the scope that makes it unique."""

    def __init__(self, connection: Connection, scope: str, platforms: Iterable[str]) -> None:
        """Start without keys.

        Args:
            connection: its options say the scopes of other platforms.
            scope: the org, account or legal entity of this record.
            platforms: first parts of the namespaces to which the scope belongs.
        """
        self._connection = connection
        self._scope = scope
        self._platforms = frozenset(platforms)
        self.found: dict[str, tuple[str, ...]] = {}

    def add(self, namespace: str, value: object, *, whole: bool = False) -> None:
        """Add one key or a list of them; what is none is left out, what is whole has its scope already."""
        platform = namespace.partition(".")[0]
        scope = "" if whole else self._connection.options.get(f"scope.{platform}", "")
        if not scope and not whole and platform in self._platforms:
            scope = self._scope
        values = tuple(f"{scope}/{said}" if scope else said for said in shape.texts(value))
        if values:
            self.found[namespace] = tuple(dict.fromkeys((*self.found.get(namespace, ()), *values)))

    def add_named(self, record: Mapping[str, Any], parents: Mapping[str, str]) -> None:
        """Add what members of the record name; `parents` says of which namespace each is."""
        for name, namespace in parents.items():
            self.add(namespace, record.get(name))

    def written(self) -> dict[str, str | tuple[str, ...]]:
        """The keys as a BusinessEvent takes them."""
        return {
            name: values[0] if len(values) == 1 else values for name, values in self.found.items() if values
        }


def build(
    connection: Connection,
    event: str,
    *,
    identity: str,
    system: System,
    platform: str,
    keys: Keys,
    object_type: str,
    record: Mapping[str, Any],
    facts: Mapping[str, Any],
    attributes: Mapping[str, object] | None = None,
) -> BusinessEvent:
    """The event, with what the connection says about the fields of its record."""
    given: dict[str, Any] = {name: value for name, value in facts.items() if value not in (None, "")}
    more: dict[str, object] = {OBJECT_TYPE: object_type, **(attributes or {})}
    renamed = {"event": event}
    for name, here in connection.objects.get(object_type, {}).items():
        value = record.get(name)
        if value is not None and value != "":
            _put(here, value, keys, facts=given, attributes=more, renamed=renamed)
    for name in DEFAULTS:
        if name in connection.options and (name != "currency" or "amount" in given):
            given.setdefault(name, connection.options[name])
    return BusinessEvent(
        event=renamed["event"],
        id=identity,
        system=system,
        platform=platform,
        connection=connection.id,
        keys=keys.written(),
        attributes={name: value for name, value in more.items() if value not in (None, "")},
        **given,
    )


def failure(code: str, message: str = "", kind: ExceptionClass = ExceptionClass.REMOTE) -> dict[str, Any]:
    """The facts of an event that the platform reports as failed."""
    return {
        "failed": True,
        "exception_class": kind,
        "exception_code": code,
        "exception_message": message or code,
    }


def when(
    moment: datetime | None, on: date | None, received: datetime
) -> tuple[datetime, TimePrecision | None]:
    """When it happened, by the best that is said: a moment, else a day, else when we were told."""
    if moment is not None:
        return moment, None
    if on is not None:
        return datetime(on.year, on.month, on.day, tzinfo=received.tzinfo), TimePrecision.DAY
    return received, TimePrecision.APPROXIMATE


def first(record: Mapping[str, Any], names: Iterable[str]) -> Any:
    """The first of these members that is said; None: none is."""
    return next((record[name] for name in names if record.get(name) is not None), None)


def facts_of(record: Mapping[str, Any], named: Mapping[str, str], amounts: Iterable[str]) -> dict[str, Any]:
    """The facts that members of the record say: those named, and the first of the amounts."""
    facts: dict[str, Any] = {}
    for name, fact in named.items():
        put(facts, fact, record.get(name))
    put(facts, "amount", first(record, amounts), shape.amount)
    return facts


def put(facts: dict[str, Any], name: str, value: object, read: Callable[[object], Any] = shape.said) -> None:
    """Set the fact to what `read` makes of the value, unless that is nothing."""
    found = read(value)
    if found is not None and found != "":
        facts[name] = found


def _put(
    here: str,
    value: object,
    keys: Keys,
    *,
    facts: dict[str, Any],
    attributes: dict[str, object],
    renamed: dict[str, str],
) -> None:
    here, _, template = (part.strip() for part in here.partition("="))
    if template:
        filled = [template.replace("{}", one) for one in shape.texts(value)] or [template.replace("{}", "")]
        value = filled[0] if len(filled) == 1 else filled
    if here.startswith(KEY_PREFIX):
        keys.add(here.removeprefix(KEY_PREFIX), value, whole=bool(template))
    elif here == "business.event":
        renamed["event"] = shape.said(value) or renamed["event"]
    elif here == "business.amount":
        put(facts, "amount", value, shape.amount)
    elif here in _FACTS and _FACTS[here] not in _NOT_BY_FIELD:
        put(facts, _FACTS[here], value, shape.day if _FACTS[here] == "accounting_date" else shape.said)
    else:
        found = shape.said(value) or shape.texts(value)
        if found:
            attributes[here] = found
