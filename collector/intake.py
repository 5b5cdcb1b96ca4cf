"""The one way in for every protocol: examine, append to the spool, acknowledge; and what refusals mean."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass, field

from throughline.collector.auth import Access, Forbidden, Principal, Scope
from throughline.collector.bodies import ClientGone, TooSlow
from throughline.collector.edge_metrics import EdgeMetrics
from throughline.collector.examine import Encoding, Examined, Task, examine
from throughline.collector.heavy import Heavy
from throughline.collector.limits import Budget, Busy, Hold, TooLarge
from throughline.collector.settings import EdgeSettings
from throughline.collector.spool import HOOKS, SpoolWriter
from throughline.probes.errors import IntakeError, InvalidRequest, SpoolBroken, SpoolFull, Unauthorized

SCARCE = 0.8  # of the spool: beyond, tenants over their share wait


class UnsupportedType(InvalidRequest):
    """The Content-Type or Content-Encoding is not one that this endpoint takes."""


class Draining(IntakeError):
    """The edge is stopping; send again shortly."""

    permanent = False


@dataclass(frozen=True, slots=True)
class Refusal:
    """How an error is told: HTTP status, google.rpc code, label, seconds until a retry makes sense."""

    status: int
    code: int
    reason: str
    retry_after: int | None = None


# Looked up along the error's class and its bases, first match wins.
REFUSALS: dict[type[BaseException], Refusal] = {
    UnsupportedType: Refusal(415, 3, "unsupported_type"),
    InvalidRequest: Refusal(400, 3, "invalid"),
    Forbidden: Refusal(403, 7, "forbidden"),
    Unauthorized: Refusal(401, 16, "unauthorized"),
    TooLarge: Refusal(413, 8, "too_large"),
    TooSlow: Refusal(408, 4, "too_slow"),
    ClientGone: Refusal(408, 1, "client_gone"),
    Busy: Refusal(429, 8, "busy", 1),
    SpoolFull: Refusal(503, 14, "spool_full", 5),
    SpoolBroken: Refusal(503, 14, "spool_broken", 30),
    Draining: Refusal(503, 14, "draining", 5),
    IntakeError: Refusal(503, 14, "unavailable", 5),
}


def refusal_of(error: IntakeError) -> Refusal:
    """Return how to tell an error to the client."""
    return next(REFUSALS[kind] for kind in type(error).__mro__ if kind in REFUSALS)


@dataclass(slots=True)
class Intake:
    """What the protocols share. The clock is unix nanoseconds."""

    settings: EdgeSettings
    access: Access
    writer: SpoolWriter
    budget: Budget
    heavy: Heavy
    metrics: EdgeMetrics
    executor: Executor  # decompresses large bodies
    clock: Callable[[], int] = field(default=time.time_ns)
    draining: bool = False

    def admit(self, authorization: str | None) -> Principal:
        """Return who is sending, before their body is read.

        Raises: Unauthorized, Draining, SpoolBroken, SpoolFull, Busy.
        """
        principal = self.access.authenticate(authorization)
        principal.require(Scope.INGEST)
        self.make_room(principal)
        return principal

    def make_room(self, principal: Principal) -> None:
        """Refuse a sender while there is no room for more of their tenant.

        Raises: Draining, SpoolBroken, SpoolFull, Busy.
        """
        if self.draining:
            raise Draining
        if self.writer.broken is not None:
            raise SpoolBroken(self.writer.broken)
        if self.writer.full:
            raise SpoolFull
        if self.writer.size > SCARCE * self.settings.spool_limit_bytes:
            tenants = {token.principal.tenant for token in self.access.tokens} or {principal.tenant}
            if self.writer.held_by(principal.tenant) > self.settings.spool_limit_bytes / len(tenants):
                raise Busy

    def hold(self, principal: Principal) -> Hold:
        """Return a context in which one request holds memory of its tenant's share."""
        return Hold(self.budget, principal.tenant)

    async def accept(self, principal: Principal, task: Task) -> int:
        """Examine a request and put it into the spool; return its items once it is synced.

        Raises: InvalidRequest, TooLarge, SpoolFull, SpoolBroken.
        """
        examined = await self._examine(task)
        if task.encoding is Encoding.JSON:
            self.metrics.slow_path.labels(task.signal, "json").inc()
        if examined.deep:
            self.metrics.slow_path.labels(task.signal, "deep").inc()
        await asyncio.wrap_future(
            self.writer.append(
                task.signal, principal.tenant, examined.items, examined.request, task.received_unix_nano
            )
        )
        self.metrics.requests.labels(principal.tenant, task.signal).inc()
        self.metrics.items.labels(principal.tenant, task.signal).inc(examined.items)
        self.metrics.seconds.labels(task.signal).observe((self.clock() - task.received_unix_nano) / 1e9)
        return examined.items

    async def keep_letter(self, principal: Principal, letter: bytes, received_unix_nano: int) -> None:
        """Put a webhook that could not be read into the spool, for the dead letters; return once synced.

        Raises: SpoolFull, SpoolBroken.
        """
        await asyncio.wrap_future(self.writer.append(HOOKS, principal.tenant, 1, letter, received_unix_nano))

    async def _examine(self, task: Task) -> Examined:
        quick = (
            self.settings.inline_bytes
            if task.encoding is Encoding.PROTOBUF
            else self.settings.inline_json_bytes
        )
        if len(task.body) <= quick:
            try:
                return examine(task)
            except MemoryError as error:
                raise TooLarge from error
        self.metrics.slow_path.labels(task.signal, "large").inc()
        return await self.heavy.examine(task)

    def refuse(self, signal: str, error: IntakeError) -> Refusal:
        """Count a refusal and return how to tell it."""
        refusal = refusal_of(error)
        self.metrics.refused.labels(signal, refusal.reason).inc()
        return refusal

    def trouble(self) -> str | None:
        """Return why intake takes nothing now, or None when ready."""
        if self.draining:
            return "draining"
        if self.writer.broken is not None:
            return self.writer.broken
        return "The spool is full." if self.writer.full else None
