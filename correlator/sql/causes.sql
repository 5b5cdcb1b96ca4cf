-- What exceptions of several processes have in common.

-- open --
-- Open exceptions under a condition, with what they have in common. `cause`: the same failure of the same kind of event, in
-- whichever process; a check is of its process. `failure`: the failed event, however many objects and processes it is about; each
-- check by itself. `counts`: one exception of each failure. `objects`: the root objects of its journeys; processes that begin
-- with the same object share it. Messages are made alike once for each fingerprint: that is what takes time.
SELECT *, row_number() OVER (PARTITION BY cause, failure ORDER BY process, id) = 1 AS counts
FROM
(
    WITH
        (
            SELECT (groupArray(Journey), groupArray(Name))
            FROM
            (
                SELECT leftPad(lower(hex(Key)), 16, '0') AS Journey, sipHash64(any(Namespace), any(Value)) AS Name
                FROM keys
                WHERE Tenant = {tenant:String} AND Deleted = 0 AND Key IN (
                    SELECT Root FROM exception_state WHERE Tenant = {tenant:String} AND Deleted = 0 AND ResolvedAt IS NULL)
                GROUP BY Key
            )
        ) AS Named
    SELECT *, if(event_id = '', id, event_id) AS failure,
        if(event = '', fingerprint, ${cause(event, class, code, told)}) AS cause,
        arrayMap(journey -> transform(journey, Named.1, Named.2, sipHash64(journey)), journeys) AS objects
    FROM
    (
        SELECT *, toLowCardinality(any(message) OVER (PARTITION BY fingerprint)) AS told
        FROM exceptions_at(tenant = {tenant:String}, now = {now:DateTime64(6, 'UTC')})
        WHERE status = 'open' AND ($1)
    )
)

-- prints --
-- The fingerprints of the cause of one of them, also of exceptions that are not open any more.
SELECT arrayJoin(prints)
FROM
(
    SELECT groupUniqArray(fingerprint) AS prints
    FROM
    (
        SELECT fingerprint, any(x.event) AS event, any(x.class) AS class, any(x.code) AS code, any(x.message) AS told
        FROM exceptions_at(tenant = {tenant:String}, now = {now:DateTime64(6, 'UTC')}) AS x
        GROUP BY fingerprint
    )
    GROUP BY if(event = '', fingerprint, ${cause(event, class, code, told)})
    HAVING has(prints, {fingerprint:String})
)
