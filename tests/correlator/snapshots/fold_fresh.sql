INSERT INTO journey_state (
    Tenant, Process, Generation,
    `Root`,
    `RootLevel`,
    `Orphan`,
    `DefinitionVersion`,
    `OpenedAt`,
    `LastEventAt`,
    `CompletedAt`,
    `DroppedAt`,
    `StuckAt`,
    `LateAt`,
    `BlockedAt`,
    `Blocking`,
    `Amount`,
    `Currency`,
    `AmountObjects`,
    `AmountDays`,
    `Customer`,
    `Entity`,
    `Region`,
    `ServiceLine`,
    `CycleObject`,
    `PeriodFirst`,
    `PeriodLast`,
    `CutOffAt`,
    `Events`,
    `OpenExceptions`,
    `FailedChecks`,
    `CheckDetails`,
    `Milestones.Name`,
    `Milestones.State`,
    `Milestones.MetAt`,
    `Milestones.LastAt`,
    `Milestones.DueAt`,
    `Milestones.Count`,
    `Milestones.Amount`,
    `Milestones.Currency`,
    `Version`,
    `Deleted`
)
SELECT
    {tenant:String}, {process:String}, {generation:UInt32},
    folded.Root AS out_Root,
    root_level AS out_RootLevel,
    root_level > 0 AS out_Orphan,
    1 AS out_DefinitionVersion,
    fromUnixTimestamp64Micro(opened, 'UTC') AS out_OpenedAt,
    fromUnixTimestamp64Micro(last_event, 'UTC') AS out_LastEventAt,
    if(completed, fromUnixTimestamp64Micro(if(completed, completed_at, 0), 'UTC'), NULL) AS out_CompletedAt,
    if(drop_count > 0, fromUnixTimestamp64Micro(if(drop_count > 0, dropped, 0), 'UTC'), NULL) AS out_DroppedAt,
    if(stuck_at < 4611686018427387904, fromUnixTimestamp64Micro(if(stuck_at < 4611686018427387904, stuck_at, 0), 'UTC'), NULL) AS out_StuckAt,
    if(late_at < 4611686018427387904, fromUnixTimestamp64Micro(if(late_at < 4611686018427387904, late_at, 0), 'UTC'), NULL) AS out_LateAt,
    if(least(if(empty(failing_checks), 4611686018427387904, check_blocked), if(blocking_events > 0, blocked_since, 4611686018427387904)) < 4611686018427387904, fromUnixTimestamp64Micro(if(least(if(empty(failing_checks), 4611686018427387904, check_blocked), if(blocking_events > 0, blocked_since, 4611686018427387904)) < 4611686018427387904, least(if(empty(failing_checks), 4611686018427387904, check_blocked), if(blocking_events > 0, blocked_since, 4611686018427387904)), 0), 'UTC'), NULL) AS out_BlockedAt,
    arrayConcat(arrayMap(x -> (x.1, fromUnixTimestamp64Micro(x.2, 'UTC'), fromUnixTimestamp64Micro(x.3, 'UTC')), blocking_rows), arrayMap(x -> (sipHash64({tenant:String}, {process:String}, 'check', x.1, folded.Root), fromUnixTimestamp64Micro(x.2, 'UTC'), fromUnixTimestamp64Micro(x.2, 'UTC')), arrayFilter(x -> x.3, failing_checks))) AS out_Blocking,
    Amount AS out_Amount,
    Currency AS out_Currency,
    arrayMap(x -> (x.1, x.4, x.5), latest[1]) AS out_AmountObjects,
    arrayMap(x -> x.6, latest[1]) AS out_AmountDays,
    Customer AS out_Customer,
    Entity AS out_Entity,
    Region AS out_Region,
    ServiceLine AS out_ServiceLine,
    '' AS out_CycleObject,
    NULL AS out_PeriodFirst,
    NULL AS out_PeriodLast,
    NULL AS out_CutOffAt,
    event_count AS out_Events,
    open_events + length(failing_checks) AS out_OpenExceptions,
    arrayMap(x -> (x.1, fromUnixTimestamp64Micro(x.2, 'UTC')), failing_checks) AS out_FailedChecks,
    arrayMap(x -> x.5, failing_checks) AS out_CheckDetails,
    ['won', 'posted'] AS out_Milestones_Name,
    CAST(states, 'Array(Int8)') AS out_Milestones_State,
    arrayMap((m, t) -> if(m, fromUnixTimestamp64Micro(if(m, t, 0), 'UTC'), NULL), met, met_at) AS out_Milestones_MetAt,
    arrayMap((m, t) -> if(m, fromUnixTimestamp64Micro(if(m, t, 0), 'UTC'), NULL), met, last_at) AS out_Milestones_LastAt,
    arrayMap(d -> fromUnixTimestamp64Micro(d, 'UTC'), due) AS out_Milestones_DueAt,
    counts AS out_Milestones_Count,
    totals AS out_Milestones_Amount,
    currencies AS out_Milestones_Currency,
    {version:UInt64} AS out_Version,
    0 AS out_Deleted
