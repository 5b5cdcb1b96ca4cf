"""Who is told of what: `subscriptions.yaml`.

subscriptions:
  - id: crm-writeback
    url: https://crm.example.com/hooks/throughline
    secret: {env: CRM_HOOK_SECRET}        # or {file: ...}; during a rotation a list, the new one first
    events: [milestone.met, exception.opened]
    process: opportunity-to-invoice
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from throughline.collector.auth import DEFAULT_TENANT, TENANT
from throughline.collector.secrets import MissingSecret, SecretSource
from throughline.correlator.problems import InvalidFile, fields, file_of, validated

SUBSCRIPTIONS_FILE = "subscriptions.yaml"
EVENTS = (
    "milestone.met", "milestone.late", "milestone.undone",
    "exception.opened", "exception.resolved", "exception.reopened", "exception.closed", "exception.gone",
)  # fmt: skip
"""What may be told, `<subject>.<kind>`."""
DEFAULT_PORTS: Mapping[str, int] = {"https": 443, "http": 80}
PREFIX = "whsec_"
SMALLEST_SECRET, LARGEST_SECRET = 24, 64
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}")
_OURS = re.compile(
    r"(ce-.*|webhook-.*|content-.*|host|traceparent|transfer-encoding|connection)", re.IGNORECASE
)
_SPAN = re.compile(r"([1-9][0-9]{0,4})([smhd])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


class InvalidSubscriptions(InvalidFile):
    """The subscriptions can't be used; correct the lines that the message names."""


def _several(given: Any) -> Any:
    return given if isinstance(given, list | tuple) or given is None else [given]


def _named(given: str) -> str:
    if not _NAME.fullmatch(given):
        raise ValueError(f"'{given}' is no id: letters, digits, '.', '_' and '-'")
    return given


def _tenant(given: str) -> str:
    if not TENANT.fullmatch(given):
        raise ValueError(f"'{given}' is no tenant")
    return given


def _span(given: Any) -> Any:
    said = _SPAN.fullmatch(given) if isinstance(given, str) else None
    if said is None:
        raise ValueError("a time is written like 30m, 12h or 7d")
    return timedelta(**{_UNITS[said[2]]: int(said[1])})


def _address(given: str) -> str:
    try:
        parts = urlsplit(given)
        _ = parts.port
    except ValueError as error:
        raise ValueError(f"'{given}' is no URL: {error}") from error
    if parts.scheme not in DEFAULT_PORTS or not parts.hostname or parts.username or parts.fragment:
        raise ValueError("a URL begins with https:// and a host, and has neither user nor fragment")
    if not given.isascii() or any(letter <= " " for letter in given):
        raise ValueError("a URL is ASCII without blanks; write others with %")
    return given


def _host(given: str) -> str:
    if not re.fullmatch(r"(\[[0-9a-f:]+\]|[a-z0-9.-]+):[0-9]{1,5}", given):
        raise ValueError(f"'{given}' is no host and port, as crm.internal:8443")
    return given


Texts = Annotated[tuple[str, ...], BeforeValidator(_several)]


class Secret(SecretSource):
    """A secret that signs."""

    def key(self, environ: Mapping[str, str]) -> bytes:
        """The key of a signature, as Standard Webhooks write it. Raises: MissingSecret."""
        said = self.text(environ).removeprefix(PREFIX)
        try:
            key = base64.b64decode(said, validate=True)
        except (binascii.Error, ValueError):
            key = b""
        if not SMALLEST_SECRET <= len(key) <= LARGEST_SECRET:
            raise MissingSecret(
                f"{self.file or self.env} must be {PREFIX} and 24 to 64 random bytes in base64: "
                "openssl rand -base64 32"
            )
        return key


