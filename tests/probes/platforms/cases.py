"""Recorded-like payloads beside the tests, and what they should become.

`<platform>/expected.json` names each payload of its folder with the events that it says; `headers`, `options`
and `objects` are added to those of the request and the connection below.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import Any

from throughline.probes.platforms.adapter import Connection, HookRequest
from throughline.probes.vocabulary import BusinessEvent

HERE = Path(__file__).parent
NOW = datetime(2025, 10, 9, 9, 0, tzinfo=UTC)
SECRET = b"probe-secret"
URL = "https://probe.example.com/hooks/platform/emulated"
NOISE = {"object_type", "changed_by", "transaction", "change_origin", "feed_created_at", "type"}
"""Attributes that the payload repeats in every event."""


@dataclass(frozen=True)
class Case:
    """One payload."""

    name: str
    request: HookRequest
    connection: Connection
    events: list[dict[str, Any]]


def connection(platform: str, *, options: dict[str, str] | None = None, **more: Any) -> Connection:
    """A connection with a secret."""
    return Connection(id="emulated", platform=platform, secrets=(SECRET,), options=options or {}, **more)


def request(body: bytes, *, url: str = URL, method: str = "POST", **headers: str) -> HookRequest:
    """A request as received at NOW; header names have underscores for dashes."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return HookRequest(method, url, named, body, NOW)


def cases(platform: str) -> list[Case]:
    """The payloads of a folder; each file must be expected, and each expectation have its file."""
    expected = json.loads((HERE / platform / "expected.json").read_text())
    found = {file.name for file in (HERE / platform).iterdir()} - {"expected.json"}
    assert found == set(expected["payloads"])
    return [_case(platform, name, expected) for name in sorted(found)]


def _case(platform: str, name: str, expected: dict[str, Any]) -> Case:
    said = expected["payloads"][name]
    options = {**expected.get("options", {}), **said.get("options", {})}
    body = (HERE / platform / name).read_bytes()
    kind = "text/xml" if name.endswith("xml") else "application/json"
    sent = HookRequest("POST", URL, {"content-type": kind, **said.get("headers", {})}, body, NOW)
    return Case(
        name, sent, connection(platform, options=options, objects=said.get("objects", {})), said["events"]
    )


def summary(event: BusinessEvent) -> dict[str, Any]:
    """What an event says, as JSON; what it does not say is left out."""
    found = {name: getattr(event, name) for name in event.__dataclass_fields__}
    found["attributes"] = {name: value for name, value in event.attributes.items() if name not in NOISE}
    return {name: _plain(value) for name, value in found.items() if value not in (None, "", (), {}, False)}


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(member) for name, member in value.items()}
    if isinstance(value, tuple):
        return [_plain(member) for member in value]
    return value if isinstance(value, str | int) else str(value)


def check(adapter: ModuleType, case: Case) -> None:
    """The payload becomes the expected events, and the same ones when it is delivered again later."""
    found = adapter.parse(case.request, case.connection)
    assert [summary(event) for event in found] == case.events
    again = adapter.parse(replace(case.request, received_at=NOW.replace(hour=20)), case.connection)
    assert [event.id for event in again] == [event.id for event in found]
    assert len({event.id for event in found}) == len(found)
