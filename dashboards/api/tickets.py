"""`/tickets`: one for each cause, in Jira or ServiceNow."""

from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, Field, StringConstraints

from throughline.collector.auth import Principal, Scope
from throughline.collector.control import ControlStore
from throughline.correlator.tickets.desk import causes
from throughline.correlator.tickets.ledger import Ticket, TicketLedger
from throughline.dashboards.api.body import body
from throughline.dashboards.api.context import Context
from throughline.dashboards.api.json import Json
from throughline.dashboards.api.problems import Problem

State = Literal["wanted", "open", "closed", "failed"]
Fingerprint = Annotated[str, StringConstraints(pattern="^[0-9a-f]{16}$")]


class TicketRequest(BaseModel):
    """Which cause gets a ticket, and where."""

    model_config = body(fingerprint="91b2c3d4e5f60718", place="jira", reason="for the vendor")

    fingerprint: Fingerprint
    place: Annotated[str, StringConstraints(min_length=1, max_length=200)] = Field(
        description="an id of tickets.yaml"
    )
    reason: Annotated[str, StringConstraints(strip_whitespace=True, max_length=2000)] = ""


class TicketItem(BaseModel):
    """The ticket of one cause at one place; `status` and `done` are what the other system says."""

    fingerprint: str
    place: str
    state: State
    ticket: str
    url: str
    status: str
    done: bool
    requested_by: str
    requested_at: datetime
    note: str


class TicketPage(BaseModel):
    """The latest tickets, and where more can be opened."""

    items: list[TicketItem]
    places: list[str]


def router(context: Context, control: ControlStore) -> APIRouter:
    """Return the routes."""
    routes = APIRouter(tags=["tickets"])
    ledger = TicketLedger(control)
    Reading = Annotated[Principal, Depends(context.principal(Scope.READ))]  # noqa: N806 - a type
    Operating = Annotated[Principal, Depends(context.principal(Scope.OPERATE))]  # noqa: N806 - a type

    @routes.get("/tickets", response_model=TicketPage)
    @context.threaded
    def listed(
        principal: Reading,
        fingerprint: Annotated[str, Query(pattern="^[0-9a-f]{16}$|^$")] = "",
        state: Annotated[State | None, Query()] = None,
        limit: Annotated[int, Query(ge=1, le=500)] = 100,
    ) -> Json:
        """List tickets, the latest first."""
        found = ledger.listed(principal.tenant, fingerprint=fingerprint, state=state or "", limit=limit)
        return Json({"items": [shown(one) for one in found], "places": places_of(context, principal)})

    @routes.post("/tickets", response_model=TicketItem, status_code=202)
    @context.threaded
    def want(principal: Operating, request: TicketRequest) -> Json:
        """Ask for a ticket; it is opened within seconds. One that there is already is returned."""
        known = places_of(context, principal)
        if request.place not in known:
            listed = ", ".join(known) or "none; write tickets.yaml"
            raise Problem(422, "Refused", f"There is no place '{request.place}'; known are {listed}.")
        now = context.deps.clock()
        cause = causes(context.deps.store, principal.tenant, now, request.fingerprint)
        if not cause:
            raise Problem(422, "Refused", f"No exception with the fingerprint {request.fingerprint} is open.")
        ticket = ledger.want(
            principal.tenant,
            request.place,
            request.fingerprint,
            also=cause[0]["fingerprints"],
            actor=principal.name,
            reason=request.reason or "Asked for.",
            now=now,
        )
        return Json(shown(ticket), status_code=202)

    return routes


def places_of(context: Context, principal: Principal) -> list[str]:
    """Where tickets of a tenant may be opened."""
    return [one.id for one in context.deps.places().tickets if one.serves(principal.tenant)]


def shown(ticket: Ticket) -> dict[str, Any]:
    """A ticket as the API shows it."""
    return {name: value for name, value in asdict(ticket).items() if name in TicketItem.model_fields}
