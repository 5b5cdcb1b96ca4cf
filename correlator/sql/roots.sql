-- Roots of objects, level by level from the top (rule 5), and membership (rule 6).

-- lost --
-- Keys and objects that a relinked event named and that no relinked event names now.
INSERT INTO @lost
SELECT DISTINCT name.1, name.2
FROM (SELECT arrayJoin(${names}) AS name FROM @before WHERE (P, EventId) IN (SELECT P, EventId FROM @relinked))
WHERE name NOT IN (SELECT arrayJoin(${names}) FROM @linked)

-- names --
arrayConcat(
    arrayMap(k -> (k.3, toUInt8(0)), Keys),
    arrayMap(k -> (k, toUInt8(0)), Paired),
    arrayMap(o -> (o.3, toUInt8(1)), Objects),
    arrayMap(o -> (o.2, toUInt8(1)), arrayFilter(o -> o.3, Extra)))

-- gone --
-- Objects among them that no other event names.
INSERT INTO @gone
SELECT Key
FROM @lost
WHERE IsObject
  AND Key NOT IN (
      SELECT Object
      FROM
      (
          SELECT ${number} AS P, Object, EventId, Named, Deleted
          FROM object_events
          WHERE ${stored}
            AND Object IN (SELECT Key FROM @lost WHERE IsObject)
          ORDER BY Version DESC
          LIMIT 1 BY Object, EventId
      )
      WHERE NOT Deleted AND Named AND (P, EventId) NOT IN (SELECT P, EventId FROM @relinked))

-- gone_keys --
-- Keys among them that no other event names: those that could are events of the key's object.
INSERT INTO @gone_keys
SELECT Key
FROM @lost
WHERE NOT IsObject
  AND Key NOT IN (
      SELECT arrayJoin(arrayConcat(Keys.3, Paired))
      FROM
      (
          SELECT ${number} AS P, EventId, Keys, Paired, Deleted
          FROM event_state
          WHERE ${stored}
            AND EventId IN (
                SELECT EventId
                FROM object_events
                WHERE ${stored}
                  AND Object IN (
                      SELECT Object FROM @keys_before WHERE Key IN (SELECT Key FROM @lost WHERE NOT IsObject)))
          ORDER BY Version DESC
          LIMIT 1 BY P, EventId
      )
      WHERE NOT Deleted AND (P, EventId) NOT IN (SELECT P, EventId FROM @relinked))

-- changed --
-- Edges of events whose edges differ from the stored ones, or that state links: their time counts.
INSERT INTO @changed
SELECT DISTINCT P, edge.1, edge.2, edge.3, edge.4
FROM
(
    SELECT r.P AS P, arrayJoin(arrayConcat(l.Edges, b.Edges)) AS edge
    FROM @relinked AS r
    LEFT ANY JOIN @linked AS l ON l.P = r.P AND l.EventId = r.EventId
    LEFT ANY JOIN @before AS b ON b.P = r.P AND b.EventId = r.EventId
    WHERE l.Edges != b.Edges OR arrayExists(e -> e.5 >= 3, l.Edges)
)

-- dirty_objects --
-- Objects of the relinked events that are new or gone; children of edges that changed, and their parents, which may have become
-- crowded, or no longer be; children of new parents.
INSERT INTO @dirty
SELECT any(P), Object, any(Level), 0
FROM
(
    SELECT P, object.1 AS Level, object.2 AS Object
    FROM (SELECT P, arrayJoin(${named_objects}) AS object FROM @linked)
    WHERE Object NOT IN (SELECT Object FROM @objects_before)
    UNION ALL
    SELECT P, object.1, object.2
    FROM
    (
        SELECT P, arrayJoin(arrayConcat(arrayMap(o -> (o.1, o.3), Objects), arrayMap(o -> (o.1, o.2), Extra))) AS object
        FROM @before
    )
    WHERE object.2 IN (SELECT Object FROM @gone)
    UNION ALL
    SELECT P, side.1, side.2
    FROM (SELECT P, arrayJoin([(ChildLevel, Child), (ParentLevel, Parent)]) AS side FROM @changed)
    -- A cut may name what is no object.
    WHERE side.2 IN (SELECT arrayJoin(${named_objects}).2 FROM @linked) OR side.2 IN (SELECT Object FROM @objects_before)
    UNION ALL
    SELECT P, ChildLevel, Child
    FROM @edges_now
    WHERE Rule != 4 AND Parent NOT IN (SELECT Object FROM @objects_before)
)
GROUP BY Object

