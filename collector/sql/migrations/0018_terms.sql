-- What blocks a journey, as far as its events tell: since when each counts (later than now: its check's grace has not passed),
-- and when it failed last, which says whether whoever closed it knew. Journeys that were folded before have the earliest only.
ALTER TABLE journey_state
    ADD COLUMN IF NOT EXISTS Blocking
        Array(Tuple(ExceptionId UInt64, Since DateTime64(6, 'UTC'), LastSeenAt DateTime64(6, 'UTC')))
        DEFAULT if(isNull(BlockedAt), [], [(toUInt64(0), assumeNotNull(BlockedAt), assumeNotNull(BlockedAt))]) AFTER BlockedAt;

-- Former generations of processes, each with the definition that made it: so that going back to that need not derive everything.
-- All that came up to Watermark is in it. After version LeftAt it was only kept up by definitions that link alike (Alike), or not
-- at all.
CREATE TABLE IF NOT EXISTS kept_generations
(
    Tenant LowCardinality(String),
    Process LowCardinality(String),
    Generation UInt32,
    DefinitionHash String,
    Watermark DateTime64(6, 'UTC'),
    Stragglers UInt64,
    LeftAt UInt64,
    Alike UInt8,
    KeptAt DateTime64(6, 'UTC'),
    Version UInt64,
    Deleted UInt8
)
ENGINE = ReplacingMergeTree(Version)
ORDER BY (Tenant, Process, Generation);
