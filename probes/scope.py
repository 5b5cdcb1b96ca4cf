"""`business_event()`: a block or a function whose success is a business event, its failure a failed one."""

from __future__ import annotations

import inspect
import traceback
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Iterator, Mapping
from contextlib import contextmanager
from contextvars import Token
from functools import wraps
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, Unpack, cast

from opentelemetry import context, trace
from opentelemetry._logs import Logger
from opentelemetry.context import Context
from opentelemetry.trace import Span, Status, StatusCode, Tracer

from throughline.probes import encode, paths, record, sampling
from throughline.probes import vocabulary as v
from throughline.probes.blame import Blame, Classes
from throughline.probes.facts import Facts
from throughline.probes.guard import complain, swallow

if TYPE_CHECKING:
    from throughline.probes.payload import Payloads

Function = TypeVar("Function", bound=Callable[..., Any])
Arguments = Callable[..., Mapping[str, object]] | paths.Paths
"""What the arguments of a call say about the event: a function of them, or paths into them."""
Result = Callable[[Any], Mapping[str, object]] | paths.Paths
"""What a return value says about the event, likewise."""
Mishap = Callable[[BaseException], Mapping[str, object]] | Classes
"""What an exception says about the failed event: a function of it, or its class -> whose fault it is."""

Ask = Callable[..., Mapping[str, object]]


class Emitter(Protocol):
    """What a scope needs of a probe."""

    tracer: Tracer
    logger: Logger
    defaults: dict[str, Any]
    blame: Blame
    payloads: Payloads | None


class Recording:
    """A business event that is happening; `add()` what becomes known meanwhile."""

    __slots__ = ("attributes", "emitter", "failed", "keys", "mine", "moment", "more_keys", "span", "token")

    def __init__(self, emitter: Emitter) -> None:
        self.emitter = emitter
        self.attributes: encode.Clean = {}
        self.keys: encode.Clean = {}
        self.more_keys = False
        self.failed = False
        self.moment: object = None
        self.span: Span = trace.INVALID_SPAN
        self.mine = False
        self.token: Token[Context] | None = None

    def add(self, **facts: Unpack[Facts]) -> None:
        """Tell more: keys add up, of anything else the last counts; `failed=True` makes it a failed event."""
        try:
            self.tell(facts)
        except Exception as error:  # noqa: BLE001 never into the host
            swallow(error, "adding facts")

    def tell(self, facts: Mapping[str, Any]) -> None:
        """As `add()`, for facts in a mapping; may raise."""
        known = self.attributes
        self.attributes = {**known, **encode.facts(facts)} if known else encode.facts(facts)
        if facts.get("keys") is not None:
            more = encode.keys_of(facts)
            if self.keys:
                record.merge_keys(self.keys, more)
            else:
                self.keys = more
            self.more_keys = True
        if self.emitter.payloads is not None and facts.get("payload") is not None:
            record.put_payload(self.attributes, facts["payload"], self.emitter.payloads)
        if facts.get("time") is not None:
            self.moment = facts["time"]
        if "failed" in facts:
            self.failed = record.truth(facts["failed"])

    @contextmanager
    def current(self) -> Iterator[None]:
        """Inside the block the event's span is the current one (for generators, step by step)."""
        token = context.attach(trace.set_span_in_context(self.span))
        try:
            yield
        finally:
            context.detach(token)


