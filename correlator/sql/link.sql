-- From facts to keys, objects and edges (rules 1 to 4 and 6), for all processes of a run at once. Names with @ are working tables
-- (scratch.sql), P is the number of a process in the run's list. What depends on the definitions is written by link.py:
-- ${place(x)} is the place of namespace x in process P, level * 256 + rank, or 65535.

-- stored --
-- Rows of the run's processes that concern it, in their present generations.
Tenant = {tenant:String} AND (Process, Generation) IN {targets:Array(Tuple(String, UInt32))}

-- number --
-- The number of a stored row's process.
toUInt8(indexOf({processes:Array(String)}, toString(Process)) - 1)

-- process --
-- The process and generation of a process's number, to be stored.
{processes:Array(String)}[$1 + 1], {generations:Array(UInt32)}[$1 + 1]

-- said_pairs --
-- Links and cuts in five parts each: namespace and value of the parent, of the child, whether a cut.
arrayFilter(g -> length(g) = 5, arrayConcat(
    arrayMap(link -> arrayPushBack(extractGroups(link, ${pair}), '0'), Links),
    arrayMap(link -> arrayPushBack(extractGroups(link, ${pair}), '1'), Cuts)))

-- spelled --
-- Every key that some facts spell, once in each process that knows its namespace.
SELECT P, Key, intDiv(Place, 256), Place % 256, Namespace, Value
FROM
(
    SELECT P, k.1 AS Namespace, k.2 AS Value, ${place(Namespace)} AS Place, ${key(Namespace, Value)} AS Key
    FROM
    (
        SELECT k, toUInt8(arrayJoin(bitPositionsToArray(bitAnd(${known_to(k.1)}, {engaged:UInt64})))) AS P
        FROM
        (
            SELECT DISTINCT arrayJoin(arrayConcat(
                Keys,
                ContextKeys,
                arrayFlatten(arrayMap(g -> [(g[1], g[2]), (g[3], g[4])], ${said_pairs})))) AS k
            FROM $1
        )
    )
    WHERE NOT ${placeholder(k.1, k.2)}
)
WHERE Key NOT IN (SELECT Key FROM @named)

-- named --
INSERT INTO @named ${spelled(@facts)}

-- named_renamed --
INSERT INTO @named ${spelled(@other_facts)}

-- engaged --
-- The processes that the events at hand concern, a bit for each: their namespaces are named, or something is stored. Then how
-- many events have ancestors, and of how many of these ancestors the keys are to be found first.
SELECT
    bitOr(
        (SELECT groupBitOr(bitShiftLeft(toUInt64(1), P)) FROM @named),
        (SELECT groupBitOr(bitShiftLeft(toUInt64(1), P)) FROM @before)),
    (SELECT count() FROM @lineage WHERE notEmpty(Ancestors)),
    (SELECT count() FROM @lineage
     WHERE notEmpty(Ancestors) AND EventId IN (SELECT arrayJoin(Ancestors) FROM @lineage))

-- concerned_some --
-- Each fact once for each process that it may concern: those that know one of its namespaces; all, if it has or had keys from
-- elsewhere.
SELECT
    *,
    toUInt8(arrayJoin(bitPositionsToArray(bitAnd({engaged:UInt64}, if(
        notEmpty(Links) OR notEmpty(Cuts)
            OR EventId IN (SELECT EventId FROM @before UNION ALL SELECT EventId FROM @lineage WHERE notEmpty(Ancestors)),
        {engaged:UInt64},
        arrayReduce('groupBitOr', arrayMap(k -> ${known_to(k.1)}, arrayConcat(Keys, ContextKeys)))))))) AS P
FROM $1

-- concerned_one --
-- The same for a run of one process, in half the time: no row is repeated, and what depends on P is constant.
SELECT *, toUInt8(0) AS P
FROM $1
WHERE notEmpty(Links) OR notEmpty(Cuts) OR hasAny(arrayConcat(Keys.1, ContextKeys.1), {names:Array(String)})
    OR EventId IN (SELECT EventId FROM @before UNION ALL SELECT EventId FROM @lineage WHERE notEmpty(Ancestors))

-- known_keys --
-- Of some keys those that the process knows and that are no placeholders, with their places.
arrayMap(
    k -> (toUInt8(intDiv(k.1, 256)), toUInt8(k.1 % 256), ${key(k.2, k.3)}),
    arrayFilter(k -> k.1 != 65535 AND NOT ${placeholder(k.2, k.3)}, arrayMap(k -> (${place(k.1)}, k.1, k.2), $1)))

