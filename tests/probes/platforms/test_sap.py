"""SAP S/4HANA: CloudEvents of Event Mesh."""

import pytest

from tests.probes.platforms.cases import Case, cases, check, connection, request
from throughline.probes.platforms import sap
from throughline.probes.platforms.adapter import Adapter, Unreadable

CASES = cases("sap")


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_payload(case: Case) -> None:
    """Each payload is the events that stand beside it."""
    assert isinstance(sap, Adapter)
    check(sap, case)


@pytest.mark.parametrize(
    "text",
    [
        "sap.s4.beh.salesorder.v1.SalesOrder.Changed.v1",
        "sap/s4/beh/salesorder/v1/SalesOrder/Changed/v1",
        "acme/prod/ce/sap/s4/beh/salesorder/v1/SalesOrder/Changed/v1",
    ],
)
def test_topics_and_types_are_one(text: str) -> None:
    """A topic is the type with slashes, usually behind a prefix."""
    assert sap.type_of(text) == ("salesorder", "changed")


def test_handshake() -> None:
    """OPTIONS with an origin is allowed; without one, or with POST, it is no handshake."""
    configured = connection("sap")
    answer = sap.greet(request(b"", method="OPTIONS", webhook_request_origin="mesh.example.com"), configured)
    assert answer is not None
    assert (answer.status, answer.headers["WebHook-Allowed-Origin"]) == (200, "mesh.example.com")
    assert sap.greet(request(b"", method="OPTIONS"), configured) is None
    assert sap.greet(request(b"", webhook_request_origin="mesh.example.com"), configured) is None
    broken = request(b"", method="OPTIONS", webhook_request_origin="a\r\nSet-Cookie: b")
    assert sap.greet(broken, configured) is None


@pytest.mark.parametrize("missing", ["id", "source", "type", "specversion"])
def test_a_cloud_event_is_whole(missing: str) -> None:
    """Without one of its four attributes an event cannot be told from another."""
    event = {"id": "1", "source": "/s", "type": "t", "specversion": "1.0"}
    pairs = ",".join(f'"{name}":"{value}"' for name, value in event.items() if name != missing)
    with pytest.raises(Unreadable, match=missing):
        sap.parse(request(f"{{{pairs}}}".encode()), connection("sap"))
