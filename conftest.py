"""Fixtures for all tests; and with CI=true a skipped test fails, so that green means everything ran.

No test fails because a machine is slow: Hypothesis keeps no time. Files that take long begin first, so that
none ends last; and stores lie in memory where there is room, since waiting for a disk shows nothing.
"""

import gc
import json
import os
import shutil
import tempfile
from collections.abc import Generator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

IN_MEMORY = Path("/dev/shm")  # noqa: S108 - what Linux gives
ROOM_BYTES = 6 * 1024**3
COSTS = Path(__file__).parent / "tests" / "costs.json"
"""Seconds of processor time by file, measured; files of less than five are left out."""


def has_room(folder: Path) -> bool:
    """Whether all that tests write fits, programs among it."""
    roomy = folder.is_dir() and shutil.disk_usage(folder).free > ROOM_BYTES
    return roomy and not os.statvfs(folder).f_flag & os.ST_NOEXEC


if "TMPDIR" not in os.environ and has_room(IN_MEMORY):
    os.environ["TMPDIR"] = tempfile.tempdir = str(IN_MEMORY)

settings.register_profile("throughline", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("throughline")

pytest_plugins = ["tests.postgres"]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Turn the report of a skipped phase into a failed one that keeps the reason."""
    report = yield
    if report.skipped and not hasattr(report, "wasxfail") and os.environ.get("CI") == "true":
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        report.outcome = "failed"
        report.longrepr = f"CI=true allows no skipped test. {reason}"
    return report


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the files that take longest first; tests of a file stay in their order."""
    costs: dict[str, int] = json.loads(COSTS.read_text(encoding="utf-8"))
    items.sort(key=lambda item: -costs.get(item.location[0], 0))


def pytest_collection_finish() -> None:
    """What is imported stays: searches for garbage pass it over."""
    gc.collect()
    gc.freeze()
