"""Large requests are examined in processes of their own, with a cap on memory.

A hostile 64 MiB body can need gigabytes once it is parsed (87 bytes per byte, measured), and honest JSON
takes seconds of CPU. Neither may touch the event loop that everybody else waits for. The processes start
when first needed, speak over their standard streams and end with the edge.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import resource
import struct
import sys
from typing import BinaryIO

from throughline.collector.examine import Encoding, Examined, Task, examine
from throughline.collector.limits import TooLarge
from throughline.probes.errors import InvalidRequest

ASK = struct.Struct("<IQQ")  # bytes of the JSON head, bytes of the body, received_unix_nano
ANSWER = struct.Struct("<BIQ")  # outcome, items, bytes that follow
SAME, CHANGED, FLATTENED, INVALID, NO_MEMORY = range(5)
CHUNK = 1024 * 1024
NEEDS_TOO_MUCH = "The body needs too much memory to be examined; send smaller batches."
RETIRE_AFTER = 16 * 1024 * 1024  # a process that examined so large a body has grown: a fresh one is smaller


class Heavy:
    """A few examining processes and the queue before them."""

    def __init__(self, *, processes: int, memory_bytes: int) -> None:
        """Start nothing yet."""
        self._memory = memory_bytes
        self._idle: asyncio.LifoQueue[asyncio.subprocess.Process | None] = asyncio.LifoQueue()
        self._alive: set[asyncio.subprocess.Process] = set()
        for _ in range(processes):
            self._idle.put_nowait(None)

    async def examine(self, task: Task) -> Examined:
        """Examine a request elsewhere.

        Raises: InvalidRequest, TooLarge when it needs more memory than a process may have.
        """
        process = await self._idle.get()
        try:
            if process is not None:
                with contextlib.suppress(_Died):  # while nobody looked: not the fault of this request
                    return await self._ask(process, task)
                self._end(process)
            process = await self._start()
            try:
                return await self._ask(process, task)
            except _Died as error:
                raise TooLarge(NEEDS_TOO_MUCH) from error
        except (_Died, TooLarge, asyncio.CancelledError):
            if process is not None:
                self._end(process)
                process = None
            raise
        finally:
            if process is not None and len(task.body) >= RETIRE_AFTER:
                self._end(process)
                process = None
            self._idle.put_nowait(process)

    async def close(self) -> None:
        """End all processes."""
        for process in list(self._alive):
            self._end(process)
            await process.wait()

    async def _start(self) -> asyncio.subprocess.Process:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-c",
            "from throughline.collector.heavy import main; main()",
            str(self._memory),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            start_new_session=True,  # Ctrl-C is for the edge, which drains first
        )
        self._alive.add(process)
        return process

    def _end(self, process: asyncio.subprocess.Process) -> None:
        self._alive.discard(process)
        with contextlib.suppress(ProcessLookupError):
            process.kill()

    async def _ask(self, process: asyncio.subprocess.Process, task: Task) -> Examined:
        """Send a task and wait. Raises: InvalidRequest, TooLarge, _Died."""
        try:
            outcome, items, content = await self._exchange(process, task)
        except (ConnectionError, asyncio.IncompleteReadError, RuntimeError) as error:  # uvloop's closed pipe
            raise _Died from error
        if outcome == NO_MEMORY:
            raise TooLarge(NEEDS_TOO_MUCH)
        if outcome == INVALID:
            raise InvalidRequest(content.decode())
        request = task.body if outcome == SAME else content
        return Examined(request, items, deep=outcome == FLATTENED)

    @staticmethod
    async def _exchange(process: asyncio.subprocess.Process, task: Task) -> tuple[int, int, bytes]:
        head = json.dumps([task.signal, task.encoding, task.content_type, task.headers, task.hook]).encode()
        to, back = process.stdin, process.stdout
        if to is None or back is None:  # never: both are pipes
            raise ConnectionError
        to.write(ASK.pack(len(head), len(task.body), task.received_unix_nano) + head)
        for start in range(0, len(task.body), CHUNK):
            to.write(task.body[start : start + CHUNK])
            await to.drain()
        await to.drain()
        outcome, items, size = ANSWER.unpack(await back.readexactly(ANSWER.size))
        return outcome, items, await back.readexactly(size)


class _Died(Exception):
    """The process ended before it answered."""


def main() -> None:
    """Examine requests from standard input until it ends; the argument is the address space allowed."""
    limit = int(sys.argv[1])
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    source, target = sys.stdin.buffer, sys.stdout.buffer
    while head := source.read(ASK.size):
        head_size, body_size, received = ASK.unpack(head)
        try:
            outcome, items, content = _answer(source, head_size, body_size, received)
        except MemoryError:
            target.write(ANSWER.pack(NO_MEMORY, 0, 0))
            return
        target.write(ANSWER.pack(outcome, items, len(content)))
        target.write(content)
        target.flush()


def _answer(source: BinaryIO, head_size: int, body_size: int, received: int) -> tuple[int, int, bytes]:
    signal, encoding, content_type, headers, hook = json.loads(source.read(head_size))
    body = source.read(body_size)
    pairs = tuple((name, value) for name, value in headers)
    task = Task(signal, Encoding(encoding), body, received, content_type, pairs, hook)
    try:
        examined = examine(task)
    except InvalidRequest as error:
        return INVALID, 0, str(error).encode(errors="replace")
    if examined.request is body:
        return SAME, examined.items, b""
    return (FLATTENED if examined.deep else CHANGED), examined.items, examined.request
