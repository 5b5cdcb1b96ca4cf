"""The parts of a process definition, each checked on construction as far as it stands alone."""

from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, StrictBool, StrictStr, model_validator

from throughline.correlator.durations import Deadline, Duration, parse_time
from throughline.correlator.parts import Events, Id, Name, Names, Namespace, Part, Positive, Text, several

CUT_OFF = "cut_off"
"""What `within.of` says for the end of a journey's billing period."""


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

    Exactly one says how long: a `time`, an `attribute` of the journey that holds a number of `unit`, `until`,
    an attribute that holds the due day or time itself, or a reference `table`, whose `column` holds the time
    in the row that is valid when the clock starts, for what the journey's attributes `by` say.
    """

    time: Text | None = None
    attribute: Text | None = None
    unit: Literal["hours", "days", "business hours", "business days"] = "days"
    until: Text | None = None
    table: Text | None = None
    column: Text | None = None
    by: Annotated[tuple[Text, ...], BeforeValidator(several)] = ()
    of: Text | None = None
    paused: Pause | None = None
    was: tuple[Was, ...] = ()

    @model_validator(mode="before")
    @classmethod
    def _short_form(cls, value: Any) -> Any:
        return {"time": value} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _readable(self) -> Self:
        if sum(one is not None for one in (self.time, self.attribute, self.until, self.table)) != 1:
            raise ValueError("say how long with exactly one of `time`, `attribute`, `until` and `table`")
        if not bool(self.table) == bool(self.column) == bool(self.by):
            raise ValueError("`table` goes with its `column` and, `by` which attributes it is looked up")
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
        if self.table:
            return f"{self.column} of {self.table} by {', '.join(self.by)}"
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
    """A business fact a journey is expected to reach: the first of some events, the last of `at_least` so
    many, or the one by which `every` object of a level has had it. One that `responds` counts only what came
    after its clock had started. One of `checks` has no event: it is met when first all of them held.
    """

    name: Name
    events: Annotated[Events, Field(alias="event")] = ()
    checks: Names = ()
    at_least: Positive = 1
    every: Namespace | None = None
    where: Text | None = None
    within: Within | None = None
    on_late: Literal["late", "stuck"] = "late"
    optional: StrictBool = False
    repeats: StrictBool = False
    responds: StrictBool = False
    undone_by: Events = ()
    owner: Text | None = None
    runbook: Text | None = None

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if bool(self.events) == bool(self.checks):
            raise ValueError("say how it is reached: either `event` or `checks`")
        of_events = {"at_least": self.at_least > 1, "every": self.every, "where": self.where,
                     "responds": self.responds, "undone_by": self.undone_by}  # fmt: skip
        odd = [name for name, given in of_events.items() if given]
        if self.checks and odd:
            raise ValueError(f"a milestone of `checks` has no `{odd[0]}`: that goes with events")
        if self.every and (self.at_least > 1 or self.responds):
            raise ValueError("`every` goes with neither `at_least` nor `responds`")
        return self

    @property
    def judged(self) -> Within | None:
        """What lateness is judged by; None for what is never late."""
        return None if self.optional else self.within


class Check(Part):
    """A statement about a journey that has to hold, judged once `after` is met: what to `expect`, or the
    fields `of` the objects of a level on whose values all systems have to `agree`. What is missing is an
    exception only once the `grace` since `after` has passed.
    """

    name: Name
    expect: Text | None = None
    agree: Annotated[tuple[Namespace, ...], BeforeValidator(several)] = ()
    of: Namespace | None = None
    after: Name | None = None
    grace: Text | None = None
    class_: Annotated[Literal["technical", "remote", "business"], Field(alias="class")] = "business"
    severity: Literal["low", "medium", "high", "critical"] = "medium"
    blocking: StrictBool = False
    owner: Text | None = None

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if bool(self.expect) == bool(self.agree):
            raise ValueError("say what has to hold: either `expect` or `agree`")
        if bool(self.agree) != bool(self.of):
            raise ValueError("`agree` names fields, `of` the namespace of the objects that they belong to")
        if self.grace and not self.after:
            raise ValueError("`grace` runs from a milestone: name it with `after`")
        if self.grace:
            parse_time(self.grace)
        return self

    @property
    def waits(self) -> Within | None:
        """How long it may not hold before that counts."""
        return Within(time=self.grace, of=self.after) if self.grace else None

    def each(self) -> tuple["Check", ...]:
        """The statements it comes to: itself, or one for each field."""
        return tuple(
            self.model_copy(
                update={
                    "name": f"{self.name}-{field}",
                    "expect": f"differing('{self.of}', '{field}') = 0",
                    "agree": (),
                    "of": None,
                }
            )
            for field in self.agree
        ) or (self,)


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


class Cycle(Part):
    """The billing periods of an object: a journey belongs to the period in which it was worked.

    `per` names the namespaces of the object (as the events' own keys say it; the first that a journey knows
    counts), `calendar` one of periods, `at` the attribute that holds the day or time that counts; without it
    the journey's first event does.
    """

    per: Annotated[tuple[Namespace, ...], BeforeValidator(several), Field(min_length=1)]
    calendar: Id
    at: Text | None = None

    @property
    def keys(self) -> dict[str, str]:
        """Each namespace with the attribute that names the object."""
        return {namespace: f"business.key.{namespace}" for namespace in self.per}
