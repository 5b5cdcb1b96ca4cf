"""Verbs of the command line, each a process of its own, without waiting for its imports every time.

`python -m tests.verbs` imports what verbs need, then forks for each verb that it is told: what runs is the
console command itself, with its own arguments, environment, output and exit code. The engine's libraries are
left out: they start threads, and these do not survive a fork.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from throughline.dashboards import cli

PREPARED = (
    "throughline.dashboards.commands",
    "throughline.dashboards.checking",
    "throughline.dashboards.comparing",
    "throughline.dashboards.comparison_text",
    "throughline.dashboards.diagnosis",
    "throughline.dashboards.engine_settings",
    "throughline.dashboards.journey_text",
    "throughline.dashboards.rebuilding",
    "throughline.dashboards.versions",
    "throughline.collector.settings",
)


class Verbs:
    """Runs verbs one after the other."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def run(self, *words: str | Path) -> subprocess.CompletedProcess[str]:
        """Run a verb to its end, here and now: in this folder and with this environment."""
        with tempfile.TemporaryDirectory() as folder:
            output, errors = Path(folder, "stdout"), Path(folder, "stderr")
            arguments = ["throughline", *map(str, words)]
            asked = {
                "arguments": arguments,
                "environment": dict(os.environ),
                "folder": str(Path.cwd()),
                "output": str(output),
                "errors": str(errors),
            }
            assert self._process.stdin is not None
            assert self._process.stdout is not None
            self._process.stdin.write(json.dumps(asked) + "\n")
            self._process.stdin.flush()
            code = int(self._process.stdout.readline())
            return subprocess.CompletedProcess(arguments, code, output.read_text(), errors.read_text())


@contextmanager
def prepared() -> Iterator[Verbs]:
    """Run verbs until the end of the block."""
    command = [sys.executable, "-m", "tests.verbs"]
    root = Path(__file__).parent.parent
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=root
    ) as process:
        yield Verbs(process)


def main() -> None:
    """Fork for each request and say how it ended; the child leaves the loop and is the verb."""
    for name in PREPARED:
        importlib.import_module(name)
    assert len(list(Path("/proc/self/task").iterdir())) == 1, "a thread was started: it is lost in a fork"
    gc.freeze()  # or each child searches all this for garbage at its end, which takes longer than most verbs
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            become(json.loads(line))
            cli.main()
            return
        _, status = os.waitpid(child, 0)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(status)}\n")
        sys.stdout.flush()


def become(asked: dict[str, Any]) -> None:
    """Take over arguments, environment, folder and files."""
    sys.argv = asked["arguments"]
    os.environ.clear()
    os.environ.update(asked["environment"])
    os.chdir(asked["folder"])
    for descriptor, name in ((1, "output"), (2, "errors")):
        file = os.open(asked[name], os.O_WRONLY | os.O_CREAT)
        os.dup2(file, descriptor)
        os.close(file)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)


if __name__ == "__main__":
    main()
