"""What a process is: the shape of a definition, checked on construction.

An object that exists is valid: names refer to something, clocks do not wait for each other, expressions
compile. Reading files is `process.py`.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Annotated, Any, Self

from pydantic import Field, ValidationInfo, model_validator

from throughline.correlator.business_calendar import ALWAYS, BusinessCalendar
from throughline.correlator.definition_parts import CUT_OFF, Calendar, Check, Cycle, Level, Milestone
from throughline.correlator.definition_tables import Table, own_tables, table_findings, times_of
from throughline.correlator.entitlements import Entitlement
from throughline.correlator.expression_parts import JOURNEY_COLUMNS
from throughline.correlator.expressions import (
    Expression,
    ExpressionError,
    compile_journey,
    compile_where,
)
from throughline.correlator.parts import (
    Events,
    Id,
    InconsistentError,
    Name,
    Names,
    Namespace,
    Part,
    Path,
    Placeholder,
    Positive,
    Text,
    unknown,
)
from throughline.correlator.period_calendar import PeriodCalendar
from throughline.probes.vocabulary import ACCOUNTING_DATE


class Process(Part):
    """A whole definition."""

    id: Annotated[Id, Field(alias="process")]
    version: Positive = 1
    title: Text | None = None
    owner: Text | None = None
    scope: Text | None = None
    levels: Annotated[tuple[Level, ...], Field(alias="keys", min_length=1, max_length=100)]
    placeholders: Mapping[Namespace, tuple[Placeholder, ...]] = Field(default_factory=dict)
    calendar: Calendar = Calendar()
    calendars: Mapping[Id, BusinessCalendar | PeriodCalendar] = Field(default_factory=dict)
    tables: Mapping[Text, Table] = Field(default_factory=dict)
    cycle: Cycle | None = None
    amount_of: Name | None = None
    milestones: Annotated[tuple[Milestone, ...], Field(min_length=1, max_length=200)]
    completed_by: Names = ()
    dropped_by: Events = ()
    checks: tuple[Check, ...] = ()
    entitlements: tuple[Entitlement, ...] = ()

    @model_validator(mode="before")
    @classmethod
    def _own_calendars(cls, value: Any, info: ValidationInfo) -> Any:
        """Keep the calendars that this definition names: it says all by which journeys are judged."""
        if not isinstance(value, dict) or "calendars" in value or not info.context:
            return value
        chosen = value.get("calendar")
        names: list[Any] = [chosen] if isinstance(chosen, str) else []
        if isinstance(chosen, dict):
            mapped = chosen.get("map")
            names = [chosen.get("default"), *(mapped.values() if isinstance(mapped, dict) else [])]
        cycle = value.get("cycle")
        names += [cycle.get("calendar")] if isinstance(cycle, dict) else []
        known = info.context["calendars"]
        own = {name: known[name] for name in names if isinstance(name, str) and name in known}
        return {**value, "calendars": own}

    @model_validator(mode="before")
    @classmethod
    def _own_tables(cls, value: Any, info: ValidationInfo) -> Any:
        """Keep what it is that the reference tables say that this definition names."""
        if not isinstance(value, dict) or "tables" in value or not info.context:
            return value
        return {**value, "tables": own_tables(value, info.context.get("tables", {}))}

    @model_validator(mode="after")
    def _consistent(self, info: ValidationInfo) -> Self:
        known = info.context["calendars"] if info.context else self.calendars
        findings = [
            *_calendar_findings(self, known),
            *_namespace_findings(self),
            *_name_findings(self),
            *_clock_findings(self),
            *_response_findings(self),
            *_event_findings(self),
            *_expression_findings(self),
            *table_findings(self, info.context.get("tables", {}) if info.context else self.tables),
        ] or _state_findings(self)
        if findings:
            raise InconsistentError(findings)
        return self

    @cached_property
    def namespaces(self) -> dict[str, tuple[int, int]]:
        """Each key namespace with its level and its rank within that level, both from 0."""
        return {
            namespace: (level, rank)
            for level, one in enumerate(self.levels)
            for rank, namespace in enumerate(one.namespaces)
        }

    @property
    def level_names(self) -> list[tuple[str, ...]]:
        """The namespaces of each level."""
        return [one.namespaces for one in self.levels]

    @cached_property
    def statements(self) -> tuple[Check, ...]:
        """What the checks come to."""
        return tuple(statement for check in self.checks for statement in check.each())

    def statements_of(self, milestone: Milestone) -> list[Check]:
        """The statements that have to hold for a milestone of `checks`."""
        return [one for check in self.checks if check.name in milestone.checks for one in check.each()]

    @cached_property
    def wheres(self) -> dict[str, Expression]:
        """The compiled `where` of each milestone that has one, by milestone."""
        return {one.name: compile_where(one.where, self.tables) for one in self.milestones if one.where}

    @cached_property
    def expectations(self) -> dict[str, Expression]:
        """What each statement of the checks expects, compiled, by statement."""
        return {one.name: self._compiled(one.expect or "") for one in self.statements}

    @property
    def periods(self) -> PeriodCalendar | None:
        """The billing periods of the cycle."""
        found = self.calendars.get(self.cycle.calendar) if self.cycle else None
        return found if isinstance(found, PeriodCalendar) else None

    @cached_property
    def in_scope(self) -> Expression | None:
        """The compiled `scope`."""
        return self._compiled(self.scope) if self.scope else None

    @cached_property
    def entitled(self) -> dict[str, str]:
        """The rows of each entitlement, as aggregates over a journey's events."""
        found = {}
        for one in self.entitlements:
            known = [self.namespaces[name][0] for name in one.used.of if name in self.namespaces]
            found[one.name] = one.sql([name for level in known for name in self.levels[level].namespaces])
        return found

    def _compiled(self, text: str) -> Expression:
        return compile_journey(text, self.level_names, self.tables, self.entitled)

    @cached_property
    def attributes_used(self) -> frozenset[str]:
        """The attributes that folding reads."""
        scope = [self.in_scope] if self.in_scope else []
        compiled = [*self.wheres.values(), *self.expectations.values(), *scope]
        told = {one.within.told_by for one in self.milestones if one.within}
        told |= {name for one in self.milestones if one.within for name in one.within.by}
        if self.cycle and self.periods:
            told |= {*self.cycle.keys.values(), self.cycle.at, self.periods.periods.told_by}
        if self.amount_of:
            told.add(ACCOUNTING_DATE)
        told = told.union(*(one.attributes for one in self.entitlements))
        named = (name for name in told if name)
        return frozenset(named).union(*(one.attributes for one in compiled))

    @cached_property
    def definition_hash(self) -> str:
        """Thirty-two hex digits that change when the value of a field does, and only then."""
        content = self.model_dump(mode="json", by_alias=True, exclude_defaults=True)
        if self.calendars:
            content["calendars"] = {name: one.content_hash for name, one in self.calendars.items()}
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:32]

    @property
    def notices(self) -> tuple[str, ...]:
        """What a reader of the figures has to know about this definition."""
        found = []
        if self.calendar.default == ALWAYS and any(
            due.business for one in self.milestones if one.within for due in times_of(self, one.within)
        ):
            found.append("business time counts around the clock where no calendar is chosen")
        if not self.completed_by:
            found.append("no journey ever completes: `completed_by` is not set")
        return tuple(found)

    def milestone(self, name: str) -> Milestone:
        """The milestone of this name."""
        return next(one for one in self.milestones if one.name == name)

    def clock_of(self, milestone: Milestone) -> tuple[str, bool] | None:
        """Which milestone starts this one's clock (CUT_OFF: the end of the billing period), and whether its
        last occurrence does; None where no clock runs.
        """
        if milestone.within is None or milestone.within.until:
            return None
        if milestone.within.milestone is not None:
            return milestone.within.milestone, milestone.within.last
        return self.milestones[self.milestones.index(milestone) - 1].name, False

    def clock_at(self, place: int) -> tuple[str, bool] | None:
        """The same by the place of a milestone, or, counted on behind them, of a check with `grace`."""
        behind = place - len(self.milestones)
        if behind < 0:
            return self.clock_of(self.milestones[place])
        after = self.checks[behind].after
        return (after, False) if after else None


