multiIf(ServiceName IN ('shop', 'o\'shop') AND SpanKind IN ('Server', 'Consumer') AND StatusCode IN ('Ok') AND ScopeName LIKE 'com.example.\x25' AND match(SpanName, '^POST /orders') AND SpanAttributes['order.id'] != '' AND SpanAttributes['it\'s'] = '100\x25' AND ResourceAttributes['deployment.environment'] = 'prod', 1, ServiceName = 'shop', 2, 0);

SELECT * REPLACE (bitShiftLeft(least(bitShiftRight(ContentHash, 24) + 1, 1099511627775), 24) + 1 AS ContentHash)
FROM (
WITH
    ((tenant, trace) -> sipHash64(tenant, trace)) AS trace_id,
    ((tenant, trace, span) -> reinterpretAsUInt128(sipHash128('span', tenant, trace, span))) AS span_id,

    (v -> if(startsWith(v, '[') AND isValidJSON(v), JSONExtract(v, 'Array(String)'), [v])) AS several,
    ((m, prefix) -> arraySort(arrayDistinct(arrayFlatten(arrayMap((k, v) -> arrayMap(
        x -> (substring(k, length(prefix) + 1), trim(BOTH ' \t\r\n' FROM x)), several(v)),
        mapKeys(mapFilter((k, v) -> startsWith(k, prefix) AND length(k) > length(prefix), m)),
        mapValues(mapFilter((k, v) -> startsWith(k, prefix) AND length(k) > length(prefix), m))))))) AS keys_of
SELECT
    Tenant,
    span_id(Tenant, TraceId, SpanId) AS EventId,
    sipHash64(Timestamp, ParentSpanId, TraceState, SpanName, SpanKind, ServiceName, mapSort(ResourceAttributes), ScopeName,
        ScopeVersion, mapSort(OwnAttributes), Duration, StatusCode, StatusMessage, Events.Timestamp, Events.Name,
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
FROM (
SELECT * REPLACE (mapUpdate(OwnAttributes, CAST(mapFilter((k, v) -> v != '' AND OwnAttributes[k] = '', map(
    'business.mapping', 'everything/by-attribute',
    'business.event', 'order.placed',
    'business.amount', JSONExtract(coalesce(nullIf(OwnAttributes['payload'], ''), ''), 'total', 'amount', 'String'),
    'business.currency', coalesce(nullIf(upperUTF8(OwnAttributes['currency']), ''), 'EUR'),
    'business.region', transform(OwnAttributes['country'], ['DE', 'US'], ['EMEA', 'AMER'], ''),
    'business.key.shop.order', OwnAttributes['order.id'],
    'business.key.shop.item', if(empty(arrayDistinct(arrayFilter(x -> x != '', arrayMap(x -> trimBoth(x), splitByString(',', coalesce(nullIf(OwnAttributes['items'], ''), nullIf(OwnAttributes['item'], ''), '')))))), '', toJSONString(arrayDistinct(arrayFilter(x -> x != '', arrayMap(x -> trimBoth(x), splitByString(',', coalesce(nullIf(OwnAttributes['items'], ''), nullIf(OwnAttributes['item'], ''), ''))))))),
    'business.context.key.shop.cart', extract(OwnAttributes['baggage'], 'cart=([^\x3b]+)'),
    'business.exception.class', 'remote',
    'business.exception.code', OwnAttributes['http.status'],
    'business.run.id', TraceId,
    'billing_schedule', if(OwnAttributes['plan'] = '' OR ResourceAttributes['cluster'] = '', '', arrayStringConcat([OwnAttributes['plan'], ResourceAttributes['cluster']], '-')),
    'business.subject', 'shop.order',
    'business.link', if(empty(arrayFilter(x -> x != '', arrayConcat([if(OwnAttributes['order.id'] = '' OR OwnAttributes['item'] = '', '', concat('shop.order:', OwnAttributes['order.id'], '>shop.item:', OwnAttributes['item']))]))), '', toJSONString(arrayFilter(x -> x != '', arrayConcat([if(OwnAttributes['order.id'] = '' OR OwnAttributes['item'] = '', '', concat('shop.order:', OwnAttributes['order.id'], '>shop.item:', OwnAttributes['item']))]))))
)), 'Map(LowCardinality(String), String)')) AS SpanAttributes)
FROM (
SELECT *, SpanAttributes AS OwnAttributes
FROM otel_traces
WHERE Tenant = 'acme'
  AND ServiceName IN ('shop', 'o\'shop') AND SpanKind IN ('Server', 'Consumer') AND StatusCode IN ('Ok') AND ScopeName LIKE 'com.example.\x25' AND match(SpanName, '^POST /orders') AND SpanAttributes['order.id'] != '' AND SpanAttributes['it\'s'] = '100\x25' AND ResourceAttributes['deployment.environment'] = 'prod'
)
) AS otel_traces
WHERE arrayExists(k -> startsWith(k, 'business.key.') OR k IN ('business.event', 'business.link', 'business.link.cut'),
    mapKeys(SpanAttributes))
);

SELECT * REPLACE (bitShiftLeft(least(bitShiftRight(ContentHash, 24) + 1, 1099511627775), 24) + 3 AS ContentHash)
FROM (
WITH
    ((tenant, trace) -> sipHash64(tenant, trace)) AS trace_id,
    ((tenant, trace, span) -> reinterpretAsUInt128(sipHash128('span', tenant, trace, span))) AS span_id,

    (v -> if(startsWith(v, '[') AND isValidJSON(v), JSONExtract(v, 'Array(String)'), [v])) AS several,
    ((m, prefix) -> arraySort(arrayDistinct(arrayFlatten(arrayMap((k, v) -> arrayMap(
        x -> (substring(k, length(prefix) + 1), trim(BOTH ' \t\r\n' FROM x)), several(v)),
        mapKeys(mapFilter((k, v) -> startsWith(k, prefix) AND length(k) > length(prefix), m)),
        mapValues(mapFilter((k, v) -> startsWith(k, prefix) AND length(k) > length(prefix), m))))))) AS keys_of
SELECT
    Tenant,
    span_id(Tenant, TraceId, SpanId) AS EventId,
    sipHash64(Timestamp, ParentSpanId, TraceState, SpanName, SpanKind, ServiceName, mapSort(ResourceAttributes), ScopeName,
        ScopeVersion, mapSort(OwnAttributes), Duration, StatusCode, StatusMessage, Events.Timestamp, Events.Name,
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
FROM (
SELECT * REPLACE (mapUpdate(OwnAttributes, CAST(mapFilter((k, v) -> v != '' AND OwnAttributes[k] = '', map(
    'business.mapping', 'everything/second',
    'business.event', 'shop.seen'
)), 'Map(LowCardinality(String), String)')) AS SpanAttributes)
FROM (
SELECT *, SpanAttributes AS OwnAttributes
FROM otel_traces
WHERE 1
  AND ServiceName = 'shop'
  AND multiIf(ServiceName IN ('shop', 'o\'shop') AND SpanKind IN ('Server', 'Consumer') AND StatusCode IN ('Ok') AND ScopeName LIKE 'com.example.\x25' AND match(SpanName, '^POST /orders') AND SpanAttributes['order.id'] != '' AND SpanAttributes['it\'s'] = '100\x25' AND ResourceAttributes['deployment.environment'] = 'prod', 1, 0) = 0
)
) AS otel_traces
WHERE arrayExists(k -> startsWith(k, 'business.key.') OR k IN ('business.event', 'business.link', 'business.link.cut'),
    mapKeys(SpanAttributes))
);

SELECT * REPLACE (bitShiftLeft(least(bitShiftRight(ContentHash, 24) + 1, 1099511627775), 24) + 2 AS ContentHash)
FROM (
WITH
    ((tenant, trace) -> sipHash64(tenant, trace)) AS trace_id,
    ((tenant, trace, span) -> reinterpretAsUInt128(sipHash128('span', tenant, trace, span))) AS span_id,
    (v -> if(startsWith(v, '[') AND isValidJSON(v), JSONExtract(v, 'Array(String)'), [v])) AS several,
    ((m, prefix) -> arraySort(arrayDistinct(arrayFlatten(arrayMap((k, v) -> arrayMap(
        x -> (substring(k, length(prefix) + 1), trim(BOTH ' \t\r\n' FROM x)), several(v)),
        mapKeys(mapFilter((k, v) -> startsWith(k, prefix) AND length(k) > length(prefix), m)),
        mapValues(mapFilter((k, v) -> startsWith(k, prefix) AND length(k) > length(prefix), m))))))) AS keys_of,
    sipHash64(Timestamp, TraceId, SpanId, TraceFlags, SeverityText, SeverityNumber, ServiceName, Body,
        mapSort(ResourceAttributes), ScopeName, ScopeVersion, mapSort(ScopeAttributes), mapSort(OwnAttributes),
        EventName) AS content
SELECT
    Tenant,
    multiIf(
        ScopeName = 'throughline.cloudevents', reinterpretAsUInt128(sipHash128('ce', Tenant,
            LogAttributes['cloudevents.event_source'], LogAttributes['cloudevents.event_id'])),
        OwnAttributes['business.event.id'] != '',
            reinterpretAsUInt128(sipHash128('id', Tenant, OwnAttributes['business.event.id'])),
        reinterpretAsUInt128(sipHash128('log', Tenant, Timestamp, TraceId, SpanId, TraceFlags, SeverityText,
            SeverityNumber, ServiceName, Body, mapSort(ResourceAttributes), ScopeName, ScopeVersion,
            mapSort(ScopeAttributes), mapSort(OwnAttributes), EventName))) AS EventId,
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
FROM (
SELECT * REPLACE (mapUpdate(OwnAttributes, CAST(mapFilter((k, v) -> v != '' AND OwnAttributes[k] = '', map(
    'business.mapping', 'everything/by-log',
    'business.key.shop.item', if(empty(arrayDistinct(arrayFilter(x -> x != '', arrayMap(e -> JSONExtract(e, 'id', 'String'), JSONExtractArrayRaw(coalesce(nullIf(Body, ''), ''), 'items'))))), '', toJSONString(arrayDistinct(arrayFilter(x -> x != '', arrayMap(e -> JSONExtract(e, 'id', 'String'), JSONExtractArrayRaw(coalesce(nullIf(Body, ''), ''), 'items'))))))
)), 'Map(LowCardinality(String), String)')) AS LogAttributes)
FROM (
SELECT *, LogAttributes AS OwnAttributes
FROM otel_logs
WHERE 1
  AND EventName LIKE 'order-_\\_\x25' AND SeverityNumber >= 13 AND match(Body, 'paid')
)
) AS otel_logs
WHERE arrayExists(k -> startsWith(k, 'business.key.') OR k IN ('business.event', 'business.link', 'business.link.cut'),
    mapKeys(LogAttributes))
);