FROM (
    SELECT
        *,
        arrayMin(x -> if(x.3, x.2, 4611686018427387904), failing_checks) AS check_blocked
    FROM (
        SELECT
            *,
            arrayMin((s, d, w) -> if(s = 0 AND w = 1, ifNull(d, 4611686018427387904), 4611686018427387904), states, due, [0, 1]) AS stuck_at,
            arrayMin((s, d, w) -> if(s = 0 AND w = 2, ifNull(d, 4611686018427387904), 4611686018427387904), states, due, [0, 1]) AS late_at,
            arrayFilter(x -> x.4, [('has-plan', met_at[1], 0, met[1] AND NOT ifNull((term_63967fbcec6c != ''), 0), '')]) AS failing_checks
        FROM (
            SELECT
                *,
                arrayMap((m, k, j, d, later, u, still) -> multiIf(m AND k AND ifNull(j > d, 0), 2, m, 1, completed OR (isNull(d) AND later AND NOT still), 3, u, 4, 0), met, known, judgeds, due, later_met, untold, stopped) AS states,
                totals[1] AS Amount,
                currencies[1] AS Currency,
                latest_Customer AS Customer,
                latest_Entity AS Entity,
                latest_Region AS Region,
                latest_ServiceLine AS ServiceLine
            FROM (
                SELECT
                    *,
                    met[2] AS completed,
                    arrayMax([met_at[2]]) AS completed_at
                FROM (
                    SELECT
                        *,
                        CAST([NULL, if(known[1], met_at[1], NULL) + 172800000000], 'Array(Nullable(Int64))') AS due,
                        [0, met[1] AND NOT known[1]] AS untold,
                        [0, 0] AS stopped
                    FROM (
                        SELECT
                            *,
                            arrayMap(c -> if(length(c) > 1, 'mixed', c[1]), held) AS currencies,
                            arrayMap((c, l) -> if(length(c) = 1, accurateCastOrNull(arraySum(x -> toDecimal256(x.4, 6), l), 'Decimal(38, 6)'), NULL), held, latest) AS totals,
                            arrayMap(reached -> met_count > reached, arrayCumSum(met)) AS later_met
                        FROM (
                            SELECT
                                *,
                                arrayMap((m, k, f) -> multiIf(k, f, m, f - 1000000000000000000, 0), met, known, firsts) AS met_at,
                                arrayMap((m, l) -> multiIf(NOT m, 0, l < -500000000000000000, l + 1000000000000000000, l), met, lasts) AS last_at,
                                arrayMap(l -> arrayDistinct(arrayMap(x -> x.5, l)), latest) AS held,
                                arraySum(met) AS met_count
                            FROM (
                                SELECT
                                    *,
                                    arrayMap((c, n) -> c >= n, counts, [1, 1]) AS met,
                                    arrayMap((c, n, f) -> c >= n AND f < 500000000000000000, counts, [1, 1], firsts) AS known,
                                    arrayMap(a -> arrayCompact(x -> x.1, arrayReverseSort(a)), amounts) AS latest
                                FROM (
                                    SELECT
                                        *,
                                        [seen_counts[1], if(reversed, length(remaining[1]), seen_counts[2])] AS counts,
                                        [seen_firsts[1], if(reversed, arraySort(arrayMap(x -> x.5, remaining[1]))[1], seen_firsts[2])] AS firsts,
                                        [seen_lasts[1], if(reversed, arrayMax(x -> x.6, remaining[1]), seen_lasts[2])] AS lasts,
                                        [seen_judgeds[1], if(reversed, arraySort(arrayMap(x -> x.7, remaining[1]))[1], seen_judgeds[2])] AS judgeds,
                                        [seen_amounts[1], if(reversed, arrayMap(x -> (x.8, x.2, x.3, assumeNotNull(x.9), x.10, x.11), arrayFilter(x -> isNotNull(x.9), remaining[1])), seen_amounts[2])] AS amounts
                                    FROM (
                                        SELECT
                                            *,
                                            arrayMap((l, o) -> if(o, arrayCompact(x -> x.3, l), l), left_over, [1]) AS remaining
                                        FROM (
                                            SELECT
                                                *,
                                                arrayMap(l -> arraySort(x -> x.3, arrayFilter((x, u) -> x.4 = 0 AND NOT (u.4 = 1 AND u.1 = x.1), l, arrayFill(x -> x.4 = 1, l))), laid_out) AS left_over
                                            FROM (
                                                SELECT
                                                    *,
                                                    arrayMap(h -> arrayReverseSort(arrayFlatten(arrayMap(e -> arrayMap(s -> (s, e.2, e.3, e.4, e.5, e.6, e.7, e.8, e.9, e.10, e.11), if(empty(e.1), [0], e.1)), h))), histories) AS laid_out
                                                FROM (
                                                    SELECT
                                                        Root,
                                                        any(RootLevel) AS root_level,
                                                        count() AS event_count,
                                                        min(Micros) AS opened,
                                                        max(Micros) AS last_event,
                                                        argMaxIf(Customer, Moment, Customer != '') AS latest_Customer,
                                                        argMaxIf(Entity, Moment, Entity != '') AS latest_Entity,
                                                        argMaxIf(Region, Moment, Region != '') AS latest_Region,
                                                        argMaxIf(ServiceLine, Moment, ServiceLine != '') AS latest_ServiceLine,
                                                        [countIf(r0), countIf(r1)] AS seen_counts,
                                                        [minIf(First, r0), minIf(First, r1)] AS seen_firsts,
                                                        [maxIf(Last, r0), maxIf(Last, r1)] AS seen_lasts,
                                                        [0, minIf(Judged, r1)] AS seen_judgeds,
                                                        [groupArrayIf((Owner, Nanos, EventId, assumeNotNull(Amount), toString(Currency), Day), r0 AND isNotNull(Amount)), groupArrayIf((Owner, Nanos, EventId, assumeNotNull(Amount), toString(Currency), Day), r1 AND isNotNull(Amount))] AS seen_amounts,
                                                        countIf(drops) AS drop_count,
                                                        minIf(Micros, drops) AS dropped,
                                                        any(Reversed) AS reversed,
                                                        [groupArrayIf((Subjects, Nanos, EventId, u1, First, Last, Judged, Owner, Amount, toString(Currency), Day), (r1 OR u1) AND Reversed)] AS histories,
                                                        argMaxIf(Attributes['plan'], Moment, Attributes['plan'] != '') AS term_63967fbcec6c
                                                    FROM (
                                                        SELECT
                                                            *,
                                                            toUnixTimestamp64Nano(Time) AS Nanos,
                                                            intDiv(Nanos, 1000) AS Micros,
                                                            if(TimePrecision = 'unknown', Micros + 1000000000000000000, Micros) AS First,
                                                            if(TimePrecision = 'unknown', Micros - 1000000000000000000, Micros) AS Last,
                                                            if(TimePrecision = 'day', Micros - positiveModulo(Micros, 86400000000), First) AS Judged,
                                                            bitOr(bitShiftLeft(toUInt256(bitXor(toUInt64(Nanos), 9223372036854775808)), 128), toUInt256(EventId)) AS Moment,
                                                            arrayMin(Subjects) AS Owner,
                                                            if(Attributes['business.accounting_date'] = '', toDate32(Time), ifNull(toDate32OrNull(substring(Attributes['business.accounting_date'], 1, 10)), toDate32(Time))) AS Day,
                                                            (Failed = 0 AND Event IN ('won')) AS r0,
                                                            (Failed = 0 AND Event IN ('posted') AND ifNull((toFloat64(Amount) > toFloat64(0.0)), 0)) AS r1,
                                                            (Failed = 0 AND Event IN ('credited')) AS u1,
                                                            (Failed = 0 AND Event IN ('lost')) AS drops,
                                                            Root IN (SELECT Root FROM journey_events WHERE Tenant = {tenant:String} AND Process = {process:String} AND Generation = {generation:UInt32} AND Root BETWEEN {lo:UInt64} AND {hi:UInt64} AND Deleted = 0 AND Event IN ('credited')) AS Reversed
                                                        FROM (
                                                        SELECT Root, RootLevel, EventId, Time, Event, Failed, System, Platform, Connection, Subjects, Objects, Amount, Currency, Customer, Entity, Region, ServiceLine, TimePrecision, ExceptionClass, ExceptionCode, ExceptionMessage, Attributes FROM journey_events WHERE Tenant = {tenant:String} AND Process = {process:String} AND Generation = {generation:UInt32} AND Root BETWEEN {lo:UInt64} AND {hi:UInt64} AND Deleted = 0
                                                        )
                                                    )
                                                    GROUP BY Root
                                                )
                                            )
                                        )
                                    )
                                )
                            )
                        )
                    )
                )
            )
        )
    )
) AS folded
LEFT JOIN (
    SELECT
        Root,
        countIf(Resolved IS NULL) AS open_events,
        countIf(Resolved IS NULL AND Blocking) AS blocking_events,
        minIf(Opened, Resolved IS NULL AND Blocking) AS blocked_since,
        groupArrayIf((sipHash64({tenant:String}, {process:String}, 'event', Event, Subject), Opened, intDiv(latest.1, 1000)), Resolved IS NULL AND Blocking)
            AS blocking_rows
    FROM (
        SELECT
            Root, Subject, Event,
            arraySort(x -> (x.1, x.2), groupArray((
                toUnixTimestamp64Nano(Time), EventId, Failed, toString(ExceptionClass), ExceptionCode,
                if(Failed = 1, ExceptionMessage, ''), Amount, toString(Currency)))) AS history,
            arrayLastIndex(x -> x.3 = 1, history) AS last_failure,
            arrayLastIndex(x -> x.3 = 0, arraySlice(history, 1, last_failure)) AS success_before,
            history[last_failure] AS latest,
            history[success_before + 1] AS earliest,
            intDiv(earliest.1, 1000) AS Opened,
            if(length(history) > last_failure, intDiv(history[last_failure + 1].1, 1000), NULL) AS Resolved,
            last_failure - success_before AS Occurrences,
            Event IN ('posted', 'won') AS Blocking
        FROM (
            SELECT *, arrayJoin(if(empty(Subjects), [0], Subjects)) AS Subject
            FROM (
                SELECT Root, RootLevel, EventId, Time, Event, Failed, System, Platform, Connection, Subjects, Objects, Amount, Currency, Customer, Entity, Region, ServiceLine, TimePrecision, ExceptionClass, ExceptionCode, ExceptionMessage, Attributes FROM journey_events WHERE Tenant = {tenant:String} AND Process = {process:String} AND Generation = {generation:UInt32} AND Root BETWEEN {lo:UInt64} AND {hi:UInt64} AND Deleted = 0
                    AND (Root, Event) IN (SELECT Root, Event FROM journey_events WHERE Tenant = {tenant:String} AND Process = {process:String} AND Generation = {generation:UInt32} AND Root BETWEEN {lo:UInt64} AND {hi:UInt64} AND Deleted = 0 AND Failed = 1)
            )
        )
        GROUP BY Root, Subject, Event
        HAVING last_failure > 0
    )
    GROUP BY Root
) AS failing ON folded.Root = failing.Root
SETTINGS query_plan_merge_expressions = 0, optimize_aggregation_in_order = 1;

