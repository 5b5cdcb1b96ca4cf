-- status_counts --
-- Journeys by process and status, and how many of them have an open exception.
SELECT Process AS process, Status AS status, count() AS journeys, countIf(OpenExceptions > 0) AS troubled,
    max(LastEventAt) AS last_event_at
FROM journey_rows_at(tenant = {tenant:String}, now = {now:DateTime64(6, 'UTC')})
WHERE {process:String} = '' OR Process = {process:String}
GROUP BY Process, Status
ORDER BY Process, Status

-- activation --
-- Hours from one milestone to another by week of the first, and in all (week is NULL).
SELECT week, quantile(0.5)(hours) AS median, quantile(0.9)(hours) AS p90, count() AS journeys
FROM
(
    SELECT toStartOfWeek(started, 1, 'UTC') AS week, dateDiff('second', started, ended) / 3600 AS hours
    FROM
    (
        SELECT MilestoneMetAt[indexOf(MilestoneNames, {start:String})] AS started,
            MilestoneMetAt[indexOf(MilestoneNames, {end:String})] AS ended
        FROM journey_rows_at(tenant = {tenant:String}, now = {now:DateTime64(6, 'UTC')})
        WHERE Process = {process:String}
    )
    WHERE started > {now:DateTime64(6, 'UTC')} - INTERVAL 26 WEEK AND ended >= started
)
GROUP BY GROUPING SETS ((week), ())
ORDER BY week

-- overdue --
-- Late and stuck journeys, longest overdue first. They are chosen by few columns, then read whole.
WITH chosen AS
(
    SELECT Root
    FROM journey_rows_at(tenant = {tenant:String}, now = {now:DateTime64(6, 'UTC')})
    WHERE Status IN ('late', 'stuck') AND ({process:String} = '' OR Process = {process:String})
    ORDER BY Status = 'stuck' DESC, assumeNotNull(coalesce(least(StuckAt, LateAt), StuckAt, LateAt, BlockedAt)), Root
    LIMIT {limit:UInt32}
)
SELECT Id AS id, Process AS process, Status AS status, Customer AS customer, Entity AS entity, Region AS region,
    Amount AS amount, Currency AS currency, OpenedAt AS opened_at, OpenExceptions AS exceptions,
    assumeNotNull(coalesce(least(StuckAt, LateAt), StuckAt, LateAt, BlockedAt)) AS overdue_since,
    arrayFirst((name, stored, due) -> stored = 'pending' AND due < {now:DateTime64(6, 'UTC')} AND NOT has(Blind, toString(name)),
        MilestoneNames, MilestoneStored, MilestoneDueAt) AS milestone
FROM journey_rows_at(tenant = {tenant:String}, now = {now:DateTime64(6, 'UTC')})
WHERE Root IN (SELECT Root FROM chosen)
ORDER BY status = 'stuck' DESC, overdue_since, Root

-- exceptions_by_day --
-- Exceptions opened and resolved per day.
SELECT day, countIf(kind = 'opened') AS opened, countIf(kind = 'resolved') AS resolved
FROM
(
    SELECT toDate(moment) AS day, kind
    FROM exceptions_at(tenant = {tenant:String}, now = {now:DateTime64(6, 'UTC')})
    ARRAY JOIN [opened_at, assumeNotNull(resolved_at)] AS moment, ['opened', if(resolved_at IS NULL, '', 'resolved')] AS kind
    WHERE status != 'pending' AND ({process:String} = '' OR process = {process:String})
)
WHERE kind != '' AND day > toDate({now:DateTime64(6, 'UTC')}) - 42
GROUP BY day
ORDER BY day

-- causes --
-- Open exceptions by cause, as in Triage: each failed event once.
SELECT any(code) AS code, any(message) AS message, any(class) AS class, any(owner) AS owner,
    countIf(counts) AS exceptions, sumIf(occurrences, counts) AS occurrences, min(opened_at) AS first_seen,
    any(journeys[1]) AS journey
FROM (${open({process:String} = '' OR process = {process:String})})
GROUP BY cause
ORDER BY exceptions DESC, first_seen
LIMIT 10

-- flow --
-- Journeys opened and completed per week.
SELECT week, countIf(kind = 'opened') AS opened, countIf(kind = 'completed') AS completed
FROM
(
    SELECT toStartOfWeek(moment, 1, 'UTC') AS week, kind
    FROM journey_rows_at(tenant = {tenant:String}, now = {now:DateTime64(6, 'UTC')})
    ARRAY JOIN [OpenedAt, ifNull(CompletedAt, toDateTime64(0, 6, 'UTC'))] AS moment, ['opened', 'completed'] AS kind
    WHERE {process:String} = '' OR Process = {process:String}
)
WHERE week > toDate({now:DateTime64(6, 'UTC')}) - 180
GROUP BY week
ORDER BY week

-- sources --
-- Who sends business events, quietest first.
SELECT * FROM sources_at(tenant = {tenant:String}, now = {now:DateTime64(6, 'UTC')}) ORDER BY last_event_at

-- dimensions --
-- Values that journeys have, to choose from.
SELECT arraySort(groupUniqArray(200)(Process)) AS processes, arraySort(groupUniqArray(200)(Region)) AS regions,
    arraySort(groupUniqArray(200)(Entity)) AS entities
FROM journey_rows_at(tenant = {tenant:String}, now = {now:DateTime64(6, 'UTC')})

-- spans --
-- The spans of one trace in order; the index of traces says in which time to look.
WITH
    (SELECT min(Start) FROM otel_traces_trace_id_ts WHERE Tenant = {tenant:String} AND TraceId = {trace:String}) AS From,
    (SELECT max(End) FROM otel_traces_trace_id_ts WHERE Tenant = {tenant:String} AND TraceId = {trace:String}) AS Until
SELECT Timestamp AS start, Duration / 1e6 AS milliseconds, SpanId AS span, ParentSpanId AS parent, SpanName AS name,
    ServiceName AS service, SpanKind AS kind, StatusCode AS status, StatusMessage AS message, SpanAttributes AS attributes
FROM otel_traces
WHERE Tenant = {tenant:String} AND TraceId = {trace:String} AND Timestamp >= From - 1 AND Timestamp <= Until + 1
ORDER BY start, span
LIMIT 1 BY span
LIMIT 2000
