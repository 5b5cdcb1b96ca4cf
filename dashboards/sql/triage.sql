-- causes --
-- Open exceptions by cause, most pressing first: severity (1 to 8) x days since the oldest (an hour at least) x money (1 at least,
-- in units of each currency: it orders, it is no total).
SELECT fingerprint, any(x.process) AS process, argMax(x.event, x.last_seen) AS event, argMax(x.milestone, x.last_seen) AS milestone,
    argMax(x.class, x.last_seen) AS class, argMax(x.id, x.last_seen) AS latest, argMax(x.code, x.last_seen) AS code, argMax(x.message, x.last_seen) AS message,
    count() AS exceptions, uniqExactArray(x.journeys) AS journeys, max(x.blocking) AS blocking,
    arraySort(groupUniqArrayIf(toString(owner), owner != '')) AS owners,
    arraySort(groupUniqArrayIf(assignee, assignee != '')) AS assignees,
    arraySort(groupUniqArrayIf(toString(entity), entity != '')) AS entities,
    argMax(x.runbook, x.last_seen) AS runbook, min(x.opened_at) AS since, max(x.last_seen) AS last_seen, sum(x.occurrences) AS occurrences,
    arraySort(mapKeys(sumMap(map(toString(currency), ifNull(amount, 0))) AS money)) AS currencies,
    arrayMap(c -> money[c], currencies) AS amounts,
    max(transform(severity, ['low', 'medium', 'high', 'critical'], [1, 2, 4, 8], 2)) AS weight,
    toFloat64(weight) * greatest(dateDiff('second', since, {now:DateTime64(6, 'UTC')}), 3600) / 86400
        * greatest(1, toFloat64(arraySum(mapValues(money)))) AS pressing
FROM
(
    SELECT *
    FROM exceptions_at(tenant = {tenant:String}, now = {now:DateTime64(6, 'UTC')})
    WHERE status = 'open'
        AND ({process:String} = '' OR process = {process:String})
        AND ({owner:String} = '' OR owner = {owner:String})
        AND ({class:String} = '' OR class = {class:String})
) AS x
GROUP BY fingerprint
ORDER BY pressing DESC, fingerprint
LIMIT {limit:UInt32}

-- of_cause --
-- The open exceptions of one cause, the most money first.
SELECT id, process, status, class, code, message, event, milestone, owner, assignee, severity, runbook, amount, currency, customer,
    entity, region, journeys, opened_at, last_seen, occurrences, revision, blocking
FROM exceptions_at(tenant = {tenant:String}, now = {now:DateTime64(6, 'UTC')})
WHERE status = 'open' AND fingerprint = {fingerprint:String}
ORDER BY ifNull(amount, 0) DESC, opened_at, id
LIMIT {limit:UInt32}

-- owners --
-- Who has how much to do: open exceptions by owner.
SELECT owner, count() AS exceptions, uniqExactArray(x.journeys) AS journeys, min(x.opened_at) AS since
FROM exceptions_at(tenant = {tenant:String}, now = {now:DateTime64(6, 'UTC')}) AS x
WHERE status = 'open'
GROUP BY owner
ORDER BY exceptions DESC, owner
