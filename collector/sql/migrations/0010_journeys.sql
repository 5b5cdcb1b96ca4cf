-- Journeys: what the correlator derives from business events.
--
-- Every table of a process starts (Tenant, Process, Generation): a changed definition is rebuilt into a new generation
-- beside the old one, which is then dropped by partition. Rows are replaced by a greater Version and removed by Deleted = 1;
-- readers take the latest row per key (ORDER BY Version DESC LIMIT 1 BY key), never FINAL: ten times slower for look-ups.
-- Object, Key and Root are sipHash64(Tenant, Process, Namespace, Value); lower(hex(Root)) is a journey's id.

-- The event or evidence spans nearest above each event, and the other spans looked at on the way. Rows only for events that
-- have either. Seen is 0 for a span that has not arrived, else a hash of what was known of it.
CREATE TABLE event_ancestors
(
    Tenant LowCardinality(String),
    EventId UInt128,
    Ancestors Array(UInt128),
    Watched Array(Tuple(Trace UInt64, Span UInt128, Seen UInt64)),
    Version UInt64
)
ENGINE = ReplacingMergeTree(Version)
ORDER BY (Tenant, EventId)
SETTINGS index_granularity = 1024, min_compress_block_size = 16384;

-- event_ancestors, the other way round.
CREATE TABLE event_descendants
(
    Tenant LowCardinality(String),
    Ancestor UInt128,
    EventId UInt128,
    Version UInt64,
    Deleted UInt8
)
ENGINE = ReplacingMergeTree(Version)
ORDER BY (Tenant, Ancestor, EventId)
SETTINGS index_granularity = 1024, min_compress_block_size = 16384;

-- event_ancestors by watched span: when a span arrives, or arrives again with other parents, these events look anew.
CREATE TABLE watched_spans
(
    Tenant LowCardinality(String),
    Trace UInt64,
    Span UInt128,
    EventId UInt128,
    Seen UInt64,
    Version UInt64,
    Deleted UInt8
)
ENGINE = ReplacingMergeTree(Version)
ORDER BY (Tenant, Trace, Span, EventId)
SETTINGS index_granularity = 1024, min_compress_block_size = 16384;

-- What the live correlator has taken from event_inbox.
CREATE TABLE processed
(
    Tenant LowCardinality(String),
    IngestedAt DateTime64(6, 'UTC'),
    EventId UInt128,
    ContentHash UInt64
)
ENGINE = MergeTree
ORDER BY (Tenant, IngestedAt, EventId);

-- One row per attempt of the live correlator; Version grows with each, Watermark when one has finished.
CREATE TABLE correlation_progress
(
    Tenant LowCardinality(String),
    Version UInt64,
    Watermark DateTime64(6, 'UTC'),
    Stragglers UInt64
)
ENGINE = ReplacingMergeTree(Version)
ORDER BY Tenant;

-- The generation of each process that readers see: the row with the greatest Version.
CREATE TABLE generations
(
    Tenant LowCardinality(String),
    Process LowCardinality(String),
    Generation UInt32,
    DefinitionHash String,
    DefinitionVersion UInt32,
    ActivatedAt DateTime64(6, 'UTC'),
    Version UInt64
)
ENGINE = ReplacingMergeTree(Version)
ORDER BY (Tenant, Process);

-- Every key ever named in a process, and the object it names (aliases share one).
CREATE TABLE keys
(
    Tenant LowCardinality(String),
    Process LowCardinality(String),
    Generation UInt32,
    Key UInt64,
    Level UInt8,
    Rank UInt8,
    Namespace LowCardinality(String),
    Value String,
    Object UInt64,
    Alias Enum8('none' = 0, 'aliased' = 1, 'ambiguous' = 2, 'dissolved' = 3),
    Version UInt64,
    Deleted UInt8
)
ENGINE = ReplacingMergeTree(Version)
PARTITION BY (Process, Generation)
ORDER BY (Tenant, Key)
SETTINGS index_granularity = 1024, min_compress_block_size = 16384;

-- Alias claims, each in both directions: EventId says that Key and Other name one object.
CREATE TABLE claims
(
    Tenant LowCardinality(String),
    Process LowCardinality(String),
    Generation UInt32,
    Key UInt64,
    Other UInt64,
    EventId UInt128,
    Rank UInt8,
    OtherRank UInt8,
    Version UInt64,
    Deleted UInt8
)
ENGINE = ReplacingMergeTree(Version)
PARTITION BY (Process, Generation)
ORDER BY (Tenant, Key, Other, EventId)
SETTINGS index_granularity = 1024, min_compress_block_size = 16384;

