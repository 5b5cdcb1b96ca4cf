-- From facts to keys, objects and edges (rules 1 to 4 and 6), for one process. Names with @ are working tables (scratch.sql).
-- level, rank and placeholder are written by link.py from the definition: ${level(x)} is the level of namespace x or 255.

-- spelled --
-- Every key that some facts spell, once.
SELECT Key, any(Level), any(Rank), any(Namespace), any(Value)
FROM
(
    SELECT
        k.1 AS Namespace,
        k.2 AS Value,
        ${level(Namespace)} AS Level,
        ${rank(Namespace)} AS Rank,
        ${key(Namespace, Value)} AS Key
    FROM
    (
        SELECT arrayJoin(arrayConcat(
            Keys,
            ContextKeys,
            arrayFlatten(arrayMap(
                g -> if(length(g) = 4, [(g[1], g[2]), (g[3], g[4])], []),
                arrayMap(link -> extractGroups(link, ${pair}), arrayConcat(Links, Cuts)))))) AS k
        FROM $1
    )
    WHERE ${level(k.1)} != 255 AND NOT ${placeholder(k.1, k.2)}
)
WHERE Key NOT IN (SELECT Key FROM @named)
GROUP BY Key

-- named --
INSERT INTO @named ${spelled(@facts)}

-- named_renamed --
INSERT INTO @named ${spelled(@other_facts)}

-- keyed --
-- Own keys; keys from the context fill the levels without own ones; links and cuts as pairs of keys (rules 1, 2, 3).
SELECT
    EventId,
    ContentHash,
    if(Subject = '', 255, ${level(Subject)}),
    if(Subject = '', 255, ${rank(Subject)}),
    own,
    arraySort(arrayDistinct(arrayConcat(own, arrayFilter(k -> NOT has(own.1, k.1), context)))),
    arraySort(arrayFlatten(arrayMap(
        a -> arrayMap(b -> (a.3, b.3, a.2, b.2), arrayFilter(b -> a.1 = b.1 AND a.2 != b.2, single)), single))),
    arraySort(arrayDistinct(arrayMap(
        g -> (${key(g[1], g[2])}, ${level(g[1])}, ${key(g[3], g[4])}, ${level(g[3])}, g[5] = '1'), statements))),
    Fact,
    mapFilter((name, value) -> has({attributes:Array(String)}, name), Attributes)
FROM
(
    SELECT
        *,
        arrayFilter(
            k -> has({shared_levels:Array(UInt8)}, k.1) AND arrayCount(o -> o.1 = k.1 AND o.2 = k.2, own) = 1,
            own) AS single
    FROM
    (
        SELECT
            EventId, ContentHash, Subject, Fact, Attributes,
            arraySort(arrayDistinct(arrayMap(
                k -> (${level(k.1)}, ${rank(k.1)}, ${key(k.1, k.2)}),
                arrayFilter(k -> ${level(k.1)} != 255 AND NOT ${placeholder(k.1, k.2)}, Keys)))) AS own,
            if(empty(ContextKeys), [], arrayMap(
                k -> (${level(k.1)}, ${rank(k.1)}, ${key(k.1, k.2)}),
                arrayFilter(k -> ${level(k.1)} != 255 AND NOT ${placeholder(k.1, k.2)}, ContextKeys))) AS context,
            if(empty(Links) AND empty(Cuts), [], arrayFilter(
                g -> length(g) = 5
                    AND ${level(g[1])} < ${level(g[3])} AND ${level(g[3])} != 255
                    AND NOT ${placeholder(g[1], g[2])} AND NOT ${placeholder(g[3], g[4])},
                arrayConcat(
                    arrayMap(link -> arrayPushBack(extractGroups(link, ${pair}), '0'), Links),
                    arrayMap(link -> arrayPushBack(extractGroups(link, ${pair}), '1'), Cuts)))) AS statements
        FROM $1
    )
)

-- effective_free --
-- Events without ancestors have what they name themselves.
INSERT INTO @effective
${keyed(@facts)}
WHERE EventId NOT IN (SELECT EventId FROM @lineage WHERE notEmpty(Ancestors))

