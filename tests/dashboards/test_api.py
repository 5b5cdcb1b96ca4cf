"""The API: shapes, filters, pages, links, absorbed ids, problems and access, over both engines."""

from __future__ import annotations

import copy
import json
import shlex
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from html import unescape
from typing import Any

import jsonschema
import pytest

from tests.dashboards.answers import by_id, everything, problem
from tests.dashboards.conftest import INGEST, OURS, THEIRS, Client, World
from tests.dashboards.seed_firm import MILESTONES, NOW
from throughline.collector.control import ControlStore
from throughline.correlator.alerts.rule_files import parse_rules
from throughline.correlator.mapping_files import load_mapping
from throughline.dashboards.api.app import create_api
from throughline.dashboards.api.docs import page


async def test_a_journey_in_the_list_has_the_documented_shape(shared: World, client: Client) -> None:
    """Design section 7, every field; times are UTC, amounts are numbers with every digit."""
    async with client(shared.deps) as http:
        item = (await http.get("/v1/journeys", params={"status": "completed", "limit": 1})).json()["items"][0]
    documented = {
        "id",
        "process",
        "status",
        "opened_at",
        "last_event_at",
        "milestones",
        "keys",
        "amount",
        "currency",
    }
    assert documented | {"entity", "region", "customer", "exceptions"} <= set(item)
    assert list(item["milestones"]) == list(MILESTONES)
    assert {"state", "met_at", "due_at", "count"} <= set(item["milestones"]["paid"])
    seeded = by_id(shared.ours.journeys)[item["id"]]
    assert item["amount"] == seeded["amount"]
    assert item["keys"] == [f"{namespace}:{value}" for namespace, value in seeded["keys"]]
    assert datetime.fromisoformat(item["opened_at"]) == seeded["opened"]
    assert item["opened_at"].endswith("Z")


async def test_paging_lists_every_journey_once_newest_first(shared: World, client: Client) -> None:
    """Any page size gives the same list, ordered by opening."""
    async with client(shared.deps) as http:
        whole = await everything(http, "/v1/journeys", limit=500)
        small = await everything(http, "/v1/journeys", limit=7)
    assert small == whole
    assert {one["id"] for one in whole} == {one["id"] for one in shared.ours.journeys}
    opened = [one["opened_at"] for one in whole]
    assert opened == sorted(opened, reverse=True)


async def test_filters_narrow_by_process_status_place_key_and_time(shared: World, client: Client) -> None:
    """Each filter gives exactly the seeded journeys it describes."""
    journeys = shared.ours.journeys
    stuck = shared.ours.first("stuck")
    since = NOW - timedelta(days=20)
    cases: list[tuple[dict[str, str], set[str]]] = [
        ({"status": "stuck"}, {one["id"] for one in journeys if one["status"] == "stuck"}),
        ({"process": "opportunity-to-invoice"}, {one["id"] for one in journeys}),
        ({"process": "nothing"}, set()),
        ({"entity": "DE01"}, {one["id"] for one in journeys if one["entity"] == "DE01"}),
        (
            {"customer": stuck["customer"]},
            {one["id"] for one in journeys if one["customer"] == stuck["customer"]},
        ),
        ({"since": since.isoformat()}, {one["id"] for one in journeys if one["opened"] >= since}),
        ({"key": ":".join(stuck["keys"][0])}, {stuck["id"]}),
        ({"key": "salesforce.opportunity:unknown"}, set()),
    ]
    async with client(shared.deps) as http:
        for parameters, expected in cases:
            found = {one["id"] for one in await everything(http, "/v1/journeys", limit=500, **parameters)}
            assert found == expected, parameters