-- What linking made of one event or evidence: the before-image of the next change.
CREATE TABLE event_state
(
    Tenant LowCardinality(String),
    Process LowCardinality(String),
    Generation UInt32,
    EventId UInt128,
    ContentHash UInt64,
    Keys Array(Tuple(Level UInt8, Rank UInt8, Key UInt64)),          -- effective keys
    Paired Array(UInt64),                                            -- keys that only its business.link names
    Claims Array(Tuple(Key UInt64, Other UInt64, Rank UInt8, OtherRank UInt8)),
    Objects Array(Tuple(Level UInt8, Rank UInt8, Object UInt64)),    -- of the effective keys
    Extra Array(Tuple(Level UInt8, Object UInt64, Named UInt8)),     -- objects of business.link (Named) and .cut only
    Subjects Array(UInt64),
    Edges Array(Tuple(Parent UInt64, Child UInt64, ParentLevel UInt8, ChildLevel UInt8, Rule UInt8)),
    AmbiguousLinks UInt32,
    Roots Array(UInt64),
    Version UInt64,
    Deleted UInt8
)
ENGINE = ReplacingMergeTree(Version)
PARTITION BY (Process, Generation)
ORDER BY (Tenant, EventId)
SETTINGS index_granularity = 1024, min_compress_block_size = 16384;

-- Events and evidence by the objects they name.
CREATE TABLE object_events
(
    Tenant LowCardinality(String),
    Process LowCardinality(String),
    Generation UInt32,
    Object UInt64,
    EventId UInt128,
    Named UInt8,                         -- 0: only a cut mentions it
    Version UInt64,
    Deleted UInt8
)
ENGINE = ReplacingMergeTree(Version)
PARTITION BY (Process, Generation)
ORDER BY (Tenant, Object, EventId)
SETTINGS index_granularity = 1024, min_compress_block_size = 16384;

-- Which event says that Parent is above Child (or, Rule 'cut', that a person removed that link).
CREATE TABLE edges
(
    Tenant LowCardinality(String),
    Process LowCardinality(String),
    Generation UInt32,
    Child UInt64,
    Parent UInt64,
    EventId UInt128,
    Rule Enum8('own' = 1, 'inherited' = 2, 'explicit' = 3, 'cut' = 4),
    Time DateTime64(9, 'UTC'),
    ParentLevel UInt8,
    ChildLevel UInt8,
    Version UInt64,
    Deleted UInt8
)
ENGINE = ReplacingMergeTree(Version)
PARTITION BY (Process, Generation)
ORDER BY (Tenant, Child, Parent, EventId, Rule)
SETTINGS index_granularity = 1024, min_compress_block_size = 16384;

-- edges, by parent.
CREATE TABLE edges_down
(
    Tenant LowCardinality(String),
    Process LowCardinality(String),
    Generation UInt32,
    Parent UInt64,
    Child UInt64,
    EventId UInt128,
    Rule Enum8('own' = 1, 'inherited' = 2, 'explicit' = 3, 'cut' = 4),
    Time DateTime64(9, 'UTC'),
    ParentLevel UInt8,
    ChildLevel UInt8,
    Version UInt64,
    Deleted UInt8
)
ENGINE = ReplacingMergeTree(Version)
PARTITION BY (Process, Generation)
ORDER BY (Tenant, Parent, Child, EventId, Rule)
SETTINGS index_granularity = 1024, min_compress_block_size = 16384;

-- Objects and the roots they descend from.
CREATE TABLE objects
(
    Tenant LowCardinality(String),
    Process LowCardinality(String),
    Generation UInt32,
    Object UInt64,
    Level UInt8,
    Roots Array(UInt64),
    State Enum8('linked' = 0, 'orphan' = 1, 'detached' = 2, 'hub' = 3, 'crowded' = 4),
    Children UInt32,
    Version UInt64,
    Deleted UInt8
)
ENGINE = ReplacingMergeTree(Version)
PARTITION BY (Process, Generation)
ORDER BY (Tenant, Object)
SETTINGS index_granularity = 1024, min_compress_block_size = 16384;

-- Membership: one row per journey and event, with what folding needs of the event.
CREATE TABLE journey_events
(
    Tenant LowCardinality(String),
    Process LowCardinality(String),
    Generation UInt32,
    Root UInt64,
    RootLevel UInt8,                     -- 0, or an orphan's level
    EventId UInt128,
    Time DateTime64(9, 'UTC'),
    Event LowCardinality(String),
    Failed UInt8,
    System LowCardinality(String),
    Platform LowCardinality(String),
    Connection LowCardinality(String),
    Subjects Array(UInt64),
    Objects Array(Tuple(Namespace LowCardinality(String), Object UInt64)),
    Amount Nullable(Decimal(38, 6)),
    Currency LowCardinality(String),
    Customer String,
    Entity LowCardinality(String),
    Region LowCardinality(String),
    ServiceLine LowCardinality(String),
    TimePrecision LowCardinality(String),
    ExceptionClass LowCardinality(String),
    ExceptionCode String,
    ExceptionMessage String,
    Attributes Map(LowCardinality(String), String),
    Version UInt64,
    Deleted UInt8
)
ENGINE = ReplacingMergeTree(Version)
PARTITION BY (Process, Generation)
ORDER BY (Tenant, Root, EventId)
SETTINGS index_granularity = 512, min_compress_block_size = 16384;