-- dirty_all --
-- For a rebuild: all.
INSERT INTO @dirty
SELECT any(P), object.2, any(object.1), 0
FROM (SELECT P, arrayJoin(${named_objects}) AS object FROM @linked)
GROUP BY object.2

-- named_objects --
arrayConcat(arrayMap(o -> (o.1, o.3), Objects), arrayMap(o -> (o.1, o.2), arrayFilter(o -> o.3, Extra)))

-- objects_before_linked --
-- Stored rows of the objects of the relinked events, before and now.
INSERT INTO @objects_before
${stored_objects(SELECT arrayJoin(arrayConcat(Objects.3, Extra.2, Edges.1, Edges.2)) FROM @linked UNION DISTINCT SELECT arrayJoin(arrayConcat(Objects.3, Extra.2, Edges.1, Edges.2)) FROM @before)}

-- children --
-- Distinct children in force of the parents at edges that changed.
INSERT INTO @children
SELECT r.Parent, c.Children, 1
FROM (SELECT DISTINCT Parent FROM @changed) AS r
LEFT ANY JOIN
(
    SELECT Parent, count() AS Children
    FROM
    (
        SELECT Parent, Child
        FROM
        (
            SELECT Parent, Child, EventId, Rule, Time
            FROM
            (
                SELECT ${number} AS P, Parent, Child, EventId, toUInt8(Rule) AS Rule, Time, Deleted
                FROM edges_down
                WHERE ${stored}
                  AND Parent IN (SELECT Parent FROM @changed)
                ORDER BY Version DESC
                LIMIT 1 BY Parent, Child, EventId, Rule
            )
            WHERE NOT Deleted AND (P, EventId) NOT IN (SELECT P, EventId FROM @relinked)
            UNION ALL
            SELECT Parent, Child, EventId, Rule, Time FROM @edges_now WHERE Parent IN (SELECT Parent FROM @changed)
        )
        GROUP BY Parent, Child
        HAVING ${in_force}
    )
    GROUP BY Parent
) AS c ON c.Parent = r.Parent

-- children_all --
INSERT INTO @children SELECT Parent, count(), 1 FROM @upward GROUP BY Parent

-- upward --
-- Parents in force of the dirty objects of a round.
INSERT INTO @upward
SELECT Child, Parent, any(ParentLevel), any(ChildLevel), {round:UInt16}
FROM
(
    SELECT Child, Parent, EventId, Rule, Time, ParentLevel, ChildLevel
    FROM
    (
        SELECT ${number} AS P, Child, Parent, EventId, toUInt8(Rule) AS Rule, Time, ParentLevel, ChildLevel, Deleted
        FROM edges
        WHERE ${stored}
          AND Child IN (SELECT Object FROM @dirty WHERE Round = {round:UInt16})
        ORDER BY Version DESC
        LIMIT 1 BY Child, Parent, EventId, Rule
    )
    WHERE NOT Deleted AND (P, EventId) NOT IN (SELECT P, EventId FROM @relinked)
    UNION ALL
    SELECT Child, Parent, EventId, Rule, Time, ParentLevel, ChildLevel
    FROM @edges_now
    WHERE Child IN (SELECT Object FROM @dirty WHERE Round = {round:UInt16})
)
GROUP BY Child, Parent
HAVING ${in_force}

-- upward_all --
INSERT INTO @upward
SELECT Child, Parent, any(ParentLevel), any(ChildLevel), 0
FROM @edges_now
GROUP BY Child, Parent
HAVING ${in_force}

-- in_force --
-- A pair is linked by any statement but a cut; a cut holds until a later explicit link.
(countIf(Rule != 4) > 0 AND (countIf(Rule = 4) = 0 OR maxIf((Time, EventId), Rule = 3) > maxIf((Time, EventId), Rule = 4)))

