"""What a service calls: `emit()` and `business_event()`.

A business event leaves the process as an OpenTelemetry **log record** in the current span's context, which
trace sampling cannot drop; its keys go on the span as well, so that what happens under the span can inherit
them.  Nothing here raises into the host (see guard.py).  Without `configure()` and without providers of the
host, all is a no-op.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Unpack

from opentelemetry import context, trace
from opentelemetry._logs import LoggerProvider, get_logger
from opentelemetry.trace import TracerProvider

from throughline.probes import encode, record, sampling
from throughline.probes import vocabulary as v
from throughline.probes.blame import USUAL, Blame, Classes
from throughline.probes.facts import Facts
from throughline.probes.guard import complain, swallow
from throughline.probes.scope import Arguments, Mishap, Result, Scope
from throughline.probes.vocabulary import BusinessEvent

if TYPE_CHECKING:
    from throughline.probes.payload import Payloads

SCOPE = "throughline.probes"
"""Name of the instrumentation scope."""


class Probe:
    """Emits business events through one pair of providers; thread safe.

    Most services need none: the functions of this module use the providers set by `configure()` or by the
    host.
    """

    def __init__(
        self,
        tracer_provider: TracerProvider | None = None,
        logger_provider: LoggerProvider | None = None,
        *,
        owned: bool = False,
        exception_classes: Classes | None = None,
        payloads: Payloads | None = None,
        **defaults: Unpack[Facts],
    ) -> None:
        """Create a probe.

        Args:
            tracer_provider: default: the global one, whenever it is set.
            logger_provider: default: the global one, whenever it is set.
            owned: whether `shutdown()` shuts the providers down.
            exception_classes: exception, as a class or its dotted name -> `technical`, `remote`, `business`.
            payloads: what of payloads may leave; default: nothing.
            defaults: facts of every event, such as `system="crm", platform="salesforce"`.
        """
        self._providers = (tracer_provider, logger_provider)
        self._owned = owned
        self.tracer = trace.get_tracer(SCOPE, tracer_provider=tracer_provider)
        self.logger = get_logger(SCOPE, logger_provider=logger_provider)
        self.defaults: dict[str, Any] = {}
        self.blame = USUAL
        self.payloads: Payloads | None = None
        try:
            self.defaults = encode.facts(defaults)
            self.blame = Blame(exception_classes) if exception_classes is not None else USUAL
            self.payloads = None if payloads is None else _switched_on(payloads)
        except Exception as error:  # noqa: BLE001 never into the host
            swallow(error, "reading the default facts")

    def emit(self, event: str | BusinessEvent, /, **facts: Unpack[Facts]) -> None:
        """Say that something happened; never raises.

        Args:
            event: what happened, `<entity>.<past verb>`, or a whole `BusinessEvent`, which `facts` overrule.
            facts: what is known about it.  `exception`, `exception_...` or `failed=True` make it a failed
                event: it reaches no milestone and opens an exception.
        """
        try:
            if type(event) is not str and isinstance(event, BusinessEvent):
                whole = {name: getattr(event, name) for name in BusinessEvent.__slots__}
                self._emit(whole.pop("event"), {**whole, **facts})
            else:
                self._emit(event, facts)
        except Exception as error:  # noqa: BLE001 never into the host
            swallow(error, "emitting a business event")

    def _emit(self, event: object, facts: Mapping[str, Any]) -> None:
        here = context.get_current()
        span = trace.get_current_span(here)
        recording = span.is_recording()
        if not recording and not self.logger.enabled():
            return
        sampling.watch(span)
        attributes = encode.facts(facts)
        keys = encode.keys_of(facts)
        error = facts.get("exception")
        if error is not None:
            attributes = {**record.failure(error, self.blame), **attributes}
        failed = ("failed" in facts and record.truth(facts["failed"])) or not record.FAILURE.isdisjoint(
            attributes
        )
        if failed:
            attributes.setdefault(v.EXCEPTION_CLASS, v.ExceptionClass.TECHNICAL.value)
        for name, value in self.defaults.items():
            attributes.setdefault(name, value)
        if self.payloads is not None and facts.get("payload") is not None:
            record.put_payload(attributes, facts["payload"], self.payloads)
        if recording:
            record.put_keys(span, keys)
        record.write(self.logger, event, attributes, keys, facts.get("time"), failed=failed, here=here)

    def business_event(
        self,
        event: str,
        /,
        *,
        own_span: bool = True,
        arguments: Arguments | None = None,
        result: Result | None = None,
        mishap: Mishap | None = None,
        **facts: Unpack[Facts],
    ) -> Scope:
        """As the function of this module, through this probe."""
        return Scope(
            lambda: self, event, facts, own_span=own_span, arguments=arguments, result=result, mishap=mishap
        )

    def flush(self, timeout_seconds: float = 30) -> bool:
        """Send what is buffered; blocks; False if it was not all handed over in time."""
        done = True
        for provider in self._all():
            try:
                flush = getattr(provider, "force_flush", None)
                if flush is not None:
                    done = bool(flush(int(timeout_seconds * 1_000))) and done
            except Exception as error:  # noqa: BLE001 never into the host
                swallow(error, "flushing")
                done = False
        return done

    def shutdown(self) -> None:
        """Send what is buffered and stop, if `configure()` made the providers; else only send."""
        if not self._owned:
            self.flush()
            return
        for provider in self._all():
            try:
                stop = getattr(provider, "shutdown", None)
                if stop is not None:
                    stop()
            except Exception as error:  # noqa: BLE001 never into the host
                swallow(error, "shutting down")

    def _all(self) -> tuple[object, object]:
        from opentelemetry._logs import get_logger_provider

        tracers, loggers = self._providers
        return tracers or trace.get_tracer_provider(), loggers or get_logger_provider()


def _switched_on(payloads: object) -> Payloads | None:
    from throughline.probes.payload import Payloads

    if isinstance(payloads, Payloads):
        return payloads
    complain("payloads are switched on by Payloads(...)")
    return None


_default = Probe()


def default_probe() -> Probe:
    """The probe behind the functions of this module."""
    return _default


def set_default_probe(probe: Probe) -> None:
    """Let the functions of this module use another probe, also where they decorate already."""
    global _default  # noqa: PLW0603 as OpenTelemetry's own providers: one per process
    _default = probe


def emit(event: str | BusinessEvent, /, **facts: Unpack[Facts]) -> None:
    """Say that something happened; see `Probe.emit`."""
    _default.emit(event, **facts)


def business_event(
    event: str,
    /,
    *,
    own_span: bool = True,
    arguments: Arguments | None = None,
    result: Result | None = None,
    mishap: Mishap | None = None,
    **facts: Unpack[Facts],
) -> Scope:
    """A block or function that succeeds is a business event; one that raises is a failed one, and raises on.

    Args:
        event: what happened once the block succeeds, `<entity>.<past verb>`.
        own_span: whether to open a span for the block; else the keys go on the current one.
        arguments: what the arguments of a call of the decorated function say about the event: a function of
            them that returns facts, or fact -> dotted path that begins with a parameter's name.
        result: what a function's return value says about the event, likewise; the path `.` is the value.
        mishap: what an exception says about the failed event: a function that returns facts
            (`exception_class`, `exception_code`...), or exception -> `technical`, `remote`, `business`.
        facts: what is known beforehand; `with business_event(...) as e: e.add(...)` tells more.
    """
    return Scope(
        default_probe, event, facts, own_span=own_span, arguments=arguments, result=result, mishap=mishap
    )
