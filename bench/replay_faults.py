"""`make faults ARGS=replay`: kill -9 of the process that replays, at random moments; effects are counted.

The target is slow, resets connections after it has worked, answers 500 first, or answers 200 and does
nothing. At one that drops repeats nothing may happen twice; at any other nothing may be sent twice without a
person.
"""

from __future__ import annotations

import contextlib
import json
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import timedelta
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import TYPE_CHECKING

import httpx

from bench import failed_deals
from bench.failed_deals import TENANT, Quiet, now
from throughline.collector.control import ControlStore
from throughline.collector.saying import say
from throughline.collector.store import Store
from throughline.correlator.replay.ledger import Ledger
from throughline.correlator.replay.targets import parse_targets

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from throughline.correlator.replay.records import Item

LIMITS = """timeout: 1s
verify_within: 10s
per_second: 20
retry: {attempts: 20, first: 1s, longest: 2s}
batches: {canary: 1000}
"""
ITEMS = 60
BEHAVIOURS = (
    "well", "slow", "well", "reset", "well", "500 first", "well", "nothing", "well", "well",
)  # fmt: skip
"""Of the target, by the number of the item; a slow one works and answers after the time limit. Were most of
them bad, its circuit breaker would rest for minutes.
"""


@dataclass
class Target:
    """What it was sent, and what it did: by item how often it was called, and every effect."""

    idempotent: bool
    calls: Counter[int] = field(default_factory=Counter)
    effects: list[tuple[int, str]] = field(default_factory=list)
    keys: set[str] = field(default_factory=set)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self, number: int, key: str, replay: str) -> str:
        """A call came; returns how to answer it."""
        behaviour = BEHAVIOURS[number % len(BEHAVIOURS)]
        with self.lock:
            self.calls[number] += 1
            if behaviour == "500 first" and self.calls[number] == 1:
                return "500"
            if behaviour != "nothing" and not (self.idempotent and key in self.keys):
                self.keys.add(key)
                self.effects.append((number, replay))
        return behaviour

    def handler(self) -> type[Quiet]:
        """What answers the calls."""
        mine = self

        class Handler(Quiet, BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers.get("content-length", 0)))
                replay = self.headers["baggage"].partition("=")[2]
                number = int(self.path.rpartition("D")[2])
                behaviour = mine.take(number, self.headers["idempotency-key"], replay)
                if behaviour == "slow" and mine.calls[number] == 1:
                    time.sleep(1.5)
                if behaviour == "reset" and mine.calls[number] == 1:
                    self.connection.close()
                    return
                self.answer(500 if behaviour == "500" else 200)

            def do_GET(self) -> None:
                """What has happened so far, for whoever observes the system."""
                with mine.lock:
                    self.answer(200, json.dumps(mine.effects).encode())

        return Handler


@dataclass(frozen=True)
class Verdict:
    """What was counted at one target. `wrong` must be 0."""

    target: str
    kills: int
    items: int
    calls: int
    effects: int
    verified: int
    unverified: int
    for_a_person: int
    wrong: int


def run(rounds: int, seed: int, *, say_: Callable[[str], None]) -> list[Verdict]:
    """Both targets, `rounds` kills each."""
    return [_target(rounds, random.Random(seed), idempotent=one, say_=say_) for one in (True, False)]


def _target(rounds: int, draw: random.Random, *, idempotent: bool, say_: Callable[[str], None]) -> Verdict:
    target = Target(idempotent)
    name = "drops repeats" if idempotent else "repeats"
    with (
        tempfile.TemporaryDirectory(prefix="throughline-faults-") as text,
        failed_deals.serving(target.handler()) as port,
    ):
        folder = Path(text)
        limits = f"idempotent: {str(idempotent).lower()}\n{LIMITS}"
        (folder / "targets.yaml").write_text(failed_deals.target(port, limits))
        replay = _seed(folder)
        for number in range(1, rounds + 1):
            worker = _start(folder, port)
            time.sleep(draw.uniform(0.0, 1.5))
            worker.send_signal(signal.SIGKILL)
            worker.wait()
            say_(
                f"{name}: kill {number}, {len(target.effects)} effects of {sum(target.calls.values())} calls"
            )
        worker = _start(folder, port)
        try:
            found = _settled(folder, replay)
        finally:
            worker.kill()
            worker.wait()
        numbers = json.loads((folder / "deals.json").read_text())
    items = [(numbers[item.exception], item) for item in found]
    return _judge(name, rounds, target, items, idempotent=idempotent)


