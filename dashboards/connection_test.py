"""`throughline connections test`: does a connection work, step by step, with real calls?

1. The connection is configured and its secrets can be read.
2. The platform's own API is asked what its adapter declares (`calls`); a 403 names what is missing.
3. A signed sample that says nothing goes through our own edge, and must be taken; the same with a changed
   signature must be refused (`sample`).

None of this goes through `collector/egress.py`, which keeps what others can influence from leading inside:
here the person at the command line calls what they have configured themselves. Connections list no hosts that
a platform may be at, the edge is on this machine and speaks plain HTTP, and the proxy that the person's
environment names is meant.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

import httpx

from throughline.collector.connections import Configured
from throughline.collector.hooks import PREFIX, public_url
from throughline.collector.secrets import MissingSecret, SecretSource
from throughline.probes.platforms import adapter
from throughline.probes.platforms.adapter import Connection, HookRequest, PlatformCall

TIMEOUT_SECONDS = 20
SHOWN = 300


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that was tried; `fine` is None for what could not be tried."""

    name: str
    fine: bool | None
    sentence: str


def prove(configured: Configured, edge: str, environ: Mapping[str, str], now: datetime) -> Iterator[Step]:
    """Try a connection; `edge` is the address of our intake."""
    connection = configured.connection
    yield Step("configured", True, f"{connection.platform} in {configured.place}, tenant {configured.tenant}")
    for number, source in enumerate(configured.entry.secrets, 1):
        yield _secret(f"secret {number}" if len(configured.entry.secrets) > 1 else "secret", source, environ)
    if not configured.entry.secrets:
        yield Step("secret", None, "none is configured")
    yield from _platform(configured, environ)
    yield from _edge(connection, edge, now)


def _secret(name: str, source: SecretSource, environ: Mapping[str, str]) -> Step:
    where = source.env or str(source.file)
    try:
        length = len(source.read(environ))
    except MissingSecret as error:
        return Step(name, False, str(error))
    return Step(name, True, f"{length} bytes from {where}")


def _platform(configured: Configured, environ: Mapping[str, str]) -> Iterator[Step]:
    """Ask the platform what the adapter declares."""
    calls = getattr(adapter(configured.connection.platform), "calls", None)
    platform = configured.connection.platform
    if calls is None:
        yield Step("platform", None, f"{platform} offers no call to test with")
        return
    try:
        connection = configured.with_secret_options(environ)
    except MissingSecret as error:
        yield Step("platform", False, str(error))
        return
    if not connection.options.get("token"):
        yield Step("platform", None, "options.token is not set, so nothing can be asked")
        return
    for call in calls(connection):
        yield _called(call)


def _called(call: PlatformCall) -> Step:
    name = f"platform: {call.purpose}"
    try:
        response = httpx.get(call.url, headers=dict(call.headers), timeout=TIMEOUT_SECONDS)
    except httpx.HTTPError as error:
        return Step(name, False, f"{urlsplit(call.url).netloc} does not answer: {error}")
    if response.is_success:
        return Step(name, True, "allowed")
    if response.status_code == httpx.codes.FORBIDDEN:
        missing = missing_permissions(response.text) or [call.permission or "not named"]
        return Step(name, False, f"forbidden; missing permission: {', '.join(missing)}")
    if response.status_code == httpx.codes.UNAUTHORIZED:
        return Step(name, False, "the token is not known there, or has expired: issue a new one")
    return Step(name, False, f"answered {response.status_code}: {response.text[:SHOWN]}")


def missing_permissions(text: str) -> list[str]:
    """The permissions that the body of a 403 names: whatever lists of texts stand under `...scopes...`."""
    try:
        content = json.loads(text)
    except ValueError:
        return []
    return list(dict.fromkeys(_named(content)))


def _named(content: Any, under: str = "") -> Iterator[str]:
    if isinstance(content, dict):
        for name, value in content.items():
            yield from _named(value, name)
    elif isinstance(content, list):
        for value in content:
            if isinstance(value, str) and any(word in under.lower() for word in ("scope", "permission")):
                yield value
            else:
                yield from _named(value, under)


def _edge(connection: Connection, edge: str, now: datetime) -> Iterator[Step]:
    """Send a signed sample through our own edge, and a badly signed one."""
    sample = getattr(adapter(connection.platform), "sample", None)
    if sample is None or not connection.secrets:
        why = "it has no secret" if sample else f"{connection.platform} declares no sample"
        yield Step("edge", None, f"no sample can be signed: {why}; let the platform send a test message")
        return
    path = f"{PREFIX}{connection.platform}/{connection.id}"
    host = urlsplit(edge).netloc
    signed = sample(replace(connection, public_url=public_url(connection, path, host)), now)
    yield _sent("edge takes a signed sample", edge + path, signed, range(200, 300))
    other = replace(connection, public_url=signed.url, secrets=(b"not-the-secret-0000000000000000",))
    yield _sent("edge refuses a wrong signature", edge + path, sample(other, now), range(401, 402))


def _sent(name: str, url: str, request: HookRequest, wanted: range) -> Step:
    try:
        response = httpx.post(
            url, content=request.body, headers=dict(request.headers), timeout=TIMEOUT_SECONDS
        )
    except httpx.HTTPError as error:
        return Step(name, False, f"nothing answers at {url} ({error}): start throughline up")
    if response.status_code in wanted:
        return Step(name, True, f"answered {response.status_code}")
    return Step(name, False, f"answered {response.status_code}: {response.text[:SHOWN]}")
