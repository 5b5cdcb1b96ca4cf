"""What a platform sent, as plain values: JSON and XML read strictly, and total functions over their members.

Whatever the bytes are, the only error is Unreadable.  Identities and times of a wrong shape raise it; a
descriptive member of a wrong shape counts as not said.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime
from decimal import Context, Decimal
from typing import TYPE_CHECKING, Any, Final

from throughline.probes.encode import AMOUNT_PLACES, MAX_AMOUNT, MAX_KEY
from throughline.probes.platforms.adapter import Unreadable

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

Object = Mapping[str, Any]
"""A JSON object, or the members of an XML record."""

MAX_DEPTH: Final = 64
MAX_AMOUNT_DIGITS: Final = MAX_AMOUNT.adjusted()
LAST_MS: Final = 253_402_300_799_000
"""The last second of the year 9999, in ms."""
_DECIMALS: Final = Context(prec=60)
_NUMBER: Final = re.compile(r"[+-]?[0-9]{1,40}(\.[0-9]{1,40})?")
_MICROSOFT_DATE: Final = re.compile(r"/Date\((-?[0-9]{1,16})\)/")
_DAY: Final = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})")


def json_value(body: bytes) -> Any:
    """The JSON value of the body; numbers with a fraction are Decimal.

    Raises: Unreadable, also for what JSON allows and nobody can store: half surrogate pairs, NUL, NaN, depth.
    """
    try:
        value = json.loads(body.decode(), parse_float=Decimal, parse_constant=_refuse)
    except (ValueError, ArithmeticError, RecursionError) as error:
        raise Unreadable(f"The body is not JSON: {_short(error)}") from error
    _check(value)
    return value


def xml_root(body: bytes) -> Element:
    """The root element of the body, read without entities, document types and external access.

    Raises: Unreadable.
    """
    from xml.etree.ElementTree import ParseError

    from defusedxml import ElementTree

    try:
        root: Element = ElementTree.fromstring(
            body, forbid_dtd=True, forbid_entities=True, forbid_external=True
        )
    except (ParseError, ValueError, LookupError, RecursionError, ArithmeticError) as error:
        raise Unreadable(f"The body is not XML: {_short(error)}") from error
    return root


def local(name: object) -> str:
    """The name of an element or attribute without its namespace."""
    return name.rpartition("}")[2] if isinstance(name, str) else ""


def children(element: Element, name: str) -> Iterator[Element]:
    """The child elements of the name, in whatever namespace."""
    return (child for child in element if local(child.tag) == name)


def child_text(element: Element, name: str) -> str:
    """The trimmed text of the first child of the name; '' if there is none."""
    found = next(children(element, name), None)
    return "" if found is None or found.text is None else found.text.strip()


def an_object(value: object, what: str) -> Object:
    """The value, if it is a JSON object.  Raises: Unreadable."""
    if isinstance(value, dict):
        return value
    raise Unreadable(f"{what} must be a JSON object.")


def objects(value: object, what: str) -> list[Object]:
    """The value as a list of JSON objects; one alone is a list of one.  Raises: Unreadable."""
    members = value if isinstance(value, list) else [value]
    return [an_object(member, what) for member in members]


def part(record: Object, name: str) -> Object:
    """The member, if it is an object; else an empty one."""
    value = record.get(name)
    return value if isinstance(value, dict) else {}


def said(value: object) -> str:
    """A scalar as text; '' for what is none, or longer than a key may be."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Decimal):
        value = f"{value:f}" if _plain(value) else ""
    found = str(value).strip() if isinstance(value, str | int) else ""
    return found if len(found) <= MAX_KEY else ""


def needed(record: Object, name: str, what: str) -> str:
    """The member as text.  Raises: Unreadable, if it is missing, no scalar, or too long."""
    found = said(record.get(name))
    if not found:
        raise Unreadable(f"{what} lacks {name}, or it is no text or number.")
    return found


def truth(value: object) -> bool | None:
    """A boolean, also one written as text or as NetSuite's T and F; None: neither."""
    return {"true": True, "t": True, "false": False, "f": False}.get(said(value).casefold())