async def test_cycles_add_up_to_their_journeys(shared: World, client: Client) -> None:
    """Each object and period once, on pages of any size; counts and money are those of its journeys."""
    async with client(shared.deps) as http:
        cycles = await everything(http, "/v1/cycles", limit=500)
        assert await everything(http, "/v1/cycles", limit=3) == cycles
        late = await everything(http, "/v1/cycles", status="late", limit=500)
        one = cycles[0]
        members = {"cycle": one["object"], "period": one["first_day"]}
        listed = await everything(http, "/v1/journeys", limit=500, **members)
    assert [cycle["first_day"] for cycle in cycles] == sorted((c["first_day"] for c in cycles), reverse=True)
    assert late == [cycle for cycle in cycles if cycle["status"] == "late"]
    found = {(cycle["object"], cycle["first_day"]): cycle for cycle in cycles}
    assert len(listed) == one["journeys"] + one["dropped"]
    expected: dict[tuple[str, str], dict[str, Any]] = {}
    for journey in shared.ours.journeys:
        cycle = journey["cycle"], journey["period"].isoformat()
        sums = expected.setdefault(cycle, {"completed": 0, "amount": {}})
        sums["completed"] += journey["status"] == "completed"
        if journey["status"] != "dropped":
            paid = sums["amount"].get(journey["currency"], 0)
            sums["amount"][journey["currency"]] = paid + journey["amount"]
    assert {key: (one["completed"], one["amount"]) for key, one in found.items()} == {
        key: (one["completed"], {name: float(sum_) for name, sum_ in one["amount"].items()})
        for key, one in expected.items()
    }


async def test_one_journey_comes_with_events_exceptions_and_why_each_event_belongs(
    shared: World, client: Client
) -> None:
    """Each event is explained by a path of links from its subject to the root, each link by the event that
    named it.
    """
    journey = next(one for one in shared.ours.journeys if one["failure"] and one["status"] == "completed")
    async with client(shared.deps) as http:
        body = (await http.get(f"/v1/journeys/{journey['id']}")).json()
    assert {"events", "links", "exceptions", "replays"} <= set(body)
    times = [one["time"] for one in body["events"]]
    assert times == sorted(times)
    assert len(times) == body["events_total"] == len(journey["times"]) + 1
    assert {one["status"] for one in body["events"]} == {"ok", "error"}
    payment = next(one for one in body["events"] if one["event"] == "payment.applied")
    assert payment["keys"] == sorted(":".join(key) for key in journey["keys"][3:])
    assert payment["attributes"]["business.event"] == "payment.applied"
    why = next(one for one in body["links"] if one["event"] == payment["id"])["because"]
    assert [one["subject"] for one in why] == [":".join(journey["keys"][3])]
    path = why[0]["path"]
    assert [step["parent"] for step in path] == [":".join(key) for key in journey["keys"][2::-1]]
    named = {one["id"]: one["event"] for one in body["events"]}
    assert [named[step["evidence"][0]] for step in path] == [
        "invoice.posted",
        "time.approved",
        "project.created",
    ]
    assert [one["status"] for one in body["exceptions"]] == ["resolved"]
    assert body["exceptions"][0]["journeys"] == [journey["id"]]


async def test_objects_are_asked_for_by_key(shared: World, client: Client) -> None:
    """An unknown key names nothing, what is no key is said, and another tenant's object is unknown."""
    journey = shared.ours.journeys[0]
    key = ":".join(journey["keys"][0])
    async with client(shared.deps) as http:
        (found,) = (await http.get("/v1/objects", params={"key": key})).json()["items"]
        assert key in found["keys"]
        assert found["journeys"] == [journey["id"]]
        assert (await http.get("/v1/objects", params={"key": "deal:nobody"})).json() == {"items": []}
        problem(await http.get("/v1/objects", params={"key": "nobody"}), 400)
        problem(await http.get("/v1/objects"), 422)


async def test_exceptions_are_listed_by_status_process_and_fingerprint_and_paged(
    shared: World, client: Client
) -> None:
    """Open and resolved ones together are all; fields as documented."""
    async with client(shared.deps) as http:
        whole = await everything(http, "/v1/exceptions", limit=500)
        assert await everything(http, "/v1/exceptions", limit=2) == whole
        opened = await everything(http, "/v1/exceptions", status="open")
        resolved = await everything(http, "/v1/exceptions", status="resolved")
        same = await everything(http, "/v1/exceptions", fingerprint=whole[0]["fingerprint"])
    assert {one["id"] for one in opened + resolved} == {one["id"] for one in whole}
    assert len(whole) == sum(bool(one["failure"]) for one in shared.ours.journeys)
    assert {one["fingerprint"] for one in same} == {whole[0]["fingerprint"]}
    documented = "id journeys process class code message fingerprint milestone owner severity amount currency"
    assert {*documented.split(), "opened_at", "resolved_at", "occurrences"} <= set(whole[0])