INSERT INTO exception_state (
    Tenant, Process, Generation, Root, ExceptionId, Subject, Kind, Event, Milestone, Class, Code, Message,
    Fingerprint, Owner, Severity, Blocking, Amount, Currency, Customer, Entity, Region, ServiceLine,
    OpenedAt, ResolvedAt, LastSeenAt, Occurrences, Turns, FirstEventId, LastEventId, Version, Deleted
)
SELECT
    {tenant:String}, {process:String}, {generation:UInt32},
    Root, sipHash64({tenant:String}, {process:String}, 'event', Event, Subject), Subject, 'event',
    Event, transform(toString(Event), ['won', 'posted'], ['won', 'posted'], '') AS milestone,
    if(latest.4 = '', 'technical', latest.4) AS class, latest.5, latest.6,
    sipHash64({process:String}, Event, class, latest.5, lowerUTF8(trimBoth(replaceRegexpAll(replaceRegexpAll(replaceRegexpAll(replaceRegexpAll(replaceRegexpAll(replaceRegexpAll(latest.6, '(^|[^\\w])(\'[^\']*\'|"[^"]*"|`[^`]*`)', '\\1?'), '\\b[0-9a-fA-F]\x7b8\x7d-[0-9a-fA-F]\x7b4\x7d-[0-9a-fA-F]\x7b4\x7d-[0-9a-fA-F]\x7b4\x7d-[0-9a-fA-F]\x7b12\x7d\\b', '#'), '\\b[0-9a-fA-F]\x7b16,\x7d\\b', '#'), '\\w*\\d\\w*', '#'), '#([-.,:/+]#)+', '#'), '\\s+', ' ')))),
    '', if(Blocking, 'high', 'medium'), Blocking, latest.7, latest.8,
    journey.Customer, journey.Entity, journey.Region, journey.ServiceLine,
    fromUnixTimestamp64Micro(Opened, 'UTC'), fromUnixTimestamp64Micro(Resolved, 'UTC'),
    fromUnixTimestamp64Micro(intDiv(latest.1, 1000), 'UTC'), Occurrences,
    arrayMap((i, following) -> (
            fromUnixTimestamp64Nano(history[i].1, 'UTC'), history[i].2,
            if(history[i].3 = 1, sipHash64({process:String}, Event, if(history[following - 1].4 = '', 'technical', history[following - 1].4), history[following - 1].5, lowerUTF8(trimBoth(replaceRegexpAll(replaceRegexpAll(replaceRegexpAll(replaceRegexpAll(replaceRegexpAll(replaceRegexpAll(history[following - 1].6, '(^|[^\\w])(\'[^\']*\'|"[^"]*"|`[^`]*`)', '\\1?'), '\\b[0-9a-fA-F]\x7b8\x7d-[0-9a-fA-F]\x7b4\x7d-[0-9a-fA-F]\x7b4\x7d-[0-9a-fA-F]\x7b4\x7d-[0-9a-fA-F]\x7b12\x7d\\b', '#'), '\\b[0-9a-fA-F]\x7b16,\x7d\\b', '#'), '\\w*\\d\\w*', '#'), '#([-.,:/+]#)+', '#'), '\\s+', ' ')))), 0)),
        arrayFilter(i -> history[i].3 != if(i = 1, 0, history[i - 1].3), arrayEnumerate(history)) AS flips,
        arrayPushBack(arrayPopFront(flips), length(history) + 1)),
    earliest.2, latest.2, {version:UInt64}, 0
