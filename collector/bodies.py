"""Request bodies: received and decompressed piece by piece, so that no bomb is ever whole in memory."""

from __future__ import annotations

import asyncio
import io
import zlib
from collections.abc import Awaitable, Callable, MutableMapping
from concurrent.futures import Executor
from typing import Any

from throughline.collector.limits import Hold, TooLarge
from throughline.probes.errors import IntakeError, InvalidRequest

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]

GZIP, ZLIB, RAW = 31, 15, -15
SLICE = 256 * 1024  # compressed bytes fed at a time
PIECE = 1024 * 1024  # bytes decompressed at a time
QUICK_COMPRESSED = 16 * 1024  # small bodies are decompressed without a thread ...
QUICK_LIMIT = 512 * 1024  # ... unless they grow beyond this
ENCODINGS = frozenset({"", "identity", "gzip", "x-gzip", "deflate"})


class ClientGone(IntakeError):
    """The client closed the connection before its request was complete."""


class TooSlow(IntakeError):
    """The request did not arrive in time; send it again over a faster connection."""


async def read_body(
    receive: Receive, hold: Hold, *, limit: int, idle_seconds: float, total_seconds: float
) -> bytes:
    """Receive a body, holding its bytes of the budget.

    Raises: TooLarge, TooSlow, ClientGone, Busy.
    """
    body = io.BytesIO()
    size = 0
    loop = asyncio.get_running_loop()
    deadline = loop.time() + total_seconds
    while True:
        try:
            async with asyncio.timeout_at(min(deadline, loop.time() + idle_seconds)):
                message = await receive()
        except TimeoutError as error:
            raise TooSlow from error
        if message["type"] != "http.request":
            raise ClientGone
        chunk: bytes = message.get("body", b"")
        more = bool(message.get("more_body"))
        size += len(chunk)
        if size > limit:
            raise TooLarge(f"The body is larger than {limit} bytes; send smaller batches.")
        hold.take(len(chunk))
        if not more and size == len(chunk):
            return chunk
        body.write(chunk)
        if not more:
            return body.getvalue()


async def decompress(encoding: str, body: bytes, hold: Hold, *, limit: int, executor: Executor) -> bytes:
    """Undo a Content-Encoding, holding the bytes of the budget; large bodies in a thread.

    Raises: InvalidRequest, TooLarge, Busy.
    """
    if encoding in {"", "identity"} or not body:
        return body
    if len(body) <= QUICK_COMPRESSED:
        before = hold.size
        try:
            return inflate(encoding, body, hold, limit=min(limit, QUICK_LIMIT))
        except TooLarge:
            hold.give_back(hold.size - before)
    return await asyncio.get_running_loop().run_in_executor(
        executor, lambda: inflate(encoding, body, hold, limit=limit)
    )


def inflate(encoding: str, body: bytes, hold: Hold, *, limit: int) -> bytes:
    """Decompress gzip (any number of members) or deflate (zlib or raw, as both are sent under this name)."""
    window = GZIP if encoding.endswith("gzip") else (ZLIB if _zlib_header(body) else RAW)
    decoder = zlib.decompressobj(window)
    out = io.BytesIO()
    for start in range(0, len(body), SLICE):
        data = body[start : start + SLICE]
        while True:
            if decoder.eof:
                if not data:
                    break
                if window != GZIP:
                    raise InvalidRequest("The body goes on behind the end of its compressed data.")
                decoder = zlib.decompressobj(window)
            piece = _decompress(decoder, data, encoding)
            if out.tell() + len(piece) > limit:
                raise TooLarge(f"The body is larger than {limit} bytes decompressed; send smaller batches.")
            hold.take(len(piece))
            out.write(piece)
            data = decoder.unused_data if decoder.eof else decoder.unconsumed_tail
            if not data and len(piece) < PIECE:
                break
    if not decoder.eof:
        raise InvalidRequest(f"The body is no valid {encoding}: it ends too early.")
    return out.getvalue()


def _decompress(decoder: Any, data: bytes, encoding: str) -> bytes:
    try:
        return bytes(decoder.decompress(data, PIECE))
    except zlib.error as error:
        raise InvalidRequest(f"The body is no valid {encoding}: {error}.") from error


def _zlib_header(body: bytes) -> bool:
    """Whether raw deflate can be ruled out: method 8 and a check value divisible by 31 (RFC 1950)."""
    return len(body) > 1 and body[0] & 0x0F == 8 and (body[0] << 8 | body[1]) % 31 == 0  # noqa: PLR2004
