"""`/exceptions/causes`: one row for everything that fails for one reason."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query

from throughline.collector.auth import Principal, Scope
from throughline.correlator.routing import Class
from throughline.dashboards.api.context import Context
from throughline.dashboards.api.exception_models import CauseItem, CausePage
from throughline.dashboards.api.json import Json
from throughline.dashboards.reader import Row
from throughline.dashboards.triage import BASIS, Triage, TriageFilter

_OF_CAUSE = tuple(field.alias or name for name, field in CauseItem.model_fields.items() if name != "amounts")


def router(context: Context) -> APIRouter:
    """Return the route."""
    routes = APIRouter(tags=["exceptions"])

    @routes.get("/exceptions/causes", response_model=CausePage)
    @context.threaded
    def list_causes(
        principal: Annotated[Principal, Depends(context.principal(Scope.READ))],
        process: Annotated[str, Query(max_length=200)] = "",
        owner: Annotated[str, Query(max_length=200)] = "",
        class_: Annotated[Class | None, Query(alias="class")] = None,
        limit: Annotated[int, Query(ge=1, le=500)] = 100,
    ) -> Json:
        """List open exceptions by cause, most pressing first: what several processes see of it is one."""
        wanted = TriageFilter(process, owner, class_ or "")
        found = Triage(context.reader(principal)).causes(wanted, limit=limit)
        return Json({"items": [_cause(row) for row in found], "basis": BASIS})

    return routes


def _cause(row: Row) -> Row:
    """A cause as the API shows it."""
    shown = {name: row[name] for name in _OF_CAUSE}
    amounts = zip(row["currencies"], row["amounts"], strict=True)
    return {**shown, "blocking": bool(row["blocking"]), "amounts": dict(amounts)}
