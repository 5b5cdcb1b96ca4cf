-- page --
-- The roots of one page of journeys, newest first, after the cursor's position. Empty text means "any". Behind: the journeys
-- behind a figure of money (money.sql); likely late: those that outlook.sql finds. Without them the conditions are left out.
-- Few columns: reading whole rows of a million journeys takes four times as long; by_root fetches them.
SELECT Root
FROM journey_rows_at(tenant = {tenant:String}, now = {now:DateTime64(6, 'UTC')})
WHERE ({process:String} = '' OR Process = {process:String})
    AND ({status:String} = '' OR Status = {status:String})
    AND ({entity:String} = '' OR Entity = {entity:String})
    AND ({region:String} = '' OR Region = {region:String})
    AND ({customer:String} = '' OR Customer = {customer:String})
    AND ({cycle:String} = '' OR CycleObject = {cycle:String})
    AND ({period:String} = '' OR toString(PeriodFirst) = {period:String})
    AND OpenedAt >= {since:DateTime64(6, 'UTC')}
    AND (OpenedAt, Root) < ({after_opened:DateTime64(6, 'UTC')}, {after_root:UInt64})
    AND Root IN (@behind)
    AND Root IN (@likely_late)
ORDER BY OpenedAt DESC, Root DESC
LIMIT {limit:UInt32}

-- by_root --
-- Some journeys by root, newest first, after the cursor's position: point look-ups instead of a scan.
SELECT Process, Root, Id, Status, OpenedAt, LastEventAt, CompletedAt, DroppedAt, ClosedAt, LateAt, StuckAt, Amount, Currency,
    Customer, Entity, Region, ServiceLine, Events, OpenExceptions, Orphan,
    MilestoneNames, MilestoneStored, MilestoneMetAt, MilestoneLastAt, MilestoneDueAt, MilestoneCounts, Blind, CutOffAt
FROM journey_rows_at(tenant = {tenant:String}, now = {now:DateTime64(6, 'UTC')})
WHERE Root IN {roots:Array(UInt64)}
    AND ({process:String} = '' OR Process = {process:String})
    AND ({status:String} = '' OR Status = {status:String})
    AND ({entity:String} = '' OR Entity = {entity:String})
    AND ({region:String} = '' OR Region = {region:String})
    AND ({customer:String} = '' OR Customer = {customer:String})
    AND ({cycle:String} = '' OR CycleObject = {cycle:String})
    AND ({period:String} = '' OR toString(PeriodFirst) = {period:String})
    AND OpenedAt >= {since:DateTime64(6, 'UTC')}
    AND (OpenedAt, Root) < ({after_opened:DateTime64(6, 'UTC')}, {after_root:UInt64})
ORDER BY OpenedAt DESC, Root DESC
LIMIT {limit:UInt32}

-- objects_of_keys --
-- The objects that some keys name in the active generations. Aliases share an object.
SELECT groupUniqArray(Object)
FROM
(
    SELECT Object, Deleted FROM keys
    WHERE Tenant = {tenant:String} AND Key IN {keys:Array(UInt64)}
        AND (Process, Generation) IN (SELECT Process, Generation FROM generations FINAL WHERE Tenant = {tenant:String})
    ORDER BY Version DESC LIMIT 1 BY Key
)
WHERE Deleted = 0

-- roots_of_objects --
SELECT arraySort(groupUniqArrayArray(Roots))
FROM
(
    SELECT Roots, Deleted FROM objects
    WHERE Tenant = {tenant:String} AND Object IN {objects:Array(UInt64)}
        AND (Process, Generation) IN (SELECT Process, Generation FROM generations FINAL WHERE Tenant = {tenant:String})
    ORDER BY Version DESC LIMIT 1 BY Object
)
WHERE Deleted = 0

-- key_hashes --
-- The hash of one key in every active process.
SELECT groupArray(sipHash64({tenant:String}, Process, {namespace:String}, {value:String}))
FROM generations FINAL
WHERE Tenant = {tenant:String}

-- objects_of_roots --
-- The objects that events of some journeys name.
SELECT Root, groupUniqArrayArray(Objects.Object) AS Found
FROM
(
    SELECT Process, Root, Objects, Deleted FROM journey_events
    WHERE Tenant = {tenant:String} AND Root IN {roots:Array(UInt64)}
        AND (Process, Generation) IN (SELECT Process, Generation FROM generations FINAL WHERE Tenant = {tenant:String})
    ORDER BY Version DESC LIMIT 1 BY Process, Root, EventId
)
WHERE Deleted = 0
GROUP BY Root

-- names --
-- What some keys are called, and the object each names.
SELECT Key, Object, concat(Namespace, ':', Value) AS Name, Level, Alias != 'none' AS Aliased, Process
FROM
(
    SELECT Process, Key, Object, Namespace, Value, Level, Alias, Deleted FROM keys
    WHERE Tenant = {tenant:String} AND Key IN {keys:Array(UInt64)}
        AND (Process, Generation) IN (SELECT Process, Generation FROM generations FINAL WHERE Tenant = {tenant:String})
    ORDER BY Version DESC LIMIT 1 BY Process, Key
)
WHERE Deleted = 0
ORDER BY Level, Name

-- claimed --
-- The keys that events claim to be equal to some keys.
SELECT DISTINCT Other
FROM
(
    SELECT Process, Key, Other, EventId, Deleted FROM claims
    WHERE Tenant = {tenant:String} AND Key IN {keys:Array(UInt64)}
        AND (Process, Generation) IN (SELECT Process, Generation FROM generations FINAL WHERE Tenant = {tenant:String})
    ORDER BY Version DESC LIMIT 1 BY Process, Key, Other, EventId
)
WHERE Deleted = 0

