-- Raw rows to business facts, whoever wrote them (our loader or a stock OpenTelemetry Collector).
-- A row with business.event is an event, one with business.key.* or explicit links alone is evidence.
-- The EventName of a log record is its business.event when the record also has a business.key.*.

CREATE MATERIALIZED VIEW IF NOT EXISTS otel_traces_to_business_events TO business_events AS
WITH
    ((tenant, trace) -> sipHash64(tenant, trace)) AS trace_id,
    ((tenant, trace, span) -> reinterpretAsUInt128(sipHash128('span', tenant, trace, span))) AS span_id,
    -- An array attribute arrives as JSON text; a scalar that merely starts with '[' stays as it is.
    (v -> if(startsWith(v, '[') AND isValidJSON(v), JSONExtract(v, 'Array(String)'), [v])) AS several,
    ((m, prefix) -> arraySort(arrayDistinct(arrayFlatten(arrayMap((k, v) -> arrayMap(
        x -> (substring(k, length(prefix) + 1), trim(BOTH ' \t\r\n' FROM x)), several(v)),
        mapKeys(mapFilter((k, v) -> startsWith(k, prefix) AND length(k) > length(prefix), m)),
        mapValues(mapFilter((k, v) -> startsWith(k, prefix) AND length(k) > length(prefix), m))))))) AS keys_of
SELECT
    Tenant,
    span_id(Tenant, TraceId, SpanId) AS EventId,
    sipHash64(Timestamp, ParentSpanId, TraceState, SpanName, SpanKind, ServiceName, mapSort(ResourceAttributes), ScopeName,
        ScopeVersion, mapSort(SpanAttributes), Duration, StatusCode, StatusMessage, Events.Timestamp, Events.Name,
        Events.Attributes, Links.TraceId, Links.SpanId, Links.Attributes) AS ContentHash,
    Timestamp AS Time,
    ReceivedAt,
    IngestedAt,
    Segment,
    Request,
    'span' AS Source,
    TraceId,
    SpanId,
    ServiceName,
    arraySort(arrayDistinct(arrayConcat(
        if(ParentSpanId = '', [], [(trace_id(Tenant, TraceId), span_id(Tenant, TraceId, ParentSpanId))]),
        arrayMap((t, s) -> (trace_id(Tenant, t), span_id(Tenant, t, s)), Links.TraceId, Links.SpanId)))) AS Parents,
    SpanAttributes['business.event'] AS Event,
    keys_of(SpanAttributes, 'business.key.') AS Keys,
    keys_of(SpanAttributes, 'business.context.key.') AS ContextKeys,
    SpanAttributes['business.subject'] AS Subject,
    arrayFilter(x -> x != '', several(SpanAttributes['business.link'])) AS Links,
    arrayFilter(x -> x != '', several(SpanAttributes['business.link.cut'])) AS Cuts,
    StatusCode = 'Error' AS Failed,
    SpanAttributes['business.system'] AS System,
    SpanAttributes['business.platform'] AS Platform,
    SpanAttributes['business.connection'] AS Connection,
    toDecimal128OrNull(SpanAttributes['business.amount'], 6) AS Amount,
    SpanAttributes['business.currency'] AS Currency,
    SpanAttributes['business.customer'] AS Customer,
    SpanAttributes['business.entity'] AS Entity,
    SpanAttributes['business.region'] AS Region,
    SpanAttributes['business.service_line'] AS ServiceLine,
    if(SpanAttributes['business.time.precision'] = '', 'exact', SpanAttributes['business.time.precision']) AS TimePrecision,
    toDate32OrNull(substring(SpanAttributes['business.accounting_date'], 1, 10)) AS AccountingDate,
    SpanAttributes['business.exception.class'] AS ExceptionClass,
    SpanAttributes['business.exception.code'] AS ExceptionCode,
    multiIf(StatusMessage != '', StatusMessage,
        SpanAttributes['exception.message'] != '', SpanAttributes['exception.message'],
        arrayFirst(x -> x != '', arrayMap(m -> m['exception.message'], Events.Attributes))) AS ExceptionMessage,
    SpanAttributes['business.run.id'] AS RunId,
    SpanAttributes['business.run.url'] AS RunUrl,
    SpanAttributes['business.idempotency_key'] AS IdempotencyKey,
    SpanAttributes['business.payload.ref'] AS PayloadRef,
    SpanAttributes['business.replay.id'] AS ReplayId,
    SpanAttributes AS Attributes
