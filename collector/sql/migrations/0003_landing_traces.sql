-- Landing of OTLP traces: the engine decodes the spool's envelopes itself (FORMAT Protobuf, ../otlp.proto); nothing is
-- stored here, views fill the raw table. Views use total functions only: one that throws would leave partial rows.

CREATE TABLE IF NOT EXISTS landing_traces (
    request Tuple(resource_spans Array(Tuple(
        resource Tuple(attributes Array(Tuple(key String, value Tuple(
            string_value String, bool_value Bool, int_value Int64, double_value Float64, bytes_value String,
            array_value Tuple(values Array(Tuple(string_value String, bool_value Bool, int_value Int64, double_value Float64, bytes_value String, value Enum8('none' = 0, 'string' = 1, 'bool' = 2, 'int' = 3, 'double' = 4, 'bytes' = 7)))),
            kvlist_value Tuple(values Array(Tuple(key String, value Tuple(string_value String, bool_value Bool, int_value Int64, double_value Float64, bytes_value String, value Enum8('none' = 0, 'string' = 1, 'bool' = 2, 'int' = 3, 'double' = 4, 'bytes' = 7))))),
            value Enum8('none' = 0, 'string' = 1, 'bool' = 2, 'int' = 3, 'double' = 4, 'array' = 5, 'map' = 6, 'bytes' = 7))))),
        scope_spans Array(Tuple(
            scope Tuple(name String, version String),
            spans Array(Tuple(
                trace_id String, span_id String, trace_state String, parent_span_id String, name String, kind Int32,
                start_time_unix_nano UInt64, end_time_unix_nano UInt64,
                attributes Array(Tuple(key String, value Tuple(
                    string_value String, bool_value Bool, int_value Int64, double_value Float64, bytes_value String,
                    array_value Tuple(values Array(Tuple(string_value String, bool_value Bool, int_value Int64, double_value Float64, bytes_value String, value Enum8('none' = 0, 'string' = 1, 'bool' = 2, 'int' = 3, 'double' = 4, 'bytes' = 7)))),
                    kvlist_value Tuple(values Array(Tuple(key String, value Tuple(string_value String, bool_value Bool, int_value Int64, double_value Float64, bytes_value String, value Enum8('none' = 0, 'string' = 1, 'bool' = 2, 'int' = 3, 'double' = 4, 'bytes' = 7))))),
                    value Enum8('none' = 0, 'string' = 1, 'bool' = 2, 'int' = 3, 'double' = 4, 'array' = 5, 'map' = 6, 'bytes' = 7)))),
                events Array(Tuple(time_unix_nano UInt64, name String, attributes Array(Tuple(key String, value Tuple(
                    string_value String, bool_value Bool, int_value Int64, double_value Float64, bytes_value String,
                    array_value Tuple(values Array(Tuple(string_value String, bool_value Bool, int_value Int64, double_value Float64, bytes_value String, value Enum8('none' = 0, 'string' = 1, 'bool' = 2, 'int' = 3, 'double' = 4, 'bytes' = 7)))),
                    kvlist_value Tuple(values Array(Tuple(key String, value Tuple(string_value String, bool_value Bool, int_value Int64, double_value Float64, bytes_value String, value Enum8('none' = 0, 'string' = 1, 'bool' = 2, 'int' = 3, 'double' = 4, 'bytes' = 7))))),
                    value Enum8('none' = 0, 'string' = 1, 'bool' = 2, 'int' = 3, 'double' = 4, 'array' = 5, 'map' = 6, 'bytes' = 7)))))),
                links Array(Tuple(trace_id String, span_id String, trace_state String, attributes Array(Tuple(key String, value Tuple(
                    string_value String, bool_value Bool, int_value Int64, double_value Float64, bytes_value String,
                    array_value Tuple(values Array(Tuple(string_value String, bool_value Bool, int_value Int64, double_value Float64, bytes_value String, value Enum8('none' = 0, 'string' = 1, 'bool' = 2, 'int' = 3, 'double' = 4, 'bytes' = 7)))),
                    kvlist_value Tuple(values Array(Tuple(key String, value Tuple(string_value String, bool_value Bool, int_value Int64, double_value Float64, bytes_value String, value Enum8('none' = 0, 'string' = 1, 'bool' = 2, 'int' = 3, 'double' = 4, 'bytes' = 7))))),
                    value Enum8('none' = 0, 'string' = 1, 'bool' = 2, 'int' = 3, 'double' = 4, 'array' = 5, 'map' = 6, 'bytes' = 7)))))),
                status Tuple(message String, code Int32)))))))),
    tenant LowCardinality(String), segment LowCardinality(String), number UInt32, received_unix_nano UInt64
) ENGINE = Null;

