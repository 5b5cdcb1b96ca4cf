"""Unit tests of rules: rows that views show from a time until another, and the alerts that must fire then.

The shape is promtool's (`rule_files`, `tests`, `alert_rule_test`, `exp_alerts`), with rows of views in place
of series: the SELECT itself is tested, by the engine that will run it. The views of a test are tables in
memory; whatever a test does not mention is empty.
"""

# ruff: noqa: S608 - SQL is generated here from names of views and numbers

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import AfterValidator, Field, field_validator

from throughline.collector.store import Role
from throughline.correlator.alerts.asking import Failure, Limits, ask
from throughline.correlator.alerts.judging import judge
from throughline.correlator.alerts.rule_files import SHIPPED, ReadyFile, calendars_of, parse_rules
from throughline.correlator.alerts.spans import Some, Span, parse_span, spelled
from throughline.correlator.parts import Part, unknown
from throughline.correlator.problems import InvalidFile, Problem, fields, validated
from throughline.correlator.sql_guard import RAW_TABLES, VIEWS, guard
from throughline.probes.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from throughline.collector.alert_store import RuleRecord, StoredAlert
    from throughline.collector.store import Store
    from throughline.correlator.alerts.rule_files import Ready
    from throughline.correlator.problems import Checked

TENANT = "rule-tests"
_RELATIVE = re.compile(r"([-+]?)((?:[0-9]+(?:ms|s|m|h|d|w|y))+)")
_OWN = ("from", "until", "times")


class InvalidTests(InvalidFile):
    """A file of rule tests can't be used; correct the lines that the message names."""


def _view(name: str) -> str:
    if name not in (*VIEWS, *RAW_TABLES):
        raise ValueError(unknown(name, (*VIEWS, *RAW_TABLES), "view"))
    return name


class ExpectedAlert(Part):
    """A firing alert: all of its labels but alertname; annotations where they matter."""

    exp_labels: dict[str, str] = Field(default_factory=dict)
    exp_annotations: dict[str, str] | None = None


class Expectation(Part):
    """The alerts of a name that fire at a time, and no others."""

    eval_time: Span
    alertname: str
    exp_alerts: tuple[ExpectedAlert, ...] = ()


class Case(Part):
    """One test."""

    name: str = ""
    rows: dict[Annotated[str, AfterValidator(_view)], tuple[dict[str, Any], ...]] = Field(
        default_factory=dict
    )
    alert_rule_test: tuple[Expectation, ...]


class TestFile(Part):
    """A file of tests. `start` is the time that all others count from."""

    __test__ = False

    rule_files: tuple[str, ...]
    start: datetime = datetime(2026, 3, 2, tzinfo=UTC)
    evaluation_interval: Some = timedelta(minutes=1)
    tests: tuple[Case, ...]

    @field_validator("start")
    @classmethod
    def _aware(cls, value: datetime) -> datetime:
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a file's tests: how many there were, and the sentences of those that failed."""

    passed: int
    failures: tuple[str, ...]


_PARTS = {
    (): fields(TestFile),
    ("tests",): fields(Case),
    ("tests", "alert_rule_test"): fields(Expectation),
    ("tests", "alert_rule_test", "exp_alerts"): fields(ExpectedAlert),
}


def run_tests(path: Path, store: Store) -> Outcome:
    """Run a file's tests in a store, which may be an empty temporary one.

    Raises: InvalidTests, InvalidRules: a file cannot be read; StoreError.
    """
    wanted = "tests are a mapping that begins with `rule_files:`"
    file = validated(path, TestFile, _PARTS, invalid=InvalidTests, wanted=wanted)
    parsed = file.content
    rules = [rule for name in parsed.rule_files for rule in _rules(_found(path, name, file))]
    failures: list[str] = []
    passed = 0
    for at, case in enumerate(parsed.tests):
        failed = list(_failures(store, parsed, case, rules))
        passed += not failed
        for number, sentence in failed:
            where = ("tests", at, "alert_rule_test", number) if number >= 0 else ("tests", at)
            failures.append(str(Problem(*file.place(*where), f"{case.name}: {sentence}")))
    return Outcome(passed, tuple(failures))


def _rules(file: ReadyFile) -> list[Ready]:
    return [rule for group in file.groups for rule in group.rules]


def _found(path: Path, name: str, file: Checked[TestFile]) -> ReadyFile:
    """A file of rules by its path from the tests, or a shipped one by its name."""
    for rules in (path.parent / name, SHIPPED / name):
        if rules.is_file():
            return parse_rules(rules, calendars=calendars_of(rules.resolve().parent.parent))
    raise InvalidTests([Problem(*file.place("rule_files"), f"there is no file {name}")])


def _failures(store: Store, file: TestFile, case: Case, rules: Sequence[Ready]) -> Iterator[tuple[int, str]]:
    """What is not as expected: the number of the expectation (-1: the test itself), and a sentence."""
    names = {rule.rule.alert for rule in rules}
    wanted = {one.alertname for one in case.alert_rule_test}
    if lost := sorted(wanted - names):
        yield -1, unknown(lost[0], names, "alert")
        return
    sources: dict[str, str] = {}
    try:
        for view, rows in case.rows.items():
            sources[view] = _laid(store, view, rows, file.start)
        last = max((one.eval_time for one in case.alert_rule_test), default=timedelta())
        asked = [rule for rule in rules if rule.rule.alert in wanted]
        yield from _run(store, file, case, asked, sources=sources, last=last)
    except (StoreError, ValueError) as error:
        yield -1, str(error)
    finally:
        for view in case.rows:
            store.command(f"DROP TABLE IF EXISTS rule_test_{view} SYNC", role=Role.ALERTS)