FROM (
    SELECT
        Root, Subject, Event,
        arraySort(x -> (x.1, x.2), groupArray((
            toUnixTimestamp64Nano(Time), EventId, Failed, toString(ExceptionClass), ExceptionCode,
            if(Failed = 1, ExceptionMessage, ''), Amount, toString(Currency)))) AS history,
        arrayLastIndex(x -> x.3 = 1, history) AS last_failure,
        arrayLastIndex(x -> x.3 = 0, arraySlice(history, 1, last_failure)) AS success_before,
        history[last_failure] AS latest,
        history[success_before + 1] AS earliest,
        intDiv(earliest.1, 1000) AS Opened,
        if(length(history) > last_failure, intDiv(history[last_failure + 1].1, 1000), NULL) AS Resolved,
        last_failure - success_before AS Occurrences,
        Event IN ('posted', 'won') AS Blocking
    FROM (
        SELECT *, arrayJoin(if(empty(Subjects), [0], Subjects)) AS Subject
        FROM (
            SELECT Root, RootLevel, EventId, Time, Event, Failed, System, Platform, Connection, Subjects, Objects, Amount, Currency, Customer, Entity, Region, ServiceLine, TimePrecision, ExceptionClass, ExceptionCode, ExceptionMessage, Attributes FROM journey_events WHERE Tenant = {tenant:String} AND Process = {process:String} AND Generation = {generation:UInt32} AND Root BETWEEN {lo:UInt64} AND {hi:UInt64} AND Deleted = 0
                AND (Root, Event) IN (SELECT Root, Event FROM journey_events WHERE Tenant = {tenant:String} AND Process = {process:String} AND Generation = {generation:UInt32} AND Root BETWEEN {lo:UInt64} AND {hi:UInt64} AND Deleted = 0 AND Failed = 1)
        )
    )
    GROUP BY Root, Subject, Event
    HAVING last_failure > 0
) AS failing
INNER JOIN (SELECT Root, Customer, Entity, Region, ServiceLine FROM journey_state WHERE Tenant = {tenant:String} AND Process = {process:String} AND Generation = {generation:UInt32} AND Root BETWEEN {lo:UInt64} AND {hi:UInt64} AND Version = {version:UInt64} AND Deleted = 0 AND Root IN (SELECT Root FROM journey_events WHERE Tenant = {tenant:String} AND Process = {process:String} AND Generation = {generation:UInt32} AND Root BETWEEN {lo:UInt64} AND {hi:UInt64} AND Deleted = 0 AND Failed = 1)) AS journey ON journey.Root = failing.Root;