-- Decoded once; what is sane is stored, the rest is kept as dead letters.
CREATE TABLE IF NOT EXISTS decoded_traces AS otel_traces ENGINE = Null;

CREATE MATERIALIZED VIEW IF NOT EXISTS landing_traces_to_decoded_traces TO decoded_traces AS
WITH
    -- How Go prints a float64 (encoding/json); what is no number as pcommon.Value.AsString prints it.
    (d -> if(isFinite(d), replaceRegexpOne(toString(d), 'e(\\d)', 'e+\\1'), concat('json: unsupported value: ',
        transform(toString(d), ['nan', 'inf', '-inf'], ['NaN', '+Inf', '-Inf'])))) AS go_double,
    (v -> multiIf(v.value = 'int', toString(v.int_value), v.value = 'double', go_double(v.double_value),
        v.value = 'bool', if(v.bool_value, 'true', 'false'), 'null')) AS number_text,
    -- Of equal keys the last counts; keys sorted.
    (a -> arraySort(arrayFilter((x, n) -> n = 1, arrayReverse(arrayMap(x -> (x.key, x.value), a)),
        arrayEnumerateUniq(arrayReverse(a.key))))) AS members_of_map,
    -- JSON as Go writes it: '/' as it is, '<', '>' and '&' escaped; empty if a member is NaN or infinite.
    ((open, members, close) -> if(arrayExists(y -> not isFinite(y.2.double_value), members), '',
        replaceAll(replaceAll(replaceAll(replaceAll(concat(open, arrayStringConcat(arrayMap(y -> concat(
            if(open = '{', concat(toJSONString(y.1), ':'), ''),
            multiIf(y.2.value = 'string', toJSONString(y.2.string_value),
                y.2.value = 'bytes', concat('"', base64Encode(y.2.bytes_value), '"'), number_text(y.2))),
            members), ','), close), '\\/', '/'), '<', '\\u003c'), '>', '\\u003e'), '&', '\\u0026'))) AS json_text,
    (v -> multiIf(v.value = 'string', v.string_value, v.value = 'bytes', base64Encode(v.bytes_value),
        v.value = 'none', '',
        v.value >= 'array' AND v.value <= 'map', json_text(if(v.value = 'array', '[', '{'),
            if(v.value = 'array', arrayMap(m -> ('', m), v.array_value.values),
                members_of_map(v.kvlist_value.values)), if(v.value = 'array', ']', '}')),
        number_text(v))) AS value_text,
    -- Any value, the last of equal keys: right for all, several times slower.
    (a -> CAST(arrayReverse(arrayFilter((p, n) -> n = 1, arrayReverse(arrayMap(p -> (p.key, value_text(p.value)), a)),
        arrayEnumerateUniq(arrayReverse(a.key)))), 'Map(LowCardinality(String), String)')) AS any_map,
    -- Distinct keys, plain scalars: no branch per value.
    (a -> mapFromArrays(CAST(a.key, 'Array(LowCardinality(String))'), arrayMap(v -> concat(v.string_value,
        repeat(toString(v.int_value), v.value = 'int'), repeat(toString(v.double_value), v.value = 'double'),
        repeat('true', v.bool_value), repeat('false', (v.value = 'bool') > v.bool_value)), a.value))) AS plain_map,
    (a -> if((arrayUniq(a.key) != length(a.key))
        OR arrayExists(v -> bitOr(v.value >= 'array', not (abs(v.double_value) < 1e21)), a.value),
        any_map(a), plain_map(a))) AS attributes,
    (i -> if(i = repeat('\0', length(i)), '', lower(hex(i)))) AS hex_id
