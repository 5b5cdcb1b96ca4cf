-- Which keys of a level name one object (rule 3).

-- claimed_start --
-- Keys in claims that appear or disappear.
INSERT INTO @claimed
SELECT DISTINCT arrayJoin(arrayConcat(arrayMap(c -> c.1, e.Claims), arrayMap(c -> c.1, b.Claims))), 0
FROM (SELECT P, EventId, Claims FROM @effective WHERE ${is_relinked}) AS e
LEFT ANY JOIN @before AS b ON b.P = e.P AND b.EventId = e.EventId
WHERE e.Claims != b.Claims

-- claimed --
-- Their neighbours, in force or not: whoever shares a class with them, before or now.
INSERT INTO @claimed
SELECT DISTINCT Other, {round:UInt16} + 1
FROM
(
    SELECT Other FROM claims
    WHERE ${stored}
      AND Key IN (SELECT Key FROM @claimed WHERE Round = {round:UInt16})
    UNION ALL
    SELECT claim.2 FROM @effective ARRAY JOIN Claims AS claim
    WHERE claim.1 IN (SELECT Key FROM @claimed WHERE Round = {round:UInt16})
)
WHERE Other NOT IN (SELECT Key FROM @claimed)

-- pairs_before --
-- Stored claims of events that stay as they are.
INSERT INTO @pairs
SELECT DISTINCT Key, Other, Rank, OtherRank
FROM
(
    SELECT ${number} AS P, Key, Other, EventId, Rank, OtherRank, Deleted
    FROM claims
    WHERE ${stored}
      AND Key IN (SELECT Key FROM @claimed)
    ORDER BY Version DESC
    LIMIT 1 BY Key, Other, EventId
)
WHERE NOT Deleted AND (P, EventId) NOT IN (SELECT P, EventId FROM @relinked)

-- pairs --
INSERT INTO @pairs
SELECT DISTINCT claim.1, claim.2, claim.3, claim.4
FROM @effective
ARRAY JOIN Claims AS claim
WHERE ${is_relinked} AND (claim.1, claim.2) NOT IN (SELECT Key, Other FROM @pairs)

-- ambiguous --
-- Keys said to equal two keys of one other namespace.
INSERT INTO @ambiguous
SELECT DISTINCT Key
FROM (SELECT Key FROM @pairs GROUP BY Key, OtherRank HAVING uniqExact(Other) > 1)

-- labels_start --
INSERT INTO @labels SELECT Key, Key, 0 FROM @claimed

-- labels --
-- One round: the smallest label among a key and the keys it equals.
INSERT INTO @labels
SELECT l.Key, least(l.Label, if(n.Here, n.Label, l.Label)), {round:UInt16} + 1
FROM (SELECT Key, Label FROM @labels WHERE Round = {round:UInt16}) AS l
LEFT ANY JOIN
(
    SELECT p.Key AS Key, min(o.Label) AS Label, 1 AS Here
    FROM @pairs AS p
    INNER JOIN (SELECT Key, Label FROM @labels WHERE Round = {round:UInt16}) AS o ON o.Key = p.Other
    WHERE p.Key NOT IN (SELECT Key FROM @ambiguous) AND p.Other NOT IN (SELECT Key FROM @ambiguous)
    GROUP BY p.Key
) AS n ON n.Key = l.Key

-- keys_before --
-- What is stored of the keys at hand.
INSERT INTO @keys_before
SELECT P, Key, Level, Rank, Namespace, Value, Object, Alias
FROM
(
    SELECT ${number} AS P, Key, Level, Rank, Namespace, Value, Object, Alias, Deleted
    FROM keys
    WHERE ${stored}
      AND Key IN (
          SELECT Key FROM @claimed
          UNION ALL SELECT Key FROM @named
          UNION ALL SELECT arrayJoin(arrayConcat(Keys.3, Paired)) FROM @before WHERE (P, EventId) IN (SELECT P, EventId FROM @relinked)
          UNION ALL SELECT arrayJoin(Keys.3) FROM @effective WHERE (P, EventId) IN (SELECT P, EventId FROM @relinked))
      AND Key NOT IN (SELECT Key FROM @keys_before)
    ORDER BY Version DESC
    LIMIT 1 BY Key
)
WHERE NOT Deleted

-- aliases --
-- Canonical: the first namespace of the level, then the smallest value. A class with two keys of one namespace is dissolved.
INSERT INTO @aliases
SELECT
    member.1,
    if(dissolved, member.1, canonical),
    multiIf(member.2, 2, length(members) = 1, 0, dissolved, 3, 1)
FROM
(
    SELECT
        l.Label,
        groupArray((l.Key, a.Here = 1)) AS members,
        argMin(l.Key, (s.Rank, s.Value)) AS canonical,
        uniqExact(s.Rank) < count() AS dissolved
    FROM (SELECT Key, Label FROM @labels WHERE Round = {round:UInt16}) AS l
    INNER JOIN
    (
        SELECT Key, Rank, Value FROM @named
        UNION ALL
        SELECT Key, Rank, Value FROM @keys_before WHERE Key NOT IN (SELECT Key FROM @named)
    ) AS s ON s.Key = l.Key
    LEFT ANY JOIN (SELECT Key, 1 AS Here FROM @ambiguous) AS a ON a.Key = l.Key
    GROUP BY l.Label
)
ARRAY JOIN members AS member

-- renamed --
INSERT INTO @renamed
SELECT a.Key, if(b.Object = 0, a.Key, b.Object)
FROM @aliases AS a
LEFT ANY JOIN @keys_before AS b ON b.Key = a.Key
WHERE a.Object != if(b.Object = 0, a.Key, b.Object)

-- same_object --
-- Look-up of keys that name another key's object: of the claimed ones as just derived, of the others as stored.
INSERT INTO @same_object
SELECT Key, Object FROM @aliases WHERE Object != Key
UNION ALL
SELECT Key, Object FROM @keys_before WHERE Object != Key AND Key NOT IN (SELECT Key FROM @aliases)
