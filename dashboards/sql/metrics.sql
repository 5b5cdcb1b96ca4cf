-- journeys --
-- Journeys by process and status.
SELECT toString(process) AS process, status, count() AS journeys
FROM journeys_unnamed_at(tenant = {tenant:String}, now = {now:DateTime64(6, 'UTC')})
GROUP BY process, status
ORDER BY journeys DESC
LIMIT {most:UInt32}

-- milestones --
-- Milestones that somebody waits for, by state.
SELECT toString(process) AS process, toString(name) AS milestone, state, count() AS milestones
FROM milestones_at(tenant = {tenant:String}, now = {now:DateTime64(6, 'UTC')})
WHERE state IN ('due', 'late', 'blind')
GROUP BY process, milestone, state
ORDER BY milestones DESC
LIMIT {most:UInt32}

-- exceptions --
-- Open exceptions by class and severity.
SELECT toString(process) AS process, toString(class) AS class, toString(severity) AS severity, count() AS exceptions
FROM exceptions_at(tenant = {tenant:String}, now = {now:DateTime64(6, 'UTC')})
WHERE status != 'resolved'
GROUP BY process, class, severity
ORDER BY exceptions DESC
LIMIT {most:UInt32}

-- durations --
-- From the opening of a journey to each milestone, counted by buckets; and the latest one, as an example.
SELECT process, milestone, sumForEach(arrayMap(b -> toUInt64(seconds <= b), {buckets:Array(Float64)})) AS counts,
    count() AS reached, sum(seconds) AS total, argMax(root, met) AS journey, argMax(seconds, met) AS took, max(met) AS at
FROM
(
    SELECT toString(Process) AS process, toString(name) AS milestone, Root AS root, assumeNotNull(time) AS met,
        greatest(dateDiff('second', OpenedAt, assumeNotNull(time)), 0) AS seconds
    FROM journey_rows_at(tenant = {tenant:String}, now = {now:DateTime64(6, 'UTC')})
    ARRAY JOIN MilestoneNames AS name, MilestoneMetAt AS time
    WHERE time IS NOT NULL
)
GROUP BY process, milestone
ORDER BY reached DESC
LIMIT {most:UInt32}

-- traces --
-- The traces in which journeys reached something.
SELECT e.Root AS root, toDateTime64(e.Time, 6, 'UTC') AS at, any(b.TraceId) AS trace
FROM
(
    SELECT Root, Time, EventId FROM journey_events FINAL
    WHERE Tenant = {tenant:String} AND Deleted = 0 AND Root IN {roots:Array(UInt64)}
) AS e
INNER JOIN
(
    SELECT EventId, TraceId FROM business_events
    WHERE Tenant = {tenant:String} AND TraceId != '' AND EventId IN (
        SELECT EventId FROM journey_events WHERE Tenant = {tenant:String} AND Root IN {roots:Array(UInt64)})
) AS b ON b.EventId = e.EventId
GROUP BY root, at
