"""Closing a period, and looking back: over the API and as verbs; nothing that was reported changes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

from bench.load import write_config
from tests.dashboards.answers import problem
from tests.dashboards.conftest import INGEST, OURS, THEIRS, Client, token
from tests.dashboards.test_backtests import OPERATOR, ORDERS
from tests.dashboards.test_correlating import ORDER, Clock, Setting
from tests.dashboards.test_pages import visit
from tests.stores import Stores
from throughline.collector.auth import ROLES, Access, Scope
from throughline.collector.control import ControlStore
from throughline.collector.store import Role
from throughline.correlator.closing import NotClosable, days_of
from throughline.dashboards.commands import app
from throughline.dashboards.correlating import Correlating
from throughline.dashboards.deps import Deps
from throughline.dashboards.looking_text import difference, figures

APPROVER = "approvers-secret-token-0005"
ACCESS = Access(
    (
        token(OURS, "default", ROLES["viewer"]),
        token(OPERATOR, "default", ROLES["operator"]),
        token(APPROVER, "default", ROLES["approver"]),
        token(THEIRS, "rival", ROLES["operator"]),
        token(INGEST, "default", frozenset({Scope.INGEST})),
    )
)
PROCESS = {"process": "bench-orders"}


def say(setting: Setting, number: int, event: str, days: float, entity: str = "DE01") -> None:
    """Store what happened to an order so many days ago; it is known from now on."""
    time = datetime.now(UTC) - timedelta(days=days)
    said = {"business.event": event, ORDER: f"order-{number}", "business.entity": entity}
    name = f"{event}{number}".encode().hex()
    row = (time, f"{name:0>32}"[-32:], f"{name:0>16}"[-16:], "shop", "POST", said, "Ok")
    columns = ["Timestamp", "TraceId", "SpanId", "ServiceName", "SpanName", "SpanAttributes", "StatusCode"]
    setting.store.insert_rows("otel_traces", [row], columns, role=Role.LOADER)
    setting.clock.now = datetime.now(UTC)


class Office(Setting):
    """A setting with one engine for all that is to be done."""

    @cached_property
    def engine(self) -> Correlating:
        """The engine."""
        return self.correlating()

    def work(self) -> None:
        """Let it do what there is to do."""
        self.clock.now = datetime.now(UTC)
        self.engine.turn()
        self.engine.work()
        self.clock.now = datetime.now(UTC)


@contextmanager
def three_late_orders(stores: Stores, data: Path) -> Iterator[Office]:
    """Three orders of DE01, placed ten days ago and not shipped, and one of US01."""
    with (
        stores.at(data / "store") as store,
        closing(ControlStore.open(data / "control.db")) as control,
    ):
        control.migrate()
        made = Office(store, control, write_config(data / "config"), Clock())
        for number in (1, 2, 3):
            say(made, number, "order.placed", 10)
        say(made, 4, "order.placed", 10, "US01")
        made.work()
        yield made
        made.engine.release()


def deps_of(setting: Setting) -> Deps:
    """The API beside that engine."""
    return Deps(
        store=setting.store,
        access=lambda: ACCESS,
        spool=Path("nowhere"),
        processes=lambda: (ORDERS,),
        clock=setting.clock,
        control=setting.control,
    )


async def closed(http: httpx.AsyncClient, setting: Office, **asked: str) -> dict[str, Any]:
    """Close DE01's year of the orders, let the engine work, fetch the closing."""
    body = PROCESS | {"entity": "DE01", "period": period()} | asked
    started = await http.post("/v1/closings", json=body)
    assert started.status_code == 202, started.text
    identity = started.json()["items"][0]["id"]
    assert (await http.get(f"/v1/closings/{identity}")).json()["state"] == "queued"
    setting.work()
    return await fetched(http, identity)


async def fetched(http: httpx.AsyncClient, identity: str) -> dict[str, Any]:
    """A closing as the API has it."""
    found: dict[str, Any] = (await http.get(f"/v1/closings/{identity}")).json()
    return found


def period() -> str:
    """The month in which the orders were placed."""
    return f"{datetime.now(UTC) - timedelta(days=10):%Y-%m}"


def statuses(side: dict[str, Any]) -> dict[str, int]:
    """Statuses that any journey has."""
    return {status: count for status, count in side["statuses"].items() if count}


