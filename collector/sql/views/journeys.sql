-- What people, pages, rules and the API read (design section 7).
--
-- Every view takes the tenant and the clock: FROM journeys_at(tenant = 'default', now = now64(6)).
-- It shows the active generation of each process, the latest row of each key, and no withdrawn row.
-- Statuses and milestone states follow from stored due times and the clock: no sweep ever writes them.
--
-- Rows are read with FINAL: over one million journeys with a tenth of them superseded it took 0.17 s, LIMIT 1 BY 0.42 s and
-- argMax 0.91 s (two cores). Two generations share root hashes, so FINAL must not merge across partitions: without that setting
-- a rebuild in progress would hide the journeys it is rebuilding. A query run with readonly = 1 must repeat the setting,
-- because the engine then ignores the one written here.

-- Journeys as stored, with id and status: the base of the documented views and of the page queries. Unheard are the milestones
-- that wait for an event that cannot be heard now: journeys are not late or stuck for their sake. What blocks a journey counts
-- once the grace of its check has passed, and no longer when somebody has closed it, until it happens again.
-- The two least due times are written out: with one function for both, planning each query took 30 ms more.
CREATE OR REPLACE VIEW journey_rows_at AS
WITH
    (SELECT (groupArray(ExceptionId), groupArray(SeenUntil))
    FROM closed_exception_rows_at(tenant = {tenant:String}, now = {now:DateTime64(6, 'UTC')})) AS Closed,
    (SELECT groupArray((toString(Process), toString(Name)))
    FROM process_milestones FINAL
    WHERE Tenant IN ('', {tenant:String}) AND Deleted = 0 AND hasAny(Events, (
        SELECT groupArray(toString(Event)) FROM source_gaps FINAL
        WHERE Tenant = {tenant:String} AND Deleted = 0 AND Since <= {now:DateTime64(6, 'UTC')}
            AND ifNull(Until > {now:DateTime64(6, 'UTC')}, 1)))) AS Unheard,
    (SELECT groupArray((toString(Process), toString(Name)))
    FROM process_milestones FINAL
    WHERE Tenant IN ('', {tenant:String}) AND Deleted = 0 AND Stuck) AS Sticking,
    arrayReduce('min', arrayMap(b -> toNullable(b.Since), arrayFilter(b -> b.Since <= {now:DateTime64(6, 'UTC')}
        AND NOT arrayExists((id, seen) -> id = b.ExceptionId AND b.LastSeenAt <= seen, Closed.1, Closed.2), Blocking))) AS Halted
SELECT
    Process,
    Generation,
    Root,
    leftPad(lower(hex(Root)), 16, '0') AS Id,
    multiIf(DroppedAt IS NOT NULL, 'dropped',
            CompletedAt IS NOT NULL, 'completed',
            Halted IS NOT NULL OR StuckAt < {now:DateTime64(6, 'UTC')}, 'stuck',
            LateAt < {now:DateTime64(6, 'UTC')}, 'late',
            'in_flight') AS Status,
    RootLevel,
    Orphan,
    DefinitionVersion,
    OpenedAt,
    LastEventAt,
    CompletedAt,
    DroppedAt,
    coalesce(least(DroppedAt, CompletedAt), DroppedAt, CompletedAt) AS ClosedAt,
    if(empty(Unheard), s.StuckAt, arrayReduce('min', arrayMap((name, stored, due) -> if(stored = 'pending'
            AND has(Sticking, (toString(Process), toString(name))) = 1
            AND NOT has(Unheard, (toString(Process), toString(name))), due, NULL),
        `Milestones.Name`, `Milestones.State`, `Milestones.DueAt`))) AS StuckAt,
    if(empty(Unheard), s.LateAt, arrayReduce('min', arrayMap((name, stored, due) -> if(stored = 'pending'
            AND has(Sticking, (toString(Process), toString(name))) = 0
            AND NOT has(Unheard, (toString(Process), toString(name))), due, NULL),
        `Milestones.Name`, `Milestones.State`, `Milestones.DueAt`))) AS LateAt,
    Halted AS BlockedAt,
    Amount,
    Currency,
    AmountObjects,
    if(length(AmountDays) = length(AmountObjects), AmountDays, arrayMap(x -> toDate32(s.OpenedAt), AmountObjects)) AS AmountDays,
    Customer,
    Entity,
    Region,
    ServiceLine,
    CycleObject,
    PeriodFirst,
    PeriodLast,
    CutOffAt,
    Events,
    s.OpenExceptions - length(arrayFilter(c -> c.Since > {now:DateTime64(6, 'UTC')}, FailedChecks)) AS OpenExceptions,
    `Milestones.Name` AS MilestoneNames,
    `Milestones.State` AS MilestoneStored,
    `Milestones.MetAt` AS MilestoneMetAt,
    `Milestones.LastAt` AS MilestoneLastAt,
    `Milestones.DueAt` AS MilestoneDueAt,
    `Milestones.Count` AS MilestoneCounts,
    `Milestones.Amount` AS MilestoneAmounts,
    `Milestones.Currency` AS MilestoneCurrencies,
    arrayMap(pair -> pair.2, arrayFilter(pair -> pair.1 = toString(Process), Unheard)) AS Blind