FROM otel_traces
WHERE arrayExists(k -> startsWith(k, 'business.key.') OR k IN ('business.event', 'business.link', 'business.link.cut'),
    mapKeys(SpanAttributes));

CREATE MATERIALIZED VIEW IF NOT EXISTS otel_logs_to_business_events TO business_events AS
WITH
    ((tenant, trace) -> sipHash64(tenant, trace)) AS trace_id,
    ((tenant, trace, span) -> reinterpretAsUInt128(sipHash128('span', tenant, trace, span))) AS span_id,
    (v -> if(startsWith(v, '[') AND isValidJSON(v), JSONExtract(v, 'Array(String)'), [v])) AS several,
    ((m, prefix) -> arraySort(arrayDistinct(arrayFlatten(arrayMap((k, v) -> arrayMap(
        x -> (substring(k, length(prefix) + 1), trim(BOTH ' \t\r\n' FROM x)), several(v)),
        mapKeys(mapFilter((k, v) -> startsWith(k, prefix) AND length(k) > length(prefix), m)),
        mapValues(mapFilter((k, v) -> startsWith(k, prefix) AND length(k) > length(prefix), m))))))) AS keys_of,
    sipHash64(Timestamp, TraceId, SpanId, TraceFlags, SeverityText, SeverityNumber, ServiceName, Body,
        mapSort(ResourceAttributes), ScopeName, ScopeVersion, mapSort(ScopeAttributes), mapSort(LogAttributes),
        EventName) AS content
SELECT
    Tenant,
    multiIf(
        ScopeName = 'throughline.cloudevents', reinterpretAsUInt128(sipHash128('ce', Tenant,
            LogAttributes['cloudevents.event_source'], LogAttributes['cloudevents.event_id'])),
        LogAttributes['business.event.id'] != '',
            reinterpretAsUInt128(sipHash128('id', Tenant, LogAttributes['business.event.id'])),
        reinterpretAsUInt128(sipHash128('log', Tenant, Timestamp, TraceId, SpanId, TraceFlags, SeverityText,
            SeverityNumber, ServiceName, Body, mapSort(ResourceAttributes), ScopeName, ScopeVersion,
            mapSort(ScopeAttributes), mapSort(LogAttributes), EventName))) AS EventId,
    content AS ContentHash,
    Timestamp AS Time,
    ReceivedAt,
    IngestedAt,
    Segment,
    Request,
    if(ScopeName = 'throughline.cloudevents', 'cloudevent', 'log') AS Source,
    TraceId,
    SpanId,
    ServiceName,
    if(TraceId = '' OR SpanId = '', [], [(trace_id(Tenant, TraceId), span_id(Tenant, TraceId, SpanId))]) AS Parents,
    multiIf(LogAttributes['business.event'] != '', LogAttributes['business.event'],
        arrayExists(k -> startsWith(k, 'business.key.'), mapKeys(LogAttributes)), EventName, '') AS Event,
    keys_of(LogAttributes, 'business.key.') AS Keys,
    keys_of(LogAttributes, 'business.context.key.') AS ContextKeys,
    LogAttributes['business.subject'] AS Subject,
    arrayFilter(x -> x != '', several(LogAttributes['business.link'])) AS Links,
    arrayFilter(x -> x != '', several(LogAttributes['business.link.cut'])) AS Cuts,
    SeverityNumber >= 17 AS Failed,
    LogAttributes['business.system'] AS System,
    LogAttributes['business.platform'] AS Platform,
    LogAttributes['business.connection'] AS Connection,
    toDecimal128OrNull(LogAttributes['business.amount'], 6) AS Amount,
    LogAttributes['business.currency'] AS Currency,
    LogAttributes['business.customer'] AS Customer,
    LogAttributes['business.entity'] AS Entity,
    LogAttributes['business.region'] AS Region,
    LogAttributes['business.service_line'] AS ServiceLine,
    if(LogAttributes['business.time.precision'] = '', 'exact', LogAttributes['business.time.precision']) AS TimePrecision,
    toDate32OrNull(substring(LogAttributes['business.accounting_date'], 1, 10)) AS AccountingDate,
    LogAttributes['business.exception.class'] AS ExceptionClass,
    LogAttributes['business.exception.code'] AS ExceptionCode,
    multiIf(LogAttributes['exception.message'] != '', LogAttributes['exception.message'],
        SeverityNumber >= 17, Body, '') AS ExceptionMessage,
    LogAttributes['business.run.id'] AS RunId,
    LogAttributes['business.run.url'] AS RunUrl,
    LogAttributes['business.idempotency_key'] AS IdempotencyKey,
    LogAttributes['business.payload.ref'] AS PayloadRef,
    LogAttributes['business.replay.id'] AS ReplayId,
    LogAttributes AS Attributes
