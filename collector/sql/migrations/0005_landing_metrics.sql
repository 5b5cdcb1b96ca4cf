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

-- A data point of any kind, decoded once; Kind says which columns count.
CREATE TABLE IF NOT EXISTS decoded_metrics (
    Kind Enum8('gauge' = 1, 'sum' = 2, 'histogram' = 3, 'exponential_histogram' = 4, 'summary' = 5),
    ResourceAttributes Map(LowCardinality(String), String),
    ResourceSchemaUrl String,
    ScopeName String,
    ScopeVersion String,
    ScopeAttributes Map(LowCardinality(String), String),
    ScopeDroppedAttrCount UInt32,
    ScopeSchemaUrl String,
    ServiceName LowCardinality(String),
    MetricName String,
    MetricDescription String,
    MetricUnit String,
    Attributes Map(LowCardinality(String), String),
    StartTimeUnix DateTime64(9),
    TimeUnix DateTime64(9),
    Value Float64,
    Flags UInt32,
    `Exemplars.FilteredAttributes` Array(Map(LowCardinality(String), String)),
    `Exemplars.TimeUnix` Array(DateTime64(9)),
    `Exemplars.Value` Array(Float64),
    `Exemplars.SpanId` Array(String),
    `Exemplars.TraceId` Array(String),
    AggregationTemporality Int32,
    IsMonotonic Bool,
    Count UInt64,
    Sum Float64,
    Min Float64,
    Max Float64,
    BucketCounts Array(UInt64),
    ExplicitBounds Array(Float64),
    Scale Int32,
    ZeroCount UInt64,
    PositiveOffset Int32,
    PositiveBucketCounts Array(UInt64),
    NegativeOffset Int32,
    NegativeBucketCounts Array(UInt64),
    `ValueAtQuantiles.Quantile` Array(Float64),
    `ValueAtQuantiles.Value` Array(Float64),
    Tenant LowCardinality(String),
    ReceivedAt DateTime64(6),
    IngestedAt DateTime64(6) DEFAULT now64(6),
    Segment LowCardinality(String),
    Request UInt32
) ENGINE = Null;

CREATE MATERIALIZED VIEW IF NOT EXISTS landing_metrics_to_decoded_metrics TO decoded_metrics AS
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
    point.1 AS Kind,
    resource_attributes AS ResourceAttributes,
    resource_schema_url AS ResourceSchemaUrl,
    scope_name AS ScopeName,
    scope_version AS ScopeVersion,
    scope_attributes AS ScopeAttributes,
    scope_dropped AS ScopeDroppedAttrCount,
    scope_schema_url AS ScopeSchemaUrl,
    resource_attributes['service.name'] AS ServiceName,
    metric.name AS MetricName,
    metric.description AS MetricDescription,
    metric.unit AS MetricUnit,
    -- Sorted: the tables' order begins a series with it.
    mapSort(attributes(point.2)) AS Attributes,
    fromUnixTimestamp64Nano(toInt64(point.4)) AS StartTimeUnix,
    fromUnixTimestamp64Nano(toInt64(point.5)) AS TimeUnix,
    point.6 AS Flags,
    -- Of an integer and a floating-point value one is set, the other is 0.
    point.7 AS Value,
    arrayMap(e -> attributes(e.filtered_attributes), point.3) AS `Exemplars.FilteredAttributes`,
    arrayMap(e -> fromUnixTimestamp64Nano(toInt64(e.time_unix_nano)), point.3) AS `Exemplars.TimeUnix`,
    arrayMap(e -> e.as_double + e.as_int, point.3) AS `Exemplars.Value`,
    arrayMap(e -> if(empty(e.span_id), repeat('0', 16), lower(hex(e.span_id))), point.3) AS `Exemplars.SpanId`,
    arrayMap(e -> if(empty(e.trace_id), repeat('0', 32), lower(hex(e.trace_id))), point.3) AS `Exemplars.TraceId`,
    multiIf(point.1 = 'sum', metric.sum.aggregation_temporality,
        point.1 = 'histogram', metric.histogram.aggregation_temporality,
        point.1 = 'exponential_histogram', metric.exponential_histogram.aggregation_temporality,
        0) AS AggregationTemporality,
    metric.sum.is_monotonic AS IsMonotonic,
    point.8 AS Count,
    point.9 AS Sum,
    point.10 AS Min,
    point.11 AS Max,
    point.12 AS BucketCounts,
    point.13 AS ExplicitBounds,
    point.14 AS Scale,
    point.15 AS ZeroCount,
    point.16 AS PositiveOffset,
    point.17 AS PositiveBucketCounts,
    point.18 AS NegativeOffset,
    point.19 AS NegativeBucketCounts,
    arrayMap(q -> q.1, point.20) AS `ValueAtQuantiles.Quantile`,
    arrayMap(q -> q.2, point.20) AS `ValueAtQuantiles.Value`,
    tenant AS Tenant,
    fromUnixTimestamp64Nano(toInt64(received_unix_nano)) AS ReceivedAt,
    segment AS Segment,
    number AS Request
