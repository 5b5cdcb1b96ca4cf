-- Dead letters and what came of reading them again. One block per statement; values only through parameters.

-- listed --
-- Letters of a tenant, newest first; of a letter kept twice one.
SELECT
    lower(leftPad(hex(Id), 32, '0')) AS id, ReceivedAt AS received_at, Signal AS signal, Reason AS reason,
    Detail AS detail, Items AS items, length(Body) AS bytes,
    JSONExtractString(Body, 'platform') AS platform, JSONExtractString(Body, 'connection') AS connection,
    if(tried.Tries = 0, 'open', if(tried.Stored, 'stored', 'failed')) AS state,
    tried.Tries AS tries, if(tried.Tries = 0, NULL, tried.Last) AS tried_at, tried.Said AS retry_detail
FROM dead_letters
LEFT JOIN (
    SELECT Id, count() AS Tries, max(Outcome = 'stored') AS Stored, max(At) AS Last, argMax(Detail, At) AS Said
    FROM dead_letter_retries
    WHERE Tenant = {tenant:String}
    GROUP BY Id
) AS tried USING (Id)
WHERE Tenant = {tenant:String}
    AND ({reason:String} = '' OR Reason = {reason:String})
    AND ({connection:String} = '' OR connection = {connection:String})
    AND ({state:String} = '' OR state = {state:String} OR ({state:String} = 'open' AND state = 'failed'))
    AND (ReceivedAt, bitShiftRight(Id, 64)) < ({before:DateTime64(6, 'UTC')}, {last:UInt128})
ORDER BY ReceivedAt DESC, bitShiftRight(Id, 64) DESC
LIMIT 1 BY Id
LIMIT {limit:UInt32}

-- one --
-- A letter with its body.
SELECT Signal AS signal, Reason AS reason, Detail AS detail, Body AS body, ReceivedAt AS received_at,
    toUnixTimestamp64Micro(ReceivedAt) AS received_micro
FROM dead_letters
WHERE Tenant = {tenant:String} AND Id = {id:UInt128}
LIMIT 1

-- tries --
-- What came of each try to read a letter again, oldest first.
SELECT At AS at, toString(Outcome) AS outcome, Events AS events, Detail AS detail, Actor AS actor
FROM dead_letter_retries
WHERE Tenant = {tenant:String} AND Id = {id:UInt128}
ORDER BY At

-- open_of --
-- The ids of letters that a retry of many means, oldest first.
SELECT DISTINCT lower(leftPad(hex(Id), 32, '0')) AS id, ReceivedAt
FROM dead_letters
WHERE Tenant = {tenant:String} AND Reason = 'unreadable'
    AND ({connection:String} = '' OR JSONExtractString(Body, 'connection') = {connection:String})
    AND Id NOT IN (SELECT Id FROM dead_letter_retries WHERE Tenant = {tenant:String} AND Outcome = 'stored')
ORDER BY ReceivedAt
LIMIT {limit:UInt32}
