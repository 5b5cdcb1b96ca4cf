"""Whatever a host hands over: nothing is raised into it, and the event goes out."""

from __future__ import annotations

import string
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from opentelemetry import baggage, context
from opentelemetry.exporter.otlp.proto.common._log_encoder import encode_logs
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans

from tests.probes.conftest import Observed, observe
from throughline.probes import carry_keys
from throughline.probes.encode import OWN_WAY, WRITERS


class HostileError(RuntimeError):
    """An exception that cannot say what it is."""

    @property
    def code(self) -> str:
        """Raises."""
        raise RuntimeError("no code")

    def __str__(self) -> str:
        raise RuntimeError("no text")


class Hostile:
    """An object all of whose methods raise."""

    def _refuse(self, *_: object) -> Any:
        raise HostileError

    __str__ = __repr__ = __bool__ = __len__ = __iter__ = __eq__ = __format__ = __getitem__ = __int__ = _refuse
    __hash__ = _refuse
    __class__ = property(_refuse)


class LyingText(str):
    """A text whose methods raise."""

    __slots__ = ()

    def _refuse(self, *_: object) -> Any:
        raise HostileError

    __str__ = strip = isascii = encode = __len__ = startswith = _refuse  # type: ignore[assignment]


class HostileMapping(Mapping[str, object]):
    """A mapping that breaks while it is read."""

    def __getitem__(self, key: str) -> object:
        raise HostileError

    def __iter__(self) -> Iterator[str]:
        yield "a"
        raise HostileError

    def __len__(self) -> int:
        return 2


class HostileZone(tzinfo):
    """A time zone that raises."""

    def utcoffset(self, dt: datetime | None) -> timedelta:  # noqa: ARG002 the name is datetime's
        """Raises."""
        raise HostileError

    tzname = dst = utcoffset  # type: ignore[assignment]


def _endless() -> Iterator[int]:
    number = 0
    while True:
        number += 1
        yield number


def _knot() -> list[Any]:
    knot: list[Any] = []
    knot.append(knot)
    return knot


ODDITIES: tuple[Callable[[], Any], ...] = (
    Hostile, HostileError, HostileMapping, HostileZone, _knot, _endless, object,
    lambda: LyingText("x"), lambda: {Hostile: Hostile()}, lambda: {"a": Hostile(), "b": [Hostile()]},
    lambda: {"": 1, "ok": "1"}, lambda: {1: 2}, lambda: {b"\xff": b"\xff"}, lambda: {None: None},
    lambda: datetime(1, 1, 1, tzinfo=UTC), lambda: datetime(2026, 1, 1, tzinfo=HostileZone()),
    lambda: datetime.max.replace(tzinfo=timezone(timedelta(hours=-23))),
    lambda: 10**5000, lambda: -(2**63) - 1, lambda: float("nan"), lambda: float("-inf"),
    lambda: Decimal("sNaN"), lambda: Decimal("1E+999999"), lambda: Decimal("1E-999999"),
    lambda: Decimal(10) ** 40, lambda: "\ud800", lambda: "a" * 100_000, lambda: b"\xff" * 100_000,
    lambda: ["\ud800"] * 3, lambda: print, lambda: Hostile, lambda: ..., lambda: ">", lambda: "a>b>c",
    lambda: [("a:b", "c:d"), Hostile()], lambda: {"x"}, lambda: range(20_000), lambda: "\x00",
)  # fmt: skip

anything = st.one_of(
    st.integers(0, len(ODDITIES) - 1).map(lambda number: ODDITIES[number]()),
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats()
        | st.text(st.characters())
        | st.binary()
        | st.decimals()
        | st.datetimes(),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
        max_leaves=8,
    ),
)
names = st.sampled_from(sorted(set(WRITERS) | OWN_WAY)) | st.text(
    string.ascii_lowercase, min_size=1, max_size=8
)
facts = st.dictionaries(names, anything, max_size=6)


def check_encodable(seen: Observed) -> None:
    """What was recorded can be sent: no request fails for it, and no attribute is lost on the way."""
    sent = encode_logs(seen.records).resource_logs[0].scope_logs[0].log_records
    for number, record in enumerate(sent):
        assert len(record.attributes) == len(seen.attributes(number))
    encode_spans(seen.spans).SerializeToString()


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(told=facts, first=facts, later=facts)
def test_whatever_is_told_an_event_goes_out(told: Any, first: Any, later: Any) -> None:
    """emit() and business_event() never raise, and a fact that cannot be written costs itself only."""
    seen = observe()
    with seen.tracers.get_tracer("host").start_as_current_span("request"):
        seen.probe.emit("deal.won", **told)
    with seen.probe.business_event("deal.won", **first) as event:
        event.add(**later)
    assert [record.log_record.event_name for record in seen.records] == ["deal.won", "deal.won"]
    check_encodable(seen)


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(name=anything, told=facts, argument=anything)
def test_whatever_is_decorated_its_result_passes(name: Any, told: Any, argument: Any) -> None:
    """A decorated function returns and raises exactly what it would without us."""
    seen = observe()
    hostile: Any = lambda *_, **__: Hostile()  # noqa: E731

    @seen.probe.business_event(name, arguments=hostile, result=hostile, mishap=hostile, **told)
    def call(value: object, *, error: BaseException | None = None) -> object:
        if error is not None:
            raise error
        return value

    seen.probe.business_event("deal.won", arguments=argument, result=argument, mishap=argument)(call)
    assert call(argument) is argument
    raised = HostileError()
    with pytest.raises(HostileError) as caught:
        call(argument, error=raised)
    assert caught.value is raised
    if seen.records:
        check_encodable(seen)


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(carried=anything, name=anything, value=anything)
def test_whatever_is_in_baggage(carried: Any, name: Any, value: Any) -> None:
    """Foreign baggage and odd keys neither raise nor stop the event."""
    seen = observe()
    try:
        foreign = baggage.set_baggage(name, value)
    except Exception:  # noqa: BLE001 an unhashable name is OpenTelemetry's to refuse
        foreign = baggage.set_baggage("business.key.a.b", value)
    token = context.attach(foreign)
    try:
        with carry_keys(carried), seen.probe.business_event("deal.won", keys={"crm.deal": "d1"}):
            pass
    finally:
        context.detach(token)
    assert seen.attributes()["business.key.crm.deal"] == "d1"
    check_encodable(seen)


@given(keys=st.dictionaries(st.text(string.ascii_lowercase, min_size=1, max_size=5), st.text(max_size=20)))
def test_keys_arrive_as_they_were_said(keys: dict[str, str]) -> None:
    """Every key arrives trimmed; empty ones are none; a lone surrogate becomes a question mark."""
    seen = observe()
    seen.probe.emit("deal.won", keys=keys)
    said = {
        f"business.key.{name}": value.encode("utf-8", "replace").decode().strip()
        for name, value in keys.items()
    }
    found = {name: value for name, value in seen.attributes().items() if name.startswith("business.key.")}
    assert found == {name: value for name, value in said.items() if value}


@given(
    amount=st.decimals(allow_nan=False, allow_infinity=False, places=6, min_value=-(10**30), max_value=10**30)
)
def test_amounts_are_exact(amount: Decimal) -> None:
    """A decimal of up to six places arrives as the same number."""
    seen = observe()
    seen.probe.emit("deal.won", amount=amount)
    assert Decimal(seen.attributes()["business.amount"]) == amount
