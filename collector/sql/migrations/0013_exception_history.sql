-- What became of exceptions: every transition, what people decided, and whom rules route them to.

-- Turns are all openings and resolutions of an exception, in turn: opened, resolved, opened again, ... Each names the event that
-- did it (0 for a check) and, where it opened, the fingerprint of that run of failures.
ALTER TABLE exception_state
    ADD COLUMN IF NOT EXISTS Customer String AFTER Currency,
    ADD COLUMN IF NOT EXISTS Entity LowCardinality(String) AFTER Customer,
    ADD COLUMN IF NOT EXISTS Region LowCardinality(String) AFTER Entity,
    ADD COLUMN IF NOT EXISTS ServiceLine LowCardinality(String) AFTER Region,
    ADD COLUMN IF NOT EXISTS LastSeenAt DateTime64(6, 'UTC') DEFAULT OpenedAt AFTER ResolvedAt,
    ADD COLUMN IF NOT EXISTS Turns Array(Tuple(At DateTime64(9, 'UTC'), EventId UInt128, Fingerprint UInt64))
        DEFAULT arrayConcat([(toDateTime64(OpenedAt, 9, 'UTC'), FirstEventId, Fingerprint)], if(isNull(ResolvedAt), [],
            [(toDateTime64(assumeNotNull(ResolvedAt), 9, 'UTC'), toUInt128(0), toUInt64(0))])) AFTER Occurrences,
    ADD INDEX IF NOT EXISTS exceptions ExceptionId TYPE bloom_filter(0.01) GRANULARITY 1;

-- Append-only. A fact follows from the events; found is what the correlator noticed besides (gone with its journey, failed again
-- after somebody had closed it); the rest is what people did, copied from the control store. What late events turned out not to
-- be so is withdrawn by a row of the same key with a greater Version. Rows that are repeated merge.
CREATE TABLE IF NOT EXISTS exception_transitions
(
    Tenant LowCardinality(String),
    Process LowCardinality(String),
    Subject UInt64,                      -- the failing object; of a check the root of its journey
    ExceptionId UInt64,
    Kind LowCardinality(String),
    Origin Enum8('fact' = 1, 'found' = 2, 'person' = 3),
    At DateTime64(9, 'UTC'),
    EventId UInt128,                     -- the event that did it, if one did
    Act UInt128,                         -- what a person did, or the closing that a failure has overtaken
    Root UInt64,
    NoticedAt DateTime64(6, 'UTC') DEFAULT now64(6, 'UTC'),
    Actor LowCardinality(String),
    Owner LowCardinality(String),
    Assignee String,
    Reason LowCardinality(String),
    Note String,
    Until Nullable(DateTime64(6, 'UTC')),  -- the end of a snooze; of a closing the latest failure that was known
    Version UInt64,
    Withdrawn UInt8,
    INDEX exceptions ExceptionId TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = ReplacingMergeTree
ORDER BY (Tenant, Process, Subject, ExceptionId, Kind, Origin, At, EventId, Act, Version)
SETTINGS index_granularity = 1024;

-- What people decided last about an exception. SeenUntil is the latest failure that they knew of: a later one reopens it.
CREATE TABLE IF NOT EXISTS exception_handling
(
    Tenant LowCardinality(String),
    ExceptionId UInt64,
    Owner LowCardinality(String),
    Assignee String,
    SnoozedUntil Nullable(DateTime64(6, 'UTC')),
    ClosedAt Nullable(DateTime64(6, 'UTC')),
    ClosedBy LowCardinality(String),
    Reason LowCardinality(String),
    Note String,
    SeenUntil DateTime64(6, 'UTC'),
    Act UInt128,
    Version UInt64
)
ENGINE = ReplacingMergeTree(Version)
ORDER BY (Tenant, ExceptionId);

-- The rules of routing.yaml in force, in order; an empty list in a rule matches everything. Tenant '' stands for every tenant.
CREATE TABLE IF NOT EXISTS exception_routing
(
    Tenant LowCardinality(String),
    Rules Array(Tuple(Match Map(String, Array(String)), AmountAtLeast Nullable(Decimal(38, 6)), Owner String, Severity String,
        Runbook String)),
    Version UInt64
)
ENGINE = ReplacingMergeTree(Version)
ORDER BY Tenant;
