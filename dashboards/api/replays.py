"""`/replays`: doing again what failed, and deciding about it; `/targets`: where."""

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query

from throughline.collector.auth import Principal, Scope
from throughline.collector.control import ControlStore
from throughline.correlator.replay.deciding import Decider, NotAsSeen, UnknownReplay
from throughline.correlator.replay.ledger import Ledger
from throughline.correlator.replay.planning import Asked, Plan, Planner, Refused
from throughline.correlator.replay.records import Item, Replay
from throughline.dashboards.api.context import Context
from throughline.dashboards.api.json import Json
from throughline.dashboards.api.problems import Problem
from throughline.dashboards.api.replay_models import (
    Decision,
    ReplayAnswer,
    ReplayDetail,
    ReplayPage,
    ReplayRequest,
    ReplayState,
    Settle,
    TargetPage,
)

Identity = Annotated[str, Path(alias="id", pattern="^rp[0-9a-f]{16}$")]
_NO_NOTE = Decision()
"""A decision needs no body."""


def router(context: Context, control: ControlStore) -> APIRouter:
    """Return the routes."""
    routes = APIRouter(tags=["replays"])
    ledger = Ledger(control)
    Reading = Annotated[Principal, Depends(context.principal(Scope.READ))]  # noqa: N806 - a type
    Operating = Annotated[Principal, Depends(context.principal(Scope.OPERATE))]  # noqa: N806 - a type

    @routes.get("/targets", response_model=TargetPage)
    @context.threaded
    def targets(principal: Reading) -> Json:  # noqa: ARG001 - whoever reads
        """List where replays may go."""
        found = context.deps.replay_rules().targets.targets
        return Json({"items": [_target(target, context.deps.broken_target(target.id)) for target in found]})

    @routes.post("/replays", response_model=ReplayAnswer, status_code=201)
    @context.threaded
    def ask(principal: Operating, request: ReplayRequest) -> Json:
        """Ask for a replay, or with `dry_run` what it would do. What is refused is stored with its reason."""
        rules = context.deps.replay_rules()
        planner = Planner(context.deps.store, control, rules, who=principal, now=context.deps.clock())
        asked = Asked(
            kind=request.kind,
            reason=request.reason,
            exceptions=tuple(dict.fromkeys(request.exceptions)),
            fingerprint=request.fingerprint,
            target=request.target,
            payload=request.payload,
            expected=request.expected,
            override=request.override,
        )
        try:
            broken = context.deps.broken_target(request.target)
            plan = planner.plan(asked, dry_run=request.dry_run, broken=broken)
        except Refused as error:
            raise Problem(422, "Refused", str(error)) from error
        headers = {"Location": f"/api/v1/replays/{plan.replay.id}"}
        return Json(
            _answer(plan, dry_run=request.dry_run),
            status_code=200 if request.dry_run else 201,
            headers={} if request.dry_run else headers,
        )

    @routes.get("/replays", response_model=ReplayPage)
    @context.threaded
    def list_replays(
        principal: Reading,
        state: Annotated[ReplayState | None, Query()] = None,
        before: Annotated[datetime | None, Query(description="requested before")] = None,
        limit: Annotated[int, Query(ge=1, le=500)] = 50,
    ) -> Json:
        """List replays, newest first."""
        found = ledger.replays(principal.tenant, state=state or "", limit=limit, before=before)
        return Json({"items": [_summary(one, ledger.counts(one)) for one in found]})

    routes.include_router(_one(context, control, ledger))
    return routes


