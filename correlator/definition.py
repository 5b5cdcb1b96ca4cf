"""What a process is: the shape of a definition, checked on construction.

An object that exists is valid: names refer to something, clocks do not wait for each other, expressions
compile. Reading files is `process.py`.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import date
from functools import cached_property
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, StrictBool, StrictStr, ValidationInfo, model_validator

from throughline.correlator.business_calendar import ALWAYS, BusinessCalendar
from throughline.correlator.durations import Deadline, Duration, parse_time
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
    several,
    unknown,
)


class Level(Part):
    """One level of objects, known under one or more namespaces (systems); the first is the canonical one."""

    namespaces: Annotated[
        tuple[Namespace, ...],
        BeforeValidator(several),
        Field(alias="any_of", min_length=1),
    ]
    max_roots: Positive = 100
    max_children: Positive = 100_000

    @model_validator(mode="before")
    @classmethod
    def _short_forms(cls, value: Any) -> Any:
        return {"any_of": value} if isinstance(value, (str, list, tuple)) else value


class Pause(Part):
    """Events of the journey between which a clock stands still."""

    by: Annotated[Events, Field(min_length=1)]
    until: Annotated[Events, Field(min_length=1)]


class Was(Part):
    """What was allowed where the clock started before a day, in the calendar's time zone."""

    before: date
    time: Text


class Within(Part):
    """How long a milestone may take, and from when; without `of` from the milestone before it in the
    definition.

    Exactly one says how long: a `time`, an `attribute` of the journey that holds a number of `unit`, or
    `until`, an attribute that holds the due day or time itself.
    """

    time: Text | None = None
    attribute: Text | None = None
    unit: Literal["hours", "days", "business hours", "business days"] = "days"
    until: Text | None = None
    of: Text | None = None
    paused: Pause | None = None
    was: tuple[Was, ...] = ()

    @model_validator(mode="before")
    @classmethod
    def _short_form(cls, value: Any) -> Any:
        return {"time": value} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _readable(self) -> Self:
        if sum(one is not None for one in (self.time, self.attribute, self.until)) != 1:
            raise ValueError("say how long with exactly one of `time`, `attribute` and `until`")
        if self.until and (self.of or self.paused):
            raise ValueError("`until` is the due time itself: nothing for `of` to start or `paused` to stop")
        if self.was and not self.time:
            raise ValueError("`was` goes with a `time`")
        deadlines = [due.text for due, _ in self.rules if isinstance(due, Deadline)]
        if deadlines and self.paused:
            raise ValueError(f"'{deadlines[0]}' is a deadline: no clock runs that `paused` could stop")
        days = [one.before for one in self.was]
        if days != sorted(set(days)):
            raise ValueError("`was` goes from the earliest day to the latest")
        return self

    @property
    def due(self) -> Duration | Deadline:
        """The time that counts now, read. Raises: ValueError where an attribute says it."""
        return parse_time(self.time or "")

    @property
    def rules(self) -> list[tuple[Duration | Deadline, date]]:
        """The times that count where the clock started before a day, in their order; the last ever after."""
        if self.time is None:
            return []
        return [*((parse_time(one.time), one.before) for one in self.was), (self.due, date.max)]

    @property
    def told_by(self) -> str | None:
        """The attribute that tells the time."""
        return self.attribute or self.until

    @property
    def text(self) -> str:
        """What is allowed, in words."""
        return self.time or (f"{self.attribute} {self.unit}" if self.attribute else f"until {self.until}")

    @property
    def milestone(self) -> str | None:
        """The milestone that starts the clock, without `.last`."""
        return self.of.removesuffix(".last") if self.of else None

    @property
    def last(self) -> bool:
        """Whether the clock starts at the last occurrence instead of the first."""
        return bool(self.of and self.of.endswith(".last"))


class Milestone(Part):
    """A business fact a journey is expected to reach."""

    name: Name
    event: Text
    where: Text | None = None
    within: Within | None = None
    on_late: Literal["late", "stuck"] = "late"
    optional: StrictBool = False
    repeats: StrictBool = False
    undone_by: Events = ()
    owner: Text | None = None
    runbook: Text | None = None

    @property
    def judged(self) -> Within | None:
        """What lateness is judged by; None for what is never late."""
        return None if self.optional else self.within


class Check(Part):
    """A statement about a journey that has to hold, judged once `after` is met."""

    name: Name
    expect: Text
    after: Name | None = None
    class_: Annotated[Literal["technical", "remote", "business"], Field(alias="class")] = "business"
    severity: Literal["low", "medium", "high", "critical"] = "medium"
    blocking: StrictBool = False
    owner: Text | None = None


