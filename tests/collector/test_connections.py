"""connections.yaml: what it may say, where it is wrong, and that it is followed while it changes."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from throughline.collector.connections import Connections, InvalidConnections, load_connections
from throughline.collector.live_connections import LiveConnections
from throughline.probes.errors import ConfigurationError
from throughline.probes.platforms import PLATFORMS, adapter, platforms

GOOD = """
connections:
  - id: eu
    platform: hubspot
    secret: [{env: NEW}, {env: OLD}]
    public_url: https://probe.example.com
    options: {portal: 33, won_stages: "1,2", token: {env: TOKEN}}
    links: {hubspot.deal: "https://app.hubspot.com/contacts/{1}/record/0-3/{id}"}
    rate_limit: 10
  - id: us
    platform: hubspot
    tenant: rival
    secret: {env: NEW}
  - id: crm
    platform: generic
    secret: {env: NEW}
    options: {system: crm}
    links: {hubspot.deal: "https://other.example.com/{value}", erp.invoice: "https://erp.example.com/{2}"}
"""
ENVIRON = {"NEW": "new-secret", "OLD": "old-secret", "TOKEN": "api-token"}


def load(
    folder: Path, text: str, environ: dict[str, str] | None = None, *, lenient: bool = False
) -> Connections:
    """Read a file of this text."""
    (folder / "connections.yaml").write_text(text)
    return load_connections(folder, ENVIRON if environ is None else environ, lenient=lenient)


def test_a_file_is_read_with_its_secrets(tmp_path: Path) -> None:
    """Newest secret first; numbers are text; a secret option is read when asked for and never shown."""
    found = load(tmp_path, GOOD)
    assert load_connections(None, {}) == Connections()
    eu = found.by_id["eu"]
    assert eu.connection.secrets == (b"new-secret", b"old-secret")
    assert eu.connection.options == {"portal": "33", "won_stages": "1,2"}
    assert eu.with_secret_options(ENVIRON).options["token"] == "api-token"
    assert "secret" not in repr(eu.connection)
    assert found.find("hubspot", "eu") is eu
    assert found.find("generic", "eu") is None


def test_keys_open_their_records(tmp_path: Path) -> None:
    """By namespace and tenant; of several connections that of the key's own portal; values are escaped."""
    found = load(tmp_path, GOOD)
    assert found.record_url("default", "hubspot.deal:33/9001") == (
        "https://app.hubspot.com/contacts/33/record/0-3/9001"
    )
    assert found.record_url("default", "hubspot.deal:33/?a#") == (
        "https://app.hubspot.com/contacts/33/record/0-3/%3Fa%23"
    )
    assert found.record_url("default", "hubspot.deal:33/..") is None
    assert found.record_url("default", "erp.invoice:USMF/INV 1") == "https://erp.example.com/INV%201"
    assert found.record_url("default", "erp.invoice:INV") is None
    assert found.records("rival", ["hubspot.deal:33/9001"]) == {}
    assert found.records("default", ["nobody:1", "erp.invoice:a/b"]) == {
        "erp.invoice:a/b": "https://erp.example.com/b"
    }


WRONG = [
    ("connections: [{id: a b, platform: hubspot}]", 1, "64 letters"),
    ("connections:\n- id: a\n  platform: hubspotted", 3, "known are"),
    ("connections:\n- id: a\n  platform: hubspot\n  secrets: {env: NEW}", 4, "unknown field 'secrets'"),
    ("connections:\n- id: a\n", 2, "'platform' is missing"),
    ("connections:\n- id: a\n  platform: hubspot\n  secret: {env: GONE}", 4, "GONE is not set"),
    ("connections:\n- id: a\n  platform: hubspot\n  secret: {file: /nowhere}", 4, "/nowhere can't be read"),
    ("connections:\n- id: a\n  platform: hubspot\n  secret: {}", 4, "{env: NAME}"),
    ("connections:\n- id: a\n  platform: hubspot\n  public_url: probe.example.com", 4, "https://"),
    ("connections:\n- id: a\n  platform: hubspot\n  links:\n    x.y: 'javascript:{id}'", 5, "host spelled"),
    ("connections:\n- id: a\n  platform: hubspot\n  links:\n    x.y: 'https://{id}.a/'", 5, "host spelled"),
    ("connections:\n- id: a\n  platform: hubspot\n  links:\n    x.y: 'https://a/b'", 5, "{id}"),
    ("connections:\n- id: a\n  platform: hubspot\n  rate_limit: 0", 4, "greater than 0"),
    ("connections:\n- id: a\n  platform: hubspot\n  options: {won_stage: x}", 2, "mean 'won_stages'"),
    ("connections:\n- {id: a, platform: generic}\n- {id: a, platform: generic}", 3, "two connections"),
    ("connections:\n- {id: a, platform: generic", 2, "no valid YAML"),
    ("- x", 1, ""),
]


@pytest.mark.parametrize(("text", "line", "said"), WRONG, ids=[one[2] for one in WRONG])
def test_what_is_wrong_is_named_with_file_and_line(tmp_path: Path, text: str, line: int, said: str) -> None:
    """One sentence each, as editors understand it."""
    with pytest.raises(InvalidConnections) as raised:
        load(tmp_path, text)
    assert f"connections.yaml:{line}: " in str(raised.value)
    assert said in str(raised.value)


def test_errors_never_quote_a_secret(tmp_path: Path) -> None:
    """Somebody writes the secret itself where its source belongs."""
    with pytest.raises(InvalidConnections) as raised:
        load(tmp_path, "connections: [{id: a, platform: hubspot, secret: hunter2-hunter2}]")
    assert "hunter2" not in str(raised.value)
    assert raised.value.__cause__ is None


def test_a_secret_that_is_set_elsewhere_is_a_warning_in_a_check(tmp_path: Path) -> None:
    """The connection is there, without its secret."""
    found = load(tmp_path, GOOD, {"NEW": "x"}, lenient=True)
    assert len(found.by_id) == 3
    assert [line.partition(": ")[2] for line in found.warnings] == [
        "connection eu: the environment variable OLD is not set"
    ]


def test_files_are_followed_and_a_broken_one_changes_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The file itself, and one that holds a secret."""
    secret = tmp_path / "secret"
    secret.write_text("first")
    file = tmp_path / "connections.yaml"
    file.write_text(f"connections: [{{id: a, platform: hubspot, secret: {{file: {secret}}}}}]")
    live = LiveConnections(tmp_path, {})
    before = live.current
    live.reload()
    assert live.current is before
    secret.write_text("second-one")
    live.reload()
    assert live.current.by_id["a"].connection.secrets == (b"second-one",)
    file.write_text("connections: [")
    with caplog.at_level(logging.ERROR):
        live.reload()
    assert list(live.current.by_id) == ["a"]
    assert "stay as they were" in caplog.text
    file.unlink()
    live.reload()
    assert live.current == Connections()


def test_platforms_stand_in_one_table() -> None:
    """Ours come through the same door as others; a name that is not there says which are."""
    assert platforms() == PLATFORMS
    assert adapter("hubspot") is adapter("hubspot")
    with pytest.raises(ConfigurationError, match="known are certinia"):
        adapter("sap-r2")
