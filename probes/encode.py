"""Facts in, clean OpenTelemetry attributes out: total functions, whatever the host hands over.

Why so strict: one lone surrogate in an event name makes the exporter drop the whole batch, one integer beyond
64 bits loses its attribute, and 200 attributes push the first ones out.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Context, Decimal, InvalidOperation
from itertools import islice
from typing import Any, Final, TypeVar, cast

from throughline.probes import vocabulary as v
from throughline.probes.guard import complain, swallow

MAX_TEXT: Final = 16_384
"""Characters of a text; longer ones are cut."""
MAX_KEY: Final = 1_024
"""Characters of a key; a longer one is refused, for half a key is another key."""
MAX_KEYS: Final = 10_000
"""Keys of one namespace in one event; more are refused."""
MAX_ATTRIBUTES: Final = 64
"""Attributes besides ours; OpenTelemetry holds 128 and drops the oldest."""
MAX_MEMBERS: Final = 1_000
MAX_DEPTH: Final = 4
MAX_AMOUNT: Final = Decimal(10) ** 32
AMOUNT_PLACES: Final = 6
"""Decimal places that the store keeps."""
_KEY_NAMES: Final[dict[str, dict[str, str]]] = {v.KEY_PREFIX: {}, v.CONTEXT_KEY_PREFIX: {}}
"""Prefix -> namespace -> attribute, of namespaces seen to be clean; a service has a handful."""
_MOST_NAMES: Final = 1_000
_PLAIN_AMOUNT: Final = re.compile(r"-?[0-9]{1,32}(\.[0-9]{1,6})?")
_INT64: Final = 2**63
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_DECIMALS: Final = Context(prec=60, traps=[InvalidOperation])
_MICROSECOND: Final = timedelta(microseconds=1)

Written = TypeVar("Written")
Clean = dict[str, Any]
"""Attributes that OpenTelemetry and OTLP take as they are."""


def text(value: object, limit: int = MAX_TEXT) -> str:
    """The value as valid UTF-8 text of at most `limit` characters; '' if it cannot say what it is."""
    if type(value) is not str:
        try:
            value = value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
        except Exception:  # noqa: BLE001 whatever a foreign __str__ raises
            complain(f"a value of type {type(value).__name__} cannot be turned into text")
            return ""
        if type(value) is not str:  # a subclass of str may do anything later
            value = str.__str__(value)
    if len(value) > limit:
        value = value[:limit]
    return value if value.isascii() else value.encode("utf-8", "replace").decode("utf-8")


def nanoseconds(moment: object) -> int | None:
    """Nanoseconds since 1970 of a datetime (naive: local time, as everywhere in Python) or of such a number.

    None: not a moment that OTLP can hold.
    """
    if issubclass(type(moment), datetime):  # isinstance() would ask the object, which may lie
        try:
            moment = cast("datetime", moment)
            aware = moment if moment.tzinfo is not None else moment.astimezone()
            moment = (aware - _EPOCH) // _MICROSECOND * 1_000
        except Exception:  # noqa: BLE001 a foreign tzinfo may raise anything
            moment = None
    if type(moment) is int and 0 < moment < _INT64:
        return moment
    complain(f"time must be a datetime after 1970, not {type(moment).__name__}")
    return None


def amount(value: object) -> str:
    """The amount as a plain decimal text, 6 places at most; '' if it is none."""
    said = value if type(value) is str else text(value, 100)
    if _PLAIN_AMOUNT.fullmatch(said):
        return said
    try:
        number = Decimal(said.strip())
        if not number.is_finite() or number.copy_abs() >= MAX_AMOUNT:
            complain("amount must be a finite decimal below 10^32")
            return ""
        exponent = number.as_tuple().exponent
        if isinstance(exponent, int) and exponent < -AMOUNT_PLACES:
            number = number.quantize(Decimal(1).scaleb(-AMOUNT_PLACES), context=_DECIMALS)
    except (InvalidOperation, ValueError):
        complain("amount must be a decimal number")
        return ""
    return format(number, "f")


def any_value(value: object, depth: int = 0) -> Any:
    """The value as scalars, tuples and dicts that OTLP can hold; too deep or foreign parts become text."""
    if type(value) is str:
        return text(value)
    if value is None or isinstance(value, bool):
        return value
    if type(value) is int and -_INT64 <= value < _INT64:
        return value
    if type(value) is float:
        return value
    if type(value) is bytes:
        return value[:MAX_TEXT]
    if depth < MAX_DEPTH and isinstance(value, Mapping):
        pairs = islice(value.items(), MAX_MEMBERS)
        return {name: any_value(member, depth + 1) for key, member in pairs if (name := text(key, MAX_KEY))}
    if depth < MAX_DEPTH and isinstance(value, list | tuple | set | frozenset):
        return tuple(any_value(member, depth + 1) for member in islice(value, MAX_MEMBERS))
    return text(value)


def several(value: object) -> tuple[str, ...]:
    """One key or an iterable of keys as distinct, trimmed, non-empty texts, in the order given."""
    if isinstance(value, str | bytes) or not isinstance(value, Iterable):
        members: Iterable[object] = (value,)
    else:
        members = islice(value, MAX_KEYS + 1)
    found: dict[str, None] = {}
    for member in members:
        if member is None:
            continue
        said = text(member, MAX_KEY + 1).strip()
        if len(said) > MAX_KEY:
            complain(f"a key is longer than {MAX_KEY} characters")
        elif said:
            found[said] = None
    if len(found) > MAX_KEYS:
        complain(f"an event has more than {MAX_KEYS} keys of one namespace")
    return tuple(found)[:MAX_KEYS]


def keys(by_namespace: object, prefix: str = v.KEY_PREFIX) -> Clean:
    """Keys by namespace as attributes: one key is a text, several are an array."""
    if type(by_namespace) is not dict and not isinstance(by_namespace, Mapping):
        complain("keys must be a mapping of namespace to value")
        return {}
    attributes: Clean = {}
    names = _KEY_NAMES[prefix]
    for namespace, value in by_namespace.items():
        if type(value) is str and len(value) <= MAX_KEY and value.isascii():  # the usual case, quick
            found: str | tuple[str, ...] = value.strip()
        else:
            members = _safely(several, value) or ()
            found = members[0] if len(members) == 1 else members
        if found:
            name = names.get(namespace) if type(namespace) is str else None
            if name is None:
                name = _key_name(prefix, namespace)
            if name:
                attributes[name] = found
    return attributes


def _key_name(prefix: str, namespace: object) -> str:
    """The attribute of a namespace; '' if it is none."""
    name = text(namespace, MAX_KEY).strip()
    if not name:
        return ""
    known = _KEY_NAMES[prefix]
    if type(namespace) is str and name == namespace and len(known) < _MOST_NAMES:
        known[name] = prefix + name
    return prefix + name


def pairs(value: object) -> tuple[str, ...]:
    """Links as `parent_ns:value>child_ns:value`, from pairs or from such texts."""
    members = (
        (value,) if isinstance(value, str) or not isinstance(value, Iterable) else islice(value, MAX_KEYS)
    )
    found = []
    for member in members:
        both = member.split(">") if isinstance(member, str) else member
        if isinstance(both, list | tuple) and len(both) == 2:  # noqa: PLR2004 a pair has two
            parent, child = (text(side).strip() for side in both)
            if ":" in parent and ":" in child and ">" not in parent + child:
                found.append(f"{parent}>{child}")
                continue
        complain("a link must be a pair of 'namespace:value' texts: (parent, child)")
    return tuple(found)


def trimmed(value: object) -> str:
    """The value as text without the blanks around it."""
    return text(value).strip()


def _day(value: object) -> str:
    if isinstance(value, datetime):
        value = value.date()
    return value.isoformat() if isinstance(value, date) else text(value).strip()


def _currency(value: object) -> str:
    return text(value).strip().upper()


WRITERS: Final[Mapping[str, tuple[str, Callable[[object], Any]]]] = {
    "id": (v.EVENT_ID, trimmed),
    "subject": (v.SUBJECT, trimmed),
    "links": (v.LINK, pairs),
    "cuts": (v.LINK_CUT, pairs),
    "link_reason": (v.LINK_REASON, trimmed),
    "system": (v.SYSTEM, trimmed),
    "platform": (v.PLATFORM, trimmed),
    "connection": (v.CONNECTION, trimmed),
    "amount": (v.AMOUNT, amount),
    "currency": (v.CURRENCY, _currency),
    "customer": (v.CUSTOMER, trimmed),
    "entity": (v.ENTITY, trimmed),
    "region": (v.REGION, trimmed),
    "service_line": (v.SERVICE_LINE, trimmed),
    "precision": (v.TIME_PRECISION, trimmed),
    "accounting_date": (v.ACCOUNTING_DATE, _day),
    "exception_class": (v.EXCEPTION_CLASS, trimmed),
    "exception_code": (v.EXCEPTION_CODE, trimmed),
    "exception_message": (v.EXCEPTION_MESSAGE, trimmed),
    "run_id": (v.RUN_ID, trimmed),
    "run_url": (v.RUN_URL, trimmed),
    "idempotency_key": (v.IDEMPOTENCY_KEY, trimmed),
    "payload_ref": (v.PAYLOAD_REF, trimmed),
    "replay_id": (v.REPLAY_ID, trimmed),
}
"""Fact -> its attribute and how to write it."""
TEXTS: Final = {name: attribute for name, (attribute, write) in WRITERS.items() if write is trimmed}
"""Fact that is one text -> its attribute."""
_PLAIN: Final = {
    "amount": (v.AMOUNT, _PLAIN_AMOUNT.fullmatch),
    "currency": (v.CURRENCY, re.compile(r"[A-Z]{3}").fullmatch),
}
"""Fact -> its attribute and what a text must match to be written as it is."""
OWN_WAY: Final = frozenset({"keys", "context_keys", "attributes", "time", "failed", "exception", "payload"})
"""Facts that are not one attribute."""


def extras(attributes: object) -> Clean:
    """Attributes besides ours, cleaned."""
    if not isinstance(attributes, Mapping):
        complain("attributes must be a mapping of name to value")
        return {}
    if len(attributes) > MAX_ATTRIBUTES:
        complain(f"an event has more than {MAX_ATTRIBUTES} attributes of its own")
    found = islice(attributes.items(), MAX_ATTRIBUTES)
    return {name: _safely(any_value, value) for key, value in found if (name := text(key, MAX_KEY))}


def facts(given: Mapping[str, Any]) -> Clean:
    """The attributes of the facts, but for keys; facts that are None or empty are not known and left out.

    A fact that cannot be written costs itself only.
    """
    found: Clean = {}
    if given.get("attributes") is not None:
        found.update(_safely(extras, given["attributes"]) or {})  # first, for OpenTelemetry drops the oldest
    if given.get("context_keys") is not None:
        found.update(_safely(context_keys, given["context_keys"]) or {})
    for name, value in given.items():
        if type(value) is str:  # the usual cases, quick
            attribute = TEXTS.get(name)
            if attribute is not None and value.isascii() and len(value) <= MAX_TEXT:
                said = value.strip()
                if said:
                    found[attribute] = said
                continue
            plain = _PLAIN.get(name)
            if plain is not None and plain[1](value):
                found[plain[0]] = value
                continue
        if value is not None and name not in OWN_WAY:
            _write(name, value, found)
    return found


def _write(name: str, value: object, found: Clean) -> None:
    if name not in WRITERS:
        complain(f"there is no fact named {text(name, 100)!r}")
        return
    attribute, write = WRITERS[name]
    written = _safely(write, value)
    if written:
        found[attribute] = written


def keys_of(given: Mapping[str, Any]) -> Clean:
    """The `business.key.*` attributes of the facts."""
    by_namespace = given.get("keys")
    if by_namespace is None:
        return {}
    return keys(by_namespace) if type(by_namespace) is dict else _safely(keys, by_namespace) or {}


def context_keys(by_namespace: object) -> Clean:
    """Keys by namespace as `business.context.key.*` attributes."""
    return keys(by_namespace, v.CONTEXT_KEY_PREFIX)


def _safely(write: Callable[[object], Written], value: object) -> Written | None:
    try:
        return write(value)
    except Exception as error:  # noqa: BLE001 foreign mappings and iterables may raise anything
        swallow(error, f"writing {write.__name__}")
        return None
