"""What `/subscriptions` answers."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, Field

State = Literal["waiting", "delivered", "dead"]


class DeliveryAnswer(BaseModel):
    """One message to a subscriber, and how far it is."""

    id: str = Field(
        description="The id of the message, its webhook-id: of the transition, the same at each attempt."
    )
    type: str = Field(description="What happened, as milestone.met.")
    subject: str = Field(description="Id of the journey, or of the exception.")
    state: State = Field(description="dead: given up after the subscription's number of attempts.")
    attempts: int
    created_at: datetime
    next_at: datetime | None = Field(description="When it is tried next, if it waits.")
    last_at: datetime | None = Field(description="When it was tried last.")
    answer: str = Field(description="What the subscriber said last: status and the beginning of the body.")


class SubscriptionAnswer(BaseModel):
    """One subscription of subscriptions.yaml, and how it fares."""

    id: str
    url: str = Field(description="Without the query, which may hold a secret.")
    events: list[str]
    process: list[str]
    milestone: list[str]
    class_: list[str] = Field(alias="class", serialization_alias="class")
    severity: list[str]
    format: Literal["structured", "binary"]
    state: Literal["working", "failing", "paused", "new"]
    since: datetime | None = Field(description="When it was first seen; nothing older is told.")
    delivered_at: datetime | None = Field(description="Its last delivery that was taken.")
    lag_seconds: float = Field(description="Age of the oldest message that waits.")
    waiting: int
    delivered: int = Field(description="Of the last 30 days.")
    dead: int
    skipped: int = Field(description="Too old when they were noticed.")
    failures: int = Field(description="In a row, until now.")
    failing_since: datetime | None
    paused_until: datetime | None


class SubscriptionList(BaseModel):
    """The tenant's subscriptions."""

    items: list[SubscriptionAnswer]


class DeliveryList(BaseModel):
    """The latest deliveries, newest first."""

    items: list[DeliveryAnswer]


class Resumed(BaseModel):
    """What a resumed subscription is to be sent."""

    waiting: int


class Tried(BaseModel):
    """What came of a sample."""

    accepted: bool
    status: int = Field(description="0 if no answer came.")
    answer: str
