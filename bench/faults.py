"""`make faults`: kill -9 of edge, engine or both at random moments under load; nothing is lost or double.

The senders behave as OpenTelemetry SDKs do: what was not acknowledged is sent again, until it is.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime as dt
import random
import sys
import tempfile
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx

from bench import replay_faults
from bench.load import Load, write_config
from bench.running import Platform
from throughline.collector.store import Role, Store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SPANS = 20
SENDERS = 4
STARTING_SHARE = 0.25
TARGETS = (("edge",), ("engine",), ("edge", "engine"))
REPLAYS = "\n## Replays\n"
ALERTS = "\n## Alerts\n"
PAGE = Path(__file__).parent.parent / "docs" / "faults.md"


@dataclass
class Sent:
    """What the senders know: for each order, whose request was acknowledged, how often it was sent."""

    attempts: Counter[str] = field(default_factory=Counter)
    acknowledged: set[str] = field(default_factory=set)


@dataclass(frozen=True)
class Round:
    """One kill: what, how long after work had begun again, and the requests acknowledged by then."""

    number: int
    killed: str
    after_seconds: float
    acknowledged: int


@dataclass(frozen=True)
class Verdict:
    """What the store holds, compared with what was acknowledged. Everything but the first four must be 0."""

    requests: int
    sent_again: int
    stored_copies: int
    business_events: int
    missing: int
    doubled: int
    partial: int
    unexpected_events: int
    journeys_wrong: int

    @property
    def exact(self) -> bool:
        """Whether nothing is lost and nothing is double."""
        wrong = (self.missing, self.doubled, self.partial, self.unexpected_events, self.journeys_wrong)
        return not any(wrong)


@dataclass(frozen=True)
class Report:
    """All rounds and the verdict."""

    rounds: list[Round]
    verdict: Verdict


def run(rounds: int, seed: int, *, pause: float = 0.0, say: Callable[[str], None] = lambda _: None) -> Report:
    """Kill `rounds` times under load, let everything settle, stop in order, and count in the store itself."""
    draw = random.Random(seed)
    with tempfile.TemporaryDirectory(prefix="throughline-faults-") as name:
        folder = Path(name)
        platform = Platform(folder / "data", write_config(folder / "config"))
        platform.start()
        try:
            sent, done = Sent(), []
            with _sending(platform, sent, pause):
                for number in range(1, rounds + 1):
                    during_start = draw.random() < STARTING_SHARE
                    _await_work(platform, sent, engine=not during_start)
                    after = draw.uniform(0.0, 3.0)
                    time.sleep(after)
                    targets = draw.choice(TARGETS)
                    for target in targets:
                        platform.kill(target)
                    done.append(Round(number, " and ".join(targets), after, len(sent.acknowledged)))
                    say(f"{done[-1]}")
                _await_work(platform, sent, engine=False)
            say("settling")
            _settle(platform, sent)
        finally:
            platform.stop()
        return Report(done, count(folder / "data" / "store", sent))


@contextlib.contextmanager
def _sending(platform: Platform, sent: Sent, pause: float) -> Iterator[None]:
    """Send all the time; at the end, every request that was begun has been acknowledged."""
    stop, lock = threading.Event(), threading.Lock()

    def send(seed: int) -> None:
        load = Load(seed, spans=SPANS, templates=1)
        headers = {"Content-Type": "application/x-protobuf"}
        with httpx.Client(base_url=platform.intake, headers=headers, timeout=10) as client:
            while not stop.is_set():
                request = load.request()
                (order,) = request.orders
                while not _accepted(client, request.body, sent, order, lock):
                    time.sleep(0.05)
                time.sleep(pause)

    threads = [threading.Thread(target=send, args=(seed,)) for seed in range(SENDERS)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def _accepted(client: httpx.Client, body: bytes, sent: Sent, order: str, lock: threading.Lock) -> bool:
    """Send once; whether it was acknowledged."""
    with lock:
        sent.attempts[order] += 1
    try:
        accepted = client.post("/v1/traces", content=body).is_success
    except httpx.TransportError:
        return False
    if accepted:
        with lock:
            sent.acknowledged.add(order)
    return accepted


def _await_work(platform: Platform, sent: Sent, *, engine: bool) -> None:
    """Wait until requests are acknowledged again, and until the engine serves, if it may not die before."""
    before = len(sent.acknowledged)
    while len(sent.acknowledged) < before + SENDERS:
        time.sleep(0.01)
    if engine:
        platform.get("/status")


def _settle(platform: Platform, sent: Sent) -> None:
    """Wait until the spool is empty and every journey is there."""
    while platform.get("/status")["spool_bytes"]:
        time.sleep(0.2)
    wanted = len(sent.acknowledged)
    while platform.query("SELECT count() FROM journeys WHERE status = 'completed'")[0][0] < wanted:
        time.sleep(0.2)


def count(store: Path, sent: Sent) -> Verdict:
    """Compare the store's tables with what the senders know."""
    with contextlib.closing(Store.open(store)) as opened:

        def ask(sql: str) -> list[tuple[Any, ...]]:
            return [tuple(row) for row in opened.query(sql, role=Role.ADHOC).result_rows]

        copies = {
            str(order): rows / 2
            for order, rows in ask(
                "SELECT SpanAttributes['business.key.bench.order'] AS o, count() FROM otel_traces "
                "WHERE o != '' GROUP BY o"
            )
        }
        partial = ask(
            "SELECT count() FROM (SELECT 1 FROM otel_traces GROUP BY Segment, Request "
            f"HAVING count() != {SPANS} OR uniqExact(SpanId) != {SPANS})"
        )[0][0]
        events = ask("SELECT uniqExact(EventId) FROM business_events")[0][0]
        good = ask(
            "SELECT count() FROM journeys_at(tenant = 'default', now = now64(6)) "
            "WHERE process = 'bench-orders' AND status = 'completed'"
        )[0][0]
        every = ask("SELECT count() FROM journeys_at(tenant = 'default', now = now64(6))")[0][0]
    once = {order for order in sent.acknowledged if sent.attempts[order] == 1}
    return Verdict(
        requests=len(sent.acknowledged),
        sent_again=sum(tries - 1 for tries in sent.attempts.values()),
        stored_copies=round(sum(copies.values())),
        business_events=events,
        missing=sum(copies.get(order, 0) < 1 for order in sent.acknowledged),
        doubled=sum(copies.get(order, 0) > 1 for order in once)
        + sum(copies.get(order, 0) > tries for order, tries in sent.attempts.items()),
        partial=partial,
        unexpected_events=events - 2 * len(sent.attempts),
        journeys_wrong=abs(good - len(sent.acknowledged)) + abs(every - good),
    )


