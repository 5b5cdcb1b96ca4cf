"""The whole platform, from outside: start, memory, OTLP/HTTP to queryable row, POST to journey."""

from __future__ import annotations

import argparse
import http.client
import queue
import statistics
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import httpx

from bench.load import Load, Request, write_config
from bench.rows import Row
from bench.running import Platform, running

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

MIBIBYTE = 1024**2
SPANS_PER_REQUEST = 5_000
SENDERS = 4
RATE = 10_000
PACED_SPANS = 500
FOLLOWED = 25
"""Of so many requests one is followed."""
ASK_AGAIN_SECONDS = 0.25


@dataclass(frozen=True)
class Effort:
    """How long to measure."""

    requests: int
    seconds: float


FULL = Effort(requests=300, seconds=60)
QUICK = Effort(requests=40, seconds=10)


def run(effort: Effort = FULL) -> list[Row]:
    """Measure everything, each in a fresh folder; about five minutes."""
    with tempfile.TemporaryDirectory() as folder:
        config = write_config(Path(folder) / "config", shipped=True)
        return [*start_and_idle(config), *throughput(config, effort), *freshness(config, effort)]


def start_and_idle(config: Path) -> list[Row]:
    """Start to ready with warm files, and memory with nothing to do."""
    with tempfile.TemporaryDirectory() as folder:
        seconds = []
        for _ in range(3):
            platform = Platform(Path(folder), config)
            seconds.append(platform.start())
            time.sleep(10)
            memory = platform.resident_bytes() / MIBIBYTE
            platform.stop()
    warm = statistics.median(seconds[1:])
    return [
        Row("start of throughline up to ready, warm files", warm, "s", "<= 5", warm <= 5),
        Row("memory of throughline up, idle", memory, "MiB", "<= 700", memory <= 700),
    ]


def throughput(config: Path, effort: Effort) -> list[Row]:
    """Requests of 5,000 unique spans over four connections, until the last row is queryable."""
    load = Load(1, spans=SPANS_PER_REQUEST)
    requests = [load.request() for _ in range(effort.requests)]
    with running(config) as platform:
        taken = taken_in(platform, requests)
    total = effort.requests * SPANS_PER_REQUEST
    rate, per_core, accepted = total / taken.wall, total / taken.cpu, taken.accepted
    return [
        Row("OTLP/HTTP to queryable row", rate, "spans/s", ">= 100000", rate >= 100_000),
        Row(
            "OTLP/HTTP to queryable row, of our CPU", per_core, "spans/core-s", ">= 75000", per_core >= 75_000
        ),
        Row("OTLP/HTTP acknowledged (fsynced)", total / accepted, "spans/s", None, None),
    ]


@dataclass(frozen=True)
class TakenIn:
    """Seconds until all was acknowledged, until the last row was queryable; and of the platform's CPU."""

    accepted: float
    wall: float
    cpu: float


def taken_in(platform: Platform, requests: Iterable[Request]) -> TakenIn:
    """Post requests over a few connections, until the last row is queryable."""
    stored, worked, began = _stored(platform), platform.cpu_seconds(), time.monotonic()
    spans = post(platform, requests)
    accepted = time.monotonic() - began
    while _stored(platform) < stored + spans:
        time.sleep(0.05)
    return TakenIn(accepted, time.monotonic() - began, platform.cpu_seconds() - worked)


def catch_up(platform: Platform, load: Load) -> None:
    """Send one more request and wait for its journeys, so that what comes next waits for nothing older."""
    request = load.request()
    post(platform, [request])
    while not platform.get("/journeys", key=f"bench.order:{request.orders[-1]}")["items"]:
        time.sleep(1)


def _stored(platform: Platform) -> int:
    return int(platform.get("/status")["stored"]["spans"])


def freshness(config: Path, effort: Effort) -> list[Row]:
    """Ten thousand spans a second: from the POST of an order until the API has its journey, and memory."""
    with running(config) as platform:
        seen = paced(platform, Load(2, spans=PACED_SPANS), effort.seconds)
    return [
        Row("freshness at 10,000 spans/s, p99", seen.p99, "s", "<= 2", seen.p99 <= 2),
        Row("freshness at 10,000 spans/s, p50", seen.p50, "s", None, None),
        Row("freshness: sender behind its schedule at the end", seen.behind, "s", None, None),
        Row("memory at 10,000 spans/s", seen.mebibytes, "MiB", "<= 2048", seen.mebibytes <= 2048),
    ]


