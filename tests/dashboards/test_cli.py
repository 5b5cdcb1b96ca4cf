"""The command line from outside: what each verb does, and how it fails."""

import hashlib
import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from bench.load import PROCESS, Load, write_config
from bench.running import Platform, free_ports
from tests.probes.platforms.signing import standard_headers
from tests.stores import Stores
from tests.verbs import Verbs, prepared
from throughline.dashboards.commands import VERBS

pytestmark = pytest.mark.timeout(300)
ORDERS = 5
SECRET = "whsec_c2hvcC1zZWNyZXQ="
CALM = {"THROUGHLINE_CORRELATE_EVERY_SECONDS": "1"}
"""Looking for new rows four times a second would cost more than the tests do."""
RUNNERS: list[Verbs] = []
"""What runs the verbs of this module."""


@pytest.fixture(scope="module", autouse=True)
def _verbs() -> Iterator[None]:
    """Let verbs be run without starting Python anew for each."""
    with prepared() as verbs:
        RUNNERS.append(verbs)
        yield
        RUNNERS.clear()


def throughline(*words: str | Path) -> subprocess.CompletedProcess[str]:
    """Run a verb to its end."""
    return RUNNERS[-1].run(*words)


def anew(*words: str | Path) -> subprocess.CompletedProcess[str]:
    """The same from the very start of a process."""
    command = [sys.executable, "-m", "throughline.dashboards.cli", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)


def refusal(result: subprocess.CompletedProcess[str]) -> str:
    """The one sentence of a verb that failed; other lines of stderr are log lines, and begin with a time."""
    assert result.returncode == 1, result.stderr
    lines = [line for line in result.stderr.splitlines() if not re.match(r"\d{4}-\d\d-\d\d ", line)]
    assert len(lines) == 1, result.stderr
    return lines[0]


