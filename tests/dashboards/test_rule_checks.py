"""`throughline check rules` and `throughline test rules`: every mistake with its file and line."""

from __future__ import annotations

from pathlib import Path

from typer.testing import CliRunner

from throughline.collector.store import Store
from throughline.correlator.alerts.rule_files import SHIPPED
from throughline.dashboards.commands import app
from throughline.dashboards.rule_checks import check_files, run_files
from throughline.probes.errors import ConfigurationError

RULES = """groups:
  - name: own
    rules:
      - alert: Fine
        expr: SELECT region, count() AS value FROM journeys GROUP BY region
      - alert: Misspelled
        expr: SELECT regoin, count() AS value FROM journeys GROUP BY regoin
"""


def test_what_the_guard_cannot_know_is_tried(tmp_path: Path, module_store: Store) -> None:
    """A SELECT that reads well but names a column that is not there is told; so is a group in two files."""
    path, again, broken = (tmp_path / name for name in ("a.yaml", "b.yaml", "c.yaml"))
    path.write_text(RULES)
    again.write_text(RULES.replace("regoin", "region"))
    broken.write_text("groups: {}")
    found = check_files([path, again, broken], module_store)
    assert found.files == {str(path): 2, str(again): 2}
    assert [problem.partition(": ")[0] for problem in found.problems] == [
        f"{path}:6",
        f"{again}:1",
        f"{broken}:1",
    ]
    assert "regoin" in found.problems[0]
    shipped = check_files(sorted(SHIPPED.glob("*.yaml")), module_store)
    assert shipped.problems == ()


def test_tests_that_cannot_be_read_stop_no_others(tmp_path: Path, module_store: Store) -> None:
    """A file without rules is told; the next is run."""
    lost = tmp_path / "lost.yaml"
    lost.write_text("rule_files: [nowhere.yaml]\ntests: []\n")
    passed, failures = run_files([lost, SHIPPED / "tests" / "billing.yaml"], module_store)
    assert (passed, failures) == (1, [f"{lost}:1: there is no file nowhere.yaml"])


def test_verbs_say_what_they_take() -> None:
    """Whatever else is named is refused with a sentence."""
    for arguments in (["test", "processes", "x.yaml"], ["check", "somewhere", "x.yaml"]):
        result = CliRunner().invoke(app, arguments)
        assert isinstance(result.exception, ConfigurationError)
        assert "throughline" in str(result.exception)
