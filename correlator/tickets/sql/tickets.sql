-- What tickets say of causes.

-- causes --
-- Causes with an exception that is open, whichever processes see it, or the one of a fingerprint: what happened, how often, whose
-- it is. Journeys that begin with the same object are one.
SELECT arraySort(groupUniqArray(x.fingerprint)) AS fingerprints, fingerprints[1] AS fingerprint,
    arraySort(groupUniqArray(toString(x.process))) AS processes,
    argMax(toString(x.process), x.last_seen) AS process, argMax(x.event, x.last_seen) AS event,
    argMax(x.milestone, (x.milestone != '', x.last_seen)) AS milestone, argMax(x.class, x.last_seen) AS class,
    argMax(x.code, x.last_seen) AS code, argMax(x.message, x.last_seen) AS message,
    argMax(x.runbook, (x.runbook != '', x.last_seen)) AS runbook, count() AS exceptions, uniqExactArray(x.objects) AS journeys,
    arraySort(groupUniqArrayIf(toString(x.owner), x.owner != '')) AS owners,
    arraySort(groupUniqArrayIf(toString(x.entity), x.entity != '')) AS entities,
    arraySort(groupUniqArray(toString(x.severity))) AS severities, min(x.opened_at) AS since
FROM (${open(1)}) AS x
GROUP BY x.cause
HAVING {fingerprint:String} = '' OR has(fingerprints, {fingerprint:String})
ORDER BY fingerprint

-- standing --
-- How the exceptions of a cause stand. A snoozed one still waits.
SELECT groupUniqArray(x.fingerprint) AS fingerprints, countIf(x.status = 'open') AS open,
    countIf(x.status IN ('snoozed', 'pending')) AS waiting, countIf(x.status = 'resolved') AS resolved
FROM exceptions_at(tenant = {tenant:String}, now = {now:DateTime64(6, 'UTC')}) AS x
WHERE x.fingerprint IN (${prints})

-- tenants --
-- Tenants with journeys.
SELECT DISTINCT Tenant FROM correlation_progress