@pytest.fixture(scope="module")
def platform(stores: Stores, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """A running platform with five orders."""
    folder = tmp_path_factory.mktemp("up")
    config = write_config(folder / "config")
    (config / "secret").write_text(SECRET)
    (config / "connections.yaml").write_text(
        f"connections: [{{id: shop, platform: generic, secret: {{file: {config / 'secret'}}}}}]"
    )
    stores.directory(folder / "data" / "store")
    running = Platform(folder / "data", config, CALM)
    running.start()
    load = Load(7, spans=ORDERS * 100, templates=1)
    body = load.request().body
    headers = {"Content-Type": "application/x-protobuf"}
    httpx.post(f"{running.intake}/v1/traces", content=body, headers=headers).raise_for_status()
    while running.query("SELECT count() FROM journeys WHERE process = 'bench-orders'") != [[ORDERS]]:
        time.sleep(0.1)
    yield running
    assert running.stop() == 0


class TestRunning:
    """Against one platform that runs."""

    def test_ready_line_names_every_address(self, platform: Platform) -> None:
        """The line that says ready tells where pages, API and intake are, and where data is."""
        (line,) = [line for line in platform.lines if line.startswith("ready")]
        assert all(f":{port}" in line for port in platform.ports.values())
        assert str(platform.folder) in line

    def test_journey_is_found_by_key(self, platform: Platform) -> None:
        """A key finds its journey; milestones and events are shown."""
        result = throughline("journey", "bench.order:007000000-000002", "--port", str(platform.ports["page"]))
        assert result.returncode == 0, result.stderr
        assert "completed" in result.stdout
        assert all(name in result.stdout for name in ("placed", "shipped", "order.placed", "item.shipped"))

    def test_journey_is_found_by_id(self, platform: Platform) -> None:
        """--json is the API's answer; its id finds the same journey."""
        port = str(platform.ports["page"])
        by_key = throughline("journey", "bench.item:007000000-000002-1", "--port", port, "--json")
        identity = re.findall(r'"id": "([0-9a-f]{16})"', by_key.stdout)[0]
        assert throughline("journey", identity, "--port", port, "--json").stdout == by_key.stdout

    def test_unknown_key_is_said(self, platform: Platform) -> None:
        """A key that no journey has is an error that shows the form of keys."""
        result = throughline("journey", "bench.order:none-such", "--port", str(platform.ports["page"]))
        assert refusal(result) == "No journey has the key bench.order:none-such; keys are namespace:value."

    def test_dead_letters_are_listed_and_read_again(self, platform: Platform) -> None:
        """What nobody can read is listed with its whole id; trying again in vain is no success."""
        headers = standard_headers(b"{", SECRET, "msg_1", datetime.now(UTC))
        url = f"{platform.intake}/hooks/generic/shop"
        httpx.post(url, content=b"{", headers=headers).raise_for_status()
        while platform.query("SELECT count() FROM dead_letters") != [[1]]:
            time.sleep(0.1)
        port = ("--port", str(platform.ports["page"]))
        listed = throughline("dead-letters", "list", *port).stdout
        (identity,) = re.findall(r"\b[0-9a-f]{32}\b", listed)
        again = throughline("dead-letters", "retry", identity, *port)
        assert again.returncode == 1
        assert again.stdout.splitlines() == [
            f"{identity}: failed, The body is no JSON.", "0 of 1 letters were read",
        ]  # fmt: skip

    def test_rebuild_is_done_by_the_running_engine(self, platform: Platform) -> None:
        """While an engine runs, rebuild asks it, waits, and says what was done."""
        result = throughline("rebuild", "bench-orders", "--data", platform.folder)
        assert result.returncode == 0, result.stderr
        assert result.stdout == f"bench-orders: done. {2 * ORDERS} events\n"
        assert platform.query("SELECT count() FROM journeys WHERE process = 'bench-orders'") == [[ORDERS]]

    def test_rebuild_of_an_unknown_process_names_the_known(self, platform: Platform) -> None:
        """A process that does not exist is an error that lists those that do."""
        words = refusal(throughline("rebuild", "no-such", "--data", platform.folder))
        assert words.startswith("No process is called no-such; there are ")
        assert "bench-orders" in words

    def test_diff_is_answered_by_the_running_engine(self, platform: Platform, tmp_path: Path) -> None:
        """A definition whose shipment waits for something that never comes: every order would be open."""
        file = tmp_path / "other.yaml"
        file.write_text(PROCESS.replace("item.shipped", "item.delivered"))
        words = ("diff", "bench-orders", file, "--data", platform.folder)
        found = json.loads(throughline(*words, "--json").stdout)
        assert [(one["from"], one["journeys"]) for one in found["changes"]["statuses"]] == [
            ("completed", ORDERS)
        ]
        shown = throughline(*words)
        assert shown.returncode == 0, shown.stderr
        assert f"{ORDERS} of them differ" in shown.stdout
        assert re.search(r"bench.order:007000000-000002 +completed → ", shown.stdout)

    def test_backtest_of_what_is_in_use_is_what_the_api_reports(self, platform: Platform) -> None:
        """The same counts by status, and nothing differs."""
        result = throughline("backtest", "--process", "bench-orders", "--data", platform.folder, "--json")
        assert result.returncode == 0, result.stderr
        found = json.loads(result.stdout)
        counted = platform.query(
            "SELECT status, count() FROM journeys WHERE process = 'bench-orders' GROUP BY status"
        )
        assert {status: count for status, count in found["after"]["statuses"].items() if count} == dict(
            tuple(row) for row in counted
        )
        assert found["changes"]["journeys"] == 0

    @pytest.mark.parametrize(
        ("words", "sentence"),
        [
            (
                ("diff", "nothing", "bench-orders"),
                "nothing is neither a file nor a process in use; there are ",
            ),
            (("backtest",), "Nothing to test: name a definition's file, or a process with --process."),
            (
                ("backtest", "--process", "bench-orders", "--set", "shiped.within=1d"),
                "did you mean 'shipped'?",
            ),
            (
                ("backtest", "--process", "bench-orders", "--since", "soon"),
                "'soon' is no time: write it like",
            ),
        ],
    )
    def test_bad_question_is_one_sentence(
        self, platform: Platform, words: tuple[str, ...], sentence: str
    ) -> None:
        """What is wrong and what to do, and exit code 1."""
        assert sentence in refusal(throughline(*words, "--data", platform.folder))

    def test_changed_definition_is_taken_over_without_restart(self, platform: Platform) -> None:
        """A milestone added to the file shows in the journeys that are stored already."""
        assert platform.config is not None
        file = platform.config / "processes" / "bench-orders.yaml"
        added = PROCESS.replace("completed_by", "  - {name: returned, event: item.returned}\ncompleted_by")
        file.write_text(added.replace("version: 1", "version: 2"))
        while "returned" not in platform.get("/journeys")["items"][0]["milestones"]:
            time.sleep(0.1)
        file.write_text("process: [")
        time.sleep(1)
        assert "returned" in platform.get("/journeys")["items"][0]["milestones"]

    def test_rolled_back_definition_counts_without_restart(self, platform: Platform) -> None:
        """The earlier version's milestones show again, though the file is broken."""
        back = throughline("rollback", "bench-orders", "--data", platform.folder)
        assert back.returncode == 0, back.stderr
        assert "bench-orders: version 1" in back.stdout
        while "returned" in platform.get("/journeys")["items"][0]["milestones"]:
            time.sleep(0.1)

    def test_check_asks_the_running_engine_what_is_seen(self, platform: Platform, tmp_path: Path) -> None:
        """An event that nobody sends is a warning, and an error where they are asked for strictly."""
        folder = write_config(tmp_path / "config")
        file = folder / "processes" / "bench-orders.yaml"
        file.write_text(PROCESS.replace("completed_by", "  - {name: lost, event: item.lost}\ncompleted_by"))
        found = throughline("check", folder, "--data", platform.folder)
        assert found.returncode == 0, found.stderr
        assert re.search(r"bench-orders\.yaml:\d+: warning: bench-orders: no event 'item.lost'", found.stderr)
        assert "warnings against events since" in found.stdout
        assert throughline("check", folder, "--data", platform.folder, "--strict").returncode == 1

    def test_changed_tokens_count_without_restart(self, platform: Platform) -> None:
        """Once there are tokens the API asks for one and takes it; once they are gone nobody needs one."""
        assert platform.config is not None
        file, status = platform.config / "tokens.yaml", f"{platform.api}/status"
        digest = hashlib.sha256(b"token-of-the-support-desk").hexdigest()
        file.write_text(f"tokens: [{{name: support-desk, sha256: {digest}, role: viewer}}]")
        try:
            while httpx.get(status).status_code != httpx.codes.UNAUTHORIZED:
                time.sleep(0.1)
            known = {"Authorization": "Bearer token-of-the-support-desk"}
            assert httpx.get(status, headers=known).status_code == httpx.codes.OK
        finally:
            file.unlink()
        while httpx.get(status).status_code != httpx.codes.OK:
            time.sleep(0.1)

    def test_second_engine_on_the_same_data_is_refused(self, platform: Platform) -> None:
        """Data that is in use: one sentence that says what to do."""
        (port,) = free_ports(1)
        words = refusal(throughline("engine", "--data", platform.folder, "--port", str(port)))
        assert words.startswith(f"The data folder {platform.folder} is used by another process: stop")

    def test_second_edge_on_the_same_data_is_refused(self, platform: Platform) -> None:
        """The same for intake."""
        http_port, grpc_port = free_ports(2)
        ports = ("--otlp-http", str(http_port), "--otlp-grpc", str(grpc_port))
        words = refusal(throughline("edge", "--data", platform.folder, *ports))
        assert str(platform.folder) in words
        assert "stop it" in words

    @pytest.mark.parametrize("used", ["page", "http", "grpc"])
    def test_port_in_use_ends_up(self, platform: Platform, tmp_path: Path, used: str) -> None:
        """Whichever port is taken: up says which, stops what it had started, and fails."""
        ports = dict(zip(("page", "http", "grpc"), free_ports(3), strict=True)) | {used: platform.ports[used]}
        result = throughline(
            "up", "--data", tmp_path / "data", "--port", str(ports["page"]),
            "--otlp-http", str(ports["http"]), "--otlp-grpc", str(ports["grpc"]),
        )  # fmt: skip
        words = refusal(result)
        assert str(platform.ports[used]) in words
        assert "stop" in words

    def test_doctor_sees_a_running_platform(self, platform: Platform) -> None:
        """Everything is fine; ports and store are in the running engine's hands."""
        ports = platform.ports
        result = throughline(
            "doctor", "--data", platform.folder, "--port", str(ports["page"]),
            "--otlp-http", str(ports["http"]), "--otlp-grpc", str(ports["grpc"]),
        )  # fmt: skip
        assert result.returncode == 0, result.stdout
        assert "in use by a running engine" in " ".join(result.stdout.split())

    def test_stopped_platform_can_be_rebuilt_and_started_again(self, platform: Platform) -> None:
        """SIGTERM drains; then rebuild works on its own; a second start has everything."""
        assert platform.config is not None
        (platform.config / "processes" / "bench-orders.yaml").write_text(PROCESS)
        body = Load(1, spans=100, templates=1).request().body
        headers = {"Content-Type": "application/x-protobuf"}
        httpx.post(f"{platform.intake}/v1/traces", content=body, headers=headers).raise_for_status()
        assert platform.stop() == 0
        alone = throughline("rebuild", "--data", platform.folder, "--config", platform.config)
        assert alone.returncode == 0, alone.stderr
        assert re.search(r"^bench-orders: done\. \d+ events", alone.stdout)
        platform.start()
        while not platform.get("/journeys", key="bench.order:001000000-000000")["items"]:
            time.sleep(0.1)


def test_edge_stays_light() -> None:
    """Neither chDB nor Streamlit nor anything else of the engine is imported by the edge."""
    program = (
        "import sys\n"
        "import throughline.dashboards.cli, throughline.dashboards.commands\n"
        "import throughline.collector.edge\n"
        "print(*sys.modules)\n"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    heavy = {
        "chdb",
        "clickhouse_connect",
        "streamlit",
        "sqlalchemy",
        "alembic",
        "pandas",
        "pyarrow",
        "plotly",
    }
    assert heavy & set(result.stdout.split()) == set()


def test_check_reports_file_and_line(tmp_path: Path) -> None:
    """An unknown field is an error with its place; the valid definitions are listed all the same."""
    folder = write_config(tmp_path / "config")
    (folder / "processes" / "broken.yaml").write_text(
        PROCESS.replace("bench-orders", "broken") + "titel: x\n"
    )
    (folder / "routing.yaml").write_text("routes:\n  - {owner: x, match: {clas: remote}}\n")
    (folder / "tables").mkdir()
    (folder / "tables" / "owners.csv").write_text("owner,team\nsales,Sales\n")
    (folder / "tables" / "entities.csv").write_text("entity,currency\nDE01,EURO\n")
    (folder / "connections.yaml").write_text("connections:\n- {id: a, platform: hubspott}\n")
    result = throughline("check", folder)
    assert result.returncode == 1
    assert re.search(r"connections\.yaml:2: .*known are certinia", result.stderr)
    assert re.search(r"broken\.yaml:\d+: .*titel", result.stderr)
    assert re.search(r"entities\.csv:2: currency: 'EURO' is no currency code", result.stderr)
    assert "table owners: 1 rows" in result.stdout
    assert re.search(r"routing\.yaml:2: .*did you mean 'class'", result.stderr)
    assert "bench-orders version 1: 2 milestones" in result.stdout


def test_check_of_a_valid_folder_succeeds(tmp_path: Path) -> None:
    """Nothing wrong is exit code 0."""
    folder = write_config(tmp_path / "config")
    (folder / "routing.yaml").write_text("routes:\n  - owner: support\n")
    (folder / "connections.yaml").write_text("connections: [{id: a, platform: generic}]")
    result = anew("check", folder)
    assert result.returncode == 0, result.stderr
    assert result.stdout.splitlines()[-1].endswith(
        "1 connections, 1 routes, 0 targets, 0 tokens, 0 problems, 0 warnings"
    )


def test_failure_of_a_fresh_process_is_one_sentence() -> None:
    """Nothing else that Python writes at its end gets between."""
    assert refusal(anew("check", "nowhere")).startswith("nowhere is no folder")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("check", "nowhere"), "nowhere is no folder"),
        (("rebuild", "--data", "nowhere"), "nowhere holds no events yet"),
        (("export-ocel", "x.json", "--process", "p", "--data", "nowhere"), "nowhere holds no events yet"),
        (("import-ocel", "nowhere.json"), "nowhere.json is no file"),
        (("journey", "a:b", "--port", "1"), "Nothing answers at http://127.0.0.1:1/api/v1"),
        (("up", "--host", "0.0.0.0", "--data", "{tmp}"), "without tokens"),
        (("engine", "--data", "/proc/none"), "The data folder /proc/none cannot be written"),
        (("engine", "--data", "{tmp}", "--store", "http://127.0.0.1:1/default"), "127.0.0.1:1"),
        (("engine", "--data", "{tmp}", "--control", "mysql://h/d"), "postgresql:// URL"),
    ],
)
def test_failure_is_one_sentence(words: tuple[str, ...], sentence: str, tmp_path: Path) -> None:
    """Whatever is wrong: what it is and what to do on one line of stderr, and exit code 1."""
    free = [str(port) for port in free_ports(3)]
    filled = [word.format(tmp=tmp_path) for word in words]
    if words[0] in ("up", "engine"):
        filled += ["--port", free[0]]
    if words[0] == "up":
        filled += ["--otlp-http", free[1], "--otlp-grpc", free[2]]
    assert sentence in refusal(throughline(*filled))


