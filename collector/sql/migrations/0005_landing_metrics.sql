-- Landing of OTLP metrics: the engine decodes the spool's envelopes itself (FORMAT Protobuf, ../otlp.proto); nothing is
-- stored here, views fill the raw tables. Views use total functions only: one that throws would leave partial rows.

CREATE TABLE IF NOT EXISTS landing_metrics (
    request Tuple(resource_metrics Array(Tuple(
        resource Tuple(attributes Array(Tuple(key String, value Tuple(
            string_value String, bool_value Bool, int_value Int64, double_value Float64, bytes_value String,
            array_value Tuple(values Array(Tuple(string_value String, bool_value Bool, int_value Int64, double_value Float64, bytes_value String, value Enum8('none' = 0, 'string' = 1, 'bool' = 2, 'int' = 3, 'double' = 4, 'bytes' = 7)))),
            kvlist_value Tuple(values Array(Tuple(key String, value Tuple(string_value String, bool_value Bool, int_value Int64, double_value Float64, bytes_value String, value Enum8('none' = 0, 'string' = 1, 'bool' = 2, 'int' = 3, 'double' = 4, 'bytes' = 7))))),
            value Enum8('none' = 0, 'string' = 1, 'bool' = 2, 'int' = 3, 'double' = 4, 'array' = 5, 'map' = 6, 'bytes' = 7))))),
        scope_metrics Array(Tuple(
            scope Tuple(name String, version String, dropped_attributes_count UInt32, attributes Array(Tuple(key String, value Tuple(
                string_value String, bool_value Bool, int_value Int64, double_value Float64, bytes_value String,
                array_value Tuple(values Array(Tuple(string_value String, bool_value Bool, int_value Int64, double_value Float64, bytes_value String, value Enum8('none' = 0, 'string' = 1, 'bool' = 2, 'int' = 3, 'double' = 4, 'bytes' = 7)))),
                kvlist_value Tuple(values Array(Tuple(key String, value Tuple(string_value String, bool_value Bool, int_value Int64, double_value Float64, bytes_value String, value Enum8('none' = 0, 'string' = 1, 'bool' = 2, 'int' = 3, 'double' = 4, 'bytes' = 7))))),
                value Enum8('none' = 0, 'string' = 1, 'bool' = 2, 'int' = 3, 'double' = 4, 'array' = 5, 'map' = 6, 'bytes' = 7))))),
            metrics Array(Tuple(
                name String, description String, unit String,
                gauge Tuple(data_points Array(Tuple(
                    start_time_unix_nano UInt64, time_unix_nano UInt64, as_double Float64, as_int Int64, flags UInt32,
                    exemplars Array(Tuple(time_unix_nano UInt64, as_double Float64, as_int Int64, span_id String, trace_id String,
                    filtered_attributes Array(Tuple(key String, value Tuple(
                        string_value String, bool_value Bool, int_value Int64, double_value Float64, bytes_value String,
                        array_value Tuple(values Array(Tuple(string_value String, bool_value Bool, int_value Int64, double_value Float64, bytes_value String, value Enum8('none' = 0, 'string' = 1, 'bool' = 2, 'int' = 3, 'double' = 4, 'bytes' = 7)))),
                        kvlist_value Tuple(values Array(Tuple(key String, value Tuple(string_value String, bool_value Bool, int_value Int64, double_value Float64, bytes_value String, value Enum8('none' = 0, 'string' = 1, 'bool' = 2, 'int' = 3, 'double' = 4, 'bytes' = 7))))),
                        value Enum8('none' = 0, 'string' = 1, 'bool' = 2, 'int' = 3, 'double' = 4, 'array' = 5, 'map' = 6, 'bytes' = 7)))))),
                    attributes Array(Tuple(key String, value Tuple(
                        string_value String, bool_value Bool, int_value Int64, double_value Float64, bytes_value String,
                        array_value Tuple(values Array(Tuple(string_value String, bool_value Bool, int_value Int64, double_value Float64, bytes_value String, value Enum8('none' = 0, 'string' = 1, 'bool' = 2, 'int' = 3, 'double' = 4, 'bytes' = 7)))),
                        kvlist_value Tuple(values Array(Tuple(key String, value Tuple(string_value String, bool_value Bool, int_value Int64, double_value Float64, bytes_value String, value Enum8('none' = 0, 'string' = 1, 'bool' = 2, 'int' = 3, 'double' = 4, 'bytes' = 7))))),
                        value Enum8('none' = 0, 'string' = 1, 'bool' = 2, 'int' = 3, 'double' = 4, 'array' = 5, 'map' = 6, 'bytes' = 7))))))),
                sum Tuple(data_points Array(Tuple(
                    start_time_unix_nano UInt64, time_unix_nano UInt64, as_double Float64, as_int Int64, flags UInt32,
                    exemplars Array(Tuple(time_unix_nano UInt64, as_double Float64, as_int Int64, span_id String, trace_id String,
                    filtered_attributes Array(Tuple(key String, value Tuple(
                        string_value String, bool_value Bool, int_value Int64, double_value Float64, bytes_value String,
                        array_value Tuple(values Array(Tuple(string_value String, bool_value Bool, int_value Int64, double_value Float64, bytes_value String, value Enum8('none' = 0, 'string' = 1, 'bool' = 2, 'int' = 3, 'double' = 4, 'bytes' = 7)))),
                        kvlist_value Tuple(values Array(Tuple(key String, value Tuple(string_value String, bool_value Bool, int_value Int64, double_value Float64, bytes_value String, value Enum8('none' = 0, 'string' = 1, 'bool' = 2, 'int' = 3, 'double' = 4, 'bytes' = 7))))),
                        value Enum8('none' = 0, 'string' = 1, 'bool' = 2, 'int' = 3, 'double' = 4, 'array' = 5, 'map' = 6, 'bytes' = 7)))))),
                    attributes Array(Tuple(key String, value Tuple(
                        string_value String, bool_value Bool, int_value Int64, double_value Float64, bytes_value String,
                        array_value Tuple(values Array(Tuple(string_value String, bool_value Bool, int_value Int64, double_value Float64, bytes_value String, value Enum8('none' = 0, 'string' = 1, 'bool' = 2, 'int' = 3, 'double' = 4, 'bytes' = 7)))),
                        kvlist_value Tuple(values Array(Tuple(key String, value Tuple(string_value String, bool_value Bool, int_value Int64, double_value Float64, bytes_value String, value Enum8('none' = 0, 'string' = 1, 'bool' = 2, 'int' = 3, 'double' = 4, 'bytes' = 7))))),
                        value Enum8('none' = 0, 'string' = 1, 'bool' = 2, 'int' = 3, 'double' = 4, 'array' = 5, 'map' = 6, 'bytes' = 7)))))), aggregation_temporality Int32, is_monotonic Bool),
                histogram Tuple(data_points Array(Tuple(
                    start_time_unix_nano UInt64, time_unix_nano UInt64, count UInt64, sum Float64, min Float64, max Float64,
                    bucket_counts Array(UInt64), explicit_bounds Array(Float64), flags UInt32,
                    exemplars Array(Tuple(time_unix_nano UInt64, as_double Float64, as_int Int64, span_id String, trace_id String,
                    filtered_attributes Array(Tuple(key String, value Tuple(
                        string_value String, bool_value Bool, int_value Int64, double_value Float64, bytes_value String,
                        array_value Tuple(values Array(Tuple(string_value String, bool_value Bool, int_value Int64, double_value Float64, bytes_value String, value Enum8('none' = 0, 'string' = 1, 'bool' = 2, 'int' = 3, 'double' = 4, 'bytes' = 7)))),
                        kvlist_value Tuple(values Array(Tuple(key String, value Tuple(string_value String, bool_value Bool, int_value Int64, double_value Float64, bytes_value String, value Enum8('none' = 0, 'string' = 1, 'bool' = 2, 'int' = 3, 'double' = 4, 'bytes' = 7))))),
                        value Enum8('none' = 0, 'string' = 1, 'bool' = 2, 'int' = 3, 'double' = 4, 'array' = 5, 'map' = 6, 'bytes' = 7)))))),
                    attributes Array(Tuple(key String, value Tuple(
                        string_value String, bool_value Bool, int_value Int64, double_value Float64, bytes_value String,
                        array_value Tuple(values Array(Tuple(string_value String, bool_value Bool, int_value Int64, double_value Float64, bytes_value String, value Enum8('none' = 0, 'string' = 1, 'bool' = 2, 'int' = 3, 'double' = 4, 'bytes' = 7)))),
                        kvlist_value Tuple(values Array(Tuple(key String, value Tuple(string_value String, bool_value Bool, int_value Int64, double_value Float64, bytes_value String, value Enum8('none' = 0, 'string' = 1, 'bool' = 2, 'int' = 3, 'double' = 4, 'bytes' = 7))))),
                        value Enum8('none' = 0, 'string' = 1, 'bool' = 2, 'int' = 3, 'double' = 4, 'array' = 5, 'map' = 6, 'bytes' = 7)))))), aggregation_temporality Int32),
                exponential_histogram Tuple(data_points Array(Tuple(
                    start_time_unix_nano UInt64, time_unix_nano UInt64, count UInt64, sum Float64, min Float64, max Float64,
                    scale Int32, zero_count UInt64, flags UInt32,
                    positive Tuple(offset Int32, bucket_counts Array(UInt64)),
                    negative Tuple(offset Int32, bucket_counts Array(UInt64)),
                    exemplars Array(Tuple(time_unix_nano UInt64, as_double Float64, as_int Int64, span_id String, trace_id String,
                    filtered_attributes Array(Tuple(key String, value Tuple(
                        string_value String, bool_value Bool, int_value Int64, double_value Float64, bytes_value String,
                        array_value Tuple(values Array(Tuple(string_value String, bool_value Bool, int_value Int64, double_value Float64, bytes_value String, value Enum8('none' = 0, 'string' = 1, 'bool' = 2, 'int' = 3, 'double' = 4, 'bytes' = 7)))),
                        kvlist_value Tuple(values Array(Tuple(key String, value Tuple(string_value String, bool_value Bool, int_value Int64, double_value Float64, bytes_value String, value Enum8('none' = 0, 'string' = 1, 'bool' = 2, 'int' = 3, 'double' = 4, 'bytes' = 7))))),
                        value Enum8('none' = 0, 'string' = 1, 'bool' = 2, 'int' = 3, 'double' = 4, 'array' = 5, 'map' = 6, 'bytes' = 7)))))),
                    attributes Array(Tuple(key String, value Tuple(
                        string_value String, bool_value Bool, int_value Int64, double_value Float64, bytes_value String,
                        array_value Tuple(values Array(Tuple(string_value String, bool_value Bool, int_value Int64, double_value Float64, bytes_value String, value Enum8('none' = 0, 'string' = 1, 'bool' = 2, 'int' = 3, 'double' = 4, 'bytes' = 7)))),
                        kvlist_value Tuple(values Array(Tuple(key String, value Tuple(string_value String, bool_value Bool, int_value Int64, double_value Float64, bytes_value String, value Enum8('none' = 0, 'string' = 1, 'bool' = 2, 'int' = 3, 'double' = 4, 'bytes' = 7))))),
                        value Enum8('none' = 0, 'string' = 1, 'bool' = 2, 'int' = 3, 'double' = 4, 'array' = 5, 'map' = 6, 'bytes' = 7)))))), aggregation_temporality Int32),
                summary Tuple(data_points Array(Tuple(
                    start_time_unix_nano UInt64, time_unix_nano UInt64, count UInt64, sum Float64, flags UInt32,
                    quantile_values Array(Tuple(quantile Float64, value Float64)),
                    attributes Array(Tuple(key String, value Tuple(
                        string_value String, bool_value Bool, int_value Int64, double_value Float64, bytes_value String,
                        array_value Tuple(values Array(Tuple(string_value String, bool_value Bool, int_value Int64, double_value Float64, bytes_value String, value Enum8('none' = 0, 'string' = 1, 'bool' = 2, 'int' = 3, 'double' = 4, 'bytes' = 7)))),
                        kvlist_value Tuple(values Array(Tuple(key String, value Tuple(string_value String, bool_value Bool, int_value Int64, double_value Float64, bytes_value String, value Enum8('none' = 0, 'string' = 1, 'bool' = 2, 'int' = 3, 'double' = 4, 'bytes' = 7))))),
                        value Enum8('none' = 0, 'string' = 1, 'bool' = 2, 'int' = 3, 'double' = 4, 'array' = 5, 'map' = 6, 'bytes' = 7))))))))),
            schema_url String)),
        schema_url String))),
    tenant LowCardinality(String), segment LowCardinality(String), number UInt32, received_unix_nano UInt64
) ENGINE = Null;

