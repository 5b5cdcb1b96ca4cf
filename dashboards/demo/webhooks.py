"""The platforms of the firm: each tells its events by its own webhooks, repeats and disorder included."""

from __future__ import annotations

import hashlib
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import count

import httpx

from throughline.dashboards.demo.deal import PlannedEvent
from throughline.dashboards.demo.emulators.emulator import Emulator
from throughline.dashboards.demo.emulators.http import TIMEOUT_SECONDS, deliver
from throughline.dashboards.demo.systems import EMULATED, fact_of

AT_ONCE = 4
"""Platforms that send at the same time."""
LONGEST_PAUSE_SECONDS = 0.2
"""A platform that waits an hour before it tries again does so sooner here."""


class Webhooks:
    """Says what is planned as its platforms do; thread safe."""

    def __init__(self, endpoint: str, secrets: Mapping[str, bytes], label: str) -> None:
        """Connect nothing yet.

        Args:
            endpoint: base URL of the intake.
            secrets: by connection.
            label: of this run: the platforms number their messages anew, and never as in another run.
        """
        self._endpoint = endpoint
        self._emulators = {name: replace(one, secret=secrets[name]) for name, one in EMULATED.items()}
        self._label = label
        self._turns = count()
        self._client = httpx.Client(timeout=TIMEOUT_SECONDS)
        self._pool = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="platform")

    def tell(self, events: Iterable[PlannedEvent], headers: Mapping[str, str] | None = None) -> int:
        """Say the events; returns how many requests were given up.

        Args:
            events: each with the connection that says it.
            headers: what whoever made the platforms act passes on.
        """
        by_platform: dict[str, list[PlannedEvent]] = defaultdict(list)
        for event in events:
            by_platform[event.connection].append(event)
        turn = next(self._turns)
        told = [
            self._pool.submit(self._tell, name, said, turn, headers or {})
            for name, said in by_platform.items()
        ]
        return sum(one.result() for one in told)

    def close(self) -> None:
        """Stop."""
        self._pool.shutdown()
        self._client.close()

    def _tell(self, name: str, events: Sequence[PlannedEvent], turn: int, headers: Mapping[str, str]) -> int:
        emulator = self._of_turn(name, turn)
        facts = {id(event): fact_of(name, event.event, event.ids) for event in events}
        again = {
            id(facts[id(event)]): max(event.copies, 1 + event.resent)
            for event in events
            if event.copies > 1 or event.resent
        }
        deliveries = [
            delivery
            for delivery in emulator.plan(list(facts.values())).deliveries
            for _ in range(max((again.get(id(fact), 1) for fact in delivery.message.facts), default=1))
        ]
        done = deliver(
            emulator, deliveries, self._endpoint, client=self._client, wait=_soon, pace=1.0, headers=headers
        )
        return len(done.given_up)

    def _of_turn(self, name: str, turn: int) -> Emulator:
        """The emulator with a seed of its own: what it draws as identities must not come twice."""
        digest = hashlib.sha256(f"{self._label}/{turn}".encode()).digest()
        return replace(self._emulators[name], seed=int.from_bytes(digest[:6]))


def _soon(seconds: float) -> None:
    time.sleep(min(seconds, LONGEST_PAUSE_SECONDS))
