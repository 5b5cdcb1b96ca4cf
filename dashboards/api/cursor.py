"""Page cursors: where a list stopped, for whom, with which filters, and the clock it was read with.

A cursor grants nothing (the tenant always comes from the token), so it is checked rather than signed: one
of another tenant,
of other filters or made by hand badly is refused.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from dataclasses import dataclass
from datetime import UTC, datetime

from throughline.dashboards.api.problems import Problem

_VERSION = 1
_UNREADABLE = "The cursor cannot be read: start again without one."


@dataclass(frozen=True)
class Cursor:
    """`as_of` is the clock of the first page, so that statuses do not shift between pages."""

    as_of: datetime
    opened_at: datetime
    last: str


def encode(cursor: Cursor, *, tenant: str, filters: dict[str, str]) -> str:
    """Return the opaque text of a cursor."""
    content = [
        _VERSION,
        _digest(tenant, filters),
        cursor.as_of.astimezone(UTC).isoformat(),
        cursor.opened_at.astimezone(UTC).isoformat(),
        cursor.last,
    ]
    return base64.urlsafe_b64encode(json.dumps(content, separators=(",", ":")).encode()).decode().rstrip("=")


def decode(text: str, *, tenant: str, filters: dict[str, str]) -> Cursor:
    """Read a cursor back.

    Raises: Problem (400) when it is damaged, of another version, of another tenant or of other filters.
    """
    try:
        content = json.loads(base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True))
        version, digest, as_of, opened_at, last = content
        cursor = Cursor(datetime.fromisoformat(as_of), datetime.fromisoformat(opened_at), str(last))
        aware = cursor.as_of.tzinfo is not None and cursor.opened_at.tzinfo is not None
        sane = version == _VERSION and aware and int(cursor.last, 16) < 2**64
    except (ValueError, TypeError, RecursionError, binascii.Error) as error:
        raise Problem(400, "Bad cursor", _UNREADABLE) from error
    if not sane:
        raise Problem(400, "Bad cursor", _UNREADABLE)
    if digest != _digest(tenant, filters):
        raise Problem(
            400, "Bad cursor", "The cursor belongs to another list: keep the filters it was made with."
        )
    return cursor


def _digest(tenant: str, filters: dict[str, str]) -> str:
    return hashlib.sha256(json.dumps([tenant, sorted(filters.items())]).encode()).hexdigest()[:16]
