"""What the API says about mappings and suggested keys."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, Field

from throughline.dashboards.api.body import body

State = Literal["queued", "running", "done", "failed"]
_MAPPING = """mapping: shop
rules:
  - name: order-placed
    match: {service: shop-api, name: {glob: "POST /orders*"}}
    set: {event: order.placed, keys: {shop.order: "EU/{order.id}"}}
"""


class MappingRule(BaseModel):
    """A rule in force, and how it does; `error` and `failed_at` if it is quarantined."""

    rule: str
    mapping: str
    signal: Literal["spans", "logs"]
    revision: int
    state: Literal["active", "quarantined"]
    error: str
    failed_at: datetime | None
    events: int
    last_at: datetime | None


class MappingRules(BaseModel):
    """All rules, in the order in which they count."""

    items: list[MappingRule]


class MappingRequest(BaseModel):
    """A mapping and since when."""

    model_config = body(definition=_MAPPING, since="7d")

    definition: str = Field(max_length=200_000, description="the mapping file's content, YAML")
    since: str = Field(max_length=50, description="7d, a date or a time")


class KeysRequest(BaseModel):
    """Since when."""

    model_config = body(since="30d")

    since: str = Field("90d", max_length=50, description="90d, a date or a time")


class MappingSample(BaseModel):
    """A row before and after."""

    trace_id: str
    span_id: str
    service: str
    name: str
    before: dict[str, str]
    after: dict[str, str]


class SimilarName(BaseModel):
    """What does not match, and was perhaps meant."""

    service: str
    name: str
    rows: int


class RulePreview(BaseModel):
    """What a rule would make of stored telemetry."""

    rule: str
    signal: Literal["spans", "logs"]
    matched: int
    taken_by_earlier_rules: int
    events: int
    evidence: int
    without_keys: int
    with_own_attributes: int
    samples: list[MappingSample]
    similar: list[SimilarName]


class PreviewResult(BaseModel):
    """What a mapping would make of stored telemetry."""

    mapping: str
    since: datetime
    rules: list[RulePreview]


class ApplyResult(BaseModel):
    """How many events each rule has made newly."""

    mapping: str
    since: datetime
    events: dict[str, int]


class IdPlace(BaseModel):
    """Where ids stand."""

    source: Literal["spans", "logs", "keys"]
    service: str
    name: str
    distinct: int
    rows: int
    unique: float
    prefix: str | None


class SuggestedJoin(BaseModel):
    """Two places that carry the same ids; `left` has them first."""

    left: IdPlace
    right: IdPlace
    shared: int
    left_rate: float
    right_rate: float
    order_correlation: float | None
    samples: list[str]


class SuggestedObject(BaseModel):
    """Places that all carry ids of one kind of object."""

    namespace: str
    known: bool
    places: list[IdPlace]


class SuggestResult(BaseModel):
    """The joins found, and the mapping to make of them."""

    since: datetime
    sampled_one_in: int
    columns: int
    suggestions: list[SuggestedJoin]
    objects: list[SuggestedObject]
    definition: str


class _Asked(BaseModel):
    id: str
    mapping: str
    state: State
    message: str
    requested_at: datetime
    finished_at: datetime | None


class PreviewAnswer(_Asked):
    """A test that was asked for."""

    result: PreviewResult | None


class ApplyAnswer(_Asked):
    """An application backwards that was asked for."""

    result: ApplyResult | None


class SuggestAnswer(_Asked):
    """A look for keys that was asked for."""

    result: SuggestResult | None
