"""Replays from the call to the verified effect, over real HTTP; and what is left when the worker dies."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from tests.correlator.replay.world import World, loaded
from throughline.collector.store import Role
from throughline.correlator.alerts.asking import Limits, rows
from throughline.correlator.replay.ledger import Ledger
from throughline.correlator.replay.records import Replay


class Died(BaseException):
    """The worker is no more."""


def dies_at(step: str, *, time: int = 1) -> Callable[[str], None]:
    """A checkpoint that dies when a step is announced for the n-th time."""
    seen = 0

    def checkpoint(name: str) -> None:
        nonlocal seen
        seen += name == step
        if name == step and seen == time:
            raise Died

    return checkpoint


def effect_of(world: World, *, idempotent: bool) -> list[str]:
    """Let the target create projects; returns the idempotency keys of its effects."""
    effects: list[str] = []

    def act(headers: dict[str, str], _: bytes) -> None:
        key = headers["idempotency-key"]
        if not (idempotent and key in effects):
            effects.append(key)

    world.endpoint.act = act
    return effects


def test_a_resubmit_is_sent_and_verified_by_its_effect(world: World) -> None:
    """The payload goes out with key, trace and replay id; the event that carries the id verifies it."""
    deal = world.take()
    plan = world.plan()
    assert [(check.check, check.result) for check in plan.items[0].checks] == [
        ("still_open", "green"),
        ("target", "green"),
    ]
    worker = world.worker()
    world.work(worker, turns=1)
    ((method, path, headers, body),) = world.endpoint.received
    item = world.items(plan.replay)[0]
    assert (method, path, loaded(body)) == ("POST", f"/projects/D{deal}", {"name": "P"})
    assert headers["idempotency-key"] == item.idempotency_key
    assert headers["baggage"] == f"business.replay.id={item.name}"
    assert headers["traceparent"].split("-")[1] == item.trace_id
    assert world.states(plan.replay) == [("accepted", ""), ("running", "")]
    world.created(deal, replay=plan.replay)
    world.work(worker)
    assert world.states(plan.replay) == [("verified", "caused"), ("done", "")]
    again = world.plan(dry_run=True).items[0]
    assert (again.state, again.checks[0].reason) == (
        "refused",
        "It is resolved; there is nothing to do again.",
    )
    worker.close()


def test_an_unrelated_success_is_only_observed_and_nothing_at_all_ends_unverified(world: World) -> None:
    """A success without the id does not say that the replay did it; a target that does nothing is found out.

    An effect that comes too late still counts, and a second one opens an exception.
    """
    one, two = world.take(), world.take()
    world.targets = world.target("batches: {canary: 2}")
    plan = world.plan()
    worker = world.worker()
    world.work(worker, turns=1)
    world.created(one)
    world.now += timedelta(minutes=16)
    world.work(worker)
    assert world.state(plan.replay, one) == ("verified", "observed")
    assert world.state(plan.replay, two) == ("unverified", "")
    ended = world.now
    told = {
        world.exception(one): ("verified", "observed", False),
        world.exception(two): ("unverified", "", False),
    }
    assert replays_of(world, plan.replay) == told
    world.created(one, two, replay=plan.replay)
    world.now += timedelta(minutes=2)
    world.work(worker)
    assert world.state(plan.replay, two) == ("verified", "caused")
    late = {world.exception(two): ("verified", "caused", True)}
    assert replays_of(world, plan.replay) == told | late
    assert replays_of(world, plan.replay, "late AND at > ended_at") == late
    world.now = ended
    assert replays_of(world, plan.replay) == told
    assert [item.exception for item in world.reports] == [world.exception(one)]
    worker.close()


def replays_of(world: World, replay: Replay, condition: str = "true") -> dict[str, tuple[str, str, bool]]:
    """State, outcome and lateness by exception, as rules and queries read them by the world's clock."""
    Ledger(world.control).copy(world.store)
    sql = f"SELECT exception, state, outcome, late FROM replays WHERE replay = '{replay.id}' AND {condition}"
    found = rows(world.store, world.tenant, sql, world.now, most=10, limits=Limits())
    return {str(one["exception"]): (one["state"], one["outcome"], one["late"]) for one in found}


@pytest.mark.parametrize("idempotent", [True, False])
@pytest.mark.parametrize("trouble", [500, "reset"])
def test_only_a_target_that_drops_repeats_is_called_again(
    world: World, trouble: int | str, *, idempotent: bool
) -> None:
    """After an answer that leaves it open whether it worked; the other waits for a person's word."""
    world.targets = world.target(f"idempotent: {str(idempotent).lower()}")
    effects = effect_of(world, idempotent=idempotent)
    world.endpoint.answers = [trouble, 200]
    world.take()
    plan = world.plan()
    worker = world.worker()
    world.work(worker, turns=4)
    (item,) = world.items(plan.replay)
    if idempotent:
        assert (item.state, item.attempts, len(effects)) == ("accepted", 2, 1)
        assert len({headers["idempotency-key"] for _, _, headers, _ in world.endpoint.received}) == 1
    else:
        assert (item.state, item.uncertain, item.attempts) == ("sent", True, 1)
        assert "Nobody knows" in item.note
        world.decider().settle(plan.replay.id, 1, arrived=False, note="not there")
        world.work(worker)
        (item,) = world.items(plan.replay)
        assert (item.state, item.uncertain, item.attempts) == ("accepted", False, 2)
    worker.close()


