-- What people linked by hand: is it possible, what was said.

-- known --
-- Two keys in each active process that knows them: the object that each names.
SELECT Process AS process, Namespace AS namespace, Value AS value, Object AS object
FROM
(
    SELECT Process, Key, Namespace, Value, Object, Deleted FROM keys
    WHERE Tenant = {tenant:String}
        AND (Process, Generation) IN (SELECT Process, Generation FROM generations FINAL WHERE Tenant = {tenant:String})
        AND Key IN (
            SELECT arrayJoin(arrayMap(k -> sipHash64({tenant:String}, Process, k.1, k.2), {keys:Array(Tuple(String, String))}))
            FROM generations FINAL WHERE Tenant = {tenant:String})
    ORDER BY Version DESC LIMIT 1 BY Process, Key
)
WHERE Deleted = 0

-- linked --
-- Whether anything says that one of some objects stands above another.
SELECT count()
FROM
(
    SELECT Rule, Deleted FROM edges
    WHERE Tenant = {tenant:String} AND Child IN {children:Array(UInt64)} AND Parent IN {parents:Array(UInt64)}
        AND (Process, Generation) IN (SELECT Process, Generation FROM generations FINAL WHERE Tenant = {tenant:String})
    ORDER BY Version DESC LIMIT 1 BY Process, Child, Parent, EventId, Rule
)
WHERE Deleted = 0 AND Rule != 'cut'

-- said --
-- The statements about some keys, newest first; without keys all.
SELECT Parent AS parent, Child AS child, toString(Action) AS action, toString(Actor) AS actor, Reason AS reason,
    toDateTime64(At, 6, 'UTC') AS at, leftPad(lower(hex(EventId)), 32, '0') AS event
FROM hand_links FINAL
WHERE Tenant = {tenant:String}
    AND (empty({keys:Array(String)}) OR has({keys:Array(String)}, Parent) OR has({keys:Array(String)}, Child))
ORDER BY At DESC, EventId
LIMIT {limit:UInt32}

-- last --
-- The last statement about one pair.
SELECT toString(Action) AS action, toString(Actor) AS actor, Reason AS reason, toDateTime64(At, 6, 'UTC') AS at
FROM hand_links FINAL
WHERE Tenant = {tenant:String} AND Parent = {parent:String} AND Child = {child:String}
ORDER BY hand_links.At DESC
LIMIT 1