CREATE MATERIALIZED VIEW IF NOT EXISTS landing_metrics_to_gauge TO otel_metrics_gauge AS
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
    resource_attributes AS ResourceAttributes,
    resource_schema_url AS ResourceSchemaUrl,
    scope_name AS ScopeName,
    scope_version AS ScopeVersion,
    scope_attributes AS ScopeAttributes,
    scope_dropped AS ScopeDroppedAttrCount,
    scope_schema_url AS ScopeSchemaUrl,
    resource_attributes['service.name'] AS ServiceName,
    name AS MetricName,
    description AS MetricDescription,
    unit AS MetricUnit,
    attributes(point.attributes) AS Attributes,
    fromUnixTimestamp64Nano(toInt64(point.start_time_unix_nano)) AS StartTimeUnix,
    fromUnixTimestamp64Nano(toInt64(point.time_unix_nano)) AS TimeUnix,
    -- One of the two is set; the other is 0.
    point.as_double + point.as_int AS Value,
    point.flags AS Flags,
    arrayMap(a -> attributes(a), point.exemplars.filtered_attributes) AS `Exemplars.FilteredAttributes`,
    arrayMap(t -> fromUnixTimestamp64Nano(toInt64(t)), point.exemplars.time_unix_nano) AS `Exemplars.TimeUnix`,
    arrayMap(e -> e.as_double + e.as_int, point.exemplars) AS `Exemplars.Value`,
    arrayMap(i -> if(empty(i), repeat('0', 16), lower(hex(i))), point.exemplars.span_id) AS `Exemplars.SpanId`,
    arrayMap(i -> if(empty(i), repeat('0', 32), lower(hex(i))), point.exemplars.trace_id) AS `Exemplars.TraceId`,
    tenant AS Tenant,
    fromUnixTimestamp64Nano(toInt64(received_unix_nano)) AS ReceivedAt,
    segment AS Segment,
    number AS Request
