"""`/waiting`: whose hands journeys are in, and for how much business time."""

from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Path, Query
from pydantic import BaseModel, Field

from throughline.collector.auth import Principal, Scope
from throughline.dashboards import waiting
from throughline.dashboards.api.context import Context
from throughline.dashboards.api.json import Json
from throughline.dashboards.api.problems import Problem
from throughline.dashboards.completeness import completeness

Kind = Literal["team", "system", "customer"]


class Held(BaseModel):
    """What one team, system or customer holds of the open journeys of a process."""

    process: str
    kind: Kind
    holder: str
    journeys: int = Field(description="open ones that it has held at any time")
    business_hours: float
    elapsed_hours: float
    holding: int = Field(description="those that it holds now")
    held_now_hours: float = Field(description="business hours since these came to it")
    oldest_since: datetime | None


class WaitingPage(BaseModel):
    """Who holds most first."""

    items: list[Held]
    basis: str
    as_of: datetime
    correlated_until: datetime | None


class Turn(BaseModel):
    """A stretch of a journey in one pair of hands; `now`: still."""

    kind: Kind
    holder: str
    milestone: str
    since: datetime
    until: datetime
    business_hours: float
    now: bool


class JourneyWaiting(BaseModel):
    """The whole journey without gaps."""

    items: list[Turn]
    basis: str
    as_of: datetime


def router(context: Context) -> APIRouter:
    """Return the routes."""
    routes = APIRouter(tags=["waiting"])
    Reading = Annotated[Principal, Depends(context.principal(Scope.READ))]  # noqa: N806 - a type

    @routes.get("/waiting", response_model=WaitingPage)
    @context.threaded
    def summed(principal: Reading, process: Annotated[str, Query(max_length=200)] = "") -> Json:
        """Return who holds the open journeys: teams, systems and customers, never persons."""
        deps, now = context.deps, context.deps.clock()
        wanted = [one for one in deps.processes() if process in {"", one.id}]
        if process and not wanted:
            raise Problem(404, "Not found", f"There is no process {process}.")
        known = completeness(deps.store, deps.spool, principal.tenant, now)
        return Json(
            {
                "items": waiting.of_open(context.reader(principal, now), wanted),
                "basis": waiting.BASIS,
                "as_of": now,
                "correlated_until": known["correlated_until"],
            }
        )

    @routes.get("/journeys/{id}/waiting", response_model=JourneyWaiting)
    @context.threaded
    def one(principal: Reading, identity: Annotated[str, Path(alias="id", pattern="^[0-9a-f]{16}$")]) -> Json:
        """Return in whose hands one journey was, turn by turn."""
        now = context.deps.clock()
        reader = context.reader(principal, now)
        journey = reader.journey(int(identity, 16))
        known = {one.id: one for one in context.deps.processes()}
        if journey is None or journey["Process"] not in known:
            raise Problem(404, "Not found", f"There is no journey {identity}.")
        items = waiting.of_journey(reader, known[journey["Process"]], journey["Root"])
        return Json({"items": items, "basis": waiting.BASIS, "as_of": now})

    return routes
