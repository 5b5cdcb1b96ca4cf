-- What became of replays: a copy of every transition in the control store, append-only. Rows that are repeated merge.
CREATE TABLE IF NOT EXISTS replay_transitions
(
    Tenant LowCardinality(String),
    Replay String,
    Item String,                         -- <replay>.<number>; empty for the replay itself
    Number UInt32,                       -- counts the transitions of the replay or item from 1
    State LowCardinality(String),
    Before LowCardinality(String),
    Outcome LowCardinality(String),      -- caused or observed, of a verified item
    At DateTime64(6, 'UTC'),
    Actor LowCardinality(String),
    Reason String,
    Attempt UInt32,
    Kind LowCardinality(String),
    Target LowCardinality(String),
    Process LowCardinality(String),
    ExceptionId UInt64,
    Fingerprint UInt64
)
ENGINE = ReplacingMergeTree
ORDER BY (Tenant, Replay, Item, Number)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1;
