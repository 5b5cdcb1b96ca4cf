"""`/subscriptions`: who is told of what, and how that goes."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query

from throughline.collector.auth import Principal, Scope
from throughline.collector.control import ControlStore
from throughline.collector.secrets import MissingSecret
from throughline.correlator.outbound.outbound import attempt, sample
from throughline.correlator.outbound.outbox import Outbox
from throughline.correlator.outbound.subscriptions import Subscription
from throughline.dashboards.api.context import Context
from throughline.dashboards.api.json import Json
from throughline.dashboards.api.problems import Problem
from throughline.dashboards.api.subscription_models import (
    DeliveryList,
    Resumed,
    State,
    SubscriptionList,
    Tried,
)
from throughline.dashboards.subscribing import described, shown

Identity = Annotated[str, Path(max_length=100)]


def router(context: Context, control: ControlStore) -> APIRouter:
    """Return the routes."""
    routes = APIRouter(prefix="/subscriptions", tags=["subscriptions"])
    Reading = Annotated[Principal, Depends(context.principal(Scope.READ))]  # noqa: N806 - a type
    Operating = Annotated[Principal, Depends(context.principal(Scope.OPERATE))]  # noqa: N806 - a type

    def mine(principal: Principal) -> list[Subscription]:
        return [one for one in context.deps.subscriptions() if one.tenant == principal.tenant]

    def one_of(principal: Principal, identity: str) -> Subscription:
        found = next((one for one in mine(principal) if one.id == identity), None)
        if found is None:
            raise Problem(404, "Not found", f"There is no subscription {identity}.")
        return found

    @routes.get("", response_model=SubscriptionList)
    @context.threaded
    def list_subscriptions(principal: Reading) -> Json:
        """List the subscriptions, each with its last delivery, lag and failures."""
        now = context.deps.clock()
        return Json({"items": [described(one, Outbox(control), now) for one in mine(principal)]})

    @routes.get("/{subscription}/deliveries", response_model=DeliveryList)
    @context.threaded
    def list_deliveries(
        principal: Reading,
        subscription: Identity,
        state: Annotated[State | None, Query()] = None,
        limit: Annotated[int, Query(ge=1, le=500)] = 50,
    ) -> Json:
        """List the latest deliveries of a subscription, newest first."""
        found = Outbox(control).log(one_of(principal, subscription), state=state or "", limit=limit)
        return Json({"items": [shown(one) for one in found]})

    @routes.post("/{subscription}/resume", response_model=Resumed)
    @context.threaded
    def resume(principal: Operating, subscription: Identity) -> Json:
        """End a pause, and try again at once what failed or was given up."""
        again = Outbox(control).resume(one_of(principal, subscription), context.deps.clock())
        return Json({"waiting": again})

    @routes.post("/{subscription}/test", response_model=Tried)
    @context.threaded
    def test(principal: Operating, subscription: Identity) -> Json:
        """Send a sample, marked as a test, and say what came back."""
        one, now = one_of(principal, subscription), context.deps.clock()
        try:
            answer = attempt(one, sample(one, now), now)
        except MissingSecret as error:
            raise Problem(422, "Secret missing", str(error)) from error
        return Json({"accepted": answer.accepted, "status": answer.status, "answer": answer.text})

    return routes
