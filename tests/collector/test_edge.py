"""The edge process: start, refusals to start, tokens, draining, slow and hostile clients."""

import hashlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.collector.edge_process import CLIENT, Edge, free_port, running
from throughline.collector.settings import EdgeSettings, load_settings
from throughline.probes.errors import ConfigurationError

PROTOBUF = "application/x-protobuf"
TOKENS = "THROUGHLINE_TOKENS"


def refused_start(data: Path, **options: str) -> str:
    """Start an edge that must refuse; return its one sentence."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("THROUGHLINE_")}
    environment |= {"THROUGHLINE_DATA": str(data), **options}
    environment.setdefault("THROUGHLINE_OTLP_HTTP", str(free_port()))
    environment.setdefault("THROUGHLINE_OTLP_GRPC", str(free_port()))
    command = [sys.executable, "-m", "throughline.collector.edge"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode != 0
    assert "Traceback" not in done.stderr
    return done.stderr.strip().splitlines()[-1]


@pytest.mark.parametrize("variable", ["THROUGHLINE_OTLP_HTTP", "THROUGHLINE_OTLP_GRPC"])
def test_port_in_use_is_one_sentence(tmp_path: Path, variable: str) -> None:
    """It names the port and what to set."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        message = refused_start(tmp_path, **{variable: port})
    assert message == (
        f"Port {port} on 127.0.0.1 is in use: stop the program that listens there or set {variable} "
        "to a free port."
    )


def test_data_directory_in_use_is_one_sentence(tmp_path: Path) -> None:
    """Two edges never share a spool."""
    with running(tmp_path):
        message = refused_start(tmp_path)
    assert message.startswith(f"Another edge uses the data directory {tmp_path}")


def test_other_addresses_need_tokens(tmp_path: Path) -> None:
    """Without tokens only loopback is served."""
    assert "without tokens" in refused_start(tmp_path, THROUGHLINE_HOST="0.0.0.0")


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("THROUGHLINE_OTLP_HTTP", "many"),
        ("THROUGHLINE_OTLP_GRPC", "70000"),
        ("THROUGHLINE_SEGMENT_AGE_SECONDS", "0"),
        ("THROUGHLINE_IN_FLIGHT_BYTES", "2000"),
        ("THROUGHLINE_MAX_BODY_BYTES", "-1"),
    ],
)
def test_bad_setting_names_its_variable(monkeypatch: pytest.MonkeyPatch, variable: str, value: str) -> None:
    """A value that can't be stops start-up by name."""
    monkeypatch.setenv(variable, value)
    with pytest.raises(ConfigurationError, match=f"^{variable}: "):
        load_settings()


def test_every_setting_is_an_option_and_a_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Options win over the environment, which wins over defaults."""
    monkeypatch.setenv("THROUGHLINE_OTLP_HTTP", "1234")
    monkeypatch.setenv("THROUGHLINE_HOST", "::1")
    settings = load_settings(host="127.0.0.2")
    assert (settings.host, settings.otlp_http, settings.otlp_grpc) == ("127.0.0.2", 1234, 4317)


def test_every_setting_is_documented() -> None:
    """docs/reference-intake.md names each variable."""
    text = (Path(__file__).parents[2] / "docs" / "reference-intake.md").read_text()
    missing = [name for name in EdgeSettings.model_fields if f"`THROUGHLINE_{name.upper()}`" not in text]
    assert missing == []


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Edge, Path]]:
    """An edge with two tenants' tokens, and its configuration directory."""
    config = tmp_path_factory.mktemp("config")
    write_tokens(config, "token-of-a-file-1")
    tokens = (
        "acme:acme:ingest:token-of-acme-123;reader:acme:viewer:token-of-reader-1;"
        "scraper::admin:token-of-admin-12"
    )
    with running(tmp_path_factory.mktemp("edge"), config=config, tokens=tokens, host="0.0.0.0") as edge:
        yield edge, config


def write_tokens(config: Path, token: str) -> None:
    """Write tokens.yaml with one ingest token of tenant `filed`."""
    digest = hashlib.sha256(token.encode()).hexdigest()
    (config / "tokens.yaml").write_text(
        f"tokens: [{{name: filed, sha256: {digest}, tenant: filed, scopes: [ingest]}}]"
    )


@pytest.mark.parametrize(
    ("authorization", "status", "tenant"),
    [
        ("Bearer token-of-acme-123", 200, "acme"),
        ("Bearer token-of-a-file-1", 200, "filed"),
        ("Bearer token-of-reader-1", 403, None),
        ("Bearer wrong", 401, None),
        ("", 401, None),
    ],
)
@pytest.mark.parametrize("path", ["/v1/traces", "/v1/events"])
def test_tokens_decide_the_tenant(
    guarded: tuple[Edge, Path], authorization: str, status: int, tenant: str | None, path: str
) -> None:
    """The token alone says whose data it is; without the scope 403, unknown 401."""
    edge, _ = guarded
    kind = PROTOBUF if path == "/v1/traces" else "application/cloudevents-batch+json"
    response = edge.post(path, b"" if path == "/v1/traces" else b"[]", kind, authorization=authorization)
    assert response.status_code == status
    assert ("www-authenticate" in response.headers) == (status == 401)
    assert [record.tenant for record in edge.take()] == ([tenant] if tenant else [])


