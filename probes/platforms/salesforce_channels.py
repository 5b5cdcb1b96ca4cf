"""What Salesforce sends, whatever the channel, as changes of records; shared with what lives inside it.

    outbound messages   SOAP, pushed by a flow or workflow rule: the state of a record, not what changed
    change events       CDC, relayed as JSON by whoever reads the Pub/Sub API, CometD or Event Relay
    platform events     likewise; customer-defined fields

Sources:
    https://developer.salesforce.com/docs/platform/pub-sub-api/guide/event-deserialization-considerations.html
    https://developer.salesforce.com/docs/atlas.en-us.change_data_capture.meta/change_data_capture/
    https://developer.salesforce.com/docs/atlas.en-us.api.meta/api/sforce_api_om_outboundmessaging_notifications.htm
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from throughline.probes.platforms import shape
from throughline.probes.platforms.adapter import BadSignature, Connection, HookReply, HookRequest, Unreadable
from throughline.probes.platforms.build import option
from throughline.probes.platforms.credentials import require_secret
from throughline.probes.vocabulary import TimePrecision

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

HEADER: Final = "ChangeEventHeader"
STATE: Final = "STATE"
"""Kind of a change that says how a record is, not what was done to it."""
PUBLISH: Final = "PUBLISH"
"""Kind of a platform event."""
ACK: Final = (
    b'<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/"><soapenv:Body>'
    b'<notificationsResponse xmlns="http://soap.sforce.com/2005/09/outbound"><Ack>true</Ack>'
    b"</notificationsResponse></soapenv:Body></soapenv:Envelope>"
)
STANDARD_PREFIXES: Final = {"001": "Account", "006": "Opportunity"}
"""First letters of the ids of standard objects, for messages that do not name theirs."""
RECORD_ID: Final = re.compile(r"[A-Za-z0-9]{15}(?:[A-Za-z0-9]{3})?")

_AVRO_TYPES: Final = frozenset({"string", "boolean", "double", "float", "long", "int"})
_TOP: Final = re.compile(r"0x[0-9A-Fa-f]{1,4096}")
_NESTED: Final = re.compile(r"([0-9]{1,5})-(0x[0-9A-Fa-f]{1,4096})")
_ALPHABET: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"
_SHORT_ID: Final = 15
_WRAPPERS: Final = ("data", "detail")
"""CometD and Event Relay put the event into these."""
_MAX_WRAPPERS: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One change of one record."""

    id: str
    """What repeated deliveries of it share."""
    org: str
    object_type: str
    """API name, such as `pse__Proj__c`."""
    record: str
    """Id in its 18 letters; '' if the message names none."""
    kind: str
    """CREATE, UPDATE, DELETE, UNDELETE, GAP_*, STATE or PUBLISH."""
    fields: Mapping[str, Any]
    """Values that are known; those of an UPDATE that are not here did not change."""
    changed: frozenset[str] | None = None
    """Names of the fields that an UPDATE changed; None: all that are known were set."""
    time: datetime
    precision: TimePrecision | None = None
    attributes: Mapping[str, object] = field(default_factory=dict)

    def value(self, name: str) -> str:
        """The field as text; '' if it is not known."""
        return shape.said(self.fields.get(name))

    def set_to(self, name: str) -> str:
        """The text that this change gave to the field; '' if it did not touch it, or emptied it."""
        return self.value(name) if self.changed is None or name in self.changed else ""


def check(request: HookRequest, connection: Connection) -> None:
    """Raise BadSignature unless a secret is shown and, for outbound messages, the organisation is ours.

    Salesforce signs nothing: let the proxy also ask for Salesforce's client certificate.
    """
    require_secret(request, connection)
    ours = connection.options.get("org", "")
    if ours and is_soap(request):
        try:
            org = shape.child_text(_notifications(request.body), "OrganizationId")
        except Unreadable:
            return  # parse will say so, and the body is kept
        if long_id(org) != long_id(ours):
            raise BadSignature(f"The message is of another organisation than {ours}.")


def acknowledge(request: HookRequest) -> HookReply:
    """The exact acknowledgement of outbound messages; for relayed JSON, an empty 200."""
    return HookReply(body=ACK, content_type="text/xml") if is_soap(request) else HookReply()


def is_soap(request: HookRequest) -> bool:
    """Whether it is an outbound message rather than JSON."""
    return "xml" in request.headers.get("content-type", "") or request.body.lstrip()[:1] == b"<"


def changes(request: HookRequest, connection: Connection) -> Iterator[Change]:
    """What the request says.  Raises: Unreadable."""
    org = long_id(option(connection, "org", "the organisation's id, 00D..."))
    if is_soap(request):
        yield from _outbound(request, org)
    else:
        for item in shape.objects(shape.json_value(request.body), "An event"):
            yield from _event(item, org)


