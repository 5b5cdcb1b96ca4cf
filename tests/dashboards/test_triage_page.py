"""From what needs a human to a replay that fixes it, on the pages."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from tests.correlator.replay.world import Endpoint, Firm, World
from tests.dashboards.test_pages import body, visit
from throughline.collector.auth import Access
from throughline.collector.control import ControlStore
from throughline.collector.store import Role, Store
from throughline.correlator.replay.planning import Rules
from throughline.dashboards import session
from throughline.dashboards.deps import Deps


@pytest.fixture(scope="module")
def firm(module_store: Store) -> Firm:
    """Failed deals of the tenant that pages show without tokens."""
    return Firm(module_store, tenant="default")


@pytest.fixture
def world(firm: Firm, control: ControlStore) -> Iterator[World]:
    """A target."""
    with Endpoint().serving() as endpoint:
        yield World(firm, control, endpoint)


@pytest.fixture
def deps(world: World, tmp_path: Path) -> Deps:
    """What pages use."""
    made = Deps(
        store=world.store,
        access=Access,
        spool=tmp_path,
        processes=tuple,
        clock=lambda: world.now,
        control=world.control,
        replay_rules=lambda: Rules(world.targets, world.policy),
    )
    session.provide(made)
    return made


def _click(app: AppTest, label: str) -> AppTest:
    button = next(one for one in app.button if one.label == label)
    return button.click().run(timeout=60)


def test_a_cause_is_found_done_again_and_seen_to_work(world: World, deps: Deps) -> None:
    """The queue groups by cause; the page says what a replay would do, asks for it, and shows its end."""
    _, shown = visit(deps, "triage.py")
    assert "NO_NAME" in shown
    assert "120 on 120 journeys" in shown
    rows = world.store.query(
        "SELECT any(fingerprint) FROM exceptions_at(tenant = 'default', now = now64(6))"
        " WHERE code = 'NO_NAME'",
        role=Role.PAGES,
    ).result_rows
    app, shown = visit(deps, "triage.py", fingerprint=str(rows[0][0]))
    assert "journeys, one cause: NO_NAME" in shown
    assert "name is missing" in shown
    assert "Fix it at the source: the data are wrong." in shown
    assert app.selectbox(key="replay_kind").value == "fix_at_source"
    app.selectbox(key="replay_kind").set_value("resubmit").run(timeout=60)
    app.text_input(key="replay_reason").set_value("the customer has a name now").run(timeout=60)
    shown = body(_click(app, "What would it do?"))
    assert "96 of 120" in shown
    assert "No payload is stored" in shown
    assert world.replays() == []
    _click(app, "Do it")
    (replay,) = world.replays()
    assert (replay.reason, replay.state) == ("the customer has a name now", "running")
    worker = world.worker()
    world.work(worker, turns=1)
    deal = int(world.endpoint.received[0][1].rpartition("D")[2])
    world.created(deal, replay=replay)
    world.work(worker, turns=2)
    worker.close()
    app, shown = visit(deps, "replays.py", id=replay.id)
    assert "Verified, caused" in shown
    assert "project.created arrived." in shown
    _, shown = visit(deps, "triage.py", fingerprint=str(rows[0][0]), exception=world.exception(7))
    assert "1 chosen by the address" in shown
    assert "Resubmit at middleware caused 1 of 1 to work (100%)." in shown
    app, _ = visit(deps, "replays.py", id=replay.id)
    _click(app, "Cancel")
    assert world.replays()[0].state == "cancelled"
    # Its items have so many acts that the page may show no more: how many were sent is a matter of time.
    _, shown = visit(deps, "audit.py", id=replay.id, about="replay")
    assert "the customer has a name now" in shown
    assert "resubmit at middleware" in shown
    _, shown = visit(deps, "replays.py")
    assert replay.id in shown
