"""OTLP/gRPC: the three Export services, on raw bytes.

The methods are registered as client-streaming: on the wire a unary call is a stream of one message, and so
the token and the memory are settled before the message is read.
Source: https://opentelemetry.io/docs/specs/otlp/#otlpgrpc
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, NoReturn

import grpc
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status

from throughline.collector.bodies import TooSlow
from throughline.collector.examine import Encoding, Task
from throughline.collector.intake import Intake
from throughline.collector.limits import Busy
from throughline.collector.otlp_messages import OTLP, Signal
from throughline.probes.errors import IntakeError, InvalidRequest

READS = 8  # messages being received at a time: each may grow to the largest body before we know its size
READS_PER_TENANT = 4
READ_TURN_SECONDS = 2.0
EXPECTED_BYTES = 4 * 1024 * 1024  # held while a message of unknown size arrives
CODES = {code.value[0]: code for code in grpc.StatusCode}

Handler = Callable[[AsyncIterator[bytes], Any], Awaitable[bytes]]


class Reads:
    """Turns at receiving a message, so that memory outside of the budget stays bounded."""

    def __init__(self) -> None:
        """All turns are free."""
        self._free = READS
        self._by_tenant: dict[str, int] = {}
        self._changed = asyncio.Condition()

    @asynccontextmanager
    async def turn(self, tenant: str) -> AsyncIterator[None]:
        """Wait briefly for a turn. Raises: Busy."""
        async with self._changed:
            try:
                async with asyncio.timeout(READ_TURN_SECONDS):
                    await self._changed.wait_for(lambda: self._may(tenant))
            except TimeoutError as error:
                raise Busy from error
            self._free -= 1
            self._by_tenant[tenant] = self._by_tenant.get(tenant, 0) + 1
        try:
            yield
        finally:
            async with self._changed:
                self._free += 1
                self._by_tenant[tenant] -= 1
                if not self._by_tenant[tenant]:
                    del self._by_tenant[tenant]
                self._changed.notify_all()

    def _may(self, tenant: str) -> bool:
        return self._free > 0 and self._by_tenant.get(tenant, 0) < READS_PER_TENANT


def make_server(intake: Intake) -> grpc.aio.Server:
    """Return a server with the three services, not yet bound."""
    server = grpc.aio.server(
        options=[
            ("grpc.max_receive_message_length", intake.settings.max_body_bytes),
            ("grpc.so_reuseport", 0),
            ("grpc.max_concurrent_streams", 256),
            ("grpc.max_metadata_size", 64 * 1024),
        ]
    )
    reads = Reads()
    for signal in OTLP.values():
        method = grpc.stream_unary_rpc_method_handler(_handler(intake, reads, signal))
        server.add_generic_rpc_handlers(
            [grpc.method_handlers_generic_handler(signal.service, {"Export": method})]
        )
    return server


def _handler(intake: Intake, reads: Reads, signal: Signal) -> Handler:
    async def export(messages: AsyncIterator[bytes], context: Any) -> bytes:
        try:
            await _take(intake, reads, signal, messages, context)
        except IntakeError as error:
            await _abort(intake, signal, error, context)
        return bytes(signal.response().SerializeToString())

    return export


async def _take(
    intake: Intake, reads: Reads, signal: Signal, messages: AsyncIterator[bytes], context: Any
) -> None:
    """Take one message: token, turn, read, examine, spool."""
    metadata = {key.lower(): value for key, value in context.invocation_metadata() or ()}
    authorization = metadata.get("authorization")
    principal = intake.admit(authorization if isinstance(authorization, str) else None)
    with intake.hold(principal) as hold:
        async with reads.turn(principal.tenant):
            hold.take(EXPECTED_BYTES)
            body = await _read(messages, intake.settings.body_idle_seconds)
            hold.give_back(EXPECTED_BYTES)
        hold.take(len(body))
        await intake.accept(principal, Task(signal.name, Encoding.PROTOBUF, body, intake.clock()))


async def _read(messages: AsyncIterator[bytes], seconds: float) -> bytes:
    try:
        async with asyncio.timeout(seconds):
            return await anext(messages)
    except TimeoutError as error:
        raise TooSlow from error
    except StopAsyncIteration as error:
        raise InvalidRequest("The call holds no message.") from error


async def _abort(intake: Intake, signal: Signal, error: IntakeError, context: Any) -> NoReturn:
    """End the call with a status; RetryInfo is what tells clients that sending again helps."""
    refusal = intake.refuse(signal.name, error)
    if context.done() or context.cancelled():  # nobody listens any more
        raise asyncio.CancelledError
    status = Status(code=refusal.code, message=str(error))
    if refusal.retry_after is not None:
        retry = RetryInfo()
        retry.retry_delay.seconds = refusal.retry_after
        status.details.add().Pack(retry)
    context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))
    await context.abort(CODES[refusal.code], str(error))
    raise AssertionError  # never: abort raises