-- Journeys to fold: rows above the process's Version in fold_progress.
CREATE TABLE dirty_journeys
(
    Tenant LowCardinality(String),
    Process LowCardinality(String),
    Generation UInt32,
    Version UInt64,
    Root UInt64,
    AddedAt DateTime DEFAULT now()
)
ENGINE = MergeTree
PARTITION BY (Process, Generation)
ORDER BY (Tenant, Version, Root)
TTL AddedAt + INTERVAL 7 DAY;

CREATE TABLE fold_progress
(
    Tenant LowCardinality(String),
    Process LowCardinality(String),
    Generation UInt32,
    Version UInt64
)
ENGINE = ReplacingMergeTree(Version)
ORDER BY (Tenant, Process, Generation);

-- One row per journey: stored facts; status and lateness follow from them and the clock.
CREATE TABLE journey_state
(
    Tenant LowCardinality(String),
    Process LowCardinality(String),
    Generation UInt32,
    Root UInt64,
    RootLevel UInt8,
    Orphan UInt8,
    DefinitionVersion UInt32,
    OpenedAt DateTime64(6, 'UTC'),
    LastEventAt DateTime64(6, 'UTC'),
    CompletedAt Nullable(DateTime64(6, 'UTC')),
    DroppedAt Nullable(DateTime64(6, 'UTC')),
    StuckAt Nullable(DateTime64(6, 'UTC')),
    LateAt Nullable(DateTime64(6, 'UTC')),
    BlockedAt Nullable(DateTime64(6, 'UTC')),
    Amount Nullable(Decimal(38, 6)),
    Currency LowCardinality(String),
    AmountObjects Array(Tuple(Object UInt64, Amount Decimal(38, 6), Currency String)),
    Customer String,
    Entity LowCardinality(String),
    Region LowCardinality(String),
    ServiceLine LowCardinality(String),
    Events UInt32,
    OpenExceptions UInt32,
    FailedChecks Array(Tuple(Name LowCardinality(String), Since DateTime64(6, 'UTC'))),
    `Milestones.Name` Array(LowCardinality(String)),
    `Milestones.State` Array(Enum8('pending' = 0, 'met' = 1, 'met_late' = 2, 'skipped' = 3, 'unknown_start' = 4)),
    `Milestones.MetAt` Array(Nullable(DateTime64(6, 'UTC'))),
    `Milestones.LastAt` Array(Nullable(DateTime64(6, 'UTC'))),
    `Milestones.DueAt` Array(Nullable(DateTime64(6, 'UTC'))),
    `Milestones.Count` Array(UInt32),
    `Milestones.Amount` Array(Nullable(Decimal(38, 6))),
    `Milestones.Currency` Array(String),
    Version UInt64,
    Deleted UInt8
)
ENGINE = ReplacingMergeTree(Version)
PARTITION BY (Process, Generation)
ORDER BY (Tenant, Root)
SETTINGS index_granularity = 1024;

-- Exceptions under each journey they touch: one ExceptionId may stand under several roots.
CREATE TABLE exception_state
(
    Tenant LowCardinality(String),
    Process LowCardinality(String),
    Generation UInt32,
    Root UInt64,
    ExceptionId UInt64,
    Subject UInt64,
    Kind Enum8('event' = 1, 'check' = 2),
    Event LowCardinality(String),
    Milestone LowCardinality(String),
    Class LowCardinality(String),
    Code String,
    Message String,
    Fingerprint UInt64,
    Owner LowCardinality(String),
    Severity LowCardinality(String),
    Blocking UInt8,
    Amount Nullable(Decimal(38, 6)),
    Currency LowCardinality(String),
    OpenedAt DateTime64(6, 'UTC'),
    ResolvedAt Nullable(DateTime64(6, 'UTC')),
    Occurrences UInt32,
    FirstEventId UInt128,
    LastEventId UInt128,
    Version UInt64,
    Deleted UInt8
)
ENGINE = ReplacingMergeTree(Version)
PARTITION BY (Process, Generation)
ORDER BY (Tenant, Root, ExceptionId)
SETTINGS index_granularity = 1024;

-- The working time of each business calendar, by the hash of its content: rows never change. Instants are microseconds since
-- 1970, Work what was worked before the interval (before the business day).
CREATE TABLE calendar_intervals
(
    Calendar String,
    Start Int64,
    Length Int64,
    Work Int64
)
ENGINE = MergeTree
ORDER BY (Calendar, Start);

CREATE TABLE calendar_days
(
    Calendar String,
    Work Int64,
    Length Int64
)
ENGINE = MergeTree
ORDER BY (Calendar, Work);

-- When what starts from Since on is due by a deadline such as 'by 17:00 next business day'.
CREATE TABLE calendar_deadlines
(
    Calendar String,
    Deadline String,
    Since Int64,
    Due Int64
)
ENGINE = MergeTree
ORDER BY (Calendar, Deadline, Since);