-- keyed --
-- Own keys; keys from the context fill the levels without own ones; links and cuts as pairs of keys (rules 1, 2, 3).
SELECT
    P,
    EventId,
    ContentHash,
    toUInt8(intDiv(subject, 256)),
    toUInt8(subject % 256),
    own,
    arraySort(arrayDistinct(arrayConcat(own, arrayFilter(k -> NOT has(own.1, k.1), context)))),
    arraySort(arrayFlatten(arrayMap(
        a -> arrayMap(b -> (a.3, b.3, a.2, b.2), arrayFilter(b -> a.1 = b.1 AND a.2 != b.2, single)), single))),
    arraySort(arrayDistinct(arrayMap(
        g -> (${key(g[1], g[2])}, ${level(g[1])}, ${key(g[3], g[4])}, ${level(g[3])}, g[5] = '1'), statements))),
    Fact,
    ${kept(Attributes)}
FROM
(
    SELECT
        *,
        arrayFilter(
            k -> has({shared_levels:Array(UInt16)}, toUInt16(P) * 256 + k.1) AND arrayCount(o -> o.1 = k.1 AND o.2 = k.2, own) = 1,
            own) AS single
    FROM
    (
        SELECT
            P, EventId, ContentHash, Fact, Attributes,
            if(Subject = '', 65535, ${place(Subject)}) AS subject,
            arraySort(arrayDistinct(${known_keys(Keys)})) AS own,
            if(empty(ContextKeys), [], ${known_keys(ContextKeys)}) AS context,
            if(empty(Links) AND empty(Cuts), [], arrayFilter(
                g -> ${level(g[1])} <= ${level(g[3])} AND ${level(g[3])} != 255 AND (g[1], g[2]) != (g[3], g[4])
                    AND NOT ${placeholder(g[1], g[2])} AND NOT ${placeholder(g[3], g[4])},
                ${said_pairs})) AS statements
        FROM (${concerned($1)})
    )
)

-- kept --
-- The attributes that the process's expressions read: journeys keep no others.
mapFilter((name, value) -> has({attributes:Array(Array(String))}[P + 1], name), $1)

-- keyed_all --
-- All affected events at once, before inheritance: planning the statement takes longer than copying a few rows.
INSERT INTO @keyed
${keyed(@facts)}

-- effective_all --
-- No event has ancestors: all have what they name themselves.
INSERT INTO @effective
${keyed(@facts)}

-- effective_free --
-- Events without ancestors have what they name themselves.
INSERT INTO @effective
${keyed((SELECT * FROM @facts WHERE EventId NOT IN (SELECT EventId FROM @lineage WHERE notEmpty(Ancestors))))}

-- keyed_below --
-- The others, before inheritance.
INSERT INTO @keyed
${keyed((SELECT * FROM @facts WHERE EventId IN (SELECT EventId FROM @lineage WHERE notEmpty(Ancestors))))}

-- before --
-- Before-images of the affected events; ancestors that are not affected are stored and stay as they are.
INSERT INTO @before
SELECT P, EventId, ContentHash, Keys, Paired, Claims, Objects, Extra, Subjects, Edges, AmbiguousLinks, Roots, 1
FROM
(
    SELECT * EXCEPT (Tenant, Process, Generation), ${number} AS P
    FROM event_state
    WHERE ${stored}
      AND EventId IN (
          SELECT EventId FROM @affected
          UNION ALL SELECT arrayJoin(Ancestors) FROM @lineage
          UNION ALL SELECT EventId FROM @relinked
          UNION ALL SELECT EventId FROM @relocated)
      AND EventId NOT IN (SELECT EventId FROM @before)
    ORDER BY Version DESC
    LIMIT 1 BY P, EventId
)
WHERE NOT Deleted

-- inherited_start --
-- Round 0 of the fixpoint.
INSERT INTO @inherited
SELECT P, EventId, Keys, 0 FROM @keyed WHERE EventId IN (SELECT EventId FROM @lineage WHERE notEmpty(Ancestors))

-- inherited --
-- One round: to each event the keys of its ancestors on levels where it has no own ones. Ancestors outside the affected set
-- are stored and stay as they are.
INSERT INTO @inherited
SELECT
    e.P,
    e.EventId,
    arraySort(arrayDistinct(arrayConcat(e.Keys, arrayFilter(k -> NOT has(o.Levels, k.1), u.Keys)))),
    {round:UInt16} + 1
