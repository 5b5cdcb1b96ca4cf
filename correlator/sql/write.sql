-- What a run writes, in this order: effects before causes. Whatever a run that dies has written, the next one finds the cause
-- unchanged, derives the same effects and writes them again; so nothing is lost and nothing counts twice.

-- dirty_journeys --
INSERT INTO dirty_journeys (Tenant, Process, Generation, Version, Root)
SELECT DISTINCT {tenant:String}, ${process(P)}, {version:UInt64}, arrayJoin(arrayConcat(Before, Roots))
FROM @placed

-- journey_events --
-- One row per root and event: the event's objects that belong to that root, its subjects among them. Of roots that it has left a
-- row that says so.
INSERT INTO journey_events (Tenant, Process, Generation, Root, RootLevel, EventId, Subjects, Objects, Time, Event, Failed, System,
    Platform, Connection, Amount, Currency, Customer, Entity, Region, ServiceLine, TimePrecision, ExceptionClass, ExceptionCode,
    ExceptionMessage, Attributes, Version, Deleted)
SELECT
    {tenant:String}, ${process(P)}, root, joinGet('@known', 'Level', root), EventId,
    arraySort(arrayDistinct(arrayFilter(s -> has(Subjects, s), here.3))),
    arrayMap(o -> (${namespace(o.1, o.2)}, o.3), here),
    Fact.Time, Fact.Event, Fact.Failed, Fact.System, Fact.Platform, Fact.Connection, Fact.Amount, Fact.Currency, Fact.Customer,
    Fact.Entity, Fact.Region, Fact.ServiceLine, Fact.TimePrecision, Fact.ExceptionClass, Fact.ExceptionCode,
    Fact.ExceptionMessage, Attributes, {version:UInt64}, left
FROM
(
    SELECT
        P, EventId, Subjects, Fact, Attributes,
        arrayJoin(arrayDistinct(arrayConcat(Roots, Before))) AS root,
        NOT has(Roots, root) AS left,
        arraySort(arrayFilter((o, r) -> has(r, root), Objects, RootsOf)) AS here
    FROM @placed
)

-- objects --
-- The lowest level first: a parent's row is the cause of its children's, and what one block holds of a process is one part.
INSERT INTO objects (Tenant, Process, Generation, Object, Level, Depth, Roots, State, Children, Version, Deleted)
SELECT {tenant:String}, ${process(r.P)}, r.Object, r.Level, r.Depth, r.Roots, r.State, r.Children, {version:UInt64}, r.Deleted
FROM @rooted AS r
LEFT ANY JOIN (SELECT *, 1 AS Here FROM @objects_before) AS b ON b.Object = r.Object
WHERE NOT b.Here OR r.Roots != b.Roots OR r.State != b.State OR r.Children != b.Children OR r.Depth != b.Depth OR r.Deleted
${lowest_first}

-- edge_rows --
SELECT P, Child, Parent, EventId, Rule, Time, ParentLevel, ChildLevel, 0 AS Deleted FROM @edges_now
UNION ALL
SELECT P, edge.2, edge.1, EventId, edge.5, toDateTime64(0, 9, 'UTC'), edge.3, edge.4, 1
FROM
(
    SELECT b.P AS P, b.EventId AS EventId, arrayJoin(arrayFilter(e -> NOT has(l.Edges, e), b.Edges)) AS edge
    FROM (SELECT P, EventId, Edges FROM @before WHERE (P, EventId) IN (SELECT P, EventId FROM @relinked)) AS b
    LEFT ANY JOIN @linked AS l ON l.P = b.P AND l.EventId = b.EventId
)

-- edges_down --
INSERT INTO edges_down (Tenant, Process, Generation, Child, Parent, EventId, Rule, Time, ParentLevel, ChildLevel, Deleted, Version)
SELECT {tenant:String}, ${process(P)}, * EXCEPT (P), {version:UInt64} FROM (${edge_rows})

-- edges --
INSERT INTO edges (Tenant, Process, Generation, Child, Parent, EventId, Rule, Time, ParentLevel, ChildLevel, Deleted, Version)
SELECT {tenant:String}, ${process(P)}, * EXCEPT (P), {version:UInt64} FROM (${edge_rows})