FROM (
    SELECT tenant, segment, number, received_unix_nano, resource_attributes, resource_schema_url, scope_name,
        scope_version, scope_attributes, scope_dropped, scope_schema_url, metric,
        arrayJoin(arrayConcat(
            arrayMap(p -> ('gauge', p.attributes, p.exemplars, p.start_time_unix_nano, p.time_unix_nano, p.flags, p.as_double + p.as_int,
                0, 0., 0., 0., [], [], 0, 0,
                0, [], 0, [], []), metric.gauge.data_points),
            arrayMap(p -> ('sum', p.attributes, p.exemplars, p.start_time_unix_nano, p.time_unix_nano, p.flags, p.as_double + p.as_int,
                0, 0., 0., 0., [], [], 0, 0,
                0, [], 0, [], []), metric.sum.data_points),
            arrayMap(p -> ('histogram', p.attributes, p.exemplars, p.start_time_unix_nano, p.time_unix_nano, p.flags, 0.,
                p.count, p.sum, p.min, p.max, p.bucket_counts, p.explicit_bounds, 0, 0,
                0, [], 0, [], []), metric.histogram.data_points),
            arrayMap(p -> ('exponential_histogram', p.attributes, p.exemplars, p.start_time_unix_nano, p.time_unix_nano, p.flags, 0.,
                p.count, p.sum, p.min, p.max, [], [], p.scale, p.zero_count,
                p.positive.offset, p.positive.bucket_counts, p.negative.offset, p.negative.bucket_counts, []), metric.exponential_histogram.data_points),
            arrayMap(p -> ('summary', p.attributes, [], p.start_time_unix_nano, p.time_unix_nano, p.flags, 0.,
                p.count, p.sum, 0., 0., [], [], 0, 0,
                0, [], 0, [], p.quantile_values), metric.summary.data_points))) AS point
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
);

CREATE MATERIALIZED VIEW IF NOT EXISTS decoded_metrics_to_gauge TO otel_metrics_gauge AS
SELECT
    ResourceAttributes, ResourceSchemaUrl, ScopeName, ScopeVersion, ScopeAttributes, ScopeDroppedAttrCount, ScopeSchemaUrl,
    ServiceName, MetricName, MetricDescription, MetricUnit, Attributes, StartTimeUnix, TimeUnix, Flags,
    `Exemplars.FilteredAttributes`, `Exemplars.TimeUnix`, `Exemplars.Value`, `Exemplars.SpanId`, `Exemplars.TraceId`,
    Value, Tenant, ReceivedAt, IngestedAt, Segment, Request
FROM decoded_metrics
WHERE Kind = 'gauge' AND toUnixTimestamp64Nano(TimeUnix) >= 631152000000000000
    AND toUnixTimestamp64Nano(TimeUnix) <= toUnixTimestamp64Micro(ReceivedAt) * 1000 + 86400000000000;

CREATE MATERIALIZED VIEW IF NOT EXISTS decoded_metrics_to_sum TO otel_metrics_sum AS
SELECT
    ResourceAttributes, ResourceSchemaUrl, ScopeName, ScopeVersion, ScopeAttributes, ScopeDroppedAttrCount, ScopeSchemaUrl,
    ServiceName, MetricName, MetricDescription, MetricUnit, Attributes, StartTimeUnix, TimeUnix, Flags,
    `Exemplars.FilteredAttributes`, `Exemplars.TimeUnix`, `Exemplars.Value`, `Exemplars.SpanId`, `Exemplars.TraceId`,
    Value, AggregationTemporality, IsMonotonic, Tenant, ReceivedAt, IngestedAt, Segment, Request
FROM decoded_metrics
WHERE Kind = 'sum' AND toUnixTimestamp64Nano(TimeUnix) >= 631152000000000000
    AND toUnixTimestamp64Nano(TimeUnix) <= toUnixTimestamp64Micro(ReceivedAt) * 1000 + 86400000000000;