INSERT INTO exception_state (
    Tenant, Process, Generation, Root, ExceptionId, Subject, Kind, Event, Milestone, Class, Code, Message,
    Fingerprint, Owner, Severity, Blocking, Amount, Currency, Customer, Entity, Region, ServiceLine,
    OpenedAt, ResolvedAt, LastSeenAt, Occurrences, Turns, FirstEventId, LastEventId, Version, Deleted
)
SELECT
    {tenant:String}, {process:String}, {generation:UInt32},
    Root, id, Root, 'check',
    '', transform(toString(check), ['has-plan'], ['won'], ''), transform(toString(check), ['has-plan'], ['business'], ''), check,
    if(told = '', transform(toString(check), ['has-plan'], ['has-plan does not hold: attr(\'plan\') != \'\''], ''), concat(transform(toString(check), ['has-plan'], ['has-plan does not hold: attr(\'plan\') != \'\''], ''), '; ', told)),
    sipHash64({process:String}, 'check', transform(toString(check), ['has-plan'], ['business'], ''), check, lowerUTF8(trimBoth(replaceRegexpAll(replaceRegexpAll(replaceRegexpAll(replaceRegexpAll(replaceRegexpAll(replaceRegexpAll('', '(^|[^\\w])(\'[^\']*\'|"[^"]*"|`[^`]*`)', '\\1?'), '\\b[0-9a-fA-F]\x7b8\x7d-[0-9a-fA-F]\x7b4\x7d-[0-9a-fA-F]\x7b4\x7d-[0-9a-fA-F]\x7b4\x7d-[0-9a-fA-F]\x7b12\x7d\\b', '#'), '\\b[0-9a-fA-F]\x7b16,\x7d\\b', '#'), '\\w*\\d\\w*', '#'), '#([-.,:/+]#)+', '#'), '\\s+', ' ')))) AS print,
    '', transform(toString(check), ['has-plan'], ['medium'], ''),
    0,
    Amount, Currency, journey.Customer, journey.Entity, journey.Region, journey.ServiceLine,
    toDateTime64(turns[-2 + length(turns) % 2], 6, 'UTC') AS opened,
    if(length(turns) % 2 = 1, NULL, toDateTime64(turns[-1], 6, 'UTC')), opened, 1,
    arrayMap((at, n) -> (at, toUInt128(0), if(n % 2 = 1, print, 0)), turns, arrayEnumerate(turns)),
    toUInt128(0), toUInt128(0), {version:UInt64}, empty(turns)
