"""Tokens decide tenant and scopes; without tokens only this machine gets in."""

import hashlib
from pathlib import Path

import pytest

from throughline.collector.auth import Access, Forbidden, Principal, Scope, require_safe_bind
from throughline.probes.errors import ConfigurationError, Unauthorized

SECRET = "a-token-of-some-length"
DIGEST = hashlib.sha256(SECRET.encode()).hexdigest()


def written(directory: Path, text: str) -> Path:
    """Write tokens.yaml and return its directory."""
    (directory / "tokens.yaml").write_text(text)
    return directory


def test_without_tokens_access_is_open(tmp_path: Path) -> None:
    """Nobody needs a token, and everybody is the default tenant with every scope."""
    access = Access.load(tmp_path, {})
    assert access.open
    assert access.authenticate(None) == Principal("default", frozenset(Scope))


def test_token_of_the_file_gives_tenant_and_scopes(tmp_path: Path) -> None:
    """The file holds a hash; the token behind it authenticates, case of the scheme aside."""
    access = Access.load(
        written(tmp_path, f"tokens: [{{name: shop, sha256: {DIGEST}, tenant: acme, scopes: [ingest]}}]"), {}
    )
    assert not access.open
    expected = Principal("acme", frozenset({Scope.INGEST}), "shop")
    assert access.authenticate(f"Bearer {SECRET}") == expected
    assert access.authenticate(f"bearer  {SECRET} ") == expected


@pytest.mark.parametrize(
    "header", [None, "", "Bearer", "Bearer ", f"Basic {SECRET}", f"Bearer {SECRET}x", "Bearer \udcff", SECRET]
)
def test_anything_else_is_refused(tmp_path: Path, header: str | None) -> None:
    """A missing, malformed or wrong token is Unauthorized once tokens exist."""
    access = Access.load(written(tmp_path, f"tokens: [{{name: shop, sha256: {DIGEST}, role: admin}}]"), {})
    with pytest.raises(Unauthorized):
        access.authenticate(header)


@pytest.mark.parametrize(
    ("role", "scopes"),
    [
        ("viewer", {"read"}),
        ("operator", {"read", "operate"}),
        ("approver", {"read", "approve"}),
        ("admin", {"read", "operate", "approve", "admin", "ingest"}),
    ],
)
def test_roles_hold_their_scopes(role: str, scopes: set[str]) -> None:
    """The four roles hold the scopes of the design."""
    access = Access.load(None, {"THROUGHLINE_TOKENS": f"someone::{role}:{SECRET}"})
    principal = access.authenticate(f"Bearer {SECRET}")
    assert principal.scopes == scopes
    assert principal.tenant == "default"


def test_environment_holds_several_tokens_and_tokens_may_hold_colons() -> None:
    """Entries are separated by semicolons, scopes joined by plus."""
    access = Access.load(
        None, {"THROUGHLINE_TOKENS": f"a:acme:ingest+read:{SECRET};b:other:viewer:with:colons:in:it;"}
    )
    assert access.authenticate(f"Bearer {SECRET}").scopes == {"ingest", "read"}
    assert access.authenticate("Bearer with:colons:in:it").tenant == "other"


def test_tokens_from_a_mounted_file(tmp_path: Path) -> None:
    """THROUGHLINE_TOKENS_FILE names a file with the same entries, one per line."""
    (tmp_path / "secret").write_text(f"a:acme:ingest:{SECRET}\nb:acme:viewer:{SECRET}2\n")
    access = Access.load(None, {"THROUGHLINE_TOKENS_FILE": str(tmp_path / "secret")})
    assert len(access.tokens) == 2


def test_scope_is_required() -> None:
    """A principal without the scope is told which one is missing."""
    principal = Principal("acme", frozenset({Scope.READ}), "viewer-token")
    principal.require(Scope.READ)
    with pytest.raises(Forbidden, match="viewer-token does not hold the scope ingest"):
        principal.require(Scope.INGEST)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.9", "::1", "[::1]", "localhost"])
def test_loopback_is_safe_without_tokens(host: str) -> None:
    """This machine alone reaches loopback."""
    require_safe_bind(host, Access())


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.4", "edge.example.com", ""])
def test_other_addresses_need_tokens(host: str) -> None:
    """Any other address refuses to start without tokens, and starts with them."""
    with pytest.raises(ConfigurationError, match="without tokens"):
        require_safe_bind(host, Access())
    require_safe_bind(host, Access.load(None, {"THROUGHLINE_TOKENS": f"a:acme:ingest:{SECRET}"}))


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("tokens: [{name: a, sha256: abc, role: admin}]", "token 1: sha256 must be 64"),
        (f"tokens: [{{name: a, sha256: {DIGEST}}}]", "either scopes or a role"),
        (f"tokens: [{{name: a, sha256: {DIGEST}, role: king}}]", "unknown role or scope 'king'"),
        (f"tokens: [{{name: a, sha256: {DIGEST}, scopes: [fly]}}]", "unknown role or scope 'fly'"),
        (f"tokens: [{{name: a, sha256: {DIGEST}, scopes: ingest}}]", "scopes must be a list"),
        (f"tokens: [{{name: a, sha256: {DIGEST}, scopes: []}}]", "at least one scope"),
        (f"tokens: [{{name: a, sha256: {DIGEST}, scope: [ingest]}}]", "unknown field 'scope'"),
        (f"tokens: [{{sha256: {DIGEST}, role: admin}}]", "needs a name"),
        (f"tokens: [{{name: a, sha256: {DIGEST}, role: admin, tenant: 'a b'}}]", "tenant must be"),
        ("token: []", "one list called 'tokens'"),
        ("tokens: [", "can't be read"),
        ("- 1", "one list called 'tokens'"),
    ],
)
def test_wrong_file_names_itself_and_the_entry(tmp_path: Path, text: str, complaint: str) -> None:
    """A tokens.yaml that can't be used stops start-up and says where."""
    with pytest.raises(ConfigurationError, match=complaint) as caught:
        Access.load(written(tmp_path, text), {})
    assert "tokens.yaml" in str(caught.value)


@pytest.mark.parametrize("text", ["a:b:c", "a:acme:ingest:short", f"a:acme:nothing:{SECRET}", "x"])
def test_wrong_variable_names_itself(text: str) -> None:
    """A variable that can't be used stops start-up, without repeating the secret."""
    with pytest.raises(ConfigurationError, match="THROUGHLINE_TOKENS, token 1") as caught:
        Access.load(None, {"THROUGHLINE_TOKENS": text})
    assert SECRET not in str(caught.value)


def test_two_tokens_of_one_name_are_refused() -> None:
    """Names tell tokens apart in audits."""
    with pytest.raises(ConfigurationError, match="Two tokens are called 'a'"):
        Access.load(None, {"THROUGHLINE_TOKENS": f"a:acme:ingest:{SECRET};a:acme:ingest:{SECRET}2"})
