"""Routes about jobs of the engine: one is asked for and answered at once, its result is fetched when done."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path
from pydantic import BaseModel

from throughline.collector.auth import Principal, Scope
from throughline.collector.control import ControlStore, Job
from throughline.dashboards.api.context import Context
from throughline.dashboards.api.json import Json
from throughline.dashboards.api.problems import Problem


def shown(job: Job) -> dict[str, Any]:
    """A job as the API shows it."""
    return {
        "id": job.id,
        "process": job.process,
        "state": job.state,
        "message": job.message,
        "requested_at": job.requested_at,
        "finished_at": job.finished_at,
        "result": json.loads(job.result) if job.result else None,
    }


@dataclass(frozen=True, slots=True)
class Jobs:
    """The jobs of one kind. `noun` is the path below `/api/v1`, `missing` what is said of an unknown id."""

    context: Context
    control: ControlStore
    kind: str
    noun: str
    missing: str = "Nobody asked for {}."
    shown: Callable[[Job], dict[str, Any]] = shown

    def asked(self, job: Job) -> Json:
        """The answer to whoever asked: 202, and where the job is told of."""
        headers = {"Location": f"/api/v1/{self.noun}/{job.id}"}
        return Json(self.shown(job), status_code=202, headers=headers)

    def one(self, principal: Principal, identity: str) -> Job:
        """A job of this kind and of the principal's tenant. Raises: Problem (404)."""
        job = self.control.job(identity)
        if job is None or (job.kind, job.tenant) != (self.kind, principal.tenant):
            raise Problem(404, "Not found", self.missing.format(identity))
        return job

    def told(self, routes: APIRouter, model: type[BaseModel], *, name: str, says: str) -> None:
        """Add the route that says how far a job is, and what came of it."""

        @routes.get(f"/{self.noun}/{{id}}", response_model=model, name=name, description=says)
        @self.context.threaded
        def fetch(
            principal: Annotated[Principal, Depends(self.context.principal(Scope.READ))],
            identity: Annotated[str, Path(alias="id", max_length=64)],
        ) -> Json:
            return Json(self.shown(self.one(principal, identity)))