FROM (
    SELECT *,
        one.1 AS check, one.2 AS id, Known[id] AS before, has(FailedChecks.1, check) AS fails,
        indexOf(FailedChecks.1, check) AS place, CheckDetails[place] AS told,
        toDateTime64(FailedChecks[place].2, 9, 'UTC') AS since,
        greatest(toDateTime64(LastEventAt, 9, 'UTC'), addMicroseconds(before[-1], 1)) AS latest,
        multiIf(
            fails AND length(before) < 2, [since],
            fails = length(before) % 2, before,
            NOT fails AND 0 AND before[-1] > LastEventAt, arrayPopBack(before),
            arrayPushBack(before, if(fails AND 0, greatest(latest, since), latest))) AS turns
    FROM (
        SELECT *, arrayJoin(arrayFilter(c -> has(FailedChecks.1, c.1) OR mapContains(Known, c.2),
            arrayMap(name -> (name, sipHash64({tenant:String}, {process:String}, 'check', name, found.Root)), ['has-plan']))) AS one
        FROM (SELECT Root, Amount, Currency, Customer, Entity, Region, ServiceLine, LastEventAt, FailedChecks, CheckDetails FROM journey_state WHERE Tenant = {tenant:String} AND Process = {process:String} AND Generation = {generation:UInt32} AND Root BETWEEN {lo:UInt64} AND {hi:UInt64} AND Version = {version:UInt64} AND Deleted = 0) AS found
        LEFT JOIN (
            SELECT Root, mapFromArrays(groupArray(ExceptionId), groupArray(Turns)) AS Known
            FROM (
                SELECT Subject AS Root, ExceptionId, arraySort(groupArray(At)) AS Turns
                FROM (
                    SELECT Subject, ExceptionId, Kind, At, Withdrawn FROM exception_transitions
                    WHERE Tenant = {tenant:String} AND Process = {process:String} AND Subject BETWEEN {lo:UInt64} AND {hi:UInt64} AND Origin = 'fact' AND EventId = 0
                    ORDER BY Version DESC LIMIT 1 BY Subject, ExceptionId, Kind, At
                )
                WHERE Withdrawn = 0
                GROUP BY Subject, ExceptionId
            )
            GROUP BY Root
        ) AS known ON known.Root = found.Root
    )
) AS journey;