class Scope:
    """A context manager (plain and async) and a decorator (functions, coroutines, generators of both kinds).

    By default it opens a span of its own, named like the event, so that the keys are true for everything
    inside and nothing outside.
    """

    def __init__(
        self,
        find: Callable[[], Emitter],
        event: str,
        facts: Mapping[str, Any],
        *,
        own_span: bool,
        arguments: Arguments | None,
        result: Result | None,
        mishap: Mishap | None,
    ) -> None:
        self._find = find
        self._event = event
        self._facts = facts
        self._own_span = own_span
        self._arguments = arguments
        self._result: Ask | None = None
        self._mishap: Ask | None = None
        try:
            self._result = paths.from_result(result) if isinstance(result, Mapping) else result
            self._mishap = _blaming(mishap) if isinstance(mishap, Mapping) else mishap
        except Exception as error:  # noqa: BLE001 never into the host
            swallow(error, "reading what result and exception say")
        self._open: list[Recording] = []

    def __enter__(self) -> Recording:
        recording = self._begin(None, (), {}, attach=True)
        self._open.append(recording)
        return recording

    def __exit__(self, kind: object, error: BaseException | None, trace_: object) -> None:
        index = len(self._open) - 1
        if index > 0:  # one scope entered several times, perhaps by several threads
            span = trace.get_current_span()
            index = next((n for n, known in enumerate(self._open) if known.span is span), index)
        if index >= 0:
            self._end(self._open.pop(index), error)

    async def __aenter__(self) -> Recording:
        return self.__enter__()

    async def __aexit__(self, kind: object, error: BaseException | None, trace_: object) -> None:
        self.__exit__(kind, error, trace_)

    def __call__(self, function: Function) -> Function:
        """Decorate."""
        given: object = function
        if not callable(given):
            complain("only a function can be decorated as a business event")
            return function
        try:
            ask = self._arguments_of(function)
            if inspect.isasyncgenfunction(function):
                wrapped: Callable[..., Any] = self._async_generator(function, ask)
            elif inspect.isgeneratorfunction(function):
                wrapped = self._generator(function, ask)
            elif inspect.iscoroutinefunction(function):
                wrapped = self._coroutine(function, ask)
            else:
                wrapped = self._plain(function, ask)
        except Exception as error:  # noqa: BLE001 never into the host
            swallow(error, "decorating a function")
            return function
        return cast("Function", wrapped)

    def _arguments_of(self, function: Callable[..., Any]) -> Ask | None:
        """What is asked about the arguments of a call of this function."""
        if not isinstance(self._arguments, Mapping):
            return self._arguments
        try:
            return paths.from_arguments(self._arguments, function)
        except (TypeError, ValueError):
            complain("the parameters of a decorated function cannot be known; `arguments` must be a function")
            return None

    def _plain(self, function: Callable[..., Any], ask: Ask | None) -> Callable[..., Any]:
        @wraps(function)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            recording = self._begin(ask, args, kwargs, attach=True)
            try:
                result = function(*args, **kwargs)
            except BaseException as error:
                self._end(recording, error)
                raise
            self._end(recording, None, result)
            return result

        return wrapper

    def _coroutine(self, function: Callable[..., Awaitable[Any]], ask: Ask | None) -> Callable[..., Any]:
        @wraps(function)
        async def wrapper(*args: Any, **kwargs: Any) -> Any:
            recording = self._begin(ask, args, kwargs, attach=True)
            try:
                result = await function(*args, **kwargs)
            except BaseException as error:
                self._end(recording, error)
                raise
            self._end(recording, None, result)
            return result

        return wrapper

    def _generator(
        self, function: Callable[..., Generator[Any, Any, Any]], ask: Ask | None
    ) -> Callable[..., Any]:
        @wraps(function)
        def wrapper(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
            recording = self._begin(ask, args, kwargs, attach=False)
            try:
                with recording.current():
                    generator = function(*args, **kwargs)
                    item = next(generator)
                while True:
                    try:
                        sent = yield item
                    except GeneratorExit:
                        with recording.current():
                            generator.close()
                        raise
                    except BaseException as thrown:  # noqa: BLE001 it goes into the generator
                        with recording.current():
                            item = generator.throw(thrown)
                    else:
                        with recording.current():
                            item = generator.send(sent)
            except StopIteration as stop:
                self._end(recording, None, stop.value)
                return stop.value
            except GeneratorExit:
                self._abandon(recording)
                raise
            except BaseException as error:
                self._end(recording, error)
                raise

        return wrapper

    def _async_generator(
        self, function: Callable[..., AsyncGenerator[Any, Any]], ask: Ask | None
    ) -> Callable[..., Any]:
        @wraps(function)
        async def wrapper(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, Any]:
            recording = self._begin(ask, args, kwargs, attach=False)
            try:
                with recording.current():
                    generator = function(*args, **kwargs)
                    item = await anext(generator)
                while True:
                    try:
                        sent = yield item
                    except GeneratorExit:
                        with recording.current():
                            await generator.aclose()
                        raise
                    except BaseException as thrown:  # noqa: BLE001 it goes into the generator
                        with recording.current():
                            item = await generator.athrow(thrown)
                    else:
                        with recording.current():
                            item = await generator.asend(sent)
            except StopAsyncIteration:
                self._end(recording, None)
            except GeneratorExit:
                self._abandon(recording)
                raise
            except BaseException as error:
                self._end(recording, error)
                raise

        return wrapper

    def _begin(
        self, ask: Ask | None, args: tuple[Any, ...], kwargs: Mapping[str, Any], *, attach: bool
    ) -> Recording:
        recording = Recording(self._find())
        try:
            recording.tell(self._facts)
            if ask is not None:
                self._ask(recording, ask, *args, **kwargs)
            if self._own_span:
                tracer = recording.emitter.tracer
                recording.span = tracer.start_span(encode.text(self._event) or "?", attributes=recording.keys)
                recording.mine = True
                recording.more_keys = False
                if attach:
                    recording.token = context.attach(trace.set_span_in_context(recording.span))
                sampling.watch(recording.span)
        except Exception as error:  # noqa: BLE001 never into the host
            swallow(error, "beginning a business event")
        if not recording.mine:
            recording.span = trace.get_current_span()
        return recording

    def _end(self, recording: Recording, error: BaseException | None, result: Any = None) -> None:
        try:
            self._conclude(recording, error, result)
        except Exception as trouble:  # noqa: BLE001 never into the host
            swallow(trouble, "ending a business event")
        finally:
            self._abandon(recording)

    def _conclude(self, recording: Recording, error: BaseException | None, result: Any) -> None:
        self._judge(recording, error, result)
        attributes = recording.attributes
        for name, value in recording.emitter.defaults.items():
            attributes.setdefault(name, value)
        span = recording.span
        if span.is_recording():
            if not recording.mine:
                record.put_keys(span, recording.keys)
            elif recording.more_keys:
                span.set_attributes(recording.keys)
            if recording.failed:
                _fail(span, attributes, error)
        if recording.mine and recording.token is None:  # a generator: its span is not the current one
            with recording.current():
                self._write(recording)
        else:
            self._write(recording)

    def _judge(self, recording: Recording, error: BaseException | None, result: Any) -> None:
        if error is not None:
            recording.failed = True
            recording.attributes = {
                **record.failure(error, recording.emitter.blame),
                **recording.attributes,
            }
            if self._mishap is not None:
                self._ask(recording, self._mishap, error)
        elif self._result is not None:
            self._ask(recording, self._result, result)
        if recording.failed:
            recording.attributes.setdefault(v.EXCEPTION_CLASS, v.ExceptionClass.TECHNICAL.value)
        elif not record.FAILURE.isdisjoint(recording.attributes):
            for name in record.FAILURE:
                recording.attributes.pop(name, None)

    def _write(self, recording: Recording) -> None:
        record.write(
            recording.emitter.logger,
            self._event,
            recording.attributes,
            recording.keys,
            recording.moment,
            failed=recording.failed,
        )

    def _ask(self, recording: Recording, ask: Ask, *about: Any, **named: Any) -> None:
        try:
            recording.tell(ask(*about, **named))
        except Exception as error:  # noqa: BLE001 whatever the host's function raises
            swallow(error, "asking what arguments, result or exception say")

    def _abandon(self, recording: Recording) -> None:
        """Leave without a record: a generator that was closed early did not do what the event says."""
        try:
            if recording.token is not None:
                context.detach(recording.token)
                recording.token = None
            if recording.mine:
                recording.span.end()
        except Exception as error:  # noqa: BLE001 never into the host
            swallow(error, "leaving a business event")


def _blaming(classes: Classes) -> Callable[[BaseException], Mapping[str, Any]]:
    blame = Blame(classes)
    return lambda error: blame.named(type(error))


def _fail(span: Span, attributes: Mapping[str, Any], error: BaseException | None) -> None:
    message = attributes.get(v.EXCEPTION_MESSAGE) or "failed"
    span.set_status(Status(StatusCode.ERROR, message))
    if error is not None:
        lines = traceback.format_exception(type(error), error, error.__traceback__)
        span.add_event(
            "exception",
            {
                v.EXCEPTION_TYPE: attributes.get(v.EXCEPTION_TYPE, ""),
                v.EXCEPTION_MESSAGE: message,
                v.EXCEPTION_STACKTRACE: encode.text("".join(lines)),
            },
        )
