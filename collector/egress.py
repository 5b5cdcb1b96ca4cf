"""HTTP that goes out: to listed hosts alone, wherever their names lead.

1. The URL names a host and port that the configuration lists; no user, no fragment.
2. Every address of that name is public, or in a listed network. `http` goes to listed networks only.
3. The connection is made to an address that was just checked: a name that later resolves otherwise
   leads nowhere.
4. Redirects are not followed and proxies of the environment not used.
"""

from __future__ import annotations

import ipaddress
import socket
import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from throughline.probes.errors import ConfigurationError, ThroughlineError

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Resolve = Callable[[str, int], Sequence[str]]

PORTS = {"https": 443, "http": 80}
TRANSLATED = ipaddress.IPv6Network("64:ff9b::/96")  # NAT64
CONNECT_SECONDS = 5.0
MOST_BYTES = 1 << 20
"""Of an answer; the rest is not read."""


class NotAllowed(ThroughlineError):
    """The address is not one that the configuration lists; add its host:port there if it is meant."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back; the body is cut after MOST_BYTES."""

    status: int
    headers: httpx.Headers
    body: bytes


def resolve(host: str, port: int) -> list[str]:
    """Return the addresses of a name. Raises: OSError."""
    return [str(found[4][0]) for found in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]


@dataclass(frozen=True)
class Egress:
    """Where one sender may go: `hosts` as `host:port`, `networks` that are not public but meant.

    Source: https://cheatsheetseries.owasp.org/cheatsheets/Server_Side_Request_Forgery_Prevention_Cheat_Sheet.html
    """

    hosts: frozenset[tuple[str, int]]
    networks: tuple[Network, ...] = ()
    resolve: Resolve = field(default=resolve, repr=False)

    @classmethod
    def of(cls, listed: Sequence[str]) -> Egress:
        """Read a list of `host`, `host:port` (443 without) and networks such as `10.1.0.0/16`.

        Raises: ConfigurationError, which names the entry.
        """
        hosts, networks = set(), []
        for entry in listed:
            if "/" in entry:
                networks.append(_network(entry))
            else:
                hosts.add(_host(entry))
        return cls(frozenset(hosts), tuple(networks))

    def check(self, url: httpx.URL) -> list[str]:
        """Return the addresses that a URL leads to, all of them allowed. Raises: NotAllowed, OSError."""
        if url.scheme not in PORTS:
            raise NotAllowed(f"{url.scheme or 'A URL without scheme'} is not allowed: use https.")
        if url.userinfo:
            raise NotAllowed("A URL with a user in it is not allowed: use headers.")
        host, port = url.host.lower(), url.port or PORTS[url.scheme]
        if (host, port) not in self.hosts:
            listed = ", ".join(sorted(f"{name}:{number}" for name, number in self.hosts)) or "none"
            raise NotAllowed(f"{host}:{port} is not among the listed hosts ({listed}).")
        found = self.resolve(host, port)
        for text in found:
            address = plain(ipaddress.ip_address(text.partition("%")[0]))
            meant = any(address in network for network in self.networks)
            if not meant and not (address.is_global and not address.is_multicast):
                raise NotAllowed(
                    f"{host} leads to {address}, which is not public: list its network if it is meant."
                )
            if not meant and url.scheme == "http":
                raise NotAllowed(f"http to {host} is not allowed outside listed networks: use https.")
        if not found:
            raise NotAllowed(f"{host} has no address.")
        return list(found)

    def client(
        self,
        *,
        timeout_seconds: float,
        certificate: tuple[Path, Path] | None = None,
        authority: Path | None = None,
    ) -> httpx.Client:
        """Return a client that goes nowhere else; `certificate` and its key are shown to the server.

        Raises: ConfigurationError, when a file can't be used.
        """
        try:
            context = ssl.create_default_context(cafile=authority)
            if certificate:
                context.load_cert_chain(*certificate)
        except (OSError, ssl.SSLError) as error:
            raise ConfigurationError(f"The TLS files can't be used: {error}.") from error
        return httpx.Client(
            transport=Pinned(self.check, context),
            timeout=httpx.Timeout(timeout_seconds, connect=min(CONNECT_SECONDS, timeout_seconds)),
            follow_redirects=False,
            trust_env=False,
        )


def send(client: httpx.Client, request: httpx.Request, auth: httpx.Auth | None = None) -> Answer:
    """Send a request and read its answer. Raises: httpx.HTTPError, NotAllowed."""
    response = client.send(request, stream=True, auth=auth)
    try:
        body = b""
        for chunk in response.iter_bytes():
            body += chunk
            if len(body) >= MOST_BYTES:
                break
        return Answer(response.status_code, response.headers, body[:MOST_BYTES])
    finally:
        response.close()


class Pinned(httpx.BaseTransport):
    """Connects to an address that was checked, under the name that was asked for.

    `check` returns the addresses that a URL leads to, one at least and all of them allowed; what it raises
    comes out, OSError as httpx.ConnectError.
    """

    def __init__(self, check: Callable[[httpx.URL], Sequence[str]], context: ssl.SSLContext) -> None:
        self._check = check
        self._inner = httpx.HTTPTransport(verify=context, trust_env=False)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Check, and send to the first address."""
        try:
            address = self._check(request.url)[0]
        except OSError as error:
            raise httpx.ConnectError(f"{request.url.host}: {error}", request=request) from error
        request.extensions = {**request.extensions, "sni_hostname": request.url.host}
        request.url = request.url.copy_with(host=address)
        return self._inner.handle_request(request)

    def close(self) -> None:
        """Close every connection."""
        self._inner.close()


def plain(address: Address) -> Address:
    """Return the IPv4 address that an IPv6 one wraps (mapped, NAT64, 6to4), else the address itself."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address in TRANSLATED:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or address


def _network(entry: str) -> Network:
    try:
        return ipaddress.ip_network(entry)
    except ValueError as error:
        raise ConfigurationError(f"'{entry}' is no network: {error}.") from error


def _host(entry: str) -> tuple[str, int]:
    name, _, port = entry.rpartition(":") if entry.count(":") == 1 else (entry, "", "443")
    if not name or not port.isdigit() or not 0 < int(port) < 65536 or any(c in name for c in "/@*? "):  # noqa: PLR2004
        raise ConfigurationError(f"'{entry}' is no host: write host:port, or a network as 10.1.0.0/16.")
    return name.lower(), int(port)