def _run(
    store: Store,
    file: TestFile,
    case: Case,
    rules: Sequence[Ready],
    *,
    sources: Mapping[str, str],
    last: timedelta,
) -> Iterator[tuple[int, str]]:
    alerts: dict[tuple[str, str], StoredAlert] = {}
    records: dict[str, RuleRecord] = {}
    passed = timedelta()
    while passed <= last:
        now = file.start + passed
        for rule in rules:
            answer = ask(store, TENANT, rule, now, limits=Limits(), sources=sources)
            if isinstance(answer.result, Failure):
                yield -1, f"{rule.key} at {spelled(passed)}: {answer.result.text}"
                return
            known = [one for one in alerts.values() if one.rule == rule.key]
            judged = judge(rule, answer, known, records.get(rule.key), held="", now=now)
            records[rule.key] = judged.record
            alerts.update({(rule.key, one.alert.fingerprint): one.alert for one in judged.changes})
        for number, one in enumerate(case.alert_rule_test):
            due = passed <= one.eval_time < passed + file.evaluation_interval
            if due and (sentence := _compared(one, alerts.values())):
                yield number, sentence
        passed += file.evaluation_interval


def _compared(expected: Expectation, alerts: Any) -> str:
    """A sentence if what fires is not what should."""
    firing = [one for one in alerts if one.alert == expected.alertname and one.state == "firing"]
    texts = any(one.exp_annotations is not None for one in expected.exp_alerts)
    found = sorted(_shown(one.labels, one.annotations if texts else None) for one in firing)
    wanted = sorted(
        _shown({**one.exp_labels, "alertname": expected.alertname}, one.exp_annotations if texts else None)
        for one in expected.exp_alerts
    )
    if found == wanted:
        return ""
    return (
        f"{expected.alertname} at {spelled(expected.eval_time)}: expected {', '.join(wanted) or 'nothing'}; "
        f"there fires {', '.join(found) or 'nothing'}"
    )


def _shown(labels: Mapping[str, str], annotations: Mapping[str, str] | None) -> str:
    shown = ", ".join(f'{name}="{text}"' for name, text in sorted(labels.items()) if name != "alertname")
    told = "" if annotations is None else f" {json.dumps(dict(sorted(annotations.items())))}"
    return f"{{{shown}}}{told}"


def _laid(store: Store, view: str, rows: Sequence[dict[str, Any]], start: datetime) -> str:
    """Lay the rows of a view into a table in memory; returns the SELECT that stands for the view.

    Raises: ValueError: a row names a column that the view has not got.
    """
    bound = {"tenant": TENANT, "now": f"{start:%Y-%m-%d %H:%M:%S.%f}"}
    text = guard(f"SELECT * FROM {view}")
    described = store.query(f"DESCRIBE ({text})", bound, role=Role.ALERTS).result_rows
    kinds = {str(row[0]): str(row[1]) for row in described}
    columns = ", ".join(f"`{name}` {kind}" for name, kind in kinds.items())
    store.command(f"DROP TABLE IF EXISTS rule_test_{view} SYNC", role=Role.ALERTS)
    more = "test_from DateTime64(6, 'UTC'), test_until DateTime64(6, 'UTC')"
    store.command(f"CREATE TABLE rule_test_{view} ({columns}, {more}) ENGINE = Memory", role=Role.ALERTS)
    lines = [json.dumps(line) for row in rows for line in _lines(row, kinds, start, view)]
    settings = {"date_time_input_format": "best_effort", "input_format_skip_unknown_fields": 0}
    body = "\n".join(lines).encode()
    store.insert_bytes(
        f"rule_test_{view}", None, body, fmt="JSONEachRow", settings=settings, role=Role.ALERTS
    )
    clock = "{now:DateTime64(6, 'UTC')}"
    return (
        f"SELECT * EXCEPT (test_from, test_until) FROM rule_test_{view} "
        f"WHERE test_from <= {clock} AND test_until > {clock}"
    )


def _lines(
    row: dict[str, Any], kinds: Mapping[str, str], start: datetime, view: str
) -> Iterator[dict[str, Any]]:
    given = {name: value for name, value in row.items() if name not in _OWN or name in kinds}
    if lost := sorted(set(given) - set(kinds)):
        raise ValueError(f"{view}: {unknown(lost[0], kinds, 'column')}")
    for number in range(1, int(row.get("times", 1)) + 1):
        line = {name: _value(value, kinds[name], start, number) for name, value in given.items()}
        line["test_from"] = _time(row.get("from", "-3650d"), start)
        line["test_until"] = _time(row.get("until", "3650d"), start)
        yield line


def _value(given: Any, kind: str, start: datetime, number: int) -> Any:
    if isinstance(given, datetime):
        return given.isoformat()
    if not isinstance(given, str):
        return given
    return _time(given, start) if "DateTime" in kind else given.replace("{n}", str(number))


def _time(given: Any, start: datetime) -> str:
    """A time, or a span since the start."""
    if isinstance(given, datetime):
        return given.isoformat()
    found = _RELATIVE.fullmatch(str(given).strip())
    if not found:
        return str(given)
    span = parse_span(found[2])
    return f"{start - span if found[1] == '-' else start + span:%Y-%m-%d %H:%M:%S.%f}"
