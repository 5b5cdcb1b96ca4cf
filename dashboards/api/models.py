"""The shapes of the API, for its description."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from throughline.dashboards.api.body import sample
from throughline.dashboards.api.money_models import Converted

Status = Literal["in_flight", "late", "stuck", "completed", "dropped"]
ExceptionStatus = Literal["open", "pending", "snoozed", "resolved"]
CycleStatus = Literal["open", "closing", "late", "complete"]


class Calibration(BaseModel):
    """What became of journeys of which a share between `from` and `to` would have been said."""

    from_: float = Field(alias="from")
    to: float
    observed: float = Field(description="the share of them that was in time")
    predictions: int
    brier: float = Field(description="mean squared error of all predictions for this milestone")
    predictions_in_all: int


class Outlook(BaseModel):
    """Of comparable journeys that had waited as long, the share that was in time."""

    share: float
    in_time: int
    based_on: int
    group: str = Field(description="entity, region or process")
    likely_late: bool
    calibrated: Calibration | None
    known_at: datetime


class MilestoneState(BaseModel):
    """One milestone of one journey."""

    state: Literal["pending", "due", "late", "met", "met_late", "skipped", "unknown_start", "blind"]
    met_at: datetime | None
    last_at: datetime | None
    due_at: datetime | None
    count: int
    out_of_order: bool = Field(description="met before a milestone that stands earlier in the definition")
    outlook: Outlook | None = Field(
        None, description="while its clock runs: of one journey, and in lists of `outlook=`"
    )


class JourneyItem(BaseModel):
    """A journey as lists show it."""

    id: str
    process: str
    status: Status
    opened_at: datetime
    last_event_at: datetime
    completed_at: datetime | None
    milestones: dict[str, MilestoneState]
    keys: list[str]
    amount: float | None
    currency: str
    entity: str
    region: str
    customer: str
    service_line: str
    exceptions: int = Field(description="open ones")
    events_total: int
    orphan: bool = Field(description="its root names no parent on a level above")
    converted: Converted | None = Field(None, description="in the currency that was asked for")
    records: dict[str, str] = Field(description="where the records of keys open, by connections.yaml")


class CycleItem(BaseModel):
    """What was worked for an object in a billing period; amounts by currency, each object's once."""

    id: str
    process: str
    object: str = Field(description="namespace:value")
    first_day: date
    last_day: date
    cut_off_at: datetime
    status: CycleStatus
    journeys: int
    completed: int
    in_flight: int
    blocked: int = Field(description="by an exception, and not overdue")
    overdue: int = Field(description="past a due time")
    dropped: int
    amount: dict[str, float]
    completed_amount: dict[str, float]
    overdue_amount: dict[str, float]


class CyclePage(BaseModel):
    """A page of cycles; `next` asks for the one after it."""

    items: list[CycleItem]
    next: str | None


class FieldItem(BaseModel):
    """What one system says last of one field of an object; an empty value took it back."""

    name: str = Field(description="an attribute, or amount, currency, customer, entity, region, service_line")
    system: str
    value: str
    time: datetime
    event: str
    event_id: str


class ObjectItem(BaseModel):
    """An object as a process knows it."""

    process: str
    keys: list[str] = Field(description="every name of it, namespace:value")
    journeys: list[str]
    fields: list[FieldItem]
    records: dict[str, str] = Field(description="where the records of keys open, by connections.yaml")


class ObjectList(BaseModel):
    """The object of a key, once for each process that knows it."""

    items: list[ObjectItem]


class JourneyPage(BaseModel):
    """A page of journeys; `next` asks for the one after it."""

    items: list[JourneyItem]
    next: str | None


class JourneyEvent(BaseModel):
    """An event of a journey."""

    id: str
    time: datetime
    event: str
    system: str
    platform: str
    connection: str
    service: str
    keys: list[str]
    status: Literal["ok", "error"]
    amount: float | None
    currency: str
    trace_id: str
    span_id: str
    replay_id: str
    attributes: dict[str, str]
    payload_hidden: bool = Field(default=False, description="there is one, for whoever holds operate")