FROM (
    SELECT tenant, segment, number, received_unix_nano, resource_attributes, resource_schema_url, scope_name,
        scope_version, scope_attributes, scope_dropped, scope_schema_url, metric.name AS name,
        metric.description AS description, metric.unit AS unit,
        arrayJoin(metric.gauge.data_points) AS point
    FROM (
        SELECT tenant, segment, number, received_unix_nano, resource_attributes, resource_schema_url,
            scope.scope.name AS scope_name, scope.scope.version AS scope_version,
            attributes(scope.scope.attributes) AS scope_attributes, scope.scope.dropped_attributes_count AS scope_dropped,
            scope.schema_url AS scope_schema_url, arrayJoin(scope.metrics) AS metric
        FROM (
            SELECT tenant, segment, number, received_unix_nano, resource_metrics.schema_url AS resource_schema_url,
                attributes(resource_metrics.resource.attributes) AS resource_attributes,
                arrayJoin(resource_metrics.scope_metrics) AS scope
            FROM (
                SELECT tenant, segment, number, received_unix_nano,
                    arrayJoin(request.resource_metrics) AS resource_metrics
                FROM landing_metrics
            )
        )
    )
)
WHERE sane(point.time_unix_nano, received_unix_nano);

CREATE MATERIALIZED VIEW IF NOT EXISTS landing_metrics_to_sum TO otel_metrics_sum AS
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
    resource_attributes AS ResourceAttributes,
    resource_schema_url AS ResourceSchemaUrl,
    scope_name AS ScopeName,
    scope_version AS ScopeVersion,
    scope_attributes AS ScopeAttributes,
    scope_dropped AS ScopeDroppedAttrCount,
    scope_schema_url AS ScopeSchemaUrl,
    resource_attributes['service.name'] AS ServiceName,
    name AS MetricName,
    description AS MetricDescription,
    unit AS MetricUnit,
    attributes(point.attributes) AS Attributes,
    fromUnixTimestamp64Nano(toInt64(point.start_time_unix_nano)) AS StartTimeUnix,
    fromUnixTimestamp64Nano(toInt64(point.time_unix_nano)) AS TimeUnix,
    -- One of the two is set; the other is 0.
    point.as_double + point.as_int AS Value,
    point.flags AS Flags,
    arrayMap(a -> attributes(a), point.exemplars.filtered_attributes) AS `Exemplars.FilteredAttributes`,
    arrayMap(t -> fromUnixTimestamp64Nano(toInt64(t)), point.exemplars.time_unix_nano) AS `Exemplars.TimeUnix`,
    arrayMap(e -> e.as_double + e.as_int, point.exemplars) AS `Exemplars.Value`,
    arrayMap(i -> if(empty(i), repeat('0', 16), lower(hex(i))), point.exemplars.span_id) AS `Exemplars.SpanId`,
    arrayMap(i -> if(empty(i), repeat('0', 32), lower(hex(i))), point.exemplars.trace_id) AS `Exemplars.TraceId`,
    temporality AS AggregationTemporality,
    monotonic AS IsMonotonic,
    tenant AS Tenant,
    fromUnixTimestamp64Nano(toInt64(received_unix_nano)) AS ReceivedAt,
    segment AS Segment,
    number AS Request
