-- A process as an object-centric event log, in ranges of identities: they are hashes, so ranges are even.

-- active --
-- The generation of each process that readers see.
SELECT Process, argMax(Generation, Version) AS Active
FROM generations
WHERE Tenant = {tenant:String}
GROUP BY Process
ORDER BY Process

-- sizes --
-- Rows behind events and objects, superseded ones included.
SELECT
    (SELECT count() FROM event_state
        WHERE Tenant = {tenant:String} AND Process = {process:String} AND Generation = {generation:UInt32}),
    (SELECT count() FROM keys
        WHERE Tenant = {tenant:String} AND Process = {process:String} AND Generation = {generation:UInt32})

-- events --
-- Events and evidence as they were correlated, with the hashes of their keys; Effective and Linked are hashes alone.
SELECT
    leftPad(lower(hex(s.EventId)), 32, '0') AS Id,
    toUnixTimestamp64Nano(b.Time) AS Nanos,
    toString(b.Source) AS Source,
    b.TraceId AS TraceId,
    b.SpanId AS SpanId,
    b.ServiceName AS Service,
    b.Event AS Event,
    b.Failed AS Failed,
    b.ExceptionMessage AS Message,
    b.Attributes AS Attributes,
    arrayMap(k -> (k.1, sipHash64({tenant:String}, {process:String}, k.1, k.2)), b.Keys) AS Own,
    arrayMap(k -> (k.1, sipHash64({tenant:String}, {process:String}, k.1, k.2)), b.ContextKeys) AS Context,
    s.Effective AS Effective,
    s.Paired AS Linked
FROM
(
    SELECT EventId, ContentHash, Keys.3 AS Effective, Paired, Deleted
    FROM event_state
    WHERE Tenant = {tenant:String} AND Process = {process:String} AND Generation = {generation:UInt32}
        AND EventId BETWEEN {lo:UInt128} AND {hi:UInt128}
    ORDER BY Version DESC
    LIMIT 1 BY EventId
) AS s
INNER JOIN
(
    SELECT *
    FROM business_events
    WHERE Tenant = {tenant:String} AND EventId BETWEEN {lo:UInt128} AND {hi:UInt128}
    ORDER BY Time DESC
    LIMIT 1 BY EventId, ContentHash
) AS b ON b.EventId = s.EventId AND b.ContentHash = s.ContentHash
WHERE NOT s.Deleted
ORDER BY b.Time, s.EventId

-- names_of_events --
-- What the keys of those events are called.
SELECT Key, Namespace, Value
FROM keys
WHERE Tenant = {tenant:String} AND Process = {process:String} AND Generation = {generation:UInt32}
    AND Key IN (
        SELECT arrayJoin(arrayConcat(Keys.3, Paired))
        FROM event_state
        WHERE Tenant = {tenant:String} AND Process = {process:String} AND Generation = {generation:UInt32}
            AND EventId BETWEEN {lo:UInt128} AND {hi:UInt128})
LIMIT 1 BY Key

-- objects --
-- Keys, each an object of its own; aliases name the one that stands for them.
SELECT Key, Namespace, Value, Object
FROM
(
    SELECT Key, Namespace, Value, Object, Deleted
    FROM keys
    WHERE Tenant = {tenant:String} AND Process = {process:String} AND Generation = {generation:UInt32}
        AND Key BETWEEN {lo:UInt64} AND {hi:UInt64}
    ORDER BY Version DESC
    LIMIT 1 BY Key
)
WHERE NOT Deleted
ORDER BY Namespace, Value

-- names_of_objects --
-- What their parents are called, and what stands for aliases.
SELECT Key, Namespace, Value
FROM keys
WHERE Tenant = {tenant:String} AND Process = {process:String} AND Generation = {generation:UInt32}
    AND Key IN (
        SELECT Object FROM keys
        WHERE Tenant = {tenant:String} AND Process = {process:String} AND Generation = {generation:UInt32}
            AND Key BETWEEN {lo:UInt64} AND {hi:UInt64}
        UNION ALL
        SELECT Parent FROM edges
        WHERE Tenant = {tenant:String} AND Process = {process:String} AND Generation = {generation:UInt32}
            AND Child BETWEEN {lo:UInt64} AND {hi:UInt64})
LIMIT 1 BY Key

-- parents --
-- Parents in force as the correlator has them, and by which rule.
SELECT Child, Parent, ['own', 'inherited', 'explicit'][min(Rule)] AS ByRule
FROM
(
    SELECT Child, Parent, EventId, toUInt8(Rule) AS Rule, Time, Deleted
    FROM edges
    WHERE Tenant = {tenant:String} AND Process = {process:String} AND Generation = {generation:UInt32}
        AND Child BETWEEN {lo:UInt64} AND {hi:UInt64}
    ORDER BY Version DESC
    LIMIT 1 BY Child, Parent, EventId, Rule
)
WHERE NOT Deleted
GROUP BY Child, Parent
HAVING ${in_force}
ORDER BY Child, Parent

-- values --
-- What the events about an object say of it, by time; a value that stays the same is said once.
SELECT Object, field.1 AS Name,
    arrayCompact(x -> x.3, arraySort(groupArray((toUnixTimestamp64Nano(Time), EventId, field.2)))) AS History
FROM
(
    SELECT o.Object AS Object, b.EventId AS EventId, b.Time AS Time, arrayJoin([
        ('business.amount', ifNull(toString(b.Amount), '')),
        ('business.currency', toString(b.Currency)),
        ('business.customer', b.Customer),
        ('business.entity', toString(b.Entity)),
        ('business.region', toString(b.Region)),
        ('business.service_line', toString(b.ServiceLine))]) AS field
    FROM
    (
        SELECT Object, EventId, Deleted
        FROM object_events
        WHERE Tenant = {tenant:String} AND Process = {process:String} AND Generation = {generation:UInt32}
            AND Object BETWEEN {lo:UInt64} AND {hi:UInt64}
        ORDER BY Version DESC
        LIMIT 1 BY Object, EventId
    ) AS o
    INNER JOIN
    (
        SELECT EventId, ContentHash, Subjects
        FROM event_state
        WHERE Tenant = {tenant:String} AND Process = {process:String} AND Generation = {generation:UInt32}
            AND EventId IN (
                SELECT EventId FROM object_events
                WHERE Tenant = {tenant:String} AND Process = {process:String} AND Generation = {generation:UInt32}
                    AND Object BETWEEN {lo:UInt64} AND {hi:UInt64})
        ORDER BY Version DESC
        LIMIT 1 BY EventId
    ) AS s ON s.EventId = o.EventId
    INNER JOIN
    (
        SELECT EventId, ContentHash, Time, Amount, Currency, Customer, Entity, Region, ServiceLine
        FROM business_events
        WHERE Tenant = {tenant:String} AND EventId IN (
            SELECT EventId FROM object_events
            WHERE Tenant = {tenant:String} AND Process = {process:String} AND Generation = {generation:UInt32}
                AND Object BETWEEN {lo:UInt64} AND {hi:UInt64})
        ORDER BY Time DESC
        LIMIT 1 BY EventId, ContentHash
    ) AS b ON b.EventId = s.EventId AND b.ContentHash = s.ContentHash
    WHERE NOT o.Deleted AND has(s.Subjects, o.Object)
)
WHERE field.2 != ''
GROUP BY Object, Name
ORDER BY Object, Name
