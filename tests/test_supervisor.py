"""The supervisor, with small programs as its children."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

# A child that notes its pid, says that it is ready, and stops on SIGTERM.
CHILD = """
import os, pathlib, signal, sys, time
from throughline.dashboards.supervisor import follow_supervisor
folder, name = pathlib.Path(sys.argv[1]), sys.argv[2]
signal.signal(signal.SIGTERM, lambda *_: (folder.joinpath(name + ".stopped").touch(), sys.exit(0)))
announce = follow_supervisor(os.environ)
with folder.joinpath(name).open("a") as file:
    print(os.getpid(), file=file, flush=True)
if "--refuse" in sys.argv:
    sys.exit("The port 4318 is in use: stop what listens there or choose another.")
if "--deaf" in sys.argv:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
announce()
while True:
    time.sleep(0.05)
"""

PARENT = """
import os, sys
from throughline.dashboards import supervisor
from throughline.dashboards.supervisor import Child, Supervisor
supervisor.DRAIN_SECONDS = 2.0
folder, child, *names = sys.argv[1:]
program = (sys.executable, "-c", child, folder)
children = [
    Child(name.partition("--")[0], (*program, *name.replace("--", " --").split()), os.environ)
    for name in names
]
sys.exit(Supervisor(children, on_ready=lambda: print("ready", flush=True)).run())
"""

Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start a supervisor over children of the given names; whatever it leaves behind is killed at the end."""
    started: list[subprocess.Popen[str]] = []

    def begin(*names: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", PARENT, tmp_path, CHILD, *names],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield begin
    for process in started:
        process.kill()
        process.communicate()
    for file in tmp_path.iterdir():
        for pid in pids(tmp_path, file.name):
            if alive(pid):
                os.kill(pid, signal.SIGKILL)


def pids(folder: Path, name: str) -> list[int]:
    """Every process that this child has been, oldest first."""
    file = folder / name
    return [int(line) for line in file.read_text().split()] if file.exists() else []


def alive(pid: int) -> bool:
    """Whether the process runs."""
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return False


def until(what: Callable[[], bool]) -> None:
    """Wait for a condition; the test's own timeout is the limit."""
    while not what():
        time.sleep(0.02)


def ready(process: subprocess.Popen[str]) -> bool:
    """Wait for the supervisor's word."""
    assert process.stdout is not None
    return process.stdout.readline() == "ready\n"


def test_killed_child_returns_and_the_other_does_not_notice(start: Start, tmp_path: Path) -> None:
    """After kill -9 of one child that one starts again; the other keeps its process."""
    assert ready(start("edge", "engine"))
    (edge,), (engine,) = pids(tmp_path, "edge"), pids(tmp_path, "engine")
    os.kill(engine, signal.SIGKILL)
    until(lambda: len(pids(tmp_path, "engine")) == 2)
    assert not alive(engine)
    assert alive(edge)
    assert pids(tmp_path, "edge") == [edge]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signal_stops_every_child_in_order(start: Start, tmp_path: Path, number: signal.Signals) -> None:
    """Children get SIGTERM, end on their own and the exit code is 0."""
    supervisor = start("edge", "engine")
    assert ready(supervisor)
    supervisor.send_signal(number)
    assert supervisor.wait() == 0
    assert {"edge.stopped", "engine.stopped"} <= {file.name for file in tmp_path.iterdir()}


def test_deaf_child_is_killed(start: Start, tmp_path: Path) -> None:
    """A child that ignores SIGTERM does not keep the supervisor."""
    supervisor = start("edge", "engine--deaf")
    assert ready(supervisor)
    supervisor.terminate()
    assert supervisor.wait() == 0
    assert not any(alive(pid) for pid in pids(tmp_path, "edge") + pids(tmp_path, "engine"))


def test_failed_start_ends_everything(start: Start, tmp_path: Path) -> None:
    """A child that refuses to start says why; the other is stopped and the exit code is that child's."""
    supervisor = start("edge--refuse", "engine")
    _, words = supervisor.communicate()
    assert supervisor.returncode == 1
    assert words == "The port 4318 is in use: stop what listens there or choose another.\n"
    assert not any(alive(pid) for pid in pids(tmp_path, "engine"))


def test_children_do_not_outlive_a_killed_supervisor(start: Start, tmp_path: Path) -> None:
    """After kill -9 of the supervisor the children stop in order by themselves."""
    supervisor = start("edge", "engine")
    assert ready(supervisor)
    supervisor.kill()
    until(lambda: not any(alive(pid) for pid in pids(tmp_path, "edge") + pids(tmp_path, "engine")))
    assert {"edge.stopped", "engine.stopped"} <= {file.name for file in tmp_path.iterdir()}