class Calendar(Part):
    """Which business calendar counts: by the value of a dimension, else the default."""

    by: Literal["business.customer", "business.entity", "business.region", "business.service_line"] | None = (
        None
    )
    map: Mapping[StrictStr, Text] = Field(default_factory=dict)
    default: Text = "always"

    @model_validator(mode="before")
    @classmethod
    def _short_form(cls, value: Any) -> Any:
        return {"default": value} if isinstance(value, str) else value


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
    calendars: Mapping[Id, BusinessCalendar] = Field(default_factory=dict)
    amount_of: Name | None = None
    milestones: Annotated[tuple[Milestone, ...], Field(min_length=1, max_length=200)]
    completed_by: Names = ()
    dropped_by: Events = ()
    checks: tuple[Check, ...] = ()

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
        known = info.context["calendars"]
        own = {name: known[name] for name in names if isinstance(name, str) and name in known}
        return {**value, "calendars": own}

    @model_validator(mode="after")
    def _consistent(self, info: ValidationInfo) -> Self:
        known = info.context["calendars"] if info.context else self.calendars
        findings = [
            *_calendar_findings(self, known),
            *_namespace_findings(self),
            *_name_findings(self),
            *_clock_findings(self),
            *_event_findings(self),
            *_expression_findings(self),
        ]
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

    @cached_property
    def wheres(self) -> dict[str, Expression]:
        """The compiled `where` of each milestone that has one, by milestone."""
        return {one.name: compile_where(one.where) for one in self.milestones if one.where}

    @cached_property
    def expectations(self) -> dict[str, Expression]:
        """The compiled `expect` of each check, by check."""
        return {one.name: compile_journey(one.expect, self.namespaces) for one in self.checks}

    @cached_property
    def in_scope(self) -> Expression | None:
        """The compiled `scope`."""
        return compile_journey(self.scope, self.namespaces) if self.scope else None

    @cached_property
    def attributes_used(self) -> frozenset[str]:
        """The attributes that any expression reads."""
        scope = [self.in_scope] if self.in_scope else []
        compiled = [*self.wheres.values(), *self.expectations.values(), *scope]
        told = {one.within.told_by for one in self.milestones if one.within and one.within.told_by}
        return frozenset(told).union(*(one.attributes for one in compiled))

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
            due.business for one in self.milestones if one.within for due, _ in one.within.rules
        ):
            found.append("business time counts around the clock where no calendar is chosen")
        if not self.completed_by:
            found.append("no journey ever completes: `completed_by` is not set")
        return tuple(found)

    def milestone(self, name: str) -> Milestone:
        """The milestone of this name."""
        return next(one for one in self.milestones if one.name == name)

    def clock_of(self, milestone: Milestone) -> tuple[str, bool] | None:
        """Which milestone starts this one's clock, and whether its last occurrence does; None where no clock
        runs.
        """
        if milestone.within is None or milestone.within.until:
            return None
        if milestone.within.milestone is not None:
            return milestone.within.milestone, milestone.within.last
        return self.milestones[self.milestones.index(milestone) - 1].name, False


def _calendar_findings(process: Process, known: Iterable[str]) -> list[tuple[Path, str]]:
    chosen: list[tuple[Path, str]] = [(("calendar", "default"), process.calendar.default)]
    chosen += [(("calendar", "map", value), name) for value, name in process.calendar.map.items()]
    return [
        (path, unknown(name, [*known, ALWAYS], "calendar"))
        for path, name in chosen
        if name != ALWAYS and name not in process.calendars
    ]


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
    return findings


def _name_findings(process: Process) -> list[tuple[Path, str]]:
    findings: list[tuple[Path, str]] = []
    named: dict[str, tuple[Milestone | Check, ...]] = {
        "milestones": process.milestones,
        "checks": process.checks,
    }
    for field, parts in named.items():
        repeated = Counter(part.name for part in parts)
        findings.extend(
            ((field, index, "name"), f"the name '{part.name}' is given twice in `{field}`")
            for index, part in enumerate(parts)
            if repeated[part.name] > 1 and part.name in [earlier.name for earlier in parts[:index]]
        )
    known = {one.name for one in process.milestones}
    references: list[tuple[Path, str | None]] = [(("amount_of",), process.amount_of)]
    references += [(("completed_by",), name) for name in process.completed_by]
    references += [(("checks", index, "after"), one.after) for index, one in enumerate(process.checks)]
    references += [
        (("milestones", index, "within", "of"), one.within.milestone)
        for index, one in enumerate(process.milestones)
        if one.within
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


def _event_findings(process: Process) -> list[tuple[Path, str]]:
    return [
        (("milestones", index, "undone_by"), f"'{one.event}' can't both reach and undo '{one.name}'")
        for index, one in enumerate(process.milestones)
        if one.event in one.undone_by
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
    texts += [(("checks", index, "expect"), one.expect) for index, one in enumerate(process.checks)]
    for path, text in texts:
        try:
            if text and path[-1] == "where":
                compile_where(text)
            elif text:
                compile_journey(text, process.namespaces)
        except ExpressionError as error:
            findings.append((path, str(error)))
    return findings
