-- How open milestones are likely to end, from journeys of which that is known. Instants are microseconds since 1970.

-- comparable --
-- One row per journey and milestone whose due time has passed: how long it took from the start of the clock, or has been waited
-- for, and whether it was in time. Not those that were dropped or completed before, nor those that nobody can hear of.
SELECT Root, Entity, Region, Name, Started, Due, Took, Stored = 'met' AS InTime, Met
FROM
(
    SELECT Root, Entity, Region, Name,
        MilestoneStored[indexOf(MilestoneNames, Name)] AS Stored,
        multiIf(Kind = 'opened', OpenedAt, Kind = 'cut_off', CutOffAt,
            if(Kind = 'last', MilestoneLastAt, MilestoneMetAt)[indexOf(MilestoneNames, Start)]) AS StartedAt,
        MilestoneMetAt[indexOf(MilestoneNames, Name)] AS MetAt,
        MilestoneDueAt[indexOf(MilestoneNames, Name)] AS DueAt,
        toUnixTimestamp64Micro(assumeNotNull(StartedAt)) AS Started,
        toUnixTimestamp64Micro(assumeNotNull(DueAt)) AS Due,
        toUnixTimestamp64Micro(ifNull(MetAt, toDateTime64('2299-01-01', 6, 'UTC'))) AS Met,
        toUnixTimestamp64Micro(coalesce(MetAt, ClosedAt, {now:DateTime64(6, 'UTC')})) - Started AS Took,
        ClosedAt, Blind
    FROM
    (
        SELECT Root, Entity, Region, OpenedAt, ClosedAt, CutOffAt, Blind, MilestoneNames, MilestoneStored, MilestoneMetAt,
            MilestoneLastAt, MilestoneDueAt
        FROM journey_rows_at(tenant = {tenant:String}, now = {now:DateTime64(6, 'UTC')})
        WHERE Process = {process:String}
        ORDER BY OpenedAt DESC, Root
        LIMIT {recent:UInt32}
    )
    ARRAY JOIN {names:Array(String)} AS Name, {starts:Array(String)} AS Start, {kinds:Array(String)} AS Kind
)
WHERE StartedAt IS NOT NULL AND DueAt < {now:DateTime64(6, 'UTC')} AND Stored IN ('pending', 'met', 'met_late')
    AND NOT (MetAt IS NULL AND ClosedAt IS NOT NULL AND ifNull(ClosedAt <= DueAt, 0))
    AND NOT (MetAt IS NULL AND ClosedAt IS NULL AND has(Blind, Name))

-- grouped --
-- The same by entity, by region, and all together; of each group the latest.
SELECT Root, Name, Started, Due, Took, InTime, Met, one.1 AS Preference, one.2 AS Kind, one.3 AS Value
FROM (${comparable})
ARRAY JOIN [(1, 'entity', toString(Entity)), (2, 'region', toString(Region)), (3, 'process', '')] AS one
WHERE Preference = 3 OR Value != ''
ORDER BY Due DESC, Root
LIMIT {latest:UInt32} BY Name, Kind, Value

-- likely_late --
-- Journeys of which a milestone is likely late though its due time has not come. Clocks are (process, milestone, what starts it,
-- how), groups those of which something can be said, ages (group, from, before) where less than half were in time.
SELECT DISTINCT Root
FROM
(
    SELECT Process, Root, clock.2 AS Name, MilestoneStored[indexOf(MilestoneNames, Name)] AS Stored,
        MilestoneDueAt[indexOf(MilestoneNames, Name)] AS DueAt,
        multiIf(clock.4 = 'opened', OpenedAt, clock.4 = 'cut_off', CutOffAt,
            if(clock.4 = 'last', MilestoneLastAt, MilestoneMetAt)[indexOf(MilestoneNames, clock.3)]) AS StartedAt,
        toUnixTimestamp64Micro({now:DateTime64(6, 'UTC')}) - toUnixTimestamp64Micro(assumeNotNull(StartedAt)) AS Age,
        multiIf(
            has({groups:Array(Tuple(String, String, String, String))}, (toString(Process), Name, 'entity', toString(Entity))),
                ('entity', toString(Entity)),
            has({groups:Array(Tuple(String, String, String, String))}, (toString(Process), Name, 'region', toString(Region))),
                ('region', toString(Region)),
            ('process', '')) AS Comparable
    FROM journey_rows_at(tenant = {tenant:String}, now = {now:DateTime64(6, 'UTC')})
    ARRAY JOIN {clocks:Array(Tuple(String, String, String, String))} AS clock
    WHERE ClosedAt IS NULL AND clock.1 = Process
)
WHERE Stored = 'pending' AND DueAt >= {now:DateTime64(6, 'UTC')} AND StartedAt IS NOT NULL
    AND arrayExists(a -> (a.1, a.2, a.3, a.4) = (toString(Process), Name, Comparable.1, Comparable.2)
            AND Age >= a.5 AND Age < a.6,
        {ages:Array(Tuple(String, String, String, String, Int64, Int64))})

-- curves --
-- How long those in time took, and how long the others did or were waited for.
SELECT Name, Kind, Value, arraySort(groupArrayIf(Took, InTime)) AS Made, arraySort(groupArrayIf(Took, NOT InTime)) AS Missed
FROM (${grouped})
GROUP BY Name, Kind, Value
HAVING countIf(Met <= toUnixTimestamp64Micro({now:DateTime64(6, 'UTC')})) >= {fewest:UInt32}

-- calibration --
-- What would have been said of earlier journeys at a quarter, a half and three quarters of their time, by what was known then,
-- beside what happened: by milestone and fifth of the share that was said.
SELECT Name, least(toUInt8(floor(Share * 5)), 4) AS Fifth, count() AS Predictions, avg(Share) AS Said, avg(InTime) AS Observed,
    avg(pow(Share - InTime, 2)) AS Squared
FROM
(
    SELECT s.Name AS Name, s.Root AS Root, s.At AS At, s.InTime AS InTime, s.Preference AS Preference,
        countIf(g.Met <= s.At) AS Completions,
        countIf(least(g.Took, s.At - g.Started) > s.Age) AS Reached,
        countIf(least(g.Took, s.At - g.Started) > s.Age AND g.InTime) AS Made,
        Made / Reached AS Share
    FROM
    (
        SELECT Root, Name, InTime, Started + toInt64(part * (Due - Started)) AS At, At - Started AS Age, one.1 AS Preference,
            one.2 AS Kind, one.3 AS Value
        FROM
        (
            SELECT * FROM (${comparable}) WHERE Due > Started ORDER BY Due DESC, Root LIMIT {samples:UInt32} BY Name
        )
        ARRAY JOIN [0.25, 0.5, 0.75] AS part
        ARRAY JOIN [(1, 'entity', toString(Entity)), (2, 'region', toString(Region)), (3, 'process', '')] AS one
        WHERE Took > Age AND (Preference = 3 OR Value != '')
    ) AS s
    INNER JOIN (${grouped}) AS g ON g.Name = s.Name AND g.Kind = s.Kind AND g.Value = s.Value
    WHERE g.Due < s.At
    GROUP BY s.Name, s.Root, s.At, s.InTime, s.Preference
    HAVING Completions >= {fewest:UInt32} AND Reached > 0
    ORDER BY Preference
    LIMIT 1 BY Name, Root, At
)
GROUP BY Name, Fifth
ORDER BY Name, Fifth

-- known_ages --
-- What the view likely_late rests on.
SELECT Process, Clocks, Groups
FROM late_ages FINAL
WHERE Tenant = {tenant:String}
