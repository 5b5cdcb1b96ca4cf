"""`/mappings` and `/key-suggestions`: rules for telemetry of others, tested and applied; ids in common."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends

from throughline.collector.auth import Principal, Scope
from throughline.collector.control import ControlStore, Job
from throughline.correlator.mapping import Mapping
from throughline.correlator.mapping_files import load_mapping
from throughline.correlator.mapping_store import MappingStore
from throughline.dashboards.api.context import Context
from throughline.dashboards.api.jobs import Jobs, shown
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

    @routes.get("/mappings", response_model=MappingRules)
    @context.threaded
    def rules(principal: Annotated[Principal, Depends(context.principal(Scope.READ))]) -> Json:
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

    _tests(routes, Jobs(context, control, TEST, "mappings/tests", shown=_shown))
    _applications(routes, Jobs(context, control, APPLY, "mappings/applications", shown=_shown))
    _suggestions(routes, Jobs(context, control, SUGGEST, "key-suggestions", shown=_with_mapping))
    return routes


def _tests(routes: APIRouter, jobs: Jobs) -> None:
    Operating = Annotated[Principal, Depends(jobs.context.principal(Scope.OPERATE))]  # noqa: N806 - a type

    @routes.post("/mappings/tests", response_model=PreviewAnswer, status_code=202)
    @jobs.context.threaded
    def test(principal: Operating, request: MappingRequest) -> Json:
        """Say what a mapping would make of stored telemetry; nothing is written.

        Answers at once; `GET /mappings/tests/{id}` has the result when `state` is `done`.
        """
        return _ask(jobs, principal, request.since, request.definition)

    jobs.told(routes, PreviewAnswer, name="tested", says="Say how far a test is, and what came of it.")


def _applications(routes: APIRouter, jobs: Jobs) -> None:
    Operating = Annotated[Principal, Depends(jobs.context.principal(Scope.OPERATE))]  # noqa: N806 - a type

    @routes.post("/mappings/applications", response_model=ApplyAnswer, status_code=202)
    @jobs.context.threaded
    def apply(principal: Operating, request: MappingRequest) -> Json:
        """Make the events of a mapping from stored telemetry; asked again it adds nothing."""
        return _ask(jobs, principal, request.since, request.definition)

    jobs.told(routes, ApplyAnswer, name="applied", says="Say how far it is, and what came of it.")


def _suggestions(routes: APIRouter, jobs: Jobs) -> None:
    Operating = Annotated[Principal, Depends(jobs.context.principal(Scope.OPERATE))]  # noqa: N806 - a type

    @routes.post("/key-suggestions", response_model=SuggestAnswer, status_code=202)
    @jobs.context.threaded
    def suggest(principal: Operating, request: KeysRequest) -> Json:
        """Look for attributes whose values are ids of another system."""
        return _ask(jobs, principal, request.since)

    said = "Say how far it is, and what was found; `definition` is a mapping of it, YAML."
    jobs.told(routes, SuggestAnswer, name="suggested", says=said)


def _ask(jobs: Jobs, principal: Principal, since: str, definition: str | None = None) -> Json:
    """Enqueue a job. Raises: Problem (422) with every mistake."""
    now = jobs.context.deps.clock()
    try:
        mapping: Mapping | None = load_mapping(definition) if definition is not None else None
        asked = Asked(since=moment(since, now), mapping=mapping)
    except (ConfigurationError, DefinitionError) as error:
        raise Problem(422, "Not usable", str(error)) from error
    subject = mapping.mapping if mapping else ""
    return jobs.asked(
        jobs.control.enqueue_job(jobs.kind, principal.tenant, subject, now, payload=asked.text())
    )


def _shown(job: Job) -> dict[str, Any]:
    """A job as the API shows it; what it is about is a mapping."""
    found = shown(job)
    return {**found, "mapping": found.pop("process")}


def _with_mapping(job: Job) -> dict[str, Any]:
    """What was found, with a mapping to make of it."""
    found = _shown(job)
    if found["result"]:
        found["result"]["definition"] = mapping_text(found["result"])
    return found
