"""Rules as files spell them: Prometheus' rule groups with SELECTs as expressions, and objectives."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Literal, Self

from pydantic import AfterValidator, Field, StrictBool, StrictFloat, StrictInt, model_validator

from throughline.correlator.alerts import template
from throughline.correlator.alerts.expression import LABEL, RESERVED, VALUE, Expression, read
from throughline.correlator.alerts.spans import Some, Span
from throughline.correlator.durations import Duration, parse_duration
from throughline.correlator.parts import Id, InconsistentError, Name, Part, Path, Text, unknown
from throughline.correlator.sql_guard import QueryRefused

if TYPE_CHECKING:
    from collections.abc import Iterator

MOST_SERIES = 1_000
"""Label sets that a rule may return unless its group says otherwise."""
DEFAULT_INTERVAL = timedelta(minutes=1)


def _label(name: str) -> str:
    if not LABEL.fullmatch(name) or name in RESERVED:
        message = f"'{name}' cannot be the name of a label: letters, digits and underscores, not alertname"
        raise ValueError(message)
    return name


def _template(text: str) -> str:
    template.read(text)
    return text


Templated = Annotated[str, AfterValidator(_template)]
Labels = dict[Annotated[str, AfterValidator(_label)], Templated]


def expression_of(text: str, *, wanted: tuple[str, ...] = (VALUE,)) -> Expression:
    """Read a SELECT of a file. Raises: ValueError, with what the guard says."""
    try:
        return read(text, wanted=wanted)
    except QueryRefused as error:
        raise ValueError(str(error)) from error


def _expr(text: str) -> str:
    expression_of(text)
    return text


def _objective_expr(text: str) -> str:
    expression_of(text, wanted=("time", "good"))
    return text


class Rule(Part):
    """One alert: while its SELECT returns a row, the alert with that row's labels is active.

    `no_data` says what no row at all means: `ok`, `alerting`, or `keep` what was. `on_error` the same of a
    query that fails.
    """

    alert: Name
    expr: Annotated[Text, AfterValidator(_expr)]
    for_: Annotated[Span, Field(alias="for")] = timedelta()
    keep_firing_for: Span = timedelta()
    labels: Labels = Field(default_factory=dict)
    annotations: Labels = Field(default_factory=dict)
    no_data: Literal["ok", "alerting", "keep"] = "ok"
    on_error: Literal["keep", "alerting"] = "keep"
    hold: StrictBool = True
    """Whether to wait while what the SELECT reads is not correlated yet, or cannot be heard."""
    silent_for: Span | None = None
    """How long nobody is told of a new rule's alerts; two weeks where nothing is said."""

    @property
    def expression(self) -> Expression:
        """What the SELECT reads and gives."""
        return read(self.expr)

    @model_validator(mode="after")
    def _labels_exist(self) -> Self:
        given = set(self.expression.columns) - {VALUE}
        known = given | set(self.labels) | {"alertname"}
        findings = [
            *_unknown("labels", self.labels, given),
            *_unknown("annotations", self.annotations, known),
        ]
        if findings:
            raise InconsistentError(findings)
        return self


class Group(Part):
    """Rules that are evaluated together, at times that are multiples of `interval`. `limit`: label sets that
    a rule may return.
    """

    name: Text
    interval: Some = DEFAULT_INTERVAL
    limit: Annotated[StrictInt, Field(ge=1, le=100_000)] = MOST_SERIES
    rules: tuple[Rule, ...]

    @model_validator(mode="after")
    def _names_once(self) -> Self:
        seen: set[tuple[str, tuple[tuple[str, str], ...]]] = set()
        findings: list[tuple[Path, str]] = []
        for place, rule in enumerate(self.rules):
            key = (rule.alert, tuple(sorted(rule.labels.items())))
            if key in seen:
                findings.append(
                    (("rules", place, "alert"), f"'{rule.alert}' is there twice; labels must differ")
                )
            seen.add(key)
        if findings:
            raise InconsistentError(findings)
        return self


class Slo(Part):
    """An objective: of what `expr` returns (columns `time` and `good`, others are labels) this per cent is
    good over `window`. With a `calendar` windows are business time. `at_least` is how many bad ones a window
    must hold before it counts: two of three journeys are no outage.
    """

    slo: Name
    title: Text | None = None
    objective: Annotated[StrictFloat | StrictInt, Field(gt=0, lt=100)]
    window: Annotated[Text, AfterValidator(lambda text: parse_duration(text).text)] = "28d"
    expr: Annotated[Text, AfterValidator(_objective_expr)]
    calendar: Id | None = None
    at_least: Annotated[StrictInt, Field(ge=1)] = 2
    interval: Some = DEFAULT_INTERVAL
    limit: Annotated[StrictInt, Field(ge=1, le=100_000)] = MOST_SERIES
    labels: Labels = Field(default_factory=dict)
    annotations: Labels = Field(default_factory=dict)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        findings: list[tuple[Path, str]] = []
        given = set(self.label_columns)
        findings += _unknown("labels", self.labels, given)
        added = {"alertname", "slo", "severity", "long_window", "short_window"}
        findings += _unknown("annotations", self.annotations, given | set(self.labels) | added)
        if taken := sorted(given & (added | {VALUE})):
            findings.append(
                (("expr",), f"'{taken[0]}' is a label that objectives set; call the column otherwise")
            )
        if self.period.business and self.calendar is None:
            findings.append((("window",), "business time needs a `calendar`"))
        if findings:
            raise InconsistentError(findings)
        return self

    @property
    def period(self) -> Duration:
        """The window as a span."""
        return parse_duration(self.window)

    @property
    def label_columns(self) -> tuple[str, ...]:
        """What tells several series of one objective apart."""
        columns = read(self.expr, wanted=("time", "good")).columns
        return tuple(name for name in columns if name not in {"time", "good"})


class RuleFile(Part):
    """A file of `rules/`."""

    groups: tuple[Group, ...] = ()
    slos: tuple[Slo, ...] = ()


def _unknown(field: str, texts: Labels, known: set[str]) -> Iterator[tuple[Path, str]]:
    for name, text in texts.items():
        for label in sorted(template.read(text).labels - known):
            yield (field, name), unknown(label, known, "label")
