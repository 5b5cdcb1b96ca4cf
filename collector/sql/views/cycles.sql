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
