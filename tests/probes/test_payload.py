"""Payloads leave only when switched on, small enough and redacted."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.probes.conftest import Observed, observe
from tests.probes.test_never_raises import anything, check_encodable
from throughline.probes import Payloads
from throughline.probes.payload import NAMES, REDACTED

SENT = {
    "invoice": {"id": 7, "iban": "DE89370400440532013000", "lines": [{"card": "4111", "net": 1.5}]},
    "Password": "hunter2",
    "note": "call +49 170 1234567",
    "nested": [{"headers": {"Authorization": ["Bearer abc"]}}],
}


def payload(seen: Observed) -> Any:
    """What left, read as JSON."""
    return json.loads(seen.attributes()["business.payload"])


def test_off_by_default(seen: Observed) -> None:
    """A payload that is told leaves nothing unless somebody has switched payloads on."""
    seen.probe.emit("invoice.posted", payload=SENT, payload_ref="s3://payloads/7")
    with seen.probe.business_event("invoice.posted", payload=SENT):
        pass
    assert all("business.payload" not in seen.attributes(number) for number in (0, 1))
    assert seen.attributes(0)["business.payload.ref"] == "s3://payloads/7"


@pytest.mark.parametrize("form", [SENT, json.dumps(SENT), json.dumps(SENT).encode()])
def test_redacted_by_name_path_and_pattern(form: object) -> None:
    """Usual names never leave; paths and patterns of one's own neither; the rest does, as JSON."""
    rules = Payloads(redact=["iban", "invoice.lines.*.card"], patterns=[r"\+\d[\d ]{6,}\d"])
    seen = observe(payloads=rules)
    seen.probe.emit("invoice.posted", payload=form)
    assert payload(seen) == {
        "invoice": {"id": 7, "iban": REDACTED, "lines": [{"card": REDACTED, "net": 1.5}]},
        "Password": REDACTED,
        "note": f"call {REDACTED}",
        "nested": [{"headers": {"Authorization": REDACTED}}],
    }


def test_what_does_not_fit_stays() -> None:
    """Too large, too deep or no JSON: the event leaves without the payload; text only where it may."""
    seen = observe(payloads=Payloads(max_bytes=100))
    deep: list[Any] = []
    deep.append(deep)
    for number, odd in enumerate(("x" * 101, {"a": "ü" * 50}, b"x" * 10_000, "<a/>", deep, "", None)):
        seen.probe.emit("invoice.posted", payload=odd)
        assert "business.payload" not in seen.attributes(number)
    texts = observe(payloads=Payloads(text=True, patterns=[r"\d+"]))
    texts.probe.emit("invoice.posted", payload="<id>42</id>")
    assert texts.attributes()["business.payload"] == f"<id>{REDACTED}</id>"


def test_told_in_a_block() -> None:
    """A block takes a payload beforehand or later; the last counts."""
    seen = observe(payloads=Payloads())
    with seen.probe.business_event("invoice.posted", payload={"a": 1}) as event:
        event.add(payload={"a": 2})
    assert payload(seen) == {"a": 2}


@settings(max_examples=60, deadline=None)
@given(sent=anything, name=st.sampled_from(NAMES))
def test_no_secret_leaves_whatever_is_sent(sent: Any, name: str) -> None:
    """A value under a secret name never leaves, whatever stands around it, and nothing is raised."""
    seen, hidden = observe(payloads=Payloads(max_bytes=100_000)), "nobody's business 7f3a"
    seen.probe.emit(
        "deal.won", payload={"around": sent, "in": [{name.upper(): hidden}], name: [sent, hidden]}
    )
    assert len(seen.records) == 1
    assert hidden not in str(seen.attributes().get("business.payload", ""))
    seen.probe.emit("deal.won", payload=sent)
    check_encodable(seen)


def test_a_wrong_switch_leaves_payloads_off() -> None:
    """Only `Payloads(...)` switches them on."""
    seen = observe(payloads=True)
    seen.probe.emit("deal.won", payload={"a": 1})
    assert "business.payload" not in seen.attributes()
