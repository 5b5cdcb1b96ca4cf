"""The shapes of alerts, rules and objectives, for the API's description."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, Field


class AlertItem(BaseModel):
    """One alert: a rule's row and its labels."""

    fingerprint: str = Field(description="names the alert by its labels")
    alert: str
    rule: str
    labels: dict[str, str]
    annotations: dict[str, str]
    state: Literal["pending", "firing", "resolved"]
    value: float | None = Field(description="of the row when it was last seen")
    starts_at: datetime = Field(description="since when it fires; while pending, since when it is active")
    ends_at: datetime | None
    held: str = Field(description="why it is kept from firing, or from ending; empty if it is not")
    evaluated_at: datetime = Field(description="when it last changed")
    silent: bool = Field(description="its rule is on trial: nobody is told")
    muted: str = Field(description="why it is not told now: a silence, or maintenance")
    told: list[str] = Field(description="the channels that were told")
    acknowledged_at: datetime | None
    acknowledged_by: str
    note: str
    useful: bool | None = Field(description="what people said of it")


class AlertPage(BaseModel):
    """The alerts of a tenant; those that ended are listed for a day."""

    items: list[AlertItem]


class RuleItem(BaseModel):
    """One rule as it stands in its file, and how it fared."""

    key: str = Field(description="group and alert; labels where that is not enough")
    group: str
    alert: str
    expr: str
    for_seconds: float
    keep_firing_for_seconds: float
    interval_seconds: float
    labels: dict[str, str]
    annotations: dict[str, str]
    no_data: Literal["ok", "alerting", "keep"]
    on_error: Literal["keep", "alerting"]
    file: str
    line: int
    shipped: bool
    state: Literal["inactive", "pending", "firing", "quarantined", "not_evaluated"]
    evaluated_at: datetime | None
    seconds: float | None
    series: int | None
    error: str
    failures: int = Field(description="in a row")
    held: str
    quarantined_at: datetime | None
    quarantine: str = Field(description="why it is not evaluated; it is tried again after an hour")


class RulePage(BaseModel):
    """All rules, and what is wrong with files that could not be read."""

    items: list[RuleItem]
    problems: list[str]


class Budget(BaseModel):
    """An objective's standing for one set of labels."""

    labels: dict[str, str]
    valid: int
    good: int
    attained: float | None = Field(description="per cent; null without any valid ones")
    allowed_bad: float = Field(description="how many may be bad, of as many as there are")
    budget_left: float | None = Field(
        description="share of the error budget that is left; below 0: overspent"
    )
    burn_rates: dict[str, float] = Field(
        description="by window; at 1 the budget lasts exactly the objective's window"
    )


class SloItem(BaseModel):
    """One objective."""

    slo: str
    title: str
    objective: float
    window: str
    calendar: str | None
    since: datetime
    until: datetime
    budgets: list[Budget]
    error: str


class SloPage(BaseModel):
    """All objectives."""

    items: list[SloItem]
