"""Reading `rules/*.yaml`: what is shipped and what people write, one set of groups ready to be evaluated."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from throughline.correlator.alerts import slo as objectives
from throughline.correlator.alerts import template
from throughline.correlator.alerts.expression import Expression
from throughline.correlator.alerts.expression import read as read_expression
from throughline.correlator.alerts.rule import Group, Rule, RuleFile, Slo
from throughline.correlator.alerts.slo import BURNS, Burn
from throughline.correlator.business_calendar import ALWAYS, BusinessCalendar
from throughline.correlator.calendar_files import load_calendars
from throughline.correlator.parts import unknown
from throughline.correlator.problems import InvalidFile, Problem, fields, files_of, validated

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime, timedelta

    from throughline.correlator.alerts.template import Template

FOLDER = "rules"
SHIPPED = Path(__file__).parent / "rules"
_PARTS = {
    (): fields(RuleFile),
    ("groups",): fields(Group),
    ("groups", "rules"): fields(Rule),
    ("slos",): fields(Slo),
}
_SUMMARY = "{{ $labels.slo }} burns its error budget {{ $value | humanize }} times as fast as it may"


class InvalidRules(InvalidFile):
    """A file of rules can't be used; correct the lines that the message names."""


@dataclass(frozen=True)
class Ready:
    """A rule that can be evaluated. `key` names it: group and alert, and its labels where that is not enough.

    `objective` is what it was made of, if it was.
    """

    key: str
    group: str
    rule: Rule
    limit: int
    file: str
    line: int
    objective: tuple[Slo, Burn, BusinessCalendar | None] | None = None

    def sql_at(self, now: datetime) -> str:
        """The SELECT at one time: of an objective its windows are in the text."""
        if self.objective is None:
            return self.rule.expr
        made_of, burn, calendar = self.objective
        return objectives.burn_sql(made_of, burn, now, calendar)

    @cached_property
    def expression(self) -> Expression:
        """What the SELECT reads."""
        return read_expression(self.rule.expr)

    @cached_property
    def labels(self) -> Mapping[str, Template]:
        """The labels it adds, read."""
        return {name: template.read(text) for name, text in self.rule.labels.items()}

    @cached_property
    def annotations(self) -> Mapping[str, Template]:
        """The annotations, read."""
        return {name: template.read(text) for name, text in self.rule.annotations.items()}

    @cached_property
    def definition(self) -> str:
        """Changes when the rule does."""
        made_of = self.objective[0].model_dump_json() if self.objective else ""
        calendar = self.objective[2].content_hash if self.objective and self.objective[2] else ""
        text = f"{self.rule.model_dump_json(by_alias=True)}{made_of}{calendar}{self.limit}"
        return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True)
class ReadyGroup:
    """Rules that are evaluated together."""

    name: str
    interval: timedelta
    rules: tuple[Ready, ...]
    file: str


@dataclass(frozen=True)
class ReadyFile:
    """A valid file."""

    path: str
    groups: tuple[ReadyGroup, ...]
    slos: tuple[tuple[Slo, BusinessCalendar | None], ...]

    def called(self, path: str) -> ReadyFile:
        """The same under another name: what was read from a text that was kept."""
        groups = tuple(
            replace(group, file=path, rules=tuple(replace(rule, file=path) for rule in group.rules))
            for group in self.groups
        )
        return replace(self, path=path, groups=groups)


@dataclass(frozen=True)
class LoadedRules:
    """The files that can be used, by name, and what was wrong with the others."""

    files: Mapping[str, ReadyFile] = field(default_factory=dict)
    errors: tuple[InvalidRules, ...] = ()

    @property
    def groups(self) -> tuple[ReadyGroup, ...]:
        """All groups."""
        return tuple(group for file in self.files.values() for group in file.groups)

    @property
    def slos(self) -> tuple[tuple[Slo, BusinessCalendar | None], ...]:
        """All objectives with their calendars."""
        return tuple(one for file in self.files.values() for one in file.slos)


