-- Mappings: rules in force, how far new telemetry was looked at, and what the rules did.

CREATE TABLE IF NOT EXISTS mapping_rules (
    Tenant LowCardinality(String),                         -- '': every tenant, or those that the definition names
    Version UInt64,                                        -- the rules of the greatest one are in force
    Position UInt32,
    Rule String,                                           -- <mapping>/<rule>
    Signal LowCardinality(String),
    Revision UInt32,                                       -- of the rule's present meaning; the last bits of ContentHash
    Hash String,                                           -- of its content and of all rules before it
    Mapping String,
    Definition String CODEC(ZSTD(1))                       -- the mapping's content, as JSON
) ENGINE = MergeTree
ORDER BY (Tenant, Version, Position)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1;

CREATE TABLE IF NOT EXISTS mapping_progress (
    Tenant LowCardinality(String),                         -- '': the cursor reads the rows of every tenant
    Watermark DateTime64(6, 'UTC')
) ENGINE = ReplacingMergeTree(Watermark)
ORDER BY Tenant
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1;

-- Sums: what a rule does in a year is a few rows once they are merged.
CREATE TABLE IF NOT EXISTS mapping_activity (
    Tenant LowCardinality(String),
    Rule String,
    Revision UInt32,
    What Enum8('mapped' = 1, 'applied' = 2, 'quarantined' = 3),
    At SimpleAggregateFunction(max, DateTime64(6, 'UTC')),
    Rows SimpleAggregateFunction(sum, UInt64),
    Error SimpleAggregateFunction(anyLast, String) CODEC(ZSTD(1))
) ENGINE = AggregatingMergeTree
ORDER BY (Tenant, Rule, Revision, What)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1;

-- The cursor reads what came lately: parts and granules that are older are skipped.
ALTER TABLE otel_traces ADD INDEX IF NOT EXISTS idx_ingested_at IngestedAt TYPE minmax GRANULARITY 1;

ALTER TABLE otel_logs ADD INDEX IF NOT EXISTS idx_ingested_at IngestedAt TYPE minmax GRANULARITY 1;
