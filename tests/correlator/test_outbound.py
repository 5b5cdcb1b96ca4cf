"""Subscribers are told of each transition: signed, at least once, by one id; never of the past again."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.correlator.facts import EPOCH, Said, World, trace_hex
from tests.correlator.reference import Level
from tests.correlator.webhook_receiver import Received, Subscriber, subscriber
from throughline.collector.control import ControlStore
from throughline.collector.store import Role, Store
from throughline.correlator.outbound.outbound import Outbound
from throughline.correlator.outbound.outbox import Outbox
from throughline.correlator.outbound.subscriptions import Subscription, load_subscriptions
from throughline.correlator.process import load_process

SECRET = "whsec_" + "c2VjcmV0LW9mLXRoZS1zdWJzY3JpYmVyLTAx"
LEVELS = (Level(("deal",)), Level(("project",)))
DEFINITION = """
process: told
keys: [deal, project]
amount_of: won
milestones:
  - {name: won, event: won, undone_by: [lost]}
  - {name: created, event: created, within: {time: 30m, of: won}, owner: delivery}
"""


AGAIN = "  - {name: again, event: won, undone_by: [lost]}\n  - {name: created"
EXAMPLES = int(os.environ.get("THROUGHLINE_FOLD_EXAMPLES", "1"))
STEPS = 3


class Clock:
    """Starts now; a test moves it."""

    def __init__(self) -> None:
        self.ahead = timedelta(0)

    def __call__(self) -> datetime:
        """Tell the time."""
        return datetime.now(UTC) + self.ahead


class Telling:
    """A tenant's journeys, and who is told of them: each test is a subscriber of its own."""

    def __init__(self, store: Store, folder: Path) -> None:
        self.world = World(store, "telling", LEVELS, load_process(DEFINITION))
        self.control = ControlStore.open(folder / "control.db")
        self.control.migrate()
        self.config, self.clock, self.name = folder, Clock(), ""
        self.hearing = Subscriber(SECRET)
        self.outbound = self.engine()

    def engine(self, holder: str = "one") -> Outbound:
        """The telling part of one engine."""
        world, environ = self.world, {"HOOK": SECRET}
        return Outbound(
            world.store, self.control, self.config, holder=holder, clock=self.clock, environ=environ
        )

    def another_engine(self, holder: str = "one") -> None:
        """Let another engine go on."""
        self.outbound.release()
        self.outbound = self.engine(holder)

    def subscribe(self, more: str = "") -> None:
        """Write the file."""
        (self.config / "subscriptions.yaml").write_text(
            f"subscriptions:\n  - {{id: {self.name}, tenant: telling, url: '{self.hearing.url}', "
            f"hosts: ['{self.hearing.place}'], secret: {{env: HOOK}}, max_age: 9999d{more}}}\n"
        )

    @property
    def subscription(self) -> Subscription:
        """The only one."""
        return load_subscriptions(self.config)[0]

    def say(self, *said: Said) -> list[tuple[str, str, str]]:
        """Let it happen; returns what is told."""
        self.world.say(*said, ingested=datetime.now(UTC))
        self.world.tick()
        return self.told()

    def told(self) -> list[tuple[str, str, str]]:
        """What the next turn tells."""
        self.outbound.turn()
        return self.hearing.said()


@pytest.fixture
def hearing() -> Iterator[Subscriber]:
    """A subscriber."""
    with subscriber(SECRET) as listening:
        yield listening


@pytest.fixture(scope="module")
def shared(module_store: Store, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Telling]:
    """One tenant for the module; a deal was won long before anybody subscribed."""
    made = Telling(module_store, tmp_path_factory.mktemp("telling"))
    made.world.say(won("d0"), ingested=datetime.now(UTC) - timedelta(hours=1))
    made.world.tick()
    yield made
    made.outbound.release()
    made.control.close()


@pytest.fixture
def telling(shared: Telling, hearing: Subscriber, request: pytest.FixtureRequest) -> Telling:
    """The tenant, with a new subscriber, who has heard nothing yet."""
    shared.hearing, shared.name = hearing, f"hook-{request.node.name.partition('[')[0]}"
    shared.clock.ahead = timedelta(0)
    shared.subscribe()
    shared.another_engine()
    assert shared.told() == []
    return shared


def won(deal: str, time: int = 0, **more: object) -> Said:
    """A deal is won."""
    name = str(more.pop("name", f"won-{deal}-{time}-{more.get('event', '')}-{more.get('failed', '')}"))
    return Said(name, "won", time, (f"deal:{deal}",), **more)  # type: ignore[arg-type]


