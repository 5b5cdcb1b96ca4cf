-- Business facts, outliving raw spans: events and evidence, span edges, what arrived lately, what could not be stored.

CREATE TABLE IF NOT EXISTS business_events (
    Tenant LowCardinality(String),
    EventId UInt128 CODEC(ZSTD(1)),
    ContentHash UInt64 CODEC(ZSTD(1)),
    Time DateTime64(9, 'UTC') CODEC(ZSTD(1)),
    ReceivedAt DateTime64(6, 'UTC') CODEC(ZSTD(1)),
    IngestedAt DateTime64(6, 'UTC') CODEC(ZSTD(1)),
    Segment LowCardinality(String) CODEC(ZSTD(1)),
    Request UInt32 CODEC(ZSTD(1)),
    Source Enum8('span' = 1, 'log' = 2, 'cloudevent' = 3),
    TraceId String CODEC(ZSTD(1)),
    SpanId String CODEC(ZSTD(1)),
    ServiceName LowCardinality(String) CODEC(ZSTD(1)),
    Parents Array(Tuple(Trace UInt64, Span UInt128)) CODEC(ZSTD(1)),
    Event LowCardinality(String) CODEC(ZSTD(1)),
    Keys Array(Tuple(Namespace String, Value String)) CODEC(ZSTD(1)),
    ContextKeys Array(Tuple(Namespace String, Value String)) CODEC(ZSTD(1)),
    Subject LowCardinality(String) CODEC(ZSTD(1)),
    Links Array(String) CODEC(ZSTD(1)),
    Cuts Array(String) CODEC(ZSTD(1)),
    Failed UInt8,
    System LowCardinality(String) CODEC(ZSTD(1)),
    Platform LowCardinality(String) CODEC(ZSTD(1)),
    Connection LowCardinality(String) CODEC(ZSTD(1)),
    Amount Nullable(Decimal(38, 6)) CODEC(ZSTD(1)),
    Currency LowCardinality(String) CODEC(ZSTD(1)),
    Customer String CODEC(ZSTD(1)),
    Entity LowCardinality(String) CODEC(ZSTD(1)),
    Region LowCardinality(String) CODEC(ZSTD(1)),
    ServiceLine LowCardinality(String) CODEC(ZSTD(1)),
    TimePrecision LowCardinality(String) CODEC(ZSTD(1)),
    AccountingDate Nullable(Date32) CODEC(ZSTD(1)),
    ExceptionClass LowCardinality(String) CODEC(ZSTD(1)),
    ExceptionCode String CODEC(ZSTD(1)),
    ExceptionMessage String CODEC(ZSTD(1)),
    RunId String CODEC(ZSTD(1)),
    RunUrl String CODEC(ZSTD(1)),
    IdempotencyKey String CODEC(ZSTD(1)),
    PayloadRef String CODEC(ZSTD(1)),
    ReplayId String CODEC(ZSTD(1)),
    Attributes Map(LowCardinality(String), String) CODEC(ZSTD(1))
) ENGINE = MergeTree
ORDER BY (Tenant, EventId)
SETTINGS index_granularity = 2048, fsync_after_insert = 1, fsync_part_directory = 1, min_bytes_for_wide_part = 32000000,
    non_replicated_deduplication_window = 20000;

CREATE TABLE IF NOT EXISTS span_edges (
    Tenant LowCardinality(String),
    Trace UInt64 CODEC(ZSTD(1)),
    Span UInt128 CODEC(ZSTD(1)),
    Parents Array(Tuple(Trace UInt64, Span UInt128)) CODEC(ZSTD(1)),
    IsEvent UInt8 CODEC(ZSTD(1)),           -- the span is also in business_events
    IngestedAt DateTime64(6, 'UTC') CODEC(ZSTD(1))
) ENGINE = MergeTree
ORDER BY (Tenant, Trace, Span)
SETTINGS index_granularity = 2048, fsync_after_insert = 1, fsync_part_directory = 1, min_bytes_for_wide_part = 32000000,
    non_replicated_deduplication_window = 20000;

CREATE TABLE IF NOT EXISTS event_inbox (
    Tenant LowCardinality(String),
    IngestedAt DateTime64(6, 'UTC') CODEC(Delta(8), ZSTD(1)),
    EventId UInt128 CODEC(ZSTD(1)),
    ContentHash UInt64 CODEC(ZSTD(1))
) ENGINE = MergeTree
ORDER BY (Tenant, IngestedAt)
TTL toDateTime(IngestedAt) + INTERVAL 7 DAY
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, non_replicated_deduplication_window = 20000;

CREATE TABLE IF NOT EXISTS trace_inbox (
    Tenant LowCardinality(String),
    IngestedAt DateTime64(6, 'UTC') CODEC(Delta(8), ZSTD(1)),
    Trace UInt64 CODEC(ZSTD(1))
) ENGINE = MergeTree
ORDER BY (Tenant, IngestedAt)
TTL toDateTime(IngestedAt) + INTERVAL 1 DAY
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, non_replicated_deduplication_window = 20000;

CREATE TABLE IF NOT EXISTS dead_letters (
    Tenant LowCardinality(String),
    Id UInt128,
    ReceivedAt DateTime64(6, 'UTC'),
    IngestedAt DateTime64(6, 'UTC') DEFAULT now64(6),
    Signal LowCardinality(String),
    Segment LowCardinality(String),
    Request UInt32,
    Items UInt32,
    Reason LowCardinality(String),
    Detail String CODEC(ZSTD(1)),
    Body String CODEC(ZSTD(1))
) ENGINE = MergeTree
ORDER BY (Tenant, ReceivedAt, Id)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, non_replicated_deduplication_window = 20000;

CREATE TABLE IF NOT EXISTS received_requests (
    Tenant LowCardinality(String),
    Signal LowCardinality(String),
    Segment LowCardinality(String) CODEC(ZSTD(1)),
    Request UInt32 CODEC(ZSTD(1)),
    Items UInt64 CODEC(ZSTD(1)),
    ReceivedAt DateTime64(6, 'UTC') CODEC(Delta(8), ZSTD(1)),
    IngestedAt DateTime64(6, 'UTC') DEFAULT now64(6) CODEC(Delta(8), ZSTD(1))
) ENGINE = MergeTree
ORDER BY (Tenant, Signal, ReceivedAt)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, non_replicated_deduplication_window = 20000;