def long_id(value: str) -> str:
    """The id in its 18 letters, which do not depend on upper and lower case; else the value as it is."""
    if len(value) != _SHORT_ID or not RECORD_ID.fullmatch(value):
        return value
    marks = [
        sum(1 << place for place in range(5) if "A" <= value[start + place] <= "Z") for start in (0, 5, 10)
    ]
    return value + "".join(_ALPHABET[mark] for mark in marks)


def changed_names(elements: Sequence[object], schema: Mapping[str, Any] | None) -> frozenset[str] | None:
    """The names of the fields in `changedFields`; None: they are bitmaps and there is no schema to read them.

    Args:
        elements: names (CometD, or decoded by the relay) or bitmaps (Pub/Sub).
        schema: the Avro schema of the event.

    Raises: Unreadable: a bitmap names fields that the schema lacks.
    """
    texts = [element for element in elements if isinstance(element, str)]
    maps = [element for element in texts if _TOP.fullmatch(element) or _NESTED.fullmatch(element)]
    if not maps:
        return frozenset(texts)
    if schema is None:
        return None
    names: set[str] = set()
    fields = _fields(schema)
    for element in maps:
        nested = _NESTED.fullmatch(element)
        if nested is None:
            names.update(_name(fields, place) for place in bits(element))
        else:
            parent = int(nested[1])
            below = _fields(_record(fields[parent])) if parent < len(fields) else []
            names.update(f"{_name(fields, parent)}.{_name(below, place)}" for place in bits(nested[2]))
    return frozenset(names)


def bits(hexadecimal: str) -> list[int]:
    """The places of the bits that are set, the least significant being 0."""
    number = int(hexadecimal, 16)
    return [place for place in range(number.bit_length()) if number >> place & 1]


def _fields(schema: object) -> list[Any]:
    found = schema.get("fields") if isinstance(schema, dict) else None
    return found if isinstance(found, list) else []


def _record(member: object) -> object:
    """The record type of a compound field, out of its union with null."""
    kind = member.get("type") if isinstance(member, dict) else None
    members = kind if isinstance(kind, list) else [kind]
    return next((one for one in members if isinstance(one, dict) and "fields" in one), None)


def _name(fields: list[Any], place: int) -> str:
    name = fields[place].get("name") if place < len(fields) and isinstance(fields[place], dict) else None
    if not isinstance(name, str):
        raise Unreadable(f"changedFields names field {place}, which the schema of the event lacks.")
    return name


def _event(item: shape.Object, org: str) -> Iterator[Change]:
    """Unwrap one relayed event: as the Pub/Sub API, CometD or Event Relay gives it, or its payload alone."""
    topic, replay, schema = "", "", None
    for _ in range(_MAX_WRAPPERS):
        topic = topic or shape.said(item.get("topic")) or shape.said(item.get("channel"))
        replay = replay or _replay_id(item)
        schema = schema or (item["schema"] if isinstance(item.get("schema"), dict) else None)
        wrapper = next((name for name in _WRAPPERS if isinstance(item.get(name), dict)), None)
        if HEADER in item or isinstance(item.get("payload"), dict) or wrapper is None:
            break
        item = item[wrapper]
    replay = replay or _replay_id(item)
    payload = item["payload"] if isinstance(item.get("payload"), dict) else item
    if HEADER in payload:
        yield from _change_event(payload, org, schema)
    elif topic or "payload" in item:
        yield _platform_event(payload, org, topic, replay)
    else:
        raise Unreadable("A Salesforce event has a ChangeEventHeader, or a topic and a payload.")


def _replay_id(item: shape.Object) -> str:
    return shape.said(item.get("replayId")) or shape.said(shape.part(item, "event").get("replayId"))


def _change_event(payload: shape.Object, org: str, schema: Mapping[str, Any] | None) -> Iterator[Change]:
    header = shape.an_object(payload[HEADER], HEADER)
    object_type = shape.needed(header, "entityName", HEADER)
    kind = shape.needed(header, "changeType", HEADER)
    transaction = shape.needed(header, "transactionKey", HEADER)
    number = shape.needed(header, "sequenceNumber", HEADER)
    moment = shape.from_ms(header.get("commitTimestamp"))
    records = [long_id(record) for record in shape.texts(header.get("recordIds"))]
    known = {name: _plain(value) for name, value in payload.items() if name != HEADER and value is not None}
    changed = _changed(header, known, schema) if kind == "UPDATE" else None
    attributes = {"changed_by": shape.said(header.get("commitUser")), "transaction": transaction,
                  "change_origin": shape.said(header.get("changeOrigin"))}  # fmt: skip
    for record in records or [""]:
        yield Change(
            id=f"salesforce:{org}:{transaction}:{number}:{object_type}:{record}",
            org=org,
            object_type=object_type,
            record="" if record.endswith("*") else record,
            kind=kind,
            fields=known,
            changed=changed,
            time=moment,
            attributes=attributes,
        )