-- objects_before_upward --
-- Stored rows of the dirty objects of a round and of their parents.
INSERT INTO @objects_before
${stored_objects(SELECT Parent FROM @upward WHERE Round = {round:UInt16} UNION DISTINCT SELECT Object FROM @dirty WHERE Round = {round:UInt16})}

-- stored_objects --
SELECT Object, Level, Depth, Roots, State, Children
FROM
(
    SELECT Object, Level, Depth, Roots, State, Children, Deleted
    FROM objects
    WHERE ${stored}
      AND Object IN ($1)
      AND Object NOT IN (SELECT Object FROM @objects_before)
    ORDER BY Version DESC
    LIMIT 1 BY Object
)
WHERE NOT Deleted

-- known --
-- Objects as they are now.
SELECT Object, Level, Roots, State FROM @rooted WHERE NOT Deleted
UNION ALL
SELECT Object, Level, Roots, State FROM @objects_before WHERE Object NOT IN (SELECT Object FROM @rooted)

-- dirty_places --
-- What waits on each level and depth, and whether anything of it was stored: only that can move what stands below. Then how many
-- links within a level there are to mind.
SELECT
    Level,
    joinGet('@depths', 'Depth', Object) AS Depth,
    countIf(Object IN (SELECT Object FROM @objects_before)),
    (SELECT count() FROM @upward WHERE ParentLevel = ChildLevel) + (SELECT count() FROM @changed WHERE ParentLevel = ChildLevel)
FROM @dirty
GROUP BY Level, Depth

-- rooted --
-- States: 0 linked, 1 orphan, 2 detached, 3 hub, 4 crowded. Links from objects of endless depth to others of their level are not
-- in force; all other parents have their roots already.
INSERT INTO @rooted
WITH
    multiIf(
        Children > ${max_children}, 4,
        Parents = 0, if({level:UInt8} = 0, 0, 1),
        length(Above) > ${max_roots}, 3,
        empty(Above), 2,
        0) AS state
SELECT
    P,
    Object,
    {level:UInt8},
    {depth:UInt8},
    multiIf(Gone OR state IN (2, 3, 4), [], Parents = 0, [Object], arraySort(Above)) AS roots,
    state,
    Children,
    Gone,
    roots != Before,
    Stored
FROM
(
    SELECT
        d.P AS P,
        d.Object AS Object,
        u.Parents AS Parents,
        u.Above AS Above,
        if(c.Here, c.Children, b.Children) AS Children,
        d.Object IN (SELECT Object FROM @gone) AS Gone,
        b.Roots AS Before,
        b.Here AS Stored
    FROM (SELECT P, Object FROM @dirty WHERE Level = {level:UInt8} AND joinGet('@depths', 'Depth', Object) = {depth:UInt8}) AS d
    LEFT ANY JOIN
    (
        SELECT w.Child AS Child, count() AS Parents, groupUniqArrayArray(${union_limit})(k.Roots) AS Above
        FROM
        (
            SELECT Child, Parent
            FROM @upward
            WHERE ChildLevel = {level:UInt8}
              AND (ParentLevel < ChildLevel OR joinGet('@depths', 'Depth', Parent) != {endless:UInt8})
        ) AS w
        LEFT ANY JOIN (${known}) AS k ON k.Object = w.Parent
        GROUP BY w.Child
    ) AS u ON u.Child = d.Object
    LEFT ANY JOIN @children AS c ON c.Object = d.Object
    LEFT ANY JOIN (SELECT *, 1 AS Here FROM @objects_before) AS b ON b.Object = d.Object
)

-- dirty_below --
-- Children of the objects of a level that moved: by edges that are still stated, or a child that nothing names any longer would
-- rise again.
INSERT INTO @dirty
SELECT any(P), Child, any(ChildLevel), {round:UInt16}
FROM
(
    SELECT P, Child, ChildLevel
    FROM
    (
        SELECT ${number} AS P, Parent, Child, EventId, Rule, ChildLevel, Deleted
        FROM edges_down
        WHERE ${stored} AND Rule != 4
          AND Parent IN (SELECT Object FROM @rooted WHERE ${here} AND Moved AND Stored)
        ORDER BY Version DESC
        LIMIT 1 BY Parent, Child, EventId, Rule
    )
    WHERE NOT Deleted
    UNION ALL
    SELECT P, Child, ChildLevel FROM @edges_now
    WHERE Parent IN (SELECT Object FROM @rooted WHERE ${here} AND Moved)
      AND Rule != 4
)
WHERE (ChildLevel > {level:UInt8} OR {depth:UInt8} != {endless:UInt8})
  AND Child NOT IN (SELECT Object FROM @dirty) AND Child NOT IN (SELECT Object FROM @gone)
