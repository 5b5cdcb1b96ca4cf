"""A tenant whose projects failed to be created, a target over real HTTP, and the worker between them."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import TYPE_CHECKING, Any

from tests.listening import Quiet, listening
from throughline.collector.auth import ROLES, Principal
from throughline.collector.saying import say
from throughline.collector.store import Role
from throughline.correlator.process import load_process
from throughline.correlator.replay.deciding import Decider
from throughline.correlator.replay.ledger import Ledger
from throughline.correlator.replay.planning import Asked, Plan, Planner, Rules
from throughline.correlator.replay.policy import Policy, parse_policy
from throughline.correlator.replay.records import Item, Replay
from throughline.correlator.replay.targets import Targets, parse_targets
from throughline.correlator.replay.worker import Replaying
from throughline.correlator.worker import Correlator
from throughline.dashboards.definitions import publish_definitions
from throughline.probes.vocabulary import BusinessEvent

if TYPE_CHECKING:
    from collections.abc import Iterator

    from throughline.collector.control import ControlStore
    from throughline.collector.store import Store

PROCESS = load_process("""
process: probe
owner: everyone
keys: [crm.deal, psa.project]
amount_of: won
milestones:
  - {name: won, event: deal.won, owner: sales}
  - {name: created, event: project.created, owner: delivery}
checks:
  - name: has-entity
    after: won
    expect: "attr('entity') != ''"
    class: business
    blocking: true
    owner: sales
""")
DEALS = 120
START = datetime(2026, 3, 2, 9, tzinfo=UTC)


@dataclass
class Endpoint:
    """A target: says what `answers` holds, in turn, the last one for ever; keeps what it was sent."""

    url: str = ""
    answers: list[int | str] = field(default_factory=lambda: [200])
    received: list[tuple[str, str, dict[str, str], bytes]] = field(default_factory=list)
    act: Callable[[dict[str, str], bytes], None] | None = None

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self.url.rpartition(":")[2])

    @contextmanager
    def serving(self) -> Iterator[Endpoint]:
        """Listen on a free port."""
        mine = self

        class Handler(Quiet):
            def answer(self) -> None:
                body, headers = self.body(), self.said()
                mine.received.append((self.command, self.path, headers, body))
                told = mine.answers.pop(0) if len(mine.answers) > 1 else mine.answers[0]
                if told == "reset":
                    self.connection.close()
                    return
                if mine.act is not None and told != "nothing":
                    mine.act(headers, body)
                self.send_response(told if isinstance(told, int) else 200)
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"{}")

        with listening(Handler) as self.url:
            yield self


class Firm:
    """A tenant with DEALS deals that were won and whose projects were not created; tests share it."""

    def __init__(self, store: Store, tenant: str = "replays") -> None:
        self.store = store
        self.tenant = tenant
        self.ids = count(1)
        self.free = count(1)
        self.correlator = Correlator(store, [PROCESS])
        publish_definitions(store, (PROCESS,), START)
        self.say([event for number in range(1, DEALS + 1) for event in self._fails(number)])
        self.exceptions = self._exceptions()

    def say(self, events: Sequence[BusinessEvent]) -> None:
        """Something happens, and is correlated."""
        say(self.store, self.tenant, events, datetime.now(UTC))
        self.correlator.tick(self.tenant, datetime.now(UTC))

    def created(self, number: int, replay: str) -> BusinessEvent:
        """The project of a deal is created after all."""
        return BusinessEvent(
            event="project.created",
            keys={"crm.deal": f"D{number}"},
            time=START + timedelta(hours=1),
            id=f"created-{next(self.ids)}",
            replay_id=replay or None,
        )

    def _fails(self, number: int) -> list[BusinessEvent]:
        """A deal is won, and its project can't be created. Every fifth says a run, not its payload."""
        won = BusinessEvent(
            event="deal.won",
            keys={"crm.deal": f"D{number}"},
            time=START,
            id=f"won-{number}",
            amount=100 * number,
            currency="EUR",
            entity="DE01",
            attributes={"entity": "DE01"},
        )
        without = number % 5 == 0
        payload = {} if without else {"business.payload": '{"name": "P"}'}
        failed = BusinessEvent(
            event="project.created",
            keys={"crm.deal": f"D{number}"},
            time=START + timedelta(minutes=1),
            id=f"failed-{number}",
            failed=True,
            amount=100 * number,
            currency="EUR",
            exception_class="business",
            exception_code="NO_NAME",
            exception_message="name is missing",
            entity="DE01",
            run_id=f"run-{number}" if without else None,
            attributes={"entity": "DE01", **payload},
        )
        return [won, failed]

    def _exceptions(self) -> dict[int, str]:
        """The exceptions by deal."""
        rows = self.store.query(
            "SELECT toUInt32(x.amount / 100), x.id"
            " FROM exceptions_at(tenant = {tenant:String}, now = {now:DateTime64(6, 'UTC')}) AS x"
            " WHERE x.event != ''",
            {"tenant": self.tenant, "now": START},
            role=Role.PAGES,
        ).result_rows
        return {int(number): str(identity) for number, identity in rows}