FROM journey_state AS s FINAL
WHERE Tenant = {tenant:String} AND Deleted = 0
    AND (Process, Generation) IN (SELECT Process, Generation FROM generations FINAL WHERE Tenant = {tenant:String})
SETTINGS do_not_merge_across_partitions_select_final = 1;

-- journeys without the name of the root, which costs a join.
CREATE OR REPLACE VIEW journeys_unnamed_at AS
SELECT
    Process AS process,
    Id AS id,
    Status AS status,
    OpenedAt AS opened_at,
    LastEventAt AS last_event_at,
    CompletedAt AS completed_at,
    DroppedAt AS dropped_at,
    Amount AS amount,
    Currency AS currency,
    AmountObjects AS amount_objects,
    AmountDays AS amount_days,
    Customer AS customer,
    Entity AS entity,
    Region AS region,
    ServiceLine AS service_line,
    Events AS events,
    OpenExceptions AS exceptions,
    Orphan = 1 AS orphan
FROM journey_rows_at(tenant = {tenant:String}, now = {now:DateTime64(6, 'UTC')});

-- journeys: one row per journey. An object's amount counts once in any total: sum over distinct objects in amount_objects.
CREATE OR REPLACE VIEW journeys_at AS
SELECT
    j.Process AS process,
    j.Id AS id,
    j.Status AS status,
    k.Name AS root,
    j.OpenedAt AS opened_at,
    j.LastEventAt AS last_event_at,
    j.CompletedAt AS completed_at,
    j.DroppedAt AS dropped_at,
    j.Amount AS amount,
    j.Currency AS currency,
    j.AmountObjects AS amount_objects,
    j.AmountDays AS amount_days,
    j.Customer AS customer,
    j.Entity AS entity,
    j.Region AS region,
    j.ServiceLine AS service_line,
    j.Events AS events,
    j.OpenExceptions AS exceptions,
    j.Orphan = 1 AS orphan
FROM journey_rows_at(tenant = {tenant:String}, now = {now:DateTime64(6, 'UTC')}) AS j
LEFT ANY JOIN
(
    SELECT Process, Generation, Key, concat(Namespace, ':', Value) AS Name
    FROM keys FINAL
    WHERE Tenant = {tenant:String} AND Deleted = 0 AND Key = Object
    SETTINGS do_not_merge_across_partitions_select_final = 1
) AS k ON k.Process = j.Process AND k.Generation = j.Generation AND k.Key = j.Root;

-- milestones: one row per journey and milestone. The clock of a closed journey stands still. Out of order: met before one that
-- stands earlier in the definition.
CREATE OR REPLACE VIEW milestones_at AS
SELECT
    j.Process AS process,
    j.Id AS journey,
    j.Name AS name,
    multiIf(j.Stored != 'pending', toString(j.Stored),
            isNull(j.Due), 'pending',
            j.ClosedAt IS NULL AND j.Due < {now:DateTime64(6, 'UTC')} AND has(j.Blind, toString(j.Name)), 'blind',
            j.Due < ifNull(j.ClosedAt, {now:DateTime64(6, 'UTC')}), 'late',
            j.ClosedAt IS NULL, 'due',
            'pending') AS state,
    j.Met AS met_at,
    j.Last AS last_at,
    j.Due AS due_at,
    j.Times AS count,
    m.Owner AS owner,
    j.Money AS amount,
    j.MoneyCurrency AS currency,
    j.Early AS out_of_order
FROM
(
    SELECT Process, Id, ClosedAt, Name, Stored, Met, Last, Due, Times, Money, MoneyCurrency, Early, Blind
    FROM journey_rows_at(tenant = {tenant:String}, now = {now:DateTime64(6, 'UTC')})
    ARRAY JOIN
        MilestoneNames AS Name, MilestoneStored AS Stored, MilestoneMetAt AS Met, MilestoneLastAt AS Last,
        MilestoneDueAt AS Due, MilestoneCounts AS Times, MilestoneAmounts AS Money, MilestoneCurrencies AS MoneyCurrency,
        arrayMap(n -> ifNull(MilestoneMetAt[n] < arrayMax(arrayFilter(t -> isNotNull(t), arraySlice(MilestoneMetAt, 1, n - 1))), 0),
            arrayEnumerate(MilestoneMetAt)) AS Early
) AS j
LEFT ANY JOIN
(
    SELECT Process, Name, Owner FROM process_milestones FINAL WHERE Tenant IN ('', {tenant:String}) AND Deleted = 0
) AS m ON m.Process = j.Process AND m.Name = j.Name;
