-- A log on its way in: the temporary SQLite database behind staging.py.

-- schema --
PRAGMA journal_mode = OFF;
PRAGMA synchronous = OFF;
CREATE TABLE event (id TEXT PRIMARY KEY, type TEXT, nanos INTEGER, attributes TEXT);
CREATE TABLE relation (event TEXT, object TEXT, qualifier TEXT, PRIMARY KEY (event, object, qualifier)) WITHOUT ROWID;
CREATE TABLE object (id TEXT PRIMARY KEY, type TEXT, value TEXT);
CREATE TABLE value (object TEXT, since INTEGER, name TEXT, value TEXT);
CREATE TABLE link (source TEXT, target TEXT, qualifier TEXT, PRIMARY KEY (source, target, qualifier)) WITHOUT ROWID;

-- events --
SELECT id, type, nanos, attributes FROM event ORDER BY rowid

-- first_event --
SELECT min(nanos) FROM event WHERE nanos >= ?

-- types --
SELECT DISTINCT type FROM object ORDER BY type

-- names --
SELECT value FROM object

-- keys --
-- The objects of an event.
SELECT o.type, o.value, r.qualifier
FROM relation AS r
JOIN object AS o ON o.id = r.object
WHERE r.event = ?

-- values --
-- What objects are from a time on; and those that nothing else names.
SELECT o.id, o.type, o.value, v.since, v.name, v.value
FROM object AS o
LEFT JOIN value AS v ON v.object = o.id
WHERE v.object IS NOT NULL
    OR (o.id NOT IN (SELECT object FROM relation) AND o.id NOT IN (SELECT source FROM link UNION SELECT target FROM link))
ORDER BY o.id, v.since

-- links --
SELECT l.source, a.type, a.value, b.type, b.value, l.qualifier
FROM link AS l
JOIN object AS a ON a.id = l.source
JOIN object AS b ON b.id = l.target
ORDER BY l.source, l.target

-- dangling --
SELECT object FROM relation WHERE object NOT IN (SELECT id FROM object)
UNION ALL
SELECT event FROM relation WHERE event NOT IN (SELECT id FROM event)
UNION ALL
SELECT target FROM link WHERE target NOT IN (SELECT id FROM object)
UNION ALL
SELECT source FROM link WHERE source NOT IN (SELECT id FROM object)
UNION ALL
SELECT object FROM value WHERE object NOT IN (SELECT id FROM object)
