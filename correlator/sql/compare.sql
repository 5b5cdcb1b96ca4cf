-- Two definitions of one process, each folded into a generation of its own, side by side.

-- size --
SELECT count() FROM journey_events
WHERE Tenant = {tenant:String} AND Process = {process:String} AND Generation = {generation:UInt32}

-- opened --
-- The journeys of one chunk that opened in the period, by the events that count.
INSERT INTO @to_fold
SELECT Root
FROM
(
    SELECT Root, Time, Deleted FROM journey_events
    WHERE Tenant = {tenant:String} AND Process = {process:String} AND Generation = {generation:UInt32}
        AND Root BETWEEN {lo:UInt64} AND {hi:UInt64}
    ORDER BY Version DESC LIMIT 1 BY Root, EventId
)
WHERE Deleted = 0 AND Time < {until:DateTime64(6, 'UTC')}
GROUP BY Root
HAVING min(Time) >= {since:DateTime64(6, 'UTC')}

-- unheard --
-- Events that cannot be heard at the clock.
SELECT DISTINCT toString(Event) FROM source_gaps FINAL
WHERE Tenant = {tenant:String} AND Deleted = 0 AND Since <= {now:DateTime64(6, 'UTC')} AND ifNull(Until > {now:DateTime64(6, 'UTC')}, 1)

-- side --
-- The journeys of one generation, with statuses and milestone states as the views journey_rows_at and milestones_at give them.
-- Sticking are the milestones that make a journey stuck when they are late, unheard those that wait for an event of `unheard`.
WITH
    (SELECT (groupArray(ExceptionId), groupArray(SeenUntil))
    FROM closed_exception_rows_at(tenant = {tenant:String}, now = {now:DateTime64(6, 'UTC')})) AS Closed,
    (sticks -> arrayReduce('min', arrayMap((name, stored, due) -> if(stored = 'pending'
            AND has({sticking_$1:Array(String)}, toString(name)) = sticks
            AND NOT has({unheard_$1:Array(String)}, toString(name)), due, NULL),
        `Milestones.Name`, `Milestones.State`, `Milestones.DueAt`))) AS earliest_heard
SELECT
    Root, OpenedAt,
    multiIf(DroppedAt IS NOT NULL, 'dropped',
            CompletedAt IS NOT NULL, 'completed',
            arrayExists(b -> b.Since <= {now:DateTime64(6, 'UTC')} AND NOT arrayExists(
                (id, seen) -> id = b.ExceptionId AND b.LastSeenAt <= seen, Closed.1, Closed.2), Blocking)
                OR earliest_heard(1) < {now:DateTime64(6, 'UTC')}, 'stuck',
            earliest_heard(0) < {now:DateTime64(6, 'UTC')}, 'late',
            'in_flight') AS Status,
    coalesce(least(DroppedAt, CompletedAt), DroppedAt, CompletedAt) AS ClosedAt,
    `Milestones.Name` AS Names,
    arrayMap((name, stored, due) -> multiIf(stored != 'pending', toString(stored),
            isNull(due), 'pending',
            ClosedAt IS NULL AND due < {now:DateTime64(6, 'UTC')} AND has({unheard_$1:Array(String)}, toString(name)), 'blind',
            due < ifNull(ClosedAt, {now:DateTime64(6, 'UTC')}), 'late',
            ClosedAt IS NULL, 'due',
            'pending'), `Milestones.Name`, `Milestones.State`, `Milestones.DueAt`) AS States,
    `Milestones.MetAt` AS MetAt,
    `Milestones.LastAt` AS LastAt,
    `Milestones.DueAt` AS DueAt,
    Amount, Currency, AmountObjects, Customer, Entity, Region, CycleObject, PeriodFirst, PeriodLast, CutOffAt
FROM journey_state
WHERE Tenant = {tenant:String} AND Process = {process:String} AND Generation = {$1:UInt32} AND Deleted = 0

-- statuses --
SELECT Status, count() FROM (${side(generation)}) GROUP BY Status

-- milestones --
-- Journeys by milestone and state: how many had a due time, and how many the milestone keeps stuck.
SELECT Name, State, count(), countIf(Due IS NOT NULL), countIf(State = 'late' AND Status = 'stuck')
FROM (SELECT Status, Names, States, DueAt FROM (${side(generation)}))
ARRAY JOIN Names AS Name, States AS State, DueAt AS Due
GROUP BY Name, State

-- durations --
-- Hours that each milestone took from the start of its clock: median, 90th percentile, journeys.
SELECT Name, quantileExactInclusive(0.5)(Hours), quantileExactInclusive(0.9)(Hours), count()
FROM
(
    SELECT Name, dateDiff('second', Started, Ended) / 3600 AS Hours, Started, Ended
    FROM
    (
        SELECT Name, if(Last, LastAt, MetAt)[indexOf(Names, Start)] AS Started, MetAt[indexOf(Names, Name)] AS Ended
        FROM (SELECT Names, MetAt, LastAt FROM (${side(generation)}))
        ARRAY JOIN {names:Array(String)} AS Name, {starts:Array(String)} AS Start, {lasts:Array(UInt8)} AS Last
    )
    WHERE Ended >= Started
)
GROUP BY Name

-- differing --
-- Each journey that is not the same on both sides. Names, and their places on either side, are of the milestones that both know.
INSERT INTO @differing
SELECT
    Root, Opened, Before, After,
    if(Before = '' OR After = '', [], arrayFilter(m -> m.2 != m.3, arrayMap(
        (name, before, after) -> (name, StatesBefore[before], StatesAfter[after]),
        {names:Array(String)}, {places_before:Array(UInt32)}, {places_after:Array(UInt32)}))) AS Moved
FROM
(
    SELECT
        Root,
        min(OpenedAt) AS Opened,
        anyIf(Status, NOT IsAfter) AS Before,
        anyIf(Status, IsAfter) AS After,
        anyIf(States, NOT IsAfter) AS StatesBefore,
        anyIf(States, IsAfter) AS StatesAfter
    FROM
    (
        SELECT 0 AS IsAfter, Root, OpenedAt, Status, States FROM (${side(before)})
        UNION ALL
        SELECT 1 AS IsAfter, Root, OpenedAt, Status, States FROM (${side(after)})
    )
    GROUP BY Root
)
WHERE Before != After OR notEmpty(Moved)

-- moves --
SELECT Before, After, count() FROM @differing WHERE Before != After GROUP BY Before, After ORDER BY Before, After

-- milestone_moves --
SELECT move.1 AS Name, move.2 AS Before, move.3 AS After, count()
FROM (SELECT arrayJoin(Moved) AS move FROM @differing)
GROUP BY Name, Before, After
ORDER BY Name, Before, After

-- samples --
-- A few journeys of each kind of change, changes of status first, earliest first.
SELECT Root, Before, After, Moved
FROM @differing
ORDER BY Before = After, Before, After, Opened, Root
LIMIT {each:UInt32} BY Before, After
LIMIT {limit:UInt32}

-- root_names --
SELECT Key, any(concat(Namespace, ':', Value))
FROM keys
WHERE Tenant = {tenant:String} AND Process = {process:String} AND Generation IN {sources:Array(UInt32)} AND Key IN {roots:Array(UInt64)}
GROUP BY Key