class World:
    """One test's look at the firm: its own control store, target and clock."""

    def __init__(self, firm: Firm, control: ControlStore, endpoint: Endpoint) -> None:
        self.firm, self.store, self.control, self.endpoint = firm, firm.store, control, endpoint
        self.tenant = firm.tenant
        self.now = START + timedelta(minutes=5)
        self.taken: list[int] = []
        self.targets = self.target()
        self.policy: Policy = parse_policy("approvals: [{need: none}]")
        self.reports: list[Item] = []

    def target(self, more: str = "") -> Targets:
        """A target called middleware; `more` are further fields."""
        return parse_targets(f"""
targets:
  - id: middleware
    hosts: ["127.0.0.1:{self.endpoint.port}", 127.0.0.0/8]
    url: "{self.endpoint.url}/projects/{{{{ subject.id }}}}"
    headers: {{Content-Type: application/json}}
    body: "{{{{ payload }}}}"
    per_second: 1000
    {more}
""")

    def take(self, *, payload: bool = True) -> int:
        """A failed deal that no other test has; `payload`: one whose payload is stored."""
        number = next(one for one in self.firm.free if bool(one % 5) == payload)
        self.taken.append(number)
        return number

    def exception(self, number: int) -> str:
        """The exception of a deal."""
        return self.firm.exceptions[number]

    def created(self, *numbers: int, replay: Replay | None = None) -> None:
        """Projects are created after all, because of a replay or without."""
        names = {item.exception: item.name for item in self.items(replay)} if replay else {}
        self.firm.say([self.firm.created(one, names.get(self.exception(one), "")) for one in numbers])

    def state(self, replay: Replay, number: int) -> tuple[str, str]:
        """State and outcome of a deal's item."""
        found = next(one for one in self.items(replay) if one.exception == self.exception(number))
        return found.state, found.outcome

    def who(self, name: str = "ann", role: str = "admin") -> Principal:
        """Somebody of the tenant."""
        return Principal(self.tenant, ROLES[role], name)

    def plan(self, *, dry_run: bool = False, who: Principal | None = None, **asked: Any) -> Plan:
        """Ask for a replay of what this test has taken, unless told otherwise."""
        given = {"kind": "resubmit", "reason": "fixed", "target": "middleware"} | asked
        if "exceptions" not in given and "fingerprint" not in given:
            given["exceptions"] = tuple(self.exception(one) for one in self.taken)
        rules = Rules(self.targets, self.policy)
        planner = Planner(self.store, self.control, rules, who=who or self.who(), now=self.now)
        return planner.plan(Asked(**given), dry_run=dry_run)

    def decider(self, name: str = "bob", role: str = "approver") -> Decider:
        """Somebody who decides."""
        return Decider(self.control, self.targets, self.who(name, role), self.now)

    def worker(self, checkpoint: Callable[[str], None] = lambda _: None) -> Replaying:
        """A new worker, as after a start."""
        return Replaying(
            self.store,
            self.control,
            lambda: self.targets,
            lambda: self.now,
            report=self._report,
            checkpoint=checkpoint,
        )

    def _report(self, _tenant: str, items: Sequence[Item], _now: datetime) -> None:
        self.reports += items

    def work(self, worker: Replaying, turns: int = 3) -> None:
        """Let a worker turn, three seconds apart, each time until its calls have ended."""
        for _ in range(turns):
            worker.turn()
            worker.wait()
            self.now += timedelta(seconds=3)
        worker.turn()

    def replays(self) -> list[Replay]:
        """All replays of this test, newest first."""
        return Ledger(self.control).replays(self.tenant)

    def items(self, replay: Replay) -> list[Item]:
        """The items as they are now."""
        return Ledger(self.control).items(replay)

    def states(self, replay: Replay) -> list[tuple[str, str]]:
        """States and outcomes of the items, and of the replay."""
        led = Ledger(self.control).replay(replay.tenant, replay.id)
        assert led is not None
        return [(item.state, item.outcome) for item in self.items(replay)] + [(led.state, "")]


def loaded(body: bytes) -> Any:
    """What was sent."""
    return json.loads(body)