def test_a_call_that_goes_wrong_unexpectedly_holds_up_no_other(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    """It is logged, and treated as that of a dead worker; what others said is noted."""
    bad, good = world.take(), world.take()
    half = f"{{{{ '\\ud800' if subject.id == 'D{bad}' else '' }}}}"  # no text: it can't be encoded
    world.targets = world.target(
        f"batches: {{canary: 2}}\n    steps: [{{url: '{world.endpoint.url}/', body: \"{half}\"}}]"
    )
    plan = world.plan()
    worker = world.worker()
    world.work(worker)
    assert (world.state(plan.replay, bad), world.state(plan.replay, good)) == (("sent", ""), ("accepted", ""))
    (item,) = [one for one in world.items(plan.replay) if one.exception == world.exception(bad)]
    assert [item.name in one.message for one in caplog.records if one.exc_info] == [True]
    world.now += timedelta(minutes=5)
    world.work(worker)
    (item,) = [one for one in world.items(plan.replay) if one.exception == world.exception(bad)]
    assert (item.state, item.uncertain) == ("sent", True)
    worker.close()


def test_what_another_try_does_not_change_fails_and_what_is_busy_is_tried_later(world: World) -> None:
    """422 is final. 503 says that nothing has happened: also a target that repeats is asked again."""
    world.endpoint.answers = [503, 422]
    world.take()
    plan = world.plan()
    worker = world.worker()
    world.work(worker, turns=3)
    (item,) = world.items(plan.replay)
    assert (item.state, item.attempts, item.status) == ("failed", 2, 422)
    assert [one.state for one in Ledger(world.control).history(world.tenant, plan.replay.id) if one.item] == [
        "planned", "sent", "planned", "sent", "failed",
    ]  # fmt: skip
    worker.close()


def test_an_effect_that_arrives_before_the_next_try_is_its_own(world: World) -> None:
    """The answer was lost and the call is to be made again; it is verified instead, not refused."""
    world.targets = world.target("idempotent: true")
    world.endpoint.answers = [500]
    deal = world.take()
    plan = world.plan()
    worker = world.worker()
    world.work(worker, turns=1)
    assert [state for state, _ in world.states(plan.replay)] == ["planned", "running"]
    world.created(deal, replay=plan.replay)
    world.work(worker, turns=2)
    assert world.states(plan.replay) == [("verified", "caused"), ("done", "")]
    assert len(world.endpoint.received) == 1
    worker.close()


@pytest.mark.parametrize("idempotent", [True, False])
@pytest.mark.parametrize("step", ["claim", "call", "settle", "verify", "recover"])
def test_a_death_between_any_two_steps_leaves_one_effect(
    world: World, step: str, *, idempotent: bool
) -> None:
    """A target that drops repeats has one effect; any other got one call unless a person asked for more."""
    world.targets = world.target(f"idempotent: {str(idempotent).lower()}")
    effects = effect_of(world, idempotent=idempotent)
    deal = world.take()
    plan = world.plan()
    first = world.worker(dies_at("call" if step == "recover" else step))
    with pytest.raises(Died):
        world.work(first)
    first.wait()
    if step == "recover":
        world.now += timedelta(minutes=5)
        second = world.worker(dies_at("recover"))
        with pytest.raises(Died):
            world.work(second)
    world.now += timedelta(minutes=5)
    last = world.worker()
    world.work(last)
    (item,) = world.items(plan.replay)
    lost = step in {"call", "settle", "recover"}
    assert len(effects) == (0 if lost and step != "settle" and not idempotent else 1)
    if lost and not idempotent:
        assert (item.state, item.uncertain) == ("sent", True)
        world.created(deal, replay=plan.replay)
        world.now += timedelta(seconds=10)
        world.work(last)
        assert world.states(plan.replay) == [("verified", "caused"), ("done", "")]
    else:
        assert item.state == "accepted"
    last.close()


def test_batches_grow_and_stop_themselves(world: World) -> None:
    """One first, then three, then the rest; a batch that does not work ends it until a person resumes."""
    world.targets = world.target("batches: {canary: 1, factor: 2, stop_above: 0.4}\n    verify_within: 1m")
    for _ in range(6):
        world.take()
    plan = world.plan()
    worker = world.worker()
    world.work(worker, turns=2)
    assert len(world.endpoint.received) == 1
    world.created(int(world.endpoint.received[0][1].rpartition("D")[2]), replay=plan.replay)
    world.work(worker, turns=2)
    assert len(world.endpoint.received) == 3
    world.now += timedelta(minutes=2)
    world.work(worker, turns=2)
    replay = Ledger(world.control).replay(world.tenant, plan.replay.id)
    assert replay is not None
    assert (replay.state, len(world.endpoint.received)) == ("paused", 3)
    assert replay.note == "2 of 3 did not work: it has stopped itself."
    world.decider().resume(replay.id, "the target is mended")
    world.work(worker, turns=2)
    assert len(world.endpoint.received) == 6
    worker.close()


def test_fixing_at_source_is_verified_by_facts_and_dismissing_closes(world: World) -> None:
    """Nothing is sent for either."""
    deals = [world.take(payload=False) for _ in range(2)]
    one, two = map(world.exception, deals)
    worker = world.worker()
    fix = world.plan(kind="fix_at_source", target="", exceptions=(one,), expected="The deal has a name.")
    drop = world.plan(kind="dismiss", target="", exceptions=(two,), reason="a test deal")
    world.work(worker)
    assert world.states(fix.replay) == [("accepted", ""), ("running", "")]
    assert world.states(drop.replay) == [("verified", "dismissed"), ("done", "")]
    subject = world.plan(kind="fix_at_source", target="", exceptions=(one,), dry_run=True).items[0]
    assert subject.state == "refused"  # it is in hand
    world.created(*deals)
    world.work(worker)
    assert world.states(fix.replay) == [("verified", "observed"), ("done", "")]
    assert world.endpoint.received == []
    worker.close()


def test_one_call_moves_a_whole_queue(world: World) -> None:
    """A target that is called once takes all items with it, steps and all."""
    world.targets = world.target(
        "kinds: [redrive]\n    once: true\n    steps: [{method: DELETE, url: "
        f'"{world.endpoint.url}/queue"}}]'
    )
    for _ in range(3):
        world.take()
    plan = world.plan(kind="redrive")
    worker = world.worker()
    world.work(worker)
    assert [method for method, *_ in world.endpoint.received] == ["POST", "DELETE"]
    assert [state for state, _ in world.states(plan.replay)] == ["accepted"] * 3 + ["running"]
    worker.close()


def test_a_target_that_has_it_already_is_not_called(world: World) -> None:
    """The look-up says so before the call."""
    world.targets = world.target(f'lookup: {{url: "{world.endpoint.url}/have/{{{{ subject.id }}}}"}}')
    world.take()
    plan = world.plan()
    worker = world.worker()
    world.work(worker)
    (item,) = world.items(plan.replay)
    assert [method for method, *_ in world.endpoint.received] == ["GET"]
    assert item.state == "failed"
    assert "it is there already" in item.note
    worker.close()


@pytest.mark.parametrize(
    ("more", "state", "said"),
    [
        (
            "auth: {oauth2: {token_url: 'TARGET/token', client_id: ours, client_secret: {env: SECRET}}}",
            "planned",
            "No token was given",
        ),
        (
            "steps: [{url: 'TARGET/', headers: {X-City: Zürich}}]\n    idempotent: true",
            "failed",
            "not 'Zürich'",
        ),
    ],
)
def test_what_could_not_be_sent_is_not_uncertain(
    world: World, monkeypatch: pytest.MonkeyPatch, more: str, state: str, said: str
) -> None:
    """Without a token nothing was sent: it is tried again. A header that HTTP can't hold is told."""
    monkeypatch.setenv("SECRET", "s3cret")
    world.targets = world.target(more.replace("TARGET", world.endpoint.url))
    world.take()
    plan = world.plan()
    worker = world.worker()
    world.work(worker, turns=1)
    (item,) = world.items(plan.replay)
    assert (item.state, item.uncertain) == (state, False)
    assert said in item.note
    worker.close()


def test_transitions_reach_the_facts_store_once(world: World) -> None:
    """A copy that is made again adds nothing."""
    world.take()
    plan = world.plan()
    worker = world.worker()
    world.work(worker)
    Ledger(world.control).copy(world.store)
    history = Ledger(world.control).history(world.tenant, plan.replay.id)
    rows = world.store.query(
        "SELECT Item, Number, State, Actor FROM replay_transitions FINAL WHERE Replay = {id:String}"
        " ORDER BY Item, Number",
        {"id": plan.replay.id},
        role=Role.PAGES,
    ).result_rows
    name = {0: "", 1: f"{plan.replay.id}.1"}
    told = sorted((name[one.item], one.number, one.state, one.actor) for one in history)
    assert [tuple(row) for row in rows] == told
    worker.close()