def load_rules(
    config_dir: Path | None, *, shipped: Path = SHIPPED, last: Mapping[str, ReadyFile] | None = None
) -> LoadedRules:
    """Read the shipped rules and `<config_dir>/rules/*.yaml`; there a file of the same name replaces the
    shipped one. A file that broke is replaced by what `last` holds of it.
    """
    calendars = calendars_of(config_dir)
    found: dict[str, ReadyFile] = {}
    errors: list[InvalidRules] = []
    taken: dict[str, str] = {}
    for path in sorted(files_of(FOLDER, shipped, config_dir), key=lambda one: one.name):
        try:
            ready = parse_rules(path, calendars=calendars)
            _refuse_taken(ready, taken, path)
        except InvalidRules as error:
            errors.append(error)
            kept = (last or {}).get(path.name)
            if kept is None or any(group.name in taken for group in kept.groups):
                continue
            ready = kept
        found[path.name] = ready
        taken.update({group.name: str(path) for group in ready.groups})
    return LoadedRules(found, tuple(errors))


def parse_rules(source: Path | str, *, calendars: Mapping[str, BusinessCalendar] | None = None) -> ReadyFile:
    """Read a file (`Path`) or YAML text (`str`).

    Raises: InvalidRules, with every problem found.
    """
    wanted = "rules are a mapping that begins with `groups:` or `slos:`"
    read = validated(source, RuleFile, _PARTS, invalid=InvalidRules, wanted=wanted)
    parsed, file = read.content, read.file
    known = calendars_of(None) if calendars is None else calendars
    wrong: list[tuple[tuple[str | int, ...], str]] = []
    groups: list[ReadyGroup] = []
    for at, group in enumerate(parsed.groups):
        if any(group.name == other.name for other in groups):
            wrong.append((("groups", at, "name"), f"a group '{group.name}' is there already"))
        lines = [read.place("groups", at, "rules", number)[1] for number in range(len(group.rules))]
        groups.append(ReadyGroup(group.name, group.interval, tuple(_ready(group, file, lines)), file))
    slos: list[tuple[Slo, BusinessCalendar | None]] = []
    for at, one in enumerate(parsed.slos):
        if any(one.slo == other.slo for other, _ in slos):
            wrong.append((("slos", at, "slo"), f"an objective '{one.slo}' is there already"))
        if one.calendar is not None and one.calendar not in known:
            sentence = unknown(one.calendar, known, "calendar of working time")
            wrong.append((("slos", at, "calendar"), sentence))
            continue
        calendar = known[one.calendar] if one.calendar else None
        slos.append((one, calendar))
        groups.append(_burning(one, calendar, file, read.place("slos", at)[1]))
    read.refuse(wrong)
    return ReadyFile(file, tuple(groups), tuple(slos))


def _ready(group: Group, file: str, lines: list[int]) -> Iterator[Ready]:
    names = [rule.alert for rule in group.rules]
    for rule, line in zip(group.rules, lines, strict=True):
        key = f"{group.name}/{rule.alert}"
        if names.count(rule.alert) > 1:
            key += "/" + ",".join(f"{name}={text}" for name, text in sorted(rule.labels.items()))
        yield Ready(key, group.name, rule, group.limit, file, line)


def _burning(slo: Slo, calendar: BusinessCalendar | None, file: str, line: int) -> ReadyGroup:
    """The burn-rate rules of an objective, as a group of their own."""
    from datetime import UTC, datetime

    group = f"slo:{slo.slo}"
    rules = []
    for burn in BURNS:
        rule = Rule.model_validate(
            {
                "alert": f"{slo.slo}BudgetBurn",
                "expr": objectives.burn_sql(slo, burn, datetime(2020, 1, 1, tzinfo=UTC), calendar),
                "labels": {
                    "severity": burn.severity,
                    **slo.labels,
                    "slo": slo.slo,
                    "long_window": burn.long,
                    "short_window": burn.short,
                },
                "annotations": {"summary": _SUMMARY, **slo.annotations},
            }
        )
        key = f"{group}/{rule.alert}/{burn.long}"
        rules.append(Ready(key, group, rule, slo.limit, file, line, (slo, burn, calendar)))
    return ReadyGroup(group, slo.interval, tuple(rules), file)


def _refuse_taken(ready: ReadyFile, taken: Mapping[str, str], path: Path) -> None:
    twice = [group.name for group in ready.groups if group.name in taken]
    if twice:
        raise InvalidRules(
            [Problem(str(path), 1, f"the group '{name}' is in {taken[name]} already") for name in twice]
        )


def calendars_of(config_dir: Path | None) -> dict[str, BusinessCalendar]:
    """The calendars of working time, by their ids."""
    found = load_calendars(config_dir).calendars
    return {name: one for name, one in found.items() if isinstance(one, BusinessCalendar) and name != ALWAYS}