FROM otel_logs
WHERE arrayExists(k -> startsWith(k, 'business.key.') OR k IN ('business.event', 'business.link', 'business.link.cut'),
    mapKeys(LogAttributes));

CREATE MATERIALIZED VIEW IF NOT EXISTS otel_traces_to_span_edges TO span_edges AS
WITH
    ((tenant, trace) -> sipHash64(tenant, trace)) AS trace_id,
    ((tenant, trace, span) -> reinterpretAsUInt128(sipHash128('span', tenant, trace, span))) AS span_id
SELECT
    Tenant,
    trace_id(Tenant, TraceId) AS Trace,
    span_id(Tenant, TraceId, SpanId) AS Span,
    multiIf(
        notEmpty(Links.TraceId), arraySort(arrayDistinct(arrayConcat(
            if(ParentSpanId = '', [], [(trace_id(Tenant, TraceId), span_id(Tenant, TraceId, ParentSpanId))]),
            arrayMap((t, s) -> (trace_id(Tenant, t), span_id(Tenant, t, s)), Links.TraceId, Links.SpanId)))),
        ParentSpanId = '', [],
        [(trace_id(Tenant, TraceId), span_id(Tenant, TraceId, ParentSpanId))]) AS Parents,
    -- The condition of otel_traces_to_business_events: this row may be visible before that view's.
    arrayExists(k -> startsWith(k, 'business.key.') OR k IN ('business.event', 'business.link', 'business.link.cut'),
        mapKeys(SpanAttributes)) AS IsEvent,
    IngestedAt
FROM otel_traces
WHERE TraceId != '' AND SpanId != '';

CREATE MATERIALIZED VIEW IF NOT EXISTS span_edges_to_trace_inbox TO trace_inbox AS
SELECT Tenant, max(IngestedAt) AS IngestedAt, Trace
FROM span_edges
GROUP BY Tenant, Trace;

CREATE MATERIALIZED VIEW IF NOT EXISTS business_events_to_event_inbox TO event_inbox AS
SELECT Tenant, IngestedAt, EventId, ContentHash
FROM business_events;

CREATE MATERIALIZED VIEW IF NOT EXISTS otel_traces_trace_id_ts_mv TO otel_traces_trace_id_ts AS
SELECT Tenant, TraceId, min(Timestamp) AS Start, max(Timestamp) AS End
FROM otel_traces
WHERE TraceId != ''
GROUP BY Tenant, TraceId;
