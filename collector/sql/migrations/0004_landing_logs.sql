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
CREATE MATERIALIZED VIEW IF NOT EXISTS landing_logs_to_otel_logs TO otel_logs AS
WITH
    -- How Go prints a float64 (encoding/json); what is no number prints as pcommon.Value.AsString does.
    (d -> multiIf(isFinite(d), if(abs(d) >= 1e21, replaceOne(toString(d), 'e', 'e+'), toString(d)),
        isNaN(d), 'json: unsupported value: NaN',
        d > 0, 'json: unsupported value: +Inf', 'json: unsupported value: -Inf')) AS go_double,
    -- How Go writes a JSON string: '/' as it is, '<', '>' and '&' escaped.
    (s -> replaceAll(replaceAll(replaceAll(replaceAll(toJSONString(s), '\\/', '/'),
        '<', '\\u003c'), '>', '\\u003e'), '&', '\\u0026')) AS go_string,
    (m -> multiIf(m.value = 'string', go_string(m.string_value), m.value = 'int', toString(m.int_value),
        m.value = 'double', go_double(m.double_value), m.value = 'bool', if(m.bool_value, 'true', 'false'),
        m.value = 'bytes', concat('"', base64Encode(m.bytes_value), '"'), 'null')) AS member_text,
    -- JSON has no NaN or infinity: the exporter's text of an array or map that holds one is empty.
    (a -> if(arrayExists(m -> not isFinite(m.double_value), a), '',
        concat('[', arrayStringConcat(arrayMap(m -> member_text(m), a), ','), ']'))) AS array_text,
    -- Keys sorted; of equal keys the last counts.
    (a -> if(arrayExists(p -> not isFinite(p.value.double_value), a), '',
        concat('{', arrayStringConcat(arrayMap(p -> concat(go_string(p.1), ':', p.2), arraySort(p -> p.1,
            arrayFilter((p, n) -> n = 1, arrayReverse(arrayMap(p -> (p.key, member_text(p.value)), a)),
                arrayEnumerateUniq(arrayReverse(a.key))))), ','), '}'))) AS map_text,
    (v -> multiIf(v.value = 'string', v.string_value, v.value = 'int', toString(v.int_value),
        v.value = 'double', go_double(v.double_value), v.value = 'bool', if(v.bool_value, 'true', 'false'),
        v.value = 'array', array_text(v.array_value.values), v.value = 'map', map_text(v.kvlist_value.values),
        v.value = 'bytes', base64Encode(v.bytes_value), '')) AS value_text,
    -- Any value, the last of equal keys: right for all, four times slower.
    (a -> mapFromArrays(
        CAST(arrayReverse(arrayFilter((k, n) -> n = 1, arrayReverse(a.key), arrayEnumerateUniq(arrayReverse(a.key)))),
            'Array(LowCardinality(String))'),
        arrayReverse(arrayFilter((v, n) -> n = 1, arrayReverse(arrayMap(v -> value_text(v), a.value)),
            arrayEnumerateUniq(arrayReverse(a.key)))))) AS any_map,
    -- Distinct keys, plain scalars: no branch per value.
    (a -> mapFromArrays(CAST(a.key, 'Array(LowCardinality(String))'), arrayMap(v -> concat(v.string_value,
        repeat(toString(v.int_value), v.value = 'int'), repeat(toString(v.double_value), v.value = 'double'),
        repeat('true', v.bool_value), repeat('false', (v.value = 'bool') > v.bool_value)), a.value))) AS plain_map,
    (a -> mapSort(if((arrayUniq(a.key) != length(a.key))
        OR arrayExists(v -> bitOr(v.value >= 'array', not (abs(v.double_value) < 1e21)), a.value),
        any_map(a), plain_map(a)))) AS attributes,
    (i -> if(i = repeat('\0', length(i)), '', lower(hex(i)))) AS hex_id,
    -- From 1990 to a day after receipt.
    ((t, received) -> t >= 631152000000000000 AND t <= received + 86400000000000) AS sane
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
)
WHERE sane(happened, received_unix_nano);

CREATE MATERIALIZED VIEW IF NOT EXISTS landing_logs_to_received TO received_requests AS
SELECT
    tenant AS Tenant,
    if(startsWith(segment, 'events-'), 'events', 'logs') AS Signal,
    segment AS Segment,
    number AS Request,
    arraySum(r -> arraySum(s -> length(s.log_records), r.scope_logs), request.resource_logs) AS Items,
    fromUnixTimestamp64Nano(toInt64(received_unix_nano)) AS ReceivedAt
FROM landing_logs;

