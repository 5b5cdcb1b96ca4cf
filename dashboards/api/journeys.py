"""`/journeys`: list and look up journeys, and say why each event belongs."""

import re
from collections.abc import Callable, Iterable
from datetime import date, datetime
from functools import partial
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Path, Query

from throughline.collector.auth import Principal, Scope
from throughline.dashboards.api.context import Context
from throughline.dashboards.api.cursor import Cursor, decode, encode
from throughline.dashboards.api.json import Json
from throughline.dashboards.api.models import JourneyDetail, JourneyPage, Status
from throughline.dashboards.api.money import behind_of, converted, currency_of
from throughline.dashboards.api.money_models import Reference
from throughline.dashboards.api.problems import Problem
from throughline.dashboards.likely import likely, of
from throughline.dashboards.money import Internal, Money
from throughline.dashboards.outlook import Outlooks
from throughline.dashboards.reader import JourneyFilter, Position, Reader, Row, journey_id
from throughline.probes.vocabulary import PAYLOAD

_ID = re.compile(r"[0-9a-f]{16}")


async def asked_for(  # noqa: PLR0917 - FastAPI passes them by name
    process: Annotated[str, Query(max_length=200)] = "",
    status: Annotated[Status | None, Query()] = None,
    key: Annotated[str, Query(max_length=2000, description="namespace:value, under any alias")] = "",
    since: Annotated[datetime | None, Query(description="opened at or after")] = None,
    entity: Annotated[str, Query(max_length=200)] = "",
    region: Annotated[str, Query(max_length=200)] = "",
    customer: Annotated[str, Query(max_length=500)] = "",
    cycle: Annotated[str, Query(max_length=2000, description="whose billing period: namespace:value")] = "",
    period: Annotated[date | None, Query(description="the first day of the billing period")] = None,
    at_risk: Annotated[str, Query(max_length=500, description="behind a figure of /risk: by:name")] = "",
    reference: Annotated[Reference, Query(description="reference data of which day, for at_risk")] = "as_was",
    intercompany: Annotated[Internal, Query(description="of customers in the group")] = "",
    outlook: Annotated[Literal["likely_late"] | None, Query(description="how they are likely to end")] = None,
) -> JourneyFilter:
    """Return which journeys the parameters of a request mean."""
    return JourneyFilter(
        process=process,
        status=status or "",
        entity=entity,
        region=region,
        customer=customer,
        cycle=cycle,
        period=period.isoformat() if period else "",
        key=key_of(key) if key else None,
        since=_aware(since),
        behind=behind_of(at_risk, reference, intercompany),
        likely_late=outlook is not None,
    )


def router(context: Context) -> APIRouter:
    """Return the routes."""
    routes = APIRouter(tags=["journeys"])
    Reading = Annotated[Principal, Depends(context.principal(Scope.READ))]  # noqa: N806 - a type

    @routes.get("/journeys", response_model=JourneyPage)
    @context.threaded
    def list_journeys(
        principal: Reading,
        wanted: Annotated[JourneyFilter, Depends(asked_for)],
        limit: Annotated[int, Query(ge=1, le=500)] = 50,
        cursor: Annotated[str | None, Query()] = None,
        currency: Annotated[str, Query(max_length=3, description="ISO 4217: adds `converted`")] = "",
    ) -> Json:
        """List journeys, newest first. Pages stay right while data arrives: follow `next`."""
        found = _page(context, principal, wanted, limit=limit, cursor=cursor)
        for one in found["items"]:
            one["records"] = context.deps.connections().records(principal.tenant, one["keys"])
        if currency_of(currency):
            _convert(Money(context.deps.store, principal.tenant, context.deps.clock()), found, currency)
        return Json(found)

    @routes.get(
        "/journeys/{id}",
        response_model=JourneyDetail,
        responses={300: {"description": "The id was absorbed into several journeys."}},
    )
    @context.threaded
    def one_journey(principal: Reading, identity: Annotated[str, Path(alias="id", max_length=64)]) -> Json:
        """Return one journey with its events, why each belongs, and its exceptions."""
        now = context.deps.clock()
        outlooks = Outlooks(context.deps.store, context.deps.experience, principal.tenant, now)
        processes = {one.id: one for one in context.deps.processes()}

        def look(journey: Row) -> dict[str, Row]:
            return outlooks.of(processes.get(journey["Process"]), journey)

        limit = context.deps.settings.journey_events
        records = partial(context.deps.connections().records, principal.tenant)
        payloads = Scope.OPERATE in principal.scopes
        return _one(context.reader(principal, now), identity, look, records, limit=limit, payloads=payloads)

    return routes


