"""kill -9 of evaluator and deliverer: each alert is told once. `make alertfaults` does it fifty times."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tests.stores import Stores


def test_each_alert_is_told_once_whoever_dies(stores: Stores, tmp_path: Path) -> None:
    """Five kills at any step."""
    stores.directory(tmp_path / "store")
    command = [sys.executable, "-m", "bench.alert_faults", "--kills", "5", "--store", str(tmp_path / "store")]
    done = subprocess.run(
        command, cwd=Path(__file__).parents[3], capture_output=True, text=True, check=False, timeout=170
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(done.stdout)
    assert found["kills"] == 5
    assert found["incidents"] >= 2
