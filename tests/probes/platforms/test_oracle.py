"""Oracle Fusion: old and new values from Oracle Integration."""

from dataclasses import replace

import pytest

from tests.probes.platforms.cases import NOW, SECRET, Case, cases, check, connection, request
from throughline.probes.platforms import oracle
from throughline.probes.platforms.adapter import Adapter, BadSignature, StaleRequest
from throughline.probes.platforms.credentials import sign

CASES = cases("oracle")


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_payload(case: Case) -> None:
    """Each payload is the events that stand beside it."""
    assert isinstance(oracle, Adapter)
    check(oracle, case)


def test_the_same_change_of_another_instance_is_another_event() -> None:
    """An invoice that is paid, reopened and paid again has the same values twice."""
    case = next(case for case in CASES if case.name == "paid.xml")
    other = replace(case.request, headers={**case.request.headers, "x-oic-instance-id": "772"})
    (first,), (second,) = (oracle.parse(asked, case.connection) for asked in (case.request, other))
    assert first.id != second.id


def test_a_flow_signs_or_shows_a_secret() -> None:
    """A signature that is there must be right: the secret beside it does not help."""
    configured, body = connection("oracle"), b"<onEvent/>"
    seconds = str(int(NOW.timestamp()))
    signed = f"t={seconds},v1={sign(SECRET, seconds, body)}"
    oracle.verify(request(body, x_probe_signature=signed), configured, NOW)
    oracle.verify(request(body, x_throughline_token=SECRET.decode()), configured, NOW)
    with pytest.raises(BadSignature):
        oracle.verify(
            request(b"<other/>", x_probe_signature=signed, x_throughline_token=SECRET.decode()),
            configured,
            NOW,
        )
    with pytest.raises(StaleRequest):
        oracle.verify(request(body, x_probe_signature=signed), configured, NOW.replace(hour=10))