-- keyed_below --
-- The others, before inheritance.
INSERT INTO @keyed
${keyed(@facts)}
WHERE EventId IN (SELECT EventId FROM @lineage WHERE notEmpty(Ancestors))

-- before --
-- Before-images of the affected events.
INSERT INTO @before
SELECT EventId, ContentHash, Keys, Paired, Claims, Objects, Extra, Subjects, Edges, AmbiguousLinks, Roots, 1
FROM
(
    SELECT * EXCEPT (Tenant, Process, Generation)
    FROM event_state
    WHERE Tenant = {tenant:String} AND Process = {process:String} AND Generation = {generation:UInt32}
      AND EventId IN (SELECT EventId FROM @affected UNION ALL SELECT EventId FROM @relinked UNION ALL SELECT EventId FROM @relocated)
      AND EventId NOT IN (SELECT EventId FROM @before)
    ORDER BY Version DESC
    LIMIT 1 BY EventId
)
WHERE NOT Deleted

-- inherited_start --
-- Round 0 of the fixpoint.
INSERT INTO @inherited SELECT EventId, Keys, 0 FROM @keyed

-- inherited --
-- One round: to each event the keys of its ancestors on levels where it has no own ones. Ancestors outside the affected set
-- are stored and stay as they are.
INSERT INTO @inherited
SELECT
    e.EventId,
    arraySort(arrayDistinct(arrayConcat(e.Keys, arrayFilter(k -> NOT has(o.Levels, k.1), u.Keys)))),
    {round:UInt16} + 1
FROM (SELECT EventId, Keys FROM @inherited WHERE Round = {round:UInt16}) AS e
INNER JOIN (SELECT EventId, Own.1 AS Levels FROM @keyed) AS o ON o.EventId = e.EventId
LEFT ANY JOIN
(
    SELECT d.EventId AS EventId, groupUniqArrayArray(a.Keys) AS Keys
    FROM (SELECT EventId, arrayJoin(Ancestors) AS Ancestor FROM @lineage) AS d
    INNER JOIN
    (
        SELECT EventId, Keys FROM @inherited WHERE Round = {round:UInt16}
        UNION ALL
        SELECT EventId, Keys FROM @effective WHERE EventId IN (SELECT arrayJoin(Ancestors) FROM @lineage)
        UNION ALL
        SELECT EventId, Keys FROM @above
    ) AS a ON a.EventId = d.Ancestor
    GROUP BY d.EventId
) AS u ON u.EventId = e.EventId

-- above --
-- Stored effective keys of ancestors that are not affected themselves.
INSERT INTO @above
SELECT EventId, Keys
FROM
(
    SELECT EventId, Keys, Deleted
    FROM event_state
    WHERE Tenant = {tenant:String} AND Process = {process:String} AND Generation = {generation:UInt32}
      AND EventId IN (SELECT arrayJoin(Ancestors) FROM @lineage)
      AND EventId NOT IN (SELECT EventId FROM @affected)
    ORDER BY Version DESC
    LIMIT 1 BY EventId
)
WHERE NOT Deleted

-- effective --
INSERT INTO @effective
SELECT k.EventId, k.ContentHash, k.SubjectLevel, k.SubjectRank, k.Own, i.Keys, k.Claims, k.Pairs, k.Fact, k.Attributes
FROM @keyed AS k
INNER JOIN (SELECT EventId, Keys FROM @inherited WHERE Round = {round:UInt16}) AS i ON i.EventId = k.EventId

-- relinked --
-- Events that differ from what is stored of them. Those without any key of the process, then and now, are none of it.
INSERT INTO @relinked
SELECT e.EventId
FROM @effective AS e
LEFT ANY JOIN @before AS b ON b.EventId = e.EventId
WHERE if(b.Here, b.ContentHash != e.ContentHash OR b.Keys != e.Keys, notEmpty(e.Keys) OR notEmpty(e.Pairs))

-- relinked_renamed --
-- Events that name an object whose keys mean another object now.
INSERT INTO @relinked
SELECT DISTINCT EventId
FROM
(
    SELECT Object, EventId, Deleted
    FROM object_events
    WHERE Tenant = {tenant:String} AND Process = {process:String} AND Generation = {generation:UInt32}
      AND Object IN (SELECT Before FROM @renamed)
    ORDER BY Version DESC
    LIMIT 1 BY Object, EventId
)
WHERE NOT Deleted AND EventId NOT IN (SELECT EventId FROM @relinked)