def _judge(
    name: str, kills: int, target: Target, items: list[tuple[int, Item]], *, idempotent: bool
) -> Verdict:
    effects = Counter(number for number, _ in target.effects)
    found = [item for _, item in items]
    wrong = 0
    for deal, item in items:
        states = {"unverified"} if BEHAVIOURS[deal % len(BEHAVIOURS)] == "nothing" else {"verified"}
        if idempotent:
            wrong += effects[deal] > 1 or item.state not in states
        else:
            wrong += target.calls[deal] > 1 or effects[deal] > 1
            wrong += not (item.uncertain or item.state in states)
    return Verdict(
        name,
        kills,
        len(found),
        sum(target.calls.values()),
        len(target.effects),
        sum(item.state == "verified" for item in found),
        sum(item.state == "unverified" for item in found),
        sum(item.uncertain for item in found),
        wrong,
    )


def _seed(folder: Path) -> str:
    """Deals whose projects failed, and a replay of all of them; returns its id."""
    at = now()
    with contextlib.closing(Store.open(folder / "store")) as store, _control(folder) as control:
        store.migrate()
        say(store, TENANT, failed_deals.failed(range(ITEMS), at), at)
        failed_deals.correlator(store).tick(TENANT, now())
        numbers = failed_deals.deals(store)
        (folder / "deals.json").write_text(json.dumps(numbers))
        return failed_deals.planned(store, control, parse_targets(folder / "targets.yaml"), numbers).replay.id


@contextlib.contextmanager
def _control(folder: Path) -> Iterator[ControlStore]:
    control = ControlStore.open(folder / "control.db")
    control.migrate()
    try:
        yield control
    finally:
        control.close()


def _start(folder: Path, port: int) -> subprocess.Popen[str]:
    """A worker in a process of its own, once it works."""
    command = [sys.executable, "-m", "bench.replay_faults", str(folder), str(port)]
    worker = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert worker.stdout is not None
    worker.stdout.readline()
    return worker


def _settled(folder: Path, replay: str) -> list[Item]:
    """The items, once nothing more becomes of them."""
    with _control(folder) as control:
        ledger = Ledger(control)
        led = ledger.replay(TENANT, replay)
        assert led is not None
        while True:
            found = ledger.items(led)
            if all(
                item.uncertain or item.state in {"verified", "unverified", "failed", "refused"}
                for item in found
            ):
                return found
            time.sleep(0.5)


def work(folder: Path, port: int) -> None:
    """Replay and observe the system until killed."""
    targets = parse_targets(folder / "targets.yaml")
    with contextlib.closing(Store.open(folder / "store")) as store, _control(folder) as control:
        correlator = failed_deals.correlator(store)
        replaying = failed_deals.replaying(store, control, targets)
        print("ready", flush=True)
        seen = 0
        while True:
            replaying.turn()
            effects = httpx.get(f"http://127.0.0.1:{port}/").json()
            if effects[seen:]:
                say(store, TENANT, [failed_deals.created(*one) for one in effects[seen:]], now())
                seen = len(effects)
                correlator.tick(TENANT, now() + timedelta(seconds=1))
            time.sleep(0.1)


def page(verdicts: list[Verdict], seed: int) -> str:
    """What `docs/faults.md` says of it."""
    ok = not any(one.wrong for one in verdicts)
    lines = [
        f"| {one.target} | {one.kills} | {one.items} | {one.calls} | {one.effects} | {one.verified} |"
        f" {one.unverified} | {one.for_a_person} | {one.wrong} |"
        for one in verdicts
    ]
    return f"""
## Replays

Written by `make faults ARGS='replay --write'` on {now().date()}, seed {seed}.

The process that replays is killed with `kill -9` at random moments and started again. A tenth of the items
each: the target is slower than the time limit; works and resets the connection; answers 500 first; answers
200 and does nothing. For the others it works. At a target that drops repeats nothing may happen twice, and
all that was done must be verified. At any other nothing may be called twice; what nobody knows of waits for
a person.

Result: **{"never a double effect, never a second call without a person" if ok else "NOT as it must be"}**.

| target | kills | items | calls | effects | verified | unverified | for a person | wrong |
|---|---:|---:|---:|---:|---:|---:|---:|---:|
{chr(10).join(lines)}
"""


if __name__ == "__main__":
    work(Path(sys.argv[1]), int(sys.argv[2]))
