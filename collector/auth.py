"""Who may do what: bearer tokens with a tenant and scopes.

Tokens come from `tokens.yaml` (as SHA-256, so that the file may live in Git) and from the environment:

    tokens:
      - name: shop-backend
        sha256: 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
        tenant: default          # default: default
        scopes: [ingest]         # or role: viewer | operator | approver | admin

    THROUGHLINE_TOKENS="name:tenant:role-or-scopes:token;..."     scopes joined by +

Without any token, access is open: tenant `default`, every scope. `require_safe_bind` keeps that on loopback.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from throughline.probes.errors import ConfigurationError, Unauthorized

TOKENS_FILE = "tokens.yaml"
TOKENS_VARIABLE = "THROUGHLINE_TOKENS"
DEFAULT_TENANT = "default"
SHA256 = re.compile(r"[0-9a-f]{64}")
TENANT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
SMALLEST_TOKEN = 16


class Scope(StrEnum):
    """What a token may do."""

    READ = "read"
    OPERATE = "operate"
    APPROVE = "approve"
    ADMIN = "admin"
    INGEST = "ingest"


ROLES: dict[str, frozenset[Scope]] = {
    "viewer": frozenset({Scope.READ}),
    "operator": frozenset({Scope.READ, Scope.OPERATE}),
    "approver": frozenset({Scope.READ, Scope.APPROVE}),
    "admin": frozenset(Scope),
}


class Forbidden(Unauthorized):
    """The token is known but does not hold the needed scope; use another token."""


@dataclass(frozen=True, slots=True)
class Principal:
    """Who is asking: one tenant, what they may do, and the name of their token for audits."""

    tenant: str
    scopes: frozenset[Scope]
    name: str = "anonymous"

    def require(self, scope: Scope) -> None:
        """Raises: Forbidden, without `scope`."""
        if scope not in self.scopes:
            raise Forbidden(f"The token {self.name} does not hold the scope {scope}; use another token.")


@dataclass(frozen=True, slots=True)
class Token:
    """One configured token; only its hash is kept."""

    digest: bytes
    principal: Principal


OPEN_PRINCIPAL = Principal(DEFAULT_TENANT, frozenset(Scope))


@dataclass(frozen=True, slots=True)
class Access:
    """The configured tokens. Immutable: a changed file makes a new one."""

    tokens: tuple[Token, ...] = ()

    @classmethod
    def load(cls, config_dir: Path | None, environ: Mapping[str, str]) -> Access:
        """Read `tokens.yaml` of a configuration directory and `THROUGHLINE_TOKENS` (or `..._FILE`).

        Raises: ConfigurationError, which names the file or variable and the entry.
        """
        tokens: list[Token] = []
        if config_dir is not None and (path := config_dir / TOKENS_FILE).exists():
            tokens += _from_file(path)
        tokens += _from_environment(environ)
        names = [token.principal.name for token in tokens]
        for name in names:
            if names.count(name) > 1:
                raise ConfigurationError(f"Two tokens are called {name!r}; give each its own name.")
        return cls(tuple(tokens))

    @property
    def open(self) -> bool:
        """Whether no token is configured, so that everybody on loopback may do everything."""
        return not self.tokens

    def authenticate(self, authorization: str | None) -> Principal:
        """Return who sent this `Authorization` header.

        Every configured hash is compared, so the time taken says nothing about how near a guess was.

        Raises: Unauthorized.
        """
        if self.open:
            return OPEN_PRINCIPAL
        scheme, _, token = (authorization or "").strip().partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            raise Unauthorized("Send a token as 'Authorization: Bearer <token>'.")
        digest = hashlib.sha256(token.strip().encode("utf-8", "surrogateescape")).digest()
        found: Principal | None = None
        for known in self.tokens:
            if hmac.compare_digest(known.digest, digest):
                found = known.principal
        if found is None:
            raise Unauthorized("The token is unknown; check it or add its SHA-256 to tokens.yaml.")
        return found


def require_safe_bind(host: str, access: Access) -> None:
    """Refuse to listen on an address that others reach while access is open.

    Raises: ConfigurationError.
    """
    if access.open and not is_loopback(host):
        raise ConfigurationError(
            f"Listening on {host} without tokens would let anybody in: "
            f"add tokens to {TOKENS_FILE} or {TOKENS_VARIABLE}, or listen on 127.0.0.1."
        )


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches `host`; a name other than `localhost` counts as reachable."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _from_file(path: Path) -> list[Token]:
    try:
        content = YAML(typ="safe").load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, YAMLError) as error:
        raise ConfigurationError(f"{path} can't be read: {error}") from error
    entries = content.get("tokens") if isinstance(content, dict) else None
    if not isinstance(entries, list) or set(content) != {"tokens"}:
        raise ConfigurationError(f"{path} must hold one list called 'tokens'.")
    return [_from_entry(entry, f"{path}, token {number}") for number, entry in enumerate(entries, 1)]


def _from_entry(entry: Any, where: str) -> Token:
    if not isinstance(entry, dict):
        raise ConfigurationError(f"{where}: must be a mapping with name, sha256 and scopes or role.")
    unknown = set(entry) - {"name", "sha256", "tenant", "scopes", "role"}
    if unknown:
        raise ConfigurationError(f"{where}: unknown field {min(map(str, unknown))!r}.")
    digest = str(entry.get("sha256", "")).lower()
    if not SHA256.fullmatch(digest):
        raise ConfigurationError(f"{where}: sha256 must be 64 hex digits (printf %s TOKEN | sha256sum).")
    if ("scopes" in entry) == ("role" in entry):
        raise ConfigurationError(f"{where}: give either scopes or a role.")
    wanted = entry["scopes"] if "scopes" in entry else [entry["role"]]
    if not isinstance(wanted, list) or ("scopes" in entry and set(wanted) & set(ROLES)):
        raise ConfigurationError(f"{where}: scopes must be a list of {', '.join(Scope)}.")
    return _token(str(entry.get("name", "")), str(entry.get("tenant", DEFAULT_TENANT)), wanted, digest, where)


def _from_environment(environ: Mapping[str, str]) -> list[Token]:
    text = environ.get(TOKENS_VARIABLE, "")
    if file := environ.get(f"{TOKENS_VARIABLE}_FILE"):
        try:
            text = Path(file).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigurationError(f"{TOKENS_VARIABLE}_FILE can't be read: {error}") from error
    tokens = []
    for number, part in enumerate((part for part in re.split(r"[;\n]", text) if part.strip()), 1):
        where = f"{TOKENS_VARIABLE}, token {number}"
        pieces = part.strip().split(":", 3)
        if len(pieces) != 4:  # noqa: PLR2004
            raise ConfigurationError(f"{where}: must look like name:tenant:role-or-scopes:token.")
        name, tenant, wanted, secret = (piece.strip() for piece in pieces)
        if len(secret) < SMALLEST_TOKEN:
            raise ConfigurationError(f"{where}: a token needs at least {SMALLEST_TOKEN} characters.")
        digest = hashlib.sha256(secret.encode()).hexdigest()
        tokens.append(_token(name, tenant or DEFAULT_TENANT, wanted.split("+"), digest, where))
    return tokens


def _token(name: str, tenant: str, wanted: Iterable[Any], digest: str, where: str) -> Token:
    if not name:
        raise ConfigurationError(f"{where}: needs a name.")
    if not TENANT.fullmatch(tenant):
        raise ConfigurationError(f"{where}: tenant must be up to 64 letters, digits, '.', '_' or '-'.")
    scopes: set[Scope] = set()
    for word in wanted:
        if word in ROLES:
            scopes |= ROLES[word]
        elif word in set(Scope):
            scopes.add(Scope(word))
        else:
            known = ", ".join([*ROLES, *Scope])
            raise ConfigurationError(f"{where}: unknown role or scope {word!r}; known are {known}.")
    if not scopes:
        raise ConfigurationError(f"{where}: needs at least one scope or a role.")
    return Token(bytes.fromhex(digest), Principal(tenant, frozenset(scopes), name))
