"""Facts by dotted paths into arguments and results."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.probes.conftest import Observed, observe
from tests.probes.test_never_raises import anything


@dataclass
class Line:
    """A line of an order."""

    id: str


@dataclass
class Order:
    """What is sold."""

    deal: dict[str, str]
    total: str = "12.50"
    lines: list[Line] = field(default_factory=lambda: [Line("l1"), Line("l2")])

    def secret(self) -> str:
        """Not a fact."""
        return "method"


def test_arguments_and_results_by_path(seen: Observed) -> None:
    """A path begins with a parameter; members, attributes, places and `*` lead on; `.` is the result."""

    @seen.probe.business_event(
        "project.created",
        arguments={
            "keys": {"crm.deal": "order.deal.id", "crm.line": "order.lines.*.id"},
            "amount": "order.total",
            "customer": "customer",
            "idempotency_key": "headers.idempotency-key",
            "region": "order.missing.at.all",
            "entity": "order.secret",
            "attributes": {"first": "order.lines.0.id", "ninth": "order.lines.8.id"},
        },
        result={"keys": {"psa.project": "."}},
    )
    def create(order: Order, customer: str = "Contoso", **headers: dict[str, str]) -> str:
        assert headers
        return f"{order.deal['id']}-{customer}"

    assert create(Order({"id": "d1"}), headers={"idempotency-key": "i1"}) == "d1-Contoso"
    found = seen.attributes()
    assert found["business.key.crm.deal"] == "d1"
    assert found["business.key.crm.line"] == ("l1", "l2")
    assert found["business.key.psa.project"] == "d1-Contoso"
    assert found["business.amount"] == "12.50"
    assert found["business.customer"] == "Contoso"
    assert found["business.idempotency_key"] == "i1"
    assert found["first"] == "l1"
    assert {"business.region", "business.entity"}.isdisjoint(found)


async def test_paths_of_coroutines_and_generators(seen: Observed) -> None:
    """Paths hold for everything that can be decorated; one decorator may serve several functions."""
    event = seen.probe.business_event("time.approved", arguments={"keys": {"psa.timecard": "card"}})

    @event
    async def approve(card: str) -> None:
        assert card

    @event
    def approve_all(project: str, card: list[str]) -> Any:
        assert project
        yield from card

    await approve("t1")
    assert seen.attributes()["business.key.psa.timecard"] == "t1"
    assert list(approve_all("p1", card=["t2", "t3"])) == ["t2", "t3"]
    assert seen.attributes()["business.key.psa.timecard"] == ("t2", "t3")


@settings(max_examples=80, deadline=None)
@given(value=anything, path=anything, fact=st.sampled_from(["keys", "amount", "attributes", "nonsense"]))
def test_whatever_the_paths_the_call_is_unchanged(value: Any, path: Any, fact: str) -> None:
    """Odd paths and odd values change neither result nor exception of a call, nor stop the event."""
    seen = observe()

    @seen.probe.business_event("deal.won", arguments={fact: path}, result={fact: path, "keys": {"a": path}})
    def call(order: Any) -> Any:
        return order

    assert call(value) is value
    assert len(seen.records) == 1
    try:
        call()  # type: ignore[call-arg]
    except TypeError as error:
        assert "order" in str(error)  # noqa: PT017 the host's own complaint, as it is
    else:
        raise AssertionError
