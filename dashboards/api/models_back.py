"""The shapes of the API for looking back: what was known at a time, closed periods."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, Literal

from pydantic import BaseModel, Field

from throughline.dashboards.api.body import body
from throughline.dashboards.api.job_models import JobAnswer
from throughline.dashboards.api.models import Status


class AsOfRequest(BaseModel):
    """A process, and a time that has passed."""

    model_config = body(process="opportunity-to-invoice", at="2026-03-31T22:00:00Z")

    process: str = Field(max_length=200)
    at: str = Field(max_length=50, description="a date, a time, or a length back from now: 7d")


class KnownFigures(BaseModel):
    """The figures of journeys as they looked at a time."""

    journeys: int
    statuses: dict[Status, int]
    milestones: dict[str, dict[str, Any]]
    money_at_risk: list[dict[str, Any]]
    cycles: dict[str, Any] | None


class DefinitionUsed(BaseModel):
    """The definition that journeys were judged by; `then` if it is the one of that time."""

    version: int
    hash: str
    in_use: Literal["then", "present"]


class Restated(BaseModel):
    """Journeys that look otherwise by what is known now, and the events that came late."""

    journeys: int
    items: list[dict[str, Any]]


class AsOfResult(BaseModel):
    """What was known at a time, and what is known of that time now."""

    process: str
    at: datetime
    known_at: datetime
    definition: DefinitionUsed
    then: KnownFigures
    now: KnownFigures
    restated: Restated
    journeys: list[dict[str, Any]] = Field(description="as known then, the newest 500")


class AsOfAnswer(JobAnswer):
    """What was known at a time."""

    result: AsOfResult | None


class ClosingRequest(BaseModel):
    """What to close."""

    model_config = body(process="opportunity-to-invoice", entity="DE01", period="2026-03")

    entity: str = Field(max_length=200)
    period: str = Field(max_length=10, description="2026-03, 2026-Q1 or 2026")
    process: str = Field("", max_length=200, description="default: every process in use")
    reason: str = Field("", max_length=2000, description="needed to close a period again")


class ClosingItem(BaseModel):
    """A closing; `number` counts those of one process, entity and period."""

    id: str
    process: str
    entity: str
    period: str
    first_day: date
    last_day: date
    number: int
    closed_at: datetime
    closed_by: str
    reason: str
    correlated_until: datetime
    definition_hash: str
    definition_version: int
    journeys: int
    figures: KnownFigures


class ClosingPage(BaseModel):
    """A page of closings; `next` asks for the one after it."""

    items: list[ClosingItem]
    next: str | None


class LateEvent(BaseModel):
    """An event that had happened when a period was closed, and was stored later."""

    journey: str
    root: str
    id: str
    event: str
    system: str
    happened_at: datetime
    received_at: datetime
    stored_at: datetime


class Restatement(BaseModel):
    """What was known of a closed period later."""

    known_at: datetime
    definition: DefinitionUsed
    now: KnownFigures
    restated: Restated


class ClosingAnswer(BaseModel):
    """A closing that was asked for; as closed, and what became known since."""

    id: str
    state: Literal["queued", "running", "done", "failed"]
    message: str
    closing: ClosingItem | None
    late_events: list[LateEvent] = Field(description="the latest 200, as of now")
    late_events_total: int
    restatement: Restatement | None = Field(description="as asked for last")


class ClosingsAsked(BaseModel):
    """Closings that were asked for."""

    items: list[JobAnswer]


class ClosedJourneys(BaseModel):
    """Journeys of a closing as they stood; `next` is the `after` of the next page."""

    items: list[dict[str, Any]]
    next: str | None