@pytest.mark.parametrize(
    "variable", ["THROUGHLINE_PORT", "THROUGHLINE_OTLP_HTTP", "THROUGHLINE_SEGMENT_BYTES"]
)
def test_bad_variable_is_named(variable: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A value that cannot be used names its variable."""
    monkeypatch.setenv(variable, "lots")
    result = throughline("up", "--data", tmp_path)
    assert result.returncode != 0
    assert variable in result.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_during_the_start_stop_it_too(number: signal.Signals, tmp_path: Path) -> None:
    """Ctrl-C before ready leaves no process behind."""
    ports = [str(port) for port in free_ports(3)]
    process = subprocess.Popen(
        [sys.executable, "-m", "throughline.dashboards.cli", "up", "--data", tmp_path,
         "--port", ports[0], "--otlp-http", ports[1], "--otlp-grpc", ports[2]],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    while not (tmp_path / "engine.lock").exists():
        time.sleep(0.05)
    process.send_signal(number)
    process.communicate()
    assert process.returncode == 0
    assert all(httpx_refused(port) for port in ports)


def httpx_refused(port: str) -> bool:
    """Whether nobody listens on a port."""
    try:
        httpx.get(f"http://127.0.0.1:{port}/")
    except httpx.ConnectError:
        return True
    return False


def test_help_lists_every_verb() -> None:
    """Help tells each verb, in a sentence."""
    result = anew("--help")
    assert result.returncode == 0
    assert all(re.search(rf"\b{verb.__name__.replace('_', '-')}\b", result.stdout) for verb in VERBS)
