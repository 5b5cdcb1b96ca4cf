-- What subscribers are told of. `changed` names the journeys to look at: those folded after a version, or a range of all.

-- positions --
-- The generation that readers see of each process, up to which version it is folded, and the store's clock.
SELECT g.Process, g.Generation, f.Version, now64(6, 'UTC')
FROM (
    SELECT Process, argMax(Generation, Version) AS Generation FROM generations WHERE Tenant = {tenant:String} GROUP BY Process
) AS g
LEFT JOIN (
    SELECT Process, Generation, max(Version) AS Version FROM fold_progress WHERE Tenant = {tenant:String}
    GROUP BY Process, Generation
) AS f ON f.Process = g.Process AND f.Generation = g.Generation
ORDER BY g.Process

-- count_journeys --
SELECT count() FROM journey_state
WHERE Tenant = {tenant:String} AND Process = {process:String} AND Generation = {generation:UInt32}

-- changed --
-- Journeys folded after one version and up to another.
Root IN (
    SELECT Root FROM dirty_journeys
    WHERE Tenant = {tenant:String} AND Process = {process:String} AND Generation = {generation:UInt32}
        AND Version > {after:UInt64} AND Version <= {until:UInt64})

-- within --
-- A range of all journeys.
Root BETWEEN {lo:UInt64} AND {hi:UInt64}

-- anything_changed --
SELECT 1 FROM dirty_journeys
WHERE Tenant = {tenant:String} AND Process = {process:String} AND Generation = {generation:UInt32}
    AND Version > {after:UInt64} AND Version <= {until:UInt64}
LIMIT 1

-- recent --
-- Events of a generation that arrived lately: what they did is no restatement, though a rebuild has found it.
(Root, {moment}) IN (
    SELECT Root, toDateTime64(Time, 6, 'UTC') FROM journey_events
    WHERE Tenant = {tenant:String} AND Process = {process:String} AND Generation = {generation:UInt32} AND Deleted = 0
        AND EventId IN (SELECT EventId FROM event_inbox
            WHERE Tenant = {tenant:String} AND IngestedAt >= {since:DateTime64(6, 'UTC')}))

-- notice_milestones --
-- Milestones that are met and were not told so, and those told so that are met no more.
INSERT INTO told_transitions (Tenant, Process, Subject, Id, Name, Number, Kind, At, Root, Restated)
SELECT {tenant:String}, {process:String}, 'milestone', Root, Name, Number + 1, Kind, At, Root,
    multiIf({baseline:UInt8} = 1, 1, {rebuilt:UInt8} = 0, 0, NOT (@recent))
FROM (
    SELECT now.Root AS Root, now.Name AS Name, told.Number AS Number, if(now.Met, 'met', 'undone') AS Kind,
        if(now.Met, ifNull(now.MetAt, now.LastEventAt), now.LastEventAt) AS At
    FROM (
        SELECT Root, Name, State IN ('met', 'met_late') AS Met, MetAt, LastEventAt
        FROM (
            SELECT Root, LastEventAt, Deleted, `Milestones.Name`, `Milestones.State`, `Milestones.MetAt` FROM journey_state
            WHERE Tenant = {tenant:String} AND Process = {process:String} AND Generation = {generation:UInt32} AND @journeys
            ORDER BY Version DESC LIMIT 1 BY Root
        )
        ARRAY JOIN `Milestones.Name` AS Name, `Milestones.State` AS State, `Milestones.MetAt` AS MetAt
        WHERE Deleted = 0
    ) AS now
    LEFT JOIN (
        SELECT Id, Name, Number, Kind FROM told_transitions
        WHERE Tenant = {tenant:String} AND Process = {process:String} AND Subject = 'milestone'
            AND Id IN (SELECT Root FROM journey_state
                WHERE Tenant = {tenant:String} AND Process = {process:String} AND Generation = {generation:UInt32}
                    AND @journeys)
        ORDER BY Number DESC LIMIT 1 BY Id, Name
    ) AS told ON told.Id = now.Root AND told.Name = now.Name
    WHERE (now.Met AND told.Kind != 'met') OR (NOT now.Met AND told.Kind = 'met')
)