-- events --
-- The latest events of one journey, oldest first, with the keys and attributes they were sent with.
SELECT EventId, leftPad(lower(hex(EventId)), 32, '0') AS Id, e.Time AS Time, Event, Failed, System, Platform, Connection,
    e.Subjects AS Subjects, e.Amount AS Amount, e.Currency AS Currency, ExceptionClass, ExceptionCode, ExceptionMessage,
    b.ReplayId AS ReplayId, b.TraceId AS TraceId, b.SpanId AS SpanId, b.ReceivedAt AS ReceivedAt, Total, b.Names AS Names,
    b.Attributes AS Attributes, b.ServiceName AS ServiceName
FROM
(
    SELECT *, count() OVER () AS Total
    FROM
    (
        SELECT * EXCEPT (Attributes) FROM journey_events
        WHERE Tenant = {tenant:String} AND Root = {root:UInt64}
            AND (Process, Generation) IN (SELECT Process, Generation FROM generations FINAL WHERE Tenant = {tenant:String})
        ORDER BY Version DESC LIMIT 1 BY Process, EventId
    )
    WHERE Deleted = 0
    ORDER BY Time DESC, EventId DESC
    LIMIT {limit:UInt32}
) AS e
LEFT JOIN
(
    SELECT EventId, arrayMap(k -> concat(k.1, ':', k.2), Keys) AS Names, Attributes, ServiceName, ReplayId, TraceId, SpanId, ReceivedAt
    FROM business_events
    WHERE Tenant = {tenant:String} AND EventId IN (
        SELECT EventId FROM journey_events WHERE Tenant = {tenant:String} AND Root = {root:UInt64})
    ORDER BY Time DESC, ContentHash DESC
    LIMIT 1 BY EventId
) AS b ON b.EventId = e.EventId
ORDER BY Time, EventId

-- parents --
-- Which objects stand above some objects, and the first events that say so.
SELECT e.Child AS Child, e.Parent AS Parent, any(o.Roots) AS ParentRoots,
    argMin(e.Rule, (e.Time, e.EventId)) AS Rule,
    arrayMap(x -> leftPad(lower(hex(x.2)), 32, '0'), arraySlice(arraySort(groupUniqArray((e.Time, e.EventId))), 1, 5)) AS Evidence,
    uniqExact(e.EventId) AS Statements
FROM
(
    SELECT Process, Child, Parent, EventId, Rule, Time, ParentLevel, ChildLevel, Deleted FROM edges
    WHERE Tenant = {tenant:String} AND Child IN {objects:Array(UInt64)}
        AND (Process, Generation) IN (SELECT Process, Generation FROM generations FINAL WHERE Tenant = {tenant:String})
    ORDER BY Version DESC LIMIT 1 BY Process, Child, Parent, EventId, Rule
) AS e
INNER JOIN
(
    SELECT Process, Object, Depth, Roots, State, Deleted FROM objects
    WHERE Tenant = {tenant:String}
        AND (Process, Generation) IN (SELECT Process, Generation FROM generations FINAL WHERE Tenant = {tenant:String})
        AND Object IN (SELECT Parent FROM edges WHERE Tenant = {tenant:String} AND Child IN {objects:Array(UInt64)})
    ORDER BY Version DESC LIMIT 1 BY Process, Object
) AS o ON o.Process = e.Process AND o.Object = e.Parent
WHERE e.Deleted = 0 AND o.Deleted = 0 AND e.Rule != 'cut' AND has(o.Roots, {root:UInt64})
    AND (o.Depth != 255 OR e.ParentLevel < e.ChildLevel)
GROUP BY e.Child, e.Parent
ORDER BY e.Child, e.Parent

-- exceptions --
-- Exceptions, newest first. Empty text means "any"; status is open, pending, snoozed, resolved or empty.
SELECT * FROM exceptions_at(tenant = {tenant:String}, now = {now:DateTime64(6, 'UTC')})
WHERE ({process:String} = '' OR process = {process:String})
    AND ({status:String} = '' OR status = {status:String})
    AND ({fingerprint:String} = '' OR fingerprint = {fingerprint:String})
    AND (opened_at, id) < ({after_opened:DateTime64(6, 'UTC')}, {after_id:String})
ORDER BY opened_at DESC, id DESC
LIMIT {limit:UInt32}

-- exceptions_of_root --
-- The exceptions of one journey, newest first.
SELECT * FROM exceptions_at(tenant = {tenant:String}, now = {now:DateTime64(6, 'UTC')})
WHERE id IN (
    SELECT leftPad(lower(hex(ExceptionId)), 16, '0') FROM exception_state
    WHERE Tenant = {tenant:String} AND Root = {root:UInt64})
ORDER BY opened_at DESC, id DESC
LIMIT 1000

-- cycles --
-- Billing cycles, latest period first, after the cursor's position.
SELECT *
FROM cycles_at(tenant = {tenant:String}, now = {now:DateTime64(6, 'UTC')})
WHERE ({process:String} = '' OR process = {process:String})
    AND ({status:String} = '' OR status = {status:String})
    AND (first_day < toDate32({after_first:String})
        OR (first_day = toDate32({after_first:String}) AND id > {after_id:String}))
ORDER BY first_day DESC, id
LIMIT {limit:UInt32}
