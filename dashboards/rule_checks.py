"""Trying alert rules on an empty, temporary store: `throughline check rules` and `throughline test rules`."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from throughline.collector.store import Store
from throughline.correlator.alerts.asking import Failure, Limits, ask
from throughline.correlator.alerts.rule_files import InvalidRules, calendars_of, parse_rules
from throughline.correlator.alerts.rule_tests import run_tests
from throughline.dashboards.clock import utc_now
from throughline.probes.errors import ThroughlineError

TENANT = "rule-check"


@dataclass(frozen=True, slots=True)
class CheckedFiles:
    """What is wrong, as `file:line: sentence`, and how many rules each file holds."""

    problems: tuple[str, ...]
    files: dict[str, int]


def check_files(files: Sequence[Path], store: Store | None = None) -> CheckedFiles:
    """Read files and run every SELECT on a store, by default an empty one. Raises: StoreError."""
    problems: list[str] = []
    counted: dict[str, int] = {}
    groups: dict[str, str] = {}
    with _empty(store) as opened:
        for path in files:
            try:
                read = parse_rules(path, calendars=calendars_of(path.resolve().parent.parent))
            except InvalidRules as error:
                problems += [str(one) for one in error.problems]
                continue
            counted[str(path)] = sum(len(group.rules) for group in read.groups)
            for group in read.groups:
                if group.name in groups:
                    sentence = f"the group '{group.name}' is in {groups[group.name]} already"
                    problems.append(f"{path}:1: {sentence}")
                groups[group.name] = str(path)
                for rule in group.rules:
                    answer = ask(opened, TENANT, rule, utc_now(), limits=Limits(), sources={})
                    if isinstance(answer.result, Failure):
                        problems.append(f"{rule.file}:{rule.line}: {rule.rule.alert}: {answer.result.text}")
    return CheckedFiles(tuple(problems), counted)


def run_files(files: Sequence[Path], store: Store | None = None) -> tuple[int, list[str]]:
    """Run files of tests; returns how many passed, and the sentences of those that failed.

    Raises: StoreError.
    """
    passed, failures = 0, []
    with _empty(store) as opened:
        for path in files:
            try:
                outcome = run_tests(path, opened)
            except ThroughlineError as error:
                failures.append(str(error))
                continue
            passed += outcome.passed
            failures += outcome.failures
    return passed, failures


@contextlib.contextmanager
def _empty(store: Store | None) -> Iterator[Store]:
    if store is not None:
        yield store
        return
    with (
        tempfile.TemporaryDirectory(prefix="throughline-rules-") as folder,
        contextlib.closing(Store.open(Path(folder) / "store")) as made,
    ):
        made.migrate()
        yield made
