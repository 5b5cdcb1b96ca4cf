"""HubSpot webhooks to business events.

Sources: https://developers.hubspot.com/docs/api-reference/legacy/webhooks/guide (payload, delivery) and
https://developers.hubspot.com/docs/apps/developer-platform/build-apps/authentication/request-validation
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from throughline.probes import vocabulary as v
from throughline.probes.platforms.adapter import (
    BadSignature,
    Connection,
    HookRequest,
    PlatformCall,
    StaleRequest,
    Unreadable,
)
from throughline.probes.vocabulary import BusinessEvent, System

OBJECTS: Final = {  # HubSpot's object -> our entity, and the namespace of its keys: <portal>/<object id>
    "deal": ("opportunity", v.HUBSPOT_DEAL),
    "company": ("account", v.HUBSPOT_COMPANY),
    "contact": ("contact", "hubspot.contact"),
    "ticket": ("ticket", "hubspot.ticket"),
    "line_item": ("line_item", "hubspot.line_item"),
    "product": ("product", "hubspot.product"),
}
TYPE_IDS: Final = {  # `object.*` subscriptions of newer apps name the type by its id
    "0-1": "contact", "0-2": "company", "0-3": "deal", "0-5": "ticket", "0-7": "product", "0-8": "line_item",
}  # fmt: skip
VERBS: Final = {
    "creation": "created",
    "deletion": "deleted",
    "privacyDeletion": "deleted",
    "restore": "restored",
    "propertyChange": "updated",
    "associationChange": "associated",
    "merge": "merged",
}
PROPERTIES: Final = {  # (object, property, value) -> event; other changes are `<entity>.updated`
    ("deal", "dealstage", "closedwon"): v.OPPORTUNITY_CLOSED_WON,
    ("deal", "dealstage", "closedlost"): v.OPPORTUNITY_LOST,
    ("deal", "hs_is_closed_won", "true"): v.OPPORTUNITY_CLOSED_WON,
    ("deal", "hs_is_closed_won", "false"): v.OPPORTUNITY_REOPENED,
    ("deal", "hs_is_closed_lost", "true"): v.OPPORTUNITY_LOST,
}
STAGES: Final = {"won_stages": v.OPPORTUNITY_CLOSED_WON, "lost_stages": v.OPPORTUNITY_LOST}
"""Option that lists stage ids of own pipelines -> what a deal that comes there is."""
MEANINGS: Final = {  # property -> attribute, unless the connection's `objects` say otherwise
    ("deal", "amount"): v.AMOUNT,
    ("deal", "deal_currency_code"): v.CURRENCY,
}
API: Final = "https://api.hubapi.com"
OPTIONS: Final[Mapping[str, str]] = {
    "won_stages": "ids of stages that mean won, separated by commas, beside closedwon",
    "lost_stages": "ids of stages that mean lost, beside closedlost",
    "signature": "v3 refuses requests that carry an older signature only; default: any version",
    "portal": "the portal (account) of this connection: its keys open with this connection's links",
    "token": "a private app's token, for throughline connections test: {env: NAME} or {file: PATH}",
    "api": f"where HubSpot's API is; default: {API}",
}
SYSTEM: Final = System.CRM

SIGNATURE, VERSION = "x-hubspot-signature", "x-hubspot-signature-version"
SIGNATURE_3, TIMESTAMP = "x-hubspot-signature-v3", "x-hubspot-request-timestamp"
OLDEST, NEWEST = timedelta(minutes=5), timedelta(minutes=1)
DECODED = re.compile(rb"%(3A|2F|3F|40|21|24|27|28|29|2A|2C|3B)", re.IGNORECASE)


def verify(request: HookRequest, connection: Connection, now: datetime) -> None:
    """Signature version 3, else 2 or 1 unless the option `signature: v3` wants the newest only."""
    if SIGNATURE_3 in request.headers:
        _fresh(request.headers.get(TIMESTAMP, ""), now)
        _compare(request.headers[SIGNATURE_3], connection, lambda secret: _version_3(request, secret))
    elif SIGNATURE in request.headers and connection.options.get("signature", "") != "v3":
        version = request.headers.get(VERSION, "v1")
        if version not in {"v1", "v2"}:
            raise BadSignature(f"There is no signature of version {version[:20]!r}.")
        older = _version_2 if version == "v2" else _version_1
        _compare(request.headers[SIGNATURE], connection, lambda secret: older(request, secret))
    else:
        raise BadSignature("The request carries no signature that this connection takes.")


def _fresh(timestamp: str, now: datetime) -> None:
    if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= 15):  # noqa: PLR2004 ms until 33658
        raise BadSignature(f"{TIMESTAMP} is missing or no number of milliseconds.")
    signed = datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=int(timestamp))
    if now - signed > OLDEST or signed - now > NEWEST:
        raise StaleRequest


def _compare(given: str, connection: Connection, expected: Callable[[bytes], str]) -> None:
    if not any(
        hmac.compare_digest(given.encode(), expected(secret).encode()) for secret in connection.secrets
    ):
        raise BadSignature


def _version_3(request: HookRequest, secret: bytes) -> str:
    timestamp = request.headers[TIMESTAMP].encode()
    source = request.method.encode() + signed_url(request.url) + request.body + timestamp
    return base64.b64encode(hmac.digest(secret, source, "sha256")).decode()


def _version_2(request: HookRequest, secret: bytes) -> str:
    source = secret + request.method.encode() + request.url.encode() + request.body
    return hashlib.sha256(source).hexdigest()


def _version_1(request: HookRequest, secret: bytes) -> str:
    return hashlib.sha256(secret + request.body).hexdigest()


def signed_url(url: str) -> bytes:
    """The address as version 3 signs it: without fragment, some characters of the query decoded."""
    path, mark, query = url.partition("#")[0].encode().partition(b"?")
    return path + mark + DECODED.sub(lambda match: bytes.fromhex(match[1].decode()), query)


def parse(request: HookRequest, connection: Connection) -> list[BusinessEvent]:
    """Read a batch."""
    try:
        content = json.loads(request.body)
    except ValueError as error:
        raise Unreadable("The body is no JSON.") from error
    batch = content if isinstance(content, list) else [content]
    if not all(isinstance(one, dict) for one in batch):
        raise Unreadable("The body is no array of events.")
    return [event for one in batch for event in _events(one, connection)]


def _events(given: Mapping[str, Any], connection: Connection) -> Iterator[BusinessEvent]:
    """What one element of a batch says: mostly one event, of a merge several."""
    kind, _, verb = str(given.get("subscriptionType") or given.get("eventType") or "").partition(".")
    if kind == "object":
        kind = TYPE_IDS.get(str(given.get("objectTypeId")), kind)
    entity, namespace = OBJECTS.get(kind, ("", ""))
    name = f"{entity}.{VERBS[verb]}" if entity and verb in VERBS else "unknown"
    here = BusinessEvent(
        event=name,
        keys={namespace: _key(given, given["objectId"])} if namespace and given.get("objectId") else {},
        subject=namespace or None,
        time=_moment(given.get("occurredAt")),
        id=identity(given),
        system=SYSTEM,
        attributes=_described(given),
    )
    if verb == "propertyChange" and entity:
        yield _changed(here, kind, given, connection)
    elif verb == "merge" and entity:
        yield from _merged(here, entity, namespace, given)
    elif verb == "associationChange" and entity:
        yield _associated(here, entity, given)
    else:
        yield here


def _changed(
    here: BusinessEvent, kind: str, given: Mapping[str, Any], connection: Connection
) -> BusinessEvent:
    """A property has a new value: what that means by table, and the value under its attribute."""
    name, value = str(given.get("propertyName", "")), str(given.get("propertyValue", ""))
    event = PROPERTIES.get((kind, name, value))
    if (kind, name) == ("deal", "dealstage"):
        own = [STAGES[one] for one in STAGES if value in _listed(connection.options.get(one, ""))]
        event = own[0] if own else event
    meaning = connection.objects.get(kind, {}).get(name) or MEANINGS.get((kind, name), f"hubspot.{name}")
    attribute, _, template = (part.strip() for part in meaning.partition("="))
    scope = connection.options.get(f"scope.{attribute.removeprefix(v.KEY_PREFIX).partition('.')[0]}", "")
    said = (template or (f"{scope}/{{}}" if scope else "{}")).replace("{}", value)
    keys, attributes = dict(here.keys), dict(here.attributes)
    if attribute.startswith(v.KEY_PREFIX):
        keys[attribute.removeprefix(v.KEY_PREFIX)] = said if value else ""
    else:
        attributes[attribute] = said
    return replace(here, event=event or here.event, keys=keys, attributes=attributes)


def _merged(
    here: BusinessEvent, entity: str, namespace: str, given: Mapping[str, Any]
) -> Iterator[BusinessEvent]:
    """Each object that ceases to be was merged; the one that lives on absorbed them: what belonged to them
    belongs to it.
    """
    primary = given.get("primaryObjectId") or given.get("objectId")
    lives = _key(given, given.get("newObjectId") or primary)
    gone = [_key(given, one) for one in [*(given.get("mergedObjectIds") or []), primary] if one]
    ended = [one for one in dict.fromkeys(gone) if one != lives]
    links = tuple((f"{namespace}:{lives}", f"{namespace}:{one}") for one in ended)
    yield replace(here, event=f"{entity}.absorbed", keys={namespace: lives}, links=links)
    for one in ended:
        attributes = {**here.attributes, "hubspot.merged_into": lives}
        yield replace(here, keys={namespace: one}, id=f"{here.id}:{one}", attributes=attributes)


def _associated(here: BusinessEvent, entity: str, given: Mapping[str, Any]) -> BusinessEvent:
    """Two objects belong together, or no longer do: then nothing must link them."""
    kinds = str(given.get("associationType", "")).lower().split("_to_")
    ids = (given.get("fromObjectId"), given.get("toObjectId"))
    keys = {
        OBJECTS[kind][1]: _key(given, one)
        for kind, one in zip(kinds, ids, strict=False)
        if kind in OBJECTS and one
    }
    if given.get("associationRemoved"):
        keys = dict(list(keys.items())[:1])
        return replace(here, event=f"{entity}.dissociated", keys=keys)
    return replace(here, keys=keys or here.keys)


def identity(given: Mapping[str, Any]) -> str:
    """What makes an event one: `eventId` alone does not."""
    parts = ("portalId", "subscriptionId", "eventId", "objectId", "occurredAt")
    return ":".join(str(given.get(part, "")) for part in parts)


def _key(given: Mapping[str, Any], object_id: object) -> str:
    return f"{given.get('portalId', '')}/{object_id}"


def _described(given: Mapping[str, Any]) -> dict[str, object]:
    """The rest of what was said, but for the attempt: a repeat says the same."""
    names = {
        "subscriptionType": "type", "eventType": "type", "portalId": "portal_id", "appId": "app_id",
        "propertyName": "property", "propertyValue": "value", "changeSource": "change_source",
        "changeFlag": "change_flag", "associationType": "association_type",
    }  # fmt: skip
    return {f"hubspot.{name}": str(given[field]) for field, name in names.items() if field in given}


def _moment(milliseconds: object) -> datetime | None:
    try:
        return datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=int(str(milliseconds)))
    except (ValueError, OverflowError):
        return None


def _listed(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def faults(connection: Connection) -> list[str]:
    """What is wrong with objects and with what options say."""
    found = [f"HubSpot has no object {kind!r}" for kind in connection.objects if kind not in OBJECTS]
    if connection.options.get("signature", "v3") != "v3":
        found.append("the option signature must be v3, or left out")
    return found


def sample(connection: Connection, now: datetime) -> HookRequest:
    """An empty batch, signed as HubSpot does."""
    headers = {TIMESTAMP: str(int(now.timestamp() * 1000)), "content-type": "application/json"}
    request = HookRequest("POST", connection.public_url, headers, b"[]", now)
    signature = _version_3(request, connection.secrets[0])
    return replace(request, headers={**headers, SIGNATURE_3: signature})


def calls(connection: Connection) -> list[PlatformCall]:
    """Read one deal and one company with the token of the option `token`."""
    api = connection.options.get("api", API).rstrip("/")
    headers = {"authorization": f"Bearer {connection.options.get('token', '')}"}
    return [
        PlatformCall(
            f"read {name}",
            f"{api}/crm/v3/objects/{name}?limit=1",
            headers,
            f"crm.objects.{name}.read",
        )
        for name in ("deals", "companies")
    ]