CREATE MATERIALIZED VIEW IF NOT EXISTS decoded_metrics_to_histogram TO otel_metrics_histogram AS
SELECT
    ResourceAttributes, ResourceSchemaUrl, ScopeName, ScopeVersion, ScopeAttributes, ScopeDroppedAttrCount, ScopeSchemaUrl,
    ServiceName, MetricName, MetricDescription, MetricUnit, Attributes, StartTimeUnix, TimeUnix, Flags,
    `Exemplars.FilteredAttributes`, `Exemplars.TimeUnix`, `Exemplars.Value`, `Exemplars.SpanId`, `Exemplars.TraceId`,
    Count, Sum, Min, Max, BucketCounts, ExplicitBounds, AggregationTemporality,
    Tenant, ReceivedAt, IngestedAt, Segment, Request
FROM decoded_metrics
WHERE Kind = 'histogram' AND toUnixTimestamp64Nano(TimeUnix) >= 631152000000000000
    AND toUnixTimestamp64Nano(TimeUnix) <= toUnixTimestamp64Micro(ReceivedAt) * 1000 + 86400000000000;

CREATE MATERIALIZED VIEW IF NOT EXISTS decoded_metrics_to_exponential_histogram TO otel_metrics_exponential_histogram AS
SELECT
    ResourceAttributes, ResourceSchemaUrl, ScopeName, ScopeVersion, ScopeAttributes, ScopeDroppedAttrCount, ScopeSchemaUrl,
    ServiceName, MetricName, MetricDescription, MetricUnit, Attributes, StartTimeUnix, TimeUnix, Flags,
    `Exemplars.FilteredAttributes`, `Exemplars.TimeUnix`, `Exemplars.Value`, `Exemplars.SpanId`, `Exemplars.TraceId`,
    Count, Sum, Min, Max, Scale, ZeroCount, PositiveOffset, PositiveBucketCounts, NegativeOffset,
    NegativeBucketCounts, AggregationTemporality, Tenant, ReceivedAt, IngestedAt, Segment, Request
FROM decoded_metrics
WHERE Kind = 'exponential_histogram' AND toUnixTimestamp64Nano(TimeUnix) >= 631152000000000000
    AND toUnixTimestamp64Nano(TimeUnix) <= toUnixTimestamp64Micro(ReceivedAt) * 1000 + 86400000000000;

CREATE MATERIALIZED VIEW IF NOT EXISTS decoded_metrics_to_summary TO otel_metrics_summary AS
SELECT
    ResourceAttributes, ResourceSchemaUrl, ScopeName, ScopeVersion, ScopeAttributes, ScopeDroppedAttrCount, ScopeSchemaUrl,
    ServiceName, MetricName, MetricDescription, MetricUnit, Attributes, StartTimeUnix, TimeUnix, Flags,
    Count, Sum, `ValueAtQuantiles.Quantile`, `ValueAtQuantiles.Value`, Tenant, ReceivedAt, IngestedAt, Segment, Request
FROM decoded_metrics
WHERE Kind = 'summary' AND toUnixTimestamp64Nano(TimeUnix) >= 631152000000000000
    AND toUnixTimestamp64Nano(TimeUnix) <= toUnixTimestamp64Micro(ReceivedAt) * 1000 + 86400000000000;

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

CREATE MATERIALIZED VIEW IF NOT EXISTS decoded_metrics_to_dead_letters TO dead_letters AS
SELECT
    Tenant,
    reinterpretAsUInt128(sipHash128('dead', Segment, Request, Body)) AS Id,
    ReceivedAt,
    'metrics' AS Signal,
    Segment,
    Request,
    1 AS Items,
    'timestamp' AS Reason,
    concat('the data point is of ', toString(toUInt64(toUnixTimestamp64Nano(TimeUnix))),
        ' ns since 1970: before 1990 or more than a day after it was received') AS Detail,
    toJSONString(tuple(MetricName, MetricUnit, toUInt64(toUnixTimestamp64Nano(TimeUnix)), Value, Sum, Count, Attributes,
        ResourceAttributes)::Tuple(name String, unit String, time_unix_nano UInt64, value Float64, sum Float64,
        count UInt64, attributes Map(String, String), resource Map(String, String))) AS Body
FROM decoded_metrics
WHERE NOT (toUnixTimestamp64Nano(TimeUnix) >= 631152000000000000
    AND toUnixTimestamp64Nano(TimeUnix) <= toUnixTimestamp64Micro(ReceivedAt) * 1000 + 86400000000000);