def lost(deal: str, time: int) -> Said:
    """And lost again."""
    return Said(f"lost-{deal}-{time}", "lost", time, (f"deal:{deal}",))


def created(project: str, deal: str, time: int, *, failed: bool = False, name: str = "") -> Said:
    """Its project is created, or not."""
    keys = (f"deal:{deal}", f"project:{project}")
    return Said(name or f"made-{project}-{time}", "created", time, keys, subject="deal", failed=failed)


def test_a_life_is_told_once(telling: Telling) -> None:
    """Met, failed, resolved, undone: each once. Late news, rebuilds and changed definitions tell no past."""
    assert telling.say(won("d1", 100, name="trace1/a"), created("p1", "d1", 200, failed=True)) == [
        ("exception.opened", "deal:d1", "failed created"),
        ("milestone.met", "deal:d1", "won"),
    ]
    assert telling.say(won("d1", 50), created("p1", "d1", 150, failed=True)) == []  # earlier than known
    telling.world.rebuild()
    assert telling.told() == []
    assert telling.say(created("p1", "d1", 300), lost("d1", 400)) == [
        ("exception.resolved", "deal:d1", "failed created"),
        ("milestone.met", "deal:d1", "created"),
        ("milestone.undone", "deal:d1", "won"),
    ]
    other = telling.engine("two")
    other.turn()  # which has no lease
    telling.outbound.release()
    other.turn()
    assert telling.hearing.said() == []
    other.release()
    telling.another_engine("two")  # which looks back a little and tells nothing twice
    assert telling.told() == []


def test_what_is_told(telling: Telling) -> None:
    """A CloudEvent in the trace of its event; both formats say it; filters and ages choose."""
    telling.subscribe(", format: binary, headers: {X-Own: 'yes'}")
    heard: list[Received] = []
    telling.hearing.answer = lambda one: _keep(heard, one, 204)
    telling.say(created("p5", "d5", 200, failed=True), won("d5", 5, name="trace3/a", amount=7))
    exception, milestone = (one.event for one in sorted(heard, key=lambda one: one.event["type"]))
    assert {one.headers["x-own"] for one in heard} == {"yes"}
    assert {one.event["id"] for one in heard} == {one.id for one in heard}
    assert milestone["source"] == "/throughline/telling/told"
    assert milestone["time"] == "2026-03-01T08:00:05.000000Z"
    assert milestone["traceparent"].split("-")[1] == trace_hex("trace3/a")
    assert milestone["data"]["milestone"] == {
        "name": "won", "state": "met", "met_at": milestone["time"], "due_at": None,
    }  # fmt: skip
    assert milestone["data"]["journey"]["id"] == milestone["subject"]
    assert exception["data"]["exception"]["id"] == exception["subject"]
    assert exception["data"]["journey"]["amount"] == "7"
    assert (exception["data"]["journey"]["root"], exception["data"]["number"]) == ("deal:d5", 1)


def test_filters_and_age(telling: Telling) -> None:
    """Only what is asked for is told; what is too old when it is noticed is counted, for each by its own."""
    file = telling.config / "subscriptions.yaml"
    line = file.read_text().split("\n", 1)[1]
    others = {"technical": "class: technical", "business": "class: business", "made": "milestone: created"}
    lines = [line.replace(f"id: {telling.name}", f"id: {name}, {more}") for name, more in others.items()]
    old = line.replace("9999d", "1h").replace(f"id: {telling.name}", "id: old, events: milestone.met")
    file.write_text("subscriptions:\n" + "".join([*lines, old]))
    heard: list[Received] = []
    telling.hearing.answer = lambda one: _keep(heard, one, 204)
    assert telling.told() == []
    assert telling.say(created("p6", "d6", 200, failed=True), won("d6", 100)) == [
        ("exception.opened", "deal:d6", "failed created"),
        ("exception.opened", "deal:d6", "failed created"),
    ]
    assert telling.say(created("p6", "d6", 300)) == [
        ("exception.resolved", "deal:d6", "failed created"),
        ("exception.resolved", "deal:d6", "failed created"),
        ("milestone.met", "deal:d6", "created"),
    ]
    standing = [Outbox(telling.control).standing(one) for one in load_subscriptions(telling.config)]
    assert [(one.delivered, one.skipped) for one in standing] == [(2, 0), (0, 0), (3, 0), (0, 2)]


