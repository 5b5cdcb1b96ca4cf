"""`configure()`: OpenTelemetry providers with OTLP/HTTP exporters from the standard `OTEL_*` variables."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING, Unpack

from opentelemetry import trace
from opentelemetry._logs import LoggerProvider, get_logger_provider, set_logger_provider

from throughline.probes import leaving
from throughline.probes.blame import Classes
from throughline.probes.facts import Facts
from throughline.probes.guard import complain, swallow
from throughline.probes.sdk import Probe, default_probe, set_default_probe

if TYPE_CHECKING:
    from opentelemetry.sdk._logs import LoggerProvider as SdkLoggerProvider
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider as SdkTracerProvider

    from throughline.probes.payload import Payloads

_lock = threading.Lock()
_configured: list[Probe] = []


def configure(
    service_name: str | None = None,
    *,
    endpoint: str | None = None,
    headers: Mapping[str, str] | None = None,
    set_global: bool = True,
    exception_classes: Classes | None = None,
    payloads: Payloads | None = None,
    flush_on_sigterm: bool = True,
    **defaults: Unpack[Facts],
) -> Probe:
    """Set up tracing and logging for business events; never raises; a second global call changes nothing.

    Providers that the host has set already are used, not replaced: the tracer provider only gets the
    processor that copies keys from baggage.  `OTEL_SDK_DISABLED`, `OTEL_TRACES_EXPORTER=none` and
    `OTEL_LOGS_EXPORTER=none` hold.

    Args:
        service_name: `service.name`; default: `OTEL_SERVICE_NAME` or `OTEL_RESOURCE_ATTRIBUTES`.
        endpoint: base URL, as `http://collector:4318`; default: `OTEL_EXPORTER_OTLP_ENDPOINT` and its kin.
        headers: of each request, such as `authorization`; default: `OTEL_EXPORTER_OTLP_HEADERS`.
        set_global: whether the functions `emit` and `business_event` use it, and other instrumentation too;
            else only the probe that is returned does.
        exception_classes: exception, as a class or its dotted name -> `technical`, `remote`, `business`.
        payloads: what of payloads may leave; default: nothing.
        flush_on_sigterm: whether to send what is buffered when SIGTERM ends the process; a handler of the
            host is left alone either way.
        defaults: facts of every event, such as `system="crm", platform="salesforce"`.
    """
    with _lock:
        if set_global and _configured:
            complain("configure() was called twice; the first call counts")
            return _configured[0]
        try:
            tracers, loggers, owned = _providers(service_name, endpoint, headers, set_global=set_global)
            probe = Probe(
                tracers,
                loggers,
                owned=owned,
                exception_classes=exception_classes,
                payloads=payloads,
                **defaults,
            )
        except Exception as error:  # noqa: BLE001 never into the host
            swallow(error, "configuring")
            return default_probe()
        if set_global:
            _configured.append(probe)
            set_default_probe(probe)
            _send_at_the_end(probe, on_sigterm=flush_on_sigterm)
        return probe


def _send_at_the_end(probe: Probe, *, on_sigterm: bool) -> None:
    try:
        leaving.flush_in_workers(probe.flush)
        if on_sigterm:
            leaving.flush_on_sigterm(probe.flush)
    except Exception as error:  # noqa: BLE001 never into the host
        swallow(error, "preparing the end of the process")


def _providers(
    service_name: str | None,
    endpoint: str | None,
    headers: Mapping[str, str] | None,
    *,
    set_global: bool,
) -> tuple[SdkTracerProvider | None, SdkLoggerProvider | None, bool]:
    """Providers for a probe (None: the global ones), and whether they are ours to shut down."""
    from opentelemetry.sdk.resources import Resource

    protocol = os.environ.get("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf")
    if protocol not in {"", "http/protobuf"}:
        complain("the probe sends http/protobuf; OTEL_EXPORTER_OTLP_PROTOCOL asks for something else")
    resource = Resource.create({"service.name": service_name} if service_name else {})
    base = endpoint.rstrip("/") if endpoint else None
    if not set_global:
        return _tracers(resource, base, headers), _loggers(resource, base, headers), True
    owned = True
    known = trace.get_tracer_provider()
    if isinstance(known, trace.ProxyTracerProvider):
        trace.set_tracer_provider(_tracers(resource, base, headers))
    else:
        owned = False
        _add_baggage_keys(known)
    if not _has_loggers():
        set_logger_provider(_loggers(resource, base, headers))
    else:
        owned = False
    return None, None, owned


def _has_loggers() -> bool:
    provider: LoggerProvider = get_logger_provider()
    return type(provider).__name__ != "ProxyLoggerProvider"


def _add_baggage_keys(provider: object) -> None:
    from throughline.probes.processor import BaggageKeys

    add = getattr(provider, "add_span_processor", None)
    if add is not None:
        add(BaggageKeys())


def _tracers(resource: Resource, base: str | None, headers: Mapping[str, str] | None) -> SdkTracerProvider:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    provider = TracerProvider(resource=resource)
    _add_baggage_keys(provider)
    if os.environ.get("OTEL_TRACES_EXPORTER", "").strip() != "none":
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

        url = f"{base}/v1/traces" if base else None
        sent = dict(headers) if headers else None
        provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=url, headers=sent)))
    return provider


def _loggers(resource: Resource, base: str | None, headers: Mapping[str, str] | None) -> SdkLoggerProvider:
    from opentelemetry.sdk._logs import LoggerProvider as Provider
    from opentelemetry.sdk._logs.export import BatchLogRecordProcessor

    provider = Provider(resource=resource)
    if os.environ.get("OTEL_LOGS_EXPORTER", "").strip() != "none":
        from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter

        url = f"{base}/v1/logs" if base else None
        sent = dict(headers) if headers else None
        exporter = OTLPLogExporter(endpoint=url, headers=sent)
        provider.add_log_record_processor(BatchLogRecordProcessor(exporter))
    return provider