class Subscription(BaseModel):
    """One webhook, and what is told to it. A filter that is left out matches anything."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: Annotated[str, AfterValidator(_named)]
    tenant: Annotated[str, AfterValidator(_tenant)] = DEFAULT_TENANT
    url: Annotated[str, AfterValidator(_address)]
    secret: Annotated[tuple[Secret, ...], BeforeValidator(_several), Field(min_length=1, max_length=4)]
    events: Annotated[tuple[Literal[EVENTS], ...], BeforeValidator(_several), Field(min_length=1)] = EVENTS  # type: ignore[valid-type]
    process: Texts = ()
    milestone: Texts = ()
    class_: Annotated[tuple[Literal["technical", "remote", "business"], ...], BeforeValidator(_several)] = (
        Field(default=(), alias="class")
    )
    severity: Annotated[
        tuple[Literal["low", "medium", "high", "critical"], ...], BeforeValidator(_several)
    ] = ()
    format: Literal["structured", "binary"] = "structured"
    headers: Mapping[str, str | Secret] = {}
    hosts: Annotated[tuple[Annotated[str, AfterValidator(_host)], ...], BeforeValidator(_several)] = ()
    """Hosts that may be called without TLS, or at an address that is not public."""
    max_age: Annotated[timedelta, BeforeValidator(_span)] = timedelta(days=7)
    """What happened longer before it was noticed is not told: a backfill tells nobody of last year."""
    attempts: Annotated[int, Field(ge=1, le=30)] = 10
    timeout_seconds: Annotated[float, Field(gt=0, le=60)] = 10

    @property
    def place(self) -> str:
        """Host and port that are called."""
        parts = urlsplit(self.url)
        name = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
        return f"{name}:{parts.port or DEFAULT_PORTS[parts.scheme]}"

    @property
    def listed(self) -> bool:
        """Whether the host may be anywhere."""
        return self.place in self.hosts

    def keys(self, environ: Mapping[str, str]) -> list[bytes]:
        """The keys that sign, newest first. Raises: MissingSecret."""
        return [secret.key(environ) for secret in self.secret]

    def extra_headers(self, environ: Mapping[str, str]) -> dict[str, str]:
        """The headers of one's own, with their secrets. Raises: MissingSecret."""
        return {
            name: value.text(environ) if isinstance(value, Secret) else value
            for name, value in self.headers.items()
        }


class _File(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    subscriptions: tuple[Subscription, ...] = ()


_PARTS = {
    (): fields(_File),
    ("subscriptions",): fields(Subscription),
    ("subscriptions", "secret"): fields(Secret),
    ("subscriptions", "headers"): (),
}


def load_subscriptions(config_dir: Path | None) -> tuple[Subscription, ...]:
    """Read `<config_dir>/subscriptions.yaml`; without one nobody is told anything.

    Raises:
        InvalidSubscriptions: with every problem found.
    """
    path = file_of(config_dir, SUBSCRIPTIONS_FILE)
    return parse_subscriptions(path) if path else ()


def parse_subscriptions(source: Path | str) -> tuple[Subscription, ...]:
    """Read subscriptions from a file (`Path`) or from YAML text (`str`).

    Raises:
        InvalidSubscriptions: with every problem found.
    """
    wanted = "subscriptions are a mapping that begins with `subscriptions:`"
    file = validated(source, _File, _PARTS, invalid=InvalidSubscriptions, wanted=wanted)
    found = file.content.subscriptions
    file.refuse(
        (("subscriptions", number), sentence)
        for number, one in enumerate(found)
        for sentence in _wrong(one, [before.id for before in found[:number]])
    )
    return found


def _wrong(one: Subscription, before: list[str]) -> list[str]:
    """What no field shows by itself."""
    found = []
    if one.id in before:
        found.append(f"there are two subscriptions '{one.id}'")
    if urlsplit(one.url).scheme == "http" and not one.listed:
        found.append(f"{one.url} has no TLS: write https://, or list the host as hosts: [{one.place}]")
    for name, value in one.headers.items():
        if not _HEADER.fullmatch(name) or _OURS.fullmatch(name):
            found.append(f"'{name}' is no header that a subscription may set")
        elif isinstance(value, str) and not (value.isascii() and value.isprintable()):
            found.append(f"the header {name} must be printable ASCII")
    found += [
        "a secret is {env: NAME} or {file: PATH}, one of both"
        for secret in (*one.secret, *(value for value in one.headers.values() if isinstance(value, Secret)))
        if bool(secret.env) == (secret.file is not None)
    ]
    return found