-- facts_renamed --
INSERT INTO @other_facts
${winners(EventId IN (SELECT EventId FROM @relinked) AND EventId NOT IN (SELECT EventId FROM @effective))}

-- keyed_renamed --
INSERT INTO @keyed
${keyed(@other_facts)}

-- effective_renamed --
-- Their effective keys are as stored.
INSERT INTO @effective
SELECT k.EventId, k.ContentHash, k.SubjectLevel, k.SubjectRank, k.Own, b.Keys, k.Claims, k.Pairs, k.Fact, k.Attributes
FROM @keyed AS k
INNER JOIN @before AS b ON b.EventId = k.EventId
WHERE k.EventId NOT IN (SELECT EventId FROM @effective)

-- linked --
-- Objects, subjects and edges of each relinked event (rules 4 and 6).
INSERT INTO @linked
SELECT
    EventId,
    ContentHash,
    Keys,
    if(empty(Pairs), [], arrayFilter(
        k -> NOT has(Keys.3, k),
        arrayDistinct(arrayFlatten(arrayMap(p -> [p.1, p.3], arrayFilter(p -> NOT p.5, Pairs)))))),
    Claims,
    objects,
    arrayFilter(o -> NOT has(placed, (o.1, o.2)), stated_objects),
    multiIf(
        Fact.Event = '', [],
        notEmpty(declared), arraySort(arrayDistinct(declared)),
        arraySort(arrayDistinct(arrayMap(
            o -> o.3, arrayFilter(o -> o.1 = if(notEmpty(Own), Own[1].1, levels[1]), objects))))),
    arraySort(arrayDistinct(arrayConcat(
        stated,
        arrayFlatten(arrayMap(
            n -> arrayMap(p -> arrayMap(c -> (p.2, c.2, p.1, c.1, if(n.3, 1, 2)), n.2), n.1),
            arrayFilter(n -> length(n.1) = 1 OR length(n.2) = 1, neighbours)))))),
    toUInt32(arraySum(arrayMap(
        n -> length(n.1) * length(n.2) - length(arrayDistinct(
            arrayFilter(p -> p.5 = 3 AND has(n.1.2, p.1) AND has(n.2.2, p.2), arrayMap(p -> (p.1, p.2, 0, 0, p.5), stated)))),
        arrayFilter(n -> length(n.1) > 1 AND length(n.2) > 1, neighbours)))),
    Fact,
    Attributes
FROM
(
    SELECT
        *,
        arrayMap(
            (upper, lower) -> (
                arrayFilter(o -> o.1 = upper, placed),
                arrayFilter(o -> o.1 = lower, placed),
                has(Own.1, upper) AND has(Own.1, lower)),
            arrayPopBack(levels),
            arrayPopFront(levels)) AS neighbours
    FROM
    (
        SELECT
            *,
            arrayMap(o -> o.3, arrayFilter(o -> o.1 = SubjectLevel AND o.2 = SubjectRank, objects)) AS declared,
            arraySort(arrayDistinct(arrayMap(o -> (o.1, o.3), objects))) AS placed,
            arraySort(arrayDistinct(arrayMap(o -> o.1, objects))) AS levels,
            if(empty(Pairs), [], arraySort(arrayDistinct(arrayFlatten(arrayMap(
                e -> [(e.3, e.1, e.5 = 3), (e.4, e.2, e.5 = 3)], stated))))) AS stated_objects
        FROM
        (
            SELECT
                *,
                arraySort(arrayDistinct(arrayMap(k -> (k.1, k.2, ${object(k.3)}), Keys))) AS objects,
                arrayMap(p -> (${object(p.1)}, ${object(p.3)}, p.2, p.4, if(p.5, 4, 3)), Pairs) AS stated
            FROM @effective
            WHERE ${is_relinked} AND (notEmpty(Keys) OR notEmpty(Pairs))
        )
    )
)

-- edges_now --
INSERT INTO @edges_now
SELECT e.2, e.1, EventId, e.5, Fact.Time, e.3, e.4
FROM @linked
ARRAY JOIN Edges AS e