FROM (
    SELECT tenant, segment, number, received_unix_nano, resource_attributes, resource_schema_url, scope_name,
        scope_version, scope_attributes, scope_dropped, scope_schema_url, metric.name AS name,
        metric.description AS description, metric.unit AS unit, metric.sum.aggregation_temporality AS temporality, metric.sum.is_monotonic AS monotonic,
        arrayJoin(metric.sum.data_points) AS point
    FROM (
        SELECT tenant, segment, number, received_unix_nano, resource_attributes, resource_schema_url,
            scope.scope.name AS scope_name, scope.scope.version AS scope_version,
            attributes(scope.scope.attributes) AS scope_attributes, scope.scope.dropped_attributes_count AS scope_dropped,
            scope.schema_url AS scope_schema_url, arrayJoin(scope.metrics) AS metric
        FROM (
            SELECT tenant, segment, number, received_unix_nano, resource_metrics.schema_url AS resource_schema_url,
                attributes(resource_metrics.resource.attributes) AS resource_attributes,
                arrayJoin(resource_metrics.scope_metrics) AS scope
            FROM (
                SELECT tenant, segment, number, received_unix_nano,
                    arrayJoin(request.resource_metrics) AS resource_metrics
                FROM landing_metrics
            )
        )
    )
)
WHERE sane(point.time_unix_nano, received_unix_nano);