-- notice_exceptions --
-- Openings and resolutions beyond those told of; of a history that late events have made shorter, how it ends, if otherwise.
INSERT INTO told_transitions (Tenant, Process, Subject, Id, Name, Number, Kind, Turns, At, Root, Restated)
SELECT {tenant:String}, {process:String}, 'exception', ExceptionId, '', Number + nth,
    multiIf(turn = 1, 'opened', turn % 2 = 1, 'reopened', 'resolved'), turn, At, Root,
    multiIf({baseline:UInt8} = 1, 1, {rebuilt:UInt8} = 0, 0, NOT (@recent))
FROM (
    SELECT ExceptionId, Root, Number, turn, nth, toDateTime64(Moments[turn], 6, 'UTC') AS At
    FROM (
        SELECT now.ExceptionId AS ExceptionId, now.Root AS Root, now.Moments AS Moments, told.Number AS Number,
            toUInt32(length(now.Moments)) AS count,
            multiIf(count > told.Turns, range(told.Turns + 1, count + 1),
                (count - told.Turns) % 2 != 0, [count], []) AS missing
        FROM (
            SELECT ExceptionId, any(Root) AS Root, any(Turns.At) AS Moments
            FROM (
                SELECT ExceptionId, Root, Turns, Deleted FROM exception_state
                WHERE Tenant = {tenant:String} AND Process = {process:String} AND Generation = {generation:UInt32} AND @journeys
                ORDER BY Version DESC LIMIT 1 BY Root, ExceptionId
            )
            WHERE Deleted = 0
            GROUP BY ExceptionId
        ) AS now
        LEFT JOIN (
            SELECT Id, Number, Turns FROM told_transitions
            WHERE Tenant = {tenant:String} AND Process = {process:String} AND Subject = 'exception' AND Name = ''
                AND Id IN (SELECT ExceptionId FROM exception_state
                    WHERE Tenant = {tenant:String} AND Process = {process:String} AND Generation = {generation:UInt32}
                        AND @journeys)
            ORDER BY Number DESC LIMIT 1 BY Id
        ) AS told ON told.Id = now.ExceptionId
    )
    ARRAY JOIN missing AS turn, arrayEnumerate(missing) AS nth
)

-- notice_late --
-- Milestones whose due time has passed since the last look, or that a silent source kept blind until now.
INSERT INTO told_transitions (Tenant, Process, Subject, Id, Name, Number, Kind, At, Root)
SELECT {tenant:String}, process, 'milestone', Journey, name, Number + 1, 'late', due_at, Journey
FROM (
    SELECT m.process AS process, reinterpretAsUInt64(reverse(unhex(m.journey))) AS Journey, m.name AS name, m.due_at AS due_at,
        told.Number AS Number
    FROM (
        SELECT process, journey, name, assumeNotNull(due_at) AS due_at
        FROM milestones_at(tenant = {tenant:String}, now = {now:DateTime64(6, 'UTC')})
        WHERE state = 'late' AND due_at >= {since:DateTime64(6, 'UTC')} AND process IN {processes:Array(String)}
    ) AS m
    LEFT JOIN (
        SELECT Process, Id, Name, Number, Kind FROM told_transitions
        WHERE Tenant = {tenant:String} AND Subject = 'milestone'
        ORDER BY Number DESC LIMIT 1 BY Process, Id, Name
    ) AS told ON told.Process = m.process AND told.Id = Journey AND told.Name = m.name
    WHERE told.Kind NOT IN ('late', 'met')
)

-- notice_acts --
-- What people did about exceptions, and exceptions that are gone with their journey.
INSERT INTO told_transitions (Tenant, Process, Subject, Id, Name, Number, Kind, At, Root, Actor, Restated)
SELECT {tenant:String}, Process, 'exception', ExceptionId, Name, 1, toString(Kind), toDateTime64(At, 6, 'UTC'), Root, Actor,
    {baseline:UInt8}
