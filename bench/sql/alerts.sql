-- journeys --
-- Journeys of eight processes, as folding would write them.
INSERT INTO journey_state (Tenant, Process, Generation, Root, Version, OpenedAt, LastEventAt, LateAt, Amount, Currency, Customer,
    Entity, Region, `Milestones.Name`, `Milestones.State`, `Milestones.MetAt`, `Milestones.LastAt`, `Milestones.DueAt`,
    `Milestones.Count`, `Milestones.Amount`, `Milestones.Currency`)
WITH {now:DateTime64(6, 'UTC')} AS Clock, sipHash64(number) AS Chance, Chance % 7 AS Met, range(1, 7) AS Places,
    Clock - toIntervalSecond(Chance % 7776000) AS Opened
SELECT 'default', concat('process-', toString(Chance % 8)), 1, sipHash64(number, 'root'), 1, Opened, Opened,
    if(Met < 6, Opened + toIntervalDay(10 * (Met + 1)), NULL), Chance % 100000, 'EUR',
    concat('customer-', toString(Chance % 2000)), concat('entity-', toString(Chance % 12)),
    concat('region-', toString(Chance % 5)), ['won', 'created', 'staffed', 'approved', 'posted', 'paid'],
    arrayMap(n -> if(n <= Met, 'met', 'pending'), Places),
    arrayMap(n -> if(n <= Met, Opened + toIntervalDay(9 * n), NULL), Places),
    arrayMap(n -> if(n <= Met, Opened + toIntervalDay(9 * n), NULL), Places),
    arrayMap(n -> Opened + toIntervalDay(10 * n), Places),
    arrayMap(n -> n <= Met, Places), arrayMap(n -> NULL, Places), arrayMap(n -> '', Places)
FROM numbers({first:UInt64}, {rows:UInt64})

-- events --
-- Twenty events of each journey, as linking would write them; half of all in the last six weeks.
INSERT INTO journey_events (Tenant, Process, Generation, Root, EventId, Time, Event, Failed, System, Platform, Connection, Entity,
    Region, Version)
WITH {now:DateTime64(6, 'UTC')} AS Clock, intDiv(number, 20) AS Journey, number % 20 AS Step, sipHash64(Journey) AS Chance
SELECT 'default', concat('process-', toString(Chance % 8)), 1, sipHash64(Journey, 'root'), reinterpretAsUInt128(sipHash128(number)),
    Clock - toIntervalSecond(Chance % 7776000) + toIntervalHour(18 * Step), concat('step.', toString(Step)), Chance % 50 = Step,
    'crm', 'salesforce', 'acme', concat('entity-', toString(Chance % 12)), concat('region-', toString(Chance % 5)), 1
FROM numbers({first:UInt64}, {rows:UInt64})
