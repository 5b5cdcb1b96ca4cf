"""Keys that travel: W3C Baggage `business.key.<namespace>`, on arrival `business.context.key.<namespace>`.

A context key links what happens downstream to the object it happens for; it never narrows (design, rule 2).
Several keys of one namespace travel as lines of one value.  `business.replay.id` travels as it is: what a
replay causes carries it, and so is known to be its doing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from opentelemetry import baggage, context
from opentelemetry.context import Context

from throughline.probes import encode
from throughline.probes.guard import swallow
from throughline.probes.vocabulary import CONTEXT_KEY_PREFIX, KEY_PREFIX, REPLAY_ID, KeysOf

_SEPARATOR = "\n"  # no identity holds a line break


def with_keys(keys: KeysOf, parent: Context | None = None) -> Context:
    """The parent context (default: the current one) with the keys added to its baggage."""
    grown = context.get_current() if parent is None else parent
    try:
        for name, value in encode.keys(keys).items():
            line = value if isinstance(value, str) else _SEPARATOR.join(value)
            grown = baggage.set_baggage(name, line, grown)
    except Exception as error:  # noqa: BLE001 never into the host
        swallow(error, "putting keys into baggage")
    return grown


@contextmanager
def carry_keys(keys: KeysOf) -> Iterator[None]:
    """Inside the block every span, business event and outgoing call carries the keys."""
    token = context.attach(with_keys(keys))
    try:
        yield
    finally:
        context.detach(token)


def context_keys(arrived: Context | None = None) -> Mapping[str, str | tuple[str, ...]]:
    """The keys in the baggage of the context (default: the current one), as attributes."""
    carried = baggage.get_all(arrived)
    if not carried:
        return {}
    found: dict[str, object] = {}
    for name, value in carried.items():
        if type(name) is str and name.startswith(KEY_PREFIX):
            said = encode.text(value)
            found[name[len(KEY_PREFIX) :]] = said.split(_SEPARATOR) if _SEPARATOR in said else said
    return encode.keys(found, CONTEXT_KEY_PREFIX) if found else {}


def replay_of(arrived: Context | None = None) -> Mapping[str, str]:
    """The replay that the baggage of the context (default: the current one) names, as an attribute."""
    said = encode.text(baggage.get_baggage(REPLAY_ID, arrived) or "", encode.MAX_KEY).strip()
    return {REPLAY_ID: said} if said else {}
