"""Systems of one's own: Standard Webhooks' own vector verifies, and a mapping says what fields mean."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from throughline.probes.platforms import generic
from throughline.probes.platforms.adapter import (
    BadSignature,
    Connection,
    HookRequest,
    StaleRequest,
    Unreadable,
)

FOLDER = Path(__file__).parent / "generic"
SIGNED = datetime.fromtimestamp(1_614_265_330, UTC)
HEADERS = {
    "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
    "webhook-timestamp": "1614265330",
    "webhook-signature": "v1,c29tZXRoaW5nIGVsc2U= v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
}
VECTOR = HookRequest("POST", "https://probe.example.com/x", HEADERS, b'{"test": 2432232314}', SIGNED)
CONNECTION = Connection("shop", "generic", (b"raw-secret", b"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"))
MAPPING = {
    "event": "=payment.applied",
    "time": "data.paid_at",
    "key.netsuite.invoice": "{account}/{data.invoice.id}",
    "key.shop.order": "data.orders",
    "key.shop.lost": "{account}/{data.nothing}",
    "amount": "data.amount",
    "currency": "data.currency",
    "failed": "data.ok",
    "attribute.method": "data.method",
}


def test_vector_of_standard_webhooks_verifies() -> None:
    """One of several signatures is enough, by one of several secrets."""
    generic.verify(VECTOR, CONNECTION, SIGNED)


@given(st.data())
def test_one_changed_byte_fails(data: st.DataObject) -> None:
    """Anywhere in body, identity or time."""
    parts = {"body": VECTOR.body}
    parts |= {name: HEADERS[name].encode() for name in ("webhook-id", "webhook-timestamp")}
    where = data.draw(st.sampled_from(sorted(parts)))
    changed = bytearray(parts[where])
    changed[data.draw(st.integers(0, len(changed) - 1))] ^= data.draw(st.integers(1, 255))
    text = bytes(changed).decode("latin-1")
    request = (
        replace(VECTOR, body=bytes(changed))
        if where == "body"
        else replace(VECTOR, headers={**HEADERS, where: text})
    )
    with pytest.raises((BadSignature, StaleRequest)):
        generic.verify(request, CONNECTION, SIGNED)


@pytest.mark.parametrize("off", [timedelta(minutes=6), timedelta(minutes=-6)])
def test_old_and_future_requests_are_stale(off: timedelta) -> None:
    """Five minutes either way."""
    with pytest.raises(StaleRequest):
        generic.verify(VECTOR, CONNECTION, SIGNED + off)


@pytest.mark.parametrize("name", HEADERS)
def test_each_header_is_needed(name: str) -> None:
    """Without one of them nothing is proven."""
    with pytest.raises(BadSignature, match=name):
        generic.verify(
            replace(VECTOR, headers={k: v for k, v in HEADERS.items() if k != name}), CONNECTION, SIGNED
        )


def test_the_mapping_says_what_fields_mean() -> None:
    """Constants, paths, texts with paths in braces; half a key is none; numbers keep their digits."""
    request = replace(VECTOR, body=(FOLDER / "invoice_paid.json").read_bytes())
    connection = replace(CONNECTION, objects={"invoice.paid": MAPPING}, options={"system": "erp"})
    assert generic.faults(connection) == []
    (event,) = generic.parse(request, connection)
    assert (event.event, event.id, event.system) == ("payment.applied", HEADERS["webhook-id"], "erp")
    assert event.keys == {"netsuite.invoice": "acme/77", "shop.order": ["o1", "o2"]}
    assert event.time == datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
    assert (Decimal(str(event.amount)), event.currency, event.failed) == (Decimal("1250.1"), "eur", False)
    assert event.attributes == {"webhook.type": "invoice.paid", "method": "card"}


def test_types_without_an_entry_are_unknown_unless_one_is_for_all() -> None:
    """And a body that is no object is unreadable."""
    (event,) = generic.parse(VECTOR, CONNECTION)
    assert event.event == "unknown"
    request = replace(VECTOR, body=b'{"type": "order.placed", "order": 5}')
    (event,) = generic.parse(request, replace(CONNECTION, objects={"*": {"key.shop.order": "order"}}))
    assert (event.event, event.keys) == ("order.placed", {"shop.order": "5"})
    for body in (b"[]", b"{", b"\xff", b"[" * 100_000):
        with pytest.raises((Unreadable, RecursionError)):
            generic.parse(replace(VECTOR, body=body), CONNECTION)


def test_a_mapping_that_cannot_be_meant_is_named() -> None:
    """Unknown facts."""
    found = generic.faults(replace(CONNECTION, objects={"*": {"amout": "a", "key.a.b": "c"}}))
    assert ["amout" in one for one in found] == [True]


@given(st.sampled_from(["", "kind", "meta.kind"]))
def test_the_sample_is_signed_and_says_nothing(path: str) -> None:
    """Wherever the type stands."""
    connection = replace(CONNECTION, options={"type": path} if path else {})
    request = generic.sample(connection, SIGNED)
    generic.verify(request, connection, SIGNED)
    assert generic.parse(request, connection) == []
