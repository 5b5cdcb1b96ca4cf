"""JSON as the API writes it: exact decimals as numbers, UTC times with `Z`, wide integers as text."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum
from ipaddress import IPv4Address, IPv6Address
from typing import Any
from uuid import UUID

from starlette.responses import Response

_SAFE_INTEGER = 2**53
_MARK = re.compile(r'"\\u0000decimal:(-?[0-9]+(?:\.[0-9]+)?)"')


def dumps(value: Any) -> str:
    """Return JSON text. A decimal keeps every digit: it is written as a number, not through binary floats."""
    text = json.dumps(_plain(value), ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return _MARK.sub(r"\1", text)


class Json(Response):
    """A response of our JSON."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        """Write the body."""
        return dumps(content).encode()


def _plain(value: Any) -> Any:  # noqa: PLR0911 - one line per type
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        # Not valid UTF-8 inside, or our own mark outside: neither may reach the text.
        return value.replace("\0", "\ufffd").encode("utf-8", "replace").decode()
    if isinstance(value, int):
        return value if -_SAFE_INTEGER <= value <= _SAFE_INTEGER else str(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Decimal):
        return f"\0decimal:{_digits(value)}" if value.is_finite() else None
    if isinstance(value, datetime):
        moment = value if value.tzinfo else value.replace(tzinfo=UTC)
        return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    if isinstance(value, Mapping):
        return {str(_plain(key)): _plain(member) for key, member in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(member) for member in value]
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, Enum):
        return _plain(value.value)
    if isinstance(value, date | UUID | IPv4Address | IPv6Address):
        return str(value)
    return _plain(value.item()) if hasattr(value, "item") else str(value)


def _digits(value: Decimal) -> str:
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
