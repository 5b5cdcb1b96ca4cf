-- What came of reading a dead letter again: each try is kept; a letter counts as open until one stored it.

CREATE TABLE IF NOT EXISTS dead_letter_retries (
    Tenant LowCardinality(String),
    Id UInt128,                             -- of the letter
    At DateTime64(6, 'UTC'),
    Outcome Enum8('stored' = 1, 'failed' = 2),
    Events UInt32,                          -- business events that it held
    Detail String CODEC(ZSTD(1)),           -- why it failed
    Actor LowCardinality(String)
) ENGINE = MergeTree
ORDER BY (Tenant, Id, At)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, non_replicated_deduplication_window = 20000;
