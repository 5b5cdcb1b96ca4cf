"""The API while data change: pages, aliases, absorbed ids, status, failures, over both engines."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from tests.dashboards.answers import everything, problem
from tests.dashboards.conftest import OURS, Client, World
from tests.dashboards.seed_firm import NOW
from throughline.collector.store import Role


async def test_pages_stay_right_while_journeys_arrive_and_time_passes(world: World, client: Client) -> None:
    """Newer journeys do not shift a page, and the clock of the first page holds: statuses do not change
    between pages.
    """
    clock = [NOW]
    deps = replace(world.deps, clock=lambda: clock[0])
    async with client(deps) as http:
        expected = await everything(http, "/v1/journeys", limit=500, status="in_flight")
        first = (await http.get("/v1/journeys", params={"limit": 5, "status": "in_flight"})).json()
        columns = ["Tenant", "Process", "Generation", "Root", "OpenedAt", "LastEventAt", "Version", "Deleted"]
        row = ["default", "opportunity-to-invoice", 1, 1, NOW, NOW, 1, 0]
        world.deps.store.insert_rows("journey_state", [row], columns, role=Role.CORRELATOR)
        clock[0] = NOW + timedelta(days=365)
        items, cursor = first["items"], first["next"]
        while cursor:
            page = (
                await http.get("/v1/journeys", params={"limit": 5, "status": "in_flight", "cursor": cursor})
            ).json()
            items, cursor = items + page["items"], page["next"]
    assert items == expected


async def test_a_journey_is_found_by_any_of_its_keys_and_by_aliases(world: World, client: Client) -> None:
    """A key claimed equal to another leads to the same journey and is listed with it."""
    journey = world.ours.first("completed")
    store = world.deps.store
    common = {
        "Tenant": "default",
        "Process": "opportunity-to-invoice",
        "Generation": 1,
        "Version": 5,
        "Deleted": 0,
    }

    def put(table: str, **values: Any) -> None:
        row = {**common, **values}
        store.insert_rows(table, [list(row.values())], list(row), role=Role.CORRELATOR)

    sql = "SELECT sipHash64('default', 'opportunity-to-invoice', 'hubspot.deal', '77')"
    alias = store.query(sql, role=Role.PAGES).result_rows[0][0]
    (namespace, value), root = journey["keys"][0], journey["root"]
    put(
        "keys", Key=alias, Level=0, Rank=1, Namespace="hubspot.deal", Value="77", Object=root, Alias="aliased"
    )
    put("keys", Key=root, Level=0, Rank=0, Namespace=namespace, Value=value, Object=root, Alias="aliased")
    put("claims", Key=root, Other=alias, EventId=1, Rank=0, OtherRank=1)
    async with client(world.deps) as http:
        for key in [*map(":".join, journey["keys"]), "hubspot.deal:77"]:
            items = (await http.get("/v1/journeys", params={"key": key})).json()["items"]
            assert [one["id"] for one in items] == [journey["id"]], key
            assert "hubspot.deal:77" in items[0]["keys"]


async def test_an_absorbed_id_answers_with_its_journey_or_with_the_list(world: World, client: Client) -> None:
    """An orphan's id lives on in the journey that took it in; with several parents the answer is 300."""
    journey, other = world.ours.journeys[-1], world.ours.journeys[-2]
    store = world.deps.store
    columns = ["Tenant", "Process", "Generation", "Version", "Deleted"]
    common = ["default", "opportunity-to-invoice", 1, 5, 0]

    def absorb(key: int, roots: list[int]) -> str:
        named = [*columns, "Key", "Object", "Namespace", "Value", "Level"]
        store.insert_rows("keys", [[*common, key, key, "x", str(key), 1]], named, role=Role.CORRELATOR)
        kept = [*columns, "Object", "Roots"]
        store.insert_rows("objects", [[*common, key, roots]], kept, role=Role.CORRELATOR)
        return f"{key:016x}"

    one = absorb(77, [journey["root"]])
    several = absorb(78, [journey["root"], other["root"]])
    async with client(world.deps) as http:
        answer = await http.get(f"/v1/journeys/{one}")
        assert (answer.status_code, answer.json()["id"]) == (200, journey["id"])
        answer = await http.get(f"/v1/journeys/{several}")
        assert answer.status_code == 300
        assert answer.json() == {"absorbed_into": sorted([journey["id"], other["id"]])}
        problem(await http.get("/v1/journeys/0000000000000001"), 404)
        problem(await http.get("/v1/journeys/no-id"), 404)


async def test_status_counts_what_was_received_stored_and_not_joined(world: World, client: Client) -> None:
    """Received counts loaded requests; lag runs from the oldest row after the watermark."""
    store = world.deps.store
    received = ["Tenant", "Signal", "Items", "ReceivedAt"]
    rows = [["default", "traces", 40, NOW], ["default", "metrics", 2, NOW], ["rival", "traces", 999, NOW]]
    store.insert_rows("received_requests", rows, received, role=Role.LOADER)
    inbox = ["Tenant", "IngestedAt", "EventId"]
    late = NOW + timedelta(seconds=5)
    store.insert_rows("event_inbox", [["default", late, 1], ["rival", NOW, 2]], inbox, role=Role.LOADER)
    objects = ["Tenant", "Process", "Generation", "Object", "State", "Version"]
    states = [
        ["default", "opportunity-to-invoice", 1, number, state, 9]
        for number, state in enumerate(("hub", "crowded", "detached"), 1)
    ]
    store.insert_rows("objects", states, objects, role=Role.CORRELATOR)
    endless = [["default", "opportunity-to-invoice", 1, 4, "linked", 255, 9]]
    columns = ["Tenant", "Process", "Generation", "Object", "State", "Depth", "Version"]
    store.insert_rows("objects", endless, columns, role=Role.CORRELATOR)
    state = ["Tenant", "Process", "Generation", "EventId", "AmbiguousLinks", "Version"]
    links = [
        ["default", "opportunity-to-invoice", 1, 1, 6, 1],
        ["default", "opportunity-to-invoice", 1, 1, 4, 2],
    ]
    store.insert_rows("event_state", links, state, role=Role.CORRELATOR)
    deps = replace(world.deps, clock=lambda: NOW + timedelta(seconds=8))
    async with client(deps) as http:
        body = (await http.get("/v1/status")).json()
    assert body["received"] == {"spans": 40, "logs": 0, "metrics": 2, "events": 0}
    assert body["stored"]["spans"] > 0
    assert datetime.fromisoformat(body["correlated_until"]) == NOW
    assert body["lag_seconds"] == 3.0
    names = ("hub_keys", "detached", "looped", "ambiguous_links", "dead_letters")
    assert tuple(body[name] for name in names) == (2, 1, 1, 4, 0)


async def test_an_unexpected_failure_is_a_problem_without_details(world: World, client: Client) -> None:
    """A bug of ours answers 500 and leaks nothing; a store that does not answer is 503 with Retry-After."""

    def fail() -> datetime:
        raise ZeroDivisionError("secret detail")

    async with client(replace(world.deps, clock=fail)) as http:
        body = problem(await http.get("/v1/journeys"), 500)
        assert "secret" not in str(body)
    world.deps.store.close()
    async with client(world.deps, OURS) as http:
        answer = await http.get("/v1/journeys")
        problem(answer, 503)
        assert answer.headers["retry-after"]
