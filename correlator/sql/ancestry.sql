-- Which events are at hand, and which event spans stand nearest above each of them (rule 2). Per tenant, for all processes.

-- new_events --
-- Inbox rows of the overlap window that were not processed, oldest first.
INSERT INTO @new_events
SELECT EventId, ContentHash, IngestedAt
FROM event_inbox
WHERE Tenant = {tenant:String} AND IngestedAt > {since:DateTime64(6, 'UTC')}
  AND (EventId, ContentHash) NOT IN (
      SELECT EventId, ContentHash FROM processed
      WHERE Tenant = {tenant:String} AND IngestedAt > {since:DateTime64(6, 'UTC')})
ORDER BY IngestedAt
LIMIT {batch:UInt64}

-- stragglers --
-- Facts never processed whatever their time: the slow full anti-join.
INSERT INTO @new_events
SELECT EventId, ContentHash, IngestedAt
FROM business_events
WHERE Tenant = {tenant:String} AND IngestedAt <= {since:DateTime64(6, 'UTC')}
  AND (EventId, ContentHash) NOT IN (SELECT EventId, ContentHash FROM processed WHERE Tenant = {tenant:String})
LIMIT {batch:UInt64}

-- seen --
-- An inbox row may be visible before its fact: only visible ones are marked as processed afterwards.
INSERT INTO @seen
SELECT EventId, ContentHash
FROM business_events
WHERE Tenant = {tenant:String} AND EventId IN (SELECT EventId FROM @new_events)

-- affected_new --
-- New events, and those of which a watched span has arrived.
INSERT INTO @affected
SELECT DISTINCT EventId, 0 FROM (SELECT EventId FROM @new_events UNION ALL ${watching})

-- affected_all --
INSERT INTO @affected SELECT DISTINCT EventId, 0 FROM business_events WHERE Tenant = {tenant:String} AND ${counting_facts}

-- watching --
-- Events of which a watched span has arrived, or has arrived again with other parents. Spans of the overlap window are looked
-- at every time: what was seen of them tells whether they are news.
SELECT w.EventId
FROM
(
    SELECT Trace, Span, EventId, Seen, Deleted
    FROM watched_spans
    WHERE Tenant = {tenant:String} AND Trace IN (${recent_traces})
    ORDER BY Version DESC
    LIMIT 1 BY Trace, Span, EventId
) AS w
INNER JOIN
(
    SELECT Trace, Span, ${seen_of_span} AS Seen
    FROM span_edges
    WHERE Tenant = {tenant:String}
      AND Trace IN (SELECT Trace FROM watched_spans WHERE Tenant = {tenant:String} AND Trace IN (${recent_traces}))
    GROUP BY Trace, Span
) AS s ON s.Trace = w.Trace AND s.Span = w.Span
WHERE NOT w.Deleted AND s.Seen != w.Seen

-- recent_traces --
SELECT Trace FROM trace_inbox WHERE Tenant = {tenant:String} AND IngestedAt > {since:DateTime64(6, 'UTC')}

-- seen_of_span --
-- All that is known of a span, rows of one span united.
cityHash64(max(IsEvent), arraySort(arrayDistinct(arrayFlatten(groupArray(Parents)))))

-- affected_below --
-- Events below those of the last round: their effective keys may follow.
INSERT INTO @affected
SELECT DISTINCT EventId, {round:UInt16} + 1
FROM
(
    SELECT Ancestor, EventId, Deleted
    FROM event_descendants
    WHERE Tenant = {tenant:String} AND Ancestor IN (SELECT EventId FROM @affected WHERE Round = {round:UInt16})
    ORDER BY Version DESC
    LIMIT 1 BY Ancestor, EventId
)
WHERE NOT Deleted AND EventId NOT IN (SELECT EventId FROM @affected)

-- counting_facts --
-- Which facts count: all of them. as_of.py counts those that were known at a time.
1

-- counting_spans --
-- Likewise.
1

-- fact_columns --
EventId, ContentHash, Parents, Keys, ContextKeys, Subject, Links, Cuts,
    (Time, Event, Failed, System, Platform, Connection, Amount, Currency, Customer, Entity, Region, ServiceLine, TimePrecision,
        ExceptionClass, ExceptionCode, ExceptionMessage) AS Fact,
    Attributes