def main() -> int:
    """Run thirty rounds, print and write what was found."""
    parser = argparse.ArgumentParser(prog="make faults", description=__doc__)
    parser.add_argument("what", nargs="?", choices=("platform", "replay"), default="platform")
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--write", action="store_true", help=f"write {PAGE.name}")
    arguments = parser.parse_args()
    if arguments.what == "replay":
        return _replays(arguments)
    report = run(arguments.rounds, arguments.seed, say=lambda line: print(line, flush=True))
    print(_verdict_lines(report.verdict))
    if arguments.write:
        _, replays, alerts = _parts()
        PAGE.write_text(_page(report, arguments.seed) + replays + alerts, encoding="utf-8")
    return int(not report.verdict.exact)


def _replays(arguments: argparse.Namespace) -> int:
    """Kill the process that replays; its part of the page follows that of the platform."""
    found = replay_faults.run(arguments.rounds, arguments.seed, say_=lambda line: print(line, flush=True))
    said = replay_faults.page(found, arguments.seed)
    print(said)
    if arguments.write:
        platform, _, alerts = _parts()
        PAGE.write_text(platform + said + alerts, encoding="utf-8")
    return int(any(one.wrong for one in found))


def _parts() -> tuple[str, str, str]:
    """The page's text about the platform, about replays and about alerts, which is written by hand."""
    others, mark, alerts = PAGE.read_text(encoding="utf-8").partition(ALERTS)
    platform, heading, replays = others.partition(REPLAYS)
    return platform, heading + replays, mark + alerts


def _verdict_lines(verdict: Verdict) -> str:
    return "\n".join(
        f"| {text} | {value:,} |"
        for text, value in (
            ("requests acknowledged", verdict.requests),
            ("sends that got no acknowledgement and were sent again", verdict.sent_again),
            ("copies stored (a resend may add one)", verdict.stored_copies),
            ("distinct business events", verdict.business_events),
            ("acknowledged requests missing", verdict.missing),
            ("requests stored more often than sent", verdict.doubled),
            ("requests stored in part, or twice under one number", verdict.partial),
            ("business events too many or too few", verdict.unexpected_events),
            ("journeys missing, unfinished or too many", verdict.journeys_wrong),
        )
    )


def _page(report: Report, seed: int) -> str:
    today = dt.datetime.now(dt.UTC).date()
    outcome = "nothing lost, nothing double" if report.verdict.exact else "NOT exact"
    rounds = [
        f"| {one.number} | {one.killed} | {one.after_seconds:.1f} | {one.acknowledged:,} |"
        for one in report.rounds
    ]
    return f"""# Faults

Written by `make faults ARGS=--write` on {today}, seed {seed}.

{len(report.rounds)} times `kill -9` at a random moment after work had begun again; every fourth may hit an
engine that is still starting. Meanwhile {SENDERS} senders post requests of {SPANS} spans with two events
each, and send again what was not acknowledged.

Result: **{outcome}**.

| what the store holds in the end | |
|---|---:|
{_verdict_lines(report.verdict)}

| round | killed | after s | acknowledged so far |
|---:|---|---:|---:|
{chr(10).join(rounds)}
"""


if __name__ == "__main__":
    sys.exit(main())