async def test_processes_lists_definitions_and_their_active_generation(shared: World, client: Client) -> None:
    """A stored generation of another definition says that a rebuild is needed."""
    async with client(shared.deps) as http:
        (item,) = (await http.get("/v1/processes")).json()["items"]
    assert item["id"] == "opportunity-to-invoice"
    assert [one["name"] for one in item["milestones"]] == list(MILESTONES)
    assert item["milestones"][1] | {"owner": ""} == {
        "name": "project_created",
        "event": "project.created",
        "at_least": 1,
        "within": "6h",
        "of": "closed_won",
        "on_late": "stuck",
        "optional": False,
        "repeats": False,
        "owner": "",
        "runbook": None,
    }
    assert (item["generation"], item["rebuild_needed"]) == (1, True)


async def test_a_process_is_drawn(shared: World, client: Client) -> None:
    """As SVG, in which every milestone stands; of an unknown one a problem."""
    async with client(shared.deps) as http:
        drawn = await http.get("/v1/processes/opportunity-to-invoice/picture")
        problem(await http.get("/v1/processes/unknown/picture"), 404)
    assert drawn.headers["content-type"] == "image/svg+xml"
    assert all(name.replace("_", " ") in drawn.text for name in MILESTONES)


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/v1/journeys?limit=0", 422),
        ("/v1/journeys?status=sleeping", 422),
        ("/v1/journeys?cursor=abc", 400),
        ("/v1/journeys?cursor=%00", 400),
        ("/v1/journeys?key=nocolon", 400),
        ("/v1/journeys?since=2026-01-01T00:00:00", 400),
        ("/v1/exceptions?fingerprint=zz", 422),
        ("/v1/nothing", 404),
    ],
)
async def test_a_bad_request_is_a_problem_that_says_what_is_wrong(
    shared: World, client: Client, path: str, status: int
) -> None:
    """Every error is application/problem+json."""
    async with client(shared.deps) as http:
        assert problem(await http.get(path), status)["detail"]


async def test_a_cursor_of_other_filters_or_of_another_tenant_is_refused(
    shared: World, client: Client
) -> None:
    """A cursor names its list and its tenant."""
    async with client(shared.deps) as http:
        cursor = (await http.get("/v1/journeys", params={"limit": 2})).json()["next"]
        problem(await http.get("/v1/journeys", params={"cursor": cursor, "status": "late"}), 400)
        problem(await http.get("/v1/exceptions", params={"cursor": cursor}), 400)
    async with client(shared.deps, THEIRS) as http:
        problem(await http.get("/v1/journeys", params={"cursor": cursor}), 400)


@pytest.mark.parametrize(
    "path",
    [
        "/v1/journeys",
        "/v1/journeys/0000000000000001",
        "/v1/cycles",
        "/v1/objects?key=deal:1",
        "/v1/exceptions",
        "/v1/exceptions/0000000000000001",
        "/v1/risk",
        "/v1/billing",
        "/v1/tables",
        "/v1/status",
        "/v1/processes",
    ],
)
async def test_reading_needs_a_token_with_the_scope_read(shared: World, client: Client, path: str) -> None:
    """Without a token 401, with an unknown one 401, with an ingest token 403."""
    for secret, status in ((None, 401), ("wrong-secret-token", 401), (INGEST, 403)):
        async with client(shared.deps, secret) as http:
            answer = await http.get(path)
            problem(answer, status)
            assert ("www-authenticate" in answer.headers) == (status == 401)
    async with client(shared.deps, INGEST) as http:
        problem(await http.post("/v1/query", json={"sql": "SELECT 1"}), 403)


