"""The shapes of `/replays` and `/targets`."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, Field, StringConstraints, model_validator

from throughline.dashboards.api.body import body

Kind = Literal["resubmit", "repair", "redrive", "rerun", "compensate", "fix_at_source", "dismiss"]
Text = Annotated[str, StringConstraints(strip_whitespace=True, max_length=10_000)]
ReplayState = Literal["awaiting_approval", "running", "paused", "done", "cancelled", "refused"]
ItemState = Literal[
    "planned", "awaiting_approval", "sent", "accepted", "verified", "unverified", "failed", "refused",
    "cancelled",
]  # fmt: skip


class ReplayRequest(BaseModel):
    """What to do again, and why. Name exceptions, or a fingerprint for all open ones of its cause."""

    model_config = body(fingerprint="91b2c3d4e5f60718", kind="rerun", target="n8n", reason="up")

    exceptions: list[Annotated[str, StringConstraints(pattern="^[0-9a-f]{16}$")]] = Field(
        default_factory=list, max_length=10_000
    )
    fingerprint: Annotated[str, StringConstraints(pattern="^([0-9a-f]{16})?$")] = ""
    kind: Kind
    target: Annotated[str, StringConstraints(max_length=200)] = Field(
        "", description="an id of `GET /targets`"
    )
    payload: Annotated[str, StringConstraints(max_length=1 << 20)] = Field("", description="of a repair")
    reason: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=10_000)]
    expected: Text = Field("", description="what is to change in the source, of a fix at source")
    override: bool = Field(default=False, description="go on in spite of red checks; needs the scope approve")
    dry_run: bool = False

    @model_validator(mode="after")
    def _one_choice(self) -> ReplayRequest:
        if bool(self.exceptions) == bool(self.fingerprint):
            raise ValueError("give either exceptions or fingerprint")
        return self


class Preflight(BaseModel):
    """One check, as one sentence."""

    check: str
    result: Literal["green", "amber", "red"]
    reason: str


class ReplayItem(BaseModel):
    """One exception of a replay."""

    item: int
    exception: str
    process: str
    state: ItemState
    outcome: str = Field(description="caused: the effect carries the replay's id; observed: it does not")
    uncertain: bool = Field(description="a call was made and nobody knows whether it worked: settle it")
    attempts: int
    sent_at: datetime | None
    verify_until: datetime | None
    verified_by: str = Field(description="id of the event that shows it, or empty")
    idempotency_key: str
    trace_id: str
    status: int = Field(description="HTTP status of the last answer, 0 without one")
    note: str
    preflight: list[Preflight]


class ReplaySummary(BaseModel):
    """A replay."""

    id: str
    kind: Kind
    target: str
    state: ReplayState
    reason: str
    expected: str
    requested_by: str
    requested_at: datetime
    need: Literal["none", "second_person", "approver"]
    expires_at: datetime | None
    approved_by: str
    approved_at: datetime | None
    override: bool
    note: str = Field(description="why it is as it is")
    counts: dict[str, int] = Field(description="items by state")


class ReplayTransition(BaseModel):
    """Something that became of a replay (item 0) or of an item."""

    item: int
    before: str
    state: str
    outcome: str
    at: datetime
    actor: str
    reason: str
    attempt: int


class ReplayDetail(ReplaySummary):
    """With its items and its history."""

    items: list[ReplayItem]
    history: list[ReplayTransition]


class ReplayAnswer(ReplaySummary):
    """What was planned: items, and how far it reaches. Of a dry run nothing is stored."""

    dry_run: bool
    items: list[ReplayItem]
    journeys: int
    amounts: dict[str, str] = Field(description="money touched, by currency")
    entities: list[str]
    diff: str = Field(description="of a repair: what the edit changes, as a unified diff")


class ReplayPage(BaseModel):
    """The latest replays, newest first."""

    items: list[ReplaySummary]


class Decision(BaseModel):
    """Why, if you like."""

    model_config = body(note="the target is mended")

    note: Text = ""


class Settle(Decision):
    """Whether the call arrived. If it did not, it is made again."""

    model_config = body(arrived=False, note="not in the ERP")

    arrived: bool


class TargetItem(BaseModel):
    """Where replays may go; secrets are never shown."""

    id: str
    title: str
    kinds: list[str]
    match: dict[str, list[str]]
    idempotent: bool
    finance: bool
    verify_within_seconds: int
    per_second: float
    broken: str = Field(description="why it is not called at the moment, or empty")


class TargetPage(BaseModel):
    """Every target."""

    items: list[TargetItem]
