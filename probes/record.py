"""One business event as a log record in the current span's context, and its keys on the span."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from opentelemetry import context
from opentelemetry._logs import Logger, SeverityNumber
from opentelemetry.context import Context
from opentelemetry.trace import Span

from throughline.probes import encode
from throughline.probes import vocabulary as v
from throughline.probes.baggage import context_keys, replay_of
from throughline.probes.blame import USUAL, Blame
from throughline.probes.guard import complain, swallow

if TYPE_CHECKING:
    from throughline.probes.payload import Payloads

MAX_EVENT: Final = 200
"""Characters of an event name."""
MAX_MESSAGE: Final = 4_096
"""Characters of an exception message."""
FAILURE: Final = frozenset({v.EXCEPTION_CLASS, v.EXCEPTION_CODE, v.EXCEPTION_TYPE, v.EXCEPTION_MESSAGE})
"""Attributes that only a failed event has."""
_VARIANTS: Final = {digit: "89ab"[int(digit, 16) & 3] for digit in "0123456789abcdef"}
"""A random digit -> the one that says which kind of UUID it is."""
_CONFLICT: Final = ()
"""Attribute value of a namespace about which the events of one span disagree."""


def new_id() -> str:
    """A random UUID (version 4); from the system, so that a host that seeds `random` repeats none."""
    digits = os.urandom(16).hex()
    variant = _VARIANTS[digits[16]]
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-{variant}{digits[17:20]}-{digits[20:]}"


def truth(value: object) -> bool:
    """Whether the value is true; one that cannot say is not."""
    try:
        return bool(value)
    except Exception:  # noqa: BLE001 whatever a foreign __bool__ raises
        return False


def failure(error: object, blame: Blame = USUAL) -> encode.Clean:
    """What an exception says about a failed event; its class is the one that `blame` knows."""
    kind = type(error)
    if not issubclass(kind, BaseException):
        complain(f"exception must be an exception, not {kind.__name__}")
        return {}
    try:
        code = getattr(error, "code", None)
        said = code if isinstance(code, str | int) and not isinstance(code, bool) else kind.__name__
    except Exception:  # noqa: BLE001 whatever a foreign property raises
        said = kind.__name__
    return {
        v.EXCEPTION_CLASS: v.ExceptionClass.TECHNICAL.value,
        v.EXCEPTION_CODE: encode.text(said, encode.MAX_KEY),
        v.EXCEPTION_TYPE: encode.text(f"{kind.__module__}.{kind.__qualname__}", encode.MAX_KEY),
        v.EXCEPTION_MESSAGE: encode.text(error, MAX_MESSAGE) or kind.__name__,
        **encode.facts(blame.facts(kind)),
    }


def put_payload(attributes: encode.Clean, payload: object, payloads: Payloads) -> None:
    """Add what of the payload may leave the process."""
    try:
        written = payloads.written(payload)
    except Exception as error:  # noqa: BLE001 whatever a foreign payload raises
        swallow(error, "writing a payload")
        return
    if written:
        attributes[v.PAYLOAD] = written


def merge_keys(keys: encode.Clean, more: Mapping[str, Any]) -> None:
    """Add keys told later: those of one namespace add up."""
    for name, value in more.items():
        known = keys.get(name)
        if known is None or known == value:
            keys[name] = value
        else:
            keys[name] = tuple(dict.fromkeys((*_tuple(known), *_tuple(value))))


def put_keys(span: Span, keys: Mapping[str, Any]) -> None:
    """Put the keys of an event on a span, so that what else happens under the span can inherit them.

    Events of one span that name *different* objects of a namespace (a loop over timecards, say) leave the
    span without a key there: inherited, an array would link each object below to every one of them.
    """
    known = getattr(span, "attributes", None)
    if not known:
        if keys:
            span.set_attributes(keys)
        return
    changed = {}
    for name, value in keys.items():
        before = known.get(name)
        if before is None:
            changed[name] = value
        elif before not in (value, _CONFLICT):
            changed[name] = _CONFLICT
    if changed:
        span.set_attributes(changed)


def write(
    logger: Logger,
    event: object,
    attributes: encode.Clean,
    keys: encode.Clean,
    moment: object,
    *,
    failed: bool,
    here: Context | None = None,
) -> None:
    """Write the log record; `attributes` lack name, identity, keys and what came by baggage only."""
    if type(event) is str and event.isascii() and len(event) <= MAX_EVENT:
        name = event.strip()  # the usual case, quick
    else:
        name = encode.text(event, MAX_EVENT).strip()
    if not name:
        complain("a business event needs a name")
        return
    now = time.time_ns()
    here = context.get_current() if here is None else here
    for context_name, value in context_keys(here).items():
        if v.KEY_PREFIX + context_name[len(v.CONTEXT_KEY_PREFIX) :] not in keys:
            attributes.setdefault(context_name, value)
    for replay, value in replay_of(here).items():
        attributes.setdefault(replay, value)
    attributes.update(keys)
    if v.EVENT_ID not in attributes:
        attributes[v.EVENT_ID] = new_id()
    attributes[v.EVENT] = name
    happened = None if moment is None else encode.nanoseconds(moment)
    logger.emit(
        timestamp=happened or now,
        observed_timestamp=now,
        context=here,
        severity_number=SeverityNumber.ERROR if failed else SeverityNumber.INFO,
        severity_text="ERROR" if failed else "INFO",
        body=attributes.get(v.EXCEPTION_MESSAGE) if failed else None,
        attributes=attributes,
        event_name=name,
    )


def _tuple(value: Any) -> tuple[str, ...]:
    return value if isinstance(value, tuple) else (value,)