class LinkStep(BaseModel):
    """One parent link: which events say so, and by which rule."""

    child: str
    parent: str
    rule: Literal["own", "inherited", "explicit"]
    evidence: list[str]
    statements: int


class Because(BaseModel):
    """One way from an event's subject up to the root."""

    subject: str
    path: list[LinkStep]


class Link(BaseModel):
    """Why one event belongs."""

    event: str
    name: str
    because: list[Because]


class ExceptionItem(BaseModel):
    """An exception; its amount counts once, however many journeys it touches."""

    id: str
    journeys: list[str]
    process: str
    status: ExceptionStatus
    class_: str = Field(alias="class")
    code: str
    message: str
    fingerprint: str
    event: str
    milestone: str
    owner: str = Field(description="whoever it was assigned to, else by routing, else the milestone's")
    assignee: str
    severity: str
    runbook: str
    blocking: bool
    amount: float | None
    currency: str
    customer: str
    entity: str
    region: str
    service_line: str
    opened_at: datetime
    resolved_at: datetime | None
    first_seen: datetime
    last_seen: datetime
    occurrences: int
    snoozed_until: datetime | None
    failing: bool = Field(description="whatever people decided: no success yet, or the check does not hold")
    resolution: str = Field(description="the reason that somebody gave, or empty")
    resolved_by: str
    resolution_note: str
    revision: int = Field(description="of what people decided; give it back when you act")
    event_id: str = Field(description="of the latest failed event; empty for a check")


class ExceptionPage(BaseModel):
    """A page of exceptions."""

    items: list[ExceptionItem]
    next: str | None


class JourneyDetail(JourneyItem):
    """A journey with everything about it."""

    events: list[JourneyEvent]
    links: list[Link]
    exceptions: list[ExceptionItem]  # type: ignore[assignment]
    replays: list[dict[str, Any]]


class Counts(BaseModel):
    """Items per signal."""

    spans: int
    logs: int
    metrics: int
    events: int


class Unheard(BaseModel):
    """An event that cannot be heard now."""

    event: str
    since: datetime
    reason: str


class LinkRate(BaseModel):
    """Of the objects of a level, how many have a parent; of many objects a sample was looked at."""

    process: str
    level: list[str]
    objects: int
    linked: int
    rate: float
    sampled: float


class MappingCounts(BaseModel):
    """Rules that make events of telemetry of others."""

    rules: int
    quarantined: int
    events: int


class StatusAnswer(BaseModel):
    """How complete and how fresh everything is."""

    received: Counts
    stored: Counts
    spool_bytes: int
    correlated_until: datetime | None
    lag_seconds: float
    dead_letters: int
    hub_keys: int
    ambiguous_links: int
    detached: int
    looped: int
    unheard: list[Unheard]
    mappings: MappingCounts
    link_rates: list[LinkRate]


class MilestoneItem(BaseModel):
    """A milestone of a definition."""

    name: str
    event: str
    within: str | None
    of: str | None
    on_late: str
    optional: bool
    repeats: bool
    owner: str | None
    runbook: str | None


class ProcessItem(BaseModel):
    """A process definition, and the generation of it that readers see."""

    id: str
    version: int
    title: str
    owner: str | None
    levels: list[list[str]]
    milestones: list[MilestoneItem]
    completed_by: list[str]
    dropped_by: list[str]
    notices: list[str]
    generation: int | None
    activated_at: datetime | None
    rebuild_needed: bool


class ProcessPage(BaseModel):
    """All processes."""

    items: list[ProcessItem]


class QueryRequest(BaseModel):
    """One read-only SELECT."""

    model_config = ConfigDict(
        json_schema_extra=sample(sql="SELECT status, count() FROM journeys GROUP BY status")
    )

    sql: str = Field(min_length=1, max_length=50_000)


class QueryAnswer(BaseModel):
    """Rows in the order of the columns."""

    columns: list[str]
    rows: list[list[Any]]
    truncated: bool


class ProblemDocument(BaseModel):
    """RFC 9457."""

    type: str
    title: str
    status: int
    detail: str
