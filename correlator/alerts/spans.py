"""Spans of time as Prometheus writes them, and as business time."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated, Any

from pydantic import BeforeValidator

_SECONDS = {"ms": 0.001, "s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800, "y": 31_536_000}
_PART = re.compile(r"([0-9]{1,9})(ms|s|m|h|d|w|y)")
_SHAPE = re.compile(r"(?:[0-9]{1,9}(?:ms|s|m|h|d|w|y))+")
_LONGEST = timedelta(days=3660)


def parse_span(text: str) -> timedelta:
    """Read `90s`, `5m`, `1h30m`, `2d`; `0` and `0s` are nothing.

    Raises: ValueError.
    """
    wanted = text.strip()
    if wanted == "0":
        return timedelta()
    if not _SHAPE.fullmatch(wanted):
        message = f"'{text}' is no span of time; write it like 90s, 5m, 1h30m or 2d"
        raise ValueError(message)
    span = timedelta(seconds=sum(int(count) * _SECONDS[unit] for count, unit in _PART.findall(wanted)))
    if span > _LONGEST:
        message = f"'{text}' is longer than ten years"
        raise ValueError(message)
    return span


def _span(given: Any) -> Any:
    if isinstance(given, timedelta):
        return given
    if isinstance(given, int) and not isinstance(given, bool) and not given:
        return timedelta()
    if not isinstance(given, str):
        message = f"'{given}' is no span of time; write it like 90s, 5m, 1h30m or 2d"
        raise ValueError(message)  # noqa: TRY004 - pydantic wants a ValueError
    return parse_span(given)


def _some(given: Any) -> Any:
    span = _span(given)
    if span < timedelta(seconds=1):
        message = f"'{given}' is too short: a second or more"
        raise ValueError(message)
    return span


Span = Annotated[timedelta, BeforeValidator(_span)]
"""May be nothing."""
Some = Annotated[timedelta, BeforeValidator(_some)]
"""A second or more."""


def spelled(span: timedelta) -> str:
    """The span as people read it: `1h30m`, `2d`."""
    rest, parts = int(span.total_seconds()), []
    for unit in ("d", "h", "m", "s"):
        count, rest = divmod(rest, int(_SECONDS[unit]))
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0s"