-- winners --
-- Of equal identities the greatest (time, content hash) counts.
SELECT ${fact_columns}
FROM business_events
WHERE Tenant = {tenant:String} AND ${counting_facts} AND $1
ORDER BY EventId, Time DESC, ContentHash DESC
LIMIT 1 BY EventId

-- facts --
INSERT INTO @facts
${winners(EventId IN (SELECT EventId FROM @affected) AND EventId NOT IN (SELECT EventId FROM @facts))}

-- repeated --
-- Identities with more than one row. Sorting wide rows of everything would cost more than all else: only these are sorted.
-- What arrives while a rebuild reads is correlated again at its end.
INSERT INTO @repeated
SELECT EventId
FROM business_events
WHERE Tenant = {tenant:String} AND ${counting_facts}
GROUP BY EventId
HAVING count() > 1
SETTINGS optimize_aggregation_in_order = 1

-- facts_all --
INSERT INTO @facts
SELECT ${fact_columns}
FROM business_events
WHERE Tenant = {tenant:String} AND ${counting_facts} AND EventId NOT IN (SELECT EventId FROM @repeated)
LIMIT 1 BY EventId

-- facts_repeated --
INSERT INTO @facts ${winners(EventId IN (SELECT EventId FROM @repeated))}

-- climbs_start --
INSERT INTO @climbs
SELECT DISTINCT EventId, parent.1, parent.2, 1
FROM @facts
ARRAY JOIN Parents AS parent
WHERE EventId IN (SELECT EventId FROM @affected WHERE Round = 0)

-- spans --
-- The spans of this hop that are stored. A span counts as an event even before its business_events row is visible.
INSERT INTO @spans
SELECT Trace, Span, max(IsEvent), arrayDistinct(arrayFlatten(groupArray(Parents))), ${seen_of_span}
FROM span_edges
WHERE Tenant = {tenant:String} AND ${counting_spans}
  AND (Trace, Span) IN (SELECT Trace, Span FROM @climbs WHERE Hop = {hop:UInt16})
  AND (Trace, Span) NOT IN (SELECT Trace, Span FROM @spans)
GROUP BY Trace, Span

-- climbs --
-- One hop up, through spans that are no events, never twice to the same span.
INSERT INTO @climbs
SELECT DISTINCT EventId, parent.1, parent.2, {hop:UInt16} + 1
FROM
(
    SELECT c.EventId AS EventId, arrayJoin(s.Parents) AS parent
    FROM @climbs AS c
    INNER JOIN @spans AS s ON s.Trace = c.Trace AND s.Span = c.Span
    WHERE c.Hop = {hop:UInt16} AND NOT s.IsEvent
)
WHERE (EventId, parent.1, parent.2) NOT IN (SELECT EventId, Trace, Span FROM @climbs)

-- spans_of_traces --
-- All stored spans of the traces reached so far.
INSERT INTO @spans
SELECT Trace, Span, max(IsEvent), arrayDistinct(arrayFlatten(groupArray(Parents))), ${seen_of_span}
FROM span_edges
WHERE Tenant = {tenant:String} AND ${counting_spans}
  AND Trace IN (SELECT Trace FROM @climbs WHERE Hop = {round:UInt16})
  AND Trace NOT IN (SELECT Trace FROM @climbs WHERE Hop < {round:UInt16})
GROUP BY Trace, Span

-- passable --
-- Look-up of those to climb through: spans that are no events.
INSERT INTO @passable SELECT Span, Parents FROM @spans WHERE NOT IsEvent AND notEmpty(Parents)

-- climb --
-- From every event as far up as the spans at hand allow, hop after hop: what was passed, and where it stands.
INSERT INTO @climbs
SELECT EventId, span.1, span.2, {round:UInt16} + 1
FROM
(
    SELECT
        EventId,
        arrayJoin(arrayConcat(climbed.1, climbed.2)) AS span,
        arrayFold(
            (way, hop) -> (
                arrayConcat(way.1, way.2),
                arrayFilter(
                    s -> NOT has(way.1, s) AND NOT has(way.2, s),
                    arrayDistinct(arrayFlatten(arrayMap(s -> joinGet('@passable', 'Parents', s.2), way.2))))),
            range({hops:UInt8}),
            (arrayResize(starts, 0), starts)) AS climbed
    FROM (SELECT EventId, groupArray((Trace, Span)) AS starts FROM @climbs WHERE Hop = 1 GROUP BY EventId)
)
WHERE (EventId, span.1, span.2) NOT IN (SELECT EventId, Trace, Span FROM @climbs)

