-- Lines of objects of one level (rule 5): how many objects of its own level stand above an object, at most. That is its depth: 0
-- without such parents, 255 if the line is too long or has no end because it leads from a loop.

-- lines --
-- Children of links within a level that changed.
INSERT INTO @lines
SELECT DISTINCT P, Child, ChildLevel, 0
FROM @changed
WHERE ParentLevel = ChildLevel AND Child IN (SELECT Object FROM @dirty)

-- lines_below --
-- What stands below them on their level, by links in force or not: its depth may change as well.
INSERT INTO @lines
SELECT any(P), Child, any(ChildLevel), {round:UInt16} + 1
FROM
(
    SELECT P, Child, ChildLevel
    FROM
    (
        SELECT ${number} AS P, Parent, Child, EventId, Rule, ChildLevel, Deleted
        FROM edges_down
        WHERE ${stored} AND Rule != 4 AND ParentLevel = ChildLevel
          AND Parent IN (SELECT Object FROM @lines WHERE Round = {round:UInt16})
        ORDER BY Version DESC
        LIMIT 1 BY Parent, Child, EventId, Rule
    )
    WHERE NOT Deleted
    UNION ALL
    SELECT P, Child, ChildLevel FROM @edges_now
    WHERE Rule != 4 AND ParentLevel = ChildLevel AND Parent IN (SELECT Object FROM @lines WHERE Round = {round:UInt16})
)
WHERE Child NOT IN (SELECT Object FROM @lines) AND Child NOT IN (SELECT Object FROM @gone)
GROUP BY Child

-- lines_all --
-- For a rebuild: all that have parents of their own level.
INSERT INTO @lines
SELECT d.P, d.Object, d.Level, 0
FROM @dirty AS d
WHERE d.Object IN (SELECT Child FROM @upward WHERE ParentLevel = ChildLevel)

-- dirty_lines --
INSERT INTO @dirty
SELECT P, Object, Level, 1 FROM @lines WHERE Object NOT IN (SELECT Object FROM @dirty)

-- peeled --
-- One layer: objects all of whose parents on their level have a depth. What is never peeled has none.
INSERT INTO @peeled
SELECT Object, max(Above) AS Depth
FROM
(
    SELECT
        l.Object AS Object,
        multiIf(u.Parent = 0, 0, k.Here, toUInt16(k.Depth) + 1, u.Parent IN (SELECT Object FROM @lines), {endless:UInt8}, 1) AS Above
    FROM (SELECT Object FROM @lines WHERE Object NOT IN (SELECT Object FROM @peeled)) AS l
    LEFT JOIN (SELECT Child, Parent FROM @upward WHERE ParentLevel = ChildLevel) AS u ON u.Child = l.Object
    LEFT ANY JOIN
    (
        SELECT Object, Depth, 1 AS Here FROM @peeled
        UNION ALL
        SELECT Object, Depth, 1 FROM @objects_before WHERE Object NOT IN (SELECT Object FROM @lines)
    ) AS k ON k.Object = u.Parent
)
GROUP BY Object
HAVING Depth <= {line:UInt8}

-- depths --
INSERT INTO @depths
SELECT l.Object, if(p.Here, p.Depth, {endless:UInt8}) AS depth
FROM @lines AS l
LEFT ANY JOIN (SELECT Object, Depth, 1 AS Here FROM @peeled) AS p ON p.Object = l.Object
WHERE depth > 0

-- depths_before --
-- Those of others are as stored.
INSERT INTO @depths
SELECT Object, Depth FROM @objects_before WHERE Depth > 0 AND Object NOT IN (SELECT Object FROM @lines)
