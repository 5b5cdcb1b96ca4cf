"""What every route shares: who asks, the clock, and a bounded pool of threads for the store's answers."""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Annotated, Any

import anyio
from fastapi import Header, Request

from throughline.collector.auth import Principal, Scope
from throughline.correlator.definition import Process
from throughline.dashboards.api.problems import Problem
from throughline.dashboards.deps import Deps
from throughline.dashboards.reader import Reader


class Context:
    """One per application."""

    def __init__(self, deps: Deps) -> None:
        self.deps = deps
        self._limiter = anyio.CapacityLimiter(deps.settings.api_threads)

    def principal(self, scope: Scope) -> Callable[..., Awaitable[Principal]]:
        """Return a dependency: the principal of the request, who must hold `scope`."""

        async def authenticated(
            request: Request, authorization: Annotated[str | None, Header(include_in_schema=False)] = None
        ) -> Principal:
            principal = self.deps.access().authenticate(authorization)
            principal.require(scope)
            request.state.tenant = principal.tenant
            return principal

        return authenticated

    def reader(self, principal: Principal, now: datetime | None = None) -> Reader:
        """Return a reader bound to the principal's tenant."""
        return Reader(self.deps.store, principal.tenant, now or self.deps.clock())

    def process(self, wanted: str) -> Process:
        """Return a process in use by its id. Raises: Problem (422)."""
        in_use = {process.id: process for process in self.deps.processes()}
        if wanted not in in_use:
            known = ", ".join(sorted(in_use))
            raise Problem(422, "Unknown process", f"No process is called {wanted}; there are {known}.")
        return in_use[wanted]

    def threaded(self, handler: Callable[..., Any]) -> Callable[..., Awaitable[Any]]:
        """Run a handler off the event loop; at most `api_threads` of them at once, whatever else uses
        threads.
        """

        @functools.wraps(handler)
        async def run(*args: Any, **kwargs: Any) -> Any:
            return await anyio.to_thread.run_sync(
                functools.partial(handler, *args, **kwargs), limiter=self._limiter
            )

        return run
