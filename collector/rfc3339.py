"""RFC 3339 timestamps to nanoseconds, without losing digits.

Source: https://www.rfc-editor.org/rfc/rfc3339#section-5.6
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

TIMESTAMP = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(?:\.(\d+))?(?:[Zz]|([+-])(\d\d):(\d\d))", re.ASCII
)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
LEAP_SECOND = 60
UINT64 = 2**64


def unix_nano(text: str) -> int | None:
    """Return nanoseconds since 1970, or None if `text` is no timestamp.

    Times up to 1970, which OTLP can't tell from unset, give 1; digits beyond nanoseconds are cut.
    """
    match = TIMESTAMP.fullmatch(text)
    if match is None:
        return None
    year, month, day, hour, minute, second = (int(part) for part in match.groups()[:6])
    leap = second == LEAP_SECOND
    try:
        moment = datetime(year, month, day, hour, minute, second - leap, tzinfo=UTC)
    except ValueError:
        return None
    offset_hours, offset_minutes = int(match[9] or 0), int(match[10] or 0)
    if offset_hours > 23 or offset_minutes > 59:  # noqa: PLR2004
        return None
    offset = timedelta(hours=offset_hours, minutes=offset_minutes)
    seconds = (moment - EPOCH) // timedelta(seconds=1) + leap
    seconds -= (-1 if match[8] == "-" else 1) * int(offset.total_seconds())
    nanos = int((match[7] or "")[:9].ljust(9, "0"))
    return min(max(1, seconds * 1_000_000_000 + nanos), UINT64 - 1)
