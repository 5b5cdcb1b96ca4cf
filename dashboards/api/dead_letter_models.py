"""What `/dead-letters` takes and answers."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, Field

from throughline.dashboards.api.body import body

LetterState = Literal["open", "failed", "stored"]
LetterId = Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]


class DeadLetter(BaseModel):
    """Something that was acknowledged and could not be stored."""

    id: str
    received_at: datetime
    signal: str
    reason: str = Field(description="unreadable (a webhook), timestamp, poison or corrupt")
    detail: str
    items: int
    bytes: int
    platform: str
    connection: str
    state: LetterState = Field(description="open; failed: open, tried again in vain; stored: read again")
    tries: int
    tried_at: datetime | None
    retry_detail: str


class DeadLetterPage(BaseModel):
    """A page of dead letters; `next` asks for the one after it."""

    items: list[DeadLetter]
    next: str | None


class LetterTry(BaseModel):
    """One try to read a letter again."""

    at: datetime
    outcome: Literal["stored", "failed"]
    events: int
    detail: str
    actor: str


class DeadLetterDetail(BaseModel):
    """A dead letter whole."""

    id: str
    received_at: datetime
    signal: str
    reason: str
    detail: str
    body: str = Field(description="a webhook as JSON, a row as JSON, other bytes in base64")
    tries: list[LetterTry]


class RetryRequest(BaseModel):
    """Which webhooks to read again: some, or all that are open, of one connection or of all."""

    model_config = body(all=True, connection="hubspot-eu")

    ids: list[LetterId] = Field(default_factory=list, max_length=1_000)
    connection: str = Field("", max_length=64)
    all: bool = False


class RetriedLetter(BaseModel):
    """What came of one letter."""

    id: str
    outcome: Literal["stored", "failed", "refused"]
    events: int
    detail: str


class RetryAnswer(BaseModel):
    """What came of each letter."""

    items: list[RetriedLetter]
