"""Webhooks over real HTTP: what is refused, what is kept, what becomes of what nobody can read."""

from __future__ import annotations

import gzip
import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from tests.collector.edge_process import CLIENT, Edge, running, start
from tests.probes.platforms.signing import hubspot_headers, standard_headers
from throughline.collector import spool
from throughline.collector.hook_events import describe, letter
from throughline.probes.platforms.adapter import Connection, HookRequest

CONNECTIONS = """
connections:
  - {id: eu, platform: hubspot, secret: [{env: HS_NEW}, {file: HS_OLD}], public_url: https://probe.example.com}
  - {id: slow, platform: hubspot, secret: {env: HS_NEW}, rate_limit: 0.001}
  - id: shop
    platform: generic
    tenant: shop
    secret: {env: SHOP}
    options: {region: EMEA}
    objects: {paid: {event: =payment.applied, key.shop.order: order, amount: total}}
"""
NEW, OLD, SHOP = "new-secret-0001", "old-secret-0002", "whsec_c2hvcC1zZWNyZXQ="
WON = Path(__file__).parents[1] / "probes" / "platforms" / "hubspot" / "deal_won.json"


@pytest.fixture(scope="module")
def edge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Edge]:
    """An edge with connections, whose old secret is a mounted file."""
    folder = tmp_path_factory.mktemp("hooks")
    (folder / "old").write_text(OLD + "\n")
    (folder / "connections.yaml").write_text(CONNECTIONS.replace("HS_OLD", str(folder / "old")))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HS_NEW", NEW)
        patch.setenv("SHOP", SHOP)
        with running(folder / "data", config=folder, hook_body_bytes=300_000) as one:
            yield one


def post(
    edge: Edge, body: bytes, secret: str = NEW, *, path: str = "/hooks/hubspot/eu", **headers: str
) -> httpx.Response:
    """Post as HubSpot does."""
    url = f"https://probe.example.com{path}"
    signed = hubspot_headers(body, url, secret, datetime.now(UTC))
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    sent = gzip.compress(body) if headers.get("content_encoding") == "gzip" else body
    return CLIENT.post(edge.url + path, content=sent, headers={**signed, **names})


def test_what_a_platform_says_is_spooled_before_it_is_answered(edge: Edge) -> None:
    """Either secret is good during a rotation; each request gives its own record and one per event."""
    body = WON.read_bytes()
    assert post(edge, body).status_code == 200
    assert post(edge, body, OLD, content_encoding="gzip").status_code == 200
    kept = edge.take()
    assert [(one.signal, one.tenant, one.items) for one in kept] == [("events", "default", 3)] * 2
    (resource,) = ExportLogsServiceRequest.FromString(kept[0].request).resource_logs
    (scope,) = resource.scope_logs
    assert scope.scope.name == "throughline.hooks.hubspot"
    assert [record.event_name for record in scope.log_records] == [
        "hook.request", "opportunity.closed_won", "opportunity.updated",
    ]  # fmt: skip
    assert scope.log_records[0].body.string_value.encode() == body
    assert not scope.log_records[1].body.string_value
    said = {one.key: one.value.string_value for one in scope.log_records[1].attributes}
    assert said["business.event.id"] == "eu/33:25:7001:9001:1760000000000"
    assert (said["business.platform"], said["business.connection"]) == ("hubspot", "eu")
    assert scope.log_records[1].time_unix_nano == 1_760_000_000_000 * 10**6
    assert scope.log_records[1].observed_time_unix_nano > 1_760_000_000_000 * 10**6
    assert post(edge, body, baggage="tenant=acme, business.replay.id=rp1.2;signed=no").status_code == 200
    (replayed,) = ExportLogsServiceRequest.FromString(edge.take()[-1].request).resource_logs[0].scope_logs
    caused = [
        [one.value.string_value for one in record.attributes if one.key == "business.replay.id"]
        for record in replayed.log_records
    ]
    assert caused == [[], ["rp1.2"], ["rp1.2"]]


def test_what_is_not_from_the_platform_is_refused_and_not_kept(edge: Edge) -> None:
    """A bad signature, an old one, one of the future and none: 401; each counted by connection and reason."""
    body = WON.read_bytes()
    url = "https://probe.example.com/hooks/hubspot/eu"
    now = datetime.now(UTC)
    wrong = [
        hubspot_headers(body, url, "another-secret", now),
        hubspot_headers(body, url + "?a=b", NEW, now),
        hubspot_headers(body, url, NEW, now - timedelta(minutes=6)),
        hubspot_headers(body, url, NEW, now + timedelta(minutes=6)),
        {},
    ]
    answers = [CLIENT.post(edge.url + "/hooks/hubspot/eu", content=body, headers=one) for one in wrong]
    assert {one.status_code for one in answers} == {401}
    assert all(NEW not in one.text and OLD not in one.text for one in answers)
    assert edge.take() == []
    metrics = CLIENT.get(edge.url + "/metrics").text
    counted = 'throughline_edge_hooks_total{connection="eu",outcome="%s",platform="hubspot"} %s'
    assert counted % ("bad_signature", "3.0") in metrics
    assert counted % ("stale", "2.0") in metrics


