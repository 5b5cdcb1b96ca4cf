"""The shapes of `/links` and of `/journeys/{id}/graph`."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, Field, StringConstraints

from throughline.dashboards.api.body import body

State = Literal["linked", "unlinked", "undone"]
Key = Annotated[str, StringConstraints(strip_whitespace=True, min_length=3, max_length=1000)]


class LinkRequest(BaseModel):
    """What is to be said about two keys, and why. `undo` takes the last statement back."""

    model_config = body(
        action="link",
        parent="salesforce.opportunity:00D5e/006A1",
        child="certinia.project:a1B7",
        reason="a project without its opportunity",
    )

    action: Literal["link", "unlink", "undo"]
    parent: Key = Field(description="namespace:value of what stands nearer the root")
    child: Key = Field(description="namespace:value of what belongs to it")
    reason: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=2000)]
    new: bool = Field(default=False, description="also if no event has named one of them yet")


class Link(BaseModel):
    """One statement; `state` is that of the pair now."""

    parent: str
    child: str
    action: Literal["link.added", "link.removed", "link.undone"]
    state: State
    actor: str
    reason: str
    at: datetime


class LinkPage(BaseModel):
    """Statements, newest first."""

    items: list[Link]


class Node(BaseModel):
    """One object with all its keys; `level` counts from the root."""

    object: str
    name: str
    keys: list[str]
    level: int
    root: bool


class Evidence(BaseModel):
    """An event that says so; `actor` and `reason` where a person did."""

    event_id: str
    event: str
    time: datetime
    system: str
    actor: str
    reason: str


class Edge(BaseModel):
    """One link; the first five events that say so, of all `statements`."""

    parent: str
    child: str
    rule: Literal["own", "inherited", "explicit"]
    statements: int
    evidence: list[Evidence]


class KeyGraph(BaseModel):
    """How the objects of a journey hang together; `by_hand` is what people said about any of its keys."""

    nodes: list[Node]
    edges: list[Edge]
    by_hand: list[Link]