def test_metrics_need_admin_once_there_are_tokens(guarded: tuple[Edge, Path]) -> None:
    """They name every tenant; health does not."""
    edge, _ = guarded
    codes = [
        CLIENT.get(edge.url + "/metrics", headers={"authorization": f"Bearer {token}"}).status_code
        for token in ("wrong", "token-of-reader-1", "token-of-admin-12")
    ]
    assert codes == [401, 403, 200]
    assert CLIENT.get(edge.url + "/healthz").status_code == 200


def test_tokens_are_followed_and_a_broken_file_changes_nothing(guarded: tuple[Edge, Path]) -> None:
    """A new token works without a restart; a file that breaks leaves the last valid tokens in force."""
    edge, config = guarded

    def status(token: str) -> int:
        return edge.post("/v1/logs", b"", PROTOBUF, authorization=f"Bearer {token}").status_code

    write_tokens(config, "token-number-two-of-file")
    for _ in range(200):
        if status("token-number-two-of-file") == 200:
            break
        threading.Event().wait(0.1)
    assert (status("token-number-two-of-file"), status("token-of-a-file-1")) == (200, 401)
    (config / "tokens.yaml").write_text("tokens: nonsense")
    threading.Event().wait(3)
    assert status("token-number-two-of-file") == 200
    edge.take()


def head_of(length: int) -> bytes:
    """Return the head of a request whose body has this length."""
    lines = ("POST /v1/traces HTTP/1.1", "host: x", f"content-type: {PROTOBUF}", f"content-length: {length}")
    return "\r\n".join((*lines, "", "")).encode()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_drains_and_exits_cleanly(tmp_path: Path, number: signal.Signals) -> None:
    """A request under way is finished, everything is sealed, the exit code is 0, all within ten seconds."""
    with running(tmp_path, segment_age_seconds=60) as edge:
        body = ExportTraceServiceRequest()
        body.resource_spans.add().scope_spans.add().spans.add(name="x" * 100_000)
        wire = body.SerializeToString()
        with socket.create_connection(("127.0.0.1", edge.http_port)) as client:
            client.sendall(head_of(len(wire)) + wire[:50_000])
            threading.Event().wait(0.5)
            edge.process.send_signal(number)
            began = time.monotonic()
            threading.Event().wait(0.5)
            client.sendall(wire[50_000:])
            assert client.recv(1_000).startswith(b"HTTP/1.1 200")
        assert edge.process.wait(20) == 0
        assert time.monotonic() - began < 10
        assert [record.request for record in edge.take()] == [wire]


def test_slow_and_endless_clients_are_let_go(tmp_path: Path) -> None:
    """A pause within a body is 408; headers without end are 431; neither disturbs anybody."""
    with running(tmp_path, body_idle_seconds=0.5) as edge:
        with socket.create_connection(("127.0.0.1", edge.http_port)) as slow:
            slow.sendall(head_of(9) + b"abc")
            assert slow.recv(1_000).startswith(b"HTTP/1.1 408")
        with socket.create_connection(("127.0.0.1", edge.http_port)) as endless:
            endless.sendall(b"POST /v1/traces HTTP/1.1\r\n")
            answer = b""
            for number in range(2_000):
                try:
                    endless.sendall(f"x-{number}: {'y' * 100}\r\n".encode())
                except OSError:
                    break
            endless.settimeout(10)
            try:
                answer = endless.recv(1_000)
            except ConnectionError:
                answer = b"closed"
            assert answer == b"closed" or answer.startswith(b"HTTP/1.1 431")
        assert edge.post("/v1/traces", b"", PROTOBUF).status_code == 200


def test_connections_beyond_the_limit_are_closed(tmp_path: Path) -> None:
    """Idle connections can't use up the process; those within the limit are served."""
    with running(tmp_path, max_connections=20) as edge:
        CLIENT.get(edge.url + "/healthz")
        idle = [socket.create_connection(("127.0.0.1", edge.http_port)) for _ in range(40)]
        closed = 0
        for one in reversed(idle):  # the last ones were too many
            one.settimeout(0.5)
            try:
                closed += one.recv(1) == b""
            except TimeoutError:
                break
        assert closed >= 20
        assert CLIENT.get(edge.url + "/healthz").status_code == 200
        for one in idle:
            one.close()
