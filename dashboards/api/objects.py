"""`/objects`: what each system says of an object, field by field."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query

from throughline.collector.auth import Principal, Scope
from throughline.dashboards.api.context import Context
from throughline.dashboards.api.journeys import key_of
from throughline.dashboards.api.json import Json
from throughline.dashboards.api.models import ObjectList


def router(context: Context) -> APIRouter:
    """Return the routes."""
    routes = APIRouter(tags=["objects"])

    @routes.get("/objects", response_model=ObjectList)
    @context.threaded
    def get_objects(
        principal: Annotated[Principal, Depends(context.principal(Scope.READ))],
        key: Annotated[str, Query(max_length=2000, description="namespace:value, under any alias")],
    ) -> Json:
        """Tell what each system says last of the fields of the object that a key names."""
        namespace, value = key_of(key)
        reader = context.reader(principal, context.deps.clock())
        items = reader.objects_named(namespace, value)
        links = context.deps.connections()
        return Json(
            {"items": [{**one, "records": links.records(principal.tenant, one["keys"])} for one in items]}
        )

    return routes
