"""Asking for replays and deciding about them: what is refused, and who must approve."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.correlator.replay.world import World
from throughline.collector.control import ControlStore
from throughline.correlator.replay.deciding import NotAsSeen
from throughline.correlator.replay.ledger import Ledger
from throughline.correlator.replay.planning import Refused
from throughline.correlator.replay.policy import InvalidApprovals, parse_policy

SECOND = "approvals: [{need: second_person, expires: 1h}]"


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        ({"target": "nowhere"}, "There is no target 'nowhere'; known are middleware."),
        ({"exceptions": ("0" * 16,)}, "There is no exception 0000000000000000."),
        ({"kind": "guess"}, "There is no kind 'guess'"),
        ({"kind": "repair", "payload": "{"}, "The payload is no JSON"),
        ({"kind": "repair", "payload": '{"name": 5}'}, "name: 5 is not of type 'string'."),
        ({"payload": "{}"}, "Only a repair sends a payload of its own."),
        ({"kind": "dismiss"}, "there is no target to call"),
        ({"exceptions": (), "fingerprint": "f" * 16}, "No exception with the fingerprint"),
    ],
)
def test_what_cannot_be_done_is_refused_and_kept(world: World, asked: dict[str, Any], sentence: str) -> None:
    """The message says what to do; the attempt stands in the ledger, and nothing is sent."""
    world.targets = world.target("schema: {type: object, properties: {name: {type: string}}}")
    world.take()
    with pytest.raises(Refused, match=re.escape(sentence)):
        world.plan(**asked)
    (kept,) = Ledger(world.control).replays(world.tenant)
    assert (kept.state, kept.requested_by, sentence in kept.note) == ("refused", "ann", True)
    with pytest.raises(Refused):
        world.plan(dry_run=True, **asked)
    assert len(Ledger(world.control).replays(world.tenant)) == 1
    assert world.endpoint.received == []


def test_red_checks_refuse_an_item_unless_somebody_who_may_says_otherwise(world: World) -> None:
    """Without a stored payload nothing can be resubmitted; the window of the platform is over."""
    world.targets = world.target("window: 1h\n    kinds: [resubmit, rerun]")
    with_payload, without = world.take(), world.take(payload=False)
    plan = world.plan()
    assert {item.exception: item.state for item in plan.items} == {
        world.exception(with_payload): "planned",
        world.exception(without): "refused",
    }
    reasons = {check.check: (check.result, check.reason) for item in plan.items for check in item.checks}
    assert reasons["payload"][0] == "red"
    assert reasons["window"] == ("green", "less than an hour more.")
    assert plan.amounts == {"EUR": Decimal(100 * with_payload)}
    world.now += timedelta(hours=2)
    late = world.plan(kind="rerun", exceptions=(world.exception(without),))
    assert (late.replay.state, late.items[0].state) == ("refused", "refused")
    assert "The platform keeps it for" in late.items[0].note
    with pytest.raises(Refused, match="needs the scope approve"):
        world.plan(kind="rerun", exceptions=(world.exception(without),), override=True,
                   who=world.who("cid", "operator"))  # fmt: skip
    forced = world.plan(kind="rerun", exceptions=(world.exception(without),), override=True)
    assert (forced.replay.state, forced.items[0].state) == ("running", "planned")


def test_one_exception_is_in_one_replay_at_a_time(world: World) -> None:
    """The second is told which replay has it; planned at the same moment, one wins."""
    world.take()
    first = world.plan()
    second = world.plan()
    assert second.items[0].note == f"The replay {first.replay.id} has it in hand."
    world.decider().cancel(first.replay.id, "never mind")
    with ThreadPoolExecutor(4) as pool:
        plans = list(pool.map(lambda _: world.plan(), range(4)))
    states = sorted(item.state for plan in plans for item in plan.items)
    assert states == ["planned", "refused", "refused", "refused"]


def test_approval_needs_somebody_else_in_time_for_the_same_thing(world: World) -> None:
    """Neither the requester, nor somebody without the scope, nor too late, nor for a changed target."""
    world.policy = parse_policy("approvals: [{need: approver, expires: 1h}]")
    world.take()
    plan = world.plan()
    assert (plan.replay.state, plan.items[0].state) == ("awaiting_approval", "awaiting_approval")
    worker = world.worker()
    world.work(worker)
    assert world.endpoint.received == []
    for name, role, sentence in (
        ("ann", "admin", "can't approve it"),
        ("cid", "operator", "needs somebody with the scope approve"),
    ):
        with pytest.raises(Refused, match=sentence):
            world.decider(name, role).approve(plan.replay.id)
    attempts = [one.reason for one in Ledger(world.control).history(world.tenant, plan.replay.id)]
    assert "cid may not approve it." in attempts
    world.decider().approve(plan.replay.id)
    with pytest.raises(NotAsSeen, match="there is nothing to approve"):
        world.decider("dan").approve(plan.replay.id)
    world.work(worker)
    assert len(world.endpoint.received) == 1
    worker.close()

    world.taken.clear()
    world.take()
    late = world.plan()
    world.now += timedelta(hours=2)
    with pytest.raises(Refused, match="time for approval is over"):
        world.decider().approve(late.replay.id)
    assert world.states(late.replay) == [("cancelled", ""), ("cancelled", "")]
    changed = world.plan()
    world.targets = world.target("finance: true")
    with pytest.raises(Refused, match="has changed since"):
        world.decider().approve(changed.replay.id)


@pytest.mark.parametrize("where", ["sqlite", "postgresql"])
def test_of_two_who_decide_at_once_one_wins(
    world: World, tmp_path: Path, where: str, request: pytest.FixtureRequest
) -> None:
    """Two approvers, two workers: each thing is done once, on both control stores."""
    control = ControlStore.open(
        tmp_path / "race.db" if where == "sqlite" else request.getfixturevalue("postgres_url")
    )
    control.migrate()
    world.control = control
    world.policy = parse_policy(SECOND)
    for _ in range(3):
        world.take()
    world.targets = world.target("batches: {canary: 3}")
    plan = world.plan()

    def approve(name: str) -> bool:
        try:
            world.decider(name).approve(plan.replay.id)
        except NotAsSeen:
            return False
        return True

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(approve, ("bob", "cid", "dan", "eve"))) == [False, False, False, True]
    workers = [world.worker(), world.worker()]
    with ThreadPoolExecutor(2) as pool:
        for _ in range(2):
            list(pool.map(lambda worker: worker.turn(), workers))
            for worker in workers:
                worker.wait()
    for worker in workers:
        worker.close()
    assert len(world.endpoint.received) == 3
    assert {item.attempts for item in world.items(plan.replay)} == {1}
    control.close()


def test_a_repair_shows_what_it_changes(world: World) -> None:
    """As a diff of laid-out JSON; it goes out as edited."""
    world.take()
    plan = world.plan(kind="repair", payload='{"name": "Q"}')
    assert '-  "name": "P"' in plan.diff
    assert '+  "name": "Q"' in plan.diff
    worker = world.worker()
    world.work(worker)
    assert world.endpoint.received[0][3] == b'{"name": "Q"}'
    worker.close()


def test_rules_of_approval_say_file_and_line() -> None:
    """A misspelt need names what there is."""
    with pytest.raises(InvalidApprovals, match=re.escape(":2: `approvals[1].need` must be 'none'")):
        parse_policy("approvals:\n  - need: nobody\n")


def test_undoing_is_always_approved(world: World) -> None:
    """Whatever the rules say."""
    world.targets = world.target(
        f'kinds: [compensate]\n    compensate: {{method: DELETE, url: "{world.endpoint.url}/undo"}}'
    )
    world.take()
    plan = world.plan(kind="compensate")
    assert (plan.replay.need, plan.replay.state) == ("approver", "awaiting_approval")
    world.decider().approve(plan.replay.id)
    worker = world.worker()
    world.work(worker)
    assert [method for method, *_ in world.endpoint.received] == ["DELETE"]
    worker.close()