CREATE MATERIALIZED VIEW IF NOT EXISTS landing_metrics_to_histogram TO otel_metrics_histogram AS
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
    resource_attributes AS ResourceAttributes,
    resource_schema_url AS ResourceSchemaUrl,
    scope_name AS ScopeName,
    scope_version AS ScopeVersion,
    scope_attributes AS ScopeAttributes,
    scope_dropped AS ScopeDroppedAttrCount,
    scope_schema_url AS ScopeSchemaUrl,
    resource_attributes['service.name'] AS ServiceName,
    name AS MetricName,
    description AS MetricDescription,
    unit AS MetricUnit,
    attributes(point.attributes) AS Attributes,
    fromUnixTimestamp64Nano(toInt64(point.start_time_unix_nano)) AS StartTimeUnix,
    fromUnixTimestamp64Nano(toInt64(point.time_unix_nano)) AS TimeUnix,
    point.count AS Count,
    point.sum AS Sum,
    point.bucket_counts AS BucketCounts,
    point.explicit_bounds AS ExplicitBounds,
    arrayMap(a -> attributes(a), point.exemplars.filtered_attributes) AS `Exemplars.FilteredAttributes`,
    arrayMap(t -> fromUnixTimestamp64Nano(toInt64(t)), point.exemplars.time_unix_nano) AS `Exemplars.TimeUnix`,
    arrayMap(e -> e.as_double + e.as_int, point.exemplars) AS `Exemplars.Value`,
    arrayMap(i -> if(empty(i), repeat('0', 16), lower(hex(i))), point.exemplars.span_id) AS `Exemplars.SpanId`,
    arrayMap(i -> if(empty(i), repeat('0', 32), lower(hex(i))), point.exemplars.trace_id) AS `Exemplars.TraceId`,
    point.flags AS Flags,
    point.min AS Min,
    point.max AS Max,
    temporality AS AggregationTemporality,
    tenant AS Tenant,
    fromUnixTimestamp64Nano(toInt64(received_unix_nano)) AS ReceivedAt,
    segment AS Segment,
    number AS Request
