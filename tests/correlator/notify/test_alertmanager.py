"""A stock Alertmanager: what fires, what ends, how it groups, and its silences as ours."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.correlator.notify.alarms import Alarms
from tests.correlator.notify.pager import Pager, serving
from throughline.collector.control import ControlStore
from throughline.collector.store import Store
from throughline.correlator.notify import alertmanager
from throughline.correlator.notify.ledger import Ledger
from throughline.correlator.notify.matching import read_matcher
from throughline.correlator.notify.routing import Silence
from throughline.dashboards.clock import utc_now

PROGRAM = shutil.which("prometheus-alertmanager") or shutil.which("alertmanager")
CONFIG = """
route:
  {{receiver: hook, group_by: [alertname], group_wait: 300ms, group_interval: 500ms, repeat_interval: 1h}}
receivers: [{{name: hook, webhook_configs: [{{url: "{hook}/alerts", send_resolved: true}}]}}]
"""
CHANNELS = "channels: [{{id: am, kind: alertmanager, url: 'http://127.0.0.1:{port}', networks: 127.0.0.0/8}}]"
PATIENCE_SECONDS = 40


def free_port() -> int:
    """A port that nobody listens on."""
    with closing(socket.socket()) as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@pytest.fixture
def hook() -> Iterator[Pager]:
    """What the Alertmanager tells."""
    with serving(Pager()) as served:
        yield served


@pytest.fixture
def port(hook: Pager, tmp_path: Path) -> Iterator[int]:
    """A running Alertmanager."""
    if PROGRAM is None:
        pytest.skip("prometheus-alertmanager is not installed (deploy/test-system.sh installs it)")
    (tmp_path / "am.yml").write_text(CONFIG.format(hook=hook.address))
    number = free_port()
    command = [
        PROGRAM, f"--config.file={tmp_path / 'am.yml'}", f"--storage.path={tmp_path / 'am'}",
        f"--web.listen-address=127.0.0.1:{number}", "--cluster.listen-address=", "--log.level=error",
    ]  # fmt: skip
    with subprocess.Popen(command) as process:
        _until(lambda: _ready(number))
        yield number
        process.terminate()


def _ready(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/-/ready").is_success
    except httpx.TransportError:
        return False


def _until(true: Any) -> None:
    """Wait until something is so."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not true():
        assert time.monotonic() < deadline, "nothing came"
        time.sleep(0.05)


def test_it_is_told_groups_silences_and_hears_of_the_end(
    port: int, hook: Pager, embedded_store: Store, control: ControlStore
) -> None:
    """Two alerts of a name come as one group; one silenced by us is held back there; both ends arrive."""
    alarms = Alarms(control, embedded_store, CHANNELS.format(port=port))
    alarms.now = utc_now()
    (channel,) = alarms.file.alertmanagers("default")
    wanted = Silence(
        "", (read_matcher("region=quiet"),), alarms.now, alarms.now + timedelta(hours=1), "ann", "x"
    )
    identity = alertmanager.silence(channel, "default", wanted, {})
    (silence,) = alertmanager.silences(channel, "default", {})
    assert (silence.id, silence.author, silence.matchers[0]) == (identity, "ann", wanted.matchers[0])
    assert alertmanager.silences(channel, "rival", {}) == []
    notifier = alarms.notifier()
    keys = {name: alarms.fire("Stuck", region=name, severity="page") for name in ("a", "b", "quiet")}
    notifier.turn()
    _until(lambda: hook.events)
    _, first = hook.events[0]
    assert (first["status"], first["groupLabels"]) == ("firing", {"alertname": "Stuck"})
    assert {one["labels"]["region"] for one in first["alerts"]} == {"a", "b"}
    assert first["alerts"][0]["annotations"]["runbook_url"] == "https://tl.example.com/docs/how-to.md#x"
    assert first["alerts"][0]["generatorURL"].startswith("https://tl.example.com/alerts?")
    found = httpx.get(f"http://127.0.0.1:{port}/api/v2/alerts").json()
    silenced = {one["labels"]["region"]: one["status"]["silencedBy"] for one in found}
    assert silenced == {"a": [], "b": [], "quiet": [identity]}
    ends = {one["labels"]["region"]: one["endsAt"] for one in found}
    alarms.later(seconds=61)  # it is told again, so that it does not take the alerts for ended
    notifier.turn()
    found = httpx.get(f"http://127.0.0.1:{port}/api/v2/alerts").json()
    assert all(one["endsAt"] > ends[one["labels"]["region"]] for one in found)
    alarms.now = utc_now()
    for key in keys.values():
        alarms.end("Stuck", key)
    notifier.turn()
    _until(lambda: any(one["status"] == "resolved" for _, one in hook.events))
    (over,) = [one for _, one in hook.events if one["status"] == "resolved"]
    assert {one["labels"]["region"] for one in over["alerts"]} == {"a", "b"}
    assert Ledger(control).to_do("default") == []
    alertmanager.expire(channel, identity, {})
    assert alertmanager.silences(channel, "default", {}) == []
    with pytest.raises(alertmanager.AlertmanagerFailed):
        alertmanager.expire(channel, "nothing", {})