def _calendar_findings(process: Process, known: Iterable[str]) -> list[tuple[Path, str]]:
    chosen: list[tuple[Path, str]] = [(("calendar", "default"), process.calendar.default)]
    chosen += [(("calendar", "map", value), name) for value, name in process.calendar.map.items()]
    findings = [
        (path, unknown(name, [*known, ALWAYS], "calendar"))
        for path, name in chosen
        if name != ALWAYS and name not in process.calendars
    ]
    findings += [
        (path, f"the calendar '{name}' has billing periods; one with `hours` is needed")
        for path, name in chosen
        if isinstance(process.calendars.get(name), PeriodCalendar)
    ]
    if process.cycle and process.periods is None:
        name, path = process.cycle.calendar, ("cycle", "calendar")
        if name in process.calendars:
            findings.append((path, f"the calendar '{name}' has hours; one with `periods` is needed"))
        else:
            findings.append((path, unknown(name, known, "calendar")))
    return findings


def _namespace_findings(process: Process) -> list[tuple[Path, str]]:
    findings: list[tuple[Path, str]] = []
    seen: dict[str, int] = {}
    for level, one in enumerate(process.levels):
        for namespace in one.namespaces:
            if namespace in seen:
                where = "twice on one level" if seen[namespace] == level else "on two levels"
                findings.append(
                    (("keys", level), f"the namespace '{namespace}' is {where}; a namespace has one level")
                )
            seen.setdefault(namespace, level)
    findings.extend(
        (("placeholders", namespace), f"'{namespace}' is no namespace of `keys`")
        for namespace in process.placeholders
        if namespace not in seen
    )
    findings.extend(
        (("entitlements", index, "used", "of"), unknown(name, seen, "namespace"))
        for index, one in enumerate(process.entitlements)
        for name in one.used.of
        if name not in seen
    )
    return findings


