"""`/exceptions/{id}` and what may be done there, against facts that go on happening."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.correlator.fold_reference import Event
from tests.correlator.fold_world import Folding, at
from tests.dashboards.answers import everything, problem
from tests.dashboards.conftest import Client, token
from throughline.collector.auth import ROLES, Access, Token
from throughline.collector.control import ControlStore
from throughline.collector.store import Store
from throughline.correlator.process import load_process
from throughline.correlator.routing import parse_routing
from throughline.dashboards.definitions import publish_definitions
from throughline.dashboards.deps import Deps
from throughline.dashboards.live_routing import publish

PROCESS = load_process("""
process: probe
owner: everyone
keys: [deal]
milestones:
  - {name: won, event: won, owner: sales}
  - {name: billed, event: billed, owner: finance, runbook: "https://wiki/billed"}
""")
ANN, BOB, VIEWER, RIVAL = (f"secret-token-of-{name}" for name in ("ann", "bob", "viewer", "rival"))
TENANTS = count(1)


def _named(secret: str, name: str, tenant: str, *, role: str = "operator") -> Token:
    made = token(secret, tenant, ROLES[role])
    return replace(made, principal=replace(made.principal, name=name))


class Firm:
    """Journeys 1 to 5 of a tenant of its own that failed to bill, and the clock."""

    def __init__(self, store: Store, control: ControlStore, folder: Path) -> None:
        """Journeys 1 to 4 have one cause, 5 another."""
        self.now = at(days=3)
        tenant = f"firm-{next(TENANTS)}"
        self.folding = Folding(store, PROCESS, tenant)
        self.folding.activate()
        publish_definitions(store, (PROCESS,), self.now)
        self.ids = 100
        self.known: dict[int, str] = {}
        access = Access(
            (
                _named(ANN, "ann", tenant),
                _named(BOB, "bob", tenant),
                _named(VIEWER, "viewer", tenant, role="viewer"),
                _named(RIVAL, "rival", "rival"),
            )
        )
        self.deps = Deps(
            store=store,
            access=lambda: access,
            spool=folder,
            processes=lambda: (PROCESS,),
            clock=lambda: self.now,
            control=control,
        )
        self.folding.put({root: [self.billing(root, at(hours=root))] for root in range(1, 6)})
        self.folding.fold(range(1, 6))

    def billing(self, root: int, time: datetime, *, failed: bool = True) -> Event:
        """Something is billed, or not."""
        self.ids += 1
        region, code = "EMEA" if root % 2 else "AMER", "E2" if root == 5 else "E1"
        event = Event(self.ids, "billed", time, failed, (root,), region=region)
        return replace(event, code=code, message="no") if failed else event

    def happens(self, root: int, time: datetime, *, failed: bool = True) -> None:
        """So it does, and is folded."""
        self.folding.put({root: [self.billing(root, time, failed=failed)]})
        self.folding.fold([root])


@pytest.fixture
def firm(embedded_store: Store, control: ControlStore, tmp_path: Path) -> Firm:
    """A firm."""
    return Firm(embedded_store, control, tmp_path)


async def _of(http: httpx.AsyncClient, firm: Firm, root: int) -> dict[str, Any]:
    """The exception of a journey, with everything."""
    if not firm.known:
        listed = await everything(http, "/v1/exceptions", limit=500)
        firm.known = {int(one["journeys"][0], 16): one["id"] for one in listed}
        whole = (await http.get(f"/v1/exceptions/{listed[0]['id']}")).json()
        assert {name: whole[name] for name in listed[0]} == listed[0]
    found: dict[str, Any] = (await http.get(f"/v1/exceptions/{firm.known[root]}")).json()
    return found


async def _do(http: httpx.AsyncClient, one: dict[str, Any], act: str, **body: Any) -> dict[str, Any]:
    revision = {} if act == "comments" else {"revision": one["revision"]}
    answer = await http.post(f"/v1/exceptions/{one['id']}/{act}", json={**revision, **body})
    assert answer.status_code == 200, answer.text
    done: dict[str, Any] = answer.json()
    return done


def _kinds(one: dict[str, Any]) -> list[tuple[str, str]]:
    return [(row["kind"], row["by"]) for row in one["history"]]


async def _count(http: httpx.AsyncClient, status: str) -> int:
    return len(await everything(http, "/v1/exceptions", status=status))


async def test_what_people_do_and_what_happens_then(firm: Firm, client: Client) -> None:
    """Assign, comment, snooze, close, reopen; facts go on: failures reopen, successes resolve."""
    async with client(firm.deps, ANN) as ann, client(firm.deps, BOB) as bob:
        one = await _of(ann, firm, 1)
        assert (one["status"], one["owner"], one["runbook"], one["first_seen"]) == (
            "open", "finance", "https://wiki/billed", one["opened_at"],
        )  # fmt: skip
        until = firm.now + timedelta(days=2)
        one = await _do(ann, one, "assign", owner="tax team", assignee="Carl")
        one = await _do(bob, one, "comments", note="a tax code is missing")
        one = await _do(bob, one, "snooze", until=until.isoformat(), note="after the release")
        assert (one["status"], one["owner"], one["assignee"], one["blocking"]) == (
            "snoozed", "tax team", "Carl", True,
        )  # fmt: skip
        assert (await _count(ann, "open"), await _count(ann, "snoozed")) == (4, 1)
        journey = (await ann.get("/v1/journeys/0000000000000001")).json()
        assert (journey["status"], journey["exceptions"][0]["status"]) == ("stuck", "snoozed")

        firm.happens(1, firm.now)  # fails again during the snooze: it stays hidden until its end
        assert (await _of(ann, firm, 1))["status"] == "snoozed"
        firm.now = until + timedelta(seconds=1)
        one = await _of(ann, firm, 1)
        parts = ("status", "occurrences", "last_seen")
        assert [one[part] for part in parts] == ["open", 2, "2026-03-05T09:00:00.000000Z"]
        assert _kinds(one) == [
            ("opened", "correlator"), ("owner_changed", "ann"), ("commented", "bob"), ("snoozed", "bob"),
            ("unsnoozed", "clock"),
        ]  # fmt: skip
        one = await _do(ann, one, "resolve", reason="fixed_at_source", note="code added")
        assert (one["status"], one["resolution"], one["resolved_by"], one["resolution_note"]) == (
            "resolved", "fixed_at_source", "ann", "code added",
        )  # fmt: skip
        assert (await _count(ann, "open"), await _count(ann, "resolved")) == (4, 1)
        one = await _do(bob, one, "reopen", note="it is not")
        assert one["status"] == "open"
        one = await _do(bob, one, "resolve", reason="resubmitted")

        firm.happens(1, firm.now + timedelta(hours=1))  # and again: nobody who closed it knew of this one
        one = await _of(ann, firm, 1)
        assert (one["status"], one["resolution"], one["resolved_at"]) == ("open", "", None)
        firm.happens(1, firm.now + timedelta(hours=2), failed=False)
        firm.happens(2, at(hours=5), failed=False)
        firm.now += timedelta(hours=3)
        one = await _of(ann, firm, 1)
        assert (one["status"], one["resolution"]) == ("resolved", "")
        assert _kinds(one)[5:] == [
            ("closed", "ann"), ("reopened", "bob"), ("closed", "bob"), ("reopened", "correlator"),
            ("resolved", "correlator"),
        ]  # fmt: skip
        one = await _do(ann, one, "resolve", reason="fixed_at_source")
        assert (one["status"], one["resolution"]) == ("resolved", "fixed_at_source")

        firm.now += timedelta(days=20)
        _check_memory((await _of(ann, firm, 3))["memory"])


def _check_memory(memory: dict[str, Any]) -> None:
    """Of journeys 1 to 4, 1 twice, as the test above has left them; 5 has another cause."""
    assert (memory["seen"], memory["open"]) == (5, 2)
    assert {(one["resolution"], one["owner"]): one for one in memory["fixes"]} == {
        (reason, owner): {
            "resolution": reason, "owner": owner, "cases": 1, "median_seconds": seconds, "held": held,
            "recurred": 1 - held, "too_early": 0,
        }
        for reason, owner, seconds, held in (
            ("resubmitted", "tax team", 5 * 86400 - 3600 + 1, 0),
            ("fixed_at_source", "tax team", 3600, 1),
            ("", "", 3 * 3600, 1),
        )
    }  # fmt: skip


async def test_two_people_at_once(firm: Firm, client: Client) -> None:
    """Whoever decided on an older state is told the present one; what makes no sense is refused."""
    async with client(firm.deps, ANN) as ann, client(firm.deps, BOB) as bob:
        seen = await _of(ann, firm, 1)
        path = f"/v1/exceptions/{seen['id']}"
        await _do(ann, seen, "assign", assignee="ann")
        refused = problem(await bob.post(f"{path}/assign", json={"revision": 0, "assignee": "bob"}), 409)
        assert (refused["exception"]["assignee"], refused["exception"]["revision"]) == ("ann", 1)
        assert (await _of(bob, firm, 1))["assignee"] == "ann"
        closed = await _do(bob, await _of(bob, firm, 1), "resolve", reason="duplicate")
        soon = (firm.now + timedelta(hours=1)).isoformat()
        for act, body, words in (
            ("resolve", {"reason": "duplicate"}, "bob has closed it already"),
            ("snooze", {"until": soon}, "It is resolved"),
        ):
            answer = await ann.post(f"{path}/{act}", json={"revision": closed["revision"], **body})
            assert words in problem(answer, 409)["detail"]
        opened = await _of(ann, firm, 2)
        assert "It is open" in problem(
            await ann.post(f"/v1/exceptions/{opened['id']}/reopen", json={"revision": 0}), 409
        )["detail"]  # fmt: skip
        past = (firm.now - timedelta(hours=1)).isoformat()
        senseless: tuple[tuple[str, dict[str, Any]], ...] = (
            ("assign", {}),
            ("snooze", {"until": past}),
            ("snooze", {"until": "2030-01-01T00:00:00Z"}),
            ("snooze", {"until": "2026-03-09T00:00:00"}),
            ("resolve", {"reason": "magic"}),
            ("resolve", {"reason": "other"}),
            ("reopen", {"revision": -1}),
        )
        for act, wrong in senseless:
            problem(await ann.post(f"{path}/{act}", json={"revision": 2, **wrong}), 422)
        problem(await ann.post(f"{path}/comments", json={"note": "  "}), 422)
        described = (await ann.get("/openapi.json")).json()["paths"]
        acts = ("assign", "comments", "snooze", "resolve", "reopen")
        assert {f"/v1/exceptions/{{id}}/{act}" for act in acts} <= set(described)
        assert (await ann.get("/docs")).status_code == 200
    for secret, status in ((VIEWER, 403), (RIVAL, 404), (None, 401)):
        async with client(firm.deps, secret) as http:
            problem(await http.post(f"{path}/comments", json={"note": "hello"}), status)
            if status == 404:
                problem(await http.get(path), 404)


async def test_rules_route_what_nobody_was_given(firm: Firm, client: Client) -> None:
    """The first rule that matches names owner, severity and runbook, at once; an assignment goes before."""
    rules = parse_routing("""
