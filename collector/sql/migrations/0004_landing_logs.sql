-- Landing of OTLP logs and of CloudEvents, which the edge writes as log records: the engine decodes the spool's envelopes itself (FORMAT Protobuf, ../otlp.proto); nothing is
-- stored here, views fill the raw table. Views use total functions only: one that throws would leave partial rows.

CREATE TABLE IF NOT EXISTS landing_logs (
    request Tuple(resource_logs Array(Tuple(
        resource Tuple(attributes Array(Tuple(key String, value Tuple(
            string_value String, bool_value Bool, int_value Int64, double_value Float64, bytes_value String,
            array_value Tuple(values Array(Tuple(string_value String, bool_value Bool, int_value Int64, double_value Float64, bytes_value String, value Enum8('none' = 0, 'string' = 1, 'bool' = 2, 'int' = 3, 'double' = 4, 'bytes' = 7)))),
            kvlist_value Tuple(values Array(Tuple(key String, value Tuple(string_value String, bool_value Bool, int_value Int64, double_value Float64, bytes_value String, value Enum8('none' = 0, 'string' = 1, 'bool' = 2, 'int' = 3, 'double' = 4, 'bytes' = 7))))),
            value Enum8('none' = 0, 'string' = 1, 'bool' = 2, 'int' = 3, 'double' = 4, 'array' = 5, 'map' = 6, 'bytes' = 7))))),
        scope_logs Array(Tuple(
            scope Tuple(name String, version String, attributes Array(Tuple(key String, value Tuple(
                string_value String, bool_value Bool, int_value Int64, double_value Float64, bytes_value String,
                array_value Tuple(values Array(Tuple(string_value String, bool_value Bool, int_value Int64, double_value Float64, bytes_value String, value Enum8('none' = 0, 'string' = 1, 'bool' = 2, 'int' = 3, 'double' = 4, 'bytes' = 7)))),
                kvlist_value Tuple(values Array(Tuple(key String, value Tuple(string_value String, bool_value Bool, int_value Int64, double_value Float64, bytes_value String, value Enum8('none' = 0, 'string' = 1, 'bool' = 2, 'int' = 3, 'double' = 4, 'bytes' = 7))))),
                value Enum8('none' = 0, 'string' = 1, 'bool' = 2, 'int' = 3, 'double' = 4, 'array' = 5, 'map' = 6, 'bytes' = 7))))),
            log_records Array(Tuple(
                time_unix_nano UInt64, observed_time_unix_nano UInt64, severity_number Int32, severity_text String,
                body Tuple(
                    string_value String, bool_value Bool, int_value Int64, double_value Float64, bytes_value String,
                    array_value Tuple(values Array(Tuple(string_value String, bool_value Bool, int_value Int64, double_value Float64, bytes_value String, value Enum8('none' = 0, 'string' = 1, 'bool' = 2, 'int' = 3, 'double' = 4, 'bytes' = 7)))),
                    kvlist_value Tuple(values Array(Tuple(key String, value Tuple(string_value String, bool_value Bool, int_value Int64, double_value Float64, bytes_value String, value Enum8('none' = 0, 'string' = 1, 'bool' = 2, 'int' = 3, 'double' = 4, 'bytes' = 7))))),
                    value Enum8('none' = 0, 'string' = 1, 'bool' = 2, 'int' = 3, 'double' = 4, 'array' = 5, 'map' = 6, 'bytes' = 7)),
                attributes Array(Tuple(key String, value Tuple(
                    string_value String, bool_value Bool, int_value Int64, double_value Float64, bytes_value String,
                    array_value Tuple(values Array(Tuple(string_value String, bool_value Bool, int_value Int64, double_value Float64, bytes_value String, value Enum8('none' = 0, 'string' = 1, 'bool' = 2, 'int' = 3, 'double' = 4, 'bytes' = 7)))),
                    kvlist_value Tuple(values Array(Tuple(key String, value Tuple(string_value String, bool_value Bool, int_value Int64, double_value Float64, bytes_value String, value Enum8('none' = 0, 'string' = 1, 'bool' = 2, 'int' = 3, 'double' = 4, 'bytes' = 7))))),
                    value Enum8('none' = 0, 'string' = 1, 'bool' = 2, 'int' = 3, 'double' = 4, 'array' = 5, 'map' = 6, 'bytes' = 7)))),
                flags UInt32, trace_id String, span_id String, event_name String)),
            schema_url String)),
        schema_url String))),
    tenant LowCardinality(String), segment LowCardinality(String), number UInt32, received_unix_nano UInt64
) ENGINE = Null;

