-- object_state --
-- What each system says last of the fields of some objects, from the events about them; an empty value takes one back.
-- Attributes of the vocabulary are no fields, but for the idempotency key.
WITH
    (SELECT groupArray((Process, Generation)) FROM generations FINAL WHERE Tenant = {tenant:String}) AS active
SELECT
    process,
    object,
    field.1 AS name,
    if(System != '', System, Platform) AS system,
    argMax(field.2, (e.Time, e.EventId)) AS value,
    max(e.Time) AS time,
    argMax(Event, (e.Time, e.EventId)) AS event,
    leftPad(lower(hex(argMax(e.EventId, (e.Time, e.EventId)))), 32, '0') AS event_id
FROM
(
    SELECT Process AS process, EventId, arrayJoin(arrayFilter(s -> has({objects:Array(UInt64)}, s), Subjects)) AS object
    FROM
    (
        SELECT Process, EventId, Subjects, Deleted
        FROM event_state
        WHERE Tenant = {tenant:String} AND has(active, (Process, Generation)) AND EventId IN (
            SELECT EventId FROM object_events
            WHERE Tenant = {tenant:String} AND Object IN {objects:Array(UInt64)} AND has(active, (Process, Generation)))
        ORDER BY Version DESC
        LIMIT 1 BY Process, EventId
    )
    WHERE NOT Deleted
) AS s
INNER JOIN
(
    SELECT EventId, Time, Event, Failed, System, Platform, arrayJoin(arrayConcat(
        if(isNull(Amount), [], [('amount', ifNull(toString(Amount), ''))]),
        arrayFilter(f -> f.2 != '', [('currency', toString(Currency)), ('customer', Customer), ('entity', toString(Entity)),
            ('region', toString(Region)), ('service_line', toString(ServiceLine))]),
        arrayFilter(f -> f.1 = 'business.idempotency_key' OR NOT startsWith(f.1, 'business.'),
            arrayMap((name, value) -> (toString(name), value), mapKeys(Attributes), mapValues(Attributes))))) AS field
    FROM
    (
        SELECT EventId, Time, Event, Failed, System, Platform, Amount, Currency, Customer, Entity, Region, ServiceLine, Attributes
        FROM business_events
        WHERE Tenant = {tenant:String} AND EventId IN (
            SELECT EventId FROM object_events WHERE Tenant = {tenant:String} AND Object IN {objects:Array(UInt64)})
        ORDER BY Time DESC, ContentHash DESC
        LIMIT 1 BY EventId
    )
    WHERE NOT Failed AND Event != ''
) AS e ON e.EventId = s.EventId
GROUP BY process, object, name, system
ORDER BY process, object, name, system
LIMIT {limit:UInt32}