@dataclass(frozen=True)
class Paced:
    """Seconds from POST to journey of each followed order; how late the sender ended; most memory."""

    waits: Sequence[float]
    behind: float
    mebibytes: float

    @property
    def p50(self) -> float:
        """The median wait, in seconds."""
        return statistics.median(self.waits)

    @property
    def p99(self) -> float:
        """What one wait in a hundred exceeds, in seconds."""
        return statistics.quantiles(self.waits, n=100)[98]


def paced(
    platform: Platform, load: Load, seconds: float, rate: int = RATE, *, follow: int = FOLLOWED
) -> Paced:
    """Send so many spans a second for so long; an order of each `follow`-th request is followed."""
    followed = _Followed(platform)
    most, sent = 0.0, []
    began = time.monotonic()
    with ThreadPoolExecutor(SENDERS) as pool:
        for number in range(int(seconds * rate / PACED_SPANS)):
            time.sleep(max(0.0, began + number * PACED_SPANS / rate - time.monotonic()))
            request = load.request()
            sent.append(pool.submit(followed.send, request, follow=number % follow == 0))
            if number % 20 == 0:
                most = max(most, platform.resident_bytes() / MIBIBYTE)
    behind = time.monotonic() - began - seconds
    for future in sent:
        future.result()
    return Paced(followed.wait(), behind, most)


def post(platform: Platform, requests: Iterable[Request]) -> int:
    """Send everything over a few connections, each request once; anything but 200 is an error. Returns the
    number of spans.
    """
    waiting = iter(requests)
    lock = threading.Lock()

    def send() -> int:
        sent = 0
        connection = http.client.HTTPConnection("127.0.0.1", platform.ports["http"], timeout=120)
        while True:
            with lock:
                request = next(waiting, None)
            if request is None:
                return sent
            sent += request.spans
            connection.request("POST", "/v1/traces", request.body, {"Content-Type": "application/x-protobuf"})
            response = connection.getresponse()
            answer = response.read()
            if response.status != http.client.OK:
                raise RuntimeError(f"{response.status}: {answer!r}")

    with ThreadPoolExecutor(SENDERS) as pool:
        return sum(future.result() for future in [pool.submit(send) for _ in range(SENDERS)])


class _Followed:
    """Sends requests, and asks for the journey of one order of some until it is there.

    One question at a time, the oldest order first: to ask for all of them all the time would take more of the
    processor than to correlate them.
    """

    def __init__(self, platform: Platform) -> None:
        self._intake = httpx.Client(base_url=platform.intake, timeout=30)
        self._api = httpx.Client(base_url=platform.api, timeout=30)
        self._sent: queue.SimpleQueue[tuple[str, float] | None] = queue.SimpleQueue()
        self._pool = ThreadPoolExecutor(1)
        self._waits = self._pool.submit(self._ask)

    def send(self, request: Request, *, follow: bool) -> None:
        """Send; a followed one is asked for from now on."""
        began = time.monotonic()
        headers = {"Content-Type": "application/x-protobuf"}
        self._intake.post("/v1/traces", content=request.body, headers=headers).raise_for_status()
        if follow:
            self._sent.put((request.orders[-1], began))

    def wait(self) -> list[float]:
        """Seconds that each followed order took."""
        self._sent.put(None)
        with self._pool:
            return self._waits.result()

    def _ask(self) -> list[float]:
        waits = list[float]()
        while sent := self._sent.get():
            order, began = sent
            while not self._found(order):
                time.sleep(ASK_AGAIN_SECONDS)
            waits.append(time.monotonic() - began)
        return waits

    def _found(self, order: str) -> bool:
        answer = self._api.get("/journeys", params={"key": f"bench.order:{order}"}).raise_for_status()
        return bool(answer.json()["items"])


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a short run, for a first look")
    for row in run(QUICK if parser.parse_args().quick else FULL):
        print(f"{row.name}: {row.value:,.2f} {row.unit} (budget {row.budget})")


if __name__ == "__main__":
    main()