-- A record without a time happened when it was observed, and without that when it was received (OTLP, and the exporter).
CREATE TABLE IF NOT EXISTS decoded_logs AS otel_logs ENGINE = Null;

CREATE MATERIALIZED VIEW IF NOT EXISTS landing_logs_to_decoded_logs TO decoded_logs AS
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
    fromUnixTimestamp64Nano(toInt64(happened)) AS Timestamp,
    hex_id(record.trace_id) AS TraceId,
    hex_id(record.span_id) AS SpanId,
    toUInt8(bitAnd(record.flags, 255)) AS TraceFlags,
    record.severity_text AS SeverityText,
    toUInt8(bitAnd(record.severity_number, 255)) AS SeverityNumber,
    resource_attributes['service.name'] AS ServiceName,
    value_text(record.body) AS Body,
    resource_schema_url AS ResourceSchemaUrl,
    resource_attributes AS ResourceAttributes,
    scope_schema_url AS ScopeSchemaUrl,
    scope_name AS ScopeName,
    scope_version AS ScopeVersion,
    scope_attributes AS ScopeAttributes,
    attributes(record.attributes) AS LogAttributes,
    record.event_name AS EventName,
    tenant AS Tenant,
    fromUnixTimestamp64Nano(toInt64(received_unix_nano)) AS ReceivedAt,
    segment AS Segment,
    number AS Request
FROM (
    SELECT tenant, segment, number, received_unix_nano, resource_attributes, resource_schema_url,
        scope.scope.name AS scope_name, scope.scope.version AS scope_version, scope.schema_url AS scope_schema_url,
        attributes(scope.scope.attributes) AS scope_attributes, arrayJoin(scope.log_records) AS record,
        multiIf(record.time_unix_nano > 0, record.time_unix_nano, record.observed_time_unix_nano > 0,
            record.observed_time_unix_nano, received_unix_nano) AS happened
    FROM (
        SELECT tenant, segment, number, received_unix_nano, resource_logs.schema_url AS resource_schema_url,
            attributes(resource_logs.resource.attributes) AS resource_attributes,
            arrayJoin(resource_logs.scope_logs) AS scope
        FROM (
            SELECT tenant, segment, number, received_unix_nano, arrayJoin(request.resource_logs) AS resource_logs
            FROM landing_logs
        )
    )
);

CREATE MATERIALIZED VIEW IF NOT EXISTS decoded_logs_to_otel_logs TO otel_logs AS
SELECT *
FROM decoded_logs
WHERE toUnixTimestamp64Nano(Timestamp) >= 631152000000000000
    AND toUnixTimestamp64Nano(Timestamp) <= toUnixTimestamp64Micro(ReceivedAt) * 1000 + 86400000000000;

CREATE MATERIALIZED VIEW IF NOT EXISTS landing_logs_to_received TO received_requests AS
SELECT
    tenant AS Tenant,
    if(startsWith(segment, 'events-'), 'events', 'logs') AS Signal,
    segment AS Segment,
    number AS Request,
    arraySum(r -> arraySum(s -> length(s.log_records), r.scope_logs), request.resource_logs) AS Items,
    fromUnixTimestamp64Nano(toInt64(received_unix_nano)) AS ReceivedAt
FROM landing_logs;

CREATE MATERIALIZED VIEW IF NOT EXISTS decoded_logs_to_dead_letters TO dead_letters AS
SELECT
    Tenant,
    reinterpretAsUInt128(sipHash128('dead', Segment, Request, decoded_logs.Body, Body)) AS Id,
    ReceivedAt,
    if(startsWith(Segment, 'events-'), 'events', 'logs') AS Signal,
    Segment,
    Request,
    1 AS Items,
    'timestamp' AS Reason,
    concat('the record happened at ', toString(toUInt64(toUnixTimestamp64Nano(Timestamp))),
        ' ns since 1970: before 1990 or more than a day after it was received') AS Detail,
    toJSONString(tuple(TraceId, SpanId, EventName, toUInt64(toUnixTimestamp64Nano(Timestamp)), SeverityNumber,
        SeverityText, decoded_logs.Body, LogAttributes, ResourceAttributes)::Tuple(trace_id String, span_id String,
        event_name String, time_unix_nano UInt64, severity_number Int32, severity_text String, body String,
        attributes Map(String, String), resource Map(String, String))) AS Body
FROM decoded_logs
WHERE NOT (toUnixTimestamp64Nano(Timestamp) >= 631152000000000000
    AND toUnixTimestamp64Nano(Timestamp) <= toUnixTimestamp64Micro(ReceivedAt) * 1000 + 86400000000000);
