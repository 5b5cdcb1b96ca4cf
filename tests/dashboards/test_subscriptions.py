"""Subscriptions as people see them: the file, the command line, the API."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.correlator.webhook_receiver import subscriber
from tests.dashboards.conftest import Client, token
from throughline.collector.auth import ROLES, Access
from throughline.collector.control import ControlStore
from throughline.collector.secrets import MissingSecret
from throughline.collector.store import Store
from throughline.correlator.outbound.messages import message
from throughline.correlator.outbound.outbox import Outbox
from throughline.correlator.outbound.sending import Answer
from throughline.correlator.outbound.subscriptions import (
    InvalidSubscriptions,
    Secret,
    parse_subscriptions,
)
from throughline.dashboards.checking import check
from throughline.dashboards.commands import app
from throughline.dashboards.deps import Deps

SECRET = "whsec_" + "c2VjcmV0LW9mLXRoZS1zdWJzY3JpYmVyLTAx"
OPERATOR, VIEWER, RIVAL = (f"secret-token-of-the-{name}" for name in ("operator", "viewer", "rival"))
FINE = "  - {id: one, url: 'https://x.example/h?token=t', secret: {env: HOOK}}\n"


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("{id: a, url: 'http://x.example/', secret: {env: A}}", "no TLS"),
        ("{id: a, url: 'http://x.example/', secret: {env: A}, hosts: ['y.example:80']}", "x.example:80"),
        ("{id: a, url: 'ftp://x.example/', secret: {env: A}}", "begins with https://"),
        ("{id: a, url: 'https://u:p@x.example/', secret: {env: A}}", "neither user"),
        ("{id: a, url: 'https://x.example:99999/', secret: {env: A}}", "no URL"),
        ("{id: a, url: 'https://x.example/', secret: plain}", "secret"),
        ("{id: a, url: 'https://x.example/', secret: {env: A, file: b}}", "one of both"),
        ("{id: a, url: 'https://x.example/', secret: {env: A}, events: [milestone.meet]}", "milestone.met"),
        ("{id: a, url: 'https://x.example/', secret: {env: A}, max_age: long}", "30m, 12h or 7d"),
        ("{id: a, url: 'https://x.example/', secret: {env: A}, headers: {Host: x}}", "'Host' is no header"),
        ("{id: a, url: 'https://x.example/', secret: {env: A}, headers: {X-A: \"a\\nb\"}}", "printable"),
        ("{id: one, url: 'https://x.example/', secret: {env: A}}", "two subscriptions 'one'"),
        ("{id: a, uri: 'https://x.example/', secret: {env: A}}", "did you mean 'url'?"),
    ],
)
def test_a_wrong_file_says_where_and_what(line: str, sentence: str, tmp_path: Path) -> None:
    """Each problem has file, line and a sentence that says what to write; `throughline check` shows it."""
    file = tmp_path / "subscriptions.yaml"
    file.write_text(f"subscriptions:\n{FINE}  - {line}\n")
    with pytest.raises(InvalidSubscriptions) as caught:
        parse_subscriptions(file)
    assert sentence in str(caught.value)
    assert f"{file}:3:" in str(caught.value)


def test_a_folder_is_checked(tmp_path: Path) -> None:
    """`throughline check` counts the subscriptions of a folder, and shows what is wrong with them."""
    file = tmp_path / "subscriptions.yaml"
    file.write_text(f"subscriptions:\n{FINE}")
    assert (check(tmp_path, None).errors, check(tmp_path, None).subscriptions) == ((), 1)
    file.write_text(f"subscriptions:\n{FINE}{FINE}")
    assert "two subscriptions 'one'" in check(tmp_path, None).errors[0]


def test_secrets(tmp_path: Path) -> None:
    """A secret is a variable or a file that holds a key of the right length; else the message says how."""
    (tmp_path / "s").write_text(f"{SECRET}\n")
    assert Secret(file=tmp_path / "s").key({}) == Secret(env="S").key({"S": SECRET})
    for odd in ("", "whsec_", "whsec_c2hvcnQ=", "whsec_???", "x" * 200):
        with pytest.raises(MissingSecret):
            Secret(env="S").key({"S": odd})
    with pytest.raises(MissingSecret, match="can't be read"):
        Secret(file=tmp_path / "none").key({})


def test_the_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`list` shows how they fare, `test` sends a signed sample and says what came back."""
    with subscriber(SECRET) as hearing:
        for name, value in (
            ("HOOK", SECRET),
            ("THROUGHLINE_CONFIG", tmp_path),
            ("THROUGHLINE_DATA", tmp_path),
        ):
            monkeypatch.setenv(name, str(value))
        (tmp_path / "subscriptions.yaml").write_text(
            f"subscriptions:\n  - {{id: one, url: '{hearing.url}', hosts: ['{hearing.place}'], "
            "secret: {env: HOOK}}"
        )
        run = CliRunner().invoke
        done = run(app, ["subscriptions", "test", "one"])
        assert (done.exit_code, done.output) == (0, "one answered 204\n")
        (sample,) = hearing.heard
        assert sample.event["data"]["test"] is True
        hearing.answer = lambda _: (500, {})
        done = run(app, ["subscriptions", "test", "one"])
        assert (done.exit_code, done.output) == (1, "one answered 500: said\n")
        listed = run(app, ["subscriptions", "list"]).output
        assert listed.startswith("one: new, 0 delivered, 0 waiting, 0 given up, 0 too old; http://127.0.0.1")
        assert "0 messages" in run(app, ["subscriptions", "resume", "one"]).output
        assert "there are one" in str(run(app, ["subscriptions", "test", "two"]).exception)