SELECT
    fromUnixTimestamp64Nano(toInt64(span.start_time_unix_nano)) AS Timestamp,
    hex_id(span.trace_id) AS TraceId,
    hex_id(span.span_id) AS SpanId,
    hex_id(span.parent_span_id) AS ParentSpanId,
    span.trace_state AS TraceState,
    span.name AS SpanName,
    ['Unspecified', 'Internal', 'Server', 'Client', 'Producer', 'Consumer'][span.kind + 1] AS SpanKind,
    resource_attributes['service.name'] AS ServiceName,
    resource_attributes AS ResourceAttributes,
    scope_name AS ScopeName,
    scope_version AS ScopeVersion,
    attributes(span.attributes) AS SpanAttributes,
    if(span.end_time_unix_nano > span.start_time_unix_nano,
        span.end_time_unix_nano - span.start_time_unix_nano, 0) AS Duration,
    ['Unset', 'Ok', 'Error'][span.status.code + 1] AS StatusCode,
    span.status.message AS StatusMessage,
    arrayMap(t -> fromUnixTimestamp64Nano(toInt64(t)), span.events.time_unix_nano) AS `Events.Timestamp`,
    span.events.name AS `Events.Name`,
    arraySlice(arrayMap(a -> attributes(a), arrayConcat(span.events.attributes, span.links.attributes))
        AS attributes_within, 1, length(span.events.name)) AS `Events.Attributes`,
    arrayMap(i -> hex_id(i), span.links.trace_id) AS `Links.TraceId`,
    arrayMap(i -> hex_id(i), span.links.span_id) AS `Links.SpanId`,
    span.links.trace_state AS `Links.TraceState`,
    arraySlice(attributes_within, length(span.events.name) + 1) AS `Links.Attributes`,
    tenant AS Tenant,
    fromUnixTimestamp64Nano(toInt64(received_unix_nano)) AS ReceivedAt,
    segment AS Segment,
    number AS Request
FROM (
    SELECT tenant, segment, number, received_unix_nano, resource_attributes, scope.scope.name AS scope_name,
        scope.scope.version AS scope_version, arrayJoin(scope.spans) AS span
    FROM (
        SELECT tenant, segment, number, received_unix_nano,
            attributes(resource_spans.resource.attributes) AS resource_attributes,
            arrayJoin(resource_spans.scope_spans) AS scope
        FROM (
            SELECT tenant, segment, number, received_unix_nano, arrayJoin(request.resource_spans) AS resource_spans
            FROM landing_traces
        )
    )
);

CREATE MATERIALIZED VIEW IF NOT EXISTS decoded_traces_to_otel_traces TO otel_traces AS
SELECT *
FROM decoded_traces
WHERE toUnixTimestamp64Nano(Timestamp) >= 631152000000000000
    AND toUnixTimestamp64Nano(Timestamp) <= toUnixTimestamp64Micro(ReceivedAt) * 1000 + 86400000000000;

CREATE MATERIALIZED VIEW IF NOT EXISTS landing_traces_to_received TO received_requests AS
SELECT
    tenant AS Tenant,
    'traces' AS Signal,
    segment AS Segment,
    number AS Request,
    arraySum(r -> arraySum(s -> length(s.spans), r.scope_spans), request.resource_spans) AS Items,
    fromUnixTimestamp64Nano(toInt64(received_unix_nano)) AS ReceivedAt
FROM landing_traces;

CREATE MATERIALIZED VIEW IF NOT EXISTS decoded_traces_to_dead_letters TO dead_letters AS
SELECT
    Tenant,
    reinterpretAsUInt128(sipHash128('dead', Segment, Request, TraceId, SpanId, Body)) AS Id,
    ReceivedAt,
    'traces' AS Signal,
    Segment,
    Request,
    1 AS Items,
    'timestamp' AS Reason,
    concat('the span starts at ', toString(toUInt64(toUnixTimestamp64Nano(Timestamp))),
        ' ns since 1970: before 1990 or more than a day after it was received') AS Detail,
    toJSONString(tuple(TraceId, SpanId, ParentSpanId, SpanName, toUInt64(toUnixTimestamp64Nano(Timestamp)), Duration,
        StatusCode, StatusMessage, SpanAttributes, ResourceAttributes)::Tuple(trace_id String, span_id String,
        parent_span_id String, name String, start_time_unix_nano UInt64, duration UInt64, status_code String,
        status_message String, attributes Map(String, String), resource Map(String, String))) AS Body
FROM decoded_traces
WHERE NOT (toUnixTimestamp64Nano(Timestamp) >= 631152000000000000
    AND toUnixTimestamp64Nano(Timestamp) <= toUnixTimestamp64Micro(ReceivedAt) * 1000 + 86400000000000);