async def test_closed_stays_closed_and_late_events_restate_beside_it(
    client: Client, stores: Stores, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Figures, journeys and late events of a closing; the same time as known then and now; closing again."""
    with three_late_orders(stores, tmp_path) as setting:
        async with client(deps_of(setting), OPERATOR) as http:
            first = await closed(http, setting)
            identity, as_closed = first["id"], first["closing"]
            assert (as_closed["number"], as_closed["journeys"]) == (1, 3)
            assert as_closed["closed_by"] == "default-token"
            assert statuses(as_closed["figures"]) == {"late": 3}
            assert (first["late_events_total"], first["restatement"]) == (0, None)
            journeys = (await http.get(f"/v1/closings/{identity}/journeys?limit=2")).json()
            rest = (await http.get(f"/v1/closings/{identity}/journeys?after={journeys['next']}")).json()
            assert [one["status"] for one in journeys["items"] + rest["items"]] == ["late"] * 3
            assert journeys["items"][0]["milestones"]["shipped"]["state"] == "late"

            at = datetime.now(UTC)
            say(setting, 1, "item.shipped", 9)
            say(setting, 2, "item.shipped", -0.001)
            setting.work()
            found = await fetched(http, identity)
            assert found["closing"] == as_closed
            assert [(one["root"], one["event"]) for one in found["late_events"]] == [
                ("bench.order:order-1", "item.shipped")
            ]
            assert (await http.post(f"/v1/closings/{identity}/restatements")).status_code == 202
            asked = await http.post("/v1/as-of", json=PROCESS | {"at": at.isoformat()})
            setting.work()
            found = await fetched(http, identity)
            assert found["closing"] == as_closed
            now = found["restatement"]
            assert statuses(now["now"]) == {"late": 2, "completed": 1}
            check_restated(now["restated"])
            known = (await http.get(asked.headers["location"].removeprefix("/api"))).json()["result"]
            assert statuses(known["then"]) == {"late": 4}
            assert statuses(known["now"]) == {"late": 3, "completed": 1}
            assert known["definition"]["in_use"] == "then"
            check_restated(known["restated"])
            late = next(one for one in figures(known["then"], known["now"]) if one[0] == "late")
            assert (late, difference(late)) == (("late", 4, 3, ""), "-1")

            again = PROCESS | {"entity": "DE01", "period": period()}
            said = problem(await http.post("/v1/closings", json=again), 422)["detail"]
            assert "what was reported stays. To close it again give a reason." in said
            second = (await closed(http, setting, reason="order 1 was reported late"))["closing"]
            assert (second["number"], statuses(second["figures"])["late"]) == (2, 1)
            assert (await fetched(http, identity))["closing"] == as_closed
            listed = (await http.get("/v1/closings?entity=DE01&limit=1")).json()
            assert [one["number"] for one in listed["items"]] == [2]
            listed = (await http.get(f"/v1/closings?entity=DE01&cursor={listed['next']}")).json()
            assert listed == {"items": [as_closed], "next": None}
        await check_access(client, deps_of(setting), identity)
        check_pages(replace(deps_of(setting), access=Access), identity, asked.json()["id"])
    monkeypatch.setenv("THROUGHLINE_DATA", str(tmp_path))
    monkeypatch.setenv("THROUGHLINE_CONFIG", str(tmp_path / "config"))
    check_verbs()


def check_restated(restated: dict[str, Any]) -> None:
    """The order that was shipped in time and told late; not the one that was shipped later."""
    assert restated["journeys"] == 1
    (one,) = restated["items"]
    assert (one["root"], one["from"], one["to"]) == ("bench.order:order-1", "late", "completed")
    assert one["milestones"] == {"shipped": ["late", "met"]}
    assert [late["event"] for late in one["late_events"]] == ["item.shipped"]


def check_verbs() -> None:
    """Without a running engine they do the work themselves, and answer in text."""
    which = ("--process", "bench-orders")
    close = ["close", "--entity", "DE01", "--period", period(), "--reason", "once more", *which]
    made = CliRunner().invoke(app, close)
    assert made.exit_code == 0, made.output
    assert re.search(r"bench-orders: 3 journeys closed as [0-9a-f]{32}\n", made.output)
    known = CliRunner().invoke(app, ["as-of", f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}", *which])
    assert known.exit_code == 0, known.output
    assert re.search(r"\nlate +2 +2 *\n", known.output)
    assert "0 journeys restated" in known.output


def check_pages(deps: Deps, identity: str, asked: str) -> None:
    """A controller reads the same on the pages, and asks there."""
    app, html = visit(deps, "closings.py", id=identity)
    expected = ("1 event came late since", "As closed", "As known now", "item.shipped")
    assert all(words in html for words in expected)
    assert re.search(r"<td class=\"\">Late</td><td class=\"num\">3</td><td class=\"num\">2</td>", html)
    app.button[0].click().run()
    assert deps.control is not None
    assert deps.control.job("".join(app.query_params["job"])) is not None
    _, html = visit(deps, "as_known.py", job=asked)
    assert all(words in html for words in ("in use then", "Known then", "order-1", "1 journeys restated"))
    app, html = visit(deps, "as_known.py")
    assert "Nothing asked yet" in html
    app.button[0].click().run()
    assert deps.control.job("".join(app.query_params["job"])) is not None


async def check_access(client: Client, deps: Deps, identity: str) -> None:
    """Operators and approvers close, viewers read, others see nothing of it; bad questions say why."""
    wanted = PROCESS | {"entity": "FR02", "period": "2026-03"}
    for secret, may, read in ((OURS, 403, 200), (APPROVER, 202, 200), (INGEST, 403, 403), (THEIRS, 202, 404)):
        async with client(deps, secret) as http:
            assert (await http.post("/v1/closings", json=wanted)).status_code == may
            assert (await http.get(f"/v1/closings/{identity}")).status_code == read
            assert (await http.get(f"/v1/closings/{identity}/journeys")).status_code == read
    refused = [
        ("closings", wanted | {"period": "March"}, "'March' is no period: write it like 2026-03"),
        ("closings", wanted | {"entity": " "}, "Name the legal entity to close"),
        ("closings", wanted | {"process": "no-such"}, "No process is called no-such"),
        ("as-of", PROCESS | {"at": "2199-01-01"}, "is still to come"),
        ("as-of", PROCESS | {"at": "soon"}, "'soon' is no time"),
    ]
    async with client(deps, OPERATOR) as http:
        for place, body, words in refused:
            assert words in problem(await http.post(f"/v1/{place}", json=body), 422)["detail"]


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [
        ("2024-02", date(2024, 2, 1), date(2024, 2, 29)),
        ("2026-12", date(2026, 12, 1), date(2026, 12, 31)),
        ("2026-Q4", date(2026, 10, 1), date(2026, 12, 31)),
        ("2026", date(2026, 1, 1), date(2026, 12, 31)),
    ],
)
def test_periods_are_read(text: str, first: date, last: date) -> None:
    """Months, quarters, years; anything else is refused."""
    assert days_of(text) == (first, last)
    with pytest.raises(NotClosable, match="is no period"):
        days_of(f"{text}-32")
