"""kill -9 between any two steps of an evaluation neither loses nor doubles a transition."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

from tests.correlator.alerts.dying import START
from tests.stores import Stores

STEPS = 6
"""judged and stored of two groups, copied and marked: as many at least."""


def test_each_transition_is_stored_once_wherever_the_evaluator_dies(stores: Stores, tmp_path: Path) -> None:
    """One alert fires in even minutes and one in odd: every minute each changes once, whatever happened."""
    stores.directory(tmp_path / "store")
    command = [sys.executable, "-m", "tests.correlator.alerts.dying", str(tmp_path)]
    done = subprocess.run(
        command, cwd=Path(__file__).parents[3], capture_output=True, text=True, check=False, timeout=170
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    minutes = found["deaths"] + 1
    assert found["deaths"] >= STEPS
    expected = [["Watchdog", "inactive", "firing", START.isoformat()]]
    for minute in range(minutes):
        at = (START + timedelta(minutes=minute)).isoformat()
        for alert, on in (("Blinks", minute % 2 == 0), ("Winks", minute % 2 == 1)):
            if on:
                before = "inactive" if minute < 2 else "resolved"
                expected.append([alert, before, "firing", at])
            elif minute:
                expected.append([alert, "firing", "resolved", at])
    assert found["transitions"] == sorted(expected)
    assert found["copied"] == sorted(expected)
