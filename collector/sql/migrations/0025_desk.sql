-- What people linked and unlinked by hand, in the order in which they did: one identity for each pair, of which the last statement
-- counts. Only what Throughline said itself: nobody else's segments are called so.
CREATE TABLE IF NOT EXISTS hand_links
(
    Tenant LowCardinality(String),
    EventId UInt128,
    At DateTime64(9, 'UTC'),
    Action LowCardinality(String),       -- link.added, link.removed, link.undone
    Parent String,                       -- namespace:value
    Child String,
    Actor LowCardinality(String),
    Reason String
)
ENGINE = ReplacingMergeTree
ORDER BY (Tenant, EventId, At)
SETTINGS index_granularity = 1024, fsync_after_insert = 1, fsync_part_directory = 1;

CREATE MATERIALIZED VIEW IF NOT EXISTS said_to_hand_links TO hand_links AS
SELECT
    Tenant,
    EventId,
    Time AS At,
    Event AS Action,
    extract(Attributes['business.event.id'], '^hand-link/([^>]*)>') AS Parent,
    extract(Attributes['business.event.id'], '^hand-link/[^>]*>((?s).*)$') AS Child,
    Attributes['business.link.actor'] AS Actor,
    Attributes['business.link.reason'] AS Reason
FROM business_events
WHERE startsWith(Segment, 'said-') AND Event IN ('link.added', 'link.removed', 'link.undone')
    AND startsWith(Attributes['business.event.id'], 'hand-link/');

-- What became of tickets in other systems: a copy of every step in the control store, append-only. Rows that are repeated merge.
CREATE TABLE IF NOT EXISTS ticket_transitions
(
    Tenant LowCardinality(String),
    Place LowCardinality(String),        -- the entry of tickets.yaml
    Fingerprint UInt64,
    Number UInt32,                       -- counts the steps of this cause and place from 1
    At DateTime64(6, 'UTC'),
    Actor LowCardinality(String),
    What LowCardinality(String),         -- wanted, opened, commented, status, closing, closed, failed
    Text String,
    Ticket String                        -- as the other system calls it; empty before it was opened
)
ENGINE = ReplacingMergeTree
ORDER BY (Tenant, Place, Fingerprint, Number)
SETTINGS index_granularity = 1024, fsync_after_insert = 1, fsync_part_directory = 1;
