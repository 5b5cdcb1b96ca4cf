"""`throughline connections test`: real calls to a platform's API and to our own edge."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.collector.edge_process import running
from tests.listening import Quiet, listening
from throughline.collector.connections import load_connections
from throughline.dashboards.connection_test import missing_permissions, prove

FORBIDDEN = {  # as HubSpot answers a token without a scope
    "status": "error",
    "category": "MISSING_SCOPES",
    "errors": [{"context": {"requiredGranularScopes": ["crm.objects.companies.read"]}}],
}
CONNECTIONS = """
connections:
  - id: eu
    platform: hubspot
    secret: {env: HS_SECRET}
    options: {token: {env: HS_TOKEN}, api: "API"}
  - {id: shop, platform: generic, secret: {env: SHOP_SECRET}}
  - {id: bare, platform: generic}
"""


class Platform(Quiet):
    """An API that lets a token read deals, but no companies."""

    def answer(self) -> None:
        """Answer."""
        known = self.headers["authorization"] == "Bearer api-token"
        status = 401 if not known else 200 if "/deals" in self.path else 403
        self.send_response(status)
        self.end_headers()
        self.wfile.write(json.dumps(FORBIDDEN if status == 403 else {}).encode())


def test_each_step_is_tried_and_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Secrets, the platform's answer with the missing permission, and samples through the edge."""
    environ = {"HS_SECRET": "hs-secret-1", "HS_TOKEN": "api-token", "SHOP_SECRET": "whsec_c2hvcA=="}
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    with listening(Platform) as api:
        (tmp_path / "connections.yaml").write_text(CONNECTIONS.replace("API", api))
        found = load_connections(tmp_path, environ).by_id
        with running(tmp_path / "data", config=tmp_path) as edge:
            now = datetime.now(UTC)
            told = {
                name: [(step.name, step.fine, step.sentence) for step in prove(one, edge.url, environ, now)]
                for name, one in found.items()
            }
            (record,) = [one for one in edge.take() if b"generic" in one.request]
        gone = list(prove(found["shop"], edge.url, {}, datetime.now(UTC)))
        expired = list(prove(found["eu"], edge.url, {**environ, "HS_TOKEN": "old"}, datetime.now(UTC)))
    assert [step[:2] for step in told["eu"]] == [
        ("configured", True),
        ("secret", True),
        ("platform: read deals", True),
        ("platform: read companies", False),
        ("edge takes a signed sample", True),
        ("edge refuses a wrong signature", True),
    ]
    assert "missing permission: crm.objects.companies.read" in told["eu"][3][2]
    assert [step[1] for step in told["shop"]] == [True, True, None, True, True]
    assert told["shop"][2][2] == "generic offers no call to test with"
    assert [step[1] for step in told["bare"]] == [True, None, None, None]
    assert record.items == 1  # the request itself, no event
    assert [one.fine for one in gone] == [True, False, None, False, False]
    assert "start throughline up" in gone[3].sentence
    assert "not known there" in expired[2].sentence
    every = str([told, gone, expired])
    assert not [secret for secret in environ.values() if secret in every]


def test_only_lists_below_scopes_are_permissions() -> None:
    """Whatever else a platform says."""
    assert missing_permissions(json.dumps({"scopes": ["a", "a", "b"], "tags": ["c"]})) == ["a", "b"]
    assert missing_permissions("no JSON") == []
