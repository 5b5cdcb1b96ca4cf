-- What tickets say of causes.

-- causes --
-- Causes with an exception that is open: what happened, how often, whose it is.
SELECT fingerprint, any(x.process) AS process, argMax(x.event, x.last_seen) AS event, argMax(x.milestone, x.last_seen) AS milestone,
    argMax(x.class, x.last_seen) AS class, argMax(x.code, x.last_seen) AS code, argMax(x.message, x.last_seen) AS message,
    argMax(x.runbook, x.last_seen) AS runbook, count() AS exceptions, uniqExactArray(x.journeys) AS journeys,
    arraySort(groupUniqArrayIf(toString(owner), owner != '')) AS owners,
    arraySort(groupUniqArrayIf(toString(entity), entity != '')) AS entities,
    arraySort(groupUniqArray(toString(severity))) AS severities, min(x.opened_at) AS since
FROM exceptions_at(tenant = {tenant:String}, now = {now:DateTime64(6, 'UTC')}) AS x
WHERE status = 'open' AND ({fingerprint:String} = '' OR fingerprint = {fingerprint:String})
GROUP BY fingerprint
ORDER BY fingerprint

-- standing --
-- How the exceptions of some causes stand. A snoozed one still waits.
SELECT fingerprint, countIf(status = 'open') AS open, countIf(status IN ('snoozed', 'pending')) AS waiting,
    countIf(status = 'resolved') AS resolved
FROM exceptions_at(tenant = {tenant:String}, now = {now:DateTime64(6, 'UTC')})
WHERE fingerprint IN {fingerprints:Array(String)}
GROUP BY fingerprint

-- tenants --
-- Tenants with journeys.
SELECT DISTINCT Tenant FROM correlation_progress
