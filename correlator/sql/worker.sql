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
SELECT max(Generation) FROM generations WHERE Process = {process:String}

-- tenants --
SELECT DISTINCT Tenant FROM business_events

-- has_events --
SELECT count() > 0 FROM (SELECT 1 FROM business_events WHERE Tenant = {tenant:String} LIMIT 1)

-- count_events --
SELECT count() FROM business_events WHERE Tenant = {tenant:String}

-- folded --
SELECT max(Version) FROM fold_progress
WHERE Tenant = {tenant:String} AND Process = {process:String} AND Generation = {generation:UInt32}

-- unfolded --
-- Whether a dead pass left journeys marked.
SELECT count() > 0
FROM (SELECT Process, Generation, max(Version) AS Marked FROM dirty_journeys WHERE Tenant = {tenant:String} GROUP BY Process, Generation) AS d
LEFT JOIN (SELECT Process, Generation, max(Version) AS Folded FROM fold_progress WHERE Tenant = {tenant:String} GROUP BY Process, Generation) AS f
    ON f.Process = d.Process AND f.Generation = d.Generation
WHERE d.Marked > f.Folded

-- to_fold --
INSERT INTO @to_fold
SELECT DISTINCT Root FROM dirty_journeys
WHERE Tenant = {tenant:String} AND Process = {process:String} AND Generation = {generation:UInt32} AND Version > {folded:UInt64}

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