def test_late_milestones_are_told_when_their_time_passes(telling: Telling) -> None:
    """Lateness comes from the clock; it is told once, and being met late is told as well."""
    hour_ago = (datetime.now(UTC) - timedelta(minutes=50)).isoformat()
    telling.control.set_cursor("telling", "told-late", f"{hour_ago} {hour_ago}")
    telling.another_engine()
    start = int((datetime.now(UTC) - EPOCH).total_seconds()) - 40 * 60
    assert telling.say(won("d7", start)) == [
        ("milestone.late", "deal:d7", "created"),
        ("milestone.met", "deal:d7", "won"),
    ]
    telling.another_engine()
    assert telling.told() == []
    assert telling.say(created("p7", "d7", start + 39 * 60)) == [("milestone.met", "deal:d7", "created")]


def _keep(heard: list[Received], one: Received, status: int) -> tuple[int, dict[str, str]]:
    heard.append(one)
    return status, {}


@pytest.mark.parametrize("seed", range(EXAMPLES))
def test_what_was_told_last_is_how_it_stands(telling: Telling, seed: int) -> None:
    """Whatever happens in whatever order, with rebuilds and new engines between: who applies what he is told,
    in the order of its numbers and once per id, knows how milestones and exceptions stand.
    """
    draw = random.Random(seed)
    known: dict[tuple[str, str], tuple[int, str]] = {}
    ids: set[str] = set()
    number = 0
    for step in range(STEPS):
        some: list[Said] = []
        for _ in range(draw.randrange(1, 6)):
            number += 1
            deal, time = f"s{seed}-{draw.randrange(3)}", draw.randrange(1_000)
            some.append(
                draw.choice([
                    Said(f"w{seed}-{number}", "won", time, (f"deal:{deal}",)),
                    Said(f"l{seed}-{number}", "lost", time, (f"deal:{deal}",)),
                    created(f"p{deal}", deal, time, failed=draw.random() < 0.6, name=f"c{seed}-{number}"),
                ])
            )  # fmt: skip
        telling.world.say(*some, ingested=datetime.now(UTC))
        telling.world.tick()
        if step == 1:
            telling.world.rebuild()
        if step == STEPS - 1:
            telling.another_engine(f"engine-{seed}")
        telling.outbound.turn()
        _apply(telling.hearing.heard, known, ids)
    reached = {key for key, (_, state) in known.items() if state != "not"}
    assert reached == _standing(telling.world, f"deal:s{seed}-")


def _apply(heard: list[Received], known: dict[tuple[str, str], tuple[int, str]], ids: set[str]) -> None:
    states = {"met": "met", "undone": "not", "opened": "open", "reopened": "open", "resolved": "not"}
    for one in heard:
        assert one.id not in ids
        ids.add(one.id)
        kind, root, name = one.said
        state, number = states[kind.partition(".")[2]], one.event["data"]["number"]
        if number > known.get((root, name), (0, ""))[0]:
            known[root, name] = (number, state)
    heard.clear()


def _standing(world: World, deals: str) -> set[tuple[str, str]]:
    """Met milestones and open exceptions, as everybody sees them."""
    rows = world.store.query(
        "SELECT j.root, m.name FROM milestones_at(tenant = {tenant:String}, now = now64(6)) AS m "
        "JOIN journeys_at(tenant = {tenant:String}, now = now64(6)) AS j ON j.id = m.journey "
        "WHERE m.state IN ('met', 'met_late') UNION ALL "
        "SELECT j.root, concat('failed ', e.event) FROM "
        "exceptions_at(tenant = {tenant:String}, now = now64(6)) AS e JOIN "
        "journeys_at(tenant = {tenant:String}, now = now64(6)) AS j ON j.id = e.journeys[1] "
        "WHERE e.status = 'open'",
        {"tenant": world.tenant},
        role=Role.CORRELATOR,
    ).result_rows
    return {(str(root), str(name)) for root, name in rows if str(root).startswith(deals)}


def test_a_changed_definition_tells_no_past(telling: Telling) -> None:
    """A rebuild finds old events that meet a new milestone: nobody is told; what came meanwhile is told."""
    telling.world.processes[:] = [load_process(DEFINITION.replace("  - {name: created", AGAIN))]
    telling.world.restart()
    telling.world.say(won("d2", 600), ingested=datetime.now(UTC))
    telling.world.tick()  # rebuilds: the new milestone is met by old events too, the last event is new
    found = set(telling.told())
    assert {("milestone.met", "deal:d2", "again"), ("milestone.met", "deal:d2", "won")} <= found
    assert not [one for one in found if one[1] == "deal:d0"]
