-- The correlator's own state.

-- clock --
-- The store's clock: inbox rows are stamped by it.
SELECT now64(6, 'UTC')

-- progress --
SELECT max(Version), argMax(Watermark, Version), argMax(Stragglers, Version)
FROM correlation_progress
WHERE Tenant = {tenant:String}

-- active --
-- The active generation of each process.
SELECT Process, argMax(Generation, Version), argMax(DefinitionHash, Version), max(Version)
FROM generations
WHERE Tenant = {tenant:String}
GROUP BY Process

-- last_generation --
-- Generations of one process are numbered across tenants: partitions hold one tenant's each.
SELECT greatest(
    (SELECT max(Generation) FROM generations WHERE Process = {process:String}),
    (SELECT max(Generation) FROM kept_generations WHERE Process = {process:String}))

-- left --
-- The generations of a process that were left and may be gone back to.
SELECT Generation, DefinitionHash, Watermark, Stragglers, LeftAt, Alike, KeptAt
FROM
(
    SELECT * FROM kept_generations
    WHERE Tenant = {tenant:String} AND Process = {process:String}
    ORDER BY Version DESC LIMIT 1 BY Generation
)
WHERE Deleted = 0
ORDER BY Generation

-- changed_since --
-- Whether anything was linked in a generation after a version.
SELECT count() > 0 FROM
(
    SELECT 1 FROM event_state
    WHERE Tenant = {tenant:String} AND Process = {process:String} AND Generation = {generation:UInt32} AND Version > {left:UInt64}
    LIMIT 1
)

-- count_recent --
SELECT count() FROM event_inbox WHERE Tenant = {tenant:String} AND IngestedAt > {since:DateTime64(6, 'UTC')}

-- affected_recent --
-- New events, and every event that ever looked at a span of a trace that has had news: what was seen of it meanwhile, in other
-- generations, does not count.
INSERT INTO @affected
SELECT DISTINCT EventId, 0
FROM
(
    SELECT EventId FROM @new_events
    UNION ALL
    SELECT EventId FROM watched_spans
    WHERE Tenant = {tenant:String} AND Trace IN (
        SELECT Trace FROM trace_inbox WHERE Tenant = {tenant:String} AND IngestedAt > {since:DateTime64(6, 'UTC')})
)

-- mark_mixed --
-- Journeys of a generation that another definition has folded.
INSERT INTO dirty_journeys (Tenant, Process, Generation, Version, Root)
SELECT DISTINCT {tenant:String}, {process:String}, {generation:UInt32}, {version:UInt64}, Root
FROM journey_state
WHERE Tenant = {tenant:String} AND Process = {process:String} AND Generation = {generation:UInt32} AND Version > {left:UInt64}

-- tenants --
SELECT DISTINCT Tenant FROM business_events

-- has_events --
SELECT count() > 0 FROM (SELECT 1 FROM business_events WHERE Tenant = {tenant:String} LIMIT 1)

-- all_waits --
-- Whether no fact was ever processed, and each one stands in the inbox: the first passes will take them all.
SELECT
    (SELECT count() FROM (SELECT 1 FROM processed WHERE Tenant = {tenant:String} LIMIT 1)) = 0
    AND (
        SELECT count() FROM business_events
        WHERE Tenant = {tenant:String} AND (EventId, ContentHash) NOT IN (
            SELECT EventId, ContentHash FROM event_inbox WHERE Tenant = {tenant:String})) = 0

-- count_events --
SELECT count() FROM business_events WHERE Tenant = {tenant:String}

-- folded --
SELECT Process, Generation, max(Version) FROM fold_progress WHERE Tenant = {tenant:String} GROUP BY Process, Generation

-- marked --
-- Journeys that were marked after their process was folded last. All are usually folded up to one version, the least.
SELECT DISTINCT Root FROM dirty_journeys
WHERE Tenant = {tenant:String} AND (Process, Generation) IN {targets:Array(Tuple(String, UInt32))} AND Version > {least:UInt64}
  AND Version > transform(toString(Process), {processes:Array(String)}, {folded:Array(UInt64)}, toUInt64(0))

-- unfolded --
-- Whether a dead pass left journeys marked.
SELECT count() > 0 FROM (${marked} LIMIT 1)

-- to_fold --
INSERT INTO @to_fold ${marked}

-- taken --
-- Whose events are folded, whether any of them has failed, and what happened.
SELECT toString(Process), max(Failed), groupUniqArray(toString(Event)) FROM @folding GROUP BY Process

-- failed_checks --
-- The processes of which a journey was just written with a check that does not hold.
SELECT DISTINCT toString(Process) FROM journey_state
WHERE Tenant = {tenant:String} AND (Process, Generation) IN {targets:Array(Tuple(String, UInt32))}
  AND Root IN (SELECT Root FROM @to_fold) AND Version = {version:UInt64} AND notEmpty(FailedChecks)

-- touched --
-- The processes of which a changed journey has, or had, an exception.
SELECT DISTINCT toString(Process) FROM exception_state
WHERE Tenant = {tenant:String} AND (Process, Generation) IN {targets:Array(Tuple(String, UInt32))}
  AND Root IN (SELECT Root FROM @to_fold)

-- recent --
-- For a rebuild's end: whatever came while it ran.
INSERT INTO @new_events
SELECT EventId, ContentHash, IngestedAt
FROM event_inbox
WHERE Tenant = {tenant:String} AND IngestedAt > {since:DateTime64(6, 'UTC')}

-- generations_of --
-- The generations of a process that a tenant has had.
SELECT DISTINCT Generation FROM event_state WHERE Tenant = {tenant:String} AND Process = {process:String}

-- partitions --
SELECT DISTINCT partition FROM system.parts
WHERE active AND database = currentDatabase() AND table = {table:String}