FROM (
    SELECT Process, ExceptionId, if(Origin = 'person', lower(hex(Act)), concat('gone ', toString(At))) AS Name, Kind, At, Root, Actor
    FROM (
        SELECT * FROM exception_transitions
        WHERE Tenant = {tenant:String} AND NoticedAt >= {since:DateTime64(6, 'UTC')}
            AND ((Origin = 'person' AND Kind IN ('closed', 'reopened')) OR (Origin = 'found' AND Kind = 'gone'))
        ORDER BY Version DESC LIMIT 1 BY Process, Subject, ExceptionId, Kind, Origin, At, EventId, Act
    )
    WHERE Withdrawn = 0
)
WHERE (ExceptionId, Name) NOT IN (
    SELECT Id, Name FROM told_transitions WHERE Tenant = {tenant:String} AND Subject = 'exception' AND Name != '')

-- to_tell --
-- Transitions noticed after a place, in order.
SELECT Message, NoticedAt, Process, toString(Subject) AS Subject, Id, Name, Number, toString(Kind) AS Kind, At, Root, toString(Actor) AS Actor
FROM told_transitions
WHERE Tenant = {tenant:String} AND Restated = 0
    AND (NoticedAt, Message) > ({noticed:DateTime64(6, 'UTC')}, {message:String})
ORDER BY NoticedAt, Message
LIMIT {limit:UInt32}

-- told_journeys --
SELECT Process AS process, Root AS root, Id AS id, Status AS status, OpenedAt AS opened_at, CompletedAt AS completed_at,
    Amount AS amount, Currency AS currency, Customer AS customer, Entity AS entity, Region AS region, ServiceLine AS service_line,
    MilestoneNames AS names, arrayMap(x -> toString(x), MilestoneStored) AS states, MilestoneMetAt AS met, MilestoneDueAt AS due
FROM journey_rows_at(tenant = {tenant:String}, now = {now:DateTime64(6, 'UTC')})
WHERE Process IN {processes:Array(String)} AND Root IN {roots:Array(UInt64)}

-- told_roots --
SELECT Process AS process, Key AS root, Namespace AS namespace, Value AS value
FROM (
    SELECT Process, Key, Namespace, Value, Object, Deleted FROM keys
    WHERE Tenant = {tenant:String} AND Key IN {roots:Array(UInt64)}
        AND (Process, Generation) IN (
            SELECT Process, argMax(Generation, Version) FROM generations WHERE Tenant = {tenant:String} GROUP BY Process)
    ORDER BY Version DESC LIMIT 1 BY Process, Key
)
WHERE Deleted = 0 AND Key = Object

-- told_milestones --
SELECT Process AS process, Name AS name, argMax(Owner, Version) AS owner, argMax(Runbook, Version) AS runbook
FROM process_milestones
WHERE Tenant IN ('', {tenant:String}) AND Process IN {processes:Array(String)}
GROUP BY Process, Name

-- told_exceptions --
SELECT id, journeys, process, status, class, code, message, fingerprint, event, milestone, owner, assignee, severity, runbook,
    blocking, amount, currency, customer, entity, region, service_line, opened_at, resolved_at, occurrences, resolution
FROM exceptions_at(tenant = {tenant:String}, now = {now:DateTime64(6, 'UTC')})
WHERE id IN {ids:Array(String)}

-- told_traces --
-- The trace of the event that did it, where an event did.
SELECT Root AS root, At AS at, any(TraceId) AS trace, any(SpanId) AS span
FROM (
    SELECT Root, toDateTime64(Time, 6, 'UTC') AS At, EventId FROM journey_events
    WHERE Tenant = {tenant:String} AND Root IN {roots:Array(UInt64)} AND Deleted = 0
        AND (Process, Generation) IN (
            SELECT Process, argMax(Generation, Version) FROM generations WHERE Tenant = {tenant:String} GROUP BY Process)
        AND toDateTime64(Time, 6, 'UTC') IN {moments:Array(DateTime64(6, 'UTC'))}
) AS j
INNER JOIN (
    SELECT EventId, TraceId, SpanId FROM business_events
    WHERE Tenant = {tenant:String} AND length(TraceId) = 32 AND EventId IN (
        SELECT EventId FROM journey_events WHERE Tenant = {tenant:String} AND Root IN {roots:Array(UInt64)}
            AND toDateTime64(Time, 6, 'UTC') IN {moments:Array(DateTime64(6, 'UTC'))})
) AS e ON e.EventId = j.EventId
GROUP BY Root, At