FROM (SELECT P, EventId, Keys FROM @inherited WHERE Round = {round:UInt16}) AS e
INNER JOIN (SELECT P, EventId, Own.1 AS Levels FROM @keyed) AS o ON o.P = e.P AND o.EventId = e.EventId
LEFT ANY JOIN
(
    SELECT a.P AS P, d.EventId AS EventId, groupUniqArrayArray(a.Keys) AS Keys
    FROM (SELECT EventId, arrayJoin(Ancestors) AS Ancestor FROM @lineage) AS d
    INNER JOIN
    (
        SELECT P, EventId, Keys FROM @inherited WHERE Round = {round:UInt16}
        UNION ALL
        SELECT P, EventId, Keys FROM ${own_alone} WHERE EventId IN (SELECT arrayJoin(Ancestors) FROM @lineage)
        UNION ALL
        SELECT P, EventId, Keys FROM @before WHERE EventId NOT IN (SELECT EventId FROM @affected)
    ) AS a ON a.EventId = d.Ancestor
    GROUP BY a.P, d.EventId
) AS u ON u.P = e.P AND u.EventId = e.EventId

-- effective --
INSERT INTO @effective
SELECT k.P, k.EventId, k.ContentHash, k.SubjectLevel, k.SubjectRank, k.Own, i.Keys, k.Claims, k.Pairs, k.Fact, k.Attributes
FROM @keyed AS k
INNER JOIN (SELECT P, EventId, Keys FROM @inherited WHERE Round = {round:UInt16}) AS i ON i.P = k.P AND i.EventId = k.EventId

-- effective_keyed --
-- Of all affected events.
INSERT INTO @effective
SELECT k.P, k.EventId, k.ContentHash, k.SubjectLevel, k.SubjectRank, k.Own, if(i.Here, i.Keys, k.Keys), k.Claims, k.Pairs, k.Fact,
    k.Attributes
FROM @keyed AS k
LEFT ANY JOIN (SELECT P, EventId, Keys, 1 AS Here FROM @inherited WHERE Round = {round:UInt16}) AS i
    ON i.P = k.P AND i.EventId = k.EventId

-- relinked --
-- Events that differ from what is stored of them. Those without any key of the process, then and now, are none of it.
INSERT INTO @relinked
SELECT e.P, e.EventId
FROM @effective AS e
LEFT ANY JOIN @before AS b ON b.P = e.P AND b.EventId = e.EventId
WHERE if(b.Here, b.ContentHash != e.ContentHash OR b.Keys != e.Keys, notEmpty(e.Keys) OR notEmpty(e.Pairs))

-- relinked_renamed --
-- Events that name an object whose keys mean another object now.
INSERT INTO @relinked
SELECT DISTINCT P, EventId
FROM
(
    SELECT ${number} AS P, Object, EventId, Deleted
    FROM object_events
    WHERE ${stored}
      AND Object IN (SELECT Before FROM @renamed)
    ORDER BY Version DESC
    LIMIT 1 BY Object, EventId
)
WHERE NOT Deleted AND (P, EventId) NOT IN (SELECT P, EventId FROM @relinked)

-- facts_renamed --
INSERT INTO @other_facts
${winners(EventId IN (SELECT EventId FROM @relinked) AND EventId NOT IN (SELECT EventId FROM @effective))}

-- keyed_renamed --
INSERT INTO @keyed
${keyed(@other_facts)}

-- effective_renamed --
-- Their effective keys are as stored.
INSERT INTO @effective
SELECT k.P, k.EventId, k.ContentHash, k.SubjectLevel, k.SubjectRank, k.Own, b.Keys, k.Claims, k.Pairs, k.Fact, k.Attributes
FROM @keyed AS k
INNER JOIN @before AS b ON b.P = k.P AND b.EventId = k.EventId
WHERE (k.P, k.EventId) NOT IN (SELECT P, EventId FROM @effective)

-- linked --
-- Objects, subjects and edges of each relinked event (rules 4 and 6).
INSERT INTO @linked
SELECT
    P,
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
        arrayFilter(e -> e.1 != e.2, stated),
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
SELECT P, e.2, e.1, EventId, e.5, Fact.Time, e.3, e.4
FROM @linked
ARRAY JOIN Edges AS e
