"""One POST to a subscriber: no redirects, no proxies, no detour to addresses that are not public.

The name is looked up once, every address is judged, and the one that was judged is called: a name that points
elsewhere a moment later leads nowhere.
"""

from __future__ import annotations

import ipaddress
import socket
import ssl
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpcore

MOST_ANSWER = 16_384
"""Bytes of an answer that are read."""
SHOWN = 300
"""Characters of an answer that are kept."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of an attempt: `status` 0 if no answer came; `retry_after` in seconds, if it says so."""

    status: int
    text: str
    retry_after: float | None = None

    @property
    def accepted(self) -> bool:
        """Whether the subscriber has taken it."""
        return 200 <= self.status < 300  # noqa: PLR2004 all of 2xx


class _NotAllowedError(httpcore.ConnectError):
    """The host is at an address that may not be called."""


class _Judging(httpcore.SyncBackend):
    """Connects to addresses that it has judged."""

    def __init__(self, *, anywhere: bool) -> None:
        self._anywhere = anywhere

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        """Connect to the first address, if all of them may be called."""
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except OSError as error:
            raise httpcore.ConnectError(f"{host} is not known: {error}") from error
        addresses = list(dict.fromkeys(str(one[4][0]) for one in found))
        private = [one for one in addresses if not _is_public(one)]
        if private and not self._anywhere:
            raise _NotAllowedError(
                f"{host} is at {private[0]}, which is not public: list it under hosts if it is meant"
            )
        return super().connect_tcp(addresses[0], port, timeout, local_address, socket_options)


def _is_public(address: str) -> bool:
    """Whether an address is on the public internet, also one that hides an IPv4 address in IPv6."""
    found = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(found, ipaddress.IPv6Address):
        inner = found.ipv4_mapped or found.sixtofour or (found.teredo[1] if found.teredo else None)
        nat64 = found in ipaddress.ip_network("64:ff9b::/96")
        if nat64:
            inner = ipaddress.IPv4Address(int(found) & 0xFFFFFFFF)
        if inner is not None:
            return inner.is_global and not inner.is_multicast
    return found.is_global and not found.is_multicast


def post(url: str, headers: Mapping[str, str], body: bytes, *, anywhere: bool, seconds: float) -> Answer:
    """Send; never raises for what the network or the subscriber do.

    `seconds` limit the connection, and each wait for the other side; `anywhere` allows addresses that are not
    public.
    """
    limits = {"connect": seconds, "read": seconds, "write": seconds, "pool": seconds}
    sent = [(name.encode(), value.encode("latin-1", "replace")) for name, value in headers.items()]
    parts = urlsplit(url)
    sent = [(b"host", parts.netloc.encode()), (b"content-length", str(len(body)).encode()), *sent]
    context = ssl.create_default_context()
    try:
        with (
            httpcore.ConnectionPool(context, network_backend=_Judging(anywhere=anywhere)) as pool,
            pool.stream("POST", url, headers=sent, content=body, extensions={"timeout": limits}) as answer,
        ):
            return Answer(answer.status, _text(answer), _retry_after(answer))
    except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException, OSError) as error:
        return Answer(0, f"{type(error).__name__.lstrip('_')}: {error}"[:SHOWN])


def _text(answer: httpcore.Response) -> str:
    """The beginning of an answer, as one line; 204 and the like have none."""
    read = b""
    for piece in answer.iter_stream():
        read += piece
        if len(read) >= MOST_ANSWER:
            break
    said = read[:MOST_ANSWER].decode("utf-8", "replace")
    return " ".join("".join(one if one.isprintable() else " " for one in said).split())[:SHOWN]


def _retry_after(answer: httpcore.Response) -> float | None:
    """Whole seconds that the subscriber asks to wait; dates and nonsense are not read."""
    for name, value in answer.headers:
        if name.lower() == b"retry-after" and value.strip().isdigit():
            return float(min(int(value[:10]), 86_400))
    return None
