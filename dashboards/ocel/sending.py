"""Facts to the intake as OTLP, batch by batch. What is acknowledged is stored; sent again it counts once."""

from __future__ import annotations

import gzip
import time
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

import httpx
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Status

from throughline.collector import cloudevents
from throughline.probes.errors import IntakeError, InvalidRequest, Unauthorized

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from throughline.dashboards.ocel.facts import Fact, Value

SCOPE = "throughline.ocel"
BATCH = 500
"""Records in one request; fewer where they are too large."""
PAUSE_SECONDS = 1.0
RETRYABLE = frozenset({429, 502, 503, 504})
TOO_LARGE = 413


@dataclass
class Sent:
    """What was acknowledged."""

    events: int = 0
    evidence: int = 0


def send(facts: Iterable[Fact], intake: Intake, report: Callable[[Sent], None]) -> Sent:
    """Send all facts; `report` hears of each batch.

    Raises: IntakeError when the intake refuses or cannot be reached.
    """
    sent, coming = Sent(), iter(facts)
    while batch := list(islice(coming, BATCH)):
        spans = [fact for fact in batch if fact.source == "span"]
        records = [fact for fact in batch if fact.source != "span"]
        intake.post("/v1/traces", spans, spans_request)
        intake.post("/v1/logs", records, logs_request)
        events = sum(bool(fact.event) for fact in batch)
        sent.events += events
        sent.evidence += len(batch) - events
        report(sent)
    return sent


class Intake:
    """An intake's OTLP endpoints over HTTP."""

    def __init__(self, base: str, token: str | None, *, patience_seconds: float = 60.0) -> None:
        """`base` is as http://127.0.0.1:4318; `token` needs the scope `ingest`; one that is busy or silent is
        asked again for `patience_seconds`.
        """
        authorization = {"authorization": f"Bearer {token}"} if token else {}
        headers = {"content-type": "application/x-protobuf", "content-encoding": "gzip", **authorization}
        self._base = base.rstrip("/")
        self._patience_seconds = patience_seconds
        self._reached = False
        self._client = httpx.Client(headers=headers, timeout=120.0)

    def close(self) -> None:
        """Close connections."""
        self._client.close()

    def post(self, path: str, facts: Sequence[Fact], encode: Callable[[Sequence[Fact]], bytes]) -> None:
        """Send records of one signal; halves if they are too large together. Raises: IntakeError."""
        if not facts:
            return
        answer = self._answer(path, gzip.compress(encode(facts), compresslevel=3))
        if answer.is_success:
            return
        if answer.status_code == TOO_LARGE and len(facts) > 1:
            middle = len(facts) // 2
            self.post(path, facts[:middle], encode)
            self.post(path, facts[middle:], encode)
        elif answer.status_code in (401, 403):
            raise Unauthorized(f"{self._base} wants a token with the scope ingest: give it with --token.")
        else:
            raise InvalidRequest(f"{self._base}{path} refused a batch with status {answer.status_code}.")

    def _answer(self, path: str, body: bytes) -> httpx.Response:
        """Ask until there is an answer that asking again does not change."""
        deadline = time.monotonic() + self._patience_seconds
        while True:
            try:
                answer = self._client.post(self._base + path, content=body)
            except (httpx.HTTPError, httpx.InvalidURL) as error:
                if not self._reached:
                    message = f"Nothing answers on {self._base}: start the platform or correct --to."
                    raise IntakeError(message) from error
                failure, wait = f"{self._base} does not answer any longer ({error})", ""
            else:
                self._reached = True
                if answer.status_code not in RETRYABLE:
                    return answer
                failure = f"{self._base} is busy (status {answer.status_code})"
                wait = answer.headers.get("retry-after", "")
            pause = float(wait) if wait.isdecimal() else PAUSE_SECONDS
            if time.monotonic() + pause > deadline:
                raise IntakeError(f"{failure}: import again later.", permanent=False)
            time.sleep(pause)


def logs_request(facts: Sequence[Fact]) -> bytes:
    """Log records as the bytes of an OTLP request."""
    request = ExportLogsServiceRequest()
    scopes: dict[tuple[str, str], Any] = {}
    for fact in facts:
        name = cloudevents.SCOPE if fact.source == "cloudevent" else SCOPE
        if (fact.service, name) not in scopes:
            scopes[fact.service, name] = _scope(request.resource_logs.add(), "scope_logs", fact.service, name)
        record = scopes[fact.service, name].log_records.add()
        record.time_unix_nano = record.observed_time_unix_nano = fact.nanos
        record.severity_number = cloudevents.ERROR if fact.failed else cloudevents.INFO
        record.severity_text = "ERROR" if fact.failed else "INFO"
        record.event_name = fact.event
        record.trace_id, record.span_id = bytes.fromhex(fact.trace_id), bytes.fromhex(fact.span_id)
        if fact.message:
            record.body.string_value = fact.message
        _fill(record.attributes, fact)
    return bytes(request.SerializeToString())


def spans_request(facts: Sequence[Fact]) -> bytes:
    """Spans as the bytes of an OTLP request: of no duration, without the spans above them."""
    request = ExportTraceServiceRequest()
    scopes: dict[str, Any] = {}
    for fact in facts:
        if fact.service not in scopes:
            scopes[fact.service] = _scope(request.resource_spans.add(), "scope_spans", fact.service, SCOPE)
        span = scopes[fact.service].spans.add()
        span.trace_id, span.span_id = bytes.fromhex(fact.trace_id), bytes.fromhex(fact.span_id)
        span.name = fact.event or "evidence"
        span.start_time_unix_nano = span.end_time_unix_nano = fact.nanos
        span.status.code = Status.STATUS_CODE_ERROR if fact.failed else Status.STATUS_CODE_UNSET
        span.status.message = fact.message
        _fill(span.attributes, fact)
    return bytes(request.SerializeToString())


def _scope(resource: Any, scopes: str, service: str, name: str) -> Any:
    if service:
        resource.resource.attributes.add(key="service.name").value.string_value = service
    scope = getattr(resource, scopes).add()
    scope.scope.name = name
    return scope


def _fill(attributes: Any, fact: Fact) -> None:
    for name, value in fact.attributes.items():
        _set(attributes.add(key=name).value, value)


def _set(target: Any, value: Value) -> None:
    if isinstance(value, str):
        target.string_value = value
    else:
        target.array_value.SetInParent()
        for member in value:
            target.array_value.values.add().string_value = member
