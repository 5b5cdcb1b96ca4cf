"""The shapes of what is asked of the engine and fetched when it is done: any job, and a backtest."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, Field

from throughline.dashboards.api.body import body
from throughline.dashboards.api.models import Status


class BacktestRequest(BaseModel):
    """Two definitions of one process, and a period."""

    model_config = body(process="opportunity-to-invoice", set=["paid.within=30d"], since="90d")

    process: str = Field(max_length=200)
    definition: str | None = Field(None, max_length=200_000, description="YAML; default: the one in use")
    set: list[str] = Field([], max_length=100, description="single fields changed: paid.within=30d")
    before: str | None = Field(None, max_length=200_000, description="YAML; default: the one in use")
    since: str | None = Field(None, max_length=50, description="90d, a date or a time; default: all")
    until: str | None = Field(None, max_length=50, description="only events before it count")


class BacktestSide(BaseModel):
    """One definition and its figures."""

    version: int
    definition: str = Field(description="hash")
    journeys: int
    statuses: dict[Status, int]
    milestones: dict[str, dict[str, Any]]


class BacktestResult(BaseModel):
    """Both sides, and what differs."""

    process: str
    since: datetime | None
    until: datetime
    before: BacktestSide
    after: BacktestSide
    changes: dict[str, Any]


class JobAnswer(BaseModel):
    """Something that was asked of the engine."""

    id: str
    process: str
    state: Literal["queued", "running", "done", "failed"]
    message: str
    requested_at: datetime
    finished_at: datetime | None


class BacktestAnswer(JobAnswer):
    """A backtest that was asked for."""

    result: BacktestResult | None
