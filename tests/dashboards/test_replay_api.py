"""`/replays` and `/targets`: asked, decided and looked at over HTTP."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import pyarrow.parquet as pq
import pytest

from tests.correlator.replay.world import Endpoint, Firm, World
from tests.dashboards.answers import everything, problem
from tests.dashboards.conftest import Client, token
from throughline.collector.auth import ROLES, Access, Token
from throughline.collector.control import ControlStore
from throughline.collector.store import Store
from throughline.correlator.replay.planning import Rules
from throughline.correlator.replay.policy import parse_policy
from throughline.dashboards.deps import Deps

ANN, BOB, VIEWER, RIVAL = (f"secret-token-of-{name}" for name in ("ann", "bob", "viewer", "rival"))


def _named(secret: str, name: str, tenant: str, role: str) -> Token:
    made = token(secret, tenant, ROLES[role])
    return replace(made, principal=replace(made.principal, name=name))


@pytest.fixture(scope="module")
def firm(module_store: Store) -> Firm:
    """Failed deals."""
    return Firm(module_store)


@pytest.fixture
def world(firm: Firm, control: ControlStore) -> Iterator[World]:
    """A target, and rules that want a second person."""
    with Endpoint().serving() as endpoint:
        made = World(firm, control, endpoint)
        made.policy = parse_policy("approvals: [{need: second_person}]")
        yield made


@pytest.fixture
def deps(world: World, tmp_path: Path) -> Deps:
    """What the API needs."""
    access = Access(
        (
            _named(ANN, "ann", world.tenant, "operator"),
            _named(BOB, "bob", world.tenant, "approver"),
            _named(VIEWER, "viewer", world.tenant, "viewer"),
            _named(RIVAL, "rival", "rival", "admin"),
        )
    )
    return Deps(
        store=world.store,
        access=lambda: access,
        spool=tmp_path,
        processes=tuple,
        clock=lambda: world.now,
        control=world.control,
        replay_rules=lambda: Rules(world.targets, world.policy),
    )


async def test_from_a_dry_run_to_the_verified_effect(world: World, deps: Deps, client: Client) -> None:
    """What it would do, asking, approving by somebody else, sending, its end; the history has it all."""
    deal = world.take()
    body = {
        "exceptions": [world.exception(deal)],
        "kind": "resubmit",
        "target": "middleware",
        "reason": "mended",
    }
    async with client(deps, ANN) as ann, client(deps, BOB) as bob, client(deps, RIVAL) as rival:
        dry = (await ann.post("/v1/replays", json=body | {"dry_run": True})).json()
        assert (dry["dry_run"], dry["need"], dry["journeys"]) == (True, "second_person", 1)
        assert dry["amounts"] == {"EUR": f"{100 * deal:.6f}"}
        assert (await ann.get("/v1/replays")).json() == {"items": []}
        asked = await ann.post("/v1/replays", json=body)
        assert asked.status_code == 201
        path = asked.headers["location"].removeprefix("/api")
        refused = await ann.post(f"{path}/approve")
        assert problem(refused, 403)["detail"].startswith("Whoever asked for it can't approve it")
        assert (await rival.get(path)).status_code == 404
        assert (await bob.post(f"{path}/approve")).json()["state"] == "running"
        assert problem(await bob.post(f"{path}/approve"), 409)
        worker = world.worker()
        world.work(worker)
        replay = world.replays()[0]
        world.created(deal, replay=replay)
        world.work(worker)
        worker.close()
        done = (await bob.get(path)).json()
        assert (done["state"], done["approved_by"], done["counts"]) == ("done", "bob", {"verified": 1})
        assert done["items"][0]["outcome"] == "caused"
        assert [one["state"] for one in done["history"] if one["item"]] == [
            "awaiting_approval", "planned", "sent", "accepted", "verified",
        ]  # fmt: skip
        assert {one["actor"] for one in done["history"]} == {"ann", "bob", "worker"}
        await _audited(ann, replay.id)
        assert (await rival.get("/v1/audit")).json()["items"] == []


async def _audited(http: httpx.AsyncClient, replay: str) -> None:
    """The audit tells it all, page by page, and as files."""
    every = await everything(http, "/v1/audit", id=replay, limit=2)
    assert [(one["actor"], one["what"]) for one in every if one["about"] == "replay"][-3:] == [
        ("bob", "approved"), ("ann", "approval refused"), ("ann", "asked"),
    ]  # fmt: skip
    assert [one["what"] for one in every if one["about"] == "replay item"] == [
        "verified", "accepted", "sent", "planned", "awaiting_approval",
    ]  # fmt: skip
    people = await everything(http, "/v1/audit", id=replay, people=True)
    assert {one["actor"] for one in people} == {"ann", "bob"}
    asked = {"id": replay, "about": "replay", "what": "asked"}
    table = list(csv.DictReader(io.StringIO((await http.get("/v1/audit/export", params=asked)).text)))
    assert [(row["actor"], row["reason"], row["detail"]) for row in table] == [
        ("ann", "mended", "resubmit at middleware")
    ]
    file = await http.get("/v1/audit/export", params=asked | {"format": "parquet"})
    assert file.headers["content-disposition"] == 'attachment; filename="audit.parquet"'
    (row,) = pq.read_table(io.BytesIO(file.content)).to_pylist()
    assert (row["id"], row["at"].tzname()) == (replay, "UTC")
    assert problem(await http.get("/v1/audit", params={"since": "2026-01-01T00:00:00"}), 400)


async def test_decisions_need_no_body(world: World, deps: Deps, client: Client) -> None:
    """A plain POST pauses, resumes and cancels."""
    world.policy = parse_policy("approvals: [{need: none}]")
    exception = world.exception(world.take())
    body = {"exceptions": [exception], "kind": "resubmit", "target": "middleware", "reason": "x"}
    async with client(deps, ANN) as ann:
        identity = (await ann.post("/v1/replays", json=body)).json()["id"]
        states = [
            (await ann.post(f"/v1/replays/{identity}/{verb}")).json()["state"]
            for verb in ("pause", "resume", "cancel")
        ]
    assert states == ["paused", "running", "cancelled"]


async def test_refusals_say_what_to_do(world: World, deps: Deps, client: Client) -> None:
    """As problems; secrets of targets are not shown."""
    body = {
        "kind": "resubmit",
        "target": "nowhere",
        "reason": "x",
        "exceptions": [world.exception(world.take())],
    }
    async with client(deps, ANN) as ann, client(deps, VIEWER) as viewer:
        refused = problem(await ann.post("/v1/replays", json=body), 422)
        assert refused["detail"] == "There is no target 'nowhere'; known are middleware."
        assert problem(await viewer.post("/v1/replays", json=body), 403)
        both = body | {"fingerprint": "0" * 16}
        assert (
            "either exceptions or fingerprint"
            in problem(await ann.post("/v1/replays", json=both), 422)["detail"]
        )
        kept = (await viewer.get("/v1/replays", params={"state": "refused"})).json()["items"]
        assert [one["note"] for one in kept] == [refused["detail"]]
        (target,) = (await viewer.get("/v1/targets")).json()["items"]
        assert target["id"] == "middleware"
        assert set(target) == {
            "id", "title", "kinds", "match", "idempotent", "finance", "verify_within_seconds", "per_second",
            "broken",
        }  # fmt: skip
