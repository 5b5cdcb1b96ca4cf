"""Fixtures for all tests; and with CI=true a skipped test fails, so that green means everything ran."""

import os
from collections.abc import Generator

import pytest

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