-- lineage --
INSERT INTO @lineage
SELECT
    c.EventId,
    arraySort(groupUniqArrayIf(c.Span, s.IsEvent = 1)),
    arraySort(groupUniqArrayIf((c.Trace, c.Span, s.Seen), s.IsEvent = 0))
FROM @climbs AS c
LEFT ANY JOIN @spans AS s ON s.Trace = c.Trace AND s.Span = c.Span
GROUP BY c.EventId

-- lineage_before --
INSERT INTO @lineage_before
SELECT EventId, Ancestors, Watched
FROM event_ancestors
WHERE Tenant = {tenant:String} AND EventId IN (SELECT EventId FROM @affected)
ORDER BY Version DESC
LIMIT 1 BY EventId

-- lineage_stored --
-- Of events in later rounds the stored lineage holds.
INSERT INTO @lineage
SELECT EventId, Ancestors, Watched
FROM @lineage_before
WHERE EventId IN (SELECT EventId FROM @affected WHERE Round > 0) AND notEmpty(Ancestors)

-- write_watched --
INSERT INTO watched_spans (Tenant, Trace, Span, EventId, Seen, Version, Deleted)
SELECT {tenant:String}, span.1, span.2, EventId, span.3, {version:UInt64}, span.4
FROM
(
    SELECT
        a.EventId AS EventId,
        arrayMap(s -> (s.1, s.2), n.Watched) AS now,
        arrayJoin(arrayConcat(
            arrayMap(s -> (s.1, s.2, s.3, 0), arrayFilter(s -> NOT has(b.Watched, s), n.Watched)),
            arrayMap(s -> (s.1, s.2, 0, 1), arrayFilter(s -> NOT has(now, (s.1, s.2)), b.Watched)))) AS span
    FROM (SELECT EventId FROM @affected WHERE Round = 0) AS a
    LEFT ANY JOIN @lineage AS n ON n.EventId = a.EventId
    LEFT ANY JOIN @lineage_before AS b ON b.EventId = a.EventId
)

-- write_descendants --
INSERT INTO event_descendants (Tenant, Ancestor, EventId, Version, Deleted)
SELECT {tenant:String}, ancestor.1, EventId, {version:UInt64}, ancestor.2
FROM
(
    SELECT
        a.EventId AS EventId,
        arrayJoin(arrayConcat(
            arrayMap(s -> (s, 0), arrayFilter(s -> NOT has(b.Ancestors, s), n.Ancestors)),
            arrayMap(s -> (s, 1), arrayFilter(s -> NOT has(n.Ancestors, s), b.Ancestors)))) AS ancestor
    FROM (SELECT EventId FROM @affected WHERE Round = 0) AS a
    LEFT ANY JOIN @lineage AS n ON n.EventId = a.EventId
    LEFT ANY JOIN @lineage_before AS b ON b.EventId = a.EventId
)

-- write_ancestors --
INSERT INTO event_ancestors (Tenant, EventId, Ancestors, Watched, Version)
SELECT {tenant:String}, a.EventId, n.Ancestors, n.Watched, {version:UInt64}
FROM (SELECT EventId FROM @affected WHERE Round = 0) AS a
LEFT ANY JOIN @lineage AS n ON n.EventId = a.EventId
LEFT ANY JOIN @lineage_before AS b ON b.EventId = a.EventId
WHERE n.Ancestors != b.Ancestors OR n.Watched != b.Watched

-- write_processed --
INSERT INTO processed (Tenant, IngestedAt, EventId, ContentHash)
SELECT {tenant:String}, IngestedAt, EventId, ContentHash
FROM @new_events
WHERE (EventId, ContentHash) IN (SELECT EventId, ContentHash FROM @seen)
