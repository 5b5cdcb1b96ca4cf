-- evidence --
-- Events that links rest on: what they are, and who said them where a person did.
SELECT leftPad(lower(hex(EventId)), 32, '0') AS event_id, toString(Event) AS event, toDateTime64(Time, 6, 'UTC') AS time,
    if(System != '', toString(System), toString(ServiceName)) AS system,
    if(startsWith(Segment, 'said-'), Attributes['business.link.actor'], '') AS actor,
    if(startsWith(Segment, 'said-'), Attributes['business.link.reason'], '') AS reason
FROM
(
    SELECT * FROM business_events
    WHERE Tenant = {tenant:String} AND EventId IN {events:Array(UInt128)}
    ORDER BY business_events.Time DESC, ContentHash DESC
    LIMIT 1 BY EventId
)