FROM (
    SELECT tenant, segment, number, received_unix_nano, resource_attributes, resource_schema_url, scope_name,
        scope_version, scope_attributes, scope_dropped, scope_schema_url, metric.name AS name,
        metric.description AS description, metric.unit AS unit, metric.histogram.aggregation_temporality AS temporality,
        arrayJoin(metric.histogram.data_points) AS point
    FROM (
        SELECT tenant, segment, number, received_unix_nano, resource_attributes, resource_schema_url,
            scope.scope.name AS scope_name, scope.scope.version AS scope_version,
            attributes(scope.scope.attributes) AS scope_attributes, scope.scope.dropped_attributes_count AS scope_dropped,
            scope.schema_url AS scope_schema_url, arrayJoin(scope.metrics) AS metric
        FROM (
            SELECT tenant, segment, number, received_unix_nano, resource_metrics.schema_url AS resource_schema_url,
                attributes(resource_metrics.resource.attributes) AS resource_attributes,
                arrayJoin(resource_metrics.scope_metrics) AS scope
            FROM (
                SELECT tenant, segment, number, received_unix_nano,
                    arrayJoin(request.resource_metrics) AS resource_metrics
                FROM landing_metrics
            )
        )
    )
)
WHERE sane(point.time_unix_nano, received_unix_nano);

CREATE MATERIALIZED VIEW IF NOT EXISTS landing_metrics_to_exponential_histogram TO otel_metrics_exponential_histogram AS
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
    resource_attributes AS ResourceAttributes,
    resource_schema_url AS ResourceSchemaUrl,
    scope_name AS ScopeName,
    scope_version AS ScopeVersion,
    scope_attributes AS ScopeAttributes,
    scope_dropped AS ScopeDroppedAttrCount,
    scope_schema_url AS ScopeSchemaUrl,
    resource_attributes['service.name'] AS ServiceName,
    name AS MetricName,
    description AS MetricDescription,
    unit AS MetricUnit,
    attributes(point.attributes) AS Attributes,
    fromUnixTimestamp64Nano(toInt64(point.start_time_unix_nano)) AS StartTimeUnix,
    fromUnixTimestamp64Nano(toInt64(point.time_unix_nano)) AS TimeUnix,
    point.count AS Count,
    point.sum AS Sum,
    point.scale AS Scale,
    point.zero_count AS ZeroCount,
    point.positive.offset AS PositiveOffset,
    point.positive.bucket_counts AS PositiveBucketCounts,
    point.negative.offset AS NegativeOffset,
    point.negative.bucket_counts AS NegativeBucketCounts,
    arrayMap(a -> attributes(a), point.exemplars.filtered_attributes) AS `Exemplars.FilteredAttributes`,
    arrayMap(t -> fromUnixTimestamp64Nano(toInt64(t)), point.exemplars.time_unix_nano) AS `Exemplars.TimeUnix`,
    arrayMap(e -> e.as_double + e.as_int, point.exemplars) AS `Exemplars.Value`,
    arrayMap(i -> if(empty(i), repeat('0', 16), lower(hex(i))), point.exemplars.span_id) AS `Exemplars.SpanId`,
    arrayMap(i -> if(empty(i), repeat('0', 32), lower(hex(i))), point.exemplars.trace_id) AS `Exemplars.TraceId`,
    point.flags AS Flags,
    point.min AS Min,
    point.max AS Max,
    temporality AS AggregationTemporality,
    tenant AS Tenant,
    fromUnixTimestamp64Nano(toInt64(received_unix_nano)) AS ReceivedAt,
    segment AS Segment,
    number AS Request
