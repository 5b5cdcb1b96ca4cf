-- causes --
-- Open exceptions by cause, most pressing first: severity (1 to 8) x days since the oldest (an hour at least) x money (1 at
-- least, in units of each currency: it orders, it is no total). What stands for a cause is of its latest exception, of a process
-- that has a milestone for it where there is one.
SELECT
    argMax((x.fingerprint, x.id, toString(x.process), toString(x.event), toString(x.milestone), toString(x.class), x.code,
        x.message, x.runbook), (x.milestone != '', x.last_seen, x.process, x.id)) AS newest,
    newest.1 AS fingerprint, newest.2 AS latest, newest.3 AS process, newest.4 AS event, newest.5 AS milestone, newest.6 AS class,
    newest.7 AS code, newest.8 AS message, newest.9 AS runbook,
    arraySort(groupUniqArray(x.fingerprint)) AS fingerprints, arraySort(groupUniqArray(toString(x.process))) AS processes,
    count() AS exceptions, countIf(x.counts) AS failures, uniqExactArray(x.objects) AS journeys, max(x.blocking) AS blocking,
    arraySort(groupUniqArrayIf(toString(x.owner), x.owner != '')) AS owners,
    arraySort(groupUniqArrayIf(x.assignee, x.assignee != '')) AS assignees,
    arraySort(groupUniqArrayIf(toString(x.entity), x.entity != '')) AS entities,
    min(x.opened_at) AS since, max(x.last_seen) AS last_seen, sumIf(x.occurrences, x.counts) AS occurrences,
    arraySort(mapKeys(sumMapIf(map(toString(x.currency), ifNull(x.amount, 0)), x.counts) AS money)) AS currencies,
    arrayMap(c -> money[c], currencies) AS amounts,
    max(transform(x.severity, ['low', 'medium', 'high', 'critical'], [1, 2, 4, 8], 2)) AS weight,
    toFloat64(weight) * greatest(dateDiff('second', since, {now:DateTime64(6, 'UTC')}), 3600) / 86400
        * greatest(1, toFloat64(arraySum(mapValues(money)))) AS pressing
FROM (${open(
    ({process:String} = '' OR process = {process:String})
    AND ({owner:String} = '' OR owner = {owner:String})
    AND ({class:String} = '' OR class = {class:String}))}) AS x
GROUP BY x.cause
ORDER BY pressing DESC, x.cause
LIMIT {limit:UInt32}

-- of_cause --
-- The open exceptions of the cause of a fingerprint, those to show first, the most money first. Of each failure the exceptions of
-- one process are shown, that of the fingerprint if it has any; the others are about the same.
SELECT id, process, status, class, code, message, fingerprint, event, milestone, owner, assignee, severity, runbook, amount,
    currency, customer, entity, region, journeys, objects, opened_at, last_seen, occurrences, revision, blocking, failure, shown
FROM
(
    SELECT *, max(fingerprint = {fingerprint:String}) OVER (PARTITION BY cause) AS wanted,
        process = first_value(process) OVER (
            PARTITION BY cause, failure ORDER BY fingerprint = {fingerprint:String} DESC, process) AS shown
    FROM (${open({process:String} = '' OR process = {process:String})})
)
WHERE wanted
ORDER BY shown DESC, ifNull(amount, 0) DESC, opened_at, id
LIMIT {limit:UInt32}

-- owners --
-- Who has how much to do: open failures by owner.
SELECT owner, uniqExact(cause, failure) AS exceptions, uniqExactArray(objects) AS journeys, min(opened_at) AS since
FROM (${open(1)})
GROUP BY owner
ORDER BY exceptions DESC, owner
