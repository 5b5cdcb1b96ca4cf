"""`/exceptions/{id}/...`: what people do about an exception."""

from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, Depends, Path

from throughline.collector.auth import Principal, Scope
from throughline.collector.control import ControlStore
from throughline.dashboards.api.context import Context
from throughline.dashboards.api.exception_models import (
    Assign,
    Changed,
    Comment,
    ExceptionDetail,
    Reopen,
    Resolve,
    Snooze,
)
from throughline.dashboards.api.exceptions import detail
from throughline.dashboards.api.json import Json
from throughline.dashboards.api.problems import Problem
from throughline.dashboards.exception_desk import LONGEST_SNOOZE, Desk, NotAsSeen, UnknownException
from throughline.dashboards.reader import Row

Identity = Annotated[str, Path(alias="id", pattern="^[0-9a-f]{16}$")]


def router(context: Context, control: ControlStore) -> APIRouter:
    """Return the routes. Each answers with the exception as it is then."""
    conflict = {"model": Changed, "description": "It was changed meanwhile; `exception` is how it is now."}
    routes = APIRouter(prefix="/exceptions/{id}", tags=["exceptions"])
    Operating = Annotated[Principal, Depends(context.principal(Scope.OPERATE))]  # noqa: N806 - a type

    def done(principal: Principal, act: Callable[[Desk], Row]) -> Json:
        return _done(context, control, principal, act)

    @routes.post("/assign", response_model=ExceptionDetail, responses={409: conflict})
    @context.threaded
    def assign(principal: Operating, identity: Identity, request: Assign) -> Json:
        """Give it to a team, a person or both; this goes before routing and the milestone's owner."""
        owner, assignee, note = request.owner, request.assignee, request.note
        return done(
            principal,
            lambda desk: desk.assign(identity, request.revision, owner=owner, assignee=assignee, note=note),
        )

    @routes.post("/comments", response_model=ExceptionDetail)
    @context.threaded
    def comment(principal: Operating, identity: Identity, request: Comment) -> Json:
        """Say something about it. Comments never conflict."""
        return done(principal, lambda desk: desk.comment(identity, request.note))

    @routes.post("/snooze", response_model=ExceptionDetail, responses={409: conflict})
    @context.threaded
    def snooze(principal: Operating, identity: Identity, request: Snooze) -> Json:
        """Hide it from the open ones until a time. It goes on blocking its journey."""
        now = context.deps.clock()
        if not now < request.until <= now + LONGEST_SNOOZE:
            raise Problem(422, "Invalid request", "until must be ahead, by a year at most.")
        return done(
            principal,
            lambda desk: desk.snooze(identity, request.revision, until=request.until, note=request.note),
        )

    @routes.post("/resolve", response_model=ExceptionDetail, responses={409: conflict})
    @context.threaded
    def resolve(principal: Operating, identity: Identity, request: Resolve) -> Json:
        """Close it and say how it was dealt with; also of one that a success has resolved.

        A failure later than all that were known reopens it. Its journey follows the facts alone.
        """
        return done(
            principal,
            lambda desk: desk.close(identity, request.revision, reason=request.reason, note=request.note),
        )

    @routes.post("/reopen", response_model=ExceptionDetail, responses={409: conflict})
    @context.threaded
    def reopen(principal: Operating, identity: Identity, request: Reopen) -> Json:
        """End a snooze, or take a closing back."""
        return done(principal, lambda desk: desk.reopen(identity, request.revision, note=request.note))

    return routes


def _done(context: Context, control: ControlStore, principal: Principal, act: Callable[[Desk], Row]) -> Json:
    """Act, and answer with the exception as it is then.

    Raises: Problem (404, or 409 with the exception as it is now).
    """
    now = context.deps.clock()
    try:
        row = act(Desk(context.deps.store, control, principal, now))
    except UnknownException as error:
        raise Problem(404, "Not found", str(error)) from error
    except NotAsSeen as error:
        raise Problem(409, "Changed meanwhile", str(error), exception=error.present) from error
    return Json(detail(context.reader(principal, now), row))