async def test_a_tenant_sees_nothing_of_another_through_any_endpoint(shared: World, client: Client) -> None:
    """Lists, look-ups by id and by key, exceptions, status: each answers as if the other tenant did not
    exist.
    """
    theirs = shared.theirs.journeys
    async with client(shared.deps, OURS) as http:
        listed = await everything(http, "/v1/journeys", limit=500)
        assert not {one["id"] for one in listed} & {one["id"] for one in theirs}
        for one in theirs:
            problem(await http.get(f"/v1/journeys/{one['id']}"), 404)
        ours = (await http.get("/v1/status")).json()
    async with client(shared.deps, THEIRS) as http:
        assert {one["id"] for one in await everything(http, "/v1/journeys")} == {one["id"] for one in theirs}
        cycles = await everything(http, "/v1/cycles", limit=500)
        assert sum(one["journeys"] + one["dropped"] for one in cycles) == len(theirs)
        exceptions = await everything(http, "/v1/exceptions", limit=500)
        assert {id_ for one in exceptions for id_ in one["journeys"]} <= {one["id"] for one in theirs}
        assert (await http.get("/v1/status")).json()["stored"]["spans"] < ours["stored"]["spans"]


async def test_the_description_lists_every_route_and_loads_nothing_from_elsewhere(
    shared: World, client: Client
) -> None:
    """OpenAPI and its page need no token and no other host."""
    async with client(shared.deps, None) as http:
        description = (await http.get("/openapi.json")).json()
        page = await http.get("/docs")
    assert set(description["paths"]) == {
        "/v1/journeys",
        "/v1/journeys/{id}",
        "/v1/journeys/{id}/graph",
        "/v1/journeys/{id}/waiting",
        "/v1/links",
        "/v1/waiting",
        "/v1/cycles",
        "/v1/objects",
        "/v1/exceptions",
        "/v1/exceptions/causes",
        "/v1/exceptions/{id}",
        "/v1/risk",
        "/v1/billing",
        "/v1/tables",
        "/v1/status",
        "/v1/processes",
        "/v1/processes/{id}/picture",
        "/v1/query",
        "/v1/dead-letters",
        "/v1/dead-letters/{id}",
        "/v1/dead-letters/retry",
    }
    assert page.headers["content-type"].startswith("text/html")
    assert "https://" not in page.text
    assert all(path in page.text for path in description["paths"])


async def test_times_of_answers_are_utc(shared: World, client: Client) -> None:
    """Every time carries its zone."""
    async with client(shared.deps) as http:
        items = await everything(http, "/v1/journeys", limit=500)
    assert all(datetime.fromisoformat(one["last_event_at"]).tzinfo == UTC for one in items)


def _bodies(description: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The schema of each path's body, with what it refers to."""
    return {
        path: {**operation["requestBody"]["content"]["application/json"]["schema"],
               "components": description["components"]}
        for path, operations in description["paths"].items()
        for operation in operations.values()
        if "requestBody" in operation
    }  # fmt: skip


def test_every_body_has_a_sample_that_is_right(shared: World, control: ControlStore) -> None:
    """The page shows each as a command. A model without one is a mistake that building the page tells."""
    description = create_api(replace(shared.deps, control=control)).openapi()
    shown = unescape(page(description, base="/api"))
    bodies = _bodies(description)
    assert {"/v1/links", "/v1/tickets", "/v1/alerts/feedback", "/v1/rules/preview"} < set(bodies)
    for path, schema in bodies.items():
        _, _, after = shown.partition(f"<pre>curl -X POST http://127.0.0.1:8501/api{path} ")
        command = shlex.split(after.partition("</pre>")[0])
        sample = json.loads(command[command.index("-d") + 1])
        assert sample, path
        jsonschema.validate(sample, schema)
        if "definition" in sample:
            assert load_mapping(sample["definition"]).rules
        if "text" in sample:
            assert parse_rules(sample["text"]).groups
    for schema in bodies.values():
        without = copy.deepcopy(description)
        del without["components"]["schemas"][schema["$ref"].rpartition("/")[2]]["examples"]
        with pytest.raises(KeyError, match="examples"):
            page(without, base="/api")
