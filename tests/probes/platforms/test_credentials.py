"""Who may send: one changed byte anywhere, and nobody may."""

import base64
from dataclasses import replace
from datetime import UTC, datetime
from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.probes.platforms.cases import NOW, URL, request
from throughline.probes.platforms import certinia, dynamics365, kantata, netsuite, oracle, salesforce, sap
from throughline.probes.platforms.adapter import BadSignature, Connection, HookRequest, StaleRequest
from throughline.probes.platforms.credentials import sign

SECRET = "mesh:s3cret-value"
WITH_SECRET = (certinia, dynamics365, kantata, oracle, salesforce, sap)
SHOWN = {
    "x-throughline-token": SECRET,
    "bearer": SECRET,
    "basic": base64.b64encode(SECRET.encode()).decode(),
    "query": SECRET,
}
AT = datetime.fromtimestamp(1760000000, UTC)


def shown(way: str, value: str) -> HookRequest:
    """A request that shows the value in one of the ways."""
    if way == "query":
        return request(b"{}", url=f"{URL}?token={value}")
    if way == "x-throughline-token":
        return request(b"{}", x_throughline_token=value)
    return request(b"{}", authorization=f"{way.title()} {value}")


def changed(data: st.DataObject, text: bytes) -> bytes:
    """The text with one byte that is another."""
    place = data.draw(st.integers(0, len(text) - 1))
    byte = data.draw(st.integers(0, 255).filter(lambda byte: byte != text[place]))
    return text[:place] + bytes([byte]) + text[place + 1 :]


@pytest.mark.parametrize("adapter", WITH_SECRET, ids=lambda adapter: adapter.__name__.rpartition(".")[2])
def test_each_way_of_showing_the_secret(adapter: ModuleType) -> None:
    """Header, bearer, basic authentication and query; nothing shown is refused."""
    configured = Connection("c", "p", (b"another one", SECRET.encode()))
    for way, value in SHOWN.items():
        adapter.verify(shown(way, value), configured, NOW)
    adapter.verify(
        shown("basic", base64.b64encode(b"anybody:pass").decode()), Connection("c", "p", (b"pass",)), NOW
    )
    for asked in (request(b"{}"), request(b"{}", url=f"{URL}?{'&'.join(['token=x'] * 99)}")):
        with pytest.raises(BadSignature, match="shows none"):
            adapter.verify(asked, configured, NOW)
    for secrets in ((), (b"",)):
        with pytest.raises(BadSignature, match="has no secret"):
            adapter.verify(shown("query", ""), Connection("c", "p", secrets), NOW)


@pytest.mark.parametrize(
    "adapter", [*WITH_SECRET, netsuite], ids=lambda adapter: adapter.__name__.rpartition(".")[2]
)
def test_samples_are_taken_and_say_nothing(adapter: ModuleType) -> None:
    """What `connections test` sends; made with another secret it is refused."""
    options = dict.fromkeys(adapter.REQUIRED, "x")
    configured = Connection("c", "p", (SECRET.encode(),), public_url=URL, options=options)
    sample = adapter.sample(configured, NOW)
    adapter.verify(sample, configured, NOW)
    assert adapter.parse(sample, configured) == []
    with pytest.raises(BadSignature):
        adapter.verify(adapter.sample(replace(configured, secrets=(b"other",)), NOW), configured, NOW)


@given(st.sampled_from(sorted(SHOWN)), st.data())
def test_one_changed_byte_of_a_secret_fails(way: str, data: st.DataObject) -> None:
    """Whatever the byte, also one that base64 or URLs give a meaning."""
    value = changed(data, SHOWN[way].encode()).decode("latin-1")
    with pytest.raises(BadSignature):
        sap.verify(shown(way, value), Connection("c", "p", (SECRET.encode(),)), NOW)


@given(st.binary(min_size=1, max_size=60), st.booleans(), st.data())
def test_one_changed_byte_of_a_signed_request_fails(body: bytes, in_body: bool, data: st.DataObject) -> None:
    """Of the body or of the header with time and signature."""
    configured = Connection("c", "netsuite", (SECRET.encode(),))
    header = f"t=1760000000,v1={sign(SECRET.encode(), '1760000000', body)}"
    asked = request(body, x_probe_signature=header)
    netsuite.verify(asked, configured, AT)
    if in_body:
        asked = replace(asked, body=changed(data, body))
    else:
        value = changed(data, header.encode()).decode("latin-1")
        asked = replace(asked, headers={"x-probe-signature": value})
    with pytest.raises((BadSignature, StaleRequest)):
        netsuite.verify(asked, configured, AT)
