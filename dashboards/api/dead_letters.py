"""`/dead-letters`: what was acknowledged and could not be stored; webhooks are read again after a fix."""

from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query

from throughline.collector.auth import Principal, Scope
from throughline.collector.hook_letters import AFTER_ALL, LAST_ID, DeadLetters
from throughline.dashboards.api.context import Context
from throughline.dashboards.api.cursor import Cursor, decode, encode
from throughline.dashboards.api.dead_letter_models import (
    DeadLetterDetail,
    DeadLetterPage,
    LetterState,
    RetryAnswer,
    RetryRequest,
)
from throughline.dashboards.api.json import Json
from throughline.dashboards.api.problems import Problem

MOST_AT_ONCE = 1_000
_HALF = 16
"""Digits of the upper half of an id."""


async def asked_for(
    state: Annotated[LetterState | None, Query(description="open: failed ones too")] = None,
    reason: Annotated[str, Query(max_length=40)] = "",
    connection: Annotated[str, Query(max_length=64)] = "",
) -> dict[str, str]:
    """Return which letters the parameters of a request mean."""
    return {"state": state or "", "reason": reason, "connection": connection}


def router(context: Context) -> APIRouter:
    """Return the routes."""
    routes = APIRouter(tags=["dead letters"])
    Reading = Annotated[Principal, Depends(context.principal(Scope.READ))]  # noqa: N806 - a type
    Operating = Annotated[Principal, Depends(context.principal(Scope.OPERATE))]  # noqa: N806 - a type

    def letters_of(principal: Principal) -> DeadLetters:
        kept = context.deps.settings.hook_payload_bytes
        return DeadLetters(context.deps.store, principal.tenant, payload_bytes=kept)

    @routes.get("/dead-letters", response_model=DeadLetterPage)
    @context.threaded
    def listed(
        principal: Reading,
        wanted: Annotated[dict[str, str], Depends(asked_for)],
        limit: Annotated[int, Query(ge=1, le=500)] = 50,
        cursor: Annotated[str | None, Query()] = None,
    ) -> Json:
        """List dead letters, newest first."""
        filters = {"list": "dead-letters", **wanted}
        place = decode(cursor, tenant=principal.tenant, filters=filters) if cursor is not None else None
        before = (place.opened_at, int(place.last, 16)) if place else (AFTER_ALL, LAST_ID)
        rows = letters_of(principal).listed(limit=limit + 1, before=before, **wanted)
        page, following = rows[:limit], None
        if len(rows) > limit:
            last = Cursor(context.deps.clock(), page[-1]["received_at"], page[-1]["id"][:_HALF])
            following = encode(last, tenant=principal.tenant, filters=filters)
        return Json({"items": page, "next": following})

    @routes.get("/dead-letters/{id}", response_model=DeadLetterDetail)
    @context.threaded
    def one(
        principal: Reading, identity: Annotated[str, Path(alias="id", pattern=r"^[0-9a-f]{32}$")]
    ) -> Json:
        """Return a dead letter whole, and the tries to read it again."""
        found = letters_of(principal).one(identity)
        if found is None:
            raise Problem(404, "Not found", f"There is no dead letter {identity}.")
        return Json({name: value for name, value in found.items() if name != "received_micro"})

    @routes.post("/dead-letters/retry", response_model=RetryAnswer)
    @context.threaded
    def retry(principal: Operating, request: RetryRequest) -> Json:
        """Read webhooks again with the code and the connections of now. Repeats are harmless.

        Of `all` at most 1,000 are read at once, the oldest first: ask again until none is left.
        """
        letters = letters_of(principal)
        chosen = request.ids
        if request.all:
            chosen = letters.open_of(request.connection, MOST_AT_ONCE)
        elif not chosen:
            raise Problem(400, "Which ones?", "Name `ids`, or say `all`.")
        found = letters.retry(
            chosen, context.deps.connections(), actor=principal.name, now=context.deps.clock()
        )
        return Json({"items": [asdict(one) for one in found]})

    return routes