CREATE MATERIALIZED VIEW IF NOT EXISTS landing_logs_to_dead_letters TO dead_letters AS
WITH
    -- How Go prints a float64 (encoding/json); what is no number prints as pcommon.Value.AsString does.
    (d -> multiIf(isFinite(d), if(abs(d) >= 1e21, replaceOne(toString(d), 'e', 'e+'), toString(d)),
        isNaN(d), 'json: unsupported value: NaN',
        d > 0, 'json: unsupported value: +Inf', 'json: unsupported value: -Inf')) AS go_double,
    -- How Go writes a JSON string: '/' as it is, '<', '>' and '&' escaped.
    (s -> replaceAll(replaceAll(replaceAll(replaceAll(toJSONString(s), '\\/', '/'),
        '<', '\\u003c'), '>', '\\u003e'), '&', '\\u0026')) AS go_string,
    (m -> multiIf(m.value = 'string', go_string(m.string_value), m.value = 'int', toString(m.int_value),
        m.value = 'double', go_double(m.double_value), m.value = 'bool', if(m.bool_value, 'true', 'false'),
        m.value = 'bytes', concat('"', base64Encode(m.bytes_value), '"'), 'null')) AS member_text,
    -- JSON has no NaN or infinity: the exporter's text of an array or map that holds one is empty.
    (a -> if(arrayExists(m -> not isFinite(m.double_value), a), '',
        concat('[', arrayStringConcat(arrayMap(m -> member_text(m), a), ','), ']'))) AS array_text,
    -- Keys sorted; of equal keys the last counts.
    (a -> if(arrayExists(p -> not isFinite(p.value.double_value), a), '',
        concat('{', arrayStringConcat(arrayMap(p -> concat(go_string(p.1), ':', p.2), arraySort(p -> p.1,
            arrayFilter((p, n) -> n = 1, arrayReverse(arrayMap(p -> (p.key, member_text(p.value)), a)),
                arrayEnumerateUniq(arrayReverse(a.key))))), ','), '}'))) AS map_text,
    (v -> multiIf(v.value = 'string', v.string_value, v.value = 'int', toString(v.int_value),
        v.value = 'double', go_double(v.double_value), v.value = 'bool', if(v.bool_value, 'true', 'false'),
        v.value = 'array', array_text(v.array_value.values), v.value = 'map', map_text(v.kvlist_value.values),
        v.value = 'bytes', base64Encode(v.bytes_value), '')) AS value_text,
    -- Any value, the last of equal keys: right for all, four times slower.
    (a -> mapFromArrays(
        CAST(arrayReverse(arrayFilter((k, n) -> n = 1, arrayReverse(a.key), arrayEnumerateUniq(arrayReverse(a.key)))),
            'Array(LowCardinality(String))'),
        arrayReverse(arrayFilter((v, n) -> n = 1, arrayReverse(arrayMap(v -> value_text(v), a.value)),
            arrayEnumerateUniq(arrayReverse(a.key)))))) AS any_map,
    -- Distinct keys, plain scalars: no branch per value.
    (a -> mapFromArrays(CAST(a.key, 'Array(LowCardinality(String))'), arrayMap(v -> concat(v.string_value,
        repeat(toString(v.int_value), v.value = 'int'), repeat(toString(v.double_value), v.value = 'double'),
        repeat('true', v.bool_value), repeat('false', (v.value = 'bool') > v.bool_value)), a.value))) AS plain_map,
    (a -> mapSort(if((arrayUniq(a.key) != length(a.key))
        OR arrayExists(v -> bitOr(v.value >= 'array', not (abs(v.double_value) < 1e21)), a.value),
        any_map(a), plain_map(a)))) AS attributes,
    (i -> if(i = repeat('\0', length(i)), '', lower(hex(i)))) AS hex_id,
    -- From 1990 to a day after receipt.
    ((t, received) -> t >= 631152000000000000 AND t <= received + 86400000000000) AS sane
SELECT
    tenant AS Tenant,
    reinterpretAsUInt128(sipHash128('dead', segment, number, happened, record.trace_id, record.span_id, Body)) AS Id,
    fromUnixTimestamp64Nano(toInt64(received_unix_nano)) AS ReceivedAt,
    if(startsWith(segment, 'events-'), 'events', 'logs') AS Signal,
    segment AS Segment,
    number AS Request,
    1 AS Items,
    'timestamp' AS Reason,
    concat('the record happened at ', toString(happened),
        ' ns since 1970: before 1990 or more than a day after it was received') AS Detail,
    toJSONString(tuple(hex_id(record.trace_id), hex_id(record.span_id), record.event_name, record.time_unix_nano,
        record.observed_time_unix_nano, record.severity_number, record.severity_text, value_text(record.body),
        attributes(record.attributes), attributes(resource))::Tuple(trace_id String, span_id String, event_name String,
        time_unix_nano UInt64, observed_time_unix_nano UInt64, severity_number Int32, severity_text String, body String,
        attributes Map(String, String), resource Map(String, String))) AS Body
FROM (
    SELECT tenant, segment, number, received_unix_nano, resource, arrayJoin(scope.log_records) AS record,
        multiIf(record.time_unix_nano > 0, record.time_unix_nano, record.observed_time_unix_nano > 0,
            record.observed_time_unix_nano, received_unix_nano) AS happened
    FROM (
        SELECT tenant, segment, number, received_unix_nano, resource_logs.resource.attributes AS resource,
            arrayJoin(resource_logs.scope_logs) AS scope
        FROM (
            SELECT tenant, segment, number, received_unix_nano, arrayJoin(request.resource_logs) AS resource_logs
            FROM landing_logs
        )
    )
)
WHERE NOT sane(happened, received_unix_nano);