def _name_findings(process: Process) -> list[tuple[Path, str]]:
    findings: list[tuple[Path, str]] = []
    named: dict[str, tuple[Milestone | Check | Entitlement, ...]] = {
        "milestones": process.milestones,
        "checks": process.checks,
        "entitlements": process.entitlements,
    }
    for field, parts in named.items():
        repeated = Counter(part.name for part in parts)
        findings.extend(
            ((field, index, "name"), f"the name '{part.name}' is given twice in `{field}`")
            for index, part in enumerate(parts)
            if repeated[part.name] > 1 and part.name in [earlier.name for earlier in parts[:index]]
        )
    known = {one.name for one in process.milestones}
    if CUT_OFF in known and process.cycle:
        findings.append((("cycle",), f"no milestone may be called '{CUT_OFF}': that is the period's end"))
    references: list[tuple[Path, str | None]] = [(("amount_of",), process.amount_of)]
    references += [(("completed_by",), name) for name in process.completed_by]
    references += [(("checks", index, "after"), one.after) for index, one in enumerate(process.checks)]
    references += [
        (("milestones", index, "within", "of"), one.within.milestone)
        for index, one in enumerate(process.milestones)
        if one.within and not (process.cycle and one.within.of == CUT_OFF)
    ]
    findings.extend(
        (path, unknown(name, known, "milestone")) for path, name in references if name and name not in known
    )
    return findings


