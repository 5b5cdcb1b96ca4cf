"""How a platform without a signature of its own shows that it is itself; all comparisons take constant time.

    require_secret     a secret in a header, in basic authentication or in the query of the URL
    require_signature  HMAC over time and body, for what the customer writes: NetSuite's script, flows in OIC

The signature is ours, for platforms where the customer writes the sender; Standard Webhooks is `generic.py`.
"""

from __future__ import annotations

import binascii
import hashlib
import hmac
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import parse_qsl

from throughline.probes.platforms.adapter import BadSignature, Connection, HookRequest, StaleRequest

TOKEN_HEADER: Final = "x-throughline-token"  # noqa: S105 the name of a header
TOKEN_PARAMETER: Final = "token"  # noqa: S105 the name of a parameter
SIGNATURE_HEADER: Final = "x-probe-signature"
MAX_AGE: Final = timedelta(minutes=5)
MAX_AHEAD: Final = timedelta(minutes=1)
"""How far the clock of the sender may be ahead of ours."""
_MAX_FIELDS: Final = 50
_MAX_DIGITS: Final = 12


def require_secret(request: HookRequest, connection: Connection) -> None:
    """Raise BadSignature unless the request shows one of the secrets.

    It may stand in `X-Throughline-Token`, in `Authorization: Bearer`, in `Authorization: Basic` (a secret
    with a colon is `user:password`, one without is the password), or in the URL as `?token=`.
    """
    secrets = _secrets(connection)
    matches = False
    for shown, is_pair in _shown(request):
        for secret in secrets:
            password_only = is_pair and b":" not in secret
            matches |= hmac.compare_digest(shown.partition(b":")[2] if password_only else shown, secret)
    if not matches:
        raise BadSignature(
            f"The request shows none of the secrets of connection {connection.id}: put one into the header "
            f"{TOKEN_HEADER}, into basic authentication or into the URL as ?{TOKEN_PARAMETER}=."
        )


def require_signature(request: HookRequest, connection: Connection, now: datetime) -> None:
    """Check `X-Probe-Signature: t=<unix seconds>,v1=<hex HMAC-SHA256 of t.body>`.

    Raises:
        BadSignature: it is missing, malformed, or made with another secret.
        StaleRequest: it is right, but older than five minutes or more than one minute ahead.
    """
    parts = [part.partition("=") for part in request.headers.get(SIGNATURE_HEADER, "").split(",")]
    times = [value for name, _, value in parts if name == "t"]
    given = [_bytes(value) for name, _, value in parts if name == "v1"]
    if len(times) != 1 or not _is_number(times[0]) or not given:
        raise BadSignature(f"The header {SIGNATURE_HEADER} is missing or not t=<unix>,v1=<hex>.")
    matches = False
    for secret in _secrets(connection):
        expected = sign(secret, times[0], request.body).encode()
        for signature in given:
            matches |= hmac.compare_digest(signature, expected)
    if not matches:
        raise BadSignature
    age = now.timestamp() - int(times[0])
    if not -MAX_AHEAD.total_seconds() <= age <= MAX_AGE.total_seconds():
        raise StaleRequest(f"The request was signed {age:.0f} s ago; check the clocks of both sides.")


def shown_sample(connection: Connection, now: datetime) -> HookRequest:
    """A request that says nothing and shows the newest secret, for a test of ourselves."""
    headers = {TOKEN_HEADER: connection.secrets[0].decode(), "content-type": "application/json"}
    return HookRequest("POST", connection.public_url, headers, b"[]", now)


def signed_sample(
    connection: Connection, now: datetime, body: bytes = b"[]", content_type: str = "application/json"
) -> HookRequest:
    """A request that says nothing and is signed with the newest secret, for a test of ourselves."""
    seconds = str(int(now.timestamp()))
    signature = f"t={seconds},v1={sign(connection.secrets[0], seconds, body)}"
    headers = {SIGNATURE_HEADER: signature, "content-type": content_type}
    return HookRequest("POST", connection.public_url, headers, body, now)


def sign(secret: bytes, seconds: str, body: bytes) -> str:
    """The hex signature of a body sent at a Unix time."""
    return hmac.new(secret, seconds.encode() + b"." + body, hashlib.sha256).hexdigest()


def _secrets(connection: Connection) -> list[bytes]:
    secrets = [secret for secret in connection.secrets if secret]
    if not secrets:
        raise BadSignature(f"Connection {connection.id} has no secret: set one in connections.yaml.")
    return secrets


def _shown(request: HookRequest) -> Iterator[tuple[bytes, bool]]:
    """What the request shows, and whether it is a pair `user:password`."""
    if TOKEN_HEADER in request.headers:
        yield _bytes(request.headers[TOKEN_HEADER]), False
    scheme, _, value = request.headers.get("authorization", "").partition(" ")
    if scheme.casefold() == "bearer":
        yield _bytes(value), False
    elif scheme.casefold() == "basic":
        try:
            pair = binascii.a2b_base64(value.encode("ascii"), strict_mode=True)
        except ValueError:
            pair = b""
        if binascii.b2a_base64(pair, newline=False) == value.encode("ascii", "replace"):  # no spare bits
            yield pair, True
    query = request.url.partition("?")[2].partition("#")[0]
    try:
        fields = parse_qsl(query, keep_blank_values=True, max_num_fields=_MAX_FIELDS)
    except ValueError:
        return
    for name, value in fields:
        if name == TOKEN_PARAMETER:
            yield _bytes(value), False


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "replace")


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= _MAX_DIGITS
