"""What people do about alerts, silences, and the channels that tell people."""

import dataclasses
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Response

from throughline.collector.auth import Principal, Scope
from throughline.collector.control import ControlStore
from throughline.correlator.notify.alertmanager import AlertmanagerFailed
from throughline.correlator.notify.channels import AnyChannel
from throughline.correlator.notify.ledger import Episode, Ledger
from throughline.correlator.notify.matching import read_matcher
from throughline.correlator.notify.routing import Silence
from throughline.dashboards.alert_desk import AlertDesk, NoSuchAlert, described, tried
from throughline.dashboards.api.alert_act_models import (
    AskAcknowledge,
    AskFeedback,
    AskSilence,
    AttemptList,
    ChannelList,
    EpisodeAnswer,
    JourneysBehind,
    SilenceAnswer,
    SilenceList,
    Tested,
)
from throughline.dashboards.api.context import Context
from throughline.dashboards.api.json import Json
from throughline.dashboards.api.problems import Problem

Identity = Annotated[str, Path(max_length=100)]
_SHOWN = tuple(EpisodeAnswer.model_fields)


def router(context: Context, control: ControlStore) -> APIRouter:
    """Return the routes."""
    routes = APIRouter(tags=["alerts"])
    Reading = Annotated[Principal, Depends(context.principal(Scope.READ))]  # noqa: N806 - a type
    Operating = Annotated[Principal, Depends(context.principal(Scope.OPERATE))]  # noqa: N806 - a type

    def desk(principal: Principal) -> AlertDesk:
        return AlertDesk(context.deps, control, principal, context.deps.clock())

    @routes.post("/alerts/acknowledge", response_model=EpisodeAnswer)
    @context.threaded
    def acknowledge(principal: Operating, asked: AskAcknowledge) -> Json:
        """Say that somebody is at an alert: it is not told again until it ends."""
        return _episode(lambda: desk(principal).acknowledge(asked.rule, asked.fingerprint, asked.note))

    @routes.post("/alerts/feedback", response_model=EpisodeAnswer)
    @context.threaded
    def feedback(principal: Operating, asked: AskFeedback) -> Json:
        """Say whether an alert was useful or noise; counted per rule."""
        return _episode(lambda: desk(principal).judge(asked.rule, asked.fingerprint, useful=asked.useful))

    @routes.get("/alerts/journeys", response_model=JourneysBehind)
    @context.threaded
    def journeys(principal: Reading, rule: str, fingerprint: str) -> Json:
        """List the journeys behind an alert now, up to 100."""
        try:
            found = desk(principal).behind(rule, fingerprint)
        except NoSuchAlert as error:
            raise Problem(404, "Not found", str(error)) from error
        return Json({"known": found is not None, "items": found or []})

    _silences(routes, context, desk)
    _channels(routes, context, control)
    return routes


def _silences(routes: APIRouter, context: Context, desk: Callable[[Principal], AlertDesk]) -> None:
    Reading = Annotated[Principal, Depends(context.principal(Scope.READ))]  # noqa: N806 - a type
    Operating = Annotated[Principal, Depends(context.principal(Scope.OPERATE))]  # noqa: N806 - a type

    @routes.get("/silences", response_model=SilenceList)
    @context.threaded
    def silences(principal: Reading) -> Json:
        """List silences that are not over; with an Alertmanager, its own."""
        return Json({"items": [_silence(one) for one in desk(principal).silences()]})

    @routes.post("/silences", response_model=SilenceAnswer, status_code=201)
    @context.threaded
    def silence(principal: Operating, asked: AskSilence) -> Json:
        """Begin a silence."""
        now = context.deps.clock()
        begins, ends = _aware(asked.starts_at or now), _aware(asked.ends_at)
        if ends <= max(begins, now):
            raise Problem(422, "Invalid request", "ends_at must be later than now, and than starts_at.")
        try:
            matchers = tuple(read_matcher(one) for one in asked.matchers)
            made = desk(principal).silence(matchers, begins, ends, asked.comment)
        except ValueError as error:
            raise Problem(422, "Invalid request", str(error)) from error
        except AlertmanagerFailed as error:
            raise Problem(503, "Alertmanager failed", str(error)) from error
        return Json(_silence(made), status_code=201)

    @routes.delete("/silences/{silence}", status_code=204)
    @context.threaded
    def expire(principal: Operating, silence: Identity) -> Response:
        """End a silence now."""
        try:
            there = desk(principal).expire(silence)
        except AlertmanagerFailed as error:
            raise Problem(503, "Alertmanager failed", str(error)) from error
        if not there:
            raise Problem(404, "Not found", f"There is no silence {silence}, or it is over.")
        return Response(status_code=204)


def _channels(routes: APIRouter, context: Context, control: ControlStore) -> None:
    Reading = Annotated[Principal, Depends(context.principal(Scope.READ))]  # noqa: N806 - a type
    Operating = Annotated[Principal, Depends(context.principal(Scope.OPERATE))]  # noqa: N806 - a type

    def one_of(principal: Principal, identity: str) -> AnyChannel:
        mine = context.deps.channels().of(principal.tenant)
        found = next((one for one in mine if one.id == identity), None)
        if found is None:
            raise Problem(404, "Not found", f"There is no channel {identity} in channels.yaml.")
        return found

    @routes.get("/channels", response_model=ChannelList)
    @context.threaded
    def channels(principal: Reading) -> Json:
        """List the channels that tell people of alerts, and how each fares."""
        mine = context.deps.channels().of(principal.tenant)
        return Json({"items": [described(one, Ledger(control)) for one in mine]})

    @routes.get("/channels/{channel}/log", response_model=AttemptList)
    @context.threaded
    def log(principal: Reading, channel: Identity, limit: Annotated[int, Query(ge=1, le=500)] = 50) -> Json:
        """List the latest attempts of a channel, newest first."""
        one = one_of(principal, channel)
        return Json({"items": Ledger(control).log(one.tenant, one.id, limit)})

    @routes.post("/channels/{channel}/test", response_model=Tested)
    @context.threaded
    def test(principal: Operating, channel: Identity) -> Json:
        """Tell a channel about a test, and say what it answered."""
        outcome = tried(one_of(principal, channel), context.deps.public_url, context.deps.clock())
        return Json({"accepted": outcome.accepted, "answer": outcome.text})


def _episode(act: Any) -> Json:
    try:
        one: Episode = act()
    except NoSuchAlert as error:
        raise Problem(404, "Not found", str(error)) from error
    return Json({name: getattr(one, name) for name in _SHOWN})


def _silence(one: Silence) -> dict[str, Any]:
    return {**dataclasses.asdict(one), "matchers": [str(each) for each in one.matchers]}


def _aware(at: datetime) -> datetime:
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at
