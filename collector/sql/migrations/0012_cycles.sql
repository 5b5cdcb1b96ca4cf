-- Billing cycles, and milestones whose events cannot be heard.

-- Of a process with a cycle: whose period a journey belongs to, and the end of its last day.
ALTER TABLE journey_state
    ADD COLUMN IF NOT EXISTS CycleObject String AFTER ServiceLine,
    ADD COLUMN IF NOT EXISTS PeriodFirst Nullable(Date32) AFTER CycleObject,
    ADD COLUMN IF NOT EXISTS PeriodLast Nullable(Date32) AFTER PeriodFirst,
    ADD COLUMN IF NOT EXISTS CutOffAt Nullable(DateTime64(6, 'UTC')) AFTER PeriodLast;

-- The billing periods of each calendar, by the hash of its content: rows never change. Instants are microseconds since 1970.
-- Variant is the last day of the month where journeys tell it, else 0.
CREATE TABLE IF NOT EXISTS calendar_periods
(
    Calendar String,
    Variant UInt8,
    Start Int64,
    First Date32,
    Last Date32,
    CutOff Int64
)
ENGINE = MergeTree
ORDER BY (Calendar, Variant, Start);

ALTER TABLE process_milestones
    ADD COLUMN IF NOT EXISTS Events Array(String) AFTER Optional,
    ADD COLUMN IF NOT EXISTS Stuck UInt8 AFTER Events;

-- Events that cannot be heard for a while: a source is silent, or something between it and us is broken. Until is NULL while it
-- lasts. Whoever watches a source writes here; a milestone that waits for such an event is blind, not late.
CREATE TABLE IF NOT EXISTS source_gaps
(
    Tenant LowCardinality(String),
    Event LowCardinality(String),
    Since DateTime64(6, 'UTC'),
    Until Nullable(DateTime64(6, 'UTC')),
    Reason String,
    Version UInt64,
    Deleted UInt8
)
ENGINE = ReplacingMergeTree(Version)
ORDER BY (Tenant, Event, Since);
