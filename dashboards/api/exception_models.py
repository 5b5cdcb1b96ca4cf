"""The shapes of `/exceptions/{id}` and of what may be done there."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints, model_validator

from throughline.dashboards.api.body import body
from throughline.dashboards.api.models import ExceptionItem, ProblemDocument
from throughline.dashboards.exception_desk import Resolution

TransitionKind = Literal[
    "opened", "resolved", "reopened", "gone", "owner_changed", "commented", "snoozed", "unsnoozed", "closed"
]
Name = Annotated[str, StringConstraints(strip_whitespace=True, max_length=200)]
Note = Annotated[str, StringConstraints(strip_whitespace=True, max_length=10_000)]


class Transition(BaseModel):
    """Something that became of an exception: when it was so, when it was noticed, by whom."""

    kind: TransitionKind
    at: datetime
    noticed_at: datetime
    by: str = Field(description="a token's name; correlator; clock for a snooze that ended")
    event: str = Field(description="id of the event that did it, or empty")
    owner: str
    assignee: str
    resolution: str
    note: str
    until: datetime | None


class Fix(BaseModel):
    """How some cases of a cause ended; texts are empty where nobody gave a reason."""

    resolution: str
    owner: str
    cases: int
    median_seconds: int
    held: int = Field(description="not seen again on the same object within 14 days")
    recurred: int
    too_early: int = Field(description="over for less than 14 days, not seen again so far")


class Memory(BaseModel):
    """Every case of the same fingerprint, this one among them."""

    seen: int
    open: int
    fixes: list[Fix]


class ExceptionDetail(ExceptionItem):
    """An exception with what became of it, and of others of the same cause."""

    history: list[Transition]
    memory: Memory


class CauseItem(BaseModel):
    """One failure of one kind of event, whichever processes see it; a check is of its own process.

    Texts and `fingerprint` are those of the latest exception, of a process with a milestone for the event if
    there is one.
    """

    fingerprint: str
    fingerprints: list[str] = Field(description="one of each process; `GET /exceptions?fingerprint=` lists")
    processes: list[str]
    event: str = Field(description="empty for a check")
    milestone: str
    class_: str = Field(alias="class")
    code: str
    message: str
    severity: Literal["low", "medium", "high", "critical"] = Field(description="the worst")
    blocking: bool
    runbook: str
    exceptions: int = Field(description="in all processes: one for each object that an event failed on")
    failures: int = Field(description="failed events, each once")
    occurrences: int = Field(description="how often they failed")
    journeys: int = Field(description="by distinct root object: those of several processes may share it")
    amounts: dict[str, float] = Field(description="of failed events, each once, by currency")
    owners: list[str]
    assignees: list[str]
    entities: list[str]
    since: datetime
    last_seen: datetime


class CausePage(BaseModel):
    """Causes of open exceptions, most pressing first."""

    items: list[CauseItem]
    basis: str = Field(description="what is counted once")


class Changed(ProblemDocument):
    """The exception is not in the state that the request was made on."""

    exception: ExceptionItem


class _Act(BaseModel):
    model_config = ConfigDict(extra="forbid")

    revision: int = Field(ge=0, description="the `revision` that was seen")
    note: Note = ""


class Assign(_Act):
    """Whose it is; what is left out stays, an empty text takes it away."""

    model_config = body(revision=0, owner="finance-operations")

    owner: Name | None = Field(None, description="a team")
    assignee: Name | None = Field(None, description="a person")

    @model_validator(mode="after")
    def _somebody(self) -> Assign:
        if self.owner is None and self.assignee is None:
            raise ValueError("give owner, assignee or both")
        return self


class Snooze(_Act):
    """Until when it is hidden from the open ones."""

    model_config = body(revision=0, until="2026-03-02T08:00:00Z")

    until: AwareDatetime = Field(description="with a zone, at most a year ahead")


class Resolve(_Act):
    """How it was dealt with."""

    model_config = body(revision=0, reason="fixed_at_source", note="tax code added")

    reason: Resolution

    @model_validator(mode="after")
    def _explained(self) -> Resolve:
        if self.reason == "other" and not self.note:
            raise ValueError("say in note what other means")
        return self


class Reopen(_Act):
    """Why, if you like."""

    model_config = body(revision=1)


class Comment(BaseModel):
    """What to say."""

    model_config = body(note="asked the vendor")

    note: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=10_000)]
