"""What an OCEL 2.0 log is made of, and the words by which our own exports are known.

An export writes facts, not results: what linking and folding read of each event. Attributes of events that
begin with `throughline.` say how it was received; the qualifiers below say what an object is to an event.
Source: https://www.ocel-standard.org/2.0/ocel20_specification.pdf
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

from throughline.collector.rfc3339 import EPOCH
from throughline.probes import vocabulary as v
from throughline.probes.errors import ThroughlineError

# Qualifiers of event-to-object relations
KEY: Final = "key"
CONTEXT_KEY: Final = "context key"
INHERITED_KEY: Final = "inherited key"
LINK: Final = "link"

# Of object-to-object relations; the source is the child
PARENT: Final = "parent {namespace} by {rule}"
ALIAS: Final = "alias"
DERIVED: Final = re.compile(r"parent [A-Za-z0-9_.\-]+ by (own|inherited|explicit)|alias")

# Attributes of objects
DIMENSIONS: Final = frozenset({v.AMOUNT, v.CURRENCY, v.CUSTOMER, v.ENTITY, v.REGION, v.SERVICE_LINE})

# Attributes of events
SOURCE: Final = "throughline.source"
SERVICE: Final = "throughline.service"
TRACE_ID: Final = "throughline.trace_id"
SPAN_ID: Final = "throughline.span_id"
FAILED: Final = "throughline.failed"
MESSAGE: Final = "throughline.message"
MARKS: Final = (SOURCE, SERVICE, TRACE_ID, SPAN_ID, FAILED, MESSAGE)
MORE: Final = "throughline.more"
"""JSON object of the attributes that a SQLite table has no column for."""

EVIDENCE: Final = "throughline.evidence"
"""The event type of evidence."""

_TIME = re.compile(r"(.+?[T ]\d\d:\d\d:\d\d)(?:\.(\d+))?\s*(Z|z|[+-]\d\d:?\d\d)?")
_INT64: Final = 2**63 - 1


class InvalidLog(ThroughlineError):
    """The file is no OCEL 2.0 log; correct what the message names."""


@dataclass(frozen=True, slots=True)
class Event:
    """One event; `nanos` are nanoseconds since 1970, relations are (object id, qualifier)."""

    id: str
    type: str
    nanos: int
    attributes: dict[str, str] = field(default_factory=dict)
    relations: list[tuple[str, str]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Object:
    """One object; values are (attribute, since, value), relations (object id, qualifier)."""

    id: str
    type: str
    values: list[tuple[str, int, str]] = field(default_factory=list)
    relations: list[tuple[str, str]] = field(default_factory=list)


def object_id(namespace: str, value: str) -> str:
    """The id of the object that a key names: unique over all types, as OCEL wants it."""
    return f"{namespace}:{value}"


def iso(nanos: int) -> str:
    """A time as ISO 8601 in UTC, with as many digits of the second as it has."""
    seconds, rest = divmod(nanos, 1_000_000_000)
    text = (EPOCH + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%S")
    fraction = f".{rest:09d}".rstrip("0").rstrip(".")
    return f"{text}{fraction}Z"


def nanoseconds(text: str) -> int | None:
    """Nanoseconds since 1970 of an ISO 8601 date or date and time, or None; without a zone it is UTC."""
    match = _TIME.fullmatch(text.strip())
    whole, fraction, zone = match.groups() if match else (text.strip(), None, None)
    try:
        moment = datetime.fromisoformat(whole + (zone or "").upper())
    except ValueError:
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    nanos = (moment - EPOCH) // timedelta(microseconds=1) * 1_000 + int((fraction or "")[:9].ljust(9, "0"))
    return max(-_INT64, min(nanos, _INT64))


def quoted(name: str) -> str:
    """A name as an identifier of SQLite."""
    return '"' + name.replace('"', '""') + '"'
