"""Fixtures for all tests; and with CI=true a skipped test fails, so that green means everything ran.

No test fails because a machine is slow: Hypothesis keeps no time.
"""

import os
from collections.abc import Generator

import pytest
from hypothesis import HealthCheck, settings

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
