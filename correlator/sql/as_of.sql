-- What was known at a time. Facts are known from when they were stored (IngestedAt); none of their versions is ever removed.

-- known_then --
IngestedAt <= {at:DateTime64(6, 'UTC')}

-- known_now --
-- All facts of what had happened by then, and what was known by then of later times. The version that counts says when it
-- happened, and of several that is the latest: so an identity with a later version has not happened yet.
((Time <= {at:DateTime64(6, 'UTC')} AND EventId NOT IN (SELECT EventId FROM @straddling))
    OR EventId IN (SELECT EventId FROM @straddling WHERE Counts = 1))

-- straddling --
INSERT INTO @straddling
SELECT EventId, minIf(IngestedAt, Time > {at:DateTime64(6, 'UTC')}) <= {at:DateTime64(6, 'UTC')} AS Counts
FROM business_events
WHERE Tenant = {tenant:String}
GROUP BY EventId
HAVING max(Time) > {at:DateTime64(6, 'UTC')} AND (min(Time) <= {at:DateTime64(6, 'UTC')} OR Counts)
SETTINGS optimize_aggregation_in_order = 1

-- has_late --
-- Whether anything was stored later that could make a difference.
SELECT count() > 0
FROM
(
    SELECT 1 FROM business_events
    WHERE Tenant = {tenant:String} AND IngestedAt > {at:DateTime64(6, 'UTC')}
        AND (Time <= {at:DateTime64(6, 'UTC')} OR EventId IN (
            SELECT EventId FROM business_events WHERE Tenant = {tenant:String} AND IngestedAt <= {at:DateTime64(6, 'UTC')}))
    LIMIT 1
    UNION ALL
    SELECT 1 FROM span_edges WHERE Tenant = {tenant:String} AND IngestedAt > {at:DateTime64(6, 'UTC')} LIMIT 1
)

-- late_events --
-- Of some journeys the events whose version that counts was stored after a time.
SELECT j.Root AS Root, leftPad(lower(hex(j.EventId)), 32, '0') AS Id, b.Event AS Event, b.System AS System, b.Time AS Time,
    b.ReceivedAt AS ReceivedAt, b.IngestedAt AS IngestedAt
FROM
(
    SELECT DISTINCT Root, EventId
    FROM journey_events
    WHERE Tenant = {tenant:String} AND Process = {process:String} AND Generation IN {sources:Array(UInt32)}
        AND Root IN {roots:Array(UInt64)}
) AS j
INNER JOIN
(
    SELECT EventId, Event, System, Time, ReceivedAt, IngestedAt
    FROM
    (
        SELECT EventId, ContentHash, Event, System, Time, ReceivedAt, IngestedAt
        FROM business_events
        WHERE Tenant = {tenant:String} AND EventId IN (
            SELECT EventId FROM journey_events
            WHERE Tenant = {tenant:String} AND Process = {process:String} AND Generation IN {sources:Array(UInt32)}
                AND Root IN {roots:Array(UInt64)})
        ORDER BY Time DESC, ContentHash DESC, IngestedAt
        LIMIT 1 BY EventId
    )
    WHERE IngestedAt > {at:DateTime64(6, 'UTC')}
) AS b ON b.EventId = j.EventId
ORDER BY Root, Time, Id

-- definition_at --
-- The definition that a tenant's journeys followed at a time.
SELECT Source, DefinitionHash
FROM definition_history
WHERE Tenant = {tenant:String} AND Process = {process:String} AND ActivatedAt <= {at:DateTime64(6, 'UTC')}
ORDER BY ActivatedAt DESC
LIMIT 1
