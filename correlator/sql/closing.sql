-- Closed periods. Nothing here changes or removes a row.

-- of_period --
-- What belongs to an entity and period: journeys whose billing period ends in it; without one, those that were open in it.
Entity = {entity:String} AND if(CutOffAt IS NULL,
    OpenedAt < toDateTime64({last_day:Date32}, 6, 'UTC') + INTERVAL 1 DAY
        AND ifNull(ClosedAt >= toDateTime64({first_day:Date32}, 6, 'UTC'), 1),
    ifNull(PeriodLast BETWEEN {first_day:Date32} AND {last_day:Date32}, 0))

-- take --
-- The journeys as they stand, with their milestones as the view milestones_at derives them.
INSERT INTO closing_journeys (Tenant, Snapshot, Root, Name, OpenedAt, Status, Names, States, MetAt, LastAt, DueAt, Amount,
    Currency, AmountObjects, Customer, Entity, Region, CycleObject, PeriodFirst, PeriodLast, CutOffAt)
SELECT {tenant:String}, {snapshot:String}, j.Root, k.Name, j.OpenedAt, j.Status, j.MilestoneNames,
    arrayMap((name, stored, due) -> multiIf(stored != 'pending', toString(stored),
        isNull(due), 'pending',
        j.ClosedAt IS NULL AND due < {now:DateTime64(6, 'UTC')} AND has(j.Blind, toString(name)), 'blind',
        due < ifNull(j.ClosedAt, {now:DateTime64(6, 'UTC')}), 'late',
        j.ClosedAt IS NULL, 'due',
        'pending'), j.MilestoneNames, j.MilestoneStored, j.MilestoneDueAt),
    j.MilestoneMetAt, j.MilestoneLastAt, j.MilestoneDueAt, j.Amount, j.Currency, j.AmountObjects, j.Customer, j.Entity, j.Region,
    j.CycleObject, j.PeriodFirst, j.PeriodLast, j.CutOffAt
FROM
(
    SELECT * FROM journey_rows_at(tenant = {tenant:String}, now = {now:DateTime64(6, 'UTC')})
    WHERE Process = {process:String} AND ${of_period}
) AS j
LEFT ANY JOIN
(
    SELECT Generation, Key, concat(Namespace, ':', Value) AS Name
    FROM keys FINAL
    WHERE Tenant = {tenant:String} AND Process = {process:String} AND Deleted = 0 AND Key = Object
    SETTINGS do_not_merge_across_partitions_select_final = 1
) AS k ON k.Generation = j.Generation AND k.Key = j.Root

-- taken --
SELECT count() FROM closing_journeys WHERE Tenant = {tenant:String} AND Snapshot = {snapshot:String}

-- in_use --
-- The definition whose journeys readers see.
SELECT DefinitionHash, DefinitionVersion
FROM generations FINAL
WHERE Tenant = {tenant:String} AND Process = {process:String}

-- fill_closed --
-- The journeys of a closing, for comparing.
INSERT INTO @pictured
SELECT 0, Root, OpenedAt, Status, Names, States, MetAt, LastAt, DueAt, Amount, Currency, AmountObjects, Customer, Entity, Region,
    CycleObject, PeriodFirst, PeriodLast, CutOffAt
FROM closing_journeys
WHERE Tenant = {tenant:String} AND Snapshot = {snapshot:String}

-- definition_of --
SELECT Source FROM definition_history
WHERE Tenant = {tenant:String} AND Process = {process:String} AND DefinitionHash = {hash:String}
LIMIT 1

-- closings --
-- Closings, newest first, after the cursor's position. Empty text means "any".
SELECT Id, Process, Entity, Period, FirstDay, LastDay, Number, ClosedAt, ClosedBy, Reason, CorrelatedUntil, DefinitionHash,
    DefinitionVersion, Journeys, Figures, Snapshot
FROM closings
WHERE Tenant = {tenant:String}
    AND ({id:String} = '' OR Id = {id:String})
    AND ({process:String} = '' OR Process = {process:String})
    AND ({entity:String} = '' OR Entity = {entity:String})
    AND ({period:String} = '' OR Period = {period:String})
    AND (ClosedAt, Id) < ({after_closed:DateTime64(6, 'UTC')}, {after_id:String})
ORDER BY ClosedAt DESC, Id DESC
LIMIT {limit:UInt32}

-- journeys_closed --
-- The journeys of a closing, after the cursor's position.
SELECT leftPad(lower(hex(Root)), 16, '0') AS id, Name AS root, Status AS status, OpenedAt AS opened_at, Customer AS customer,
    Amount AS amount, Currency AS currency, CycleObject AS cycle, PeriodFirst AS first_day,
    arrayMap((name, state, met, due) -> (toString(name), toString(state), met, due), Names, States, MetAt, DueAt) AS milestones
FROM closing_journeys
WHERE Tenant = {tenant:String} AND Snapshot = {snapshot:String} AND Root > {after_root:UInt64}
ORDER BY Root
LIMIT {limit:UInt32}

-- restatement --
SELECT KnownAt, Result FROM closing_restatements
WHERE Tenant = {tenant:String} AND Closing = {id:String}
ORDER BY KnownAt DESC
LIMIT 1

-- events_of_closed --
-- What happened to closed journeys until a time, by present membership.
SELECT Root, EventId FROM journey_events
WHERE Tenant = {tenant:String} AND Process = {process:String} AND Time <= {at:DateTime64(6, 'UTC')} AND Deleted = 0
    AND (Process, Generation) IN (SELECT Process, Generation FROM generations FINAL WHERE Tenant = {tenant:String})
    AND Root IN (SELECT Root FROM closing_journeys WHERE Tenant = {tenant:String} AND Snapshot = {snapshot:String})

-- late_since --
-- Events of closed journeys that had happened when the period was closed, and were stored later.
SELECT leftPad(lower(hex(j.Root)), 16, '0') AS journey, any(c.Name) AS root, leftPad(lower(hex(j.EventId)), 32, '0') AS id,
    any(b.Event) AS event, any(b.System) AS system, any(b.Time) AS happened_at, any(b.ReceivedAt) AS received_at,
    any(b.IngestedAt) AS stored_at, count() OVER () AS total
FROM (${events_of_closed}) AS j
INNER JOIN
(
    SELECT EventId, Event, System, Time, ReceivedAt, IngestedAt
    FROM
    (
        SELECT EventId, ContentHash, Event, System, Time, ReceivedAt, IngestedAt
        FROM business_events
        WHERE Tenant = {tenant:String} AND EventId IN (SELECT EventId FROM (${events_of_closed}))
        ORDER BY Time DESC, ContentHash DESC, IngestedAt
        LIMIT 1 BY EventId
    )
    WHERE IngestedAt > {known:DateTime64(6, 'UTC')} AND Time <= {at:DateTime64(6, 'UTC')}
) AS b ON b.EventId = j.EventId
INNER JOIN
(
    SELECT Root, Name FROM closing_journeys WHERE Tenant = {tenant:String} AND Snapshot = {snapshot:String}
) AS c ON c.Root = j.Root
GROUP BY j.Root, j.EventId
ORDER BY happened_at DESC, journey
LIMIT {limit:UInt32}
