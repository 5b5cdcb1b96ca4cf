-- one --
-- One exception.
SELECT * FROM exceptions_at(tenant = {tenant:String}, now = {now:DateTime64(6, 'UTC')}) WHERE id = {id:String}

-- subject --
-- The object that an exception is about.
SELECT any(Subject) AS Subject FROM exception_state
WHERE Tenant = {tenant:String} AND ExceptionId = {number:UInt64} AND Deleted = 0

-- history --
-- What became of some exceptions, in the order in which it happened, as it is known now. A pending one has not opened yet.
SELECT leftPad(lower(hex(ExceptionId)), 16, '0') AS exception, Kind AS kind, toDateTime64(At, 6, 'UTC') AS at,
    NoticedAt AS noticed_at, Actor AS by, Owner AS owner, Assignee AS assignee, Reason AS resolution, Note AS note,
    if(Kind = 'snoozed', Until, NULL) AS until, if(EventId = 0, '', leftPad(lower(hex(EventId)), 32, '0')) AS event
FROM
(
    SELECT * FROM exception_transitions
    WHERE Tenant = {tenant:String} AND ExceptionId IN {numbers:Array(UInt64)}
    ORDER BY Version DESC
    LIMIT 1 BY Process, Subject, ExceptionId, Kind, Origin, At, EventId, Act
)
WHERE Withdrawn = 0 AND (Origin != 'fact' OR At <= {now:DateTime64(6, 'UTC')})
ORDER BY exception, At, NoticedAt, Version

-- memory --
-- Every time that some causes were seen, grouped by how and by whose hand it ended (ended = 0: not yet). A case begins with a
-- first failure and ends with the first success or closing; a closing belongs to the case whose latest failure was known to its
-- author. It held if no other case of the same exception began within so many days, and it is too early to say before.
WITH toDateTime64('2262-01-01', 9, 'UTC') AS Never
SELECT leftPad(lower(hex(began.2)), 16, '0') AS fingerprint, ended, reason AS resolution, owner, count() AS cases,
    quantileExactIf(0.5)(dateDiff('second', began.1, end), ended) AS median_seconds,
    countIf(ended AND next >= end + toIntervalDay({days:UInt16}) AND NOT early) AS held,
    countIf(ended AND next < end + toIntervalDay({days:UInt16})) AS recurred,
    countIf(early) AS too_early
FROM
(
    SELECT
        starts[n] AS began,
        if(n < length(starts), starts[n + 1].1, Never) AS next,
        arrayFilter(c -> c.1 >= began.1 AND c.1 < next, closings) AS closed,
        arraySort(arrayConcat(
            arrayFilter(at -> at >= began.1 AND at < next, recoveries),
            arrayMap(c -> greatest(c.2, began.1), closed))) AS ends,
        notEmpty(ends) AS ended,
        ends[1] AS end,
        closed[-1].3 AS reason,
        closed[-1].4 AS owner,
        ended AND next = Never AND end + toIntervalDay({days:UInt16}) > {now:DateTime64(6, 'UTC')} AS early
    FROM
    (
        SELECT
            arraySort(arrayConcat(
                arrayMap(t -> (t.At, t.Fingerprint), arrayFilter(
                    (t, n) -> n % 2 = 1 AND t.At <= {now:DateTime64(6, 'UTC')}, Turns, arrayEnumerate(Turns))),
                arrayMap(at -> (at, e.Fingerprint), a.again))) AS starts,
            arrayMap(t -> t.At, arrayFilter((t, n) -> n % 2 = 0, Turns, arrayEnumerate(Turns))) AS recoveries,
            a.closings AS closings
        FROM
        (
            SELECT ExceptionId, Fingerprint, Turns
            FROM exception_state FINAL
            WHERE Tenant = {tenant:String} AND Deleted = 0 AND hasAny(Turns.Fingerprint, {fingerprints:Array(UInt64)})
                AND (Process, Generation) IN (SELECT Process, Generation FROM generations FINAL WHERE Tenant = {tenant:String})
            ORDER BY Version DESC LIMIT 1 BY ExceptionId
            SETTINGS do_not_merge_across_partitions_select_final = 1
        ) AS e
        LEFT JOIN
        (
            SELECT ExceptionId,
                groupArrayIf(At, Origin = 'found') AS again,
                arraySort(x -> x.1, groupArrayIf(
                    (Version, Kind, ifNull(toDateTime64(Until, 9, 'UTC'), At), At, Reason, Owner), Origin = 'person')) AS acts,
                arrayMap(x -> (x.3, x.4, toString(x.5), toString(x.6)), arrayFilter(
                    (x, n) -> x.2 = 'closed' AND acts[n + 1].2 != 'reopened', acts, arrayEnumerate(acts))) AS closings
            FROM
            (
                SELECT DISTINCT ExceptionId, At, Kind, Until, Reason, Owner, Origin, Act, Version FROM exception_transitions
                WHERE Tenant = {tenant:String} AND Kind IN ('closed', 'reopened') AND Origin != 'fact'
            )
            GROUP BY ExceptionId
        ) AS a ON a.ExceptionId = e.ExceptionId
    )
    ARRAY JOIN arrayEnumerate(starts) AS n
)
WHERE began.2 IN {fingerprints:Array(UInt64)}
GROUP BY began.2, ended, reason, owner
ORDER BY fingerprint, ended DESC, cases DESC, resolution, owner
