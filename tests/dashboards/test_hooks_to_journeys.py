"""From a signed webhook over real HTTP to a milestone of a journey; and from a dead letter, after a fix."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.collector.edge_process import CLIENT, Edge, running
from tests.probes.platforms.signing import hubspot_headers
from throughline.collector.auth import Access
from throughline.collector.connections import load_connections
from throughline.collector.loader import Loader
from throughline.collector.saying import say
from throughline.collector.store import Role, Store
from throughline.correlator.process import load_process
from throughline.correlator.worker import Correlator
from throughline.dashboards.deps import Deps
from throughline.probes import platforms
from throughline.probes.platforms import hubspot
from throughline.probes.platforms.adapter import Connection, HookRequest
from throughline.probes.vocabulary import BusinessEvent

SECRET = "hs-demo-secret-0001"
WON = Path(__file__).parents[1] / "probes" / "platforms" / "hubspot" / "deal_won.json"
CONNECTIONS = """
connections:
  - id: eu
    platform: hubspot
    secret: {env: HS_SECRET}
    public_url: https://probe.example.com
    links: {hubspot.deal: "https://app.hubspot.com/contacts/{1}/record/0-3/{id}"}
  - {id: acme, platform: acme}
"""
ACME = """
import json
from throughline.probes.vocabulary import BusinessEvent
def verify(request, connection, now): pass
def parse(request, connection):
    said = json.loads(request.body)
    return [BusinessEvent(event="project.created", id=one["id"], keys=one[KEYS]) for one in said]
"""
PROCESS = """
process: sale
version: 1
keys: [hubspot.deal, acme.project]
milestones:
  - {name: closed_won, event: opportunity.closed_won}
  - {name: project_created, event: project.created}
"""
Client = Callable[..., AbstractAsyncContextManager[httpx.AsyncClient]]


@pytest.fixture
def _platforms_anew() -> Iterator[None]:
    """Look for platforms again afterwards: this test's are gone."""
    yield
    platforms.platforms.cache_clear()
    platforms.adapter.cache_clear()


