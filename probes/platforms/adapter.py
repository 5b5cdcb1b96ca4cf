"""What a platform adapter is: a module with a table of events, `verify` and `parse`; and what these two see.

    verify(request, connection, now)   is it really from there, and fresh?   raises BadSignature, StaleRequest
    parse(request, connection)         what does it say?                     raises Unreadable
    greet(request, connection)         optional: answers a handshake before anything is verified
    reply(request, connection)         optional: what the platform wants to hear; default: 200, no body
    redact(body)                       optional: the body without what must never be stored (session ids)
    faults(connection)                 optional: what is wrong with `objects` and `options`, as sentences
    sample(connection, now)            optional: a signed request that says nothing, for a test of ourselves
    calls(connection)                  optional: what to ask the platform, for a test of what we may read
    OPTIONS, REQUIRED                  optional: what `options` may say, each with a sentence; which it must

Adapters are pure: no clock, no network, no files.  They read the raw bytes of a request once its signature
holds.  A value that a table does not know becomes an event of the type `unknown`, never an error.
docs/add-a-platform.md shows how to write one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol, runtime_checkable

from throughline.probes.errors import InvalidRequest, Unauthorized
from throughline.probes.vocabulary import BusinessEvent


class BadSignature(Unauthorized):
    """The signature does not match; compare the secret of the connection with the one in the platform."""


class StaleRequest(Unauthorized):
    """The request was signed too long ago, or in the future; check the clocks of both sides."""


class Unreadable(InvalidRequest):
    """The body is not what the platform sends; it is kept whole in the dead letters."""


@dataclass(frozen=True, slots=True)
class HookRequest:
    """One HTTP request of a platform, as received."""

    method: str
    url: str
    """As the platform called it: the connection's public address, path and query; signatures cover it."""
    headers: Mapping[str, str]
    """Names in lower case; of repeated headers the values joined by a comma."""
    body: bytes
    """Decompressed; otherwise untouched."""
    received_at: datetime


@dataclass(frozen=True, slots=True)
class Connection:
    """One configured source: `connections.yaml` with its secrets read."""

    id: str
    platform: str
    secrets: Sequence[bytes] = field(default=(), repr=False)
    """All that are valid now, newest first: during a rotation there are two."""
    public_url: str = ""
    objects: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """By the platform's object type: what its fields are called here (keys, attributes)."""
    options: Mapping[str, str] = field(default_factory=dict)
    """What only this platform asks for, e.g. `org`, `portal`, `legal_entity`."""


@dataclass(frozen=True, slots=True)
class HookReply:
    """What a platform is told."""

    status: int = 200
    body: bytes = b""
    content_type: str = "text/plain"
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PlatformCall:
    """One harmless question to a platform's own API, asked by `throughline connections test`."""

    purpose: str
    """What being allowed to ask it proves, e.g. `read deals`."""
    url: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    permission: str = ""
    """What the platform calls the permission, said when a 403 does not name it itself."""


@runtime_checkable
class Adapter(Protocol):
    """The module of a platform. The functions that are optional are looked up by name."""

    def verify(self, request: HookRequest, connection: Connection, now: datetime) -> None:
        """Raise BadSignature or StaleRequest unless one of the connection's secrets made this request."""

    def parse(self, request: HookRequest, connection: Connection) -> list[BusinessEvent]:
        """Return what the request says; repeats of an event share its `id`. Raises: Unreadable."""
