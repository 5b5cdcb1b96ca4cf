-- What replays read and look for. Exceptions are named as the API names them: sixteen hexadecimal digits.

-- chosen --
-- Exceptions by id, or the open ones of one cause.
SELECT id, status, process, class, code, message, fingerprint, event, milestone, owner, severity, runbook, amount, currency,
    customer, entity, region, journeys, opened_at, last_seen, failing
FROM exceptions_at(tenant = {tenant:String}, now = {now:DateTime64(6, 'UTC')})
WHERE if({fingerprint:String} = '', has({ids:Array(String)}, id), fingerprint = {fingerprint:String} AND status = 'open')
ORDER BY id
LIMIT {limit:UInt32}

-- active --
-- The generations that readers see.
SELECT Process, Generation FROM generations FINAL WHERE Tenant = {tenant:String}

-- failures --
-- The object that each failed on, under its name, and the latest failed event (none for a check).
SELECT leftPad(lower(hex(s.ExceptionId)), 16, '0') AS exception, s.Subject AS subject, s.Check AS is_check,
    if(k.Value = '', '', concat(k.Namespace, ':', k.Value)) AS name,
    b.Time AS failed_at, b.System AS system, b.Platform AS platform, b.Connection AS connection, b.RunId AS run_id,
    b.RunUrl AS run_url, b.IdempotencyKey AS idempotency_key, b.PayloadRef AS payload_ref,
    b.Attributes['business.payload'] AS payload, b.TraceId AS trace_id, b.Keys AS keys,
    ifNull(b.AccountingDate, toDate32(b.Time)) AS accounting_date
FROM
(
    SELECT ExceptionId, any(Subject) AS Subject,
        max(Kind = 'check') AS Check, argMax(LastEventId, LastSeenAt) AS Failure
    FROM exception_state FINAL
    WHERE Tenant = {tenant:String} AND Deleted = 0 AND ExceptionId IN {numbers:Array(UInt64)} AND (Process, Generation) IN (${active})
    GROUP BY ExceptionId
    SETTINGS do_not_merge_across_partitions_select_final = 1
) AS s
LEFT ANY JOIN
(
    SELECT Key, Namespace, Value FROM keys
    WHERE Tenant = {tenant:String} AND Deleted = 0 AND (Process, Generation) IN (${active})
        AND Key IN (SELECT Subject FROM exception_state WHERE Tenant = {tenant:String} AND ExceptionId IN {numbers:Array(UInt64)})
) AS k ON k.Key = s.Subject
LEFT ANY JOIN
(
    SELECT * FROM business_events
    WHERE Tenant = {tenant:String} AND EventId IN (
        SELECT LastEventId FROM exception_state WHERE Tenant = {tenant:String} AND ExceptionId IN {numbers:Array(UInt64)})
    ORDER BY Time DESC, ContentHash DESC
    LIMIT 1 BY EventId
) AS b ON b.EventId = s.Failure

-- changed --
-- What succeeded on the objects since they failed: the source may have been changed.
SELECT w.1 AS exception, arraySort(groupUniqArray(20)(toString(b.Event))) AS events
FROM
(
    SELECT w, o.EventId AS EventId
    FROM (SELECT arrayJoin({wanted:Array(Tuple(String, UInt64, Int64))}) AS w) AS x
    INNER JOIN
    (
        SELECT Object, EventId FROM object_events
        WHERE Tenant = {tenant:String} AND Deleted = 0 AND (Process, Generation) IN (${active}) AND Object IN {subjects:Array(UInt64)}
    ) AS o ON o.Object = x.w.2
) AS e
INNER JOIN
(
    SELECT EventId, Event, toUnixTimestamp64Micro(toDateTime64(Time, 6, 'UTC')) AS At
    FROM business_events
    WHERE Tenant = {tenant:String} AND Failed = 0 AND Event != '' AND EventId IN (
        SELECT EventId FROM object_events
        WHERE Tenant = {tenant:String} AND Deleted = 0 AND (Process, Generation) IN (${active}) AND Object IN {subjects:Array(UInt64)})
) AS b ON b.EventId = e.EventId
WHERE b.At > e.w.3
GROUP BY exception

