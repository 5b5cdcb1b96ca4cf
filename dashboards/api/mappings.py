"""`/mappings` and `/key-suggestions`: rules for telemetry of others, tested and applied; ids in common."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path

from throughline.collector.auth import Principal, Scope
from throughline.collector.control import ControlStore, Job
from throughline.correlator.mapping import Mapping
from throughline.correlator.mapping_files import load_mapping
from throughline.correlator.mapping_store import MappingStore
from throughline.dashboards.api.backtests import shown
from throughline.dashboards.api.context import Context
from throughline.dashboards.api.json import Json
from throughline.dashboards.api.mapping_models import (
    ApplyAnswer,
    KeysRequest,
    MappingRequest,
    MappingRules,
    PreviewAnswer,
    SuggestAnswer,
)
from throughline.dashboards.api.problems import Problem
from throughline.dashboards.mapping_jobs import APPLY, SUGGEST, TEST, Asked
from throughline.dashboards.questions import moment
from throughline.dashboards.suggested import mapping_text
from throughline.probes.errors import ConfigurationError, DefinitionError


def router(context: Context, control: ControlStore) -> APIRouter:
    """Return the routes."""
    routes = APIRouter(tags=["mappings"])
    Reading = Annotated[Principal, Depends(context.principal(Scope.READ))]  # noqa: N806 - a type
    Operating = Annotated[Principal, Depends(context.principal(Scope.OPERATE))]  # noqa: N806 - a type
    asking = _Asking(context, control)

    @routes.get("/mappings", response_model=MappingRules)
    @context.threaded
    def rules(principal: Reading) -> Json:
        """List the mapping rules in force, what they made, and why one is quarantined."""
        states = MappingStore(context.deps.store).states(principal.tenant)
        items = [
            {
                "rule": one.rule, "mapping": one.mapping, "signal": one.signal, "revision": one.revision,
                "state": "quarantined" if one.quarantined else "active", "error": one.error,
                "failed_at": one.failed_at, "events": one.mapped, "last_at": one.last_at,
            }
            for one in states
        ]  # fmt: skip
        return Json({"items": items})

    @routes.post("/mappings/tests", response_model=PreviewAnswer, status_code=202)
    @context.threaded
    def test(principal: Operating, request: MappingRequest) -> Json:
        """Say what a mapping would make of stored telemetry; nothing is written.

        Answers at once; `GET /mappings/tests/{id}` has the result when `state` is `done`.
        """
        return asking.ask(TEST, principal, request.since, "mappings/tests", request.definition)

    @routes.get("/mappings/tests/{id}", response_model=PreviewAnswer)
    @context.threaded
    def tested(principal: Reading, identity: Annotated[str, Path(alias="id", max_length=64)]) -> Json:
        """Say how far a test is, and what came of it."""
        return Json(_shown(asking.job(TEST, principal, identity)))

    @routes.post("/mappings/applications", response_model=ApplyAnswer, status_code=202)
    @context.threaded
    def apply(principal: Operating, request: MappingRequest) -> Json:
        """Make the events of a mapping from stored telemetry; asked again it adds nothing."""
        return asking.ask(APPLY, principal, request.since, "mappings/applications", request.definition)

    @routes.get("/mappings/applications/{id}", response_model=ApplyAnswer)
    @context.threaded
    def applied(principal: Reading, identity: Annotated[str, Path(alias="id", max_length=64)]) -> Json:
        """Say how far it is, and what came of it."""
        return Json(_shown(asking.job(APPLY, principal, identity)))

    @routes.post("/key-suggestions", response_model=SuggestAnswer, status_code=202)
    @context.threaded
    def suggest(principal: Operating, request: KeysRequest) -> Json:
        """Look for attributes whose values are ids of another system."""
        return asking.ask(SUGGEST, principal, request.since, "key-suggestions")

    @routes.get("/key-suggestions/{id}", response_model=SuggestAnswer)
    @context.threaded
    def suggested(principal: Reading, identity: Annotated[str, Path(alias="id", max_length=64)]) -> Json:
        """Say how far it is, and what was found; `definition` is a mapping of it, YAML."""
        found = _shown(asking.job(SUGGEST, principal, identity))
        if found["result"]:
            found["result"]["definition"] = mapping_text(found["result"])
        return Json(found)

    return routes


class _Asking:
    """Jobs of the engine, as requests ask for them."""

    def __init__(self, context: Context, control: ControlStore) -> None:
        self._context = context
        self._control = control

    def ask(
        self, kind: str, principal: Principal, since: str, place: str, definition: str | None = None
    ) -> Json:
        """Enqueue a job. Raises: Problem (422) with every mistake."""
        now = self._context.deps.clock()
        try:
            mapping: Mapping | None = load_mapping(definition) if definition is not None else None
            asked = Asked(since=moment(since, now), mapping=mapping)
        except (ConfigurationError, DefinitionError) as error:
            raise Problem(422, "Not usable", str(error)) from error
        subject = mapping.mapping if mapping else ""
        job = self._control.enqueue_job(kind, principal.tenant, subject, now, payload=asked.text())
        return Json(_shown(job), status_code=202, headers={"Location": f"/api/v1/{place}/{job.id}"})

    def job(self, kind: str, principal: Principal, identity: str) -> Job:
        """A job of this kind and tenant. Raises: Problem (404)."""
        job = self._control.job(identity)
        if job is None or (job.kind, job.tenant) != (kind, principal.tenant):
            raise Problem(404, "Not found", f"Nobody asked for {identity}.")
        return job


def _shown(job: Job) -> dict[str, Any]:
    """A job as the API shows it."""
    found = shown(job)
    return {**found, "mapping": found.pop("process")}