FROM (
    SELECT tenant, segment, number, received_unix_nano, resource_attributes, resource_schema_url, scope_name,
        scope_version, scope_attributes, scope_dropped, scope_schema_url, metric.name AS name,
        metric.description AS description, metric.unit AS unit, metric.exponential_histogram.aggregation_temporality AS temporality,
        arrayJoin(metric.exponential_histogram.data_points) AS point
    FROM (
        SELECT tenant, segment, number, received_unix_nano, resource_attributes, resource_schema_url,
            scope.scope.name AS scope_name, scope.scope.version AS scope_version,
            attributes(scope.scope.attributes) AS scope_attributes, scope.scope.dropped_attributes_count AS scope_dropped,
            scope.schema_url AS scope_schema_url, arrayJoin(scope.metrics) AS metric
        FROM (
            SELECT tenant, segment, number, received_unix_nano, resource_metrics.schema_url AS resource_schema_url,
                attributes(resource_metrics.resource.attributes) AS resource_attributes,
                arrayJoin(resource_metrics.scope_metrics) AS scope
            FROM (
                SELECT tenant, segment, number, received_unix_nano,
                    arrayJoin(request.resource_metrics) AS resource_metrics
                FROM landing_metrics
            )
        )
    )
)
WHERE sane(point.time_unix_nano, received_unix_nano);

CREATE MATERIALIZED VIEW IF NOT EXISTS landing_metrics_to_summary TO otel_metrics_summary AS
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
    resource_attributes AS ResourceAttributes,
    resource_schema_url AS ResourceSchemaUrl,
    scope_name AS ScopeName,
    scope_version AS ScopeVersion,
    scope_attributes AS ScopeAttributes,
    scope_dropped AS ScopeDroppedAttrCount,
    scope_schema_url AS ScopeSchemaUrl,
    resource_attributes['service.name'] AS ServiceName,
    name AS MetricName,
    description AS MetricDescription,
    unit AS MetricUnit,
    attributes(point.attributes) AS Attributes,
    fromUnixTimestamp64Nano(toInt64(point.start_time_unix_nano)) AS StartTimeUnix,
    fromUnixTimestamp64Nano(toInt64(point.time_unix_nano)) AS TimeUnix,
    point.count AS Count,
    point.sum AS Sum,
    point.quantile_values.quantile AS `ValueAtQuantiles.Quantile`,
    point.quantile_values.value AS `ValueAtQuantiles.Value`,
    point.flags AS Flags,
    tenant AS Tenant,
    fromUnixTimestamp64Nano(toInt64(received_unix_nano)) AS ReceivedAt,
    segment AS Segment,
    number AS Request
