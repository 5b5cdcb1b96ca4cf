"""Tokens that are followed while their files change."""

import hashlib
import logging
from pathlib import Path

import pytest

from throughline.collector.live_access import LiveAccess
from throughline.probes.errors import ConfigurationError

LONG = "a-token-of-one-tenant-"


def write(folder: Path, *numbers: int) -> None:
    """Write tokens.yaml with some tokens; its size tells the change."""
    digests = {number: hashlib.sha256(f"{LONG}{number}".encode()).hexdigest() for number in numbers}
    entries = [f"{{name: token-{number}, sha256: {one}, role: viewer}}" for number, one in digests.items()]
    (folder / "tokens.yaml").write_text(f"tokens: [{', '.join(entries)}]")


def names(access: LiveAccess) -> list[str]:
    """The tokens that count."""
    return [token.principal.name for token in access.current.tokens]


def test_changed_file_counts_once_looked_at(tmp_path: Path) -> None:
    """Tokens come and go with the file."""
    access = LiveAccess("127.0.0.1", tmp_path, {})
    assert access.current.open
    write(tmp_path, 1, 2)
    access.reload()
    assert names(access) == ["token-1", "token-2"]
    write(tmp_path, 2)
    access.reload()
    assert names(access) == ["token-2"]
    (tmp_path / "tokens.yaml").unlink()
    access.reload()
    assert access.current.open


def test_mounted_secret_is_followed_too(tmp_path: Path) -> None:
    """The file that THROUGHLINE_TOKENS_FILE names is a file like the other."""
    file = tmp_path / "mounted"
    file.write_text(f"one:default:viewer:{LONG}1\n")
    access = LiveAccess("127.0.0.1", None, {"THROUGHLINE_TOKENS_FILE": str(file)})
    file.write_text(f"one:default:viewer:{LONG}1\ntwo:default:viewer:{LONG}2\n")
    access.reload()
    assert names(access) == ["one", "two"]


def test_unchanged_file_is_not_read_again(tmp_path: Path) -> None:
    """Whoever holds the current access sees the same object."""
    write(tmp_path, 1)
    access = LiveAccess("127.0.0.1", tmp_path, {})
    before = access.current
    access.reload()
    assert access.current is before


@pytest.mark.parametrize("text", ["tokens: nonsense", "tokens: []"])
def test_file_that_breaks_or_opens_the_door_changes_nothing(
    text: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """On an address that others reach, the last tokens stay; the reason is logged once, not every time."""
    write(tmp_path, 1)
    access = LiveAccess("0.0.0.0", tmp_path, {})
    (tmp_path / "tokens.yaml").write_text(text)
    with caplog.at_level(logging.ERROR):
        access.reload()
        access.reload()
    assert names(access) == ["token-1"]
    said = [record.getMessage().partition(":")[0] for record in caplog.records]
    assert said == ["The tokens stay as they were"]


def test_start_without_tokens_is_refused_where_others_reach_it() -> None:
    """As at every later look."""
    with pytest.raises(ConfigurationError, match="without tokens"):
        LiveAccess("0.0.0.0", None, {})