def _one(context: Context, control: ControlStore, ledger: Ledger) -> APIRouter:
    """Looking at one replay, and deciding about it."""
    one = APIRouter(prefix="/replays/{id}")
    Reading = Annotated[Principal, Depends(context.principal(Scope.READ))]  # noqa: N806 - a type
    Operating = Annotated[Principal, Depends(context.principal(Scope.OPERATE))]  # noqa: N806 - a type

    @one.get("", response_model=ReplayDetail)
    @context.threaded
    def one_replay(principal: Reading, identity: Identity) -> Json:
        """Return a replay with its items and everything that became of them."""
        return Json(_detail(ledger, principal, identity))

    def decided(principal: Principal, identity: str, act: Callable[[Decider], Any]) -> Json:
        rules = context.deps.replay_rules()
        try:
            act(Decider(control, rules.targets, principal, context.deps.clock()))
        except UnknownReplay as error:
            raise Problem(404, "Not found", str(error)) from error
        except NotAsSeen as error:
            raise Problem(409, "Changed meanwhile", str(error)) from error
        except Refused as error:
            raise Problem(403, "Refused", str(error)) from error
        return Json(_detail(ledger, principal, identity))

    @one.post("/approve", response_model=ReplayDetail)
    @context.threaded
    def approve(principal: Reading, identity: Identity) -> Json:
        """Approve what was planned; never by the requester, and only while nothing has changed."""
        return decided(principal, identity, lambda decider: decider.approve(identity))

    @one.post("/cancel", response_model=ReplayDetail)
    @context.threaded
    def cancel(principal: Operating, identity: Identity, request: Decision = _NO_NOTE) -> Json:
        """End it: what was not sent is not."""
        return decided(principal, identity, lambda decider: decider.cancel(identity, request.note))

    @one.post("/pause", response_model=ReplayDetail)
    @context.threaded
    def pause(principal: Operating, identity: Identity, request: Decision = _NO_NOTE) -> Json:
        """Send nothing more until it is resumed."""
        return decided(principal, identity, lambda decider: decider.pause(identity, request.note))

    @one.post("/resume", response_model=ReplayDetail)
    @context.threaded
    def resume(principal: Operating, identity: Identity, request: Decision = _NO_NOTE) -> Json:
        """Go on with one that was paused, or that has stopped itself."""
        return decided(principal, identity, lambda decider: decider.resume(identity, request.note))

    @one.post("/items/{item}/settle", response_model=ReplayDetail)
    @context.threaded
    def settle(principal: Operating, identity: Identity, item: int, request: Settle) -> Json:
        """Say whether a call arrived that nobody knows of."""
        return decided(
            principal,
            identity,
            lambda decider: decider.settle(identity, item, arrived=request.arrived, note=request.note),
        )

    return one


def _detail(ledger: Ledger, principal: Principal, identity: str) -> dict[str, Any]:
    replay = ledger.replay(principal.tenant, identity)
    if replay is None:
        raise Problem(404, "Not found", f"There is no replay {identity}.")
    return {
        **_summary(replay, ledger.counts(replay)),
        "items": [_item(one) for one in ledger.items(replay)],
        "history": [
            {name: getattr(one, name) for name in _HISTORY}
            for one in ledger.history(principal.tenant, identity)
        ],
    }


def _answer(plan: Plan, *, dry_run: bool) -> dict[str, Any]:
    counts: dict[str, int] = {}
    for item in plan.items:
        counts[item.state] = counts.get(item.state, 0) + 1
    return {
        **_summary(plan.replay, counts),
        "dry_run": dry_run,
        "items": [_item(one) for one in plan.items],
        "journeys": plan.journeys,
        "amounts": {currency: str(amount) for currency, amount in plan.amounts.items()},
        "entities": list(plan.entities),
        "diff": plan.diff,
    }


def _summary(replay: Replay, counts: dict[str, int]) -> dict[str, Any]:
    return {**{name: getattr(replay, name) for name in _SUMMARY}, "counts": counts}


def _item(item: Item) -> dict[str, Any]:
    checks = [{"check": one.check, "result": one.result, "reason": one.reason} for one in item.checks]
    return {**{name: getattr(item, name) for name in _ITEM}, "preflight": checks}


def _target(target: Any, broken: str) -> dict[str, Any]:
    return {
        "id": target.id,
        "title": target.title,
        "kinds": list(target.kinds),
        "match": {name.rstrip("_"): list(values) for name, values in target.match if values},
        "idempotent": target.idempotent,
        "finance": target.finance,
        "verify_within_seconds": int(target.verify_within.total_seconds()),
        "per_second": float(target.per_second),
        "broken": broken,
    }


_SUMMARY = (
    "id", "kind", "target", "state", "reason", "expected", "requested_by", "requested_at", "need",
    "expires_at", "approved_by", "approved_at", "override", "note",
)  # fmt: skip
_ITEM = (
    "item", "exception", "process", "state", "outcome", "uncertain", "attempts", "sent_at", "verify_until",
    "verified_by", "idempotency_key", "trace_id", "status", "note",
)  # fmt: skip
_HISTORY = ("item", "before", "state", "outcome", "at", "actor", "reason", "attempt")
