-- received --
-- Items accepted per signal and loaded by now; what still waits in the spool is added by the caller.
SELECT Signal, sum(Items) FROM received_requests WHERE Tenant = {tenant:String} GROUP BY Signal

-- stored --
-- Rows in the raw tables per signal. CloudEvents and webhooks lie among the logs under scopes of their own.
SELECT 'spans' AS Signal, count() AS Rows FROM otel_traces WHERE Tenant = {tenant:String}
UNION ALL SELECT 'logs', countIf(NOT match(ScopeName, '^throughline\\.(cloudevents$|hooks\\.)')) FROM otel_logs WHERE Tenant = {tenant:String}
UNION ALL SELECT 'events', countIf(match(ScopeName, '^throughline\\.(cloudevents$|hooks\\.)')) FROM otel_logs WHERE Tenant = {tenant:String}
UNION ALL SELECT 'metrics', sum(Rows) FROM
(
    SELECT count() AS Rows FROM otel_metrics_gauge WHERE Tenant = {tenant:String}
    UNION ALL SELECT count() FROM otel_metrics_sum WHERE Tenant = {tenant:String}
    UNION ALL SELECT count() FROM otel_metrics_summary WHERE Tenant = {tenant:String}
    UNION ALL SELECT count() FROM otel_metrics_histogram WHERE Tenant = {tenant:String}
    UNION ALL SELECT count() FROM otel_metrics_exponential_histogram WHERE Tenant = {tenant:String}
)

-- correlated --
-- Everything ingested before Until is in journeys; Pending is the oldest row after it. Letters that were read again
-- do not count.
WITH (SELECT max(Watermark) FROM correlation_progress WHERE Tenant = {tenant:String}) AS Reached
SELECT
    if(Reached > toDateTime64(0, 6, 'UTC'), Reached, NULL) AS Until,
    (SELECT minOrNull(IngestedAt) FROM event_inbox WHERE Tenant = {tenant:String} AND IngestedAt > Reached) AS Pending,
    (SELECT count() FROM dead_letters WHERE Tenant = {tenant:String} AND Id NOT IN (
        SELECT Id FROM dead_letter_retries WHERE Tenant = {tenant:String} AND Outcome = 'stored')) AS DeadLetters

-- linking --
-- What linking could not or would not join. Few rows ever had such a state: their latest rows are looked up.
SELECT countIf(State IN ('hub', 'crowded')) AS Hubs, countIf(State = 'detached') AS Detached, countIf(Depth = 255) AS Looped
FROM
(
    SELECT Process, Object, State, Depth, Deleted FROM objects
    WHERE Tenant = {tenant:String}
        AND Object IN (
            SELECT Object FROM objects
            WHERE Tenant = {tenant:String} AND (State IN ('hub', 'crowded', 'detached') OR Depth = 255))
        AND (Process, Generation) IN (SELECT Process, Generation FROM generations FINAL WHERE Tenant = {tenant:String})
    ORDER BY Version DESC LIMIT 1 BY Process, Object
)
WHERE Deleted = 0

-- ambiguous --
-- Pairs that events name without saying which belongs to which.
SELECT sum(AmbiguousLinks)
FROM
(
    SELECT Process, EventId, AmbiguousLinks, Deleted FROM event_state
    WHERE Tenant = {tenant:String}
        AND EventId IN (SELECT EventId FROM event_state WHERE Tenant = {tenant:String} AND AmbiguousLinks > 0)
        AND (Process, Generation) IN (SELECT Process, Generation FROM generations FINAL WHERE Tenant = {tenant:String})
    ORDER BY Version DESC LIMIT 1 BY Process, EventId
)
WHERE Deleted = 0

-- generations --
-- The active generation of each process.
SELECT Process, Generation, DefinitionHash, DefinitionVersion, ActivatedAt FROM generations FINAL WHERE Tenant = {tenant:String}

-- gaps --
-- Events that cannot be heard now.
SELECT toString(Event) AS event, min(Since) AS since, any(Reason) AS reason
FROM source_gaps FINAL
WHERE Tenant = {tenant:String} AND Deleted = 0 AND Since <= now64(6, 'UTC') AND ifNull(Until > now64(6, 'UTC'), 1)
GROUP BY event
ORDER BY event

-- objects --
-- How many rows there are of objects: of many, some are looked at.
SELECT count() FROM objects WHERE Tenant = {tenant:String}

-- link_rates --
-- Objects below the root, and those of them with a parent. Objects are hashes: those below a bound are a fair sample.
SELECT Process, Level, count(), countIf(State != 'orphan')
FROM
(
    SELECT toString(Process) AS Process, Object, Level, toString(State) AS State, Deleted FROM objects
    WHERE Tenant = {tenant:String} AND Level > 0 AND Object <= {bound:UInt64}
        AND (Process, Generation) IN (SELECT Process, Generation FROM generations FINAL WHERE Tenant = {tenant:String})
    ORDER BY Version DESC LIMIT 1 BY Process, Object
)
WHERE Deleted = 0
GROUP BY Process, Level
ORDER BY Process, Level
