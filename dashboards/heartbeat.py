"""The dead man's switch: whoever waits for this heartbeat learns when alerts are no longer evaluated.

The address is looked up once per beat, checked, and used as looked up: a name cannot lead somewhere else
between the check and the request. Redirects are not followed.
"""

from __future__ import annotations

import ipaddress
import logging
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING

import httpx

from throughline.probes.errors import ThroughlineError

if TYPE_CHECKING:
    from collections.abc import Callable

    from throughline.dashboards.alert_settings import AlertSettings

TIMEOUT_SECONDS = 10.0
log = logging.getLogger(__name__)


class HeartbeatRefused(ThroughlineError):
    """The heartbeat may not be sent there; correct THROUGHLINE_HEARTBEAT_URL."""


@dataclass
class Heartbeat:
    """Sends at most one beat per interval."""

    settings: AlertSettings
    resolve: Callable[[str, int], list[str]] | None = None
    """Looks a name up; a test may answer itself."""

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
                url, self.settings.heartbeat_method, self._resolved, internal=self.settings.heartbeat_internal
            )
        except (httpx.HTTPError, OSError, ThroughlineError) as error:
            log.warning("the heartbeat was not taken: %s", error)
            return False
        return True

    def _resolved(self, host: str, port: int) -> list[str]:
        return (self.resolve or look_up)(host, port)


def send(url: str, method: str, resolve: Callable[[str, int], list[str]], *, internal: bool) -> None:
    """Send one heartbeat. Raises: HeartbeatRefused, httpx.HTTPError, OSError."""
    target = httpx.URL(url)
    if target.scheme not in {"http", "https"} or not target.host or target.userinfo:
        raise HeartbeatRefused(f"The heartbeat goes to http:// or https://host/path, not to {target.host!r}.")
    port = target.port or (443 if target.scheme == "https" else 80)
    addresses = resolve(target.host, port)
    for address in addresses:
        if reason := refusal(address, internal=internal):
            raise HeartbeatRefused(f"The heartbeat may not go to {target.host}: {address} is {reason}.")
    if not addresses:
        raise HeartbeatRefused(f"{target.host} has no address.")
    pinned = target.copy_with(host=addresses[0])
    host = target.netloc.decode("ascii")
    with httpx.Client(timeout=TIMEOUT_SECONDS, follow_redirects=False, trust_env=False) as client:
        request = client.build_request(
            method, pinned, headers={"Host": host}, extensions={"sni_hostname": target.host}
        )
        answer = client.send(request)
    if not answer.is_success:
        raise HeartbeatRefused(f"{target.host} answered the heartbeat with {answer.status_code}.")


def refusal(address: str, *, internal: bool) -> str:
    """Why an address may not be called; empty if it may. Addresses of cloud metadata never may."""
    one = ipaddress.ip_address(address)
    if isinstance(one, ipaddress.IPv6Address) and one.ipv4_mapped is not None:
        one = one.ipv4_mapped
    if one.is_link_local or one.is_multicast or one.is_unspecified:
        return "a link-local, multicast or empty address"
    if not one.is_global and not internal:
        return "internal; set THROUGHLINE_HEARTBEAT_INTERNAL=true to allow that"
    return ""


def look_up(host: str, port: int) -> list[str]:
    """The addresses of a host. Raises: OSError."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(one[4][0]) for one in found))