GROUP BY Child

-- here --
Level = {level:UInt8} AND Depth = {depth:UInt8}

-- relocated --
-- Other events that name an object whose roots changed.
INSERT INTO @relocated
SELECT DISTINCT P, EventId
FROM
(
    SELECT ${number} AS P, Object, EventId, Deleted
    FROM object_events
    WHERE ${stored}
      AND Object IN (SELECT Object FROM @rooted WHERE Moved AND Stored)
    ORDER BY Version DESC
    LIMIT 1 BY Object, EventId
)
WHERE NOT Deleted AND (P, EventId) NOT IN (SELECT P, EventId FROM @relinked)

-- facts_relocated --
INSERT INTO @other_facts
${winners(EventId IN (SELECT EventId FROM @relocated) AND EventId NOT IN (SELECT EventId FROM @other_facts))}

-- objects_before_relocated --
INSERT INTO @objects_before
${stored_objects(SELECT arrayJoin(Objects.3) FROM @before WHERE (P, EventId) IN (SELECT P, EventId FROM @relocated))}

-- objects_before_roots --
-- And of their roots, for the root's level.
INSERT INTO @objects_before
${stored_objects(SELECT arrayJoin(Roots) FROM (SELECT Roots FROM @rooted UNION ALL SELECT Roots FROM @objects_before))}

-- known_objects --
INSERT INTO @known SELECT Object, Level, Roots FROM (${known})

-- placed --
-- Relinked events, also those that left the process; and others that name an object whose roots changed.
INSERT INTO @placed
${with_roots(
    SELECT r.P AS P, r.EventId AS EventId, l.ContentHash AS ContentHash, ${linked_columns}, b.Roots AS Before, 1 AS Relinked
    FROM @relinked AS r
    LEFT ANY JOIN @linked AS l ON l.P = r.P AND l.EventId = r.EventId
    LEFT ANY JOIN (SELECT P, EventId, Roots FROM @before) AS b ON b.P = r.P AND b.EventId = r.EventId
    UNION ALL
    SELECT b.P, b.EventId, b.ContentHash, b.Keys, b.Paired, b.Claims, b.Objects, b.Extra, b.Subjects, b.Edges, b.AmbiguousLinks,
        f.Fact, ${kept(f.Attributes)}, b.Roots, 0
    FROM (SELECT * FROM @before WHERE (P, EventId) IN (SELECT P, EventId FROM @relocated)) AS b
    INNER JOIN (SELECT EventId, Fact, Attributes FROM @other_facts) AS f ON f.EventId = b.EventId
)}

-- placed_all --
INSERT INTO @placed
${with_roots(SELECT P, EventId, ContentHash, ${linked_columns}, CAST([], 'Array(UInt64)') AS Before, 1 AS Relinked FROM @linked AS l)}

-- linked_columns --
l.Keys AS Keys, l.Paired AS Paired, l.Claims AS Claims, l.Objects AS Objects, l.Extra AS Extra, l.Subjects AS Subjects,
    l.Edges AS Edges, l.AmbiguousLinks AS AmbiguousLinks, l.Fact AS Fact, l.Attributes AS Attributes

-- with_roots --
-- An event's roots are those of its subjects.
SELECT
    P, EventId, ContentHash, Keys, Paired, Claims, Objects, Extra, Subjects, Edges, AmbiguousLinks, Fact, Attributes, Before,
    Relinked,
    arrayMap(o -> joinGet('@known', 'Roots', o.3), Objects) AS roots_of,
    arraySort(arrayDistinct(arrayFlatten(arrayFilter((r, o) -> has(Subjects, o.3), roots_of, Objects))))
FROM ($1)