def _changed(
    header: shape.Object, known: Mapping[str, Any], schema: Mapping[str, Any] | None
) -> frozenset[str]:
    """The fields that an UPDATE changed.

    1. CometD may name none: it sends changed fields alone.
    2. Names, or bitmaps with the schema, say them.
    3. Bitmaps without it at least say how many: enough if no other field is known.

    Raises: Unreadable: more fields are known than changed.
    """
    listed, nulled = (
        value if isinstance(value, list) else []
        for value in (header.get("changedFields"), header.get("nulledFields"))
    )
    names = changed_names(listed, schema) if listed else frozenset(known)
    if names is None:
        if len(_places(listed) - _places(nulled)) != len(known):
            raise Unreadable(
                "changedFields are bitmaps and fields are known that did not change: let the relay forward "
                "the Avro schema of the event as `schema`, or decode the names."
            )
        names = frozenset(known)
    return names


def _places(elements: Sequence[object]) -> set[int]:
    """The places of the top-level fields in bitmaps."""
    found: set[int] = set()
    for element in elements:
        nested = _NESTED.fullmatch(element) if isinstance(element, str) else None
        if nested:
            found.add(int(nested[1]))
        elif isinstance(element, str) and _TOP.fullmatch(element):
            found.update(bits(element))
    return found


def _platform_event(payload: shape.Object, org: str, topic: str, replay: str) -> Change:
    object_type = topic.rstrip("/").rpartition("/")[2] or "platform event"
    known = {name: _plain(value) for name, value in payload.items() if value is not None}
    identity = shape.said(known.get("EventUuid")) or replay
    if not identity:
        said = json.dumps(known, sort_keys=True, default=str)
        identity = hashlib.sha256(said.encode()).hexdigest()[:32]
    moment = shape.moment(known.get("CreatedDate"))
    if moment is None:
        raise Unreadable("A platform event has a CreatedDate.")
    return Change(
        id=f"salesforce:{org}:{object_type}:{identity}",
        org=org,
        object_type=object_type,
        record="",
        kind=PUBLISH,
        fields=known,
        time=moment,
        attributes={"changed_by": shape.said(known.get("CreatedById"))},
    )


def _plain(value: object) -> object:
    """The value without the type that Avro's JSON puts around members of a union."""
    if isinstance(value, dict) and len(value) == 1:
        ((kind, inner),) = value.items()
        if kind in _AVRO_TYPES:
            return inner
    return value


def _notifications(body: bytes) -> Element:
    root = shape.xml_root(body)
    found = next((element for element in root.iter() if shape.local(element.tag) == "notifications"), None)
    if found is None:
        raise Unreadable("An outbound message has the element notifications.")
    return found


def _outbound(request: HookRequest, org: str) -> Iterator[Change]:
    message = _notifications(request.body)
    sender = long_id(shape.child_text(message, "OrganizationId"))
    if sender != org:
        raise Unreadable(f"The message is of organisation {sender or '(none)'}, not of {org}.")
    notifications = list(shape.children(message, "Notification"))
    if not notifications:
        raise Unreadable("An outbound message has at least one Notification.")
    for notification in notifications:
        yield _notification(notification, org, request.received_at)


def _notification(notification: Element, org: str, received: datetime) -> Change:
    identity = shape.child_text(notification, "Id")
    record = next(shape.children(notification, "sObject"), None)
    if not identity or record is None:
        raise Unreadable("A Notification has an Id and an sObject.")
    known = {
        shape.local(member.tag): member.text.strip()
        for member in record
        if member.text and member.text.strip() and len(member) == 0
    }
    kinds = [value for name, value in record.attrib.items() if shape.local(name) == "type"]
    own = long_id(shape.said(known.get("Id")))
    object_type = kinds[0].rpartition(":")[2] if kinds else STANDARD_PREFIXES.get(own[:3], "")
    moment = shape.moment(known.get("SystemModstamp") or known.get("LastModifiedDate"))
    return Change(
        id=f"salesforce:{org}:{long_id(identity)}",
        org=org,
        object_type=object_type or "sObject",
        record=own,
        kind=STATE,
        fields=known,
        time=moment or received,
        precision=None if moment else TimePrecision.APPROXIMATE,
    )
