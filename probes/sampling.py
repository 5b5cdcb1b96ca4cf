"""Says once when a sampler drops spans: events leave all the same, but inheritance along spans has holes.

A span that is not recording though its identity is a new one was dropped by a sampler here; the tracestate
entry `ot=th:<threshold>` says which share of the traces any sampler on the way drops.
Source: https://opentelemetry.io/docs/specs/otel/trace/tracestate-probability-sampling/
"""

from __future__ import annotations

import re
from typing import Final

from opentelemetry.trace import INVALID_SPAN_CONTEXT, Span

from throughline.probes.guard import warn_once

_THRESHOLD: Final = re.compile(r"(?:^|;)th:([0-9a-f]{1,14})(?:;|$)")
_NOTHING: Final = INVALID_SPAN_CONTEXT.trace_state
"""The one of spans without a tracestate."""
_HOLES: Final = "business events are sent all the same, but no keys are inherited along missing spans"


def watch(span: Span) -> None:
    """Look at a span that the probe uses."""
    found = span.get_span_context()
    if not span.is_recording():
        if found.is_valid and not found.is_remote:
            warn_once(f"a sampler drops spans; {_HOLES}; sample where all spans of a trace are seen")
        return
    if found.trace_state is not _NOTHING and found.trace_state:
        share = kept(found.trace_state.get("ot") or "")
        if share < 1:
            warn_once(f"a sampler keeps {share:.3g} of the traces (ot=th); {_HOLES}")


def kept(entry: str) -> float:
    """The share of traces that a tracestate entry `ot` says are kept; 1 if it says nothing."""
    said = _THRESHOLD.search(entry)
    return 1.0 if said is None else 1 - int(said[1].ljust(14, "0"), 16) / 2**56
