"""HubSpot: HubSpot's own vectors verify, one changed byte does not, and what its events become."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from throughline.probes.platforms import hubspot
from throughline.probes.platforms.adapter import (
    BadSignature,
    Connection,
    HookRequest,
    StaleRequest,
    Unreadable,
)
from throughline.probes.vocabulary import BusinessEvent

FOLDER = Path(__file__).parent / "hubspot"
BODY = (FOLDER / "vector.json").read_bytes()
URL = "https://probe.example.com/ingest/hubspot"
SECRET = b"hs-demo-secret-0001"
SIGNED = datetime.fromtimestamp(1_760_000_001, UTC)
CONNECTION = Connection("eu", "hubspot", (b"next-secret", SECRET))
V3 = HookRequest(
    "POST",
    URL,
    {
        "x-hubspot-request-timestamp": "1760000001000",
        "x-hubspot-signature-v3": "yUV99Ezdl8HB93MfZzQ6AkofvwlxXqVE1Y56+F5rI0M=",
    },
    BODY,
    SIGNED,
)
V1 = {"x-hubspot-signature": "cb4a8d996e6ee65e98d9340979113fa2783fc414233b51968b5cd3886f8378ae"}
V2 = HookRequest(
    "GET",
    "https://www.example.com/webhook_uri",
    {
        "x-hubspot-signature": "eee2dddcc73c94d699f5e395f4b9d454a069a6855fbfa152e91e88823087200e",
        "x-hubspot-signature-version": "v2",
    },
    b"",
    SIGNED,
)
V2_CONNECTION = Connection("x", "hubspot", (b"yyyyyyyy-yyyy-yyyy-yyyy-yyyyyyyyyyyy",))


def test_vectors_of_the_vendor_document_verify() -> None:
    """Version 3 with and without an encoded query, versions 2 and 1."""
    assert len(BODY) == 249
    hubspot.verify(V3, CONNECTION, SIGNED)
    encoded = {**V3.headers, "x-hubspot-signature-v3": "LwgaPmwH9SJDJT7zadhbGhBN2YUr/hK4iAxSGAqIvfc="}
    hubspot.verify(replace(V3, url=f"{URL}?tenant=acme%3Aeu", headers=encoded), CONNECTION, SIGNED)
    hubspot.verify(replace(V3, headers=V1), CONNECTION, SIGNED)
    hubspot.verify(V2, V2_CONNECTION, SIGNED)


def test_query_is_decoded_as_hubspot_does() -> None:
    """Only the listed characters, only in the query; the fragment is not signed."""
    assert hubspot.signed_url("https://a/b%3A?c=%2F%20%3f#d") == b"https://a/b%3A?c=/%20?"


@given(st.data())
def test_one_changed_byte_fails(data: st.DataObject) -> None:
    """Anywhere in body, address, time or signature, whichever version."""
    version = data.draw(st.sampled_from(["v3", "v2", "v1"]))
    request, connection = {
        "v3": (V3, CONNECTION),
        "v2": (V2, V2_CONNECTION),
        "v1": (replace(V3, headers=V1), CONNECTION),
    }[version]
    parts = {"body": request.body, **{name: text.encode() for name, text in request.headers.items()}}
    if version != "v1":
        parts |= {"url": request.url.encode(), "method": request.method.encode()}
    where = data.draw(st.sampled_from(sorted(name for name, part in parts.items() if part)))
    at = data.draw(st.integers(0, len(parts[where]) - 1))
    changed = bytearray(parts[where])
    changed[at] ^= data.draw(st.integers(1, 255))
    text = bytes(changed).decode("latin-1")
    match where:
        case "body":
            request = replace(request, body=bytes(changed))
        case "url":
            request = replace(request, url=text)
        case "method":
            request = replace(request, method=text)
        case header:
            request = replace(request, headers={**request.headers, header: text})
    with pytest.raises((BadSignature, StaleRequest)):
        hubspot.verify(request, connection, SIGNED)


@pytest.mark.parametrize(
    ("request_", "now", "error"),
    [
        (V3, SIGNED + timedelta(milliseconds=300_001), StaleRequest),
        (V3, SIGNED - timedelta(minutes=2), StaleRequest),
        (replace(V3, body=json.dumps(json.loads(BODY)).encode()), SIGNED, BadSignature),
        (replace(V3, headers={}), SIGNED, BadSignature),
        (replace(V3, headers={"x-hubspot-signature-v3": "é"}), SIGNED, BadSignature),
        (replace(V3, headers={**V1, "x-hubspot-signature-version": "v9"}), SIGNED, BadSignature),
    ],
    ids=["old", "future", "written again", "missing", "no time", "no version"],
)
def test_what_is_not_signed_now_is_refused(
    request_: HookRequest, now: datetime, error: type[Exception]
) -> None:
    """Each of the cases of the vendor document."""
    with pytest.raises(error):
        hubspot.verify(request_, CONNECTION, now)


def test_older_signatures_can_be_refused() -> None:
    """With `signature: v3` a request that carries an older one only is refused."""
    strict = replace(CONNECTION, options={"signature": "v3"})
    hubspot.verify(V3, strict, SIGNED)
    with pytest.raises(BadSignature):
        hubspot.verify(replace(V3, headers=V1), strict, SIGNED)


def parsed(name: str, **connection: Any) -> list[BusinessEvent]:
    """What a recorded payload says."""
    body = (FOLDER / f"{name}.json").read_bytes()
    return hubspot.parse(replace(V3, body=body), replace(CONNECTION, **connection))


def summary(event: BusinessEvent) -> tuple[str, dict[str, Any]]:
    """Name and keys."""
    return event.event, dict(event.keys)


def test_properties_become_events_by_table() -> None:
    """A stage is a milestone, an amount is an amount; the identity is composite, the time HubSpot's."""
    won, updated = parsed("deal_won")
    assert summary(won) == ("opportunity.closed_won", {"hubspot.deal": "33/9001"})
    assert won.id == "33:25:7001:9001:1760000000000"
    assert won.time == datetime(2025, 10, 9, 8, 53, 20, tzinfo=UTC)
    assert (updated.event, updated.attributes["business.amount"]) == ("opportunity.updated", "12500.00")


