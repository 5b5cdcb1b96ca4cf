"""The shapes of what people do about alerts, of silences, channels and written rules."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from throughline.dashboards.api.body import body

_RULES = """groups:
  - name: mine
    rules:
      - alert: Blocked
        expr: SELECT region, count() AS value FROM exceptions WHERE blocking GROUP BY region
        for: 10m
        labels: {severity: page}
"""


class Asked(BaseModel):
    """A body; fields that nobody knows are refused."""

    model_config = ConfigDict(extra="forbid")


class AlertRef(Asked):
    """Which alert is meant."""

    rule: str = Field(max_length=500)
    fingerprint: str = Field(max_length=64)


class AskAcknowledge(AlertRef):
    """Somebody is at it."""

    model_config = body(rule="sla/MilestonesLate", fingerprint="91b2c3d4e5f60718", note="looking")

    note: str = Field(default="", max_length=2_000)


class AskFeedback(AlertRef):
    """Whether it was worth being told."""

    model_config = body(rule="sla/MilestonesLate", fingerprint="91b2c3d4e5f60718", useful=True)

    useful: bool


class EpisodeAnswer(BaseModel):
    """One alert from when it fired until it ended."""

    rule: str
    fingerprint: str
    alert: str
    starts_at: datetime
    ends_at: datetime | None
    silent: bool = Field(description="its rule was on trial: nobody was told")
    acknowledged_at: datetime | None
    acknowledged_by: str
    note: str
    useful: bool | None


class AskSilence(Asked):
    """Alerts that shall not be told for a while."""

    model_config = body(matchers=['severity="page"'], ends_at="2026-03-02T08:00:00Z", comment="a release")

    matchers: list[str] = Field(min_length=1, max_length=50, description='as severity="page"')
    starts_at: datetime | None = Field(default=None, description="default: now")
    ends_at: datetime
    comment: str = Field(default="", max_length=2_000)


class SilenceAnswer(BaseModel):
    """One silence."""

    id: str
    matchers: list[str]
    starts_at: datetime
    ends_at: datetime
    author: str
    comment: str


class SilenceList(BaseModel):
    """Silences that are not over; with an Alertmanager, its own."""

    items: list[SilenceAnswer]


class JourneysBehind(BaseModel):
    """The journeys that an alert's rule counts now; `known` is false where the rule does not tell."""

    known: bool
    items: list[dict[str, str]]


class ChannelAnswer(BaseModel):
    """One channel of channels.yaml, and how it fares."""

    id: str
    kind: Literal["pagerduty", "webhook", "apprise", "alertmanager"]
    state: Literal["working", "failing", "new"]
    failures: int = Field(description="in a row, until now")
    failing_since: datetime | None
    next_at: datetime | None = Field(description="when it is tried again")
    delivered_at: datetime | None
    error: str
    waiting: int


class ChannelList(BaseModel):
    """The tenant's channels."""

    items: list[ChannelAnswer]


class AttemptAnswer(BaseModel):
    """One attempt to tell a channel something."""

    episode: str
    act: Literal["trigger", "acknowledge", "resolve", "summary"]
    at: datetime
    outcome: Literal["delivered", "failed", "dead"] = Field(description="dead: given up")
    answer: str


class AttemptList(BaseModel):
    """The latest attempts, newest first."""

    items: list[AttemptAnswer]


class Tested(BaseModel):
    """What came of a test."""

    accepted: bool
    answer: str


class RuleText(Asked):
    """A rule that somebody writes: a file of rules, under a name."""

    model_config = body(name="mine", text=_RULES)

    name: str = Field(max_length=100)
    text: str = Field(max_length=100_000, description="as a file of rules/: groups, slos")


class AskBacktest(RuleText):
    """A period of the past."""

    model_config = body(name="mine", text=_RULES, since="2026-01-01T00:00:00Z")

    since: datetime
    pages_per_week: float = Field(default=5.0, gt=0, le=1_000, description="for the suggested threshold")
    steps: int = Field(default=150, ge=1, le=2_000, description="evaluations of each rule at most")


class AskSave(RuleText):
    """A version."""

    model_config = body(name="mine", text=_RULES, enabled=True, note="the first version")

    enabled: bool
    note: str = Field(default="", max_length=2_000)


class PreviewPage(BaseModel):
    """What each rule would say now."""

    items: list[dict[str, Any]]


class RuleBacktest(BaseModel):
    """What one rule would have done; journeys, milestones, exceptions as they stood, by what is known now."""

    rule: str
    alert: str
    step_seconds: float
    evaluations: int
    fired: int
    per_week: float
    transitions: list[dict[str, Any]]
    journeys: list[dict[str, Any]]
    quality: dict[str, Any] | None = Field(description="against what turned out badly in the period")
    as_known_now: list[str] = Field(description="views that it reads and that show what is known now instead")
    suggestion: dict[str, Any] | None
    error: str


class RuleBacktests(BaseModel):
    """All rules of the text."""

    items: list[RuleBacktest]


class WrittenAnswer(BaseModel):
    """One version of a written rule."""

    name: str
    version: int
    text: str
    enabled: bool
    author: str
    at: datetime
    note: str


class WrittenList(BaseModel):
    """Versions of written rules."""

    items: list[WrittenAnswer]


class RuleRef(Asked):
    """Which rule is meant, by its key."""

    model_config = body(rule="sla/MilestonesLate")

    rule: str = Field(max_length=500)


class Spoken(BaseModel):
    """Whether the rule was on trial until now."""

    was_silent: bool


class RuleStanding(BaseModel):
    """How a rule in force fares with people; counted over 30 days."""

    rule: str
    on_trial: bool
    silent_until: datetime
    fired: int
    per_week: float = Field(description="while on trial: the pages it would have caused")
    useful: int
    noise: int
    precision: float | None = Field(description="useful ones of those that somebody judged")


class RuleStandings(BaseModel):
    """All rules in force."""

    items: list[RuleStanding]
