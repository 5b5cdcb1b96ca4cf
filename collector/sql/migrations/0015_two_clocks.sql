-- Two clocks: which definition was in use when, and what was reported when a period was closed. Rows are added, never changed.

CREATE TABLE IF NOT EXISTS definition_history
(
    Tenant LowCardinality(String),
    Process LowCardinality(String),
    ActivatedAt DateTime64(6, 'UTC'),
    DefinitionHash String,
    DefinitionVersion UInt32,
    Source String CODEC(ZSTD(3))         -- the definition as JSON, calendars included
)
ENGINE = MergeTree
ORDER BY (Tenant, Process, ActivatedAt)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1;

-- Written last: a closing whose journeys are not all stored does not exist. Snapshot names its rows in closing_journeys.
CREATE TABLE IF NOT EXISTS closings
(
    Tenant LowCardinality(String),
    Id String,
    Process LowCardinality(String),
    Entity LowCardinality(String),
    Period LowCardinality(String),
    FirstDay Date32,
    LastDay Date32,
    Number UInt32,                       -- 1 for the first closing of this process, entity and period
    ClosedAt DateTime64(6, 'UTC'),
    ClosedBy String,
    Reason String,
    CorrelatedUntil DateTime64(6, 'UTC'),
    DefinitionHash String,
    DefinitionVersion UInt32,
    Journeys UInt64,
    Figures String CODEC(ZSTD(3)),       -- JSON
    Snapshot String
)
ENGINE = MergeTree
ORDER BY (Tenant, Process, Entity, Period, Number)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1;

CREATE TABLE IF NOT EXISTS closing_journeys
(
    Tenant LowCardinality(String),
    Snapshot String,
    Root UInt64,
    Name String,                         -- of the root: namespace:value
    OpenedAt DateTime64(6, 'UTC'),
    Status LowCardinality(String),
    Names Array(LowCardinality(String)),
    States Array(LowCardinality(String)),
    MetAt Array(Nullable(DateTime64(6, 'UTC'))),
    LastAt Array(Nullable(DateTime64(6, 'UTC'))),
    DueAt Array(Nullable(DateTime64(6, 'UTC'))),
    Amount Nullable(Decimal(38, 6)),
    Currency LowCardinality(String),
    AmountObjects Array(Tuple(Object UInt64, Amount Decimal(38, 6), Currency String)),
    Customer String,
    Entity LowCardinality(String),
    Region LowCardinality(String),
    CycleObject String,
    PeriodFirst Nullable(Date32),
    PeriodLast Nullable(Date32),
    CutOffAt Nullable(DateTime64(6, 'UTC'))
)
ENGINE = MergeTree
ORDER BY (Tenant, Snapshot, Root)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1;

-- What was known of a closed period later: the answers to those who asked.
CREATE TABLE IF NOT EXISTS closing_restatements
(
    Tenant LowCardinality(String),
    Closing String,
    KnownAt DateTime64(6, 'UTC'),
    Result String CODEC(ZSTD(3))         -- JSON
)
ENGINE = MergeTree
ORDER BY (Tenant, Closing, KnownAt)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1;