def install(folder: Path, code: str) -> Path:
    """A package of somebody else that adds a platform by its entry point."""
    described = folder / "acme_probe-1.dist-info"
    described.mkdir(parents=True)
    (described / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-probe\nVersion: 1\n")
    (described / "entry_points.txt").write_text("[throughline.platforms]\nacme = acme_probe\n")
    (folder / "acme_probe.py").write_text(code)
    return folder


def load(edge: Edge, store: Store) -> None:
    """Load everything that the edge has spooled."""
    spool = edge.data / "spool"
    deadline = time.monotonic() + 30
    while any(spool.iterdir()) and time.monotonic() < deadline:
        Loader(store, spool).drain()
        threading.Event().wait(0.02)


def send(edge: Edge, project: object) -> None:
    """Send HubSpot's batch twice, as if it had heard no answer, a webhook of the other platform, and one that
    nobody will ever read.
    """
    body = WON.read_bytes()
    for _ in range(2):
        address = "https://probe.example.com/hooks/hubspot/eu"
        headers = hubspot_headers(body, address, SECRET, datetime.now(UTC))
        assert CLIENT.post(f"{edge.url}/hooks/hubspot/eu", content=body, headers=headers).status_code == 200
    assert CLIENT.post(f"{edge.url}/hooks/acme/acme", content=json.dumps(project)).status_code == 200
    headers = hubspot_headers(b"{", "https://probe.example.com/hooks/hubspot/eu", SECRET, datetime.now(UTC))
    assert CLIENT.post(f"{edge.url}/hooks/hubspot/eu", content=b"{", headers=headers).status_code == 200


def merged(gone: int, lives: int) -> list[BusinessEvent]:
    """What HubSpot says when a deal is merged into a new one."""
    said = {
        "portalId": 33, "subscriptionId": 27, "appId": 1, "eventId": 9, "occurredAt": 1760000100000, "attemptNumber": 0,
        "subscriptionType": "deal.merge", "objectId": gone, "primaryObjectId": gone, "mergedObjectIds": [gone],
        "newObjectId": lives,
    }  # fmt: skip
    request = HookRequest("POST", "", {}, json.dumps([said]).encode(), datetime.now(UTC))
    return hubspot.parse(request, Connection("eu", "hubspot"))


async def journey_of(http: httpx.AsyncClient, key: str) -> dict[str, Any]:
    """The only journey that knows a key."""
    (journey,) = (await http.get("/v1/journeys", params={"key": key})).json()["items"]
    return dict(journey)


async def letters_read_again(http: httpx.AsyncClient, project: object) -> None:
    """A letter tells why it is one, and is read again; a second time changes nothing; the other one stays."""
    first = (await http.get("/v1/dead-letters", params={"limit": 1})).json()
    second = (await http.get("/v1/dead-letters", params={"limit": 1, "cursor": first["next"]})).json()
    assert [one["connection"] for one in first["items"] + second["items"]] == ["eu", "acme"]
    page = (await http.get("/v1/dead-letters", params={"state": "open", "connection": "acme"})).json()
    (letter,) = page["items"]
    assert (letter["reason"], letter["state"], page["next"]) == ("unreadable", "open", None)
    assert "KeyError" in letter["detail"]
    address = f"/v1/dead-letters/{letter['id']}"
    assert json.loads(json.loads((await http.get(address)).json()["body"])["body"]) == project
    for _ in range(2):
        answer = await http.post("/v1/dead-letters/retry", json={"ids": [letter["id"]]})
        stored = {"id": letter["id"], "outcome": "stored", "events": 1, "detail": ""}
        assert answer.json()["items"] == [stored]
    (other,) = (await http.post("/v1/dead-letters/retry", json={"all": True})).json()["items"]
    assert (other["outcome"], other["detail"]) == ("failed", "The body is no JSON.")
    assert (await http.get("/v1/status")).json()["dead_letters"] == 1
    (left,) = (await http.get("/v1/dead-letters", params={"state": "open"})).json()["items"]
    assert (left["id"], left["state"], left["tries"]) == (other["id"], "failed", 1)
    assert (await http.post("/v1/dead-letters/retry", json={})).status_code == 400
    assert len((await http.get(address)).json()["tries"]) == 2
    assert (await http.get("/v1/dead-letters/" + "0" * 32)).status_code == 404


@pytest.mark.usefixtures("_platforms_anew")
async def test_from_webhook_to_milestone(
    store: Store, client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A batch becomes milestones at the time HubSpot tells, its repeat nothing; what an adapter could not
    read counts once the adapter is mended, however often it is read again.
    """
    config = tmp_path / "config"
    config.mkdir()
    (config / "connections.yaml").write_text(CONNECTIONS)
    broken = install(tmp_path / "broken", "KEYS = 'typo'\n" + ACME)
    mended = install(tmp_path / "mended", "KEYS = 'keys'\n" + ACME)
    project = [{"id": "p1", "keys": {"hubspot.deal": "33/9001", "acme.project": "P-1"}}]
    monkeypatch.setenv("HS_SECRET", SECRET)
    with monkeypatch.context() as patch:
        patch.setenv("PYTHONPATH", str(broken))
        with running(tmp_path / "data", config=config) as edge:
            send(edge, project)
            load(edge, store)

    monkeypatch.syspath_prepend(str(mended))
    platforms.platforms.cache_clear()
    platforms.adapter.cache_clear()
    process = load_process(PROCESS)
    deps = Deps(
        store=store,
        access=Access,
        spool=tmp_path / "data" / "spool",
        processes=lambda: (process,),
        connections=lambda: load_connections(config, {"HS_SECRET": SECRET}),
    )
    correlator = Correlator(store, [process])
    async with client(deps) as http:
        correlator.tick("default", datetime.now(UTC))
        journey = await journey_of(http, "hubspot.deal:33/9001")
        assert journey["milestones"]["closed_won"]["met_at"].startswith("2025-10-09T08:53:20")
        assert journey["milestones"]["closed_won"]["count"] == 1
        assert journey["milestones"]["project_created"]["state"] == "pending"
        assert journey["records"] == {
            "hubspot.deal:33/9001": "https://app.hubspot.com/contacts/33/record/0-3/9001"
        }
        events = (await http.get(f"/v1/journeys/{journey['id']}")).json()["events"]
        assert [one["event"] for one in events] == ["opportunity.closed_won", "opportunity.updated"]

        status = (await http.get("/v1/status")).json()
        assert (status["dead_letters"], status["received"]["events"]) == (2, status["stored"]["events"])
        await letters_read_again(http, project)
        correlator.tick("default", datetime.now(UTC))
        journey = await journey_of(http, "acme.project:P-1")
        assert journey["milestones"]["project_created"]["count"] == 1
        assert "acme.project:P-1" in journey["keys"]

        say(store, "default", merged(9001, 9002), datetime.now(UTC))
        correlator.tick("default", datetime.now(UTC))
        whole = await journey_of(http, "hubspot.deal:33/9002")
        assert whole["milestones"]["project_created"]["count"] == 1
        assert await journey_of(http, "hubspot.deal:33/9001") == whole
    received = store.query(
        "SELECT DISTINCT ReceivedAt FROM business_events WHERE Connection = 'acme'"
        " UNION ALL SELECT ReceivedAt FROM dead_letters WHERE Body LIKE '%acme%'",
        role=Role.PAGES,
    ).result_rows
    assert len(received) == 2
    assert received[0] == received[1]
