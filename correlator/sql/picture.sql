-- Journeys as they looked at a time, in the working table `pictured`: by what was known then (Known 0) and later (Known 1).

-- fill --
-- The journeys of a generation, as the block `side` of compare.sql judges them.
INSERT INTO @pictured
SELECT {known:UInt8}, Root, OpenedAt, Status, Names, States, MetAt, LastAt, DueAt, Amount, Currency, AmountObjects, Customer,
    Entity, Region, CycleObject, PeriodFirst, PeriodLast, CutOffAt
FROM (${side(generation)})

-- fill_of_closing --
-- The same of one entity and period: closing.sql says what belongs to it.
INSERT INTO @pictured
SELECT {known:UInt8}, Root, OpenedAt, Status, Names, States, MetAt, LastAt, DueAt, Amount, Currency, AmountObjects, Customer,
    Entity, Region, CycleObject, PeriodFirst, PeriodLast, CutOffAt
FROM (${side(generation)})
WHERE ${of_period}

-- statuses --
SELECT Status, count() FROM @pictured WHERE Known = {known:UInt8} GROUP BY Status

-- states --
-- Journeys by milestone and state.
SELECT Name, State, count()
FROM @pictured ARRAY JOIN Names AS Name, States AS State
WHERE Known = {known:UInt8}
GROUP BY Name, State

-- durations --
-- Hours that each milestone took from the start of its clock, as in compare.sql.
SELECT Name, quantileExactInclusive(0.5)(Hours), quantileExactInclusive(0.9)(Hours), count()
FROM
(
    SELECT Name, dateDiff('second', Started, Ended) / 3600 AS Hours, Started, Ended
    FROM
    (
        SELECT Name, if(Last, LastAt, MetAt)[indexOf(Names, Start)] AS Started, MetAt[indexOf(Names, Name)] AS Ended
        FROM (SELECT Names, MetAt, LastAt FROM @pictured WHERE Known = {known:UInt8})
        ARRAY JOIN {names:Array(String)} AS Name, {starts:Array(String)} AS Start, {lasts:Array(UInt8)} AS Last
    )
    WHERE Ended >= Started
)
GROUP BY Name

-- money --
-- Money in late and stuck journeys by currency, each object's once, as on the overview.
SELECT Status, Currency, sum(Amount), count()
FROM
(
    SELECT Status, one.3 AS Currency, one.1 AS Object, any(one.2) AS Amount
    FROM @pictured ARRAY JOIN AmountObjects AS one
    WHERE Known = {known:UInt8} AND Status IN ('late', 'stuck')
    GROUP BY Status, Currency, Object
)
GROUP BY Status, Currency
ORDER BY Status, Currency

-- cycles --
-- Billing cycles by status, with overdue money by currency, as the view cycles_at gives them.
SELECT
    multiIf(Overdue > 0, 'late', CutOff >= {now:DateTime64(6, 'UTC')}, 'open', Waiting > 0, 'closing', 'complete') AS CycleStatus,
    count(), groupArrayArray(arrayDistinct(Objects))
FROM
(
    SELECT
        CycleObject, PeriodFirst, PeriodLast,
        max(assumeNotNull(CutOffAt)) AS CutOff,
        countIf(Standing = 'overdue') AS Overdue,
        countIf(Standing = 'waiting') AS Waiting,
        groupUniqArrayArrayIf(arrayMap(o -> (o.1, toString(o.2), o.3), AmountObjects), Standing = 'overdue') AS Objects
    FROM
    (
        SELECT CycleObject, PeriodFirst, PeriodLast, CutOffAt, AmountObjects,
            multiIf(Status IN ('dropped', 'completed'), Status, has(States, 'late'), 'overdue', 'waiting') AS Standing
        FROM @pictured
        WHERE Known = {known:UInt8} AND CutOffAt IS NOT NULL
    )
    GROUP BY CycleObject, PeriodFirst, PeriodLast
)
GROUP BY CycleStatus

-- journeys --
-- The newest journeys.
SELECT Root, Status, OpenedAt, Customer, Entity, Amount, Currency, Names, States
FROM @pictured
WHERE Known = {known:UInt8}
ORDER BY OpenedAt DESC, Root
LIMIT {limit:UInt32}

-- restated --
-- Journeys that one picture has alone, or that differ in anything that a figure comes from.
INSERT INTO @restated
SELECT Root
FROM @pictured
GROUP BY Root
HAVING count() = 1 OR uniqExact(cityHash64(toString((Status, Names, States, MetAt, LastAt, Amount, Currency,
    arraySort(AmountObjects), Customer, Entity, Region, CycleObject, PeriodFirst, CutOffAt)))) > 1

-- restated_journeys --
-- What differs: status, milestones, amount. Changes of status first, newest first.
SELECT
    Root,
    anyIf(Status, NOT Known) AS Before,
    anyIf(Status, Known) AS After,
    anyIf(Names, NOT Known) AS NamesBefore,
    anyIf(Names, Known) AS NamesAfter,
    anyIf(States, NOT Known) AS StatesBefore,
    anyIf(States, Known) AS StatesAfter,
    arrayFilter(m -> m.2 != m.3, arrayMap(
        name -> (name, StatesBefore[indexOf(NamesBefore, name)], StatesAfter[indexOf(NamesAfter, name)]),
        arrayIntersect(NamesBefore, NamesAfter))) AS Moved,
    anyIf(Amount, NOT Known) AS AmountBefore,
    anyIf(Amount, Known) AS AmountAfter,
    anyIf(Currency, NOT Known) AS CurrencyBefore,
    anyIf(Currency, Known) AS CurrencyAfter
FROM @pictured
WHERE Root IN (SELECT Root FROM @restated)
GROUP BY Root
ORDER BY Before = After, max(OpenedAt) DESC, Root
LIMIT {limit:UInt32}

-- root_names --
SELECT Key, any(concat(Namespace, ':', Value))
FROM keys
WHERE Tenant = {tenant:String} AND Process = {process:String} AND Generation IN {sources:Array(UInt32)}
    AND Key IN {roots:Array(UInt64)}
GROUP BY Key