def texts(value: object) -> tuple[str, ...]:
    """A scalar or a list of scalars as distinct texts, in the order given."""
    members = value if isinstance(value, list) else [value]
    return tuple(dict.fromkeys(found for member in members if (found := said(member))))


def amount(value: object) -> str | None:
    """The amount as plain decimal text; None: not one.

    Raises: Unreadable, if it is beyond what an amount can be.
    """
    if isinstance(value, bool):
        return None
    if isinstance(value, str) and _NUMBER.fullmatch(value.strip()):
        value = Decimal(value.strip())
    if isinstance(value, int):
        value = Decimal(value)
    if not isinstance(value, Decimal) or not value.is_finite():
        return None
    if not _plain(value):
        raise Unreadable("An amount is beyond 10^32.")
    exponent = value.as_tuple().exponent
    if isinstance(exponent, int) and exponent < -AMOUNT_PLACES:
        value = value.quantize(Decimal(1).scaleb(-AMOUNT_PLACES), context=_DECIMALS)
    return f"{value:f}"


def from_ms(value: object) -> datetime:
    """The moment of ms since 1970.  Raises: Unreadable."""
    if isinstance(value, int) and not isinstance(value, bool) and 0 < value <= LAST_MS:
        return datetime.fromtimestamp(value // 1000, UTC).replace(microsecond=value % 1000 * 1000)
    raise Unreadable(f"{_short(value)} is no time in ms since 1970.")


def from_text(value: object) -> datetime:
    """The moment of an ISO 8601 text (without zone: UTC) or of Microsoft's `/Date(ms)/`.

    Raises: Unreadable.
    """
    text = said(value)
    ticks = _MICROSOFT_DATE.fullmatch(text)
    if ticks:
        return from_ms(int(ticks[1]))
    try:
        moment = datetime.fromisoformat(text)
        moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise Unreadable(f"{_short(text)} is no time: it must look like 2025-10-09T08:53:20Z.") from error
    if moment.year < 1970:  # noqa: PLR2004 the beginning of times that OpenTelemetry can hold
        raise Unreadable(f"{_short(text)} is before 1970.")
    return moment


def moment(value: object) -> datetime | None:
    """The moment of ms since 1970 or of a text; None: not said.  Raises: Unreadable."""
    if value is None or value == "":
        return None
    return from_ms(value) if isinstance(value, int) else from_text(value)


def day(value: object) -> date | None:
    """The day at the beginning of a text, or of a moment; None: none is said."""
    text = said(value)
    found = _DAY.match(text)
    try:
        if found:
            return date(int(found[1]), int(found[2]), int(found[3]))
        ticks = _MICROSOFT_DATE.fullmatch(text)
        return from_ms(int(ticks[1])).date() if ticks else None
    except (ValueError, Unreadable):
        return None


def _plain(value: Decimal) -> bool:
    """Whether the number can be written out without filling the memory."""
    is_short = len(value.as_tuple().digits) <= MAX_KEY
    return value.is_finite() and is_short and -MAX_KEY < value.adjusted() < MAX_AMOUNT_DIGITS


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON number")


def _check(value: object) -> None:
    """Raise Unreadable for texts that cannot be stored, and beyond MAX_DEPTH; without recursion."""
    level, depth = [value], 0
    while level:
        if depth > MAX_DEPTH:
            raise Unreadable(f"The body is nested deeper than {MAX_DEPTH} levels.")
        below: list[object] = []
        for member in level:
            if isinstance(member, str):
                _check_text(member)
            elif isinstance(member, list):
                below.extend(member)
            elif isinstance(member, dict):
                below.extend(member)
                below.extend(member.values())
        level, depth = below, depth + 1


def _check_text(text: str) -> None:
    if text.isascii():
        broken = "\0" in text
    else:
        broken = "\0" in text or any("\ud800" <= letter <= "\udfff" for letter in text)
    if broken:
        raise Unreadable("A text holds NUL or half a surrogate pair.")


def _short(value: object) -> str:
    return repr(str(value)[:80]) if isinstance(value, str) else str(value)[:80]
