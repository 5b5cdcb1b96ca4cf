"""Subscriptions as people see them: how they fare, one trial, one more attempt."""

from __future__ import annotations

import contextlib
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from throughline.collector.control import ControlStore
from throughline.correlator.outbound.outbound import attempt, sample
from throughline.correlator.outbound.outbox import Delivery, Outbox
from throughline.correlator.outbound.subscriptions import Subscription, load_subscriptions
from throughline.dashboards.clock import utc_now
from throughline.probes.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from throughline.correlator.outbound.sending import Answer
    from throughline.dashboards.engine_settings import EngineSettings

_FILTERS = ("id", "format")
_LISTS = ("events", "process", "milestone", "severity")


def described(one: Subscription, outbox: Outbox, now: datetime) -> dict[str, Any]:
    """A subscription and how it fares, as the API says it."""
    standing = outbox.standing(one)
    known = asdict(standing)
    oldest = known.pop("oldest_waiting")
    begun = standing.since > datetime(1970, 1, 2, tzinfo=UTC)
    paused = standing.paused_until is not None and standing.paused_until > now
    state = "new" if not begun else "paused" if paused else "failing" if standing.failures else "working"
    parts = urlsplit(one.url)
    return {
        **{name: getattr(one, name) for name in _FILTERS},
        **{name: list(getattr(one, name)) for name in _LISTS},
        "class": list(one.class_),
        "url": f"{parts.scheme}://{parts.netloc}{parts.path}",
        "state": state,
        **known,
        "since": standing.since if begun else None,
        "lag_seconds": max(0.0, (now - oldest).total_seconds()) if oldest else 0.0,
    }


def shown(one: Delivery) -> dict[str, Any]:
    """A delivery, without its content."""
    found = {name: value for name, value in asdict(one).items() if name != "event"}
    return {**found, "next_at": one.next_at if one.state == "waiting" else None}


def one_of(subscriptions: Sequence[Subscription], identity: str) -> Subscription:
    """The subscription of that id. Raises: ConfigurationError."""
    for one in subscriptions:
        if one.id == identity:
            return one
    known = ", ".join(one.id for one in subscriptions) or "none"
    raise ConfigurationError(f"No subscription is called {identity}; there are {known}.")


def listed(settings: EngineSettings) -> list[dict[str, Any]]:
    """All subscriptions of all tenants. Raises: ConfigurationError, ControlError."""
    found = load_subscriptions(settings.config)
    with contextlib.closing(ControlStore.open(settings.control_url)) as control:
        control.migrate()
        return [described(one, Outbox(control), utc_now()) for one in found]


def tried(settings: EngineSettings, identity: str) -> Answer:
    """Send a sample. Raises: ConfigurationError."""
    one, now = one_of(load_subscriptions(settings.config), identity), utc_now()
    return attempt(one, sample(one, now), now)


def resumed(settings: EngineSettings, identity: str) -> int:
    """Let a running engine try again at once what failed. Raises: ConfigurationError, ControlError."""
    one = one_of(load_subscriptions(settings.config), identity)
    with contextlib.closing(ControlStore.open(settings.control_url)) as control:
        control.migrate()
        return Outbox(control).resume(one, utc_now())
