"""Backtests from question to answer: the API, the engine's job, periods as people write them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from bench.load import PROCESS, write_config
from tests.dashboards.answers import problem
from tests.dashboards.conftest import INGEST, OURS, THEIRS, Client, token
from tests.dashboards.test_cli import anew
from tests.dashboards.test_correlating import Clock, Setting
from tests.stores import Stores
from throughline.collector.auth import ROLES, Access, Scope
from throughline.collector.control import ControlStore
from throughline.correlator.process import Process, load_process, load_processes
from throughline.dashboards.deps import Deps
from throughline.dashboards.questions import Question, ask, changed, moment
from throughline.probes.errors import ConfigurationError

NOW = datetime(2026, 7, 1, 12, tzinfo=UTC)
OPERATOR = "operators-secret-token-0004"
ACCESS = Access(
    (
        token(OURS, "default", ROLES["viewer"]),
        token(OPERATOR, "default", ROLES["operator"]),
        token(THEIRS, "rival", ROLES["operator"]),
        token(INGEST, "default", frozenset({Scope.INGEST})),
    )
)
ORDERS = load_process(PROCESS)


@pytest.fixture(scope="module")
def setting(stores: Stores, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Setting]:
    """Three late orders."""
    with late_orders(stores, tmp_path_factory.mktemp("backtests")) as made:
        yield made


@contextmanager
def late_orders(stores: Stores, data: Path) -> Iterator[Setting]:
    """A data folder with three orders that were placed ten days ago and never shipped."""
    with (
        stores.at(data / "store") as store,
        closing(ControlStore.open(data / "control.db")) as control,
    ):
        control.migrate()
        made = Setting(store, control, write_config(data / "config"), Clock())
        made.clock.now -= timedelta(days=10)
        for number in range(3):
            made.order(number)
        made.clock.now += timedelta(days=10)
        engine = made.correlating()
        engine.turn()
        engine.work()
        engine.release()
        yield made


@pytest.fixture(scope="module")
def deps(setting: Setting) -> Deps:
    """The API beside that engine."""
    return Deps(
        store=setting.store,
        access=lambda: ACCESS,
        spool=Path("nowhere"),
        processes=lambda: (ORDERS,),
        clock=setting.clock,
        control=setting.control,
    )


async def answer(client: Client, deps: Deps, setting: Setting, **asked: Any) -> dict[str, Any]:
    """Ask, let an engine work, fetch the answer."""
    async with client(deps, OPERATOR) as http:
        started = await http.post("/v1/backtests", json={"process": "bench-orders", **asked})
        assert started.status_code == 202, started.text
        assert started.json()["state"] == "queued"
        engine = setting.correlating()
        engine.reload()
        engine.work()
        engine.release()
        place = started.headers["location"].removeprefix("/api")
        found: dict[str, Any] = (await http.get(place)).json()
    assert found["state"] == "done", found
    return found


def test_backtest_works_without_a_running_engine(stores: Stores, tmp_path: Path) -> None:
    """The verb is the engine while none runs: the same answer, as text.

    First in this file: a process can open one embedded store at a time.
    """
    with late_orders(stores, tmp_path):
        pass
    words = ("backtest", "--process", "bench-orders", "--set", "shipped.within=20d")
    result = anew(*words, "--data", tmp_path, "--config", tmp_path / "config")
    assert result.returncode == 0, result.stderr
    assert "3 of them differ" in result.stdout
    assert re.search(r"\nlate +3 +0\n", result.stdout)
    assert re.search(r"\nshipped +0 → 3 +0 +0 +3 → 0 ", result.stdout)


async def test_backtest_is_answered(client: Client, deps: Deps, setting: Setting) -> None:
    """One changed field: figures of both sides, what moved, and samples by key."""
    found = await answer(client, deps, setting, set=["shipped.within=20d"], since="90d")
    assert found["message"] == "3 journeys differ"
    result = found["result"]
    assert result["before"]["statuses"]["late"] == result["after"]["statuses"]["in_flight"] == 3
    assert result["changes"]["statuses"] == [{"from": "late", "to": "in_flight", "journeys": 3}]
    assert {one["root"] for one in result["changes"]["samples"]} == {
        f"bench.order:order-{number}" for number in range(3)
    }


async def test_two_definitions_of_nobody_are_compared(client: Client, deps: Deps, setting: Setting) -> None:
    """Neither side needs to be in use; without `since` every journey counts."""
    before, after = (PROCESS.replace("2d", within) for within in ("5d", "30d"))
    found = await answer(client, deps, setting, before=before, definition=after)
    assert found["result"]["since"] is None
    assert found["result"]["changes"]["statuses"] == [{"from": "late", "to": "in_flight", "journeys": 3}]


async def test_definition_in_use_differs_in_nothing(client: Client, deps: Deps, setting: Setting) -> None:
    """Nothing changed, nothing moved."""
    found = await answer(client, deps, setting)
    assert found["result"]["before"] == found["result"]["after"]
    assert found["message"] == "0 journeys differ"


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"process": "no-such"}, "No process is called no-such; there are bench-orders."),
        ({"set": ["shiped.within=1d"]}, "did you mean 'shipped'?"),
        ({"definition": "process: bench-orders"}, "<text>:1: the definition needs the field 'keys'"),
        ({"definition": PROCESS.replace("bench-orders", "x")}, "bench-orders and x are two processes"),
        ({"since": "2 business days"}, "'2 business days' is no time: write it like 90d"),
        ({"since": "2026-01-02", "until": "2026-01-01"}, "Nothing lies between"),
        ({"days": 90}, "body.days"),
    ],
)
async def test_bad_question_is_a_problem(
    client: Client, deps: Deps, asked: dict[str, Any], words: str
) -> None:
    """422 and a sentence; definitions fail with the loader's words."""
    async with client(deps, OPERATOR) as http:
        refused = await http.post("/v1/backtests", json={"process": "bench-orders", **asked})
    assert words in problem(refused, 422)["detail"]


