"""Sends what an emulator planned, over real HTTP."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import httpx

from throughline.dashboards.demo.emulators.emulator import Delivery, Emulator

TIMEOUT_SECONDS: Final = 5.0
"""HubSpot's, the shortest that is documented."""


@dataclass(frozen=True, slots=True)
class Delivered:
    """What became of a plan."""

    accepted: int
    """Requests that were answered with 2xx."""
    repeated: int
    """Attempts beyond the first of a request, because it was refused or not answered."""
    given_up: tuple[Delivery, ...]
    """Those that the platform would not try again."""


def deliver(
    emulator: Emulator,
    deliveries: Iterable[Delivery],
    base_url: str,
    *,
    client: httpx.Client | None = None,
    wait: Callable[[float], None] = time.sleep,
    pace: float = 0.0,
    headers: Mapping[str, str] | None = None,
) -> Delivered:
    """Send the deliveries one after the other, each signed for the moment at which it is sent.

    Args:
        emulator: that planned them.
        deliveries: in this order.
        base_url: of the receiver; the connection's public address must say the same.
        client: default: one for this call.
        wait: sleeps so many seconds.
        pace: seconds to wait for each second of the platform's own pauses; 0: none.
        headers: what the call that caused it passes on, such as `baggage`.
    """
    own = client or httpx.Client(timeout=TIMEOUT_SECONDS)
    accepted, repeated, given_up = 0, 0, []
    try:
        for delivery in deliveries:
            for pause in (*emulator.schedule(), None):
                if _send(own, emulator, delivery, base_url, headers or {}):
                    accepted += 1
                    break
                if pause is None:
                    given_up.append(delivery)
                    break
                repeated += 1
                wait(pause.total_seconds() * pace)
    finally:
        if client is None:
            own.close()
    return Delivered(accepted, repeated, tuple(given_up))


def _send(
    client: httpx.Client, emulator: Emulator, delivery: Delivery, base_url: str, headers: Mapping[str, str]
) -> bool:
    request = emulator.request(delivery, url=base_url.rstrip("/"), at=datetime.now(UTC))
    try:
        answer = client.request(
            request.method, request.url, headers={**headers, **request.headers}, content=request.body
        )
    except httpx.HTTPError:
        return False  # a platform tries again whatever the cause
    return answer.is_success
