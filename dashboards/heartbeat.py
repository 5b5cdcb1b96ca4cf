"""The dead man's switch: whoever waits for this heartbeat learns when alerts are no longer evaluated.

The address is looked up once per beat, checked, and used as looked up: a name cannot lead somewhere else
between the check and the request. Redirects are not followed.

Where it may go is a rule of its own, because it has one address and no list: the operator sets it, plain HTTP
is allowed, and one switch opens all networks of one's own but link-local ones. `Egress` wants a list of hosts
and networks. How it gets there is the same.
"""

from __future__ import annotations

import ipaddress
import logging
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import httpx

from throughline.collector import egress
from throughline.probes.errors import ThroughlineError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from throughline.dashboards.alert_settings import AlertSettings

TIMEOUT_SECONDS = 10.0
log = logging.getLogger(__name__)


class HeartbeatRefused(ThroughlineError):
    """The heartbeat may not be sent there; correct THROUGHLINE_HEARTBEAT_URL."""


@dataclass
class Heartbeat:
    """Sends at most one beat per interval."""

    settings: AlertSettings

    def __post_init__(self) -> None:
        self._last = float("-inf")

    def beat(self, now: float) -> bool:
        """Send one if the last is an interval ago (`now` in seconds that never run backwards); whether it
        arrived. A beat that fails is logged: whoever waits for it is told by its absence.
        """
        url = self.settings.heartbeat_url
        if url is None or now - self._last < self.settings.heartbeat_seconds:
            return False
        self._last = now
        try:
            send(
                url, self.settings.heartbeat_method, egress.resolve, internal=self.settings.heartbeat_internal
            )
        except (httpx.HTTPError, OSError, ThroughlineError) as error:
            log.warning("the heartbeat was not taken: %s", error)
            return False
        return True


def send(url: str, method: str, resolve: egress.Resolve, *, internal: bool) -> None:
    """Send one heartbeat. Raises: HeartbeatRefused, httpx.HTTPError."""
    target = httpx.URL(url)
    check = partial(_allowed, resolve=resolve, internal=internal)
    with httpx.Client(
        transport=egress.Pinned(check, httpx.create_ssl_context(trust_env=False)),
        timeout=TIMEOUT_SECONDS,
        follow_redirects=False,
        trust_env=False,
    ) as client:
        answer = egress.send(client, client.build_request(method, target))
    if not httpx.codes.is_success(answer.status):
        raise HeartbeatRefused(f"{target.host} answered the heartbeat with {answer.status}.")


def _allowed(target: httpx.URL, *, resolve: egress.Resolve, internal: bool) -> Sequence[str]:
    """The addresses that the heartbeat's URL leads to. Raises: HeartbeatRefused, OSError."""
    if target.scheme not in egress.PORTS or not target.host or target.userinfo:
        raise HeartbeatRefused(f"The heartbeat goes to http:// or https://host/path, not to {target.host!r}.")
    addresses = resolve(target.host, target.port or egress.PORTS[target.scheme])
    for address in addresses:
        if reason := refusal(address, internal=internal):
            raise HeartbeatRefused(f"The heartbeat may not go to {target.host}: {address} is {reason}.")
    if not addresses:
        raise HeartbeatRefused(f"{target.host} has no address.")
    return addresses


def refusal(address: str, *, internal: bool) -> str:
    """Why an address may not be called; empty if it may. Addresses of cloud metadata never may."""
    one = egress.plain(ipaddress.ip_address(address))
    if one.is_link_local or one.is_multicast or one.is_unspecified:
        return "a link-local, multicast or empty address"
    if not one.is_global and not internal:
        return "internal; set THROUGHLINE_HEARTBEAT_INTERNAL=true to allow that"
    return ""