def test_addresses_nobody_configured_say_what_to_do(edge: Edge) -> None:
    """404 names the file; a connection answers for its own platform only; other methods get 405."""
    for path in ("/hooks/hubspot/us", "/hooks/generic/eu", "/hooks/", "/hooks/hubspot/eu/more"):
        answer = CLIENT.post(edge.url + path, content=b"[]")
        assert answer.status_code == 404
        assert "connections.yaml" in answer.json()["message"]
    answer = CLIENT.get(edge.url + "/hooks/hubspot/eu")
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")


def test_bombs_and_floods_are_refused(edge: Edge) -> None:
    """Too large once decompressed: 413. More often than rate_limit: 429 with Retry-After."""
    assert post(edge, b" " * 300_001, content_encoding="gzip").status_code == 413
    assert post(edge, b" " * 300_001).status_code == 413
    path = "/hooks/hubspot/slow"
    assert post(edge, b"[]", "not the point", path=path).status_code == 401
    answer = post(edge, b"[]", path=path)
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "1")
    assert edge.take() == []


def test_what_nobody_can_read_is_answered_as_ever_and_kept_whole(edge: Edge) -> None:
    """Small in the event loop and large in a process of its own; the platform sees no difference."""
    large = b"[1," * 20_000
    assert post(edge, b'[{"objectId"', authorization="Basic c2VjcmV0").status_code == 200
    assert post(edge, large).status_code == 200
    assert post(edge, b"\xff{}").status_code == 200
    letters = [json.loads(one.request) for one in edge.take() if one.signal == "hooks"]
    assert [one["body"] for one in letters] == ['[{"objectId"', large.decode(), "ff7b7d"]
    assert [one["encoding"] for one in letters] == ["utf-8", "utf-8", "hex"]
    assert letters[0]["reason"] == "The body is no JSON."
    assert "authorization" not in letters[0]["headers"]


def test_nothing_secret_is_kept_and_nothing_that_the_store_refuses() -> None:
    """Session ids, shown secrets and the query go; half a character in a reason is replaced."""
    body = b"<o:SessionId x='y'>00D!AQ</o:SessionId><SessionId>b</SessionId><Id>04l</Id>"
    headers = {"x-key": "hush-hush", "cookie": "a=b", "content-type": "text/xml"}
    connection = Connection("eu", "hubspot", (b"hush-hush",), options={"portal": "33"})
    request = HookRequest("POST", "https://a/b?token=hush-hush", headers, body, datetime.now(UTC))
    kept = letter(request, connection, "why \ud800").decode()
    assert "hush" not in kept + describe(request, connection, payload_bytes=9)
    assert json.loads(kept)["headers"] == {"content-type": "text/xml"}
    assert json.loads(kept)["reason"] == "why ?"
    assert json.loads(kept)["body"] == "<o:SessionId x='y'></o:SessionId><SessionId></SessionId><Id>04l</Id>"


def test_a_system_of_ones_own_is_mapped_by_the_file(edge: Edge) -> None:
    """The tenant is the connection's; a type that is not in the file is unknown, not lost."""
    for number, body in enumerate((b'{"type":"paid","order":7,"total":12.50}', b'{"type":"odd"}')):
        headers = standard_headers(body, SHOP, f"msg_{number}", datetime.now(UTC))
        assert CLIENT.post(edge.url + "/hooks/generic/shop", content=body, headers=headers).status_code == 200
    found = [ExportLogsServiceRequest.FromString(one.request) for one in edge.take() if one.tenant == "shop"]
    records = [one.resource_logs[0].scope_logs[0].log_records[1] for one in found]
    assert [one.event_name for one in records] == ["payment.applied", "unknown"]
    said = {one.key: one.value.string_value for one in records[0].attributes}
    assert said["business.key.shop.order"] == "7"
    assert said["business.amount"] == "12.50"
    assert said["business.region"] == "EMEA"
    assert said["business.event.id"] == "shop/msg_0"
    assert said["business.time.precision"] == "approximate"


def test_kill_loses_no_webhook_that_was_answered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After kill -9 under load each webhook answered with 200 is in the spool once, readable or not."""
    monkeypatch.setenv("HS_NEW", NEW)
    text = "connections: [{id: eu, platform: hubspot, secret: {env: HS_NEW}, public_url: https://probe.example.com}]"
    (tmp_path / "connections.yaml").write_text(text)
    edge = start(tmp_path / "data", config=tmp_path, segment_bytes=32 * 1024, segment_age_seconds=0.1)
    answered: list[str] = []
    enough = threading.Event()

    def send(sender: int) -> None:
        for number in range(100_000):
            name = f"{sender}-{number}"
            body = f'[{{"eventId":"{name}"}}]' if number % 3 else f"broken {name}"
            try:
                if post(edge, body.encode()).status_code == 200:
                    answered.append(body)
            except httpx.TransportError:
                return
            if len(answered) > 60:
                enough.set()

    senders = [threading.Thread(target=send, args=(sender,)) for sender in range(3)]
    for one in senders:
        one.start()
    assert enough.wait(60)
    edge.process.kill()
    edge.process.wait()
    for one in senders:
        one.join()
    spool.recover(tmp_path / "data" / "spool")
    kept = edge.take()
    bodies = [json.loads(one.request)["body"] for one in kept if one.signal == "hooks"]
    for record in (record for record in kept if record.signal == "events"):
        (resource,) = ExportLogsServiceRequest.FromString(record.request).resource_logs
        bodies.append(resource.scope_logs[0].log_records[0].body.string_value)
    assert len(bodies) == len(set(bodies))
    assert set(answered) <= set(bodies)