FROM (
    SELECT tenant, segment, number, received_unix_nano, resource_attributes, resource_schema_url, scope_name,
        scope_version, scope_attributes, scope_dropped, scope_schema_url, metric.name AS name,
        metric.description AS description, metric.unit AS unit,
        arrayJoin(metric.summary.data_points) AS point
    FROM (
        SELECT tenant, segment, number, received_unix_nano, resource_attributes, resource_schema_url,
            scope.scope.name AS scope_name, scope.scope.version AS scope_version,
            attributes(scope.scope.attributes) AS scope_attributes, scope.scope.dropped_attributes_count AS scope_dropped,
            scope.schema_url AS scope_schema_url, arrayJoin(scope.metrics) AS metric
        FROM (
            SELECT tenant, segment, number, received_unix_nano, resource_metrics.schema_url AS resource_schema_url,
                attributes(resource_metrics.resource.attributes) AS resource_attributes,
                arrayJoin(resource_metrics.scope_metrics) AS scope
            FROM (
                SELECT tenant, segment, number, received_unix_nano,
                    arrayJoin(request.resource_metrics) AS resource_metrics
                FROM landing_metrics
            )
        )
    )
)
WHERE sane(point.time_unix_nano, received_unix_nano);

CREATE MATERIALIZED VIEW IF NOT EXISTS landing_metrics_to_received TO received_requests AS
SELECT
    tenant AS Tenant,
    'metrics' AS Signal,
    segment AS Segment,
    number AS Request,
    arraySum(r -> arraySum(s -> arraySum(m -> length(m.gauge.data_points)
        + length(m.sum.data_points)
        + length(m.histogram.data_points)
        + length(m.exponential_histogram.data_points)
        + length(m.summary.data_points),
        s.metrics), r.scope_metrics), request.resource_metrics) AS Items,
    fromUnixTimestamp64Nano(toInt64(received_unix_nano)) AS ReceivedAt
FROM landing_metrics;

CREATE MATERIALIZED VIEW IF NOT EXISTS landing_metrics_to_dead_letters TO dead_letters AS
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
    reinterpretAsUInt128(sipHash128('dead', segment, number, Body)) AS Id,
    fromUnixTimestamp64Nano(toInt64(received_unix_nano)) AS ReceivedAt,
    'metrics' AS Signal,
    segment AS Segment,
    number AS Request,
    1 AS Items,
    'timestamp' AS Reason,
    concat('the data point is of ', toString(point.1),
        ' ns since 1970: before 1990 or more than a day after it was received') AS Detail,
    toJSONString(tuple(metric.name, metric.unit, point.1, point.2, point.3, attributes(resource))::Tuple(name String,
        unit String, time_unix_nano UInt64, value Float64, attributes Map(String, String),
        resource Map(String, String))) AS Body
FROM (
    SELECT tenant, segment, number, received_unix_nano, resource, metric, arrayJoin(arrayConcat(
        arrayMap(p -> (p.time_unix_nano, p.as_double + p.as_int, attributes(p.attributes)),
            arrayFilter(p -> NOT sane(p.time_unix_nano, received_unix_nano), metric.gauge.data_points)),
        arrayMap(p -> (p.time_unix_nano, p.as_double + p.as_int, attributes(p.attributes)),
            arrayFilter(p -> NOT sane(p.time_unix_nano, received_unix_nano), metric.sum.data_points)),
        arrayMap(p -> (p.time_unix_nano, p.sum, attributes(p.attributes)),
            arrayFilter(p -> NOT sane(p.time_unix_nano, received_unix_nano), metric.histogram.data_points)),
        arrayMap(p -> (p.time_unix_nano, p.sum, attributes(p.attributes)),
            arrayFilter(p -> NOT sane(p.time_unix_nano, received_unix_nano), metric.exponential_histogram.data_points)),
        arrayMap(p -> (p.time_unix_nano, p.sum, attributes(p.attributes)),
            arrayFilter(p -> NOT sane(p.time_unix_nano, received_unix_nano), metric.summary.data_points)))) AS point
    FROM (
        SELECT tenant, segment, number, received_unix_nano, resource, arrayJoin(scope.metrics) AS metric
        FROM (
            SELECT tenant, segment, number, received_unix_nano, resource_metrics.resource.attributes AS resource,
                arrayJoin(resource_metrics.scope_metrics) AS scope
            FROM (
                SELECT tenant, segment, number, received_unix_nano, arrayJoin(request.resource_metrics) AS resource_metrics
                FROM landing_metrics
            )
        )
    )
);
