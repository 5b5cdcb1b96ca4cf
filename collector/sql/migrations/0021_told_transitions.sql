-- What subscribers are told of: transitions of milestones and exceptions, noticed once. A milestone that is met at another time
-- than was thought, or an exception whose history late events have changed, is no new transition while it stands as it was told.
CREATE TABLE IF NOT EXISTS told_transitions
(
    Tenant LowCardinality(String),
    Process LowCardinality(String),
    Subject Enum8('milestone' = 1, 'exception' = 2),
    Id UInt64,                           -- the journey's root, or the exception
    Name String,                         -- the milestone; of what a person did, which act it was
    Number UInt32,                       -- 1, 2, 3, ... of this subject, id and name
    Kind LowCardinality(String),         -- met, late, undone; opened, resolved, reopened, closed, gone
    Turns UInt32,                        -- of an exception: openings and resolutions up to this one
    At DateTime64(6, 'UTC'),
    Root UInt64,
    Actor LowCardinality(String),
    Restated UInt8,                      -- 1: it was so already when subscriptions began, or a rebuild found it; nobody is told
    NoticedAt DateTime64(6, 'UTC') DEFAULT now64(6, 'UTC'),
    Message String MATERIALIZED concat('msg_', lower(hex(sipHash128(Tenant, Process, toString(Subject), Id, Name, Number)))),
    INDEX noticed NoticedAt TYPE minmax GRANULARITY 1
)
ENGINE = ReplacingMergeTree
ORDER BY (Tenant, Process, Subject, Id, Name, Number)
SETTINGS index_granularity = 1024, fsync_after_insert = 1, fsync_part_directory = 1;