routes:
  - {match: {code: E2, amount_at_least: 1}, owner: nobody}
  - {match: {code: [E2, E3], process: probe, class: technical}, owner: tax, severity: critical}
  - {match: {region: EMEA, severity: high}, owner: emea, runbook: "https://wiki/emea"}
  - {match: {region: AMER, customer: Acme}, owner: nobody}
""")
    store = firm.deps.store
    async with client(firm.deps, ANN) as http:
        given = await _do(http, await _of(http, firm, 3), "assign", owner="carla")
        publish(store, rules, firm.now)
        found = {root: await _of(http, firm, root) for root in (1, 2, 3, 5)}
        routed = ("owner", "severity", "runbook")
        assert {root: tuple(one[name] for name in routed) for root, one in found.items()} == {
            1: ("emea", "high", "https://wiki/emea"),
            2: ("finance", "high", "https://wiki/billed"),
            3: ("carla", "high", "https://wiki/emea"),
            5: ("tax", "critical", "https://wiki/billed"),
        }
        await _do(http, given, "assign", owner="")
        publish(store, parse_routing("routes: []"), firm.now + timedelta(seconds=1))
        assert {(await _of(http, firm, root))["owner"] for root in (1, 3, 5)} == {"finance"}


async def test_an_exception_that_is_gone_says_so(firm: Firm, client: Client) -> None:
    """Its journey lost its events: the exception is no more, its history says since when."""
    async with client(firm.deps, ANN) as http:
        one = await _of(http, firm, 5)
        event = replace(firm.billing(5, at(hours=5)), id=105)
        firm.folding.put({5: [event]}, deleted=True)
        firm.folding.fold([5])
        assert "is gone since" in problem(await http.get(f"/v1/exceptions/{one['id']}"), 404)["detail"]
        firm.folding.put({5: [event]})
        firm.folding.fold([5])
        assert _kinds(await _of(http, firm, 5)) == [("opened", "correlator")]
