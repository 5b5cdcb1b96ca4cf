"""`throughline up` as a child process, its memory and its CPU time; for benchmarks and fault tests."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

TICKS = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")
VERBS = ("edge", "engine")


@dataclass
class Platform:
    """A running platform. `lines` is what it has printed so far."""

    folder: Path
    config: Path | None
    environ: Mapping[str, str] = field(default_factory=dict)
    ports: dict[str, int] = field(
        default_factory=lambda: dict(zip(("page", "http", "grpc"), free_ports(3), strict=True))
    )
    lines: list[str] = field(default_factory=list)
    process: subprocess.Popen[str] | None = None
    client: httpx.Client = field(default_factory=partial(httpx.Client, timeout=60))
    """One for all questions: each new one reads all certificates anew."""

    @property
    def intake(self) -> str:
        """Where OTLP over HTTP goes."""
        return f"http://127.0.0.1:{self.ports['http']}"

    @property
    def api(self) -> str:
        """Where the API is."""
        return f"http://127.0.0.1:{self.ports['page']}/api/v1"

    def start(self) -> float:
        """Start and return the seconds until it said that it is ready."""
        ready = threading.Event()
        command = [sys.executable, "-m", "throughline.dashboards.cli", "up", "--data", str(self.folder)]
        command += ["--port", str(self.ports["page"]), "--otlp-http", str(self.ports["http"])]
        command += ["--otlp-grpc", str(self.ports["grpc"])]
        command += ["--config", str(self.config)] if self.config else []
        began = time.monotonic()
        self.process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, **self.environ},
        )
        threading.Thread(target=self._read, args=(self.process, ready), daemon=True).start()
        while not ready.wait(0.01):
            if self.process.poll() is not None:
                raise RuntimeError("throughline up ended:\n" + "\n".join(self.lines))
        return time.monotonic() - began

    def stop(self) -> int:
        """Stop in order and return the exit code."""
        assert self.process is not None
        self.process.terminate()
        return self.process.wait()

    def pids(self) -> dict[str, int]:
        """The process ids of the supervisor (`up`) and of whichever children live."""
        assert self.process is not None
        found = {"up": self.process.pid}
        for pid in children(self.process.pid):
            words = command_line(pid)
            for verb in VERBS:
                if verb in words:
                    found[verb] = pid
        return found

    def kill(self, verb: str) -> None:
        """Kill -9 of one child, if it lives at this moment."""
        pid = self.pids().get(verb)
        if pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def resident_bytes(self) -> int:
        """Memory of all processes of the platform."""
        assert self.process is not None
        return sum(resident_bytes(pid) for pid in family(self.process.pid))

    def cpu_seconds(self) -> float:
        """Time that edge and engine have worked."""
        return sum(cpu_seconds(pid) for verb, pid in self.pids().items() if verb in VERBS)

    def get(self, path: str, **parameters: Any) -> dict[str, Any]:
        """Ask the API; an engine that is starting again is waited for."""
        while True:
            with contextlib.suppress(httpx.TransportError):
                response = self.client.get(self.api + path, params=parameters)
                if response.is_success:
                    answer: dict[str, Any] = response.json()
                    return answer
            time.sleep(0.1)

    def query(self, sql: str) -> list[list[Any]]:
        """Rows of one SELECT through the API."""
        while True:
            with contextlib.suppress(httpx.TransportError):
                response = self.client.post(f"{self.api}/query", json={"sql": sql})
                if response.is_success:
                    rows: list[list[Any]] = response.json()["rows"]
                    return rows
                if response.is_client_error:
                    raise RuntimeError(response.text)
            time.sleep(0.1)

    def _read(self, process: subprocess.Popen[str], ready: threading.Event) -> None:
        assert process.stdout is not None
        for line in process.stdout:
            self.lines.append(line.rstrip())
            if line.startswith("ready"):
                ready.set()


@contextlib.contextmanager
def running(config: Path | None = None, environ: Mapping[str, str] | None = None) -> Iterator[Platform]:
    """A platform in a temporary folder, stopped and removed at the end."""
    with tempfile.TemporaryDirectory(prefix="throughline-bench-") as folder:
        platform = Platform(Path(folder), config, environ or {})
        platform.start()
        try:
            yield platform
        finally:
            platform.stop()


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


def children(pid: int) -> list[int]:
    """Direct children of a process."""
    try:
        tasks = list(Path(f"/proc/{pid}/task").iterdir())
        return [int(child) for task in tasks for child in (task / "children").read_text().split()]
    except (FileNotFoundError, ProcessLookupError):
        return []


def family(pid: int) -> list[int]:
    """A process and everything below it."""
    return [pid, *(one for child in children(pid) for one in family(child))]


def command_line(pid: int) -> list[str]:
    """The words that a process was started with."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().split("\0")
    except (FileNotFoundError, ProcessLookupError):
        return []


def resident_bytes(pid: int) -> int:
    """Resident memory of a process."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE
    except (FileNotFoundError, ProcessLookupError):
        return 0


def cpu_seconds(pid: int) -> float:
    """User and system time of a process."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    return (int(fields[11]) + int(fields[12])) / TICKS