def test_stages_and_fields_of_ones_own() -> None:
    """Options name stages of other pipelines; `objects` say which attribute or key a property is."""
    objects = {
        "deal": {"psa_project": "business.key.certinia.project", "colour": "business.key.a.b = x/{}/y"}
    }
    options = {"won_stages": "55, 56", "lost_stages": "57", "scope.certinia": "00D5e"}
    won, lost, project, odd = parsed("own_pipeline", options=options, objects=objects)
    assert (won.event, lost.event) == ("opportunity.closed_won", "opportunity.lost")
    assert summary(project) == (
        "opportunity.updated",
        {"hubspot.deal": "33/9001", "certinia.project": "00D5e/a01X"},
    )
    assert odd.keys["a.b"] == "x/blue/y"


def test_merges_and_associations_name_all_they_join() -> None:
    """Who lives on stands above who ceased to be; a removed association joins none."""
    absorbed, first, second, joined, parted = parsed("merge_and_association")
    assert summary(absorbed) == ("account.absorbed", {"hubspot.company": "33/9"})
    assert list(absorbed.links) == [
        ("hubspot.company:33/9", "hubspot.company:33/7"),
        ("hubspot.company:33/9", "hubspot.company:33/8"),
    ]
    assert summary(first) == ("account.merged", {"hubspot.company": "33/7"})
    assert summary(second) == ("account.merged", {"hubspot.company": "33/8"})
    assert second.attributes["hubspot.merged_into"] == "33/9"
    assert len({absorbed.id, first.id, second.id}) == 3
    assert summary(joined) == (
        "opportunity.associated",
        {"hubspot.deal": "33/9001", "hubspot.company": "33/9"},
    )
    assert summary(parted) == ("opportunity.dissociated", {"hubspot.deal": "33/9001"})


def test_what_no_table_knows_is_unknown() -> None:
    """Other objects, other verbs, nothing at all: events without a milestone, never an error."""
    found = parsed("unknown")
    assert [one.event for one in found] == ["unknown", "unknown", "unknown", "opportunity.created"]
    assert found[2].time is None


@given(st.binary(max_size=60) | st.recursive(st.none() | st.integers() | st.text(max_size=5), st.lists).map(
    lambda value: json.dumps(value).encode()
))  # fmt: skip
def test_anything_else_is_unreadable(body: bytes) -> None:
    """Whatever a signed body holds, it is events or unreadable."""
    try:
        found = hubspot.parse(replace(V3, body=body), CONNECTION)
    except Unreadable:
        return
    assert all(isinstance(one, BusinessEvent) for one in found)