async def test_the_api(module_store: Store, control: ControlStore, tmp_path: Path, client: Client) -> None:
    """Subscriptions with last delivery, lag and failures; the log; a resumption; each tenant its own."""
    now = datetime.now(UTC)
    (one,) = parse_subscriptions(f"subscriptions:\n{FINE}")
    outbox = Outbox(control)
    outbox.begin(one, now - timedelta(hours=1))
    said = {"tenant": "default", "process": "p", "at": "", "trace": "", "data": {}}
    some = [message(name, "milestone.met", "j1", **said) for name in ("msg_a", "msg_b")]  # type: ignore[arg-type]
    outbox.add(one, some, now - timedelta(minutes=10))
    first, second = outbox.due(one, now, 10)
    outbox.note(one, first, Answer(200, ""), now - timedelta(minutes=9))
    outbox.note(one, second, Answer(503, "down"), now - timedelta(minutes=8))
    access = Access((
        token(OPERATOR, "default", ROLES["operator"]),
        token(VIEWER, "default", ROLES["viewer"]),
        token(RIVAL, "rival", ROLES["operator"]),
    ))  # fmt: skip
    deps = Deps(
        store=module_store,
        access=lambda: access,
        spool=tmp_path,
        processes=tuple,
        clock=lambda: now,
        control=control,
        subscriptions=lambda: (one,),
    )
    async with client(deps, VIEWER) as http:
        (found,) = (await http.get("/v1/subscriptions")).json()["items"]
        assert (found["state"], found["lag_seconds"], found["failures"]) == ("failing", 600.0, 1)
        assert (found["waiting"], found["delivered"], found["dead"]) == (1, 1, 0)
        assert found["url"] == "https://x.example/h"
        log = (await http.get("/v1/subscriptions/one/deliveries", params={"state": "waiting"})).json()[
            "items"
        ]
        assert [(entry["id"], entry["attempts"], entry["answer"]) for entry in log] == [
            ("msg_b", 1, "503 down")
        ]
        assert (await http.post("/v1/subscriptions/one/resume")).status_code == 403
    async with client(deps, OPERATOR) as http:
        assert (await http.post("/v1/subscriptions/one/resume")).json() == {"waiting": 1}
        assert outbox.due(one, now, 10)[0].attempts == 0
        refused = await http.post("/v1/subscriptions/one/test")
        assert (refused.status_code, refused.json()["title"]) == (422, "Secret missing")
    async with client(deps, RIVAL) as http:
        assert (await http.get("/v1/subscriptions")).json() == {"items": []}
        assert (await http.get("/v1/subscriptions/one/deliveries")).status_code == 404
