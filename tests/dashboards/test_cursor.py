"""Cursors and JSON: small shapes that clients depend on."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from throughline.dashboards.api.cursor import Cursor, decode, encode
from throughline.dashboards.api.json import dumps
from throughline.dashboards.api.problems import Problem

MOMENTS = st.datetimes(datetime(1990, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001


@given(as_of=MOMENTS, opened=MOMENTS, root=st.integers(0, 2**64 - 1), tenant=st.text(max_size=20))
def test_a_cursor_survives_the_trip(as_of: datetime, opened: datetime, root: int, tenant: str) -> None:
    """What was encoded is decoded, for its own tenant and filters only."""
    cursor = Cursor(as_of, opened, f"{root:016x}")
    text = encode(cursor, tenant=tenant, filters={"a": "b"})
    assert decode(text, tenant=tenant, filters={"a": "b"}) == cursor
    for other in ({"tenant": f"{tenant}x", "filters": {"a": "b"}}, {"tenant": tenant, "filters": {"a": "c"}}):
        with pytest.raises(Problem):
            decode(text, **other)  # type: ignore[arg-type]


@given(text=st.text(max_size=200) | st.binary(max_size=100).map(lambda raw: raw.decode("latin-1")))
def test_a_damaged_cursor_is_refused(text: str) -> None:
    """Never an error of another kind."""
    with pytest.raises(Problem) as caught:
        decode(text, tenant="t", filters={})
    assert caught.value.status == 400


def test_json_keeps_every_digit_and_every_zone() -> None:
    """Decimals are exact numbers, times are UTC with Z, wide integers are text, NaN is null."""
    value = {
        "amount": Decimal("12345678901234567890.123456"),
        "round": Decimal("1000.000000"),
        "time": datetime(2026, 1, 1, 12, tzinfo=timezone(timedelta(hours=1))),
        "day": date(2026, 1, 1),
        "wide": 2**64 - 1,
        "nothing": float("nan"),
        "text": "\0decimal:1",
    }
    text = dumps(value)
    assert '"amount":12345678901234567890.123456' in text
    assert '"round":1000,' in text
    back = json.loads(text)
    assert back["time"] == "2026-01-01T11:00:00.000000Z"
    assert (back["wide"], back["nothing"], back["day"]) == (str(2**64 - 1), None, "2026-01-01")
    assert back["text"] == "\ufffddecimal:1"


@given(
    value=st.decimals(allow_nan=False, allow_infinity=False, places=6, min_value=-(10**20), max_value=10**20)
)
def test_a_decimal_is_written_as_the_number_it_is(value: Decimal) -> None:
    """Exactly equal when read back as a decimal."""
    assert json.loads(dumps([value]), parse_float=Decimal, parse_int=Decimal) == [value]