def _clock_findings(process: Process) -> list[tuple[Path, str]]:
    findings: list[tuple[Path, str]] = []
    waits: dict[str, str] = {}
    for index, one in enumerate(process.milestones):
        if one.within is None or one.within.until:
            continue
        if index == 0 and one.within.of is None:
            sentence = f"'{one.name}' is the first milestone: say from when its time runs, with `of`"
            findings.append((("milestones", 0, "within"), sentence))
            continue
        start = process.clock_of(one)
        if start:
            waits[one.name] = start[0]
    for index, one in enumerate(process.milestones):
        path, at = [one.name], waits.get(one.name)
        while at is not None and at not in path:
            path.append(at)
            at = waits.get(at)
        if at == one.name and one.name == min(path):
            circle = " → ".join([*path, one.name])
            findings.append(
                (("milestones", index, "within"), f"these milestones wait for each other: {circle}")
            )
    return findings


def _response_findings(process: Process) -> list[tuple[Path, str]]:
    responding = {one.name for one in process.milestones if one.responds}
    starts = [process.clock_of(one) if one.responds else None for one in process.milestones]
    sentence = "a response needs a clock, and one that starts at a milestone that is no response itself"
    return [
        (("milestones", index, "responds"), sentence)
        for index, (one, start) in enumerate(zip(process.milestones, starts, strict=True))
        if one.responds and (start is None or start[0] in {CUT_OFF, *responding})
    ]


def _event_findings(process: Process) -> list[tuple[Path, str]]:
    return [
        (("milestones", index, "undone_by"), f"'{event}' can't both reach and undo '{one.name}'")
        for index, one in enumerate(process.milestones)
        for event in sorted({*one.events} & {*one.undone_by})
    ] + [
        (
            ("milestones", index, "within", "paused"),
            f"'{event}' can't both stop and start the clock of '{one.name}'",
        )
        for index, one in enumerate(process.milestones)
        if one.within and one.within.paused
        for event in sorted({*one.within.paused.by} & {*one.within.paused.until})
    ]


def _expression_findings(process: Process) -> list[tuple[Path, str]]:
    findings: list[tuple[Path, str]] = []
    texts: list[tuple[Path, str | None]] = [(("scope",), process.scope)]
    texts += [(("milestones", index, "where"), one.where) for index, one in enumerate(process.milestones)]
    texts += [
        (("checks", index, "agree" if one.agree else "expect"), one.each()[0].expect)
        for index, one in enumerate(process.checks)
    ]
    for path, text in texts:
        try:
            if text and path[-1] == "where":
                compile_where(text, process.tables)
            elif text:
                compile_journey(text, process.level_names, process.tables, process.entitled)
        except ExpressionError as error:
            findings.append((path, str(error)))
    return findings


def _state_findings(process: Process) -> list[tuple[Path, str]]:
    """What milestones of `checks` and of `every` refer to."""
    findings: list[tuple[Path, str]] = []
    known = {one.name: one for one in process.checks}
    for index, one in enumerate(process.milestones):
        path: Path = ("milestones", index, "checks")
        if one.every and one.every not in process.namespaces:
            sentence = unknown(one.every, process.namespaces, "namespace")
            findings.append((("milestones", index, "every"), sentence))
        findings += [(path, unknown(name, known, "check")) for name in one.checks if name not in known]
        checks = [known[name] for name in one.checks if name in known]
        if one.checks and not any(check.after for check in checks):
            findings.append((path, f"none of the checks of '{one.name}' is judged `after` a milestone"))
        derived = {other.name for other in process.milestones if other.checks}
        findings += [
            (path, f"'{check.name}' is judged after '{check.after}', which is a milestone of checks itself")
            for check in checks
            if check.after in derived
        ]
        findings += [
            (path, f"'{check.name}' uses the journey's {word}, known at its end only; say of which object")
            for check in checks
            for statement in check.each()
            for word in ("amount", "currency")
            if JOURNEY_COLUMNS[word][1] in process.expectations[statement.name].sql
        ]
    return findings