async def test_access_by_scope_and_tenant(client: Client, deps: Deps, setting: Setting) -> None:
    """Operators ask, viewers read, others see nothing of it."""
    identity = (await answer(client, deps, setting))["id"]
    for secret, started, read in ((OURS, 403, 200), (INGEST, 403, 403), (THEIRS, 202, 404)):
        async with client(deps, secret) as http:
            asked = await http.post("/v1/backtests", json={"process": "bench-orders"})
            found = await http.get(f"/v1/backtests/{identity}")
        assert (asked.status_code, found.status_code) == (started, read)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("90d", NOW - timedelta(days=90)),
        ("36h", NOW - timedelta(hours=36)),
        ("2026-06-01", datetime(2026, 6, 1, tzinfo=UTC)),
        ("2026-06-01T02:00:00+02:00", datetime(2026, 6, 1, tzinfo=UTC)),
    ],
)
def test_moment_is_read(text: str, expected: datetime) -> None:
    """A length before the end, a date, a time."""
    assert moment(text, NOW) == expected


def test_length_runs_back_from_the_end() -> None:
    """`since` of so many days counts from `until`."""
    question = ask(ORDERS, ORDERS, NOW, since="30d", until="2026-06-30")
    assert question.period.since == datetime(2026, 5, 31, tzinfo=UTC)
    with pytest.raises(ConfigurationError, match="begin earlier"):
        ask(ORDERS, ORDERS, NOW, since="2026-07-02")


@pytest.mark.parametrize("process", load_processes(None).processes, ids=lambda process: process.id)
def test_definition_stays_the_same_on_its_way(process: Process) -> None:
    """Changed in nothing and carried by a job it has its hash, calendars included."""
    same = changed(process, [], None)
    carried = Question.model_validate_json(ask(process, same, NOW).text())
    assert carried.before.definition_hash == carried.after.definition_hash == process.definition_hash


def test_calendar_that_is_chosen_comes_along() -> None:
    """A changed name of a calendar is looked up among those that there are."""
    with_calendar = load_process(PROCESS.replace("2d", "2 business days") + "calendar: de\n")
    assert changed(with_calendar, ["calendar=us"], None).calendars.keys() == {"us"}