-- keys --
-- New keys, those whose object or alias state changed, and those that nothing names any longer.
INSERT INTO keys (Tenant, Process, Generation, Key, Level, Rank, Namespace, Value, Object, Alias, Version, Deleted)
SELECT {tenant:String}, ${process(s.P)}, s.Key, s.Level, s.Rank, s.Namespace, s.Value,
    multiIf(a.Object != 0, a.Object, b.Object != 0, b.Object, s.Key) AS object,
    if(a.Object != 0, a.Alias, b.Alias) AS alias,
    {version:UInt64},
    s.Key IN (SELECT Key FROM @gone_keys) AS gone
FROM
(
    SELECT P, Key, Level, Rank, Namespace, Value FROM @keys_before
    UNION ALL
    SELECT P, Key, Level, Rank, Namespace, Value FROM @named
    WHERE Key NOT IN (SELECT Key FROM @keys_before)
      AND Key IN (SELECT arrayJoin(arrayConcat(Keys.3, Paired)) FROM @linked)
) AS s
LEFT ANY JOIN @aliases AS a ON a.Key = s.Key
LEFT ANY JOIN @keys_before AS b ON b.Key = s.Key
WHERE b.Object != object OR b.Alias != alias OR gone

-- relinked_and_before --
(SELECT P, EventId, Claims, Objects, Extra FROM @placed WHERE Relinked) AS l
    LEFT ANY JOIN @before AS b ON b.P = l.P AND b.EventId = l.EventId

-- claims --
INSERT INTO claims (Tenant, Process, Generation, Key, Other, EventId, Rank, OtherRank, Version, Deleted)
SELECT {tenant:String}, ${process(P)}, claim.1, claim.2, EventId, claim.3, claim.4, {version:UInt64}, claim.5
FROM
(
    SELECT
        l.P AS P,
        l.EventId AS EventId,
        arrayJoin(arrayConcat(
            arrayMap(c -> (c.1, c.2, c.3, c.4, 0), arrayFilter(c -> NOT has(b.Claims, c), l.Claims)),
            arrayMap(c -> (c.1, c.2, c.3, c.4, 1), arrayFilter(c -> NOT has(l.Claims, c), b.Claims)))) AS claim
    FROM ${relinked_and_before}
    WHERE l.Claims != b.Claims
)

-- object_events --
INSERT INTO object_events (Tenant, Process, Generation, Object, EventId, Named, Version, Deleted)
SELECT {tenant:String}, ${process(P)}, object.1, EventId, object.2, {version:UInt64}, object.3
FROM
(
    SELECT
        l.P AS P,
        l.EventId AS EventId,
        arrayDistinct(arrayConcat(arrayMap(o -> (o.3, 1), l.Objects), arrayMap(o -> (o.2, o.3), l.Extra))) AS now,
        arrayDistinct(arrayConcat(arrayMap(o -> (o.3, 1), b.Objects), arrayMap(o -> (o.2, o.3), b.Extra))) AS stored,
        arrayJoin(arrayConcat(
            arrayMap(o -> (o.1, arrayMax(arrayMap(n -> n.2, arrayFilter(n -> n.1 = o.1, now))), 0),
                arrayFilter(o -> NOT has(stored, o), now)),
            arrayMap(o -> (o.1, 0, 1), arrayFilter(o -> NOT has(now.1, o.1), stored)))) AS object
    FROM ${relinked_and_before}
)

-- event_state --
-- The cause of all the above comes last.
INSERT INTO event_state (Tenant, Process, Generation, EventId, ContentHash, Keys, Paired, Claims, Objects, Extra, Subjects, Edges,
    AmbiguousLinks, Roots, Version, Deleted)
SELECT {tenant:String}, ${process(P)}, EventId, ContentHash, Keys, Paired, Claims, Objects, Extra,
    Subjects, Edges, AmbiguousLinks, Roots, {version:UInt64}, Relinked AND empty(Keys) AND empty(Edges)
FROM @placed
WHERE Relinked OR Roots != Before
