-- Alerts: a copy of every change of state, and how the platform itself fared.

-- Append-only, copied from the control store. A row that was copied twice merges.
CREATE TABLE IF NOT EXISTS alert_history
(
    Tenant LowCardinality(String),
    Id UInt128,
    Number UInt64,
    Rule LowCardinality(String),
    GroupName LowCardinality(String),
    Fingerprint String,
    Alert LowCardinality(String),
    Labels Map(LowCardinality(String), String),
    Annotations Map(LowCardinality(String), String),
    Value Nullable(Float64),
    Old LowCardinality(String),
    New LowCardinality(String),
    At DateTime64(6, 'UTC'),
    StartsAt DateTime64(6, 'UTC'),
    EndsAt Nullable(DateTime64(6, 'UTC')),
    Reason String
)
ENGINE = ReplacingMergeTree
ORDER BY (Tenant, At, Id);

-- What the engine measures of itself each minute: spool, lag, dead letters, what linking could not join.
CREATE TABLE IF NOT EXISTS health_samples
(
    Tenant LowCardinality(String),
    Name LowCardinality(String),
    At DateTime64(6, 'UTC'),
    Value Float64
)
ENGINE = ReplacingMergeTree
ORDER BY (Tenant, Name, At)
TTL toDateTime(At) + INTERVAL 30 DAY;
