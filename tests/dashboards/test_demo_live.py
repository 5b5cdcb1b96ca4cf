"""The whole way: the firm's OTLP over HTTP becomes the journeys it planned, and a visitor sees them."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from bench.running import Platform
from tests.dashboards.browse import browse, screenshots
from tests.dashboards.browse_alerts import follow_an_alert
from tests.dashboards.demo_mends import mend, run_again
from throughline.dashboards.demo.estate import Estate
from throughline.dashboards.demo.firm import doing_again, send_history
from throughline.dashboards.demo.scenario import Plan, plan

SETTLED_SECONDS = 150.0
CALM = {"THROUGHLINE_CORRELATE_EVERY_SECONDS": "2"}
"""Looking for new rows four times a second would take the processor from the visitor."""

pytestmark = pytest.mark.timeout(420)


@pytest.fixture(scope="module")
def past() -> Plan:
    """What the firm did until now."""
    return plan(7, datetime.now(UTC))


@pytest.fixture(scope="module")
def estate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Estate]:
    """The firm's systems, and the files that tell the platform of them."""
    config = tmp_path_factory.mktemp("demo") / "config"
    chosen = config / "processes" / "shipped.yaml"
    chosen.parent.mkdir(parents=True)
    chosen.write_text("use: [opportunity-to-invoice, opportunity-to-project, time-to-billing]\n")
    with closing(Estate(config)) as made:
        made.middleware.step_seconds = 0.1
        yield made


@pytest.fixture(scope="module")
def platform(estate: Estate, past: Plan) -> Iterator[Platform]:
    """The platform with the firm's history in it."""
    running = Platform(estate.config.parent / "data", estate.config, CALM)
    running.start()
    try:
        send_history(running.intake, past, estate)
        with doing_again(running.intake, estate):
            yield running
    finally:
        running.stop()


def journeys(platform: Platform) -> dict[str, dict[str, Any]]:
    """All journeys by every key they have."""
    found: dict[str, dict[str, Any]] = {}
    cursor: dict[str, str] = {}
    while True:
        page = platform.get("/journeys", process="opportunity-to-invoice", limit=500, **cursor)
        for item in page["items"]:
            found.update(dict.fromkeys(item["keys"], item))
        if page["next"] is None:
            return found
        cursor = {"cursor": page["next"]}


def differences(past: Plan, found: dict[str, dict[str, Any]]) -> list[str]:
    """Journeys that are not as planned."""
    wrong = []
    for key, expected in past.journeys.items():
        shown = found.get(key)
        status, events = (shown["status"], shown["events_total"]) if shown else ("absent", 0)
        planned = (expected.status, expected.events if expected.status != "absent" else 0)
        if (status, events) != planned:
            wrong.append(f"{expected.kind} {key}: {planned} planned, {(status, events)} shown")
    return wrong


def test_every_journey_is_as_planned(platform: Platform, past: Plan) -> None:
    """Stuck, late, duplicated, out of order, shared, credited, failing: status and number of events."""
    deadline = time.monotonic() + SETTLED_SECONDS
    while wrong := differences(past, journeys(platform)):
        if time.monotonic() > deadline:
            kinds = Counter(line.split(" ")[0] for line in wrong)
            pytest.fail(f"{len(wrong)} of {len(past.journeys)}: {kinds}\n" + "\n".join(wrong[:12]))
        time.sleep(3)  # to list them all is work, too


def test_everything_received_is_stored(platform: Platform) -> None:
    """Nothing is lost and nothing lies in dead letters."""
    status = platform.get("/status")
    assert status["stored"] == status["received"]
    assert status["dead_letters"] == 0


def test_a_person_runs_a_group_again(platform: Platform) -> None:
    """One of five causes: its events are found, run again behind a canary, and verified."""
    run_again(platform, screenshots())


@pytest.mark.walk
@pytest.mark.timeout(600)
def test_a_person_mends_the_other_causes(platform: Platform, estate: Estate, past: Plan) -> None:
    """One repaired, another group run again, sources changed: all verified, journeys complete."""
    mend(platform, f"{estate.address}/systems", past, screenshots())


def test_a_visitor_walks_through_the_demo(platform: Platform) -> None:
    """Overview, journeys, journey, trace, API reference, in a real browser; pictures are kept."""
    folder: Path = screenshots()
    visited = browse(platform.api.removesuffix("/api/v1"), folder, prefix="demo-")
    assert {"overview", "journeys", "journey", "trace", "billing", "triage", "replays", "api"} <= set(visited)
    assert "trace=" in visited["trace"]
    assert "status=stuck" in visited["journeys-stuck"]
    assert "id=" in visited["replays"]


@pytest.mark.walk
@pytest.mark.timeout(500)
def test_a_new_user_is_alerted(platform: Platform) -> None:
    """Write, preview, backtest, enable, see it fire, acknowledge, see it end: in the browser, in minutes."""
    follow_an_alert(platform.api.removesuffix("/api/v1"))
    found = platform.query("SELECT old_state, new_state FROM alerts WHERE alert = 'MyFirstAlert'")
    assert {tuple(row) for row in found} >= {("inactive", "firing"), ("firing", "resolved")}
