"""One POST to a subscriber: to its own host alone, which is public unless it is listed."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass

import httpx

from throughline.collector import egress
from throughline.collector.egress import Egress, NotAllowed

SHOWN = 300
"""Characters of an answer that are kept."""
LONGEST_WAIT = 86_400
ANYWHERE = (ipaddress.ip_network("0.0.0.0/0"), ipaddress.ip_network("::/0"))


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of an attempt: `status` 0 if no answer came; `retry_after` in seconds, if it says so."""

    status: int
    text: str
    retry_after: float | None = None

    @property
    def accepted(self) -> bool:
        """Whether the subscriber has taken it."""
        return httpx.codes.is_success(self.status)


def post(url: str, headers: Mapping[str, str], body: bytes, *, anywhere: bool, seconds: float) -> Answer:
    """Send; never raises for what the network or the subscriber do.

    `seconds` limit the connection, and each wait for the other side; `anywhere` allows addresses that are not
    public, and plain HTTP.
    """
    target = httpx.URL(url)
    host = (target.host.lower(), target.port or egress.PORTS.get(target.scheme, 0))
    allowed = Egress(frozenset({host}), ANYWHERE if anywhere else ())
    encoded = [(name.encode(), value.encode("latin-1", "replace")) for name, value in headers.items()]
    try:
        with allowed.client(timeout_seconds=seconds) as client:
            answer = egress.send(client, client.build_request("POST", target, headers=encoded, content=body))
    except (httpx.HTTPError, NotAllowed) as error:
        return Answer(0, f"{type(error).__name__}: {error}"[:SHOWN])
    return Answer(answer.status, _line(answer.body), _seconds(answer.headers.get("retry-after", "")))


def _line(body: bytes) -> str:
    """The beginning of an answer, as one line."""
    said = body.decode("utf-8", "replace")
    return " ".join("".join(one if one.isprintable() else " " for one in said).split())[:SHOWN]


def _seconds(header: str) -> float | None:
    """Whole seconds that the subscriber asks to wait; dates and nonsense are not read."""
    return float(min(int(header[:10]), LONGEST_WAIT)) if header.strip().isdecimal() else None
