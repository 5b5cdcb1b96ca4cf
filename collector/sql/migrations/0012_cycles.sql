-- Billing cycles, and milestones whose events cannot be heard.

-- Of a process with a cycle: whose period a journey belongs to, and the end of its last day.
ALTER TABLE journey_state
    ADD COLUMN IF NOT EXISTS CycleObject String AFTER ServiceLine,
    ADD COLUMN IF NOT EXISTS PeriodFirst Nullable(Date32) AFTER CycleObject,
    ADD COLUMN IF NOT EXISTS PeriodLast Nullable(Date32) AFTER PeriodFirst,
    ADD COLUMN IF NOT EXISTS CutOffAt Nullable(DateTime64(6, 'UTC')) AFTER PeriodLast;

-- The billing periods of each calendar, by the hash of its content: rows never change. Instants are microseconds since 1970.
-- Variant is the last day of the month where journeys tell it, else 0.
CREATE TABLE IF NOT EXISTS calendar_periods
(
    Calendar String,
    Variant UInt8,
    Start Int64,
    First Date32,
    Last Date32,
    CutOff Int64
)
ENGINE = MergeTree
ORDER BY (Calendar, Variant, Start);

ALTER TABLE process_milestones
    ADD COLUMN IF NOT EXISTS Events Array(String) AFTER Optional,
    ADD COLUMN IF NOT EXISTS Stuck UInt8 AFTER Events;

-- Events that cannot be heard for a while: a source is silent, or something between it and us is broken. Until is NULL while it
-- lasts. Whoever watches a source writes here; a milestone that waits for such an event is blind, not late.
CREATE TABLE IF NOT EXISTS source_gaps
(
    Tenant LowCardinality(String),
    Event LowCardinality(String),
    Since DateTime64(6, 'UTC'),
    Until Nullable(DateTime64(6, 'UTC')),
    Reason String,
    Version UInt64,
    Deleted UInt8
)
ENGINE = ReplacingMergeTree(Version)
ORDER BY (Tenant, Event, Since);

-- Journeys as stored, with id and status: the base of the documented views and of the page queries. Unheard are the milestones
-- that wait for an event that cannot be heard now: journeys are not late or stuck for their sake.
CREATE OR REPLACE VIEW journey_rows_at AS
WITH
    (SELECT groupArray((toString(Process), toString(Name)))
    FROM process_milestones FINAL
    WHERE Tenant IN ('', {tenant:String}) AND Deleted = 0 AND hasAny(Events, (
        SELECT groupArray(toString(Event)) FROM source_gaps FINAL
        WHERE Tenant = {tenant:String} AND Deleted = 0 AND Since <= {now:DateTime64(6, 'UTC')}
            AND ifNull(Until > {now:DateTime64(6, 'UTC')}, 1)))) AS Unheard,
    (SELECT groupArray((toString(Process), toString(Name)))
    FROM process_milestones FINAL
    WHERE Tenant IN ('', {tenant:String}) AND Deleted = 0 AND Stuck) AS Sticking,
    (sticks -> arrayReduce('min', arrayMap((name, stored, due) -> if(stored = 'pending'
            AND has(Sticking, (toString(Process), toString(name))) = sticks
            AND NOT has(Unheard, (toString(Process), toString(name))), due, NULL),
        `Milestones.Name`, `Milestones.State`, `Milestones.DueAt`))) AS earliest_heard
SELECT
    Process,
    Generation,
    Root,
    leftPad(lower(hex(Root)), 16, '0') AS Id,
    multiIf(DroppedAt IS NOT NULL, 'dropped',
            CompletedAt IS NOT NULL, 'completed',
            BlockedAt IS NOT NULL OR StuckAt < {now:DateTime64(6, 'UTC')}, 'stuck',
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
    if(empty(Unheard), s.StuckAt, earliest_heard(1)) AS StuckAt,
    if(empty(Unheard), s.LateAt, earliest_heard(0)) AS LateAt,
    BlockedAt,
    Amount,
    Currency,
    AmountObjects,
    Customer,
    Entity,
    Region,
    ServiceLine,
    CycleObject,
    PeriodFirst,
    PeriodLast,
    CutOffAt,
    Events,
    OpenExceptions,
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

-- cycles: what was worked for an object in a billing period, as its journeys stand; amounts by currency, an object's once.
-- Overdue: past a due time; blocked: by an exception, and not overdue. Late: something is overdue; closing: cut off, not all done.
CREATE OR REPLACE VIEW cycles_at AS
WITH (objects -> mapFromArrays(arraySort(arrayDistinct(objects.Currency)), arrayMap(
    c -> arraySum(arrayMap(x -> toDecimal256(x.Amount, 6), arrayFilter(x -> x.Currency = c, objects))),
    arraySort(arrayDistinct(objects.Currency))))) AS money
SELECT
    leftPad(lower(hex(sipHash64(process, object, first_day))), 16, '0') AS id,
    process, object, first_day, last_day, cut_off_at,
    multiIf(overdue > 0, 'late', cut_off_at >= {now:DateTime64(6, 'UTC')}, 'open', in_flight + blocked > 0, 'closing', 'complete') AS status,
    completed + in_flight + blocked + overdue AS journeys, completed, in_flight, blocked, overdue, dropped,
    money(Everything) AS amount,
    money(Done) AS completed_amount,
    money(Overdue) AS overdue_amount
FROM
(
    SELECT
        process, object, first_day, last_day,
        max(CutOff) AS cut_off_at,
        countIf(Standing = 'completed') AS completed,
        countIf(Standing = 'in_flight') AS in_flight,
        countIf(Standing = 'blocked') AS blocked,
        countIf(Standing = 'overdue') AS overdue,
        countIf(Standing = 'dropped') AS dropped,
        groupUniqArrayArrayIf(AmountObjects, Standing != 'dropped') AS Everything,
        groupUniqArrayArrayIf(AmountObjects, Standing = 'completed') AS Done,
        groupUniqArrayArrayIf(AmountObjects, Standing = 'overdue') AS Overdue
    FROM
    (
        SELECT
            Process AS process,
            CycleObject AS object,
            assumeNotNull(PeriodFirst) AS first_day,
            assumeNotNull(PeriodLast) AS last_day,
            assumeNotNull(CutOffAt) AS CutOff,
            AmountObjects,
            multiIf(Status IN ('dropped', 'completed'), Status,
                ifNull(StuckAt < {now:DateTime64(6, 'UTC')}, 0) OR ifNull(LateAt < {now:DateTime64(6, 'UTC')}, 0), 'overdue',
                BlockedAt IS NOT NULL, 'blocked',
                'in_flight') AS Standing
        FROM journey_rows_at(tenant = {tenant:String}, now = {now:DateTime64(6, 'UTC')})
        WHERE CutOffAt IS NOT NULL
    )
    GROUP BY process, object, first_day, last_day
);
