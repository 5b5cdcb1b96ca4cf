"""kill -9 under load; `make faults` does the same thirty times."""

import pytest

from bench import faults


@pytest.mark.usefixtures("no_engine")
@pytest.mark.timeout(600)
def test_nothing_is_lost_or_double_after_kills() -> None:
    """After kill -9 of the edge, then the engine, every acknowledged request is stored exactly once."""
    report = faults.run(2, seed=1, pause=0.02)
    assert {one.killed for one in report.rounds} == {"edge", "engine"}
    assert report.verdict.requests > 0
    assert report.verdict.exact, report.verdict
