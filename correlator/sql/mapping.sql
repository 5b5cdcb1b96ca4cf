-- Mappings: what came lately, what a rule makes of it, and writing that once. @stage holds the business events made by one rule.

-- clock --
SELECT now64(6, 'UTC')

-- watermark --
SELECT max(Watermark) FROM mapping_progress WHERE Tenant = ''

-- arrived --
-- Inserts since a time, by their stamp: rows that a slow insert still adds to one change its count.
SELECT 'spans', toString(Tenant), toUnixTimestamp64Micro(IngestedAt), count()
FROM otel_traces WHERE IngestedAt > {since:DateTime64(6, 'UTC')} GROUP BY Tenant, IngestedAt
UNION ALL
SELECT 'logs', toString(Tenant), toUnixTimestamp64Micro(IngestedAt), count()
FROM otel_logs WHERE IngestedAt > {since:DateTime64(6, 'UTC')} GROUP BY Tenant, IngestedAt

-- of_inserts --
-- The rows of some inserts. The bounds are for the index.
Tenant = {tenant:String} AND IngestedAt >= fromUnixTimestamp64Micro({low:Int64}) AND IngestedAt <= fromUnixTimestamp64Micro({high:Int64})
  AND toUnixTimestamp64Micro(IngestedAt) IN {inserts:Array(Int64)}

-- of_period --
-- The rows that happened from one time until before another.
Tenant = {tenant:String} AND Timestamp >= fromUnixTimestamp64Micro({low:Int64}) AND Timestamp < fromUnixTimestamp64Micro({high:Int64})

-- minutes_of_spans --
SELECT toUnixTimestamp(toStartOfMinute(Timestamp)) AS Minute, count()
FROM otel_traces
WHERE Tenant = {tenant:String} AND Timestamp >= {since:DateTime64(6, 'UTC')}
GROUP BY Minute ORDER BY Minute

-- minutes_of_logs --
SELECT toUnixTimestamp(toStartOfMinute(Timestamp)) AS Minute, count()
FROM otel_logs
WHERE Tenant = {tenant:String} AND Timestamp >= {since:DateTime64(6, 'UTC')}
GROUP BY Minute ORDER BY Minute

-- edges --
-- A mapped span is an event from now on: what is below it looks no further up. Before the event itself: a span may count as one
-- before its event is visible, never the other way round.
INSERT INTO span_edges (Tenant, Trace, Span, Parents, IsEvent, IngestedAt)
SELECT Tenant, sipHash64(Tenant, TraceId) AS Trace, EventId AS Span, Parents, 1, now64(6, 'UTC')
FROM @stage
WHERE Source = 'span' AND TraceId != '' AND SpanId != '' AND (Trace, Span) NOT IN (
    SELECT Trace, Span FROM span_edges
    WHERE Tenant = {tenant:String} AND IsEvent AND Trace IN (SELECT sipHash64(Tenant, TraceId) FROM @stage))
LIMIT 1 BY Trace, Span

-- known --
-- How many of the staged events are stored already.
SELECT uniqExact(EventId, ContentHash) FROM business_events
WHERE Tenant = {tenant:String} AND EventId IN (SELECT EventId FROM @stage)
  AND (EventId, ContentHash) IN (SELECT EventId, ContentHash FROM @stage)

-- staged --
SELECT uniqExact(EventId, ContentHash) FROM @stage

-- events --
INSERT INTO business_events (${columns})
SELECT ${columns} FROM (SELECT * REPLACE (now64(6, 'UTC') AS IngestedAt) FROM @stage)
WHERE (EventId, ContentHash) NOT IN (
    SELECT EventId, ContentHash FROM business_events
    WHERE Tenant = {tenant:String} AND EventId IN (SELECT EventId FROM @stage))
LIMIT 1 BY EventId, ContentHash

-- inbox --
-- Of events that an attempt that died has stored: their rows in the inbox may be missing. What was processed stays so.
INSERT INTO event_inbox (Tenant, IngestedAt, EventId, ContentHash)
SELECT Tenant, now64(6, 'UTC'), EventId, ContentHash FROM @stage
WHERE (EventId, ContentHash) NOT IN (SELECT EventId, ContentHash FROM event_inbox WHERE Tenant = {tenant:String})
  AND (EventId, ContentHash) NOT IN (SELECT EventId, ContentHash FROM processed WHERE Tenant = {tenant:String})
LIMIT 1 BY EventId, ContentHash

-- rules --
-- The rules in force.
SELECT Position, Rule, Signal, Revision, Hash, Mapping, Definition
FROM mapping_rules
WHERE Tenant = '' AND Version = (SELECT max(Version) FROM mapping_rules WHERE Tenant = '')
ORDER BY Position

-- revisions --
-- The last meaning of every rule that ever was, and the greatest number given.
SELECT Rule, argMax(Hash, Version), argMax(Revision, Version), (SELECT max(Revision) FROM mapping_rules WHERE Tenant = '')
FROM mapping_rules WHERE Tenant = '' GROUP BY Rule

-- quarantined --
-- Rules of which the present meaning failed.
SELECT DISTINCT Rule, Revision FROM mapping_activity WHERE Tenant = {tenant:String} AND What = 'quarantined'

-- states --
-- What each rule in force did, and why it stopped.
SELECT r.Rule, r.Mapping, r.Signal, r.Revision, a.Failed, a.Error, a.FailedAt, a.Mapped, a.LastAt
FROM
(
    SELECT Position, Rule, Mapping, Signal, Revision, JSONExtract(Definition, 'tenants', 'Array(String)') AS Tenants FROM mapping_rules
    WHERE Tenant = '' AND Version = (SELECT max(Version) FROM mapping_rules WHERE Tenant = '')
) AS r
LEFT JOIN
(
    SELECT Rule, Revision, countIf(What = 'quarantined') > 0 AS Failed, argMaxIf(Error, At, What = 'quarantined') AS Error,
        maxOrNullIf(At, What = 'quarantined') AS FailedAt, sumIf(Rows, What != 'quarantined') AS Mapped,
        maxOrNullIf(At, What != 'quarantined') AS LastAt
    FROM mapping_activity WHERE Tenant = {tenant:String} GROUP BY Rule, Revision
) AS a ON a.Rule = r.Rule AND a.Revision = r.Revision
WHERE r.Rule != '' AND (empty(r.Tenants) OR has(r.Tenants, {tenant:String}))
ORDER BY r.Position

-- failed --
-- Rules in force that are quarantined, with whose rows they failed on.
SELECT toString(a.Tenant), a.Rule, argMax(a.Error, a.At)
FROM mapping_activity AS a
INNER JOIN
(
    SELECT Rule, Revision FROM mapping_rules
    WHERE Tenant = '' AND Version = (SELECT max(Version) FROM mapping_rules WHERE Tenant = '')
) AS r ON r.Rule = a.Rule AND r.Revision = a.Revision
WHERE a.What = 'quarantined'
GROUP BY a.Tenant, a.Rule
ORDER BY a.Tenant, a.Rule

-- last_version --
SELECT max(Version) FROM mapping_rules WHERE Tenant = ''
