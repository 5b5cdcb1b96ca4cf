-- Membership as stored: the base of both event views.
CREATE OR REPLACE VIEW event_rows_at AS
SELECT
    Process AS process,
    leftPad(lower(hex(Root)), 16, '0') AS journey,
    EventId,
    leftPad(lower(hex(EventId)), 32, '0') AS id,
    Time AS time,
    Event AS event,
    System AS system,
    Platform AS platform,
    Connection AS connection,
    if(Failed = 1, 'error', 'ok') AS status,
    Amount AS amount,
    Currency AS currency
FROM journey_events FINAL
WHERE Tenant = {tenant:String} AND Deleted = 0
    AND (Process, Generation) IN (SELECT Process, Generation FROM generations FINAL WHERE Tenant = {tenant:String})
SETTINGS do_not_merge_across_partitions_select_final = 1;

-- events without what only the event itself knows, which costs a look-up per event.
CREATE OR REPLACE VIEW events_unnamed_at AS
SELECT * EXCEPT (EventId)
FROM event_rows_at(tenant = {tenant:String}, now = {now:DateTime64(6, 'UTC')});

-- events: one row per journey and event.
CREATE OR REPLACE VIEW events_at AS
SELECT
    e.* EXCEPT (EventId),
    arrayMap(k -> concat(k.1, ':', k.2), b.Keys) AS keys,
    b.Attributes AS attributes,
    b.TraceId AS trace_id,
    b.SpanId AS span_id,
    b.ReceivedAt AS received_at
FROM
(
    SELECT EventId, Time, Keys, Attributes, TraceId, SpanId, ReceivedAt FROM business_events WHERE Tenant = {tenant:String}
) AS b
RIGHT ANY JOIN event_rows_at(tenant = {tenant:String}, now = {now:DateTime64(6, 'UTC')}) AS e
    ON b.EventId = e.EventId AND b.Time = e.time;

-- sources: who sends business events, and how fresh each is. The last 24 hours are counted by whole hours.
CREATE OR REPLACE VIEW sources_at AS
SELECT
    System AS system,
    Platform AS platform,
    Connection AS connection,
    ServiceName AS service,
    max(LastTime) AS last_event_at,
    max(LastReceived) AS last_received_at,
    sum(Rows) AS events,
    sumIf(Rows, Hour > {now:DateTime64(6, 'UTC')} - INTERVAL 24 HOUR) AS events_24h,
    sumIf(Errors, Hour > {now:DateTime64(6, 'UTC')} - INTERVAL 24 HOUR) AS failed_24h
FROM
(
    SELECT System, Platform, Connection, ServiceName, toStartOfHour(Time) AS Hour,
        count() AS Rows, sum(Failed) AS Errors, max(Time) AS LastTime, max(ReceivedAt) AS LastReceived
    FROM business_events
    WHERE Tenant = {tenant:String} AND Event != ''
    GROUP BY System, Platform, Connection, ServiceName, Hour
)
GROUP BY System, Platform, Connection, ServiceName;