-- milestones --
-- Of some journeys the milestones, in their order.
SELECT m.journey AS journey, groupArray((m.name, toString(m.state), p.Optional)) AS milestones
FROM
(
    SELECT process, journey, name, state
    FROM milestones_at(tenant = {tenant:String}, now = {now:DateTime64(6, 'UTC')})
    WHERE journey IN {journeys:Array(String)}
) AS m
INNER JOIN
(
    SELECT Process, Name, Position, Optional FROM process_milestones FINAL WHERE Tenant IN ('', {tenant:String}) AND Deleted = 0
) AS p ON p.Process = m.process AND p.Name = m.name
GROUP BY journey

-- closed --
-- Periods that were closed: what falls into one stands in the books.
SELECT Process, Entity, Period, FirstDay, LastDay
FROM closings
WHERE Tenant = {tenant:String}

-- effects --
-- The successes that items aim at: the event itself, on the same object, first received after sending. Caused ones carry the
-- replay's id, or stand in the trace that the call began. How many came from one source tells duplicates.
SELECT w.1 AS item, argMin(EventId, (NOT caused, received)) AS event, max(caused) AS any_caused, max(same_source) AS repeated
FROM
(
    SELECT w, EventId, received, caused, count() OVER (PARTITION BY w.1, source) AS same_source
    FROM
    (
        SELECT x.w AS w, lower(hex(b.EventId)) AS EventId, min(b.ReceivedAt) AS received,
            max(b.ReplayId = x.w.1 OR (b.TraceId != '' AND b.TraceId = x.w.5)) AS caused,
            any((b.System, b.Platform, b.Connection, b.ServiceName)) AS source, max(b.Failed) AS failed
        FROM (SELECT arrayJoin({wanted:Array(Tuple(String, UInt64, String, Int64, String))}) AS w) AS x
        INNER JOIN
        (
            SELECT arrayJoin(Subjects) AS Subject, EventId
            FROM event_state FINAL
            WHERE Tenant = {tenant:String} AND Deleted = 0 AND (Process, Generation) IN (${active})
                AND EventId IN (
                    SELECT EventId FROM object_events
                    WHERE Tenant = {tenant:String} AND (Process, Generation) IN (${active}) AND Object IN {subjects:Array(UInt64)})
            SETTINGS do_not_merge_across_partitions_select_final = 1
        ) AS s ON s.Subject = x.w.2
        INNER JOIN
        (
            SELECT * FROM business_events
            WHERE Tenant = {tenant:String} AND EventId IN (
                SELECT EventId FROM object_events
                WHERE Tenant = {tenant:String} AND (Process, Generation) IN (${active}) AND Object IN {subjects:Array(UInt64)})
        ) AS b ON b.EventId = s.EventId AND toString(b.Event) = x.w.3
        GROUP BY w, EventId
    )
    WHERE failed = 0 AND toUnixTimestamp64Micro(received) > w.4
)
GROUP BY item

-- outcomes --
-- How replays of some causes ended, as far as they caused it.
SELECT leftPad(lower(hex(Fingerprint)), 16, '0') AS fingerprint, Kind AS kind, Target AS target,
    countIf(State = 'verified' AND Outcome = 'caused') AS caused, countIf(State = 'verified' AND Outcome != 'caused') AS observed,
    countIf(State = 'unverified') AS unverified, countIf(State = 'failed') AS failed
FROM
(
    SELECT * FROM replay_transitions
    WHERE Tenant = {tenant:String} AND Fingerprint IN {fingerprints:Array(UInt64)}
    ORDER BY Number DESC
    LIMIT 1 BY Item
)
WHERE State IN ('verified', 'unverified', 'failed')
GROUP BY fingerprint, kind, target