def _page(
    context: Context, principal: Principal, wanted: JourneyFilter, *, limit: int, cursor: str | None
) -> Row:
    """Return one page, and where the next begins; every page is seen with the clock of the first."""
    filters = {"list": "journeys", "filter": repr(wanted)}
    now, after = context.deps.clock(), None
    if cursor is not None:
        place = decode(cursor, tenant=principal.tenant, filters=filters)
        now, after = place.as_of, Position(place.opened_at, int(place.last, 16))
    reader = context.reader(principal, now)
    outlooks = Outlooks(context.deps.store, context.deps.experience, principal.tenant, now)
    processes = {one.id: one for one in context.deps.processes()}
    known = likely(outlooks, of(wanted, processes.values())) if wanted.likely_late else None
    rows = reader.journeys(wanted, limit=limit + 1, after=after, likely=known)
    page, following = rows[:limit], None
    if len(rows) > limit:
        last = Cursor(now, page[-1]["OpenedAt"], page[-1]["Id"])
        following = encode(last, tenant=principal.tenant, filters=filters)
    keys = reader.keys([row["Root"] for row in page])
    items = [item(row, keys[row["Root"]]) for row in page]
    if wanted.likely_late:
        for row, one in zip(page, items, strict=True):
            _add(one, outlooks.of(processes.get(row["Process"]), row))
    return {"items": items, "next": following}


def _add(journey: Row, outlooks: dict[str, Row]) -> None:
    """Add outlooks to the milestones that they are of."""
    for name, outlook in outlooks.items():
        journey["milestones"][name] = {**journey["milestones"][name], "outlook": outlook}


def _convert(money: Money, page: Row, currency: str) -> None:
    """Add what each journey of a page is worth in a currency."""
    figures = money.journeys([int(one["id"], 16) for one in page["items"]], currency)
    for one in page["items"]:
        one["converted"] = converted(figures.get(one["id"]), currency)


def _one(
    reader: Reader,
    identity: str,
    look: Callable[[Row], dict[str, Row]],
    records: Callable[[Iterable[str]], dict[str, str]],
    *,
    limit: int,
    payloads: bool,
) -> Json:
    """Return a journey, the one that absorbed it, or the list of those that did."""
    if not _ID.fullmatch(identity):
        advice = "A journey's id is 16 hex digits; GET /api/v1/journeys?key= finds it by key."
        raise Problem(404, "Not found", advice)
    root = int(identity, 16)
    journey = reader.journey(root)
    if journey is None:
        roots = reader.absorbed_into(root)
        if len(roots) > 1:
            return Json({"absorbed_into": [journey_id(one) for one in roots]}, status_code=300)
        journey = reader.journey(roots[0]) if roots else None
    if journey is None:
        raise Problem(404, "Not found", f"There is no journey {identity}.")
    found = detail(reader, journey, limit=limit)
    if not payloads:
        found["events"] = [masked(one) for one in found["events"]]
    _add(found, look(journey))
    found["records"] = records([*found["keys"], *(key for one in found["events"] for key in one["keys"])])
    return Json(found)


def detail(reader: Reader, journey: Row, *, limit: int) -> Row:
    """Return a journey with everything about it."""
    root = journey["Root"]
    events, total = reader.events(root, limit=limit)
    return {
        **item(journey, reader.keys([root])[root]),
        "events": [event(row) for row in events],
        "events_total": total,
        "links": reader.links(root, events),
        "exceptions": reader.exceptions_of(root),
        "replays": [],
    }


def item(row: Row, keys: list[str]) -> Row:
    """Return a journey as lists show it."""
    return {
        "id": row["Id"],
        "process": row["Process"],
        "status": row["Status"],
        "opened_at": row["OpenedAt"],
        "last_event_at": row["LastEventAt"],
        "completed_at": row["CompletedAt"],
        "milestones": row["milestones"],
        "keys": keys,
        "amount": row["Amount"],
        "currency": row["Currency"],
        "entity": row["Entity"],
        "region": row["Region"],
        "customer": row["Customer"],
        "service_line": row["ServiceLine"],
        "exceptions": row["OpenExceptions"],
        "events_total": row["Events"],
        "orphan": bool(row["Orphan"]),
    }


def event(row: Row) -> Row:
    """Return an event of a journey."""
    return {
        "id": row["Id"],
        "time": row["Time"],
        "event": row["Event"],
        "system": row["System"],
        "platform": row["Platform"],
        "connection": row["Connection"],
        "service": row["ServiceName"],
        "keys": row["Names"],
        "status": "error" if row["Failed"] else "ok",
        "amount": row["Amount"],
        "currency": row["Currency"],
        "trace_id": row["TraceId"],
        "span_id": row["SpanId"],
        "replay_id": row["ReplayId"],
        "attributes": row["Attributes"],
    }


def masked(one: Row) -> Row:
    """An event without its payload; `payload_hidden` says that there is one."""
    attributes = {name: value for name, value in one["attributes"].items() if name != PAYLOAD}
    return {**one, "attributes": attributes, "payload_hidden": PAYLOAD in one["attributes"]}


def key_of(text: str) -> tuple[str, str]:
    """Return namespace and value of a key. Raises: Problem (400) when it is none."""
    namespace, colon, value = text.partition(":")
    if not colon or not namespace.strip() or not value.strip():
        raise Problem(
            400, "Bad key", "key must look like namespace:value, such as salesforce.opportunity:006A."
        )
    return namespace.strip(), value.strip()


def _aware(moment: datetime | None) -> datetime | None:
    if moment is not None and moment.tzinfo is None:
        raise Problem(400, "Bad time", "since needs a time zone: 2026-01-31T00:00:00Z")
    return moment
