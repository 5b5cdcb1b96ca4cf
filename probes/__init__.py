"""Capture and vocabulary: what enters other people's services.  Imports nothing of ours outside this room.

Importing the package imports nothing else; a name is loaded when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from throughline.probes.baggage import carry_keys, with_keys
    from throughline.probes.facts import Facts
    from throughline.probes.payload import Payloads
    from throughline.probes.processor import BaggageKeys
    from throughline.probes.providers import configure
    from throughline.probes.sdk import Probe, business_event, emit
    from throughline.probes.vocabulary import BusinessEvent

__all__ = [
    "BaggageKeys",
    "BusinessEvent",
    "Facts",
    "Payloads",
    "Probe",
    "business_event",
    "carry_keys",
    "configure",
    "emit",
    "with_keys",
]

_HOMES = {
    "BaggageKeys": "processor",
    "BusinessEvent": "vocabulary",
    "Facts": "facts",
    "Payloads": "payload",
    "Probe": "sdk",
    "business_event": "sdk",
    "carry_keys": "baggage",
    "configure": "providers",
    "emit": "sdk",
    "with_keys": "baggage",
}


def __getattr__(name: str) -> object:
    """Load a public name on first use."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    """The public names, loaded or not."""
    return sorted(__all__)
