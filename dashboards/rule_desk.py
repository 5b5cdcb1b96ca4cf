"""Writing rules: preview, backtest, save, enable; and how each rule in force fares with people."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from ruamel.yaml import YAML
from ruamel.yaml.compat import StringIO

from throughline.correlator.alerts.asking import Failure, Limits, ask
from throughline.correlator.alerts.backtest import backtest, plain
from throughline.correlator.alerts.own import GROUP
from throughline.correlator.alerts.rule_files import InvalidRules, ReadyFile, parse_rules
from throughline.correlator.alerts.written import PREFIX, WrittenRules
from throughline.correlator.notify.ledger import Ledger
from throughline.correlator.notify.trials import Trials, length
from throughline.correlator.problems import Problem

if TYPE_CHECKING:
    from datetime import datetime

    from throughline.collector.auth import Principal
    from throughline.collector.control import ControlStore
    from throughline.correlator.alerts.rule_files import Ready
    from throughline.correlator.alerts.written import Written
    from throughline.dashboards.deps import Deps

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}")
COUNTED = timedelta(days=30)
MOST_STEPS = 150
"""Evaluations of a backtest that somebody waits for."""
_WEEK = timedelta(days=7)


@dataclass(frozen=True)
class RuleDesk:
    """One person's desk at one time."""

    deps: Deps
    control: ControlStore
    principal: Principal
    now: datetime

    def parsed(self, name: str, text: str) -> ReadyFile:
        """Read a rule that somebody writes. Raises: InvalidRules: with what is wrong."""
        file = f"{PREFIX}{name}"
        if not NAME.fullmatch(name):
            raise InvalidRules([Problem(file, 1, "a name has letters, digits, hyphens, underscores")])
        try:
            read = parse_rules(text).called(file)
        except InvalidRules as error:
            raise InvalidRules([Problem(file, one.line, one.sentence) for one in error.problems]) from error
        theirs = self.deps.rules_in_force(self.principal.tenant).groups
        taken = {group.name: group.file for group in theirs if group.file != file} | {GROUP: "Throughline"}
        wrong = [
            Problem(file, 1, f"the group '{group.name}' is in {taken[group.name]} already")
            for group in read.groups
            if group.name in taken
        ]
        if wrong:
            raise InvalidRules(wrong)
        return read

    def preview(self, name: str, text: str) -> list[dict[str, Any]]:
        """What each rule would say now. Raises: InvalidRules."""
        file = self.parsed(name, text)
        return [self._previewed(rule) for group in file.groups for rule in group.rules]

    def _previewed(self, ready: Ready) -> dict[str, Any]:
        limits, tenant = Limits(), self.principal.tenant
        answer = ask(self.deps.store, tenant, ready, self.now, limits=limits, sources={})
        found: dict[str, Any] = {
            "rule": ready.key, "alert": ready.rule.alert, "seconds": round(answer.seconds, 3), "error": "",
            "alerts": [],
        }  # fmt: skip
        if isinstance(answer.result, Failure):
            return {**found, "error": answer.result.text}
        for one in answer.result:
            added = {name: text.render(one.labels, one.value) for name, text in ready.labels.items()}
            labels = {name: text for name, text in {**one.labels, **added}.items() if text}
            shown = {name: text.render(labels, one.value) for name, text in ready.annotations.items()}
            found["alerts"].append({"labels": labels, "value": one.value, "annotations": shown})
        return found

    def backtest(
        self, name: str, text: str, since: datetime, *, pages_per_week: float = 5.0, steps: int = MOST_STEPS
    ) -> list[dict[str, object]]:
        """What the rules would have done since a time. Raises: InvalidRules, StoreError."""
        file = self.parsed(name, text)
        found = backtest(
            self.deps.store,
            self.principal.tenant,
            file.groups,
            since=since,
            until=self.now,
            owner=uuid4().hex,
            most=steps,
            pages_per_week=pages_per_week,
        )
        return [plain(one) for one in found]

    def save(self, name: str, text: str, *, enabled: bool, note: str = "") -> Written:
        """Store a version; an enabled one is evaluated from the next turn on. Raises: InvalidRules."""
        self.parsed(name, text)
        return WrittenRules(self.control).save(
            self.principal.tenant,
            name,
            text,
            enabled=enabled,
            author=self.principal.name,
            now=self.now,
            note=note,
        )

    def speak(self, rule: str) -> bool:
        """End a rule's trial: from now on people are told. Whether it was on trial."""
        return Trials(self.control).end(self.principal.tenant, rule, self.principal.name, self.now)

    def records(self) -> dict[str, dict[str, Any]]:
        """By rule: until when it is on trial, how often it fired, and what people thought of that."""
        tenant = self.principal.tenant
        trials = Trials(self.control)
        until, since = trials.until(tenant), trials.since(tenant)
        found: dict[str, dict[str, Any]] = {}
        for group in self.deps.rules_in_force(tenant).groups:
            for ready in group.rules:
                found[ready.key] = {
                    "silent_until": until.get(ready.key, self.now + length(ready)),
                    "fired": 0, "useful": 0, "noise": 0,
                }  # fmt: skip
        for one in Ledger(self.control).of_rule(tenant, self.now - COUNTED):
            if one.rule in found:
                found[one.rule]["fired"] += 1
                found[one.rule]["useful"] += one.useful is True
                found[one.rule]["noise"] += one.useful is False
        for key, record in found.items():
            known = min(self.now - since.get(key, self.now), COUNTED)
            weeks = max(known / _WEEK, 1 / 7)
            judged = record["useful"] + record["noise"]
            record["per_week"] = round(record["fired"] / weeks, 2)
            record["precision"] = round(record["useful"] / judged, 4) if judged else None
            record["on_trial"] = record["silent_until"] > self.now
        return found


def composed(
    *, alert: str, expr: str, wait: str, severity: str, owner: str, summary: str, runbook: str
) -> str:
    """A file with one rule, of the fields of a form."""
    labels = {"severity": severity, **({"owner": owner} if owner else {})}
    annotations = {"summary": summary or alert, **({"runbook_url": runbook} if runbook else {})}
    rule = {"alert": alert, "expr": expr, "for": wait or "0s", "labels": labels, "annotations": annotations}
    written = StringIO()
    YAML().dump({"groups": [{"name": f"{PREFIX}{alert}", "interval": "1m", "rules": [rule]}]}, written)
    return str(written.getvalue())
