-- Whose hands journeys were in. What begins with @ is put in by waiting.py: literals and counted names of one process.

-- journeys --
-- The journeys asked for, or every open one: what was reached in which order, and what is waited for first.
SELECT Root, Id, Customer, ClosedAt IS NULL AS Open, @axis AS Axis,
    toInt64(toUnixTimestamp64Micro(OpenedAt)) AS Opened,
    greatest(Opened, toInt64(toUnixTimestamp64Micro(ifNull(ClosedAt, {now:DateTime64(6, 'UTC')})))) AS Ended,
    arraySort(arrayFilter(x -> x.2 > 0 AND x.1 > Opened AND x.1 <= Ended, arrayMap(
        (met, name) -> (toInt64(ifNull(toUnixTimestamp64Micro(met), 0)), indexOf(@names, toString(name))),
        MilestoneMetAt, MilestoneNames))) AS Reached,
    indexOf(@names, toString(arrayFirst((name, stored) -> stored = 'pending' AND has(@waited, toString(name)),
        MilestoneNames, MilestoneStored))) AS Next,
    MilestoneNames, MilestoneMetAt
FROM
(
    SELECT *, Customer AS latest_Customer, Entity AS latest_Entity, Region AS latest_Region, ServiceLine AS latest_ServiceLine
    FROM journey_rows_at(tenant = {tenant:String}, now = {now:DateTime64(6, 'UTC')})
    WHERE Process = @process AND if(empty({roots:Array(UInt64)}), ClosedAt IS NULL, Root IN {roots:Array(UInt64)})
)

-- said --
-- When events stopped clocks and let them go on, by journey.
SELECT Root, arraySort(groupArray((toInt64(toUnixTimestamp64Micro(toDateTime64(Time, 6, 'UTC'))), toString(Event)))) AS Said, @pauses
FROM
(
    SELECT Root, Time, Event, Failed, Deleted FROM journey_events
    WHERE @active AND Event IN @events AND (empty({roots:Array(UInt64)}) OR Root IN {roots:Array(UInt64)})
    ORDER BY Version DESC LIMIT 1 BY Root, EventId
)
WHERE Deleted = 0 AND Failed = 0
GROUP BY Root

-- paused --
-- The stretches of one kind of pause; of several stopping or resuming events in a row the first counts.
arrayMap(x -> (x.1, has(@by, x.2)), arrayFilter(x -> has(@by, x.2) OR has(@until, x.2), Said)) AS Turns@n,
arrayFilter((x, n) -> x.2 != if(n = 1, 0, Turns@n[n - 1].2), Turns@n, arrayEnumerate(Turns@n)) AS Changes@n,
arrayMap(n -> (Changes@n[2 * n - 1].1, if(2 * n <= length(Changes@n), Changes@n[2 * n].1, toInt64(@never))),
    range(1, intDiv(length(Changes@n) + 1, 2) + 1)) AS Pauses@n

-- failing --
-- The open or past failures of some journeys that are technical or remote.
SELECT Root, LastEventId, Turns FROM exception_state FINAL
WHERE @active AND Deleted = 0 AND Class IN ('technical', 'remote')
    AND (empty({roots:Array(UInt64)}) OR Root IN {roots:Array(UInt64)})

-- failures --
-- When which system kept a journey: from each failure to its recovery.
SELECT Root, arraySort(groupArrayArray(arrayMap(n -> (
    toInt64(toUnixTimestamp64Micro(toDateTime64(Turns[2 * n - 1].At, 6, 'UTC'))),
    if(2 * n <= length(Turns), toInt64(toUnixTimestamp64Micro(toDateTime64(Turns[2 * n].At, 6, 'UTC'))), toInt64(@never)),
    multiIf(b.System != '', toString(b.System), b.Platform != '', toString(b.Platform), 'an unnamed system')),
    range(1, intDiv(length(Turns) + 1, 2) + 1)))) AS Failures
FROM (@failing) AS e
LEFT ANY JOIN
(
    SELECT EventId, System, Platform FROM business_events
    WHERE Tenant = {tenant:String} AND EventId IN (SELECT LastEventId FROM (@failing))
    ORDER BY Time DESC, ContentHash DESC LIMIT 1 BY EventId
) AS b ON b.EventId = e.LastEventId
GROUP BY Root

-- interrupted --
-- Journeys with what came between; Edges are all the moments at which hands may have changed.
SELECT j.Root AS Root, j.Id AS Id, j.Customer AS Customer, j.Open AS Open, j.Axis AS Axis, j.Reached AS Reached, j.Next AS Next,
    @clipped AS Pauses, f.Failures AS Failures,
    arraySort(arrayDistinct(arrayFilter(t -> t >= j.Opened AND t <= j.Ended, arrayConcat([j.Opened, j.Ended],
        arrayMap(x -> x.1, j.Reached), arrayMap(p -> p.1, Pauses), arrayMap(p -> p.2, Pauses),
        arrayMap(x -> x.1, f.Failures), arrayMap(x -> x.2, f.Failures))))) AS Edges
FROM (@journeys) AS j
@said
LEFT ANY JOIN (@failures) AS f ON f.Root = j.Root

-- turns --
-- One row for each stretch between two such moments.
SELECT Root, Id, Open, Axis, n = length(Edges) - 1 AS Last, Edges[n] AS At, Edges[n + 1] AS Until,
    arrayFirstIndex(x -> x.1 > At, Reached) AS Following,
    if(Following = 0, Next, Reached[Following].2) AS Place,
    multiIf(
        arrayExists(p -> p.1 <= At AND At < p.2, Pauses), ('customer', if(Customer = '', 'the customer', Customer)),
        arrayExists(f -> f.1 <= At AND At < f.2, Failures),
            ('system', arrayFirst(f -> f.1 <= At AND At < f.2, Failures).3),
        ('team', if(Place = 0, @owner, @owners[Place]))) AS Whose,
    if(Place = 0, '', @names[Place]) AS Milestone
FROM (@interrupted)
ARRAY JOIN range(1, length(Edges)) AS n

-- worked --
-- Where an instant stands on its calendar's axis of working time; plain time is its own axis.
SELECT s.*, if(s.Axis = 0, s.@column, if(i.Counts > 0, i.Work + least(s.@column - i.Start, i.Length), 0)) AS @name
FROM (@rows) AS s
ASOF LEFT JOIN
(
    SELECT toUInt8(indexOf(@calendars, Calendar)) AS Counts, Start, Length, Work
    FROM (SELECT * FROM calendar_intervals WHERE has(@calendars, Calendar) GROUP BY ALL)
) AS i ON s.Axis = i.Counts AND s.@column >= i.Start

-- held --
-- Kind is team, system or customer; Last: it is in these hands now, or was at its end. Times in microseconds.
SELECT Root, Id, Open, Last, At, Until, Whose.1 AS Kind, Whose.2 AS Holder, Milestone, Ends - Begins AS Worked
FROM (@worked)

-- totals --
-- By holder over the journeys that are open.
SELECT Kind AS kind, Holder AS holder, uniqExact(Root) AS journeys, sum(Worked) / 3.6e9 AS business_hours,
    sum(Until - At) / 3.6e9 AS elapsed_hours, countIf(Last) AS holding, sumIf(Worked, Last) / 3.6e9 AS held_now_hours,
    if(holding = 0, NULL, fromUnixTimestamp64Micro(minIf(At, Last), 'UTC')) AS oldest_since
FROM (@held)
GROUP BY Kind, Holder
ORDER BY business_hours DESC, Kind, Holder
